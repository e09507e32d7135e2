import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from converter.blocks import (
    Block,
    BlockError,
    Detrend,
    Difference,
    Flatten,
    Magnitude,
    Resample,
    Statistics,
)
from tests.converter.blocks.cases import noise
from tests.converter.blocks.in_graph import in_onnx

WINDOWS = noise(60, 6)(4)


def test_a_straight_line_is_all_trend() -> None:
    line = (3 + 0.25 * np.arange(40)).reshape(1, 40, 1).astype(np.float32)
    assert np.abs(Detrend().fit_transform(line)).max() < 1e-5
    level = np.full((1, 40, 1), 9.81, np.float32)
    block = Detrend("constant").fit(level)
    assert not block.transform(level).any()
    assert not in_onnx(block, level).any()


def test_windows_of_two_samples_have_no_trendless_part() -> None:
    assert np.abs(Detrend().fit_transform(WINDOWS[:, :2])).max() < 1e-5


@pytest.mark.parametrize("method", ["linear", "fourier"])
@pytest.mark.parametrize("length", [1, 60, 61, 120])
def test_resampling_keeps_a_constant_and_gives_as_many_samples_as_asked(
    method: str, length: int
) -> None:
    windows = np.full((2, 60, 3), 7, np.float32)
    block = Resample(length, method).fit(windows)
    for found in (block.transform(windows), in_onnx(block, windows)):
        assert found.shape == (2, length, 3)
        assert np.allclose(found, 7, atol=1e-5)


def test_linear_keeps_both_ends_and_all_samples_of_the_same_length() -> None:
    found = Resample(20).fit_transform(WINDOWS)
    assert np.array_equal(found[:, [0, -1]], WINDOWS[:, [0, -1]])
    assert np.array_equal(Resample(60).fit_transform(WINDOWS), WINDOWS)


def test_magnitudes_stand_alone_or_behind_their_axes() -> None:
    groups = ((0, 1, 2), (4,))
    alone = Magnitude(groups).fit(WINDOWS)
    assert alone.get_feature_names_out(list("abcdef")).tolist() == ["magnitude_a_b_c", "magnitude_e"]
    assert np.array_equal(alone.transform(WINDOWS)[:, :, 1], np.abs(WINDOWS[:, :, 4]))
    appended = Magnitude(groups, append=True).fit(WINDOWS)
    assert appended.transform(WINDOWS).shape == (4, 60, 8)
    assert appended.get_feature_names_out()[5:].tolist() == [
        "axis5", "magnitude_axis0_axis1_axis2", "magnitude_axis4",
    ]  # fmt: skip


def test_flat_features_are_named_after_their_places() -> None:
    block = Flatten().fit(WINDOWS[:, :2, :2])
    assert block.get_feature_names_out(["x", "y"]).tolist() == ["x_at0", "y_at0", "x_at1", "y_at1"]
    images = Flatten().fit(np.zeros((1, 2, 1, 2), np.uint8))
    assert images.get_feature_names_out().tolist() == [
        "channel0_at0_0", "channel1_at0_0", "channel0_at1_0", "channel1_at1_0",
    ]  # fmt: skip


def test_flat_images_and_windows_are_not_the_same() -> None:
    block = Flatten().fit(np.zeros((1, 4, 4, 1), np.uint8))
    with pytest.raises(BlockError, match=r"images of shape \(4, 4, 1\), as in fit"):
        block.transform(np.zeros((1, 4, 4)))
    with pytest.raises(BlockError, match=r"\(windows, samples, axes\), found \(3, 4\)"):
        Flatten().fit(np.zeros((3, 4)))


def test_windows_go_through_one_block_after_another() -> None:
    line = make_pipeline(
        Magnitude(((0, 1, 2), (3, 4, 5))), Detrend(), Resample(32), Difference(), Statistics(("rms",))
    )
    found = line.fit_transform(WINDOWS)
    assert found.shape == (4, 2)
    assert line[-1].input_shape_ == (31, 2)


@pytest.mark.parametrize("block", [Detrend(), Difference(), Resample(9), Magnitude()])
def test_what_gives_windows_gives_no_data_frame(block: Block) -> None:
    assert not hasattr(block, "set_output")


@pytest.mark.parametrize(
    ("block", "what"),
    [
        (Detrend("quadratic"), "trend: expected one of linear, constant, found 'quadratic'"),
        (Resample(0), "length: expected a whole number of samples from 1 .*, found 0"),
        (Resample(2.5), "found 2.5"),
        (Resample(10, "cubic"), "one of linear, fourier, found 'cubic'"),
        (Resample(300_000, "fourier"), "at most 16777216 weights.*found 60 \\* 300000"),
        (Difference(0), "order: expected 1 to 59"),
        (Difference(60), "below the window's 60 samples; found 60"),
        (Magnitude(((0, 6),)), "each axis from 0 to 5 and once in a group"),
        (Magnitude(((0, 0),)), "once in a group"),
        (Magnitude(((),)), "found \\(\\(\\),\\)"),
        (Magnitude(()), "found \\(\\)"),
        (Magnitude((0, 1, 2)), "found \\(0, 1, 2\\)"),
        (Magnitude(((0, 1), (0, 1))), "different groups"),
        (Magnitude(append=1), "True or False, found 1"),
    ],
)
def test_a_wrong_parameter_is_one_clear_error(block: Block, what: str) -> None:
    with pytest.raises(BlockError, match=what):
        block.fit(WINDOWS)


@pytest.mark.parametrize(("block", "least"), [(Detrend(), "2 to"), (Difference(), "1 to 0")])
def test_a_single_sample_is_no_window(block: Block, least: str) -> None:
    with pytest.raises(BlockError, match=least):
        block.fit(WINDOWS[:, :1])
