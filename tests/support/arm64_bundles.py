"""Bundles whose predictions are compared between processors: one for each variant of a few models.

A device runs the variant that its bundle prefers; so that all of them are run, each bundle has one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import onnx
from sklearn.datasets import load_diabetes, load_digits
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import converter
from converter.quantization.choices import read_choices
from edge_runtime.bundle import seal
from tests.converter.quantization import networks
from tests.support.motion import motion_model, recordings
from tests.support.tiny_bundle import KEY

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Case:
    """A bundle of one variant, signed by tiny_bundle's key, and what it is asked about, held out."""

    name: str
    bundle: bytes
    inputs: Array


def cases() -> Iterator[Case]:
    """Trees behind window features and alone, a perceptron, networks of dense and of Conv layers."""
    windows, labels = recordings("test")
    forest = converter.convert(motion_model(50), windows, labels, name="forest", version="1.0.0")
    yield from _variants(forest, windows)
    yield from _regressor()
    yield from _digits()
    for name, variants in {
        "rows": ("fp16-stored", "int8-stored", "int8-dynamic", "int8-static"),
        "series": ("fp32-fused", "fp16-stored", "int8-stored", "int8-static"),
    }.items():
        raw = networks.NETWORKS[name]()
        held_out, calibration = (networks.data(raw, 200, seed)["x"] for seed in (1, 2))
        options = {"name": name, "version": "1.0.0", "calibration": calibration}
        made = _with(variants, onnx.load_from_string(raw), held_out, **options)
        yield from _variants(made, held_out)


def _regressor() -> Iterator[Case]:
    """Trees whose sums are the answer: a float of which no rounding is hidden by a label."""
    inputs, values = load_diabetes(return_X_y=True)
    model = GradientBoostingRegressor(random_state=0).fit(inputs[:300], values[:300])
    made = converter.convert(model, inputs[300:], values[300:], name="regressor", version="1.0.0")
    yield from _variants(made, inputs[300:].astype(np.float32))


def _digits() -> Iterator[Case]:
    inputs, labels = load_digits(return_X_y=True)
    training, held_out = slice(0, 1200), slice(1200, None)
    boosting = HistGradientBoostingClassifier(max_iter=20, random_state=0)
    perceptron = make_pipeline(StandardScaler(), MLPClassifier((64, 64), tol=1e-2, random_state=0))
    for model, name, variants in (
        (boosting, "boosting", ("int16-stored",)),
        (
            perceptron,
            "perceptron",
            ("fp32-narrow", "fp16-stored", "int16-stored", "int8-dynamic", "int8-static"),
        ),
    ):
        model.fit(inputs[training], labels[training])
        options = {"name": name, "version": "1.0.0", "calibration": inputs[training]}
        made = _with(variants, model, inputs[held_out], labels[held_out], **options)
        yield from _variants(made, inputs[held_out].astype(np.float32))


def _with(variants: tuple[str, ...], *given: Any, **options: Any) -> "converter.ConvertedBundle":
    """Convert into fp32 and these variants, whether or not they pay on this machine."""
    tried = converter.convert(*given, quantize=True, **options)
    recipes = tuple(each.recipe for each in tried.tried if each.id in variants)
    assert {each.id for each in recipes} == set(variants)
    choices = msgspec.structs.replace(
        read_choices(tried.choices), recipes=recipes, before_fp32=0, unproven=()
    )
    return converter.convert(*given, choices=choices, **options)


def _variants(made: "converter.ConvertedBundle", inputs: Array) -> Iterator[Case]:
    for variant in made.manifest.variants:
        others = {each.file for each in made.manifest.variants} - {variant.file}
        artifacts = {name: data for name, data in made.artifacts.items() if name not in others}
        manifest = msgspec.structs.replace(made.manifest, variants=(variant,))
        yield Case(f"{manifest.name}-{variant.id}", seal(manifest, artifacts, [KEY]), inputs)
