"""Each family of models: our graph, skl2onnx's graph, the source, and compiled code where there is some.

    python benchmarks/variants.py [--quick] [--family NAME] [--neural] [--no-save]

All peers of a family run in one process, one thread each, on the same rotating rows, interleaved in
random order. A family during which the machine was busy (this process got less than 90% of the time) is
measured again, up to twice. Compare ratios; absolute times are this machine's.

Peers
    ours        the bundle's graph by onnxruntime's session.run
    lowered     the bundle's variant for TensorRT, in standard operators and float32, by session.run on
                the processor: what it costs where there is no GPU. A plan is built, not executed
    predict     edge_runtime's Model.predict on the bundle: validation and class names
    skl2onnx    its graph by session.run, same operator sets, same options
    source      predict of scikit-learn, XGBoost or LightGBM
    gtil        treelite's own interpreter: raw numbers, no labels
    tl2cgen     treelite's trees as C, compiled by gcc
    m2cgen      the model as C, compiled by gcc: raw numbers, no labels

Writes benchmarks/results/variants-DATE.md and .json. Keras models, with `--neural`, have peers and a
result of their own: neural.py.
"""

import logging
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import compiled
import families
import neural
import numpy as np
from interleaving import Peers, asking, interleave, least_disturbed
from machine import describe_machine, in_words, load_average, not_installed, save, today
from tables import table
from threadpoolctl import threadpool_limits

import converter
import edge_runtime
from converter.backends.tensorrt import try_builds
from converter.standard.variant import PROFILE

PEERS = ("ours", "lowered", "predict", "skl2onnx", "source", "gtil", "tl2cgen", "m2cgen")
OTHERS = ("skl2onnx", "xgboost-cpu", "lightgbm")
CAPABILITIES = ("8.6", "12.0")
OPSETS = {"": 17, "ai.onnx.ml": 3}  # the ones that `convert` writes
BATCH, ROTATING = 1_000, 500
SLOWER = 1.1  # times skl2onnx's graph, from which on it is listed: below is noise


@click.command(help=__doc__.splitlines()[0])
@click.option("--quick", is_flag=True, help="A fifth of the time; nothing is compiled.")
@click.option("--family", "only", multiple=True, help="Only this family or network; may be repeated.")
@click.option("--neural", "networks", is_flag=True, help="Keras models instead, as neural.py does.")
@click.option("--save/--no-save", "keep", default=True, help="Write the result into benchmarks/results.")
def main(quick: bool, only: tuple[str, ...], networks: bool, keep: bool) -> None:
    if networks:
        neural.compare(quick=quick, only=only, keep=keep)
        return
    load_before = load_average()
    logging.getLogger("converter").setLevel(logging.ERROR)  # that bundles here are not signed
    missing = not_installed("treelite", "tl2cgen", "m2cgen")
    found = {}
    with threadpool_limits(1), warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        for family in families.all_of():
            if only and family.name not in only:
                continue
            began = time.perf_counter()
            found[family.name] = measure(family, Path(folder), quick=quick)
            click.echo(f"  {family.name}: {time.perf_counter() - began:.0f} s", err=True)
    result = {
        "date": today(),
        "machine": describe_machine(load_before, *OTHERS),
        "missing": missing,
        "families": found,
    }
    text = report(result)
    click.echo(text)
    if keep:
        save("variants", result, text)


def measure(family: families.Family, folder: Path, *, quick: bool) -> dict[str, Any]:
    model = family.fit()
    inputs = family.inputs
    path = folder / "family.edge"
    bundle = converter.convert(model, inputs[:BATCH], name="family", version="1.0.0", boards=["rtx-30"])
    bundle.save(path)
    ours = bundle.artifacts["variants/fp32/model.onnx"]
    lowered = bundle.artifacts.get("variants/tensorrt-fp32/model.onnx")
    notes: dict[str, str] = {} if lowered is not None else {"lowered": bundle.notes[0]}
    theirs = converted_by_skl2onnx(model, inputs, notes)
    with edge_runtime.load(path, allow_unsigned=True) as loaded:
        peers: Peers = {"ours": asking(ours), "predict": loaded.predict, "source": model.predict}
        if theirs is not None:
            peers["skl2onnx"] = asking(theirs)
        if lowered is not None:
            peers["lowered"] = asking(lowered)
        if not quick:
            peers |= compiled.peers_of(
                model, inputs.shape[1], folder / family.name.replace(" ", "_"), notes
            )
        times = timed(peers, inputs, limit_s=0.5 if quick else 2.0)
        wrong = {
            name: disagreements(model, inputs[:BATCH], peers[name])
            for name in ("ours", "lowered", "skl2onnx")
            if name in peers
        }
    graphs = {"ours": ours, "lowered": lowered, "skl2onnx": theirs}
    return {
        "onnx_bytes": {name: None if raw is None else len(raw) for name, raw in graphs.items()},
        "plans": [] if lowered is None else plans(lowered),
        "wrong": wrong,
        "notes": notes,
        **times,
    }


def plans(lowered: bytes) -> list[dict[str, Any]]:
    """TensorRT-RTX's plan for the GPUs of two compute capabilities: built here, executed nowhere."""
    return [asdict(trial) for trial in try_builds(lowered, PROFILE, CAPABILITIES)]


def converted_by_skl2onnx(model: Any, inputs: np.ndarray, notes: dict[str, str]) -> bytes | None:
    from skl2onnx import to_onnx

    options = {id(model): {"zipmap": False}} if hasattr(model, "predict_proba") else None
    try:
        raw: bytes = to_onnx(model, inputs[:1], options=options, target_opset=OPSETS).SerializeToString()
        asking(raw)(inputs[:1])
    except Exception as fault:  # noqa: BLE001 -- whatever it raises is what its user would see
        why = fault.__cause__ or fault
        first = str(why).strip().partition("\n")[0]
        notes["skl2onnx"] = f"{type(why).__name__}: {first[:100]}"
        return None
    return raw


def timed(peers: Peers, inputs: np.ndarray, *, limit_s: float) -> dict[str, Any]:
    """Medians in microseconds, of one row and of a batch, by the attempt that was disturbed least."""
    rows = [inputs[at : at + 1].copy() for at in range(ROTATING)]
    batches = [np.roll(inputs[:BATCH], at, axis=0) for at in range(4)]
    for ask in peers.values():
        ask(rows[0])
        ask(batches[0])

    def measure_once() -> dict[str, Any]:
        one = interleave(peers, rows, 5_000, block=25, limit_s=limit_s)
        many = interleave(peers, batches, 200, block=1, limit_s=limit_s)
        return {"row_us": medians(one), "batch_us": medians(many)}

    return least_disturbed(measure_once)


def medians(times: dict[str, Any]) -> dict[str, float]:
    return {name: float(np.median(taken)) for name, taken in times.items()}


def disagreements(model: Any, inputs: np.ndarray, ask: Callable[[np.ndarray], Any]) -> int:
    """Rows whose label is another than the source's, or whose value is off by 1e-5 of the largest."""
    wanted = np.asarray(model.predict(inputs)).reshape(-1)
    found = np.asarray(ask(inputs)[0]).reshape(-1)
    if wanted.dtype.kind == "f":
        return int(np.count_nonzero(np.abs(found - wanted) > 1e-5 * max(1.0, np.abs(wanted).max())))
    return int(np.count_nonzero(found != wanted))


def report(result: dict[str, Any]) -> str:
    found = result["families"]
    missing = (
        f"\nNot installed, so not measured: {', '.join(result['missing'])}." if result["missing"] else ""
    )
    return f"""# Families of models: size and latency, {result["date"]}

{in_words(result["machine"], *OTHERS)}

Made by `benchmarks/variants.py`, which says what the peers are: {BATCH:,} held-out rows of float32, one
thread, peers interleaved in random order in one process, medians.{missing}

Ratios are times of the peer to ours, both by session.run: above 1, ours is faster. Ours computes in
float64, lowered and skl2onnx in float32. Ours and lowered passed the parity gate; skl2onnx's labels or
values may be others, see the table of sizes.

## One row

{ratios(found, "row_us")}

## A batch of {BATCH:,}

{ratios(found, "batch_us")}

## Slower than skl2onnx's graph

{slower(found)}

## Size, and rows of {BATCH:,} that differ from the source

Differ: another label, or a value off by more than 1e-5 of the largest.

{sizes(found)}

## Plans of TensorRT-RTX, built without a GPU

Size and time of the lowered graph's plan, by compute capability. Built, not executed.

{plan_table(found)}

## Microseconds of one row

{absolute(found, "row_us")}

## Microseconds of a batch of {BATCH:,}

{absolute(found, "batch_us")}

## What has no figure, and why

{notes(found)}
"""


def ratios(found: dict[str, Any], key: str) -> str:
    others = PEERS[1:]
    return table(
        ("family", *others),
        [
            [name, *(f"{us[peer] / us['ours']:.2f}" if peer in us else "" for peer in others)]
            for name, us in ((name, each[key]) for name, each in found.items())
        ],
    )


def absolute(found: dict[str, Any], key: str) -> str:
    return table(
        ("family", *PEERS),
        [
            [name, *(f"{us[peer]:,.1f}" if peer in us else "" for peer in PEERS)]
            for name, us in ((name, each[key]) for name, each in found.items())
        ],
    )


def slower(found: dict[str, Any]) -> str:
    lines = [
        f"- {name}, {what}: {us['ours'] / us['skl2onnx']:.1f} times "
        f"({us['ours']:,.1f} µs against {us['skl2onnx']:,.1f})"
        for name, each in found.items()
        for what, us in (("one row", each["row_us"]), (f"batch of {BATCH:,}", each["batch_us"]))
        if us["ours"] > SLOWER * us.get("skl2onnx", np.inf)
    ]
    return "\n".join(lines) or "None."


def sizes(found: dict[str, Any]) -> str:
    def shown(number: int | None) -> str:
        return "" if number is None else f"{number:,}"

    return table(
        ("family", "our ONNX bytes", "lowered", "skl2onnx's", "ours differ", "lowered differ",
         "skl2onnx's differ"),
        [
            [name, *(shown(each["onnx_bytes"][by]) for by in ("ours", "lowered", "skl2onnx")),
             *(shown(each["wrong"].get(by)) for by in ("ours", "lowered", "skl2onnx"))]
            for name, each in found.items()
        ],
    )  # fmt: skip


def plan_table(found: dict[str, Any]) -> str:
    def cells(trial: dict[str, Any]) -> list[str]:
        return [trial["why"] or f"{trial['plan_bytes'] / 1000:,.0f}", f"{trial['seconds']:.2f}"]

    return table(
        ("family", *(f"{each}: {what}" for each in CAPABILITIES for what in ("plan kB", "built in s"))),
        [
            [name, *(cell for trial in each["plans"] for cell in cells(trial))]
            for name, each in found.items()
            if each["plans"]
        ],
    )


def notes(found: dict[str, Any]) -> str:
    lines = [
        f"- {name}, {peer}: {why}" for name, each in found.items() for peer, why in each["notes"].items()
    ]
    return "\n".join(lines) or "Nothing."


if __name__ == "__main__":
    main()
