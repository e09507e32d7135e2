"""What `converter.convert` makes of every scikit-learn estimator: agrees, refuses, or is wrong.

An estimator is tried in each role that it has: as the model (it predicts) and as a step (it transforms,
and a Ridge reads every number it gives). Conversion sees some rows; the verdict is of others.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
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
LIBRARIES = ("scikit-learn", "onnx", "onnxruntime", "numpy")

Verdict = Literal["agrees", "refuses", "stopped", "wrong", "-"]


@dataclass(frozen=True)
class Outcome:
    """What became of one estimator in one role. `text`: the error's sentence, or what was measured."""

    verdict: Verdict
    text: str = ""


@dataclass(frozen=True)
class Row:
    """One estimator: its kind, and what became of it in both roles; "-" where it has no such role."""

    name: str
    kind: str
    model: Outcome
    step: Outcome


def judge(problem: Problem, count: int = 1000) -> Row:
    """Fit, convert in every role, and compare on `count` rows the conversion has not seen."""
    fitted = problem.fitted()
    alone, step = outcome(problem, fitted, count), Outcome("-")
    if hasattr(fitted, "transform") and not problem.is_of_targets:
        behind = _with_ridge(problem, fitted)
        if _answers(behind, problem.rows(9, seed=3)):
            step = outcome(problem, behind, count)
    return Row(problem.name, _kind(fitted), alone, step)


def outcome(problem: Problem, model: Any, count: int) -> Outcome:
    """Convert `model` and ask both sides about fresh rows. Anything but an EdgeError is wrong."""
    try:
        bundle = converter.convert(
            model, problem.rows(SHOWN_TO_CONVERT, seed=3), name="some", version="1.0.0"
        )
    except (UnsupportedModelError, InputError) as error:
        return Outcome("refuses", str(error))
    except EdgeError as error:
        # scikit-learn's own refusal is one; the parity gate's is told too late to be helpful.
        own = str(error).startswith("the source model")
        return Outcome("refuses" if own else "stopped", str(error))
    except Exception as error:  # noqa: BLE001 -- it is what this looks for
        return Outcome("wrong", f"{type(error).__name__}: {error}")
    rows = problem.rows(count, seed=4)
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = bundle.save(Path(folder) / "some.edge")
            with edge_runtime.load(path, allow_unsigned=True) as device:
                inference = device.infer(rows)
    except Exception as error:  # noqa: BLE001 -- no converted model may fail on the device
        return Outcome("wrong", f"{type(error).__name__}: {error}")
    return _compared(problem, model, rows, inference)


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
    agree = [row for row in rows if {row.model.verdict, row.step.verdict} <= {"agrees", "-"}]
    libraries = ", ".join(f"{library} {version(library)}" for library in LIBRARIES)
    lines = [_HEAD.format(libraries=libraries, total=len(rows), agree=len(agree)).rstrip(), ""]
    lines += ["| | as the model | as a step |", "|---|---|---|"]
    for verdict, words in _WORDS.items():
        counts = [
            sum(getattr(row, role).verdict == verdict for row in rows) for role in ("model", "step")
        ]
        lines.append(f"| {words} | {counts[0]} | {counts[1]} |")
    lines += ["", "| estimator | kind | as the model | as a step |", "|---|---|---|---|"]
    lines += [f"| {row.name} | {row.kind} | {_cell(row.model)} | {_cell(row.step)} |" for row in rows]
    return "\n".join(lines) + "\n"


def read_document(text: str) -> set[tuple[str, str]]:
    """(estimator, "model" or "step") for all that a document says agrees."""
    cells = [line.split(" | ") for line in text.splitlines() if line.count(" | ") == 3]
    found = set()
    for name, _, model, step in cells:
        found |= {(name[2:], "model")} if model == "agrees" else set()
        found |= {(name[2:], "step")} if step == "agrees |" else set()
    return found


def _cell(outcome: Outcome) -> str:
    if outcome.verdict == "-":
        return "–"
    if outcome.verdict == "agrees":
        return "agrees"
    text = outcome.text.replace("|", "/")
    shown = text if len(text) <= 160 else text[:157] + "…"
    return f"{outcome.verdict}: {shown}"


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
most 1e-5 of the largest (at least 1). Otherwise the first words of the error are shown.

Each is tried **as the model**, predicting or transforming; one that transforms also **as a step**, with
a regression behind it that reads all its columns. Arguments are the defaults, or smaller; estimators
inside others are linear models and trees.

{libraries}.

**{agree} of {total}** estimators convert and agree, in every role they have.
"""
