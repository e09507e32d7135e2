"""The manifest's part on how well the model does."""

from typing import Literal

import msgspec


class ClassScore(msgspec.Struct, frozen=True, kw_only=True):
    precision: float
    recall: float
    f1: float
    support: int


class CrossValidation(msgspec.Struct, frozen=True, kw_only=True):
    """The source model fitted anew on all but one fold of the `inputs` and scored on that, by turns."""

    metric: Literal["accuracy", "r2"]
    inputs: int
    scores: tuple[float, ...]
    mean: float
    std: float


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """Agreement with ground truth. `confusion[i][j]`: rows of class i that were called class j.

    `roc_auc`: of several classes each one against the rest, averaged; None where one does not occur.
    """

    inputs: int
    accuracy: float | None = None
    per_class: dict[str, ClassScore] = {}
    confusion: tuple[tuple[int, ...], ...] = ()
    mean_squared_error: float | None = None
    mean_absolute_error: float | None = None
    r2: float | None = None
    macro_f1: float | None = None
    weighted_f1: float | None = None
    roc_auc: float | None = None
    log_loss: float | None = None
    cross_validation: CrossValidation | None = None


class Accuracy(msgspec.Struct, frozen=True, kw_only=True):
    """What a quantized variant loses on `inputs` held-out inputs.

    measure: `accuracy` against labels, `r2` against true values; without those `agreement`, the share of
        labels that are the source model's, or `fit`, R² against the source model's values.
    source, found: of the source model (1 where it is the measure itself) and of the variant.
    drop: source less found; low, high: its 95 % confidence interval. allowed: the most that it may be.
    """

    measure: Literal["accuracy", "r2", "agreement", "fit"]
    inputs: int
    source: float
    found: float
    drop: float
    low: float
    high: float
    allowed: float
