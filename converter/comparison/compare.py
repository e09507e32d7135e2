"""From several trained candidates to the bundle of one, in one function: `compare`."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from converter.card import with_choice
from converter.comparison.choice import Limits, Measures, checked_limits, decide
from converter.comparison.metrics import check_metric, metric_for
from converter.comparison.scores import Score, scored
from converter.comparison.wording import Candidate, Measured, Told, none_within, outcome
from converter.conversion import convert
from converter.converted import ConvertedBundle
from converter.evidence import rows_to_time
from converter.page.comparison import section
from converter.progress import Progress, silent
from converter.timing import one_row_us
from converter.variant import loaded, run
from edge_runtime.engine.base import Values
from edge_runtime.errors import ConfigError, ConversionError, EdgeError, InputError, StorageError
from edge_runtime.model import Model

Conversion = Callable[[], ConvertedBundle]
_Given = TypeVar("_Given")
_Made = TypeVar("_Made")


@dataclass(frozen=True)
class Comparison:
    """Candidates that were converted and measured, and the bundle of the one that was chosen."""

    told: Told
    bundle: ConvertedBundle

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """All that were given, in their order."""
        return self.told.candidates

    @property
    def winner(self) -> Candidate:
        """The candidate whose bundle this is."""
        return next(each for each in self.candidates if each.is_chosen)

    def report(self) -> str:
        """All candidates and why one was chosen, then the report of its bundle, for a terminal."""
        return "\n".join([*self.told.lines(), "", self.bundle.report()])

    def report_html(self) -> str:
        """The page of the chosen bundle, with a section about all candidates."""
        return self.bundle.report_html(section(self.told))


def compare(
    models: Mapping[str, Any],
    inputs: Any,
    labels: Any,
    *,
    metric: str | None = None,
    max_size_bytes: int | None = None,
    max_latency_us: float | None = None,
    progress: Progress = silent,
    **options: Any,
) -> Comparison:
    """Convert several trained models for one place and choose one of them.

    Candidates over a limit are out; of the others the best score wins, but one that is within noise of
    it counts as equal, and among equals the fastest wins, then the smallest, then the first given
    (`converter.comparison.choice`). The same models, inputs and choice give the same bundle.

    models: two or more trained models, by what the report is to call them.
    inputs, labels: held out from training, as in `convert`; every model is asked about the same ones.
    metric: accuracy (the default for labels), f1, roc-auc or log-loss; r2 (the default for values), mae
        or mse.
    max_size_bytes: of the model in the bundle. max_latency_us: the median of one row on this machine.
    progress: told in a few words what is being done.
    options: as in `convert`, name and version among them; the same for every model.

    Raises ConfigError for another metric, limits that are none or fewer than two models; InputError
    without labels; ConversionError where no candidate is left. One that does not convert, or does not
    take these inputs, is left out and says why; what is wrong with all alike is raised as it is.
    """
    if labels is None:
        raise InputError(
            "labels: expected the truth of the inputs, by which candidates are compared; found none. "
            "Give labels."
        )
    conversions = {
        name: partial(convert, model, inputs, labels, progress=progress, **options)
        for name, model in models.items()
    }
    limits = checked_limits(max_size_bytes, max_latency_us)
    return compared(conversions, metric, limits, progress=progress)


def compared(
    conversions: Mapping[str, Conversion], metric: str | None, limits: Limits, *, progress: Progress
) -> Comparison:
    """Choose among what these conversions give, each called once; otherwise as `compare`."""
    check_metric(metric)
    if len(conversions) < 2:
        raise ConfigError(f"compare: expected two models or more, found {len(conversions)}.")
    faults: dict[str, EdgeError] = {}
    bundles = _those_that(partial(_converted, progress), conversions, faults)
    with ExitStack() as stack:
        asked = metric or next((metric_for(None, of.manifest).name for of in bundles.values()), None)
        entrants = list(_those_that(partial(_entered, stack, asked), bundles, faults).values())
        if not entrants:
            raise _none_left(faults)
        progress(f"timing {len(entrants)} candidates side by side")
        timed = [(each.model.predict, each.rows) for each in entrants]
        times_us = one_row_us(timed)
    return _decided(tuple(conversions), entrants, times_us, faults, limits)


@dataclass(frozen=True)
class _Entrant:
    """A candidate that converted and has a score, loaded. rows: to ask it about, one at a time."""

    name: str
    bundle: ConvertedBundle
    model: Model
    rows: Sequence[Values]
    score: Score


def _those_that(
    do: Callable[[str, _Given], _Made], given: Mapping[str, _Given], faults: dict[str, EdgeError]
) -> dict[str, _Made]:
    """What `do` makes of each; what it refuses goes to `faults`. A full disk is nobody's fault."""
    made = {}
    for name, each in given.items():
        try:
            made[name] = do(name, each)
        except StorageError:
            raise
        except EdgeError as error:
            faults[name] = error
    return made


def _converted(progress: Progress, name: str, conversion: Conversion) -> ConvertedBundle:
    progress(f"candidate {name}")
    return conversion()


def _entered(stack: ExitStack, metric: str | None, name: str, bundle: ConvertedBundle) -> _Entrant:
    """Load the bundle as a device would, and score what it answers."""
    assert bundle.evidence is not None
    assert bundle.evidence.truth is not None
    measured_by = metric_for(metric, bundle.manifest)
    model = stack.enter_context(loaded(bundle.manifest, bundle.artifacts))
    found = scored(measured_by, bundle.evidence.truth, run(model, bundle.evidence.rows))
    return _Entrant(name, bundle, model, rows_to_time(model, bundle.evidence.rows), found)


def _none_left(faults: Mapping[str, EdgeError]) -> EdgeError:
    """One fault where it is that of all alike, such as labels that are too few; else each one's own."""
    first, *others = faults.values()
    if all(str(each) == str(first) for each in others):
        return first
    listed = " ".join(f"{name}: {error}" for name, error in faults.items())
    return ConversionError(f"compare: expected a candidate that converts, found none. {listed}")


def _decided(
    names: Sequence[str],
    entrants: Sequence[_Entrant],
    times_us: Sequence[float],
    faults: Mapping[str, EdgeError],
    limits: Limits,
) -> Comparison:
    """Choose, and tell of each in the order of `names`. Raises ConversionError where none is left."""
    scores = [each.score for each in entrants]
    costs = [
        Measures(each.score.worth, each.model.variant.size_bytes, time_us)
        for each, time_us in zip(entrants, times_us, strict=True)
    ]
    verdicts = decide(costs, limits, lambda i, j: scores[i].ahead_of(scores[j]))
    measured = {
        each.name: _measured(each.score, of, limits) for each, of in zip(entrants, costs, strict=True)
    }
    by_name = dict(zip(measured, verdicts, strict=True))
    chosen = [each.bundle for each in entrants if by_name[each.name].is_chosen]
    if not chosen:
        raise ConversionError(none_within(limits, measured))
    ended = outcome(scores[0].metric, limits, by_name)
    candidates = tuple(
        Candidate(name, ended.why(by_name[name], of), by_name[name].is_chosen, of)
        if (of := measured.get(name))
        else Candidate(name, f"left out: {faults[name]}")
        for name in names
    )
    told = Told(scores[0].metric, limits, scores[0].inputs, candidates)
    card = with_choice(chosen[0].artifacts["card.md"], list(told.card()))
    return Comparison(told, chosen[0].adding({"card.md": card}))


def _measured(score: Score, of: Measures, limits: Limits) -> Measured:
    low, high = score.interval()
    over = limits.exceeded(of.size_bytes, of.latency_us)
    return Measured(score.value, low, high, of.size_bytes, of.latency_us, over)
