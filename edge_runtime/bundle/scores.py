"""How well a bundle does, as lines of text: what `convert`, `inspect` and the model card show alike."""

from collections.abc import Iterator, Sequence
from math import sqrt

from edge_runtime.bundle.layout import MAX_LISTED, cut, plain, table
from edge_runtime.bundle.manifest import ClassScore, CrossValidation, Evaluation

NORMAL_975 = 1.959963984540054  # the standard normal's 97.5th percentile
_MAX_TITLE = 24
_MEASURES = {"accuracy": "accuracy", "r2": "R²"}


def wilson_interval(share: float, count: int) -> tuple[float, float]:
    """The 95 % confidence interval of a share of `count` trials (Wilson 1927, JASA 22, 209-212).

    Unlike the normal approximation it stays within 0 and 1 and has a width when all trials agree.
    """
    squared = NORMAL_975**2
    middle = share + squared / (2 * count)
    reach = NORMAL_975 * sqrt(share * (1 - share) / count + squared / (4 * count**2))
    below = (middle - reach) / (1 + squared / count)
    above = (middle + reach) / (1 + squared / count)
    return max(0.0, below), min(1.0, above)


def score_lines(evaluation: Evaluation, classes: Sequence[str]) -> Iterator[str]:
    """The scores in a sentence or two, then a table of the classes and the confusion matrix."""
    yield from sentences(evaluation)
    if evaluation.per_class:
        rows = [
            [plain(name), f"{of.precision:.3f}", f"{of.recall:.3f}", f"{of.f1:.3f}", str(of.support)]
            for name, of in by_class(evaluation, classes)
        ]
        yield ""
        yield from cut(list(table([["class", "precision", "recall", "f1", "inputs"], *rows])))
    if evaluation.confusion:
        names = [plain(name)[:_MAX_TITLE] for name in classes] + [""] * len(evaluation.confusion)
        rows = [
            [name, *map(str, row[:MAX_LISTED])]
            for name, row in zip(names, evaluation.confusion[:MAX_LISTED], strict=False)
        ]
        yield ""
        yield from table([["is \\ called", *names[: len(rows[0]) - 1]], *rows])


def _interval(share: float, count: int) -> str:
    """Of what a manifest calls an accuracy; a stranger's may be none, which has no interval."""
    if count < 1 or not 0 <= share <= 1:
        return ""
    low, high = wilson_interval(share, count)
    return f", 95 % interval {low:.3f} to {high:.3f}"


def sentences(evaluation: Evaluation) -> Iterator[str]:
    """Every score there is, the one that matters most first and with its confidence interval."""
    on = f"on {evaluation.inputs} labelled inputs"
    if not evaluation.inputs:
        yield "accuracy not measured on held-out inputs: no labels were given"
    if (share := evaluation.accuracy) is not None:
        yield f"accuracy {share:.3f} {on}{_interval(share, evaluation.inputs)}"
    more = [f"{what} {score:.4g}" for what, score in further_scores(evaluation) if score is not None]
    if more:
        yield ", ".join(more) + ("" if evaluation.accuracy is not None else f" {on}")
    if evaluation.cross_validation is not None:
        yield cross_validated(evaluation.cross_validation)


def further_scores(evaluation: Evaluation) -> list[tuple[str, float | None]]:
    """By what they are called: all but accuracy and those of single classes."""
    return [
        ("mean squared error", evaluation.mean_squared_error),
        ("mean absolute error", evaluation.mean_absolute_error),
        ("R²", evaluation.r2),
        ("macro F1", evaluation.macro_f1),
        ("weighted F1", evaluation.weighted_f1),
        ("ROC AUC", evaluation.roc_auc),
        ("log loss", evaluation.log_loss),
    ]


def cross_validated(found: CrossValidation) -> str:
    """In a sentence."""
    return (
        f"cross-validation of {len(found.scores)} folds of {found.inputs} training inputs: "
        f"{_MEASURES[found.metric]} {found.mean:.3f}, standard deviation {found.std:.3f}"
    )


def by_class(evaluation: Evaluation, classes: Sequence[str]) -> list[tuple[str, ClassScore]]:
    """Scores in the order of the classes, whatever else is there last."""
    place = {name: index for index, name in enumerate(classes)}
    return sorted(evaluation.per_class.items(), key=lambda item: place.get(item[0], len(place)))
