"""Images resized, cropped, grey, normalised, and in another layout; decoding stays outside."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from converter.blocks.base import Array, Block, BlockError
from converter.blocks.parameters import check_choice, check_flag, is_number, is_whole, one_each
from converter.blocks.resampling import KERNELS, Product, WholeProduct, weights

_MAX_SIZE = 4096
_LUMA = np.array((0.299, 0.587, 0.114), np.float32)
_WHOLE_LUMA = np.array((19_595, 38_470, 7_471), np.float32)  # the same in 1 / 2^16, as Pillow has it


class ImageBlock(Block, auto_wrap_output_keys=None):
    """Reads images (images, height, width, channels): uint8, or float32 of a block before it."""

    reads = "images"

    def as_read(self, x: Array) -> Array:
        """float32. Raises BlockError for other dtypes, of which nobody said what is white in them."""
        if x.dtype not in (np.uint8, np.float32):
            raise BlockError(
                f"{self._name}: expected images of dtype uint8, or float32 numbers, found {x.dtype}. "
                "Decode to 8 bits a channel, or say what the numbers mean by a conversion of your own."
            )
        return super().as_read(x)

    def _check_levels(self, x: NDArray[Any]) -> None:
        if not ((x == np.floor(x)) & (x >= 0) & (x <= 255)).all():
            raise BlockError(
                f"{self._name}: whole_levels: expected whole grey levels from 0 to 255, found numbers "
                f"from {x.min():g} to {x.max():g}. Put it before what scales, or say whole_levels=False."
            )


class Resize(ImageBlock, auto_wrap_output_keys=None):
    """Images of another size, with Pillow's weights, antialiasing included.

    Parameters
    ----------
    height, width : pixels of the answer, 1 to 4,096.
    method : "bilinear", "bicubic", "lanczos" or "box": Pillow's resampling filters.
    whole_levels : True for grey levels, whole numbers from 0 to 255: after each of the two passes they
        are rounded to whole levels, as Pillow does with 8-bit images. False for other numbers, such as
        those that `Normalise` gives: as Pillow does with images of mode "F".

    Answer: images (images, height, width, channels), float32. Two products with constant matrices, along
    the width and then along the height; the other way round where Pillow 13 does so, which is where the
    height loses more than twice as many pixels as the width. (Pillow 12 never did: there such images
    differ by some levels.)

    Against Pillow 13's Image.resize: whole levels are equal, 0 grey levels apart, because the products
    are of whole numbers that float32 adds up without rounding. Without `whole_levels` the error is 1e-6
    of the largest number: 0.0003 grey levels for numbers up to 255.

    `fit` raises BlockError for a size out of range, an unknown method, numbers that are no whole levels
    where `whole_levels` is True, and a reduction in which one pixel is made of more than some thousands.
    """

    def __init__(
        self,
        height: int,
        width: int,
        method: Literal["bilinear", "bicubic", "lanczos", "box"] = "bilinear",
        whole_levels: bool = True,
    ) -> None:
        self.height = height
        self.width = width
        self.method = method
        self.whole_levels = whole_levels

    def learn(self, x: NDArray[Any]) -> None:
        for what, size in (("height", self.height), ("width", self.width)):
            if not is_whole(size, 1, _MAX_SIZE):
                raise BlockError(f"Resize: {what}: expected 1 to {_MAX_SIZE} pixels, found {size!r}.")
        check_choice("Resize: method", self.method, tuple(KERNELS))
        check_flag("Resize: whole_levels", self.whole_levels)
        if self.whole_levels:
            self._check_levels(x)
        self.across_ = self._product(x.shape[2], self.width, "width")
        self.down_ = self._product(x.shape[1], self.height, "height")

    def compute(self, x: Array) -> Array:
        if self.across_ is None and self.down_ is None:
            return x
        planes = np.transpose(x, (0, 3, 1, 2))
        height, width, _ = self.input_shape_
        down_first = 0 < height - self.height > 2 * (width - self.width)  # Pillow's choice, for speed
        if down_first and self.down_ is not None:
            planes = self.down_.down(planes)
        if self.across_ is not None:
            planes = self.across_.across(planes)
        if not down_first and self.down_ is not None:
            planes = self.down_.down(planes)
        return np.transpose(planes, (0, 2, 3, 1))

    def _product(self, size: int, wanted: int, what: str) -> Product | WholeProduct | None:
        """None where the size stays."""
        if size == wanted:
            return None
        matrix = weights(size, wanted, self.method)
        if not self.whole_levels:
            return Product.of(matrix)
        whole = WholeProduct.of(matrix)
        if whole is None:
            raise BlockError(
                f"Resize: {what}: {size} to {wanted} pixels is too much for sums of whole levels in "
                "float32. Resize in two steps, or say whole_levels=False."
            )
        return whole


class Crop(ImageBlock, auto_wrap_output_keys=None):
    """A part of each image: rows top to top + height, columns left to left + width.

    Parameters
    ----------
    height, width : pixels of the answer.
    top, left : the first row and column; None for the centre, (rows - height) // 2.

    Answer: images (images, height, width, channels), float32, exact. `fit` raises BlockError for a part
    that is not inside the image.
    """

    def __init__(self, height: int, width: int, top: int | None = None, left: int | None = None) -> None:
        self.height = height
        self.width = width
        self.top = top
        self.left = left

    def learn(self, x: NDArray[Any]) -> None:
        self.top_ = self._start("top", x.shape[1], "height", self.height, self.top)
        self.left_ = self._start("left", x.shape[2], "width", self.width, self.left)

    def compute(self, x: Array) -> Array:
        rows = x[:, self.top_ : self.top_ + self.height]
        return rows[:, :, self.left_ : self.left_ + self.width]

    def _start(self, start: str, size: int, what: str, wanted: Any, given: Any) -> int:
        if not is_whole(wanted, 1, size):
            raise BlockError(f"Crop: {what}: expected 1 to the image's {size} pixels, found {wanted!r}.")
        if given is None:
            return int((size - wanted) // 2)
        if not is_whole(given, 0, size - wanted):
            raise BlockError(
                f"Crop: {start}: expected 0 to {size - wanted}, so that {wanted} of {size} pixels are "
                f"inside the image; found {given!r}."
            )
        return int(given)


class Grey(ImageBlock, auto_wrap_output_keys=None):
    """Colour to grey: 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601, luma), Pillow's mode "L".

    Parameters
    ----------
    whole_levels : True for levels, whole numbers from 0 to 255: the answer is rounded to whole levels
        as Pillow does. False for other numbers, which are not rounded.

    Answer: images (images, height, width, 1), float32. Against Pillow's Image.convert("L"): equal, 0
    grey levels apart. Without `whole_levels` within 2e-7 of the largest number.

    `fit` raises BlockError for images that have not three channels, and for numbers that are no whole
    levels where `whole_levels` is True.
    """

    def __init__(self, whole_levels: bool = True) -> None:
        self.whole_levels = whole_levels

    def learn(self, x: NDArray[Any]) -> None:
        if x.shape[3] != 3:
            raise BlockError(
                f"Grey: expected 3 channels, red, green and blue; found {x.shape[3]}. Leave alpha out "
                "when decoding; a grey image needs no Grey."
            )
        check_flag("Grey: whole_levels", self.whole_levels)
        if self.whole_levels:
            self._check_levels(x)

    def compute(self, x: Array) -> Array:
        red, green, blue = _WHOLE_LUMA if self.whole_levels else _LUMA
        total = x[:, :, :, 0] * red + x[:, :, :, 1] * green + x[:, :, :, 2] * blue
        if self.whole_levels:  # all below 2^24, so float32 rounds nothing
            total = np.floor((total + np.float32(2**15)) * np.float32(2.0**-16))
        return total[:, :, :, None]

    def names(self, inputs: list[str]) -> list[str]:  # noqa: ARG002
        return ["grey"]


class Normalise(ImageBlock, auto_wrap_output_keys=None):
    """Each channel scaled and standardised: (x * scale - mean) / std, as torchvision's Normalize.

    Parameters
    ----------
    mean, std : in units of x * scale, one for all channels or one each; None: learnt in `fit`, from all
        pixels of all its images (std: population).
    scale : what one grey level is; 1 / 255 makes them 0 to 1.

    Answer: images of the same shape, float32: x times scale / std, plus -mean / std, both computed in
    float64. Error against numpy in float64: 3e-7 of the largest answer.

    `fit` raises BlockError for a std of 0 or below, as a channel that is everywhere the same has, for a
    scale of 0, and for another number of means or stds than channels.
    """

    def __init__(
        self,
        mean: float | Sequence[float] | None = 0.0,
        std: float | Sequence[float] | None = 1.0,
        scale: float = 1 / 255,
    ) -> None:
        self.mean = mean
        self.std = std
        self.scale = scale

    def learn(self, x: NDArray[Any]) -> None:
        if not (is_number(self.scale) and self.scale > 0):
            raise BlockError(f"Normalise: scale: expected a number above 0, found {self.scale!r}.")
        channels = x.shape[3]
        if self.mean is None:
            self.mean_ = x.mean(axis=(0, 1, 2), dtype=np.float64) * self.scale
        else:
            self.mean_ = one_each("Normalise: mean", self.mean, channels, "channel")
        if self.std is None:
            self.std_ = x.std(axis=(0, 1, 2), dtype=np.float64) * self.scale
        else:
            self.std_ = one_each("Normalise: std", self.std, channels, "channel")
        if not (self.std_ > 0).all():
            channel = int(np.argmin(self.std_ > 0))
            raise BlockError(
                f"Normalise: std: channel {channel}: expected a number above 0, found "
                f"{self.std_[channel]:g}. A channel that never changes says nothing: leave it out."
            )
        self.factor_ = (self.scale / self.std_).astype(np.float32)
        self.offset_ = (-self.mean_ / self.std_).astype(np.float32)

    def compute(self, x: Array) -> Array:
        height, width, channels = self.input_shape_
        rows = x.reshape(-1, height, width * channels)  # two long axes: engines do those faster
        scaled = rows * np.tile(self.factor_, width)
        moved = scaled + np.tile(self.offset_, width) if self.offset_.any() else scaled
        return moved.reshape(-1, height, width, channels)

    def describe(self) -> dict[str, Any]:
        return {**super().describe(), "mean": self.mean_.tolist(), "std": self.std_.tolist()}


class Layout(ImageBlock, auto_wrap_output_keys=None):
    """An image's axes in another order: (height, width, channels) to (channels, height, width), or back.

    Parameters
    ----------
    to : "channels_first", as PyTorch has them, or "channels_last", as Pillow, OpenCV and TensorFlow
        do; then the input is (images, channels, height, width).

    Answer: float32, exact. Names are those along the last axis: `column0`, or `channel0`.
    """

    def __init__(self, to: Literal["channels_first", "channels_last"] = "channels_first") -> None:
        self.to = to

    def learn(self, x: NDArray[Any]) -> None:  # noqa: ARG002
        check_choice("Layout: to", self.to, ("channels_first", "channels_last"))

    def compute(self, x: Array) -> Array:
        return np.transpose(x, (0, 3, 1, 2) if self.to == "channels_first" else (0, 2, 3, 1))

    def names(self, inputs: list[str]) -> list[str]:  # noqa: ARG002
        if self.to == "channels_first":
            return [f"column{at}" for at in range(self.input_shape_[1])]
        return [f"channel{at}" for at in range(self.input_shape_[0])]
