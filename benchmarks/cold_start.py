"""Cold start: from a new process to the first prediction, and the memory that took.

    python benchmarks/cold_start.py [--starts N] [--no-save]

The model is that of motion.py, installed into a store as a device has it. Each start is a process of
its own, in random order, that ends after its first prediction; the time is that of the whole process,
the memory its peak, as the kernel counted it. All files are in the page cache, bytecode is compiled.

    bare onnxruntime       the least a user can write: the ONNX file by its path, one run
    installed slot         `edge_runtime.load` of the slot's folder, which `install` verified
    installed slot, root   the same, and its signature is verified again
    signed bundle          `edge_runtime.load` of the file with a root file
    worker process         the agent's: a child process that replays all golden inputs first
    scikit-learn           joblib.load of the pipeline, one predict

Writes benchmarks/results/cold_start-DATE.md and .json.
"""

import os
import random
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import joblib
import numpy as np
from machine import describe_machine, in_words, load_average, save, today
from motion import convert, train
from tables import table

from edge_runtime.bundle import load_root
from edge_runtime.store.activate import bring_up
from edge_runtime.store.disk import Store

PROGRAMS = {
    "bare onnxruntime": """
import os
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import numpy as np, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(r"{onnx}", options, providers=["CPUExecutionProvider"])
session.run(None, {{"windows": np.load(r"{row}")}})
""",
    "installed slot": """
import numpy as np, edge_runtime
edge_runtime.load(r"{slot}", allow_unsigned=True).predict(np.load(r"{row}"))
""",
    "installed slot, root": """
import numpy as np, edge_runtime
edge_runtime.load(r"{slot}", trust=r"{trust}").predict(np.load(r"{row}"))
""",
    "signed bundle": """
import numpy as np, edge_runtime
edge_runtime.load(r"{bundle}", trust=r"{trust}").predict(np.load(r"{row}"))
""",
    "worker process": """
import numpy as np
from pathlib import Path
from edge_runtime.worker import Worker
with Worker.start(Path(r"{slot}")) as worker:
    worker.infer(np.load(r"{row}"))
""",
    "scikit-learn": """
import joblib, numpy as np
joblib.load(r"{pipeline}").predict(np.load(r"{row}"))
""",
}
BARE = "bare onnxruntime"
# A process counts the memory of the one that started it as its own peak, so a small one starts each.
LAUNCHER = """
import os, sys, time
began = time.perf_counter()
pid = os.posix_spawn(sys.executable, [sys.executable, "-c", sys.argv[1]], os.environ)
_, status, usage = os.wait4(pid, 0)
print(time.perf_counter() - began, usage.ru_maxrss * 1024)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@dataclass(frozen=True)
class Start:
    """One process: how long it lived, and the most memory it or a child of it had resident."""

    seconds: float
    peak_bytes: int


@click.command(help=__doc__.splitlines()[0])
@click.option("--starts", default=30, show_default=True, help="Processes of each peer.")
@click.option("--save/--no-save", "keep", default=True, help="Write the result into benchmarks/results.")
def main(starts: int, keep: bool) -> None:
    load_before = load_average()
    with tempfile.TemporaryDirectory() as folder:
        programs = prepare(Path(folder))
        found: dict[str, list[Start]] = {name: [] for name in programs}
        order = list(programs)
        for turn in range(starts + 1):
            random.Random(turn).shuffle(order)
            for name in order:
                start = run(programs[name])
                if turn:  # the first reads from the disk and may compile
                    found[name].append(start)
    result = {
        "date": today(),
        "machine": describe_machine(load_before),
        "starts": starts,
        "peers": {name: summarise(each, found[BARE]) for name, each in found.items()},
    }
    text = report(result)
    click.echo(text)
    if keep:
        save("cold_start", result, text)


def prepare(folder: Path) -> dict[str, str]:
    """A store that runs the model, and the peers' programs."""
    pipeline, rows = train()
    command = Path(sys.executable).with_name("edge-runtime")
    subprocess.run([command, "keys", "generate", folder / "keys"], check=True, capture_output=True)
    bundle, row, saved = folder / "motion.edge", folder / "row.npy", folder / "pipeline.joblib"
    convert(pipeline).save(bundle, signing_key=folder / "keys" / "signing-key.pem")
    np.save(row, rows[0])
    joblib.dump(pipeline, saved)
    trust = folder / "keys" / "root.json"
    store = Store(folder / "store")
    slot = store.install(bundle, root=load_root(trust))
    bring_up(store, slot, wait_s=0)
    path = store.slot_path(slot.model, slot.digest)
    (onnx,) = path.glob("variants/*/model.onnx")
    places = {"onnx": onnx, "slot": path, "bundle": bundle, "trust": trust, "row": row}
    return {name: text.format(pipeline=saved, **places) for name, text in PROGRAMS.items()}


def run(program: str) -> Start:
    command = [sys.executable, "-S", "-c", LAUNCHER, program]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}  # an installation has all compiled
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    seconds, peak = done.stdout.split()
    return Start(float(seconds), int(peak))


def summarise(found: list[Start], bare: list[Start]) -> dict[str, float]:
    """Medians; `ratio_to_bare` is that of the pairs that ran in the same turn."""
    ratios = [ours.seconds / theirs.seconds for ours, theirs in zip(found, bare, strict=True)]
    return {
        "p50_ms": float(np.median([each.seconds for each in found])) * 1e3,
        "fastest_ms": min(each.seconds for each in found) * 1e3,
        "ratio_to_bare": float(np.median(ratios)),
        "peak_mb": float(np.median([each.peak_bytes for each in found])) / 1e6,
    }


def report(result: dict[str, Any]) -> str:
    ours = result["peers"]["installed slot"]
    lines = [
        [
            name,
            f"{found['p50_ms']:.0f}",
            f"{found['fastest_ms']:.0f}",
            f"{found['ratio_to_bare']:.2f}",
            f"{found['peak_mb']:.0f}",
        ]
        for name, found in result["peers"].items()
    ]
    return f"""# Cold start, {result["date"]}

{in_words(result["machine"])}

Made by `benchmarks/cold_start.py`: from a new process to the first prediction of window features, scaler
and a forest of 100 trees, {result["starts"]} processes of each peer in random order, page cache warm.

From an installed slot it takes {ours["ratio_to_bare"]:.2f} times a bare onnxruntime script.
The bound is 1.25.

{table(("peer", "p50 ms", "fastest ms", "to bare", "peak MB"), lines)}

"to bare" is the median of the ratios of starts in the same turn. The worker's memory is that of the
larger of the two processes.
"""


if __name__ == "__main__":
    main()
