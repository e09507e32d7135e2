"""Does a variant pay? Its time beside the fp32 variant's, measured on this machine, and its size.

A variant is kept if it is at least 10 % faster, or at least 30 % smaller and at most 1.1 times slower.
"""

from collections.abc import Mapping
from dataclasses import dataclass

FP32 = "fp32"  # the variant that always ships
FASTER, SMALLER, SLOWER = 0.9, 0.7, 1.1
HARDLY_SMALLER = 0.9  # of a variant whose time nobody knows


@dataclass(frozen=True)
class Offer:
    """Time and size of a variant over fp32's, and its largest difference from the source model."""

    time: float
    size: float
    error: float


def pays(time_ratio: float, size_ratio: float) -> bool:
    """Whether a variant is worth its place; both ratios are over the fp32 variant's."""
    return time_ratio <= FASTER or (size_ratio <= SMALLER and time_ratio <= SLOWER)


def needless(offers: Mapping[str, Offer]) -> dict[str, str]:
    """Which variants are not worth their place, and beside which one: "fp32", or one that is kept.

    Those closer to the source model come first. Each has to pay beside fp32 and beside all that were
    kept before it, and takes the place of those that it is no larger than.
    """
    kept: dict[str, Offer] = {}
    found: dict[str, str] = {}
    for name, offer in sorted(offers.items(), key=lambda item: item[1].error):
        before = {FP32: Offer(1.0, 1.0, 0.0), **kept}
        better = next((other for other, one in before.items() if not _pays_beside(offer, one)), None)
        if better is not None:
            found[name] = better
            continue
        for other in [other for other, one in kept.items() if offer.size <= one.size]:
            found[other] = name
            del kept[other]
        kept[name] = offer
    return found


def _pays_beside(one: Offer, other: Offer) -> bool:
    return pays(one.time / other.time, one.size / other.size)
