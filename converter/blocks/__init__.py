"""Preprocessing steps that train like scikit-learn transformers and convert to ONNX."""

from converter.blocks.base import Block, BlockError
from converter.blocks.dates import DateParts
from converter.blocks.images import Crop, Grey, Layout, Normalise, Resize
from converter.blocks.repetition import Autocorrelation, ZeroCrossings
from converter.blocks.shaping import Detrend, Difference, Flatten, Magnitude, Resample
from converter.blocks.statistics import Percentiles, Statistics
from converter.blocks.tabular import Clip, Cyclic, Log, Ratio
from converter.blocks.window_features import WindowFeatures

__all__ = [
    "Autocorrelation",
    "Block",
    "BlockError",
    "Clip",
    "Crop",
    "Cyclic",
    "DateParts",
    "Detrend",
    "Difference",
    "Flatten",
    "Grey",
    "Layout",
    "Log",
    "Magnitude",
    "Normalise",
    "Percentiles",
    "Ratio",
    "Resample",
    "Resize",
    "Statistics",
    "WindowFeatures",
    "ZeroCrossings",
]
