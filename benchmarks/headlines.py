"""What each benchmark says in a line, and the bound that it is held to.

The keys are those that the benchmark of that name writes; where one is missing, `headlines` says which.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pictures import COLD_STARTS, MIB, groups, in_words, is_batch

Result = dict[str, Any]


@dataclass(frozen=True)
class Headline:
    """`bound`: in words, '' where there is none. `kept`: whether it is."""

    what: str
    found: str
    bound: str = ""
    kept: bool = True


def latency(result: Result) -> list[Headline]:
    """Peers asked in turn find the caches as the one before left them: the bound is not for them."""
    found = []
    for path, peers in groups(result, "p50_us"):
        where, mine = in_words(path), peers["predict"]
        if is_batch(path):
            what = f"`predict` to `session.run`, 1,000 rows, {where}"
            found.append(_at_most(what, mine["ratio_to_raw"], 1.02, " ×", digits=3))
        elif "in_turn" not in path:
            over = mine["over_raw_us"]
            found.append(_at_most(f"`predict` over raw IO binding, one row, {where}", over, 3, " µs"))
    return found


def jitter(result: Result) -> list[Headline]:
    ratio = result["loaded"]["real-time mode"]["p99_9_to_p50"]
    plain = result["loaded"]["predict"]["p99_9_to_p50"]
    return [
        _at_most("p99.9 to p50 in real-time mode, the machine loaded", ratio, 6, " ×"),
        Headline("the same, ordinary priority", f"{plain:.2f} ×"),
    ]


def cold_start(result: Result) -> list[Headline]:
    found = []
    for path, peers in groups(result, "p50_ms"):
        mine, model = peers["installed slot"], COLD_STARTS[path[0]]
        what = f"first prediction from an installed slot to a bare onnxruntime script's, {model}"
        found.append(_at_most(what, mine["ratio_to_bare"], 1.25, " ×"))
        found.append(
            Headline(f"memory of that process at its peak, {model}", f"{mine['peak_mb']:.0f} MB")
        )
    return found


def install(result: Result) -> list[Headline]:
    worst = max(each["peers"]["verify and unpack"]["ratio"] for each in result["measured"])
    return [
        _at_most("verify and unpack to hash and write, the worst size", worst, result["bound"], " ×")
    ]


def swap(result: Result) -> list[Headline]:
    held = result["held"]["agent, resident MiB"]
    gap = result["gaps_ms"]["at the change"]
    what = f"windows dropped or predicted twice in {result['swaps']} swaps"
    return [
        _none(f"{what} at {result['rate_hz']:,.0f} a second", result["dropped"] + result["twice"]),
        Headline("gap at the change, median", f"{gap['p50']:.0f} ms"),
        Headline(
            "the agent's memory from the first swap to the last",
            f"{held['last'] - held['first']:+.1f} MiB",
        ),
    ]


def soak(result: Result) -> list[Headline]:
    of = f"of {result['windows']:,} windows in {result['minutes']:g} minutes"
    incidents = sum(result["incidents"].values())
    return [
        _none(
            f"missing or there twice, {of}, {incidents} incidents", result["missing"] + result["twice"]
        ),
        _none("claims that did not hold", len(result["not_held"])),
        Headline(
            "the agent's resident memory in the second half of its last life",
            f"{result['growth_in_second_half_bytes'] / MIB:+.1f} MiB",
        ),
        *(
            Headline("Python's blocks in use there", f"{used['blocks']:+,}")
            for used in [result.get("growth_in_use")]
            if used is not None
        ),
    ]


def wear(result: Result) -> list[Headline]:
    return [
        Headline(f"written to the disk in a day, {case}", f"{found['mb_a_day']:,.0f} MB")
        for case, found in result["cases"].items()
        if case in ("no samples", "1 window/s")
    ]


def exact_trees(result: Result) -> list[Headline]:
    found = result["found"]
    leaves = sum(each["leaves"] for each in found)
    wrong = sum(each["wrong_leaves"] + each["wrong_labels"] for each in found)
    return [_none(f"wrong leaves and labels, of {leaves:,} leaves where rounding decides", wrong)]


def variants(result: Result) -> list[Headline]:
    ratios = [
        each["row_us"]["source"] / each["row_us"]["predict"] for each in result["families"].values()
    ]
    return [
        Headline(
            f"the source's time for one row to `predict`'s, {len(ratios)} families",
            f"{min(ratios):.1f} to {max(ratios):.0f} ×, median {statistics.median(ratios):.0f} ×",
        )
    ]


def neural(result: Result) -> list[Headline]:
    """Beside the fastest float32 peer, which is faster in some."""
    found = []
    for name, network in result["networks"].items():
        times = network["times"]["1"]["us"]
        peers = {peer: times[peer]["p50"] for peer in ("LiteRT float32", "OpenVINO") if peer in times}
        if peers:
            fastest = min(peers, key=peers.__getitem__)
            ratio = peers[fastest] / times["fp32"]["p50"]
            found.append(
                Headline(f"{fastest}'s time for one row to ours in fp32, {name}", f"{ratio:.2f} ×")
            )
    return found


def blocks(result: Result) -> list[Headline]:
    found = result["blocks"].values()
    ratios = [each["us"]["transform"] / each["us"]["bundle"] for each in found]
    over = sum(each["error"] > each["bound"] for each in found)
    return [
        _none(f"blocks beyond their stated error, of {len(ratios)}", over),
        Headline(
            "`transform`'s time to the bundle's, one window",
            f"{min(ratios):.1f} to {max(ratios):.0f} ×, median {statistics.median(ratios):.1f} ×",
        ),
    ]


def providers(result: Result) -> list[Headline]:
    """Of those that ran on this machine."""
    ran = [each for each in result["trials"] if "p50_us" in each]
    found = []
    for name in dict.fromkeys(each["provider"] for each in ran):
        ratios = [each["p50_us"] / each["cpu_p50_us"] for each in ran if each["provider"] == name]
        what = f"{name}'s time for one row to the processor's, {len(ratios)} models"
        found.append(Headline(what, f"{min(ratios):.1f} to {max(ratios):.1f} ×"))
    return found


def weights(result: Result) -> list[Headline]:
    ours = [each for each in result["loads"] if each["peer"] == "ours, unpacked"]
    ratios = [each["peak_mb"] / each["kept_mb"] for each in ours]
    what = f"memory at the peak of a load to what is kept, {len(ours)} large models"
    return [Headline(what, f"{min(ratios):.1f} to {max(ratios):.1f} ×")]


def convert(result: Result) -> list[Headline]:
    forest = result["time"]["random forest of 100 trees"]["convert"]["max_s"]
    times = result["forest_memory"]["convert"]["times_model"]
    return [
        _at_most("converting a forest of 100 trees, the slowest", forest, 10, " s"),
        _at_most("memory that it adds, to the model's", times, 4, " ×"),
    ]


def convert_network(result: Result) -> list[Headline]:
    slowest = max(run["seconds"] for run in result["runs"])
    return [_at_most("converting MobileNetV2 with all its variants, the slowest", slowest, 120, " s")]


HEADLINES: dict[str, Callable[[Result], list[Headline]]] = {
    "latency": latency,
    "jitter": jitter,
    "cold_start": cold_start,
    "swap": swap,
    "soak": soak,
    "install": install,
    "wear": wear,
    "exact_trees": exact_trees,
    "variants": variants,
    "neural": neural,
    "blocks": blocks,
    "providers": providers,
    "weights": weights,
    "convert": convert,
    "convert_network": convert_network,
}


def _at_most(what: str, value: float, bound: float, unit: str, *, digits: int = 2) -> Headline:
    return Headline(what, f"{value:.{digits}f}{unit}", f"{bound:g}{unit}", value <= bound)


def _none(what: str, count: int) -> Headline:
    return Headline(what, f"{count:,}", "0", count == 0)
