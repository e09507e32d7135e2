"""Which candidate to take: a pure decision.

Those over a limit are out. Of the others the best score counts, and with it every score that is within
noise of it: where the paired 95 % interval of the difference holds 0, these inputs cannot tell the two
apart. Among such equals the fastest is taken; of those as fast, the smallest; of those as small, the
first that was given.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal, get_args

from edge_runtime.errors import ConfigError

# Medians of one model, timed twice on one machine, differ by a few per cent: less than this is no
# difference, or the choice would be the clock's.
AS_FAST = 1.1

For = Literal["only", "best", "fastest", "smallest", "first"]
Against = Literal["over", "worse", "slower", "larger", "later"]
Reason = For | Against


@dataclass(frozen=True)
class Limits:
    """What a candidate may be at most; None: anything."""

    size_bytes: int | None = None
    latency_us: float | None = None

    def exceeded(self, size_bytes: int, latency_us: float) -> tuple[str, ...]:
        """Which of `size` and `latency` are over their limit."""
        too_large = self.size_bytes is not None and size_bytes > self.size_bytes
        too_slow = self.latency_us is not None and latency_us > self.latency_us
        return (*(["size"] if too_large else []), *(["latency"] if too_slow else []))


def checked_limits(size_bytes: Any, latency_us: Any) -> Limits:
    """Limits above 0, or None. Raises ConfigError."""
    for name, given, example in (
        ("max_size_bytes", size_bytes, "500_000"),
        ("max_latency_us", latency_us, "300"),
    ):
        is_number = isinstance(given, int | float) and not isinstance(given, bool)
        if given is not None and not (is_number and isfinite(given) and given > 0):
            raise ConfigError(f"{name}: expected a number above 0, such as {example}; found {given!r}.")
    return Limits(size_bytes, latency_us)


@dataclass(frozen=True)
class Difference:
    """By how much one score is better than another, and the paired 95 % interval of that."""

    by: float
    low: float
    high: float

    @property
    def is_noise(self) -> bool:
        return self.low <= 0 <= self.high


@dataclass(frozen=True)
class Measures:
    """What counts of a candidate. worth: its score, turned so that more is better."""

    worth: float
    size_bytes: int
    latency_us: float


@dataclass(frozen=True)
class Verdict:
    """What becomes of a candidate, and why.

    reason: what was for it where it is taken, else what was against it. behind: how far the best score
        is ahead of it; None for the best itself and for those over a limit.
    """

    reason: Reason
    behind: Difference | None = None

    @property
    def is_chosen(self) -> bool:
        return self.reason in get_args(For)


def decide(
    measures: Sequence[Measures], limits: Limits, ahead: Callable[[int, int], Difference]
) -> tuple[Verdict, ...]:
    """One verdict a candidate. None is chosen where every one is over a limit.

    ahead: by how much the score of one candidate, by its place, is better than another's.
    """
    verdicts = [Verdict("over")] * len(measures)
    inside = [i for i, of in enumerate(measures) if not limits.exceeded(of.size_bytes, of.latency_us)]
    if not inside:
        return tuple(verdicts)
    best = max(inside, key=lambda i: measures[i].worth)
    behind = {i: None if i == best else ahead(best, i) for i in inside}
    equal = [i for i in inside if (far := behind[i]) is None or far.is_noise]
    for i in inside:
        verdicts[i] = Verdict("worse", behind[i])
    for i, reason in _ranked(measures, equal, is_alone=len(inside) == 1).items():
        verdicts[i] = Verdict(reason, behind[i])
    return tuple(verdicts)


def _ranked(measures: Sequence[Measures], equal: Sequence[int], *, is_alone: bool) -> dict[int, Reason]:
    """Which of the candidates with equal scores is taken, and what is against each of the others."""
    fastest = min(measures[i].latency_us for i in equal)
    fast = [i for i in equal if measures[i].latency_us <= AS_FAST * fastest]
    smallest = min(measures[i].size_bytes for i in fast)
    small = [i for i in fast if measures[i].size_bytes == smallest]
    decided: For = "first" if len(small) > 1 else "smallest" if len(fast) > 1 else "fastest"
    if len(equal) == 1:
        decided = "only" if is_alone else "best"
    found: dict[int, Reason] = dict.fromkeys(equal, "slower")
    found.update(dict.fromkeys(fast, "larger"))
    found.update(dict.fromkeys(small, "later"))
    found[small[0]] = decided
    return found
