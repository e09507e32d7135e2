"""Blocks in front of a model, from data to a bundle that answers like the whole of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

import converter
import edge_runtime
from converter import WindowSpec
from converter.blocks import (
    Autocorrelation,
    BlockError,
    Clip,
    Cyclic,
    DateParts,
    Detrend,
    Flatten,
    Grey,
    Log,
    Magnitude,
    Normalise,
    Percentiles,
    Ratio,
    Resample,
    Resize,
    Statistics,
    ZeroCrossings,
)
from edge_runtime.errors import ConfigError, InputError
from tests.converter.blocks.cases import noise
from tests.converter.blocks.image_cases import images

AXES = ("ax", "ay", "az", "gx", "gy", "gz")


@contextmanager
def on_device(model: Any, inputs: Any, tmp_path: Path, **options: Any) -> Iterator[Any]:
    """The model as a device has it: converted, saved and loaded."""
    bundle = converter.convert(model, inputs, name="model", version="1.0.0", **options)
    path = bundle.save(tmp_path / "model.edge")
    with edge_runtime.load(path, allow_unsigned=True) as device:
        yield device


def movements(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows of which the second class is shaken three times as much."""
    labels = np.arange(count) % 2
    return (noise(100, 6)(count) * (1 + 2 * labels)[:, None, None]).astype(np.float32), labels


@pytest.mark.parametrize("trees", [False, True])
def test_windows_through_blocks_one_after_another_and_side_by_side(trees: bool, tmp_path: Path) -> None:
    windows, labels = movements(120)
    features = make_union(
        Statistics(),
        Percentiles((10, 90)),
        ZeroCrossings(centre=True),
        make_pipeline(Magnitude(((0, 1, 2), (3, 4, 5))), Detrend(), Autocorrelation(5)),
    )
    last = RandomForestClassifier(10, random_state=0) if trees else LogisticRegression(max_iter=500)
    scaled = last if trees else make_pipeline(StandardScaler(), last)
    model = make_pipeline(Resample(64), features, scaled).fit(windows[:80], labels[:80])
    held_out = windows[80:]
    with on_device(model, held_out, tmp_path, window=WindowSpec(channels=AXES)) as device:
        manifest = device.manifest
        assert np.array_equal(device.predict(held_out).astype(int), model.predict(held_out))
    assert manifest.window.length == 100
    assert manifest.preprocessing[0].name == "Resample"
    assert manifest.variants[0].exact == ("leaves" if trees else "")


def test_digits_as_images_of_bytes(tmp_path: Path) -> None:
    levels, labels = load_digits(return_X_y=True)
    photos = (levels * 15).astype(np.uint8).reshape(-1, 8, 8, 1)
    model = make_pipeline(
        Resize(6, 6, "lanczos"), Normalise(), Flatten(), LogisticRegression(max_iter=1000)
    ).fit(photos[:800], labels[:800])
    held_out = photos[800:1000]
    with on_device(model, held_out, tmp_path, input_dtype="uint8") as device:
        manifest = device.manifest
        assert np.array_equal(device.predict(held_out).astype(int), model.predict(held_out))
        with pytest.raises(InputError, match="images: expected"):
            device.predict(held_out[:, :, :, 0])
    (given,) = manifest.inputs
    assert (given.name, given.dtype, given.shape) == ("images", "uint8", (None, 8, 8, 1))
    assert manifest.window is None
    assert [step.name for step in manifest.preprocessing] == ["Resize", "Normalise", "Flatten"]


def test_colour_images_in_front_of_trees_are_exact(tmp_path: Path) -> None:
    photos = images(16, 20, 3)(60)
    labels = (photos.mean(axis=(1, 2, 3)) > 128).astype(int)
    forest = RandomForestClassifier(10, random_state=0)
    model = make_pipeline(Resize(8, 10), Grey(), Flatten(), forest).fit(photos, labels)
    with on_device(model, photos, tmp_path, input_dtype="uint8") as device:
        parity = device.manifest.variants[0].parity
        assert np.array_equal(device.predict(photos).astype(int), model.predict(photos))
    assert parity.rounded_splits == parity.label_disagreements == 0


def test_images_of_another_depth_or_size_or_with_a_window_are_refused() -> None:
    photos = images(8, 8, 1)(20)
    model = make_pipeline(Resize(4, 4), Flatten(), Ridge()).fit(photos, np.arange(20.0))
    for options, inputs, error, what in (
        ({"input_dtype": "float64"}, photos, BlockError, "uint8, or float32 numbers, found float64"),
        ({"input_dtype": "uint8"}, photos[:, :7], BlockError, r"shape \(8, 8, 1\), as in fit"),
        ({"window": WindowSpec()}, photos, ConfigError, "takes images, not windows"),
    ):
        with pytest.raises(error, match=what):
            converter.convert(model, inputs, name="model", version="1.0.0", **options)


def sales(count: int) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(count)
    frame = pd.DataFrame(
        {
            "sold_at": rng.integers(1_400_000_000, 1_700_000_000, count),
            "price": np.exp(rng.normal(size=count)),
            "weight": rng.normal(10, 3, count).astype(np.float32),
            "volume": rng.integers(0, 4, count).astype(np.float32),
        }
    )
    return frame, (frame["price"] * 3 + frame["sold_at"] // 3600 % 24).to_numpy()


@pytest.mark.parametrize("last", [Ridge(), RandomForestRegressor(10, random_state=0)])
def test_a_table_of_dates_prices_and_ratios(last: Any, tmp_path: Path) -> None:
    frame, value = sales(200)
    columns = make_column_transformer(
        (DateParts(("month", "weekday", "hour")), ["sold_at"]),
        (Cyclic(86_400), ["sold_at"]),
        (Log(), ["price"]),
        (Clip(quantiles=(0.05, 0.95)), ["price", "weight"]),
        (Ratio([("weight", "volume")], zero=0.0), ["weight", "volume"]),
    )
    model = make_pipeline(columns, last).fit(frame[:150], value[:150])
    held_out = frame[150:].reset_index(drop=True)
    with on_device(model, held_out, tmp_path) as device:
        manifest = device.manifest
        rows = {name: held_out[name].to_numpy() for name in held_out}
        assert device.predict(rows) == pytest.approx(model.predict(held_out), rel=1e-5, abs=1e-5)
        with pytest.raises(InputError, match="dateparts: expected Unix seconds of the years 1 to 9999"):
            device.predict({**rows, "sold_at": rows["sold_at"] * 1_000_000})
        with pytest.raises(InputError, match="log: expected numbers above -1, which have a logarithm"):
            device.predict({**rows, "price": -rows["price"] - 1})
    assert [(each.name, each.dtype) for each in manifest.inputs] == [
        ("sold_at", "int64"), ("price", "float64"), ("weight", "float32"), ("volume", "float32"),
    ]  # fmt: skip


@pytest.mark.parametrize(("steps", "shape"), [((), (None, 32, 2)), ((Flatten(),), (None, 64))])
def test_a_block_that_gives_windows_is_a_transformation(steps: tuple[Any, ...], shape: Any) -> None:
    windows = np.random.default_rng(0).normal(size=(20, 32, 2)).astype(np.float32)
    made = converter.convert(
        make_pipeline(Detrend(), *steps).fit(windows), windows, name="some", version="1.0.0"
    )
    assert made.manifest.outputs[0].shape == shape
