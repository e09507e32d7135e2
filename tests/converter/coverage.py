"""What `converter.convert` makes of every scikit-learn estimator: agrees, refuses, or is wrong.

An estimator is tried in each role that it has: as the model, on rows of three dtypes, and as a step (it
transforms, and a Ridge reads every number it gives). Conversion sees some rows; the verdict is of
others.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
from sklearn.base import is_classifier, is_clusterer, is_outlier_detector, is_regressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline

import converter
import edge_runtime
from edge_runtime.errors import EdgeError, InputError, UnsupportedModelError
from tests.converter.every_estimator import Problem

TOLERANCE = 1e-5
NEAR_TIE = 1e-6
SHOWN_TO_CONVERT = 200
ALONE = 3
DTYPES = ("float32", "float64", "int64")
ROLES = {"float32": "float32", "float64": "float64", "int64": "int64", "step": "as a step"}
LIBRARIES = ("scikit-learn", "onnx", "onnxruntime", "numpy")

Verdict = Literal["agrees", "refuses", "stopped", "wrong", "-"]


@dataclass(frozen=True)
class Outcome:
    """What became of one estimator in one role. `text`: the error's sentence, or what was measured."""

    verdict: Verdict
    text: str = ""
    exact: str = ""


@dataclass(frozen=True)
class Row:
    """One estimator: its kind, and what became of it in each of ROLES; "-" where it has no such role."""

    name: str
    kind: str
    outcomes: dict[str, Outcome]

    @property
    def agrees(self) -> bool:
        return {outcome.verdict for outcome in self.outcomes.values()} <= {"agrees", "-"}


def judge(problem: Problem, count: int = 1000) -> Row:
    """Fit, convert in every role, and compare on `count` rows the conversion has not seen."""
    found = {dtype: outcome(problem, problem.fitted(dtype), count, dtype) for dtype in DTYPES}
    fitted = problem.fitted()
    found["step"] = Outcome("-")
    if hasattr(fitted, "transform") and not problem.is_of_targets:
        behind = _with_ridge(problem, fitted)
        if _answers(behind, problem.rows(9, seed=3)):
            found["step"] = outcome(problem, behind, count, "float32")
    return Row(problem.name, _kind(fitted), found)


def outcome(problem: Problem, model: Any, count: int, dtype: str) -> Outcome:
    """Convert `model` and ask both sides about fresh rows. Anything but an EdgeError is wrong."""
    shown = problem.rows(SHOWN_TO_CONVERT, seed=3, dtype=dtype)
    try:
        bundle = converter.convert(model, shown, name="some", version="1.0.0", input_dtype=dtype)
    except (UnsupportedModelError, InputError) as error:
        return Outcome("refuses", str(error))
    except EdgeError as error:
        # scikit-learn's own refusal is one; the parity gate's is told too late to be helpful.
        own = str(error).startswith("the source model")
        return Outcome("refuses" if own else "stopped", str(error))
    except Exception as error:  # noqa: BLE001 -- it is what this looks for
        return Outcome("wrong", f"{type(error).__name__}: {error}")
    rows = problem.rows(count, seed=4, dtype=dtype)
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = bundle.save(Path(folder) / "some.edge")
            with edge_runtime.load(path, allow_unsigned=True) as device:
                found = device.infer(rows)
                singles = [device.infer(rows[at : at + 1]) for at in range(ALONE)]
    except Exception as error:  # noqa: BLE001 -- no converted model may fail on the device
        return Outcome("wrong", f"{type(error).__name__}: {error}")
    if not all(_same_alone(found, single, at) for at, single in enumerate(singles)):
        return Outcome("wrong", "a row alone gets another answer than among others")
    compared = _compared(problem, model, rows, found)
    return replace(compared, exact=bundle.manifest.variants[0].exact)


def _same_alone(many: Any, one: Any, at: int) -> bool:
    if many.labels is not None and not np.array_equal(one.labels[0], many.labels[at]):
        return False
    numbers = ((many.probabilities, one.probabilities), (many.values, one.values))
    return all(
        np.allclose(alone[0], batch[at], rtol=1e-5, atol=1e-6, equal_nan=True)
        for batch, alone in numbers
        if batch is not None
    )


def _compared(problem: Problem, model: Any, rows: np.ndarray, found: Any) -> Outcome:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not hasattr(model, "predict"):
            expected = model.transform(rows[:, 0] if problem.is_of_targets else rows)
            expected = expected.toarray() if hasattr(expected, "toarray") else np.asarray(expected)
            return _measured(expected, found.values, max(1.0, float(np.nanmax(np.abs(expected)))))
        expected = np.asarray(model.predict(rows))
        chances = model.predict_proba(rows) if hasattr(model, "predict_proba") else None
    if found.labels is None:
        return _measured(expected, found.values, max(1.0, float(np.abs(expected).max())))
    if (chances is None) != (found.probabilities is None):
        return Outcome("wrong", "probabilities on one side only")
    if is_outlier_detector(model):
        expected = np.where(expected > 0, "normal", "anomaly")
    if chances is not None and expected.ndim == 2:
        chances = _of_labels(chances)
    if np.issubdtype(expected.dtype, np.floating):
        expected = expected.astype(int)  # a chain gives its classes as floats
    unequal = expected.astype(str) != found.labels
    if chances is not None and chances.shape[-1] > 1:
        best = np.sort(chances, axis=-1)
        unequal &= best[..., -1] - best[..., -2] >= NEAR_TIE
    if unequal.any():
        return Outcome("wrong", f"{int(unequal.sum())} of {len(rows)} labels differ")
    return (
        Outcome("agrees", "labels") if chances is None else _measured(chances, found.probabilities, 1.0)
    )


def _of_labels(chances: Any) -> np.ndarray:
    """(rows, labels, classes) of scikit-learn's list of arrays, or of each label's second class."""
    if not isinstance(chances, list):
        chances = [np.column_stack([1 - column, column]) for column in chances.T]
    return np.stack(chances, axis=1)


def _measured(expected: np.ndarray, found: np.ndarray, scale: float) -> Outcome:
    if expected.shape != found.shape:
        return Outcome("wrong", f"shape {found.shape}, expected {expected.shape}")
    found = found.astype(np.float64)
    same = np.isnan(expected) & np.isnan(found)  # a missing value that is handed on
    error = float(np.where(same, 0.0, np.abs(expected - found)).max()) / scale
    if not error <= TOLERANCE:
        return Outcome("wrong", f"largest error {error:.1g} of the scale")
    return Outcome("agrees", f"{error:.0e}")


def _answers(model: Pipeline, rows: Any) -> bool:
    """Whether scikit-learn itself can: isotonic regression gives a list, which no step reads."""
    try:
        model.predict(rows)
    except ValueError:
        return False
    return True


def _with_ridge(problem: Problem, step: Any) -> Pipeline:
    """The fitted transformer with a regression behind it that reads all its columns."""
    features = step.transform(problem.training_rows())
    features = features.toarray() if hasattr(features, "toarray") else np.asarray(features)
    features = features.reshape(len(features), -1)
    value = np.random.default_rng(5).normal(size=len(features))
    return Pipeline([("step", step), ("ridge", Ridge().fit(features, value))])


def _kind(model: Any) -> str:
    kinds = {
        "classifier": is_classifier, "regressor": is_regressor, "cluster": is_clusterer,
        "outlier": is_outlier_detector,
    }  # fmt: skip
    for kind, is_kind in kinds.items():
        if is_kind(model):
            return kind
    return "transformer" if hasattr(model, "transform") else "other"


def document(rows: Sequence[Row]) -> str:
    """docs/coverage.md, the same for the same outcomes and libraries."""
    agree = sum(row.agrees for row in rows)
    libraries = ", ".join(f"{library} {version(library)}" for library in LIBRARIES)
    lines = [_HEAD.format(libraries=libraries, total=len(rows), agree=agree).rstrip(), ""]
    lines += [f"| | {' | '.join(ROLES.values())} |", f"|---|{'---|' * len(ROLES)}"]
    for verdict, words in _WORDS.items():
        counts = [sum(row.outcomes[role].verdict == verdict for row in rows) for role in ROLES]
        lines.append(f"| {words} | {' | '.join(map(str, counts))} |")
    lines += [
        "",
        f"| estimator | kind | {' | '.join(ROLES.values())} |",
        f"|---|---|{'---|' * len(ROLES)}",
    ]
    lines += [
        f"| {row.name} | {row.kind} | {' | '.join(_cell(row.outcomes[role]) for role in ROLES)} |"
        for row in rows
    ]
    refused = [row for row in rows if not row.agrees]
    lines += ["", "## What is refused, and how it is said", ""]
    for row in refused:
        sentences = dict.fromkeys(found.text for found in row.outcomes.values() if found.text)
        lines += [f"- **{row.name}**: {next(iter(sentences))}"]
    return "\n".join(lines) + "\n"


def read_document(text: str) -> set[tuple[str, str]]:
    """(estimator, role) for all that a document says agrees."""
    cells = [
        line[2:-2].split(" | ") for line in text.splitlines() if line.count(" | ") == 1 + len(ROLES)
    ]
    return {
        (name, role)
        for name, _, *outcomes in cells
        for role, cell in zip(ROLES, outcomes, strict=True)
        if cell.startswith("agrees")
    }


def _cell(outcome: Outcome) -> str:
    if outcome.verdict == "agrees":
        return "agrees, exact leaves" if outcome.exact else "agrees"
    return {"-": "–"}.get(outcome.verdict, outcome.verdict)


_WORDS = {
    "agrees": "agrees",
    "refuses": "refuses, and names the reason",
    "stopped": "stopped later, by the parity gate or the engine",
    "wrong": "**wrong**",
}
_HEAD = """\
# What converts

Written by `scripts/coverage`, which fits every scikit-learn estimator that predicts or transforms
numbers on a small problem, converts it, and asks both sides about 1,000 other rows. **agrees**: labels
are identical, except where the two best probabilities lie less than 1e-6 apart; numbers differ by at
most 1e-5 of the largest (at least 1); a row alone gets the answer it gets among others. **exact
leaves**: every input reaches the source's leaf in every tree.

Each is tried as the model, predicting or transforming, with inputs declared as float32, float64 and
int64; one that transforms also as a step, with a regression behind it that reads all its columns.
Arguments are the defaults, or smaller; estimators inside others are linear models and trees.

{libraries}.

**{agree} of {total}** estimators convert and agree, in every role they have.
"""
