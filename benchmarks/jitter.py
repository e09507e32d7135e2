"""The slow calls: one row a millisecond while two other processes load the machine.

    python benchmarks/jitter.py [--seconds S] [--no-save]

A sensor's clock asks for a prediction every millisecond. The model is that of latency.py. Peers take
turns of two seconds in random order, in one process, so that what else the machine does hits all:

    raw IO binding    what a user could write: buffers bound once, ordinary priority
    session.run       onnxruntime's usual call, ordinary priority
    scikit-learn      the source's predict, which takes several milliseconds and so misses some
    predict           ours: validation, a class name, ordinary priority
    real-time mode    the same within `edge_runtime.realtime`

OpenVINO and LiteRT have no trees, and compilers of trees no window features. "late" is
how long after its millisecond a call began: what a loaded machine costs before any model runs. The load
is one process for each of two cores, which calculates and copies 32 MiB to and fro.

Writes benchmarks/results/jitter-DATE.md and .json.
"""

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import click
import numpy as np
from bare import raw_io_binding, session_run
from interleaving import Peers
from machine import describe_machine, in_words, load_average, save, today
from motion import convert, train
from numpy.typing import NDArray
from tables import table

import edge_runtime
from edge_runtime.realtime import RealTime, realtime

PERIOD_S = 0.001
TURN_S = 2.0
LOADS = 2
LOAD = """
data = bytearray(32 << 20)
while True:
    copy = bytes(data)
    sum(range(100_000))
"""
PEERS = ("raw IO binding", "session.run", "scikit-learn", "predict", "real-time mode")


@click.command(help=__doc__.splitlines()[0])
@click.option("--seconds", default=60.0, show_default=True, help="How long each peer is asked, loaded.")
@click.option("--save/--no-save", "keep", default=True, help="Write the result into benchmarks/results.")
def main(seconds: float, keep: bool) -> None:
    pipeline, rows = train()
    load_before = load_average()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "motion.edge"
        convert(pipeline).save(path)
        with edge_runtime.load(path, allow_unsigned=True) as model:
            peers: Peers = {
                "raw IO binding": raw_io_binding(model),
                "session.run": session_run(model),
                "scikit-learn": pipeline.predict,
                "predict": model.predict,
            }
            idle, missing = take_turns(peers, rows, seconds / 4)
            with loaded():
                busy, _ = take_turns(peers, rows, seconds)
    result = {
        "date": today(),
        "machine": describe_machine(load_before),
        "period_us": PERIOD_S * 1e6,
        "missing": missing,
        "loaded": {name: summarise(found) for name, found in busy.items()},
        "idle": {name: summarise(found) for name, found in idle.items()},
    }
    text = report(result)
    click.echo(text)
    if keep:
        save("jitter", result, text)


@contextmanager
def loaded() -> Iterator[None]:
    """Two ordinary processes that take all the time and memory bandwidth they can get."""
    with ExitStack() as stack:
        for _ in range(LOADS):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", LOAD]))
            stack.callback(process.kill)
        time.sleep(1)
        yield


def take_turns(
    peers: Peers, rows: list[np.ndarray], seconds: float
) -> tuple[dict[str, NDArray[np.float64]], str]:
    """By peer, (calls, 2): microseconds of each call, and of its lateness. And what was not obtained."""
    turns = max(1, round(seconds / TURN_S))
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in PEERS}
    missing, order = "", list(PEERS)
    rotating, shuffle = cycle(rows), random.Random(0).shuffle
    for _ in range(turns):
        shuffle(order)
        for name in order:
            if name == "real-time mode":
                with realtime() as mode:
                    missing = mode.missing
                    found[name].append(paced(peers["predict"], rotating, mode))
            else:
                found[name].append(paced(peers[name], rotating, None))
    return {name: np.concatenate(each) for name, each in found.items()}, missing


def paced(
    ask: Callable[[Any], Any], rows: Iterator[np.ndarray], mode: RealTime | None
) -> NDArray[np.float64]:
    """One turn: a call at each full millisecond; one that is missed is not made up for."""
    clock, period = time.perf_counter_ns, int(PERIOD_S * 1e9)
    count = round(TURN_S / PERIOD_S)
    times = np.zeros((count, 2))
    for _ in range(50):
        ask(next(rows))
    due, done = clock() + period, 0
    end = due + int(TURN_S * 1e9)
    while done < count and due < end:
        if (ahead := due - clock()) > 0:
            time.sleep(ahead / 1e9)
        row = next(rows)
        started = clock()
        ask(row)
        finished = clock()
        times[done] = finished - started, started - due
        done += 1
        if mode is not None:
            mode.collect()
        due += period * max(1, -(-(clock() - due) // period))
    return times[:done] / 1e3


def summarise(found: NDArray[np.float64]) -> dict[str, float]:
    """Percentiles in microseconds; `p99_9_to_p50` is the bound's ratio."""
    taken, late = found[:, 0], found[:, 1]
    p50, p99, p99_9 = np.percentile(taken, [50, 99, 99.9])
    return {
        "calls": len(taken),
        "p50_us": float(p50),
        "p99_us": float(p99),
        "p99_9_us": float(p99_9),
        "max_us": float(taken.max()),
        "p99_9_to_p50": float(p99_9 / p50),
        "late_p50_us": float(np.median(late)),
        "late_p99_9_us": float(np.percentile(late, 99.9)),
    }


def report(result: dict[str, Any]) -> str:
    ratio = result["loaded"]["real-time mode"]["p99_9_to_p50"]
    return f"""# Slow calls on a loaded machine, {result["date"]}

{in_words(result["machine"])}

Made by `benchmarks/jitter.py`: window features, scaler and a forest of 100 trees; one row a millisecond,
peers in turns of {TURN_S:g} s in random order in one process.

In real-time mode p99.9 is {ratio:.1f} times p50 while {LOADS} other processes load the machine.
The bound is 6.
{result["missing"] and "What was missing: " + result["missing"]}

## {LOADS} other processes calculate and copy

{peers_table(result["loaded"])}

## Nothing else

{peers_table(result["idle"])}

"late": how long after its millisecond a call began.
"""


def peers_table(summary: dict[str, dict[str, float]]) -> str:
    return table(
        ("peer", "calls", "p50 µs", "p99 µs", "p99.9 µs", "most µs", "p99.9 to p50", "late p99.9 µs"),
        [
            [
                name,
                f"{found['calls']:.0f}",
                *(f"{found[key]:,.1f}" for key in ("p50_us", "p99_us", "p99_9_us", "max_us")),
                f"{found['p99_9_to_p50']:,.1f}",
                f"{found['late_p99_9_us']:,.1f}",
            ]
            for name, found in summary.items()
        ],
    )


if __name__ == "__main__":
    main()
