"""docs/blocks.md: its examples run and convert, and it names every block."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import converter
from converter import blocks

PAGE = (Path(__file__).parents[3] / "docs" / "blocks.md").read_text()
EXAMPLES: dict[str, Any] = {}
for _example in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
    exec(_example, EXAMPLES)


def test_every_block_is_on_the_page() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE))
    assert set(blocks.__all__) - {"Block", "BlockError"} <= named


@pytest.mark.parametrize("name", ["sensors", "camera"])
def test_the_pipelines_of_the_page_convert(name: str) -> None:
    rng = np.random.default_rng(0)
    inputs = {
        "sensors": rng.normal(size=(60, 128, 3)).astype(np.float32),
        "camera": rng.integers(0, 256, (60, 24, 20, 3)).astype(np.uint8),
    }[name]
    model = EXAMPLES[name].fit(inputs, np.arange(60) % 3)
    dtype = "uint8" if name == "camera" else None
    bundle = converter.convert(model, inputs, name="some", version="1.0.0", input_dtype=dtype)
    assert bundle.manifest.inputs[0].shape == (None, *inputs.shape[1:])
    assert bundle.manifest.inputs[0].dtype == str(inputs.dtype)


def test_the_block_of_ones_own_converts() -> None:
    windows = np.random.default_rng(0).normal(size=(20, 32, 2)).astype(np.float32)
    block = EXAMPLES["Jerk"](10.0).fit(windows)
    assert block.get_feature_names_out().tolist() == ["axis0_jerk", "axis1_jerk"]
    converter.convert(block, windows, name="some", version="1.0.0")
