"""One row at a time, and batches of 1,000: what `predict` costs above ONNX Runtime, and other peers.

    python benchmarks/latency.py [--quick] [--only NAME] [--no-save]

A forest, an MLP and a CNN, with one thread. All peers are asked the same rows in one process, in turn
and in random order. Rows rotate, as one constant row flatters a forest two-fold: its branches are
predicted. Compare ratios; absolute times are this machine's.

Peers
    predict          ours: validation, a lock, a class name of one's own
    infer            ours, with probabilities
    raw IO binding   buffers bound once; copy the row in, run: the least a user can do; of one row only
    session.run      onnxruntime's usual call, with the names and the dictionary it needs
    scikit-learn     the source's predict; of the CNN, Keras, traced by tf.function
    gtil, tl2cgen    treelite's interpreter, and C made of the trees by tl2cgen; of the forest
    OpenVINO         our graph; of the networks
    LiteRT           the Keras model by TensorFlow's own converter; of the CNN

ONNX Runtime runs on the very session that ours does. What is not installed (`.[bench]`) is left out.
Writes benchmarks/results/latency-DATE.md and .json.
"""

import logging
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import bare
import click
import numpy as np
from contests import BATCHES, CONTESTS, PEERS, Contest
from interleaving import Peers, interleave
from machine import describe_machine, in_words, load_average, not_installed, save, today
from tables import table

import edge_runtime

# The peer that the others are compared with: the least that a user can do with ONNX Runtime.
LEAST = {1: "raw IO binding", 1000: "session.run"}
SIZES = {1: "one_row", 1000: "batch_of_1000"}
CALLS = {1: 5000, 1000: 300}
QUICK_CALLS = {1: 100, 1000: 4}
BLOCKS = {1: 25, 1000: 5}  # rows a peer is asked in turn, so that it pays for its own caches
LIMIT_S = {1: 40.0, 1000: 20.0}
OVER_US, RATIO = 3, 1.02
_TAILS = {"p99_us": "p99 µs", "p99_9_us": "p99.9 µs"}


@click.command(help=__doc__.splitlines()[0])
@click.option("--quick", is_flag=True, help="A few calls, to see that it works.")
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(list(CONTESTS), case_sensitive=False),
    help="This model alone; may be repeated.",
)
@click.option("--save/--no-save", "keep", default=True, help="Write the result into benchmarks/results.")
def main(quick: bool, only: tuple[str, ...], keep: bool) -> None:
    load_before = load_average()
    logging.getLogger("converter").setLevel(logging.ERROR)  # that bundles here are not signed
    missing = not_installed(*PEERS)
    models = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other people's libraries
        for name in only or CONTESTS:
            began = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder:
                contest = CONTESTS[name](Path(folder), missing)
                models[name] = measure(contest, Path(folder), QUICK_CALLS if quick else CALLS)
            click.echo(f"  {name}: {time.perf_counter() - began:.0f} s", err=True)
    others = [name for name in PEERS if name not in missing]
    result = {
        "date": today(),
        "machine": describe_machine(load_before, *others),
        "missing": missing,
        "models": list(models),
        **models,
    }
    text = report(result, others)
    click.echo(text)
    if keep:
        save("latency", result, text)


def measure(contest: Contest, folder: Path, calls: dict[int, int]) -> dict[str, Any]:
    path = contest.bundle.save(folder / "model.edge")
    with edge_runtime.load(path, allow_unsigned=True) as model:
        found: dict[str, Any] = {"what": contest.what, "rows": len(contest.inputs)}
        for batch in BATCHES:
            peers = peers_of(contest, model, batch)
            starts = range(len(contest.inputs)) if batch == 1 else range(0, len(contest.inputs), 97)
            rows = [np.take(contest.inputs, range(at, at + batch), axis=0, mode="wrap") for at in starts]
            for ask in peers.values():
                ask(rows[0])
            times = interleave(peers, rows, calls[batch], block=BLOCKS[batch], limit_s=LIMIT_S[batch])
            found[SIZES[batch]] = summarise(times, LEAST[batch])
    return {**found, "notes": contest.notes}


def peers_of(contest: Contest, model: edge_runtime.Model, batch: int) -> Peers:
    peers: Peers = {"predict": model.predict, "infer": model.infer}
    if batch == 1:
        peers["raw IO binding"] = bare.raw_io_binding(model)
    peers["session.run"] = bare.session_run(model)
    peers[contest.source] = contest.ask_source
    return {**peers, **contest.others[batch]}


def summarise(times: dict[str, np.ndarray], least: str) -> dict[str, dict[str, float]]:
    """By peer. `ratio_to_raw` and `over_raw_us` are medians, to the peer `least` on the same rows.

    A percentile is there where at least five calls lie beyond it.
    """
    raw = times[least]
    shares = {"p99_us": (99, 500), "p99_9_us": (99.9, 5000)}
    tails = {key: share for key, (share, calls) in shares.items() if len(raw) >= calls}
    return {
        name: {
            "calls": len(taken),
            "p50_us": float(np.median(taken)),
            **{key: float(np.percentile(taken, share)) for key, share in tails.items()},
            "ratio_to_raw": float(np.median(taken / raw)),
            "over_raw_us": float(np.median(taken - raw)),
        }
        for name, taken in times.items()
    }


def report(result: dict[str, Any], others: list[str]) -> str:
    sections = "\n".join(section(name, result[name]) for name in result["models"])
    missing = f" Not installed: {', '.join(result['missing'])}." if result["missing"] else ""
    return f"""# Latency of one row and of batches, {result["date"]}

{in_words(result["machine"], *others)}

Made by `benchmarks/latency.py`, which says what the peers are: one thread, rotating rows, peers
interleaved in random order in one process.{missing}

Ratios and differences are medians of those on the same rows: of one row to raw IO binding, of a batch of
1,000 to `session.run`, both on the session that `predict` runs. The bounds of `predict`, validation
included, are {OVER_US} µs over raw IO binding and {RATIO} times `session.run`.

{sections}"""


def section(name: str, found: dict[str, Any]) -> str:
    one, many = (found[SIZES[batch]] for batch in BATCHES)
    over, ratio = one["predict"]["over_raw_us"], many["predict"]["ratio_to_raw"]
    notes = "".join(f"\nWithout a figure: {peer}: {why}.\n" for peer, why in found["notes"].items())
    return f"""## {name}

{found["what"][0].upper()}{found["what"][1:]}; {found["rows"]} rows in turn.

`predict` of one row costs {over:.1f} µs more than raw IO binding; of a batch it takes {ratio:.3f} times
`session.run`.
{notes}
{peers_table("one row", one)}

{peers_table("batch of 1,000", many)}
"""


def peers_table(title: str, summary: dict[str, dict[str, float]]) -> str:
    first = next(iter(summary.values()))
    tails = [key for key in ("p99_us", "p99_9_us") if key in first]
    heads = [f"{title}, {first['calls']} calls", "p50 µs", *(_TAILS[key] for key in tails)]
    return table(
        [*heads, "ratio", "over µs"],
        [
            [
                peer,
                *(f"{found[key]:,.1f}" for key in ("p50_us", *tails)),
                f"{found['ratio_to_raw']:.3f}",
                f"{found['over_raw_us']:+,.2f}",
            ]
            for peer, found in sorted(summary.items(), key=lambda each: each[1]["p50_us"])
        ],
    )


if __name__ == "__main__":
    main()
