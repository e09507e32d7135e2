"""What each chart shows of a result; the keys are those that the benchmark of that name writes."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from svg import Chart, Line, Panel, Row, dots, lines

Result = dict[str, Any]
MIB = 1 << 20
OURS = {
    *("predict", "infer", "real-time mode"),
    *("installed slot", "installed slot, root", "signed bundle", "worker process"),
    *("verify and unpack", "install"),
}
COLD_STARTS = {"peers": "pipeline and forest of 100 trees", "network": "CNN"}  # by a result's key


def latency(result: Result) -> Chart:
    found = [(path, peers) for path, peers in groups(result, "p50_us") if not is_batch(path)]
    there = {key for _, peers in found for each in peers.values() for key in each}
    shown = {"p50_us": "p50", "p99_us": "p99", "p99_9_us": "p99.9"}
    keys = [key for key in shown if key in there]
    panels = [
        Panel(
            in_words(path),
            [
                Row(
                    peer,
                    tuple(each.get(key) for key in keys),
                    f"{each['ratio_to_raw']:,.2f} ×, {each['over_raw_us']:+,.1f} µs",
                    peer in OURS,
                )
                for peer, each in sorted(peers.items(), key=lambda each: each[1]["p50_us"])
            ],
        )
        for path, peers in found
    ]
    return dots(
        "One row",
        "one thread, rotating rows, peers interleaved in one process; at the right: to raw IO binding",
        panels,
        series=[shown[key] for key in keys],
        axis="microseconds a call, logarithmic",
        log=True,
    )


def batches(result: Result) -> Chart | None:
    panels = [
        Panel(
            in_words(path),
            [
                Row(
                    peer,
                    (each["ratio_to_raw"],),
                    f"{each['ratio_to_raw']:,.3f} ×, {each['p50_us'] / 1000:,.1f} ms",
                    peer in OURS,
                )
                for peer, each in sorted(peers.items(), key=lambda each: each[1]["ratio_to_raw"])
            ],
        )
        for path, peers in groups(result, "p50_us")
        if is_batch(path)
    ]
    if not panels:
        return None
    return dots(
        "Batches of 1,000",
        "the same peers on 1,000 rows at once, where they take them",
        panels,
        series=("median of the times to session.run's on the same rows",),
        axis="times as long as session.run, logarithmic",
        log=True,
        bound=(1.02, "bound of predict: 1.02"),
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
    panels = [
        Panel(
            COLD_STARTS[path[0]],
            [
                Row(
                    peer,
                    (each["ratio_to_bare"],),
                    f"{each['ratio_to_bare']:.2f} ×, {each['p50_ms']:,.0f} ms, {each['peak_mb']:.0f} MB",
                    peer in OURS,
                )
                for peer, each in sorted(peers.items(), key=lambda each: each[1]["ratio_to_bare"])
            ],
        )
        for path, peers in groups(result, "p50_ms")
    ]
    return dots(
        "From a new process to its first prediction",
        f"medians of {result['starts']} starts of each, the page cache warm; at the right memory, too",
        panels,
        series=("to a bare onnxruntime script",),
        axis="times as long as a bare onnxruntime script, logarithmic",
        log=True,
        bound=(1.25, "bound of the installed slot: 1.25"),
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
        f"{result['swaps']} swaps under {result['rate_hz']:,.0f} windows a second; of "
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


# By the name of its file: the benchmark, and what draws it, where there is something to draw.
PICTURES: dict[str, tuple[str, Callable[[Result], Chart | None]]] = {
    "latency": ("latency", latency),
    "batches": ("latency", batches),
    "jitter": ("jitter", jitter),
    "cold_start": ("cold_start", cold_start),
    "swap": ("swap", swap),
    "soak": ("soak", soak),
    "install": ("install", install),
}


def is_batch(path: tuple[str, ...]) -> bool:
    return any("batch" in name for name in path)


def in_words(path: tuple[str, ...]) -> str:
    """The names that lead to a group of peers, as a title; what all of a chart have is left out."""
    kept = [name for name in path if name not in ("one_row", "batch_of_1000", "models")]
    return ", ".join(kept or path).replace("_", " ")


def groups(found: Any, key: str, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Result]]:
    """Each object, however deep, whose members all have `key`: the names that lead there, and itself."""
    if not isinstance(found, dict) or not found:
        return
    if all(isinstance(each, dict) and key in each for each in found.values()):
        yield path, found
        return
    for name, below in found.items():
        yield from groups(below, key, (*path, name))
