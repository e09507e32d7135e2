"""Blocks against the library they are like: one list for tests, documentation and benchmark."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from converter.blocks import Block
from tests.converter.blocks.in_graph import in_onnx

_MODULES = ("window_features_cases", "time_cases", "spectral_cases", "image_cases", "tabular_cases")


@dataclass(frozen=True)
class Case:
    """One block with its arguments, inputs like those it is for, and who knows the right answer.

    inputs: makes `count` inputs as a user has them (float32 windows, uint8 images, int64 dates).
    reference: the answer of `library` (such as "scipy"), in float64, for those inputs.
    bound: the largest error that the block's docstring allows, over the answer's largest absolute
        value; 0.0 for an exact one.
    """

    name: str
    block: Block
    inputs: Callable[[int], np.ndarray]
    reference: Callable[[np.ndarray], np.ndarray]
    library: str
    bound: float


@dataclass(frozen=True)
class Measured:
    """The largest error of numpy and of ONNX Runtime, over the answer's largest absolute value."""

    in_numpy: float
    in_graph: float


def every_case() -> Iterator[Case]:
    """All cases, in the order of the documentation."""
    for name in _MODULES:
        yield from import_module(f"tests.converter.blocks.{name}").CASES


def measure(case: Case, count: int = 24) -> Measured:
    """How far the fitted block is from its reference, on inputs other than those of `fit`."""
    block = case.block.fit(case.inputs(3))
    inputs = case.inputs(count)
    expected = np.asarray(case.reference(inputs), np.float64)
    missing = np.isnan(expected)
    scale = max(float(np.nanmax(np.abs(expected))), np.finfo(np.float32).tiny)
    errors = []
    for found in (block.transform(inputs), in_onnx(block, inputs)):
        assert found.shape == expected.shape, (case.name, found.shape, expected.shape)
        assert found.dtype == np.float32, case.name
        assert np.array_equal(np.isnan(found), missing), case.name
        errors.append(float(np.abs(found - expected)[~missing].max()) / scale)
    return Measured(*errors)


def noise(length: int, axes: int, seed: int = 0) -> Callable[[int], Any]:
    """Windows of float32 noise with sines and an offset, as an accelerometer gives them."""

    def make(count: int) -> np.ndarray:
        rng = np.random.default_rng((seed, count))
        time = np.arange(length)[:, None] / length
        waves = 3 * np.sin(2 * np.pi * rng.integers(1, 9, size=(count, 1, axes)) * time)
        offset = rng.normal(scale=5, size=(count, 1, axes))
        return (rng.normal(size=(count, length, axes)) + waves + offset).astype(np.float32)

    return make
