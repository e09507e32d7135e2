import numpy as np
import pytest
from PIL import Image
from sklearn.pipeline import make_pipeline

from converter.blocks import Block, BlockError, Crop, Flatten, Grey, Layout, Normalise, Resize
from converter.graph import Graph
from converter.tracing.tensor import Tensor
from tests.converter.blocks.image_cases import FILTERS, images, resized
from tests.converter.blocks.in_graph import in_onnx

PHOTOS = images(20, 30, 3)(4)
EVERY = [Resize(8, 9), Crop(8, 9), Grey(), Normalise(), Layout()]


@pytest.mark.parametrize("method", FILTERS)
@pytest.mark.parametrize(
    ("size", "to"), [((1, 1), (5, 4)), ((37, 3), (5, 7)), ((200, 311), (7, 100)), ((50, 70), (49, 71))]
)
def test_whole_levels_are_pillows_whatever_the_sizes(
    method: str, size: tuple[int, int], to: tuple[int, int]
) -> None:
    rng = np.random.default_rng(0)
    extremes = (rng.integers(0, 2, size=(2, *size, 1)) * 255).astype(np.uint8)
    block = Resize(*to, method).fit(extremes)
    if 0 < size[0] - to[0] > 2 * (size[1] - to[1]):
        pytest.importorskip("PIL", minversion="13")  # older ones never go down first
    expected = resized(*to, method)(extremes)
    assert np.array_equal(block.transform(extremes), expected)
    assert np.array_equal(in_onnx(block, extremes), expected)


def test_a_photo_is_resized_as_pillow_resizes_it() -> None:
    expected = np.asarray(Image.fromarray(PHOTOS[0]).resize((15, 10), Image.Resampling.LANCZOS))
    assert np.array_equal(Resize(10, 15, "lanczos").fit_transform(PHOTOS)[0], expected)


def test_an_image_of_that_size_already_stays_as_it_is() -> None:
    assert np.array_equal(Resize(20, 30, "lanczos").fit_transform(PHOTOS), PHOTOS)


def test_floats_that_hold_whole_levels_are_resized_as_uint8() -> None:
    block = Resize(10, 15).fit(PHOTOS)
    assert np.array_equal(block.transform(PHOTOS.astype(np.float32)), block.transform(PHOTOS))


def test_crop_grey_and_resize_are_what_pillow_does_in_that_order() -> None:
    line = make_pipeline(Crop(16, 16, top=1, left=10), Grey(), Resize(8, 8, "bicubic"))
    photo = Image.fromarray(PHOTOS[2]).crop((10, 1, 26, 17)).convert("L")
    expected = np.asarray(photo.resize((8, 8), Image.Resampling.BICUBIC))
    assert np.array_equal(line.fit_transform(PHOTOS)[2, :, :, 0], expected)


def test_the_centre_is_half_of_what_is_left_over_rounded_down() -> None:
    assert np.array_equal(Crop(15, 21).fit_transform(PHOTOS), PHOTOS[:, 2:17, 4:25])
    assert np.array_equal(Crop(20, 30).fit_transform(PHOTOS), PHOTOS)


def test_means_and_spreads_of_channels_may_be_learnt() -> None:
    block = Normalise(mean=None, std=None).fit(PHOTOS)
    found = block.transform(PHOTOS)
    assert np.allclose(found.mean(axis=(0, 1, 2)), 0, atol=1e-5)
    assert np.allclose(found.std(axis=(0, 1, 2)), 1, atol=1e-5)
    assert block.describe()["mean"] == pytest.approx(PHOTOS.mean(axis=(0, 1, 2)) / 255)


def test_a_layout_there_and_back_changes_nothing() -> None:
    line = make_pipeline(Layout(), Layout("channels_last"))
    assert np.array_equal(line.fit_transform(PHOTOS), PHOTOS)
    assert line[0].transform(PHOTOS).shape == (4, 3, 20, 30)


def test_channels_keep_their_names_to_the_features() -> None:
    line = make_pipeline(Crop(1, 2), Flatten()).fit(PHOTOS)
    assert line.get_feature_names_out(["r", "g", "b"]).tolist() == [
        "r_at0_0", "g_at0_0", "b_at0_0", "r_at0_1", "g_at0_1", "b_at0_1",
    ]  # fmt: skip
    assert Grey().fit(PHOTOS).get_feature_names_out().tolist() == ["grey"]


@pytest.mark.parametrize("block", EVERY, ids=lambda block: type(block).__name__)
@pytest.mark.parametrize("dtype", ["uint16", "int64", "bool", "float64", "int8"])
def test_what_is_white_in_another_depth_is_not_guessed(block: Block, dtype: str) -> None:
    with pytest.raises(BlockError, match=f"dtype uint8, or float32 numbers, found {dtype}"):
        block.fit(PHOTOS.astype(dtype))
    given = Tensor.input(Graph(), "images", dtype, (None, 20, 30, 3))
    with pytest.raises(BlockError, match=f"found {dtype}"):
        block.as_read(given)


@pytest.mark.parametrize("block", EVERY, ids=lambda block: type(block).__name__)
def test_other_shapes_and_channels_than_in_fit_are_refused(block: Block) -> None:
    block.fit(PHOTOS)
    for wrong in (PHOTOS[:, :, :, :1], PHOTOS[:, :19], np.repeat(PHOTOS, 2, axis=3)):
        with pytest.raises(BlockError, match=r"expected images of shape \(20, 30, 3\), as in fit"):
            block.transform(wrong)
    with pytest.raises(BlockError, match=r"\(images, height, width, channels\), found \(20, 30, 3\)"):
        block.transform(PHOTOS[0])


@pytest.mark.parametrize(
    ("block", "what"),
    [
        (Resize(0, 8), "height: expected 1 to 4096 pixels, found 0"),
        (Resize(8, 2.5), "width: expected 1 to 4096 pixels, found 2.5"),
        (Resize(8, 8, "nearest"), "one of box, bilinear, bicubic, lanczos, found 'nearest'"),
        (Resize(8, 8, whole_levels=None), "True or False, found None"),
        (Crop(21, 8), "height: expected 1 to the image's 20 pixels, found 21"),
        (Crop(8, 0), "width: expected 1 to the image's 30 pixels, found 0"),
        (Crop(8, 8, top=13), "top: expected 0 to 12, so that 8 of 20 pixels are inside the image"),
        (Crop(8, 8, left=-1), "left: expected 0 to 22.*found -1"),
        (Normalise(std=0), "std: channel 0: expected a number above 0, found 0"),
        (Normalise(std=(1, 2, -1)), "std: channel 2: expected a number above 0, found -1"),
        (Normalise(mean=(0.5, 0.5)), "3 of them, one a channel; found \\(0.5, 0.5\\)"),
        (Normalise(mean="learn"), "found 'learn'"),
        (Normalise(scale=0), "scale: expected a number above 0, found 0"),
        (Layout("first"), "one of channels_first, channels_last, found 'first'"),
    ],
)
def test_a_wrong_parameter_is_one_clear_error(block: Block, what: str) -> None:
    with pytest.raises(BlockError, match=what):
        block.fit(PHOTOS)


def test_a_channel_that_never_changes_has_no_spread_to_learn() -> None:
    with pytest.raises(BlockError, match="channel 1: expected a number above 0, found 0"):
        Normalise(mean=None, std=None).fit(PHOTOS * np.uint8([1, 0, 1]))


@pytest.mark.parametrize("channels", [1, 4])
def test_grey_is_made_of_three_channels(channels: int) -> None:
    with pytest.raises(BlockError, match=f"expected 3 channels, red, green and blue; found {channels}"):
        Grey().fit(images(8, 8, channels)(1))


@pytest.mark.parametrize("block", [Resize(8, 8), Grey()])
def test_numbers_that_are_no_levels_are_told_apart(block: Block) -> None:
    scaled = (PHOTOS / 255).astype(np.float32)
    with pytest.raises(BlockError, match="whole grey levels from 0 to 255, found numbers from 0 to 1"):
        block.fit(scaled)
    assert block.set_params(whole_levels=False).fit_transform(scaled).max() <= 1


def test_a_reduction_beyond_float32_is_refused_and_floats_do_without_sums_of_levels() -> None:
    wide = np.zeros((1, 1, 12_000, 1), np.uint8)
    with pytest.raises(BlockError, match=r"width: 12000 to 2 pixels is too much.*in two steps"):
        Resize(1, 2, "lanczos").fit(wide)
    assert Resize(1, 2, "lanczos", whole_levels=False).fit_transform(wide).shape == (1, 1, 2, 1)
