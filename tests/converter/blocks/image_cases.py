"""Image blocks against Pillow: whole grey levels are equal."""

from collections.abc import Callable

import numpy as np
import PIL
from PIL import Image

from converter.blocks import Crop, Flatten, Grey, Layout, Normalise, Resize
from tests.converter.blocks.cases import Case

FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
}
_PILLOW = int(PIL.__version__.partition(".")[0])
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def images(height: int, width: int, channels: int, seed: int = 0) -> Callable[[int], np.ndarray]:
    """uint8 images of areas and lines, with noise, and some pixels black and white."""

    def make(count: int) -> np.ndarray:
        rng = np.random.default_rng((seed, count))
        rows, columns = np.indices((height, width))[:, None, :, :, None]
        slopes = rng.normal(scale=4, size=(2, count, 1, 1, channels))
        areas = 128 + 90 * np.sign(np.sin((slopes[0] * rows + slopes[1] * columns) / 9))
        levels = areas + rng.normal(scale=25, size=(count, height, width, channels))
        spots = rng.choice([0, 1], p=[0.95, 0.05], size=levels.shape)
        levels = np.where(spots == 1, rng.choice([0, 255], size=levels.shape), levels)
        return levels.clip(0, 255).round().astype(np.uint8)

    return make


def floats(height: int, width: int, channels: int) -> Callable[[int], np.ndarray]:
    """float32 images of numbers around 0, as `Normalise` gives them."""
    levels = images(height, width, channels, seed=1)
    return lambda count: ((levels(count) / 255 - 0.4) / 0.2).astype(np.float32)


def resized(height: int, width: int, method: str) -> Callable[[np.ndarray], np.ndarray]:
    """What Pillow makes of each channel of each image, of mode "L" or "F"."""

    def one(channel: np.ndarray) -> np.ndarray:
        return np.asarray(Image.fromarray(channel).resize((width, height), FILTERS[method]))

    return lambda x: np.stack(
        [np.stack([one(image[:, :, c]) for c in range(x.shape[3])], axis=2) for image in x]
    )


def _grey(x: np.ndarray) -> np.ndarray:
    return np.stack([np.asarray(Image.fromarray(image).convert("L"))[:, :, None] for image in x])


def _cropped(left: int, top: int, right: int, bottom: int) -> Callable[[np.ndarray], np.ndarray]:
    box = (left, top, right, bottom)
    return lambda x: np.stack([np.asarray(Image.fromarray(image).crop(box)) for image in x])


def _normalised(x: np.ndarray) -> np.ndarray:
    mean, std = map(np.array, _IMAGENET)
    return (x / 255 - mean) / std


def _resize(case: str, shape: tuple[int, int, int], to: tuple[int, int], method: str) -> Case:
    block = Resize(*to, method)  # type: ignore[arg-type]
    return Case(f"Resize {method} {case}", block, images(*shape), resized(*to, method), "Pillow", 0.0)


CASES = (
    *(_resize("down", (120, 160, 3), (48, 64), method) for method in FILTERS),
    *(_resize("up", (24, 20, 3), (64, 50), method) for method in FILTERS),
    *(_resize("to a quarter", (64, 64, 1), (16, 16), method) for method in FILTERS),
    *(_resize("down first", (90, 40, 3), (30, 44), method) for method in FILTERS if _PILLOW >= 13),
    *(_resize("of one side", (40, 60, 1), (40, 25), method) for method in FILTERS),
    *(
        Case(f"Resize {method} of floats", Resize(20, 40, method, whole_levels=False),  # type: ignore[arg-type]
             floats(48, 32, 3), resized(20, 40, method), "Pillow", 1e-6)
        for method in FILTERS
    ),
    Case("Crop centre", Crop(24, 30), images(33, 40, 3), _cropped(5, 4, 35, 28), "Pillow", 0.0),
    Case("Crop box", Crop(10, 12, top=20, left=3), images(33, 40, 3), _cropped(3, 20, 15, 30),
         "Pillow", 0.0),
    Case("Grey", Grey(), images(30, 40, 3), _grey, "Pillow", 0.0),
    Case("Grey of floats", Grey(whole_levels=False), floats(30, 40, 3),
         lambda x: (x.astype(np.float64) @ (0.299, 0.587, 0.114))[..., None], "numpy", 2e-7),
    Case("Normalise", Normalise(*_IMAGENET), images(30, 40, 3), _normalised, "numpy", 3e-7),
    Case("Normalise to 0..1", Normalise(), images(30, 40, 1), lambda x: x / 255, "numpy", 3e-7),
    Case("Layout first", Layout(), images(20, 30, 3), lambda x: x.transpose(0, 3, 1, 2), "numpy", 0.0),
    Case("Layout last", Layout("channels_last"), images(3, 20, 30), lambda x: x.transpose(0, 2, 3, 1),
         "numpy", 0.0),
    Case("Flatten images", Flatten(), images(8, 6, 3), lambda x: x.reshape(len(x), -1), "numpy", 0.0),
)  # fmt: skip
