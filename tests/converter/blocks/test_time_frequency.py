"""Spectrogram, LogMel and MFCC: what they promise beyond agreement with librosa (test_cases.py)."""

import math

import numpy as np
import pytest
from scipy import fft, signal

from converter.blocks import MFCC, BlockError, LogMel, Spectrogram
from converter.blocks.base import Block
from converter.blocks.mel import cosine_transform, hz_to_mel, mel_to_hz, mel_weights
from tests.converter.blocks.cases import noise
from tests.converter.blocks.in_graph import in_onnx
from tests.converter.blocks.spectral_cases import _LIBROSA


def test_the_committed_numbers_name_who_computed_them() -> None:
    assert [text.partition(" ")[0] for text in _LIBROSA["versions"]] == ["librosa", "numpy", "scipy"]


@pytest.mark.parametrize("length", [64, 100, 999])
@pytest.mark.parametrize("hop", [7, 32, 64, 100])
def test_frames_that_are_not_centred_are_scipys(length: int, hop: int) -> None:
    windows = noise(length, 3)(2)
    block = Spectrogram(64, hop_length=hop, center=False, scale="magnitude").fit(windows)
    x = np.swapaxes(windows.astype(float), 1, 2)
    slices = [x[..., at : at + 64] for at in range(0, length - 63, hop)]
    truth = np.abs(np.fft.rfft(np.stack(slices, axis=1) * signal.get_window("hann", 64)))
    truth = truth.reshape(2, len(slices), -1)
    assert np.abs(block.transform(windows) - truth).max() < 1e-6 * truth.max()
    assert np.abs(in_onnx(block, windows) - truth).max() < 1e-6 * truth.max()


@pytest.mark.parametrize("quiet_db", [20.0, 40.0, 60.0])
def test_decibels_are_as_near_as_their_distance_to_the_loudest_allows(quiet_db: float) -> None:
    time = np.arange(4096)
    rng = np.random.default_rng(int(quiet_db))
    loud = np.sin(2 * np.pi * 64 * time / 1024)
    quiet = 10 ** (-quiet_db / 20) * np.sin(2 * np.pi * (200 * time / 1024 + time**2 / 16384))
    windows = (loud + quiet + 1e-3 * 10 ** (-quiet_db / 20) * rng.normal(size=4096)).astype(np.float32)
    windows = windows.reshape(1, -1, 1)
    block = Spectrogram(1024, center=False, scale="db", top_db=None).fit(windows)
    slices = [windows[0, at : at + 1024, 0].astype(float) for at in range(0, 3073, 256)]
    truth = np.abs(np.fft.rfft(np.stack(slices) * signal.get_window("hann", 1024))) ** 2
    truth = 10 * np.log10(np.maximum(truth, 1e-10))
    allowed = 2e-5 * 10 ** ((truth.max() - truth) / 20)
    for found in (block.transform(windows), in_onnx(block, windows)):
        assert (np.abs(found[0] - truth) <= allowed).all()


def test_a_tone_is_in_its_bin_and_in_its_band() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000).reshape(1, -1, 1)
    spectrum = Spectrogram(256, hop_length=128).fit_transform(tone)
    assert (spectrum[0, 2:-2].argmax(axis=1) == 32).all()
    block = LogMel(8000.0, 26, n_fft=256, hop_length=128, htk=True).fit(tone)
    centres = mel_to_hz(np.linspace(0, hz_to_mel(np.array(4000.0), htk=True), 28), htk=True)[1:-1]
    assert block.transform(tone)[0, 10].argmax() == np.abs(centres - 1000).argmin()


def test_shapes_and_names_are_frames_of_axes_side_by_side() -> None:
    windows = noise(500, 2)(3)
    spectrum = Spectrogram(16, hop_length=8, center=False).fit(windows)
    assert spectrum.transform(windows).shape == (3, 61, 2 * 9)
    assert spectrum.get_feature_names_out(["x", "y"])[[0, 9]].tolist() == ["x_bin0", "y_bin0"]
    mels = LogMel(1000.0, 4, n_fft=64, hop_length=32).fit(windows)
    assert mels.transform(windows).shape == (3, 1 + 500 // 32, 2 * 4)
    assert mels.get_feature_names_out()[[3, 4]].tolist() == ["axis0_mel3", "axis1_mel0"]
    cepstrum = MFCC(1000.0, 3, n_mels=4, n_fft=64, hop_length=32).fit(windows)
    assert cepstrum.transform(windows).shape == (3, 1 + 500 // 32, 2 * 3)
    assert cepstrum.get_feature_names_out()[-1] == "axis1_mfcc2"
    assert cepstrum.describe()["hop_length"] == 32
    assert cepstrum.transform(np.empty((0, 500, 2))).shape == (0, 16, 6)


def test_every_axis_has_a_loudest_value_of_its_own() -> None:
    windows = noise(512, 2)(1)
    windows[..., 1] *= 1e-4
    together = LogMel(1000.0, 8, n_fft=128, hop_length=64).fit_transform(windows)
    alone = LogMel(1000.0, 8, n_fft=128, hop_length=64).fit_transform(windows[..., 1:])
    assert together[..., 8:] == pytest.approx(alone, abs=1e-4)


def test_silence_is_the_floor() -> None:
    block = LogMel(1000.0, 4, n_fft=64, hop_length=32).fit(noise(128, 1)(2))
    assert block.transform(np.zeros((1, 128, 1))) == pytest.approx(-100.0, abs=1e-4)


def test_mels_and_cosines_are_inverses_and_orthonormal() -> None:
    hz = np.array([0.0, 60, 999, 1000, 1001, 7000])
    for htk in (False, True):
        assert mel_to_hz(hz_to_mel(hz, htk=htk), htk=htk) == pytest.approx(hz, rel=1e-12, abs=1e-9)
    assert hz_to_mel(np.array([1000.0]), htk=False) == pytest.approx(15.0)
    weights = mel_weights(8000.0, 4096, 10, 0.0, 4000.0, htk=False, slaney=True)
    assert weights.sum(axis=0) * 8000 / 4096 == pytest.approx(1.0, rel=1e-2)
    transform = cosine_transform(26, 13)
    assert transform == pytest.approx(fft.dct(np.eye(26), norm="ortho")[:, :13], abs=1e-14)


def test_bands_that_hold_no_bin_are_told() -> None:
    with pytest.warns(UserWarning, match="LogMel: bands 0.*hold no bin and never change"):
        LogMel(1000.0, 64, n_fft=64).fit(noise(200, 1)(2))


@pytest.mark.parametrize(
    ("block", "what"),
    [
        (Spectrogram(1), "n_fft: expected a whole number from 2"),
        (Spectrogram(64, hop_length=0), "hop_length: expected a whole number from 1"),
        (Spectrogram(64, win_length=65), "win_length: expected a whole number from 1 to 64, n_fft"),
        (Spectrogram(64, window="round"), "get_window takes.*found 'round'"),
        (Spectrogram(64, center=1), "center: expected True or False"),
        (Spectrogram(64, pad_mode="wrap"), "pad_mode: expected one of constant, reflect, edge"),
        (Spectrogram(64, scale="loudness"), "scale: expected one of magnitude, power, db"),
        (Spectrogram(64, amin=0.0), "amin: expected a number from 1e-30"),
        (Spectrogram(64, top_db=-1.0), "top_db: expected a number from 0"),
        (Spectrogram(2048, center=False), "at least n_fft = 2048 samples, found 200.*center=True"),
        (Spectrogram(400, pad_mode="reflect"), "'reflect' needs more than n_fft // 2 = 200 samples"),
        (LogMel(0.0), "rate_hz: expected the sampling rate"),
        (LogMel(math.nan), "found nan"),
        (LogMel(-16000), "found -16000"),
        (LogMel(1000.0, 0), "n_mels: expected a whole number from 1"),
        (LogMel(1000.0, fmax=501.0), "fmax: expected a number from 0 to 500, half of rate_hz"),
        (LogMel(1000.0, fmin=300.0, fmax=200.0), "fmin: expected a number from 0 to 200, fmax"),
        (LogMel(1000.0, fmin=200.0, fmax=200.0), "expected fmin below fmax"),
        (LogMel(1000.0, htk="yes"), "htk: expected True or False"),
        (LogMel(1000.0, norm="area"), "norm: expected one of slaney"),
        (LogMel(1000.0, 1, fmin=1.0, fmax=2.0, n_fft=64), "no band from fmin to fmax holds one"),
        (MFCC(1000.0, 30, n_mels=20), "MFCC: n_mfcc: expected a whole number from 1 to 20, n_mels"),
        (MFCC(1000.0, 0), "n_mfcc"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*hold no bin")
def test_a_wrong_parameter_is_one_clear_error(block: Block, what: str) -> None:
    with pytest.raises(BlockError, match=what):
        block.fit(noise(200, 1)(2))


def test_more_frames_than_a_device_should_hold_are_refused() -> None:
    with pytest.raises(BlockError, match="expected at most 16777216 numbers: give a longer hop_length"):
        Spectrogram(1024, hop_length=1).fit(np.zeros((1, 40_000, 1)))
