"""What the demo says at its end: figures, then every claim with whether it held."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import joblib
import numpy as np
from ledgers import Ledgers, Live, Window, judge, percentiles_us
from loop import DEVICE, Loop
from plot import draw
from train import RECORDING_LENGTH, held_out

import edge_runtime


def report(loop: Loop, stride: int) -> bool:
    """Print figures and claims, draw the plot; True when every claim held."""
    windows, labels = held_out()
    stored = loop.fleet.windows()
    live = judge(stored, labels.tolist(), RECORDING_LENGTH)
    sent, stream = loop.sent(), loop.fleet.books()
    books = Ledgers(
        samples_sent=sent["sent"],
        window_starts=tuple(w.first for w in stored),
        outbox_last_seq=loop.outbox_last_seq(),
        stored_rows=stream.stored,
        lost=stream.lost,
        duplicates_removed=stream.duplicates,
    )
    print("\nReport")
    rate = f"{sent['times_real_time']:.1f} times real time"
    row("stream", f"{sent['sent']} samples in {sent['seconds']:.0f} s: {rate}")
    accuracy = report_model(loop.folder, windows, live)
    row("ledger of the sensor", f"sent {sent['sent']} samples, {sent['acknowledged']} acknowledged")
    report_fleet(loop, books, len(stored))
    plot = loop.folder / "motion.png"
    draw(plot, windows, labels.tolist(), stored, loop.incidents)
    row("plot", str(plot))
    agreed = agreeing(loop.folder, stored, windows.reshape(-1, windows.shape[-1]))
    same = f"{agreed} of {len(stored)} labels the fleet stored are scikit-learn's of the same samples"
    close = abs(live.accuracy - accuracy) <= 0.05
    return print_claims(
        [
            (same, agreed == len(stored)),
            ("live accuracy is within 0.05 of the evaluated one", close),
            *claims_of_the_loop(loop, books, stride),
        ]
    )


def report_model(folder: Path, windows: np.ndarray, live: Live) -> float:
    """Print accuracy, parity and latency beside scikit-learn; returns the accuracy evaluated before."""
    with edge_runtime.load(folder / "motion-1.0.0.edge", trust=folder / "keys" / "root.json") as model:
        pipeline = joblib.load(folder / "motion-1.0.0.joblib")
        ours, theirs = interleaved_us(model.predict, pipeline.predict, windows)
        equal = int((model.predict(windows) == pipeline.predict(windows)).sum())
        evaluation, variant = model.manifest.evaluation, model.variant
    assert evaluation is not None
    assert evaluation.accuracy is not None
    row(
        "live accuracy",
        f"{live.accuracy:.3f} on {live.clean} windows inside one recording ({live.straddling} straddle "
        f"two and are not judged); evaluated before: {evaluation.accuracy:.3f}",
    )
    parity = variant.parity
    row(
        "parity",
        f"{equal} of {len(windows)} labels equal to scikit-learn's, largest difference of a probability "
        f"{parity.max_abs_error:.1e} (tolerance {parity.tolerance:.0e}), exact: {variant.exact}",
    )
    row("latency, one row", f"{'p50':>10} {'p99':>10}")
    row("  scikit-learn", "{:>7.0f} µs {:>7.0f} µs".format(*percentiles_us(theirs)))
    row("  edge-runtime", "{:>7.1f} µs {:>7.1f} µs".format(*percentiles_us(ours)))
    row("  live, 4 windows a s", "{:>7.1f} µs {:>7.1f} µs".format(*percentiles_us(live.latencies_us)))
    return evaluation.accuracy


def report_fleet(loop: Loop, books: Ledgers, predictions: int) -> None:
    """Print what the outbox numbered, what the fleet stored, and its record of the device."""
    row("ledger of the outbox", f"numbered {books.outbox_last_seq} rows")
    row(
        "ledger of the fleet",
        f"stored {books.stored_rows} rows, {predictions} of them predictions; lost {books.lost}, "
        f"duplicates removed {books.duplicates_removed}",
    )
    row("the fleet believes", f"{DEVICE} runs motion {loop.believed_to_run}")
    for entry in loop.fleet.history():
        if entry.what == "runs":
            continue  # what the device reported; the events say it too
        at = time.strftime("%H:%M:%S", time.localtime(entry.time))
        row("  its record", f"{at} {entry.what} {entry.model} {entry.version} {entry.detail}".rstrip())


def print_claims(judged: Sequence[tuple[str, bool]]) -> bool:
    """Each claim and whether it held; True when all did."""
    print("\nClaims")
    for claim, held in judged:
        print(f"  {'held  ' if held else 'BROKEN'}  {claim}")
    return all(held for _, held in judged)


def claims_of_the_loop(loop: Loop, books: Ledgers, stride: int) -> list[tuple[str, bool]]:
    stored = loop.fleet.windows()
    versions = loop.fleet.versions_run()
    dead_from, dead_until = loop.outage
    meanwhile = sum(dead_from < window.time < dead_until for window in stored)
    return [
        (
            f"all {len(stored)} windows of the stream were predicted and stored, none twice",
            books.windows_are_complete(RECORDING_LENGTH, stride),
        ),
        ("the store holds every row the outbox numbered", books.rows_are_complete()),
        (
            f"{meanwhile} predictions were made while the fleet side was dead, and came to it later",
            meanwhile > 0,
        ),
        ("the stream was predicted by 1.1.0 too", {w.version for w in stored} == {"1.0.0", "1.1.0"}),
        (
            "the fleet's record shows 1.0.0, 1.1.0, then 1.0.0 again",
            versions == ["1.0.0", "1.1.0", "1.0.0"],
        ),
        ("the fleet believed that 1.0.0 runs, until the agent ended", loop.believed_to_run == "1.0.0"),
        ("the agent ended by SIGTERM with status 0", loop.agent_exit_status == 0),
    ]


def agreeing(folder: Path, stored: Sequence[Window], samples: np.ndarray) -> int:
    """How many stored labels the trained Pipeline of the same version gives for the same samples.

    `samples`: float32 (samples, axes), the whole stream in the order in which it was played.
    """
    agreed = 0
    for version in {window.version for window in stored}:
        chosen = [window for window in stored if window.version == version]
        rows = np.stack([samples[window.first : window.last + 1] for window in chosen])
        said = joblib.load(folder / f"motion-{version}.joblib").predict(rows)
        agreed += sum(label == window.label for label, window in zip(said, chosen, strict=True))
    return agreed


def interleaved_us(
    ours: Callable[[np.ndarray], object],
    theirs: Callable[[np.ndarray], object],
    windows: np.ndarray,
    rounds: int = 10,
) -> tuple[list[float], list[float]]:
    """Microseconds of one-row calls on the same rotating rows, taken in turn."""
    taken: tuple[list[float], list[float]] = ([], [])
    for index in range(rounds * len(windows)):
        one = windows[index % len(windows)][None]
        for call, into in zip((ours, theirs), taken, strict=True):
            started = time.perf_counter_ns()
            call(one)
            into.append((time.perf_counter_ns() - started) / 1e3)
    return taken


def row(name: str, value: str) -> None:
    print(f"  {name:<22} {value}", flush=True)
