"""A comparison in words and rows, the same in the terminal, on the page and in the model card."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from converter.comparison.choice import AS_FAST, Difference, Limits, Verdict
from converter.comparison.metrics import Metric
from converter.report import wrapped
from edge_runtime.bundle.layout import plain, size, table

_MAX_NAME = 60
_MAX_WHY = 2000
_NOTHING = "–"


@dataclass(frozen=True)
class Measured:
    """A candidate's score on the held-out inputs with its 95 % interval, the size of the variant that
    runs here, and the median time of one row. exceeds: which limits it is over: `size`, `latency`."""

    score: float
    low: float
    high: float
    size_bytes: int
    latency_us: float
    exceeds: tuple[str, ...] = ()


@dataclass(frozen=True)
class Candidate:
    """A trained model that was compared with others. measured: None where it was left out.

    why: why it was chosen, or not, or left out.
    """

    name: str
    why: str
    is_chosen: bool = False
    measured: Measured | None = None


@dataclass(frozen=True)
class Told:
    """All that is told of a comparison, by metric and limits, on so many held-out inputs."""

    metric: Metric
    limits: Limits
    inputs: int
    candidates: tuple[Candidate, ...]

    def titles(self) -> list[str]:
        limits = ["limits"] if self.limits != Limits() else []
        return ["candidate", self.metric.title, "95 % interval", "size", "one row", *limits]

    def rows(self) -> Iterator[list[str]]:
        """A line of the table for each candidate."""
        for each in self.candidates:
            name, of, shown = named(each.name), each.measured, self.metric.shown
            if of is None:
                yield [name, *[_NOTHING] * (len(self.titles()) - 1)]
                continue
            interval = f"{shown(of.low)} to {shown(of.high)}"
            cells = [shown(of.score), interval, size(of.size_bytes), microseconds(of.latency_us)]
            limits = [f"{' and '.join(of.exceeds)} over" if of.exceeds else "within"]
            yield [name, *cells, *(limits if self.limits != Limits() else [])]

    def lines(self) -> Iterator[str]:
        """For a terminal: the table, why each was chosen or not, and the rule."""
        yield from table([self.titles(), *self.rows()])
        reasons = [wrapped(reason, later="  ") for reason in self.reasons()]
        yield from ("", *reasons, "", *map(wrapped, self.rule()))

    def reasons(self) -> list[str]:
        """Why each was chosen or not."""
        return [f"{named(each.name)}: {plain(each.why, _MAX_WHY)}" for each in self.candidates]

    def rule(self) -> Iterator[str]:
        """How the choice was made."""
        if self.limits != Limits():
            yield f"Allowed is at most {allowed(self.limits)}."
        yield (
            f"The best {self.metric.title} on {self.inputs} labelled inputs wins. Whatever is within "
            "noise of it (the paired 95 % interval of the difference holds 0) counts as equal: of equals"
            f" the fastest wins, of those {_AS_FAST} the smallest, of those the first given."
        )
        yield (
            "Times are medians of one row, side by side, in onnxruntime with one thread on this "
            "machine. A board's own times differ: compare ratios."
        )

    def card(self) -> Iterator[str]:
        """For the model card, without times: the same choice gives the same bundle."""
        count, title, shown = len(self.candidates), self.metric.title, self.metric.shown
        yield f"One of {count} candidates, chosen by {title} on {self.inputs} labelled inputs."
        for each in self.candidates:
            of, chosen = each.measured, "; chosen" if each.is_chosen else ""
            if of is None:
                yield f"{named(each.name)}: left out, as it does not convert or takes other inputs."
                continue
            score = f"{shown(of.score)}, 95 % interval {shown(of.low)} to {shown(of.high)}"
            yield f"{named(each.name)}: {title} {score}; {size(of.size_bytes)}{chosen}."


@dataclass(frozen=True)
class Outcome:
    """How a choice ended. best: the name of the candidate with the best score. chosen: of the one that
    was taken. equals: how many count as equal to the best, that one included."""

    metric: Metric
    limits: Limits
    best: str
    chosen: str
    equals: int

    def why(self, verdict: Verdict, of: Measured) -> str:
        """What became of a candidate, in words."""
        reason, behind = verdict.reason, verdict.behind
        if reason == "over":
            return f"over the limit: it has {costs(of)}, allowed is at most {allowed(self.limits)}"
        if reason == "only":
            return "chosen: no other candidate is left"
        if reason == "best":
            return f"chosen: the best {self.metric.title}, ahead of all others by more than noise"
        if reason == "worse":
            return f"worse than {self.best}{self._by(behind)}"
        if verdict.is_chosen:
            return f"chosen: {self._level(behind)}; of these {self.equals} it is {_FOR[reason]}"
        link = ", of which" if behind is None else ", but"
        return f"{self._level(behind)}{link} {self.chosen} is {_AGAINST[reason]}"

    def _level(self, behind: Difference | None) -> str:
        if behind is None:
            others = "one other" if self.equals == 2 else f"{self.equals - 1} others"
            return f"the best {self.metric.title}, with {others} within noise of it"
        return f"within noise of {self.best}, the best{self._by(behind)}"

    def _by(self, behind: Difference | None) -> str:
        if behind is None:
            return ""
        by, low, high = map(self.metric.shown, (behind.by, behind.low, behind.high))
        return f" (behind by {by}, 95 % interval {low} to {high})"


def outcome(metric: Metric, limits: Limits, verdicts: Mapping[str, Verdict]) -> Outcome:
    """How these candidates' choice ended; one of them was chosen."""
    (chosen,) = (name for name, of in verdicts.items() if of.is_chosen)
    (best,) = (name for name, of in verdicts.items() if of.reason != "over" and of.behind is None)
    equals = sum(of.reason not in ("over", "worse") for of in verdicts.values())
    return Outcome(metric, limits, named(best), named(chosen), equals)


def none_within(limits: Limits, measured: Mapping[str, Measured]) -> str:
    """The error where every candidate is over a limit."""
    found = "; ".join(f"{named(name)} with {costs(of)}" for name, of in measured.items())
    return (
        f"compare: expected a candidate of at most {allowed(limits)}, found {found}. Allow more, or "
        "train smaller models."
    )


def costs(of: Measured) -> str:
    return f"{size(of.size_bytes)} and {microseconds(of.latency_us)} a row"


def allowed(limits: Limits) -> str:
    """Both limits as far as they are set."""
    parts = [] if limits.size_bytes is None else [size(limits.size_bytes)]
    if limits.latency_us is not None:
        parts.append(f"{microseconds(limits.latency_us)} a row")
    return " and ".join(parts)


def microseconds(time_us: float) -> str:
    return f"{time_us:,.1f} µs" if time_us < 100 else f"{time_us:,.0f} µs"


def named(name: str) -> str:
    """A name of the author's, harmless in a terminal."""
    return plain(name, _MAX_NAME)


_AS_FAST = f"as fast within {100 * (AS_FAST - 1):.0f} %"
_FOR = {
    "fastest": "the fastest",
    "smallest": "the smallest of the fastest",
    "first": "the first given of the fastest and smallest",
}
_AGAINST = {
    "slower": "faster",
    "larger": f"{_AS_FAST} and smaller",
    "later": f"{_AS_FAST} and as small, and was given first",
}
