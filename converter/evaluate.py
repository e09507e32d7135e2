"""The variant against ground truth: what the manifest says about accuracy."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.frontends.base import SourceModel
from converter.inputs import Labels
from converter.source import Tensors
from edge_runtime.bundle.manifest import ClassScore, Evaluation
from edge_runtime.errors import InputError


def class_indices(labels: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.int64]:
    """Each label's index in `classes` (the model's own, of any dtype).

    Labels match as numbers where both are numbers or can be read as such, as a CSV file's are, else
    as texts. Raises InputError for a label that is no class, and for more than one column.
    """
    if labels.ndim != 1:
        raise InputError(f"labels: expected one an input, found an array of shape {labels.shape}.")
    known, given = classes.tolist(), labels.tolist()
    if classes.dtype.kind in "biuf":
        known = [float(name) for name in known]
        given = [_number(name) for name in given]
    else:
        known, given = [str(name) for name in known], [str(name) for name in given]
    index = {name: i for i, name in enumerate(known)}
    for row, name in enumerate(given):
        if name not in index:
            raise InputError(
                f"labels: row {row}: expected one of the model's classes {classes.tolist()[:10]}, "
                f"found {labels.tolist()[row]!r}."
            )
    return np.array([index[name] for name in given], dtype=np.int64)


def _number(label: Any) -> Any:
    if label in ("True", "False"):  # how a CSV file spells booleans
        return float(label == "True")
    try:
        return float(label)
    except (TypeError, ValueError):
        return label


def classification(
    truth: NDArray[np.int64],
    called: NDArray[np.int64],
    class_names: tuple[str, ...],
    probabilities: NDArray[Any] | None = None,
) -> Evaluation:
    """Accuracy, a score for each class and the confusion matrix, from class indices.

    A ratio whose denominator is 0 (a class never called, or not in the labels) is 0. With
    `probabilities` (n, classes) also ROC AUC and log loss.
    """
    count = len(class_names)
    confusion = np.bincount(truth * count + called, minlength=count * count).reshape(count, count)
    hits = np.diagonal(confusion).astype(np.float64)
    support, calls = confusion.sum(axis=1), confusion.sum(axis=0)
    precision, recall = _ratio(hits, calls), _ratio(hits, support)
    f1 = _ratio(2 * hits, support + calls)
    return Evaluation(
        inputs=len(truth),
        accuracy=float(hits.sum() / len(truth)),
        per_class={
            name: ClassScore(
                precision=float(precision[i]),
                recall=float(recall[i]),
                f1=float(f1[i]),
                support=int(support[i]),
            )
            for i, name in enumerate(class_names)
        },
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        macro_f1=float(f1[(support + calls) > 0].mean()),
        weighted_f1=float(f1 @ support / len(truth)),
        roc_auc=None if probabilities is None else roc_auc(truth, probabilities),
        log_loss=None if probabilities is None else log_loss(truth, probabilities),
    )


def _ratio(part: NDArray[np.float64], whole: NDArray[Any]) -> NDArray[np.float64]:
    ratio: NDArray[np.float64] = np.divide(part, whole, out=np.zeros_like(part), where=whole != 0)
    return ratio


def roc_auc(truth: NDArray[np.int64], probabilities: NDArray[Any]) -> float | None:
    """The area under the receiver operating characteristic; of two classes that of the second.

    Of several classes each one against the rest, averaged. None where a class does not occur in `truth`
    or a probability is not a number.
    """
    columns = range(probabilities.shape[1])
    if len(np.unique(truth)) < len(columns) or not np.isfinite(probabilities).all():
        return None
    counted = [1] if len(columns) == 2 else columns
    return float(np.mean([_area(truth == column, probabilities[:, column]) for column in counted]))


def _area(is_it: NDArray[np.bool_], score: NDArray[Any]) -> float:
    """The share of pairs, one that is it and one that is not, in the right order; ties count half.

    By ranks, as in Mann and Whitney (1947): equal scores share the mean of their ranks.
    """
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    positives = int(is_it.sum())
    above = ranks[place][is_it].sum() - positives * (positives + 1) / 2
    return float(above / (positives * (len(is_it) - positives)))


def log_loss(truth: NDArray[np.int64], probabilities: NDArray[Any]) -> float | None:
    """The mean of `log_losses`. None where a probability is not a number."""
    loss = float(log_losses(truth, probabilities).mean())
    return loss if np.isfinite(loss) else None


def log_losses(truth: NDArray[np.int64], probabilities: NDArray[Any]) -> NDArray[np.float64]:
    """(n,): -ln of the true class' probability, which is kept off 0 by its dtype's precision."""
    own = probabilities[np.arange(len(truth)), truth]
    smallest = np.finfo(own.dtype).eps
    losses: NDArray[np.float64] = -np.log(np.clip(own, smallest, 1 - smallest).astype(np.float64))
    return losses


def numbers(labels: NDArray[Any]) -> NDArray[np.float64]:
    """The true values of a regression. Raises InputError for texts, and for NaN or infinity."""
    try:
        values = labels.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            "labels: expected numbers, which is what the model predicts; found "
            f"{labels.ravel()[:1].tolist()[0]!r}, for one."
        ) from error
    if not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values))[0][0])
        raise InputError(
            f"labels: row {row}: expected a finite number, found {labels[row]}. Leave such "
            "rows out of inputs and labels."
        )
    return values


def regression(truth: NDArray[Any], found: NDArray[Any]) -> Evaluation:
    """Mean squared and absolute error and R², averaged over outputs. Raises InputError.

    R² of an output whose truth does not vary is 1 when it is met exactly, else 0, as in scikit-learn.
    """
    truth = numbers(truth)
    if truth.shape != found.shape:
        raise InputError(
            f"labels: expected shape {found.shape}, as the predictions have; found {truth.shape}."
        )
    truth, found = truth.reshape(len(truth), -1), found.reshape(len(found), -1).astype(np.float64)
    residual = np.square(truth - found).sum(axis=0)
    total = np.square(truth - truth.mean(axis=0)).sum(axis=0)
    r2 = np.where(residual == 0, 1.0, 0.0)
    np.divide(residual, total, out=residual, where=total != 0)
    r2 = np.where(total != 0, 1 - residual, r2)
    return Evaluation(
        inputs=len(truth),
        mean_squared_error=float(np.square(truth - found).mean()),
        mean_absolute_error=float(np.abs(truth - found).mean()),
        r2=float(r2.mean()),
    )


def multi_label(truth: NDArray[np.int64], called: NDArray[np.int64]) -> Evaluation:
    """Of several labels (n, m): the share of single labels that are right."""
    return Evaluation(inputs=len(truth), accuracy=float((truth == called).mean()))


def truth_of(source: SourceModel, labels: Labels) -> NDArray[Any]:
    """Labels as the evaluation takes them; wrong ones are told before any work is done."""
    if isinstance(labels, dict):
        labels = _beside(labels, source.value_names or [each.name for each in source.labels])
    if source.task == "regression":
        return numbers(labels)
    if source.task != "classification":
        raise InputError(
            f"labels: expected none for {source.task}, whose answers have no truth to compare with."
        )
    if not source.is_multi_label:
        return class_indices(labels, source.classes[0])
    if labels.ndim != 2 or labels.shape[1] != len(source.classes):
        raise InputError(f"labels: expected {len(source.classes)} an input, found {labels.shape}.")
    columns = [class_indices(labels[:, j], classes) for j, classes in enumerate(source.classes)]
    return np.stack(columns, axis=1)


def _beside(labels: dict[str, NDArray[Any]], names: Sequence[str]) -> NDArray[Any]:
    """An array of each output, in the outputs' order, as one of shape (n, ...)."""
    if len(labels) == len(names) == 1:
        return next(iter(labels.values()))
    if labels.keys() != {*names}:
        raise InputError(
            f"labels: expected an array, or one an output by its name: {', '.join(map(repr, names))}; "
            f"found {', '.join(map(repr, labels))}."
        )
    return np.concatenate([labels[name].reshape(len(labels[name]), -1) for name in names], axis=1)


def values_of(found: Tensors) -> NDArray[Any]:
    """The values of a regression; those of several outputs side by side, (n, m)."""
    if len(found) == 1:
        return next(iter(found.values()))
    return np.concatenate([values.reshape(len(values), -1) for values in found.values()], axis=1)


def evaluated(source: SourceModel, truth: NDArray[Any], found: Tensors) -> Evaluation:
    """How the variant's answers `found` agree with the truth, by the source model's task."""
    if source.task == "regression":
        return regression(truth, values_of(found))
    if source.is_multi_label:
        return multi_label(truth, found["label"])
    return classification(truth, found["label"], source.class_names, found.get("probabilities"))
