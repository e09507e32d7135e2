"""A day's windows in fast motion while everything that can fail does.

    python benchmarks/soak.py [--minutes M] [--seed N] [--no-save]

Two real brokers (nats-server), a real collector, a real agent, a sensor: 86,400 windows, a day of one a
second, are spread over the time there is. Meanwhile, in an order that the seed decides, one at a time:
new versions; bad versions (wrong golden outputs, runs that fail or never end, files that are no model);
the worker and the agent killed; the sensor's broker, the fleet's broker and the collector killed and
started again up to five seconds later. Kills are SIGKILLs. After each, what the device holds is read.
The last agent process lives for half of the time and its last worker for a third, or nearly, so that a
leak can show.

At the end the collector must have every window of every sample exactly once, in order, each good version
at one place, no bad one; no row lost; the agent's resident memory flat (8 MiB) and its worker's (1 MiB);
what the agent has in use as much as before: it counts Python's blocks itself, which tells a leak of a
megabyte an hour from what allocators keep. Processes, threads and descriptors must be as at the start;
the outbox empty, slots pruned, files bounded, and no process left. The exit status is 0 only if all of
it holds.

Writes benchmarks/results/soak-DATE.md and .json.
"""

import dataclasses
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from machine import describe_machine, in_words, load_average, save, today
from tables import table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.footprint import left_behind
from tests.support.soak_site import Reading
from tests.support.soaking import Soaked, soak

WINDOWS = 86_400  # a day of one a second
WINDOWS_OF_THE_EXAMPLE = 86_400 * 10 // 25  # examples/01_whole_loop: 10 samples a second, stride 25
EVERY_S = 7.0
MIB = 1 << 20


@click.command(help=__doc__.splitlines()[0])
@click.option("--minutes", default=60.0, show_default=True, help="How long it goes on.")
@click.option("--seed", default=1, show_default=True, help="Decides what happens when.")
@click.option("--save/--no-save", "keep", default=True, help="Write the result into benchmarks/results.")
def main(minutes: float, seed: int, keep: bool) -> None:
    load_before = load_average()
    with tempfile.TemporaryDirectory() as folder:
        found = soak(
            Path(folder),
            seed=seed,
            duration_s=minutes * 60,
            every_s=EVERY_S,
            windows_hz=WINDOWS / (minutes * 60),
            tell=lambda at_s, what: click.echo(f"  {at_s:6.0f} s  {what}", err=True),
        )
        left = left_behind(Path(folder))
    faults = [*found.faults(), *(f"a process is left: {words}" for words in left)]
    result = {
        "date": today(),
        "machine": describe_machine(load_before),
        "load_average_after": round(load_average(), 2),
        "minutes": minutes,
        "seed": seed,
        "windows": len(found.record.predictions),
        "days_of_one_a_second": round(len(found.record.predictions) / WINDOWS, 2),
        "days_of_the_example": round(len(found.record.predictions) / WINDOWS_OF_THE_EXAMPLE, 2),
        "missing": found.missing,
        "twice": found.twice,
        "rows_lost": found.record.lost,
        "rows_removed": found.record.removed,
        "incidents": dict(Counter(incident.kind for incident in found.befell)),
        "versions_confirmed": len(found.good),
        "versions_refused": found.refused,
        "events": dict(sorted(found.record.events.items())),
        "agent_lives": found.readings[-1].life,
        "growth_bytes": found.growth_bytes(),
        "growth_in_second_half_bytes": found.growth_bytes(since=0.5),
        "growth_in_use": dataclasses.asdict(found.growth_in_use),
        "growth_of_worker_bytes": found.growth_of_worker_bytes,
        "readings": [dataclasses.asdict(reading) for reading in found.readings],
        "not_held": faults,
    }
    text = report(result, found)
    click.echo(text)
    if keep:
        save("soak", result, text)
    if faults:
        raise SystemExit("NOT HELD: " + "; ".join(faults))


def report(result: dict[str, Any], found: Soaked) -> str:
    claims = [f"- NOT HELD: {fault}" for fault in result["not_held"]] or ["All of it held."]
    befell = [[kind, str(count)] for kind, count in sorted(result["incidents"].items())]
    events = [[name, str(count)] for name, count in result["events"].items()]
    life, used = found.last_life, result["growth_in_use"]
    return f"""# A day's windows in {result["minutes"]:g} minutes, {result["date"]}

{in_words(result["machine"])} After: {result["load_average_after"]}.

Made by `benchmarks/soak.py --minutes {result["minutes"]:g} --seed {result["seed"]}`; what must hold is
said there. {result["windows"]:,} windows of {found.samples:,} samples: {result["days_of_one_a_second"]}
days of one window a second, {result["days_of_the_example"]} days of the first example's (one in 2.5 s).
{result["agent_lives"]} lives of the agent, of which the last took {minutes(life)} minutes; the last
worker's took {minutes(found.last_worker)}.

{chr(10).join(claims)}

- windows missing in the collector's record: {result["missing"]}; there twice: {result["twice"]}
- rows lost: {result["rows_lost"]}; rows that came again and were removed: {result["rows_removed"]}
- versions confirmed: {result["versions_confirmed"]}; bad ones refused: {result["versions_refused"]}
- the last agent's memory: {result["growth_bytes"] / MIB:+.1f} MiB from the first fifth of its readings
  to the last, {result["growth_in_second_half_bytes"] / MIB:+.1f} MiB within their second half; once
  warm it has {used["blocks"]:+,} of Python's blocks and {used["malloc_bytes"] / 1024:+,.0f} KiB more in
  use
- the last worker's memory, once it is warm: {result["growth_of_worker_bytes"] / MIB:+.1f} MiB

{table(("incident", "times"), befell)}

What the device held: before the first incident, at the beginning and the end of the last agent's life,
and the most that was ever read. Bytes are of files.

{table(("", "at first", "last life, first", "last life, last", "most"), held_lines(found))}

The collector's record of the device's events:

{table(("event", "times"), events)}
"""


def minutes(life: list[Reading]) -> str:
    return f"{(life[-1].at_s - life[0].at_s) / 60:.1f}"


def held_lines(found: Soaked) -> list[list[str]]:
    def line(name: str, value: Callable[[Reading], float]) -> list[str]:
        values, life = list(map(value, found.readings)), list(map(value, found.last_life))
        shown = (values[0], life[0], life[-1], max(values))
        return [name, *(f"{each:,.1f}".removesuffix(".0") for each in shown)]

    return [
        line("agent, resident MiB", lambda each: each.held.agent_bytes / MIB),
        line("agent, Python's blocks in use", lambda each: each.in_use.blocks),
        line("agent, other KiB in use", lambda each: each.in_use.malloc_bytes / 1024),
        line("worker, resident MiB", lambda each: each.held.worker_bytes / MIB),
        line("processes", lambda each: each.held.processes),
        line("threads", lambda each: each.held.threads),
        line("descriptors", lambda each: each.held.descriptors),
        line("rows in the outbox", lambda each: each.outbox_rows),
        line("outbox, KiB", lambda each: each.outbox_bytes / 1024),
        line("store, KiB", lambda each: each.store_bytes / 1024),
        line("journal, KiB", lambda each: each.journal_bytes / 1024),
    ]


if __name__ == "__main__":
    main()
