"""Keras models: each variant of ours, Keras, LiteRT and OpenVINO, on the processor.

    python benchmarks/neural.py [--quick] [--network NAME] [--no-save]

All peers of a network run in one process, one thread each, on the same rotating rows, interleaved in
random order, one row at a time and in batches of 32. A network during which the machine was busy (this
process got less than 90% of the time) is measured again, up to twice. Compare ratios; absolute times are
this machine's.

Peers
    fp32, ...      each variant of the bundle for ONNX Runtime, by its session.run; those for TensorRT
                   have a size here and no time, as they are not made for a processor
    predict        edge_runtime's Model.predict on the bundle, which runs its first variant
    Keras          the model in a tf.function, training=False
    Keras predict_on_batch
    LiteRT float32 TensorFlow's own converter, XNNPACK; a file for each batch size, as XNNPACK asks for
    LiteRT int8    the same after its post-training quantization, calibrated with the rows that ours has;
                   "int8 weights" where that fails: without calibration, activations in float32
    OpenVINO       it reads our fp32 graph, compiled for each batch size; float32

Writes benchmarks/results/neural-DATE.md and .json.
"""

import logging
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import click
import litert
import numpy as np
import openvino_peer
from interleaving import MIN_SHARE, Peers, asking, interleave, least_disturbed
from machine import describe_machine, in_words, load_average, not_installed, save, today
from networks import NETWORKS, Network
from tables import table

import converter
import edge_runtime
from converter.frontends.tensorflow.library import load

OTHERS = ("keras",)
PEERS = ("ai-edge-litert", "openvino")
BOARDS = ("x86-64", "orin-nano")
BATCHES = (1, 32)
BASE = "fp32"
ROTATING = {1: 200, 32: 4}
LEAST_CALLS = 100  # for a 99th percentile


@click.command(help=__doc__.splitlines()[0])
@click.option("--quick", is_flag=True, help="A tenth of the time.")
@click.option("--network", "only", multiple=True, help="Only this network; may be repeated.")
@click.option("--save/--no-save", "keep", default=True, help="Write the result into benchmarks/results.")
def main(quick: bool, only: tuple[str, ...], keep: bool) -> None:
    compare(quick=quick, only=only, keep=keep)


def compare(*, quick: bool, only: tuple[str, ...], keep: bool) -> None:
    load_before = load_average()
    logging.getLogger("converter").setLevel(logging.ERROR)  # that bundles here are not signed
    missing = not_installed(*PEERS)
    for threads in ("intra", "inter"):
        getattr(load().tf.config.threading, f"set_{threads}_op_parallelism_threads")(1)
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, make in NETWORKS.items():
            if only and name not in only:
                continue
            began = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder:
                found[name] = measure(make(), Path(folder), missing, limit_s=2.0 if quick else 20.0)
            click.echo(f"  {name}: {time.perf_counter() - began:.0f} s", err=True)
    others = (*OTHERS, *(name for name in PEERS if name not in missing))
    result = {
        "date": today(),
        "machine": describe_machine(load_before, *others),
        "missing": missing,
        "networks": found,
    }
    text = report(result, others)
    click.echo(text)
    if keep:
        save("neural", result, text)


def measure(network: Network, folder: Path, missing: list[str], *, limit_s: float) -> dict[str, Any]:
    bundle = converter.convert(
        network.model, network.inputs, network.labels, name="network", version="1.0.0", boards=BOARDS,
        quantize=True, calibration=network.calibration,
    )  # fmt: skip
    notes = {tried.id: tried.why for tried in bundle.tried if not tried.kept}
    files = []
    if "ai-edge-litert" not in missing:
        files = litert.files_of(network.model, network.calibration, BATCHES, folder, notes)
    path = bundle.save(folder / "network.edge")
    with edge_runtime.load(path, allow_unsigned=True) as loaded:
        peers = {
            batch: {"predict": loaded.predict, **peers_of(network, bundle, files, missing, batch)}
            for batch in BATCHES
        }
        expected = keras_says(network)
        return {
            "parameters": network.model.count_params(),
            "inputs": len(network.inputs),
            "predict_runs": loaded.variant.id,
            "bytes": sizes(network, bundle, files, folder),
            "agreement": {
                name: compared(expected, ask, network.inputs) for name, ask in peers[1].items()
            },
            "times": {
                str(batch): timed(each, network.inputs, batch, limit_s) for batch, each in peers.items()
            },
            "notes": notes,
        }


def sizes(network: Network, bundle: Any, files: list[litert.Files], folder: Path) -> dict[str, int]:
    """Bytes of each file there is, by the peer that reads it."""
    whole = folder / "network.keras"
    network.model.save(whole)
    return {
        **{each.id: each.size_bytes for each in bundle.manifest.variants},
        "Keras": whole.stat().st_size,
        **{f"LiteRT {each.precision}": len(each.by_batch[1]) for each in files},
    }


def peers_of(
    network: Network, bundle: Any, files: list[litert.Files], missing: list[str], batch: int
) -> Peers:
    """Those that are asked rows of (batch, ...), by name."""
    model, tf = network.model, load().tf
    traced = tf.function(lambda rows: model(rows, training=False))
    peers: Peers = {
        each.id: asking(bundle.artifacts[each.file])
        for each in bundle.manifest.variants
        if each.engine == "onnxruntime"
    }
    peers["Keras"] = lambda rows: traced(rows).numpy()
    peers["Keras predict_on_batch"] = model.predict_on_batch
    for each in files:
        peers[f"LiteRT {each.precision}"] = litert.asking(each.by_batch[batch])
    if "openvino" not in missing:
        graph = bundle.artifacts[f"variants/{BASE}/model.onnx"]
        peers["OpenVINO"] = openvino_peer.asking(graph, (batch, *network.inputs.shape[1:]))
    return peers


def keras_says(network: Network) -> np.ndarray:
    """Probabilities of every held-out input, by predict_on_batch."""
    parts = _parts(network.inputs, 32)
    return np.concatenate([network.model.predict_on_batch(part) for part in parts])


def compared(expected: np.ndarray, ask: Any, inputs: np.ndarray) -> dict[str, Any]:
    """Labels that differ from those of Keras, and the largest difference of a probability."""
    found = np.concatenate([_whole(ask(part)) for part in _parts(inputs, 1)])
    names = found.ndim == 1
    labels = found.astype(np.int64) if names else found.argmax(axis=1)
    return {
        "labels": int(np.count_nonzero(labels != expected.argmax(axis=1))),
        "difference": None if names else float(np.abs(found - expected).max()),
    }


def _whole(answer: Any) -> np.ndarray:
    """Probabilities, or class names; a copy, as OpenVINO writes each answer over the last."""
    if isinstance(answer, np.ndarray):
        return answer
    return next(np.array(each) for each in answer if np.ndim(each) == 2)


def _parts(inputs: np.ndarray, size: int) -> list[np.ndarray]:
    return [inputs[at : at + size] for at in range(0, len(inputs), size)]


def timed(peers: Peers, inputs: np.ndarray, batch: int, limit_s: float) -> dict[str, Any]:
    """Percentiles in microseconds, by the attempt that was disturbed least."""
    starts = np.linspace(0, len(inputs), ROTATING[batch], endpoint=False, dtype=int)
    rows = [np.take(inputs, range(at, at + batch), axis=0, mode="wrap") for at in starts]
    for ask in peers.values():
        ask(rows[0])
        ask(rows[0])

    def measure_once() -> dict[str, Any]:
        times = interleave(peers, rows, 5_000, block=5 if batch == 1 else 1, limit_s=limit_s)
        return {
            "calls": len(times[BASE]),
            "us": {
                name: dict(zip(("p50", "p99"), np.percentile(taken, (50, 99)).tolist(), strict=True))
                for name, taken in times.items()
            },
        }

    return least_disturbed(measure_once)


def report(result: dict[str, Any], others: tuple[str, ...]) -> str:
    sections = "\n".join(section(name, each) for name, each in result["networks"].items())
    missing = (
        f"\nNot installed, so not measured: {', '.join(result['missing'])}." if result["missing"] else ""
    )
    return f"""# Keras models: size, latency and agreement, {result["date"]}

{in_words(result["machine"], *others)}

Made by `benchmarks/neural.py`, which says what the peers are: one thread, peers interleaved in random
order in one process.{missing}

Times are ratios of a peer's percentile to that of our fp32 variant: below 1, the peer is faster. There
is no 99th percentile of fewer than {LEAST_CALLS} calls. Labels and differences are the peer's to Keras's
predict_on_batch. Our variants and OpenVINO also give the label.

{sections}"""


def section(name: str, found: dict[str, Any]) -> str:
    one, many = (found["times"][str(batch)] for batch in BATCHES)
    names = dict.fromkeys((BASE, *one["us"], *found["bytes"]))
    heads = (
        "peer", "one row p50", "p99", f"batch of {BATCHES[1]} p50", "p99", "one row µs", "batch µs",
        "bytes", "to fp32", "labels that differ", "largest difference",
    )  # fmt: skip
    lines = [[each, *latency(one, many, each), *size_and_agreement(found, each)] for each in names]
    told = "\n".join(f"- {peer}: {why}" for peer, why in found["notes"].items()) or "Nothing."
    busy = min(one["share_of_processor"], many["share_of_processor"]) < MIN_SHARE
    return f"""## {name}

{found["parameters"]:,} parameters, {found["inputs"]} held-out inputs. `predict` runs
{found["predict_runs"]}. Calls of each peer: {one["calls"]:,} of one row, {many["calls"]:,} of a
batch.{" The machine was busy." if busy else ""}

{table(heads, lines)}

Not kept or without a figure, and why:

{told}
"""


def latency(one: dict[str, Any], many: dict[str, Any], peer: str) -> list[str]:
    ratios, microseconds = [], []
    for times in (one, many):
        taken, ours = times["us"].get(peer), times["us"][BASE]
        if taken is None:
            return [""] * 6
        enough = times["calls"] >= LEAST_CALLS
        ratios += [f"{taken['p50'] / ours['p50']:.2f}"]
        ratios += [f"{taken['p99'] / ours['p99']:.2f}" if enough else ""]
        microseconds += [f"{taken['p50']:,.1f}"]
    return [*ratios, *microseconds]


def size_and_agreement(found: dict[str, Any], peer: str) -> list[str]:
    size, agreement = found["bytes"].get(peer), found["agreement"].get(peer)
    cells = ["", ""] if size is None else [f"{size:,}", f"{size / found['bytes'][BASE]:.2f}"]
    if agreement is None:
        return [*cells, "", ""]
    difference = agreement["difference"]
    return [*cells, str(agreement["labels"]), "" if difference is None else f"{difference:.1e}"]


if __name__ == "__main__":
    main()
