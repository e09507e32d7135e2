"""Versions and variants swapped under a running stream: what a swap costs, and that no window is lost.

    python benchmarks/swap.py [--swaps N] [--no-save]

A real broker (mosquitto), a real agent, a sensor of 1,000 samples a second in messages of 5; the model's
windows are 4 samples long and a new one begins at every sample, so that 1,000 a second are predicted.
Every other swap is to a new version, another model, by `edge-runtime install`, which returns once the
agent has measured its two variants and confirmed it by 50 predictions and 0.2 s of service. The swap
after it is to that version's lighter variant: a sensor of temperature says that the board is too hot.
There is no fleet: the outbox keeps every row, and at the end it is read.

A gap is the time between two predictions. It is taken at three places: where one's predictions end and
the next one's begin; anywhere while a swap is under way, which loads the machine with one or two more
processes; and anywhere in the pauses between the swaps. How long the model itself takes for the first
windows after a swap, and for later ones, tells whether a worker is warm when its turn comes.

The exit status is 0 only if no window is dropped, none predicted twice, the order kept, the predictions
of each are in one piece, and processes, threads, descriptors and slots are as many at the end as at the
beginning, memory within 8 MiB.

Writes benchmarks/results/swap-DATE.md and .json.
"""

import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from machine import describe_machine, in_words, load_average, save, today
from tables import table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.swapping import VARIANTS, Swapped, swap_under_a_stream

PAUSE_S = 1.0
MIB = 1 << 20
MOST_GROWTH_MIB = 8
FIRST_WINDOWS = (0, 1, 10, 100)  # after a swap


@click.command(help=__doc__.splitlines()[0])
@click.option(
    "--swaps",
    type=click.IntRange(2),
    default=100,
    show_default=True,
    help="How many, of versions and of variants.",
)
@click.option("--rate-hz", default=1000.0, show_default=True, help="Windows a second.")
@click.option("--save/--no-save", "keep", default=True, help="Write the result into benchmarks/results.")
def main(swaps: int, rate_hz: float, keep: bool) -> None:
    load_before = load_average()
    with tempfile.TemporaryDirectory() as folder:
        found = swap_under_a_stream(Path(folder), swaps, rate_hz=rate_hz, pause_s=PAUSE_S)
    result = {
        "date": today(),
        "machine": describe_machine(load_before),
        "load_average_after": round(load_average(), 2),
        "swaps": swaps,
        "rate_hz": rate_hz,
        **exactness(found),
        "gaps_ms": gaps(found),
        "run_us": runs(found),
        "held": held(found),
    }
    result["not_held"] = faults(result)
    text = report(result)
    click.echo(text)
    if keep:
        save("swap", result, text)
    if result["not_held"]:
        raise SystemExit("NOT HELD: " + "; ".join(result["not_held"]))


def faults(result: dict[str, Any]) -> list[str]:
    """What did not hold; nothing, if all is well."""
    held = result["held"]
    same = ("processes", "threads", "descriptors", "slots")
    grown = ("agent, resident MiB", "worker, resident MiB")
    holds = {
        "no window is dropped": result["dropped"] == 0,
        "none is predicted twice": result["twice"] == 0,
        "the order is kept": result["in_order"],
        "each version and variant takes over once, in the order that was asked for": result[
            "one_change_each"
        ],
        **{f"{name} stay as many": held[name]["first"] == held[name]["last"] for name in same},
        **{
            f"{name}: grows by less than {MOST_GROWTH_MIB}": held[name]["last"] - held[name]["first"]
            < MOST_GROWTH_MIB
            for name in grown
        },
    }
    return [claim for claim, holds_ in holds.items() if not holds_]


def exactness(found: Swapped) -> dict[str, Any]:
    return {
        "windows": len(found.predictions),
        "seconds": round(found.predictions[-1].time - found.predictions[0].time, 1),
        "dropped": found.dropped,
        "twice": found.twice,
        "in_order": found.in_order,
        "one_change_each": found.served == found.asked_for,
    }


def gaps(found: Swapped) -> dict[str, dict[str, float]]:
    """Milliseconds; of the longest gap of each swap or pause, but at the change there is only one."""
    return {
        "at the change": spread(found.gaps_at_the_change_s()),
        "at the change, to another version": spread(found.gaps_at_the_change_s("heavier")),
        "at the change, to another variant": spread(found.gaps_at_the_change_s("light")),
        "longest while a swap is under way": spread(found.longest_gaps_s(found.during_swaps())),
        "longest in a pause": spread(found.longest_gaps_s(found.between_swaps())),
        "a swap takes": spread([ended - began for began, ended in found.during_swaps()]),
        "a pause takes": spread([ended - began for began, ended in found.between_swaps()]),
    }


def runs(found: Swapped) -> dict[str, dict[str, float]]:
    """Medians in microseconds of the model's run for windows that follow a swap, by its variant."""
    return {
        variant: {
            str(window + 1): round(statistics.median(found.run_us(variant, window)), 1)
            for window in FIRST_WINDOWS
        }
        for variant in VARIANTS
    }


def spread(seconds: Sequence[float]) -> dict[str, float]:
    ordered = sorted(1e3 * each for each in seconds)
    p90 = ordered[min(len(ordered) - 1, round(0.9 * len(ordered)))]
    return {
        "p50": round(statistics.median(ordered), 1),
        "p90": round(p90, 1),
        "most": round(ordered[-1], 1),
    }


def held(found: Swapped) -> dict[str, dict[str, float]]:
    """Medians over the first and the last fifth of the swaps, and the most of all."""
    swaps = found.swaps
    fifth = max(1, len(swaps) // 5)
    values = {
        "agent, resident MiB": [swap.held.agent_bytes / MIB for swap in swaps],
        "worker, resident MiB": [swap.held.worker_bytes / MIB for swap in swaps],
        "processes": [swap.held.processes for swap in swaps],
        "threads": [swap.held.threads for swap in swaps],
        "descriptors": [swap.held.descriptors for swap in swaps],
        "store, KiB": [swap.store_bytes / 1024 for swap in swaps],
        "slots": [swap.slots for swap in swaps],
    }
    return {
        name: {
            "first": round(statistics.median(each[:fifth]), 1),
            "last": round(statistics.median(each[-fifth:]), 1),
            "most": round(max(each), 1),
        }
        for name, each in values.items()
    }


def report(result: dict[str, Any]) -> str:
    gap_lines = [
        [name, *(f"{value:,.1f}" for value in each.values())] for name, each in result["gaps_ms"].items()
    ]
    held_lines = [
        [name, *(f"{value:g}" for value in each.values())] for name, each in result["held"].items()
    ]
    run_lines = [
        [name, *(f"{value:g}" for value in each.values())] for name, each in result["run_us"].items()
    ]
    fifth = max(1, result["swaps"] // 5)
    outcome = "; ".join(["NOT HELD", *result["not_held"]]) if result["not_held"] else "All held."
    return f"""# {result["swaps"]} swaps at {result["rate_hz"]:,.0f} windows a second, {result["date"]}

{in_words(result["machine"])} After: {result["load_average_after"]}.

Made by `benchmarks/swap.py`: a sensor, a broker, an agent and its worker on this machine, and after each
pause of {PAUSE_S:g} s, by turns, a version installed by the command and a change to its lighter variant.
{result["windows"]:,} windows in {result["seconds"]:,.0f} s. {outcome}

- dropped: {result["dropped"]}; predicted twice: {result["twice"]}; in order: {yes(result["in_order"])}
- each version and variant took over once, in the order asked for: {yes(result["one_change_each"])}

Between two predictions, ms:

{table(("", "p50", "p90", "most"), gap_lines)}

The model's run for the window in that place after a swap, median, µs; a batch's is shared equally:

{table(("variant", *(f"{window + 1:,}" for window in FIRST_WINDOWS)), run_lines)}

What the device held after each swap, median of the first {fifth} and of the last {fifth}:

{table(("", "first", "last", "most"), held_lines)}
"""


def yes(held: bool) -> str:
    return "yes" if held else "NO"


if __name__ == "__main__":
    main()
