import pickle

import numpy as np
import onnx
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from converter.blocks import Block, BlockError, WindowFeatures
from edge_runtime.errors import InputError
from tests.converter.blocks.in_graph import graph_of, in_onnx

LENGTHS = (2, 3, 7, 64, 100, 501, 1024, 4096)
BOUND = 2e-6  # of the largest absolute value in the window: what the docstring promises


def windows_of(length: int, *, offset: float = 0.0, count: int = 12, axes: int = 3) -> np.ndarray:
    """Noise, sines and spikes on an offset, float32."""
    rng = np.random.default_rng(length)
    time = np.arange(length)[:, None] / length
    noise = rng.normal(size=(count, length, axes)) * rng.choice([0.01, 1, 30], size=(count, 1, axes))
    waves = 5 * np.sin(2 * np.pi * rng.integers(1, 9, size=(count, 1, axes)) * time)
    spikes = (rng.random((count, length, axes)) < 0.01) * 100
    return (noise + waves + spikes + offset).astype(np.float32)


def in_float64(windows: np.ndarray, bins: int) -> np.ndarray:
    wide, length = windows.astype(np.float64), windows.shape[1]
    spectrum = np.abs(np.fft.rfft(wide, axis=1))[:, 1 : bins + 1] * 2 / length
    if bins * 2 == length:
        spectrum[:, -1] /= 2
    parts = [wide.mean(1), wide.std(1), np.sqrt((wide**2).mean(1)), wide.min(1), wide.max(1)]
    return np.concatenate([*parts, spectrum.reshape(len(wide), -1)], axis=1)


def error(found: np.ndarray, expected: np.ndarray, windows: np.ndarray) -> float:
    largest = np.abs(windows).max(axis=(1, 2))[:, None]
    return float((np.abs(found - expected) / largest).max())


@pytest.mark.parametrize("offset", [0.0, 9.81, 1000.0])
@pytest.mark.parametrize("length", LENGTHS)
def test_features_are_float64s_within_the_stated_bound_in_numpy_and_in_onnx(
    length: int, offset: float
) -> None:
    windows = windows_of(length, offset=offset, count=12 if length < 2000 else 3)
    block = WindowFeatures(spectrum_bins=length // 2).fit(windows)
    expected = in_float64(windows, length // 2)
    assert error(block.transform(windows), expected, windows) < BOUND
    assert error(in_onnx(block, windows), expected, windows) < BOUND


def test_a_small_movement_on_a_large_offset_keeps_its_standard_deviation() -> None:
    wave = np.sin(np.linspace(0, 20 * np.pi, 500)) * 0.01
    windows = (wave + 100).astype(np.float32).reshape(1, 500, 1)
    block = WindowFeatures(("std",), spectrum_bins=0).fit(windows)
    truth = windows.astype(np.float64).std()
    for found in (block.transform(windows), in_onnx(block, windows)):
        assert found[0, 0] == pytest.approx(truth, rel=2e-3)


def test_the_spectrum_is_an_amplitude_whatever_the_windows_length() -> None:
    for length in (50, 500):
        wave = 3 * np.sin(2 * np.pi * 4 * np.arange(length) / length).reshape(1, length, 1)
        found = WindowFeatures((), spectrum_bins=6).fit_transform(wave)
        assert np.allclose(found, [[0, 0, 0, 3, 0, 0]], atol=1e-5)


@pytest.mark.parametrize("statistics", [("mean",), ("max", "min"), ("std", "rms"), ()])
def test_any_choice_of_features_converts(statistics: tuple[str, ...]) -> None:
    windows = windows_of(40)
    block = WindowFeatures(statistics, spectrum_bins=None if not statistics else 0).fit(windows)
    found = in_onnx(block, windows)
    assert found.shape == (12, 3 * (len(statistics) or 20))
    assert error(found, block.transform(windows), windows) < BOUND


def test_features_are_named_in_their_order() -> None:
    block = WindowFeatures(("mean", "max"), spectrum_bins=1).fit(np.zeros((1, 8, 2)))
    assert block.get_feature_names_out(["x", "y"]).tolist() == [
        "x_mean", "y_mean", "x_max", "y_max", "x_bin1", "y_bin1",
    ]  # fmt: skip
    with pytest.raises(BlockError, match="expected 2 names"):
        block.get_feature_names_out(["x"])


def test_it_is_a_transformer_that_clones_pickles_and_cross_validates() -> None:
    windows, labels = windows_of(30, count=40), np.arange(40) % 2
    block = WindowFeatures(("mean",), spectrum_bins=3)
    assert clone(block).get_params() == {"statistics": ("mean",), "spectrum_bins": 3}
    fitted = pickle.loads(pickle.dumps(block.fit(windows)))
    assert np.array_equal(fitted.transform(windows), block.transform(windows))
    assert block.set_output(transform="default").transform(windows).dtype == np.float32
    cross_val_score(make_pipeline(block, LogisticRegression()), windows, labels, cv=2)
    assert isinstance(block, Block)


def test_no_windows_give_no_features() -> None:
    block = WindowFeatures().fit(windows_of(30))
    assert block.transform(np.empty((0, 30, 3))).shape == (0, 3 * 20)


@pytest.mark.parametrize(
    ("parameters", "what"),
    [
        ({"statistics": ("mean", "mode")}, "statistics"),
        ({"statistics": ("mean", "mean")}, "at most once"),
        ({"statistics": "mean"}, "statistics"),
        ({"spectrum_bins": 16}, "0 to 15"),
        ({"spectrum_bins": -1}, "spectrum_bins"),
        ({"spectrum_bins": 2.5}, "found 2.5"),
        ({"spectrum_bins": True}, "found True"),
        ({"statistics": (), "spectrum_bins": 0}, "found neither"),
    ],
)
def test_a_wrong_parameter_is_one_clear_error(parameters: dict[str, object], what: str) -> None:
    with pytest.raises(BlockError, match=what):
        WindowFeatures(**parameters).fit(windows_of(30))


@pytest.mark.parametrize(
    ("windows", "what"),
    [
        (np.zeros((2, 30)), "windows, samples, axes"),
        (np.zeros((2, 31, 3)), r"\(30, 3\)"),
        (np.full((2, 30, 3), np.nan), "window 0, sample 0, axis 0.*nan"),
        (np.full((2, 30, 3), np.inf), "found inf"),
        ([["a"]], "numbers"),
    ],
)
def test_a_wrong_input_is_a_value_error_and_an_input_error(windows: object, what: str) -> None:
    block = WindowFeatures().fit(windows_of(30))
    with pytest.raises(BlockError, match=what) as caught:
        block.transform(windows)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, InputError)


def test_windows_too_short_and_use_before_fit_are_refused() -> None:
    with pytest.raises(BlockError, match="2 to"):
        WindowFeatures().fit(np.zeros((3, 1, 2)))
    with pytest.raises(NotFittedError):
        WindowFeatures().transform(windows_of(30))


def test_the_graph_has_no_node_more_than_its_arithmetic() -> None:
    """One window takes microseconds, of which every node is a part."""
    windows = windows_of(100)
    graph = onnx.load_from_string(graph_of(WindowFeatures().fit(windows), windows)).graph
    assert len(graph.node) == 13
