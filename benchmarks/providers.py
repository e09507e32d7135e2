"""Models through each provider of ONNX Runtime that PyPI has for x86-64: their goldens, or why not.

Every package gets an environment of its own (4 GB in all, removed at the end). Without a GPU those
for one show what a provider says that is installed and cannot be used.

    python benchmarks/providers.py [--quick] [--no-save]
"""

import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
from machine import describe_machine, in_words, load_average, save, today

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support import provider_trial
from tests.support.environments import environment
from tests.support.provider_bundles import NAMES, provider_bundles

# (provider, packages): a built-in one's package replaces `onnxruntime`, a plug-in's comes beside it.
TRIALS = (
    ("openvino", ("onnxruntime-openvino",)),
    ("openvino", ("onnxruntime", "onnxruntime-ep-openvino")),
    ("cuda", ("onnxruntime-gpu[cuda,cudnn]",)),
    ("tensorrt", ("onnxruntime-gpu[cuda,cudnn]",)),
    ("tensorrt-rtx", ("onnxruntime", "onnxruntime-ep-nv-tensorrt-rtx-cu13")),
)
_QUICK = ("openvino", ("onnxruntime",))
_VERSIONS = (
    "from importlib.metadata import distributions\n"
    "found = {each.name.replace('_', '-'): each.version for each in distributions()}\n"
    "own = sorted(name for name in found if name.startswith('onnxruntime'))\n"
    "print(', '.join(f'{name} {found[name]}' for name in own))"
)


@click.command()
@click.option("--quick", is_flag=True, help="OpenVINO alone, in this environment; saves nothing.")
@click.option("--save/--no-save", "keep", default=True, help="Write the result into benchmarks/results.")
def main(quick: bool, keep: bool) -> None:
    if platform.machine() != "x86_64":
        raise click.ClickException("these packages are made for x86-64.")
    load = load_average()
    with tempfile.TemporaryDirectory() as folder:
        found = _tried(Path(folder), quick)
    result = {"date": today(), "machine": describe_machine(load), "trials": found}
    text = _report(result)
    click.echo(text)
    if keep and not quick:
        save("providers", result, text)


def _tried(folder: Path, quick: bool) -> list[dict[str, Any]]:
    bundles = provider_bundles(folder)
    interpreters = {_QUICK[1]: Path(sys.executable)} if quick else {}
    found = []
    for provider, packages in (_QUICK,) if quick else TRIALS:
        click.echo(f"{provider} of {' and '.join(packages)}", err=True)
        if packages not in interpreters:
            interpreters[packages] = environment(folder / str(len(interpreters)), *packages)
        python = interpreters[packages]
        versions = _run(python, "-c", _VERSIONS).strip()
        by_name = {
            name: _run(python, provider_trial.__file__, name, *bundles).splitlines()
            for name in ("cpu", provider)
        }
        for at, bundle in enumerate(NAMES):
            told = {name: json.loads(lines[at]) for name, lines in by_name.items()}
            cpu, own = told["cpu"], told[provider]
            del own["bundle"]
            found.append({"software": versions, "bundle": bundle, "cpu_p50_us": cpu["p50_us"], **own})
    return found


def _run(*command: str | Path) -> str:
    words = [str(each) for each in command]
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, cwd="/").stdout


def _report(result: dict[str, Any]) -> str:
    lines = [
        f"# Providers of ONNX Runtime, {result['date']}",
        "",
        in_words(result["machine"]),
        "",
        "Made by `benchmarks/providers.py`: each bundle's golden inputs, one by one and as a batch,",
        "through the provider; then 2,000 single rows, after as many through the processor alone in the",
        "same environment. Where nothing ran, the reason is what a device says.",
        "",
        "| provider | of | bundle | largest error | p50 µs | processor µs | |",
        "|---|---|---|---:|---:|---:|---|",
    ]
    rows: dict[tuple[str, ...], list[str]] = {}
    for each in result["trials"]:
        if "why" in each:
            why = each["why"].partition("provider ")[2].partition(": ")[2] or each["why"]
            cells = ("", "", "", f"not run: {why}")
        else:
            error = f"{each['max_abs_error']:.1g}"
            cells = (error, f"{each['p50_us']:g}", f"{each['cpu_p50_us']:g}", "; ".join(each["notes"]))
        rows.setdefault((each["provider"], each["software"], *cells), []).append(each["bundle"])
    for (provider, software, *cells), bundles in rows.items():
        lines.append(f"| {' | '.join([provider, software, ', '.join(bundles), *cells])} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
