"""Preprocessing steps that train like scikit-learn transformers and convert to ONNX."""

from converter.blocks.base import Block, BlockError
from converter.blocks.window_features import WindowFeatures

__all__ = ["Block", "BlockError", "WindowFeatures"]
