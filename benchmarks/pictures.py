"""What each chart shows of a result; the keys are those that the benchmark of that name writes."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from svg import Chart, Line, Panel, Row, dots, lines

Result = dict[str, Any]
MIB = 1 << 20
OURS = {"predict", "infer", "real-time mode", "installed slot", "verify and unpack", "install"}


def latency(result: Result) -> Chart:
    tails = ("p99_9_us", "p99.9") if "p99_9_us" in _first_peer(result) else ("p99_us", "p99")
    panels = [
        Panel(
            f"{' · '.join(path).replace('_', ' ')}",
            [
                Row(
                    peer,
                    (found["p50_us"], found.get(tails[0])),
                    f"{found['ratio_to_raw']:.2f} × raw",
                    peer in OURS,
                )
                for peer, found in sorted(peers.items(), key=lambda each: each[1]["p50_us"])
            ],
        )
        for path, peers in groups(result, "p50_us")
    ]
    return dots(
        "One model, asked in several ways",
        "peers interleaved in random order in one process; at the right the median to raw IO binding's",
        panels,
        series=("p50", tails[1]),
        axis="microseconds a call, logarithmic",
        log=True,
    )


def jitter(result: Result) -> Chart:
    named = {"loaded": "2 other processes load the machine", "idle": "nothing else runs"}
    keys = ("p50_us", "p99_us", "p99_9_us", "max_us")
    panels = [
        Panel(
            words,
            [
                Row(
                    peer,
                    tuple(found[key] for key in keys),
                    f"p99.9 is {found['p99_9_to_p50']:.1f} × p50",
                    peer in OURS,
                )
                for peer, found in result[part].items()
            ],
        )
        for part, words in named.items()
    ]
    return dots(
        "The slow calls",
        "one row a millisecond, peers in turns of two seconds in one process",
        panels,
        series=("p50", "p99", "p99.9", "the slowest"),
        axis="microseconds a call, logarithmic",
        log=True,
    )


def cold_start(result: Result) -> Chart:
    rows = [
        Row(
            peer,
            (found["ratio_to_bare"],),
            f"{found['ratio_to_bare']:.2f} ×, {found['p50_ms']:,.0f} ms, {found['peak_mb']:.0f} MB",
            peer in OURS,
        )
        for peer, found in sorted(result["peers"].items(), key=lambda each: each[1]["ratio_to_bare"])
    ]
    return dots(
        "From a new process to its first prediction",
        f"medians of {result['starts']} starts of each, the page cache warm; at the right memory, too",
        [Panel("", rows)],
        series=("to a bare onnxruntime script",),
        axis="times as long as a bare onnxruntime script, logarithmic",
        log=True,
        bound=(1.25, "bound: 1.25"),
    )


def install(result: Result) -> Chart:
    peers = ("verify and unpack", "install", "zipfile")
    rows = [
        Row(
            f"{each['size_mb']} MB, {'cold' if each['cold'] else 'warm'}",
            tuple(each["peers"][peer]["ratio"] for peer in peers),
            f"hash and write: {each['peers']['hash and write']['p50_ms']:.0f} ms",
        )
        for each in result["measured"]
    ]
    return dots(
        "From a bundle file to a slot",
        "cold: the file is not in the page cache; zipfile flushes nothing to the disk",
        [Panel("", rows)],
        series=peers,
        axis="times as long as hashing and writing the same bytes",
        bound=(result["bound"], f"bound of verify and unpack: {result['bound']:g}"),
    )


def swap(result: Result) -> Chart:
    rows = [
        Row(name, (found["p50"], found["p90"], found["most"]), f"most: {found['most']:,.0f} ms")
        for name, found in result["gaps_ms"].items()
        if not name.endswith("takes")
    ]
    return dots(
        "Pauses while versions are swapped",
        f"{result['swaps']} versions under {result['rate_hz']:,.0f} windows a second; of "
        f"{result['windows']:,} windows {result['dropped']} dropped, {result['twice']} predicted twice",
        [Panel("", rows)],
        series=("p50", "p90", "the longest"),
        axis="milliseconds between two predictions, logarithmic",
        log=True,
    )


def soak(result: Result) -> Chart:
    readings = result["readings"]
    drawn = [
        Line(name, [(each["at_s"] / 60, each["held"][key] / MIB) for each in readings])
        for name, key in (("agent", "agent_bytes"), ("worker", "worker_bytes"))
    ]
    restarts = [
        after["at_s"] / 60 for before, after in pairwise(readings) if before["life"] != after["life"]
    ]
    incidents = sum(result["incidents"].values())
    return lines(
        "Memory while everything fails",
        f"resident, during {result['windows']:,} windows and {incidents} incidents; dotted: the "
        "agent was killed",
        drawn,
        x_axis="minutes",
        y_axis="MiB",
        breaks=restarts,
    )


PICTURES: dict[str, Callable[[Result], Chart]] = {
    "latency": latency,
    "jitter": jitter,
    "cold_start": cold_start,
    "swap": swap,
    "soak": soak,
    "install": install,
}


def groups(found: Any, key: str, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Result]]:
    """Each object, however deep, whose members all have `key`: the names that lead there, and itself."""
    if not isinstance(found, dict) or not found:
        return
    if all(isinstance(each, dict) and key in each for each in found.values()):
        yield path, found
        return
    for name, below in found.items():
        yield from groups(below, key, (*path, name))


def _first_peer(result: Result) -> Result:
    for _, peers in groups(result, "p50_us"):
        return next(iter(peers.values()))
    raise KeyError("p50_us")
