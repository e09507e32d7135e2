"""Encoders of categories: texts or numbers to columns of numbers.

A category that was not seen in training is what `handle_unknown` says. Where that is "error", the device
refuses the row as the source does.
"""

from collections.abc import Callable, Sequence
from textwrap import shorten
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import (
    KBinsDiscretizer,
    LabelBinarizer,
    LabelEncoder,
    OneHotEncoder,
    OrdinalEncoder,
    TargetEncoder,
)

from converter.lowering.intervals import places
from converter.lowering.registry import Array, refuse, transforms
from converter.lowering.scaling import as_floating
from converter.lowering.table import Table
from converter.tracing import ops
from edge_runtime.bundle.manifest import MISSING_TEXT
from edge_runtime.errors import UnsupportedModelError

_MOST_NAMED = 8  # categories in a message


def is_missing(value: Any) -> bool:
    """Whether a category is None, NaN or pandas.NA."""
    if value is None or type(value).__name__ == "NAType":
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def codes(step: Any, column: Array, categories: Any) -> Array:
    """Which category each value of a column (n,) is, int64 (n,): `len(categories)` is an unknown one."""
    values = list(categories)
    if sum(map(is_missing, values)) > 1:
        raise UnsupportedModelError(
            f"{type(step).__name__} cannot be converted: it knows None and NaN as two categories, and a "
            "device knows one kind of missing value. Make one of them before training."
        )
    if column.dtype.kind not in "biuf":
        return _text_codes(column, values)
    return _number_codes(column, values)


def _text_codes(column: Array, categories: Sequence[Any]) -> Array:
    """A category that is a number no text is equal to."""
    texts = [MISSING_TEXT if is_missing(value) else value for value in categories]
    members = [member for member, text in enumerate(texts) if isinstance(text, str)]
    found = ops.lookup(column, [str(texts[member]) for member in members], default=len(members))
    return found if len(members) == len(texts) else ops.take(np.array([*members, len(texts)]), found)


def _number_codes(column: Array, categories: Sequence[Any]) -> Array:
    members, which = _equal(column, categories)
    if not members:  # texts only
        return np.full_like(column, len(categories), dtype=np.int64)
    found = ops.take(np.array(members, np.int64), np.argmax(which, axis=1))
    return np.where(np.any(which, axis=1), found, len(categories)).astype(np.int64)


def _equal(column: Array, categories: Sequence[Any]) -> tuple[list[int], Array]:
    """Which categories a number can be, and whether each value of a column (n,) is it: bool (n, those).

    Compared in the dtype that column and categories have in common, as scikit-learn does.
    """
    column = column.astype(np.int64) if column.dtype.kind == "b" else column
    members = [
        at
        for at, value in enumerate(categories)
        if not is_missing(value) and not isinstance(value, str | bytes)
    ]
    equal = []
    if members:
        equal.append(column[:, None] == _numbers([categories[at] for at in members]))
    missing = [at for at, value in enumerate(categories) if is_missing(value)]
    if missing and column.dtype.kind == "f":
        equal.append(np.isnan(column)[:, None])
        members += missing
    return members, np.concatenate(equal, axis=1) if len(equal) > 1 else equal[0] if equal else None


def _numbers(values: Sequence[Any]) -> NDArray[Any]:
    """The categories of one column, which an object array may hold one by one."""
    found = np.array(values)
    return found.astype(np.int64) if found.dtype.kind == "b" else found


@transforms(OneHotEncoder, reads="table")
def one_hot_encoder(step: OneHotEncoder, x: Table) -> Array:
    """One output a category of each column; infrequent ones share one, and `drop` leaves some out."""
    blocks = []
    for at, categories in enumerate(step.categories_):
        hot, unknown = _hot(step, at, x.column(at), categories)
        blocks.append(hot.astype(step.dtype))
        if step.handle_unknown == "error":
            _refuse_unknown(x, at, categories, unknown())
    return np.concatenate(blocks, axis=1)


def _hot(step: Any, at: int, column: Array, categories: Any) -> tuple[Array, Callable[[], Array]]:
    """A column's outputs, bool (n, outputs), and how to know which rows hold no category, bool (n,)."""
    outputs, width = _outputs(step, at)
    if column.dtype.kind in "biuf" and _infrequent(step, at) is None:
        members, which = _equal(column, list(categories))
        if width and members == list(range(len(categories))):  # each output is one comparison
            places = [int(np.flatnonzero(outputs[:-1] == output)[0]) for output in range(width)]
            hot = which if places == members else which[:, places]
            return hot, lambda: ~np.any(which, axis=1)
    found = codes(step, column, categories)
    output: Array = ops.take(outputs, found)
    return output[:, None] == np.arange(width), lambda: found == len(categories)


def _refuse_unknown(x: Table, at: int, categories: Any, unknown: Array) -> None:
    name = repr(x.names[at]) if x.names else str(at)
    values = np.asarray(categories).tolist()
    listed = ["nothing" if is_missing(value) else shorten(repr(value), 40) for value in values]
    known = ", ".join(listed[:_MOST_NAMED]) + (", ..." if len(listed) > _MOST_NAMED else "")
    refuse(unknown, f"column {name} has a category that training had not; known are {known}")


def _outputs(step: OneHotEncoder, at: int) -> tuple[NDArray[np.int64], int]:
    """The output of each category of a column, and last of an unknown one, or -1; how many there are."""
    count = len(step.categories_[at])
    outputs = np.arange(count)
    infrequent = _infrequent(step, at)
    if infrequent is not None:
        outputs = infrequent
    joint = int(outputs.max()) if infrequent is not None else -1
    takes_unknown = step.handle_unknown in ("infrequent_if_exist", "warn")
    outputs = np.append(outputs, joint if takes_unknown else -1)
    dropped = None if step._drop_idx_after_grouping is None else step._drop_idx_after_grouping[at]
    if dropped is not None:
        outputs = np.where(outputs == dropped, -1, outputs - (outputs > dropped))
    return outputs, int(step._n_features_outs[at])


def _infrequent(step: Any, at: int) -> NDArray[np.int64] | None:
    """Where each category goes once the infrequent ones are grouped; None where there are none."""
    if not step._infrequent_enabled or step._default_to_infrequent_mappings[at] is None:
        return None
    return np.asarray(step._default_to_infrequent_mappings[at], np.int64)


@transforms(OrdinalEncoder, reads="table")
def ordinal_encoder(step: OrdinalEncoder, x: Table) -> Array:
    """Each column's category by number, with the numbers asked for unknown and missing ones."""
    columns = []
    for at, categories in enumerate(step.categories_):
        found = codes(step, x.column(at), categories)
        columns.append(ops.take(_ordinals(step, at).astype(step.dtype), found))
        if step.handle_unknown == "error":
            _refuse_unknown(x, at, categories, found == len(categories))
    return np.stack(columns, axis=1)


def _ordinals(step: OrdinalEncoder, at: int) -> NDArray[np.float64]:
    """For each category of a column, and last for an unknown one, its number."""
    values = np.arange(len(step.categories_[at]) + 1, dtype=np.float64)
    infrequent = _infrequent(step, at)
    if infrequent is not None:  # of all but a missing value
        values[: len(infrequent)] = infrequent
    if at in step._missing_indices:
        values[step._missing_indices[at]] = step.encoded_missing_value
    values[-1] = -1 if step.handle_unknown == "error" else step.unknown_value
    return values


@transforms(TargetEncoder, reads="table")
def target_encoder(step: TargetEncoder, x: Table) -> Array:
    """The target's smoothed mean in each category (of several classes, each); its mean if unknown."""
    means = np.atleast_1d(step.target_mean_)
    blocks = []
    for at, categories in enumerate(step.categories_):
        encodings = step.encodings_[at * len(means) : (at + 1) * len(means)]
        known = np.stack([np.asarray(each, np.float64) for each in encodings], axis=1)
        blocks.append(ops.take(np.vstack([known, means]), codes(step, x.column(at), categories), axis=0))
    return np.concatenate(blocks, axis=1)


@transforms(KBinsDiscretizer, reads="given")
def bins(step: KBinsDiscretizer, x: Array) -> Array:
    """Each column's bin, by number or one output a bin. An inner edge belongs to the bin above it."""
    x = as_floating(x) if step.dtype is None else x.astype(step.dtype)
    found = places(x, [edges[1:-1] for edges in step.bin_edges_], "right")
    if step.encode != "ordinal":
        counts = step.n_bins_.astype(np.int64)
        column = np.repeat(np.arange(len(counts)), counts)
        found = found[:, column] == np.concatenate([np.arange(count) for count in counts])
    return found.astype(x.dtype)


@transforms(LabelEncoder, reads="table")
def label_encoder(step: LabelEncoder, x: Table) -> Array:
    """The number of each label, int64 (n,); numbers are cast to the labels' dtype before."""
    column = x.column(0)
    if column.dtype.kind in "biuf" and step.classes_.dtype.kind in "biuf":
        column = column.astype(step.classes_.dtype)
    found = codes(step, column, step.classes_)
    _refuse_unknown(x, 0, step.classes_, found == len(step.classes_))
    return found


@transforms(LabelBinarizer, reads="table")
def label_binarizer(step: LabelBinarizer, x: Table) -> Array:
    """`pos_label` in the column of each label, int64; of two labels only the second has a column."""
    if step.y_type_ == "multilabel-indicator":
        raise UnsupportedModelError(
            "LabelBinarizer of several labels cannot be converted: it was trained on an indicator "
            "matrix, which it leaves as it is. Leave the step out."
        )
    classes = step.classes_
    # Of one class scikit-learn makes a column without a positive label.
    columns = {1: np.array([-1]), 2: np.array([1])}.get(len(classes), np.arange(len(classes)))
    column = x.column(0)
    if column.dtype.kind == "f":
        refuse(column != np.floor(column), "LabelBinarizer: a label that is no whole number")
    hot = codes(step, column, classes)[:, None] == columns
    return np.where(hot, step.pos_label, step.neg_label).astype(np.int64)
