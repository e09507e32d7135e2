"""Preprocessing steps that train like scikit-learn transformers and convert to ONNX."""

from converter.blocks.base import Block, BlockError
from converter.blocks.dates import DateParts
from converter.blocks.filters import Butterworth
from converter.blocks.images import Crop, Grey, Layout, Normalise, Resize
from converter.blocks.repetition import Autocorrelation, ZeroCrossings
from converter.blocks.shaping import Detrend, Difference, Flatten, Magnitude, Resample
from converter.blocks.spectral import BandPower, Spectrum
from converter.blocks.spectral_shape import SpectralPeaks, SpectralShape
from converter.blocks.statistics import Percentiles, Statistics
from converter.blocks.tabular import Clip, Cyclic, Log, Ratio
from converter.blocks.time_frequency import MFCC, LogMel, Spectrogram
from converter.blocks.wavelets import WaveletEnergy
from converter.blocks.window_features import WindowFeatures

__all__ = [
    "MFCC",
    "Autocorrelation",
    "BandPower",
    "Block",
    "BlockError",
    "Butterworth",
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
    "LogMel",
    "Magnitude",
    "Normalise",
    "Percentiles",
    "Ratio",
    "Resample",
    "Resize",
    "SpectralPeaks",
    "SpectralShape",
    "Spectrogram",
    "Spectrum",
    "Statistics",
    "WaveletEnergy",
    "WindowFeatures",
    "ZeroCrossings",
]
