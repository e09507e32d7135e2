"""What `converter.convert` makes of every scikit-learn estimator: agrees, refuses, or is wrong.

An estimator is tried in each role that it has: as the model, on rows of three dtypes, and as a step (it
transforms, and a Ridge reads every number it gives). Conversion sees some rows; the verdict is of
others. Declared as float32, the variant for boards with TensorRT is held to the same as the plain one.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from sklearn.base import is_classifier, is_clusterer, is_outlier_detector, is_regressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline

import converter
import edge_runtime
from converter import ConvertedBundle
from edge_runtime.engine.outputs import Inference
from edge_runtime.errors import EdgeError, InputError, UnsupportedModelError
from tests.converter.every_estimator import Problem
from tests.converter.standard_variant import standard_variant

TOLERANCE = 1e-5
NEAR_TIE = 1e-6
SHOWN_TO_CONVERT = 200
ALONE = 3
DTYPES = ("float32", "float64", "int64")
ROLES = {"float32": "float32", "float64": "float64", "int64": "int64", "step": "as a step"}
# What the variant for TensorRT is made for: boards whose own compute capability plans are built for.
BOARDS = {"rtx-30": "8.6", "rtx-50": "12.0"}
_NO_VARIANT = "it has no TensorRT variant: "

Infer = Callable[[Any], Inference]
Verdict = Literal["agrees", "refuses", "stopped", "wrong", "none", "-"]


@dataclass(frozen=True)
class Outcome:
    """What became of one estimator in one role. `text`: the error's sentence, or what was measured."""

    verdict: Verdict
    text: str = ""
    exact: str = ""


@dataclass(frozen=True)
class Row:
    """One estimator: its kind, and what became of it.

    outcomes: in each of ROLES; "-" where it has no such role. lowered: of the variant for TensorRT, run
    in ONNX Runtime; "none" where there is none. refusals: by compute capability why TensorRT-RTX
    builds no plan of it, '' where it does; empty where there is nothing to build.
    """

    name: str
    kind: str
    outcomes: dict[str, Outcome]
    lowered: Outcome
    refusals: dict[str, str]

    @property
    def agrees(self) -> bool:
        return {outcome.verdict for outcome in self.outcomes.values()} <= {"agrees", "-"}

    @property
    def built(self) -> tuple[str, ...]:
        """The compute capabilities that plans were built for."""
        return tuple(capability for capability, why in self.refusals.items() if not why)


def judge(problem: Problem, count: int = 1000) -> Row:
    """Fit, convert in every role, and compare on `count` rows the conversion has not seen."""
    fitted = problem.fitted()
    asked = Asked(problem, fitted, "float32", count)
    bundle = asked.converted(tuple(BOARDS))
    found = {"float32": asked.plain(bundle)}
    for dtype in DTYPES[1:]:
        other = Asked(problem, problem.fitted(dtype), dtype, count)
        found[dtype] = other.plain(other.converted())
    found["step"] = Outcome("-")
    if hasattr(fitted, "transform") and not problem.is_of_targets:
        behind = _with_ridge(problem, fitted)
        if _answers(behind, problem.rows(9, seed=3)):
            other = Asked(problem, behind, "float32", count)
            found["step"] = other.plain(other.converted())
    return Row(problem.name, _kind(fitted), found, asked.lowered(bundle), _refusals(bundle))


@dataclass(frozen=True)
class Asked:
    """One fitted model, and how many rows of which dtype it is asked about."""

    problem: Problem
    model: Any
    dtype: str
    count: int

    def converted(self, boards: tuple[str, ...] = ()) -> ConvertedBundle | Outcome:
        """The bundle, or the refusal. Anything but an EdgeError is wrong."""
        shown = self.problem.rows(SHOWN_TO_CONVERT, seed=3, dtype=self.dtype)
        try:
            return converter.convert(
                self.model, shown, name="some", version="1.0.0", input_dtype=self.dtype, boards=boards
            )
        except (UnsupportedModelError, InputError) as error:
            return Outcome("refuses", str(error))
        except EdgeError as error:
            # scikit-learn's own refusal is one; the parity gate's is told too late to be helpful.
            own = str(error).startswith("the source model")
            return Outcome("refuses" if own else "stopped", str(error))
        except Exception as error:  # noqa: BLE001 -- it is what this looks for
            return Outcome("wrong", f"{type(error).__name__}: {error}")

    def plain(self, bundle: ConvertedBundle | Outcome) -> Outcome:
        """Of the variant that a device without TensorRT runs."""
        if isinstance(bundle, Outcome):
            return bundle
        return replace(self._held(_device(bundle)), exact=bundle.manifest.variants[0].exact)

    def lowered(self, bundle: ConvertedBundle | Outcome) -> Outcome:
        """Of the variant for TensorRT, or the sentence that says why there is none."""
        if isinstance(bundle, Outcome):
            return bundle
        variants = bundle.manifest.variants[1:]
        if not variants:
            return Outcome("none", bundle.notes[0].partition(_NO_VARIANT)[2])
        return replace(self._held(standard_variant(bundle)), exact=variants[0].exact)

    def _held(self, opened: AbstractContextManager[Infer]) -> Outcome:
        """Ask both sides about fresh rows."""
        rows = self.problem.rows(self.count, seed=4, dtype=self.dtype)
        try:
            with opened as infer:
                found = infer(rows)
                singles = [infer(rows[at : at + 1]) for at in range(ALONE)]
        except Exception as error:  # noqa: BLE001 -- no converted model may fail on the device
            return Outcome("wrong", f"{type(error).__name__}: {error}")
        if not all(_same_alone(found, single, at) for at, single in enumerate(singles)):
            return Outcome("wrong", "a row alone gets another answer than among others")
        return _compared(self.problem, self.model, rows, found)


@contextmanager
def _device(bundle: ConvertedBundle) -> Iterator[Infer]:
    with tempfile.TemporaryDirectory() as folder:
        path = bundle.save(Path(folder) / "some.edge")
        with edge_runtime.load(path, allow_unsigned=True) as device:
            yield device.infer


def _refusals(bundle: ConvertedBundle | Outcome) -> dict[str, str]:
    """By compute capability why there is no plan, '' where there is one."""
    if isinstance(bundle, Outcome) or not bundle.manifest.variants[1:]:
        return {}
    (variant,) = bundle.manifest.variants[1:]
    said = dict(zip(BOARDS, bundle.notes, strict=True))
    return {
        capability: "" if board in variant.boards else said[board].partition(_NO_VARIANT)[2]
        for board, capability in BOARDS.items()
    }


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
