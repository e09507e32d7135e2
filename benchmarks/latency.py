"""One row at a time: scikit-learn, ONNX Runtime in three ways of using it, and our `predict`.

    python benchmarks/latency.py [--rows N] [--no-save]

All peers run the same model (window features, scaler, forest of 100) on the same rows in one process,
interleaved in random order. Rows rotate, as one constant row flatters a forest two-fold: its branches
are predicted. Compare ratios; absolute times are this machine's. Measured in two ways:

    in blocks    each peer is asked 25 rows, then the next, so that a peer pays for its own caches
    in turn      each peer is asked one row, and finds the caches as scikit-learn left them

Peers
    scikit-learn      Pipeline.predict
    session.run       onnxruntime's usual call, with the names and the dictionary it needs
    raw IO binding    buffers bound once; copy the row in, run: the least a user can do with it
    predict           ours, on the same session: validation, a lock, a class name of one's own
    infer             ours, with probabilities

Writes benchmarks/results/latency-DATE.md and .json.
"""

import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np
from interleaving import Peers, interleave
from machine import describe_machine, in_words, load_average, save, today
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from tables import table

import converter
import edge_runtime
from converter.blocks import WindowFeatures

ROOT = Path(__file__).parents[1]
RECORDINGS = ROOT / "examples" / "data" / "basic_motions" / "basic_motions.npz"
STRIDE = 5


@click.command(help=__doc__.splitlines()[0])
@click.option("--rows", "count", default=4000, show_default=True, help="Rows asked of each peer.")
@click.option("--save/--no-save", "keep", default=True, help="Write the result into benchmarks/results.")
def main(count: int, keep: bool) -> None:
    pipeline, rows = train()
    load_before = load_average()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "motion.edge"
        convert(pipeline).save(path)
        with edge_runtime.load(path, allow_unsigned=True) as model:
            peers = make_peers(pipeline, model)
            disagreements = count_disagreements(peers, rows)
            measured = {
                "in_blocks": interleave(peers, rows, count, block=25),
                "in_turn": interleave(peers, rows, count, block=1),
            }
    result = {
        "date": today(),
        "machine": describe_machine(load_before),
        "rows": len(rows),
        "label_disagreements": disagreements,
        **{name: summarise(times) for name, times in measured.items()},
    }
    text = report(result)
    click.echo(text)
    if keep:
        save("latency", result, text)


def train() -> tuple[Pipeline, list[np.ndarray]]:
    """The fitted pipeline, and real windows (1, 100, 6) cut every 5 samples from held-out recordings."""
    with np.load(RECORDINGS) as recordings:
        windows, labels = recordings["train_windows"], recordings["train_labels"]
        stream = recordings["test_windows"].reshape(-1, windows.shape[2])
    pipeline = make_pipeline(
        WindowFeatures(), StandardScaler(), RandomForestClassifier(100, random_state=0)
    ).fit(windows, labels)
    length = windows.shape[1]
    starts = range(0, len(stream) - length + 1, STRIDE)
    return pipeline, [stream[at : at + length][None].copy() for at in starts]


def convert(pipeline: Pipeline) -> converter.ConvertedBundle:
    """What `train` fitted, converted with the held-out recordings."""
    with np.load(RECORDINGS) as recordings:
        held_out, labels = recordings["test_windows"], recordings["test_labels"]
    return converter.convert(pipeline, held_out, labels, name="motion", version="1.0.0")


def make_peers(pipeline: Pipeline, model: edge_runtime.Model) -> Peers:
    session = model._session._session  # raw IO binding is compared on the very same session
    names = [output.name for output in session.get_outputs()]
    buffer = np.zeros((1, 100, 6), np.float32)
    label, probabilities = np.zeros(1, np.int64), np.zeros((1, 4), np.float32)
    binding = session.io_binding()
    binding.bind_input("windows", "cpu", 0, np.float32, buffer.shape, buffer.ctypes.data)
    for name, array in zip(names, (label, probabilities), strict=True):
        binding.bind_output(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)

    def raw(row: np.ndarray) -> np.ndarray:
        buffer[...] = row
        session.run_with_iobinding(binding)
        return label

    return {
        "scikit-learn": pipeline.predict,
        "session.run": lambda row: session.run(names, {"windows": row}),
        "raw IO binding": raw,
        "predict": model.predict,
        "infer": model.infer,
    }


def count_disagreements(peers: Peers, rows: list[np.ndarray]) -> int:
    """Rows on which our label is not scikit-learn's."""
    return sum(peers["predict"](row)[0] != peers["scikit-learn"](row)[0] for row in rows)


def summarise(times: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """By peer; `over_raw_us` is the median of the differences to raw IO binding on the same row."""
    raw = times["raw IO binding"]
    return {
        name: {
            "p50_us": float(np.median(taken)),
            "p99_us": float(np.percentile(taken, 99)),
            "ratio_to_raw": float(np.median(taken) / np.median(raw)),
            "over_raw_us": float(np.median(taken - raw)),
        }
        for name, taken in times.items()
    }


def report(result: dict[str, Any]) -> str:
    over = result["in_blocks"]["predict"]["over_raw_us"]
    return f"""# Latency of one row, {result["date"]}

{in_words(result["machine"])}

Made by `benchmarks/latency.py`: window features, scaler and a forest of 100 trees on {result["rows"]}
rotating windows of 100 samples of 6 channels; peers interleaved in random order in one process.
Labels that differ from scikit-learn's: {result["label_disagreements"]} of {result["rows"]}.

`predict`, with validation, costs {over:.1f} µs more than raw IO binding on the same session.
The bound is 3 µs. "Over raw" is the median of the differences on the same row.

## In blocks of 25 rows

{peers_table(result["in_blocks"])}

## In turn, one row each: caches are as scikit-learn left them

{peers_table(result["in_turn"])}
"""


def peers_table(summary: dict[str, dict[str, float]]) -> str:
    return table(
        ("peer", "p50 µs", "p99 µs", "p50 to raw", "over raw µs"),
        [
            [
                name,
                f"{found['p50_us']:.1f}",
                f"{found['p99_us']:.1f}",
                f"{found['ratio_to_raw']:.2f}",
                f"{found['over_raw_us']:+.2f}",
            ]
            for name, found in summary.items()
        ],
    )


if __name__ == "__main__":
    main()
