"""Does the variant say what the source model says?

Every given input and a set of edge rows go through both. A probability may differ by the tolerance, a
value by the tolerance times the largest value (at least 1) of its output. More is accepted only where
the source itself is undecided at the rounding of float32, and counted:

near ties: the label differs, and the source's two best class scores are less than 1e-6 apart.

rounded splits: behind a block, a computed feature lies within rounding of a tree's threshold. That is
not taken on trust: the features must agree within rounding, and the source's own trees, given the
variant's features, must answer what the variant answers.

Anything else is a ParityError.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.edge_rows import edge_rows, unseen_rows
from converter.frontends.base import Converted, Halves, SourceModel
from converter.inputs import Rows
from converter.parting import first_difference
from converter.source import Answer, Tensors
from edge_runtime.bundle.manifest import Parity
from edge_runtime.errors import ConversionError, EdgeError, InputError, ParityError

TOLERANCE = 1e-5
NEAR_TIE = 1e-6
# Edge rows of a graph without exact leaves lie far outside the data, where float32 and float64
# arithmetic part further; they are there to find wrong branches and overflow, not rounding.
EDGE_SLACK = 10.0
_MOST_SHOWN = 10  # numbers of one output in a message

Run = Callable[[Rows], Tensors]


@dataclass(frozen=True)
class Variants:
    """What parity runs: the variant, and its features alone where trees sit behind some."""

    whole: Run
    features: Run | None = None


def allowances(expected: Tensors, tolerance: float = TOLERANCE) -> dict[str, float]:
    """The absolute difference that each output is allowed: scaled to its largest finite value."""
    found = dict.fromkeys(expected, tolerance)
    for name, array in expected.items():
        if name not in ("label", "probabilities"):
            finite = np.abs(array[np.isfinite(array)])
            found[name] = tolerance * max(1.0, float(finite.max(initial=0.0)))
    return found


def allowed(expected: Tensors, tolerance: float = TOLERANCE) -> float:
    """The absolute difference that is allowed in the output that is allowed most."""
    return max([tolerance, *allowances(expected, tolerance).values()])


def within(expected: Tensors, found: Tensors, allowances: dict[str, float]) -> NDArray[np.bool_]:
    """Row by row: whether every output but a label differs by no more than it may; NaN is no answer."""
    fits = np.ones(len(next(iter(expected.values()))), dtype=np.bool_)
    for name, tensor in expected.items():
        _, error = differences({name: tensor}, found)
        fits &= error <= allowances[name]
    return fits


def prove(
    source: SourceModel,
    converted: Converted,
    variants: Variants,
    rows: Rows,
    expected: Answer,
) -> tuple[Parity, Tensors]:
    """Compare on `rows`, whose source outputs are `expected`, then on edge rows.

    The second is what the variant answered to `rows`. Raises ParityError, which names output, row,
    expected and found.
    """
    held_out = _Case("input", rows, expected, 1.0)
    measured, found = _compare(held_out, source, converted, variants)
    if converted.halves is None:  # behind a block rounding may decide, and no lowering mixes rows
        _check_alone(held_out, variants, found)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about rows that nobody recorded
        _compare_unseen(source, variants, rows)
        reads_rows = bool(converted.exact) and converted.halves is None
        made = edge_rows(rows, converted.splits, exact=reads_rows)
        made, answer = _accepted(source, made)
    if len(made):
        slack = 1.0 if converted.exact else EDGE_SLACK
        _compare(_Case("edge row", made, answer, slack), source, converted, variants)
    return measured, found


def _compare_unseen(source: SourceModel, variants: Variants, rows: Rows) -> None:
    """What the source refuses because training never saw it, the variant must refuse as well."""
    made = unseen_rows(rows)
    for row in range(len(made)):
        one = made.take([row, row])  # some of scikit-learn's steps trip over a single one
        if not _is_refused(one, source.run) or _is_refused(one, variants.whole):
            continue
        raise ParityError(
            f"parity: row {_shown(one, 0)}, of which one value was never seen in training: the source "
            "model refuses it, the variant gives an answer. The model was not converted."
        )


def _is_refused(row: Rows, ask: Callable[[Rows], Any]) -> bool:
    try:
        ask(row)
    except (ConversionError, InputError):
        return True
    return False


@dataclass(frozen=True)
class _Case:
    """Rows, what the source says about them, and how much wider than usual the tolerance is."""

    kind: str
    rows: Rows
    expected: Answer
    slack: float

    @property
    def tolerance(self) -> float:
        return allowed(self.expected.tensors, TOLERANCE * self.slack)

    @property
    def allowances(self) -> dict[str, float]:
        return allowances(self.expected.tensors, TOLERANCE * self.slack)


def _check_alone(case: _Case, variants: Variants, found: Tensors) -> None:
    """A device asks about one row at a time: the last one's answer must not depend on those before."""
    last = [len(case.rows) - 1]
    together = {name: tensor[last] for name, tensor in found.items()}
    alone = variants.whole(case.rows.take(last))
    unequal, _ = differences(together, alone)
    if (unequal & ~_undecided(case)[last]).any() or not within(together, alone, case.allowances).all():
        raise ParityError(
            f"parity: input {last[0]} has one answer beside the other inputs, and another alone, as a "
            "device asks. The model mixes its rows, as a sum or a maximum over the first axis does: "
            "compute those over the features. The model was not converted."
        )


def _compare(
    case: _Case, source: SourceModel, converted: Converted, variants: Variants
) -> tuple[Parity, Tensors]:
    try:
        found = variants.whole(case.rows)
    except InputError as refusal:
        raise ParityError(
            f"parity: {case.kind}: the source model has an answer, the variant refuses it: {refusal} "
            "The model was not converted."
        ) from refusal
    unequal, error = differences(case.expected.tensors, found)
    tied = unequal & _undecided(case)
    wrong = (unequal & ~tied) | ~within(case.expected.tensors, found, case.allowances)
    rounded = np.zeros_like(wrong)
    if wrong.any() and converted.halves is not None and variants.features is not None:
        answered = {name: tensor[wrong] for name, tensor in found.items()}
        suspects = case.rows.take(wrong)
        features = variants.features(suspects)["value"]
        rounded[wrong] = _only_rounding(converted.halves, suspects, features, answered)
    if (wrong & ~rounded).any():
        row = int(np.argmax(wrong & ~rounded))
        raise _fault(case, source, found, row, first_difference(converted, case.rows.take([row])))
    parity = Parity(
        inputs=len(case.rows),
        label_disagreements=int(unequal.sum()),
        near_ties=int(tied.sum()),
        max_abs_error=float(error[~rounded].max(initial=0.0)),
        tolerance=case.tolerance,
        rounded_splits=int(rounded.sum()),
    )
    return parity, found


def differences(expected: Tensors, found: Tensors) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Row by row: whether the label differs, and the largest absolute difference of all else.

    Raises ParityError when an output is missing or has another shape.
    """
    count = len(next(iter(expected.values())))
    unequal, error = np.zeros(count, dtype=np.bool_), np.zeros(count)
    for name, tensor in expected.items():
        if name not in found or found[name].shape != tensor.shape:
            given = found[name].shape if name in found else "none"
            raise ParityError(
                f"parity: output {name!r}: expected shape {tensor.shape} as the source model gives, "
                f"found {given}."
            )
        if name == "label":
            unequal = (tensor != found[name]).reshape(count, -1).any(axis=1)
        else:
            heard = found[name].astype(np.float64)
            with np.errstate(invalid="ignore"):
                apart = np.where(_same(tensor, heard), 0.0, np.abs(tensor - heard)).reshape(count, -1)
            error = np.maximum(error, apart.max(axis=1, initial=0.0))
    return unequal, error


def _same(said: NDArray[Any], heard: NDArray[Any]) -> NDArray[np.bool_]:
    """Equal numbers, infinities and NaN included: a transformer may hand a missing value on."""
    same: NDArray[np.bool_] = (said == heard) | (np.isnan(said) & np.isnan(heard))
    return same


def _undecided(case: _Case) -> NDArray[np.bool_]:
    if not case.expected.margin.size:
        return np.zeros(len(case.rows), dtype=np.bool_)
    undecided: NDArray[np.bool_] = case.expected.margin < NEAR_TIE * case.slack
    return undecided


def _only_rounding(
    halves: Halves,
    rows: Rows,
    features: NDArray[Any],
    found: Tensors,
) -> NDArray[np.bool_]:
    """Which rows differ only because a feature, rounded otherwise, falls across a threshold."""
    expected = halves.features(rows)
    size = np.abs(expected)
    bound = 1e-5 * size + 2e-6 * size.max(axis=1, keepdims=True)
    near = (np.abs(expected - features) <= bound).all(axis=1)
    answer = halves.rest(features)
    unequal, error = differences(answer.tensors, found)
    tied = answer.margin < NEAR_TIE if answer.margin.size else np.zeros(len(rows), dtype=np.bool_)
    explained: NDArray[np.bool_] = near & (~unequal | tied) & (error <= allowed(answer.tensors))
    return explained


def _accepted(source: SourceModel, rows: Rows) -> tuple[Rows, Answer]:
    """The edge rows that the source model takes at all and has a finite answer to, with that answer."""
    if not len(rows):
        return rows, Answer({}, np.empty(0))
    taken, answer = _taken(source, rows)
    if answer is not None and taken.all():
        return rows, answer
    kept = rows.take(taken)
    return kept, source.run(kept) if len(kept) else Answer({}, np.empty(0))


def _taken(source: SourceModel, rows: Rows) -> tuple[NDArray[np.bool_], Answer | None]:
    """Which rows the source takes, and its answer where it was asked about these alone.

    By halves: it refuses a batch for one bad row, and few are bad.
    """
    try:
        answer = source.run(rows)
    except EdgeError:
        if len(rows) == 1:
            return np.zeros(1, dtype=np.bool_), None
        half = len(rows) // 2
        halves = (rows.take(slice(half)), rows.take(slice(half, None)))
        return np.concatenate([_taken(source, part)[0] for part in halves]), None
    return _finite(answer, len(rows)), answer


def _finite(answer: Answer, count: int) -> NDArray[np.bool_]:
    """Which rows every number of the answer is finite for."""
    finite = np.ones(count, dtype=np.bool_)
    for tensor in answer.tensors.values():
        finite &= np.isfinite(tensor).reshape(count, -1).all(axis=1)
    return finite


def _fault(case: _Case, source: SourceModel, found: Tensors, row: int, where: str) -> ParityError:
    expected = case.expected.tensors
    output, allowances = next(iter(expected)), case.allowances
    for name, tensor in expected.items():
        unequal, error = differences({name: tensor[[row]]}, {name: found[name][[row]]})
        if unequal[0] or not error[0] <= allowances[name]:
            output = name
            break
    said, heard, at = expected[output][row].tolist(), found[output][row].tolist(), ""
    if output == "label":
        said, heard = _named(source, said), _named(source, heard)
    elif np.size(said) > _MOST_SHOWN:
        said, heard, at = _worst(expected[output][row], found[output][row])
    what = f" {_shown(case.rows, row)}" if case.kind == "edge row" else ""
    return ParityError(
        f"parity: output {output!r}{at}, {case.kind} {row}{what}: expected {said} as the source model "
        f"says, found {heard}; allowed difference {allowances[output]:g}. {where}"
        "The model was not converted."
    )


def _worst(said: NDArray[Any], heard: NDArray[Any]) -> tuple[float, float, str]:
    """The two numbers of many that are furthest apart, and their place in words."""
    apart = np.nan_to_num(np.abs(said - heard), nan=np.inf)
    place = np.unravel_index(int(apart.argmax()), said.shape)
    return float(said[place]), float(heard[place]), f" at {', '.join(map(str, map(int, place)))}"


def _shown(rows: Rows, row: int) -> list[Any]:
    """The first few numbers or texts of a row."""
    if rows.is_several:
        return [value for array in rows.arrays.values() for value in array[row].ravel()[:4].tolist()][:8]
    if rows.is_table:
        return [
            array[row].item() if hasattr(array[row], "item") else array[row]
            for array in list(rows.arrays.values())[:8]
        ]
    shown: list[Any] = rows.array[row].ravel()[:8].tolist()
    return shown


def _named(source: SourceModel, label: Any) -> Any:
    """Class names of an index, or of several labels' indices."""
    names = source.class_names
    if isinstance(label, list):
        of = [each.classes for each in source.labels]
        return [n[i] if 0 <= i < len(n) else i for i, n in zip(label, of, strict=True)]
    return names[label] if 0 <= label < len(names) else label
