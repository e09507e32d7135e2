"""The tables of trees, as the lowering for TensorRT walks them, in few bytes.

Inner nodes come first and leaves last (`converter.lowering.traversal`), so features, thresholds and
children are written of the first only, and values of the last only. Features, children and whatever else
is a whole number stay what they are. Thresholds stay what they are where features have few of them, as
histograms make; else they become the nearest of evenly spaced numbers, for each feature between its
lowest threshold and its highest, so that close ones are still told apart.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from converter.lowering.traversal import SPLIT_LEAVES, TREES
from converter.quantization.codes import Restoring, as_float16, symmetric

Kind = Literal["fp16", "int8", "int16"]
LEVELS = {"int8": 1 << 8, "int16": 1 << 16}

_ROLES = 5
_FLOAT, _INT32 = TensorProto.FLOAT, TensorProto.INT32
_LARGEST = np.finfo(np.float32).max / 4
_NAME = re.compile(rf"(?P<trees>.*{TREES}_\d+)\.(?P<role>[a-z_]+)")


@dataclass(frozen=True)
class _Tables:
    """The constants of one ensemble, and their names.

    are_split: whether leaves are twice as wide, whole steps and what is left of them. inner: how many
    nodes are no leaves; those come first.
    """

    name: Mapping[str, str]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    leaves: NDArray[np.float32]
    are_split: bool
    inner: int


def restored_tables(
    constants: Mapping[str, Any], kind: Kind, restoring: type[Restoring]
) -> Iterator[Restoring]:
    """For each ensemble of trees among a graph's constants what makes its tables again.

    constants: an `onnx.TensorProto` for each name.
    """
    found: dict[str, dict[str, str]] = {}
    for name in constants:
        if matched := _NAME.fullmatch(name):
            found.setdefault(matched["trees"], {})[matched["role"]] = name
    for prefix, names in found.items():
        if len(names) < _ROLES:  # of trees of one split each only the leaves are read
            continue
        arrays = {role: numpy_helper.to_array(constants[name]) for role, name in names.items()}
        are_split = SPLIT_LEAVES in names
        for each in (names, arrays) if are_split else ():
            each["leaves"] = each.pop(SPLIT_LEAVES)
        inner = int((arrays["left"] != np.arange(len(arrays["left"]))).sum())
        made = restoring(prefix)
        _restore(made, _Tables(names, **arrays, are_split=are_split, inner=inner), kind)
        yield made


def is_table(name: str) -> bool:
    """Whether a constant is a table of trees, by its name."""
    return _NAME.fullmatch(name) is not None


def _restore(made: Restoring, tables: _Tables, kind: Kind) -> None:
    inner, count = tables.inner, len(tables.left)
    feature = made.whole(tables.feature[:inner], _INT32)
    threshold = _thresholds(made, tables, feature, kind)
    limits = [made.constant(np.array(each, np.int32)) for each in (inner, count, 1)]
    leaves_own = made.node("Range", *limits)
    for role, children in (("left", tables.left), ("right", tables.right)):
        first = made.whole(children[:inner], _INT32)
        made.finish(made.node("Concat", first, leaves_own, axis=0), tables.name[role])
    ends = made.constant(np.array([0, count - inner]))
    made.finish(made.node("Pad", feature, ends), tables.name["feature"])
    if threshold is not None:
        made.finish(made.node("Pad", threshold, ends), tables.name["threshold"])
    _restore_leaves(made, tables, kind)


def _thresholds(made: Restoring, tables: _Tables, feature: str, kind: Kind) -> str | None:
    """Those of inner nodes. feature: the value of their features."""
    features, numbers = tables.feature[: tables.inner], tables.threshold[: tables.inner]
    if (told := _told_apart(features, numbers)) is not None:
        first, rank, different = told
        start = made.node("Gather", made.constant(first), feature)
        return made.node(
            "Gather", made.constant(different), made.node("Add", start, made.whole(rank, _INT32))
        )
    n_features = int(features.max(initial=0)) + 1
    if kind == "fp16" or (
        kind == "int8" and 8 * n_features > len(numbers)
    ):  # float16 is no larger there
        half = as_float16(numbers)
        return None if half is None else made.node("Cast", made.constant(half), to=_FLOAT)
    if (spaced := _evenly_spaced(features, numbers, LEVELS[kind])) is None:
        return None
    code, low, step = spaced
    way = made.node("Mul", made.whole(code, _FLOAT), made.node("Gather", made.constant(step), feature))
    return made.node("Add", way, made.node("Gather", made.constant(low), feature))


def _told_apart(
    feature: NDArray[np.int32], threshold: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float32]] | None:
    """Each feature's different thresholds written once: where its first is, which of them each node
    has, and all of them; None where that takes more than half of what float32 takes."""
    bits = threshold.view(np.int32)
    pairs, code = np.unique(np.stack([feature, bits]), axis=1, return_inverse=True)
    first = np.searchsorted(pairs[0], np.arange(feature.max(initial=0) + 1)).astype(np.int32)
    rank = code.reshape(-1) - first[feature]
    width = 1 if rank.max(initial=0) < LEVELS["int8"] else 2
    if 4 * (pairs.shape[1] + len(first)) + width * len(rank) > 2 * len(rank):
        return None
    return first, rank, np.ascontiguousarray(pairs[1]).view(np.float32)


def _evenly_spaced(
    feature: NDArray[np.int32], threshold: NDArray[np.float32], levels: int
) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.float32]] | None:
    """Codes, and for each feature low and step, such that low + code · step is near the threshold;
    None where one is as good as infinite."""
    if np.abs(threshold).max(initial=0.0) > _LARGEST:
        return None
    low, high = np.zeros((2, feature.max(initial=0) + 1), np.float32)
    low[feature] = high[feature] = threshold  # one of each feature's, to begin with
    np.minimum.at(low, feature, threshold)
    np.maximum.at(high, feature, threshold)
    step = _steps(feature, threshold, low, high, levels)
    code = np.rint((threshold.astype(np.float64) - low[feature]) / step[feature])
    if levels > LEVELS["int8"]:  # what equals its threshold goes left still; int8 has no step to spare
        code += code.astype(np.float32) * step[feature] + low[feature] < threshold
    return np.clip(code, 0, levels - 1), low, step


def _steps(
    feature: NDArray[np.int32],
    threshold: NDArray[np.float32],
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    levels: int,
) -> NDArray[np.float32]:
    """For each feature the step between codes: a power of two where all its thresholds are then exact,
    as those of counts and readings of whole numbers are, or else the smallest that reaches them all."""
    smallest = (high.astype(np.float64) - low) / (levels - 1)
    smallest = np.maximum(smallest, np.finfo(np.float32).smallest_normal)
    power = np.exp2(np.ceil(np.log2(smallest)))
    way = (threshold.astype(np.float64) - low[feature]) / power[feature]
    is_exact = np.ones(len(low), np.bool_)
    np.logical_and.at(is_exact, feature, way == np.rint(way))
    reaching = np.nextafter(smallest.astype(np.float32), np.float32(np.inf))
    return np.where(is_exact, power, reaching).astype(np.float32)


def _restore_leaves(made: Restoring, tables: _Tables, kind: Kind) -> None:
    """The values of leaves. Those split for exact sums are joined: a code is not that exact."""
    values, width = tables.leaves[tables.inner :], tables.leaves.shape[1]
    if tables.are_split:
        values = values[:, : width // 2] + values[:, width // 2 :]
    given = values != 0
    column = given.argmax(axis=1)
    alone = values.shape[1] > 2 and bool((given.sum(axis=1) <= 1).all())
    written = values[np.arange(len(values)), column] if alone else values
    if (value := _levelled(made, written, kind)) is None:
        return
    if alone:  # each leaf has a value in one column, as where every class has trees of its own
        every = made.constant(np.arange(values.shape[1], dtype=np.int32))
        here = made.node("Equal", _upright(made, made.whole(column, _INT32)), every)
        nothing = made.constant(np.array(0, np.float32))
        value = made.node("Where", here, _upright(made, value), nothing)
    pads = made.constant(np.array([tables.inner, 0, 0, width - values.shape[1]]))
    made.finish(made.node("Pad", value, pads), tables.name["leaves"])


def _upright(made: Restoring, value: str) -> str:
    return made.node("Unsqueeze", value, made.constant(np.array([1])))


def _levelled(made: Restoring, values: NDArray[np.float32], kind: Kind) -> str | None:
    """Leaves' values, (leaves,) or one column an output; zeros stay zeros. Shares are never negative,
    and have all levels above zero."""
    if not np.isfinite(values).all():
        return None
    if kind == "fp16":
        half = as_float16(values)
        return None if half is None else made.node("Cast", made.constant(half), to=_FLOAT)
    levels = LEVELS[kind]
    if values.min(initial=0.0) < 0:
        return made.scaled(*symmetric(values, levels, reduced=(0,)))
    largest = values.max(axis=0, keepdims=True, initial=np.finfo(np.float32).smallest_normal)
    step = np.maximum(largest / np.float32(levels - 1), np.finfo(np.float32).smallest_normal)
    code = np.rint(values.astype(np.float64) / step)
    return made.scaled(np.clip(code, 0, levels - 1), 0, step)
