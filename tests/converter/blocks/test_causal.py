"""Filters in blocks against scipy's recursion in float64, forward and backward."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from converter.blocks.causal import Causal


def respond_of(sos: np.ndarray):  # type: ignore[no-untyped-def]
    return lambda count: signal.sosfilt(sos, np.eye(1, count)[0])


@settings(deadline=None, max_examples=40)
@given(
    length=st.integers(32, 1200),
    radius=st.floats(0.0, 0.999),
    angle=st.floats(0.0, np.pi),
    zeros=st.floats(-1.0, 1.0),
    backward=st.booleans(),
)
def test_any_stable_section_is_scipys(
    length: int, radius: float, angle: float, zeros: float, backward: bool
) -> None:
    poles = radius * np.exp([1j * angle, -1j * angle])
    sos = np.array([[1.0, zeros, 0.0, *np.poly(poles).real]])
    sos[0, :3] /= np.abs(signal.sosfilt(sos, np.eye(1, 4096)[0])).sum()  # no louder than its input
    x = np.random.default_rng(length).uniform(-1, 1, (2, 3, length)).astype(np.float32)
    turned = x[..., ::-1] if backward else x
    truth = signal.sosfilt(sos, turned.astype(float))
    truth = truth[..., ::-1] if backward else truth
    step = Causal.of(respond_of(sos), length, 2, backward=backward)
    assert np.abs(step(x) - truth).max() < 1e-6


@pytest.mark.parametrize("length", [1000, 4096, 16_384])
def test_constants_stay_far_below_the_square_of_the_length(length: int) -> None:
    sos = signal.butter(2, 0.01, output="sos")
    step = Causal.of(respond_of(sos), length, 2)
    constants = (step.within, step.read, step.carried, step.written)
    assert step.read.shape[1] == 2  # as many as the filter has states
    assert sum(each.size for each in constants) < length**1.6
