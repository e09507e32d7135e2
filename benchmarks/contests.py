"""The models that latency.py asks, trained here, and who else is asked the same rows."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import compiled
import litert
import motion
import numpy as np
import openvino_peer
from interleaving import Peers
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import converter
from converter.blocks import WindowFeatures

PEERS = ("ai-edge-litert", "openvino", "treelite", "tl2cgen")
BATCHES = (1, 1000)


@dataclass(frozen=True)
class Contest:
    """One model and its peers.

    source: what the trained model is called among the peers; `ask_source` asks it.
    inputs: held out, float32 (n, ...). others: further peers by the number of rows they are asked.
    notes: why a peer has no figure.
    """

    what: str
    source: str
    ask_source: Callable[[np.ndarray], Any]
    inputs: np.ndarray
    bundle: converter.ConvertedBundle
    others: dict[int, Peers]
    notes: dict[str, str]


def forest(folder: Path, missing: list[str]) -> Contest:
    """On features that were computed before, as compilers of trees know nothing else."""
    features = WindowFeatures()
    with np.load(motion.RECORDINGS) as found:
        trained, labels = features.fit_transform(found["train_windows"]), found["train_labels"]
        tested, truth = features.transform(found["test_windows"]), found["test_labels"]
    model = RandomForestClassifier(100, random_state=0).fit(trained, labels)
    notes: dict[str, str] = {}
    peers: Peers = {}
    if not {"treelite", "tl2cgen"} & {*missing}:
        peers = compiled.peers_of(model, trained.shape[1], folder / "forest", notes)
    return Contest(
        f"a forest of 100 trees on {trained.shape[1]} features of a window",
        "scikit-learn", model.predict, features.transform(motion.held_out()),
        converter.convert(model, tested, truth, name="forest", version="1.0.0"),
        dict.fromkeys(BATCHES, peers), notes,
    )  # fmt: skip


def mlp(_folder: Path, missing: list[str]) -> Contest:
    pixels, labels = load_digits(return_X_y=True)
    pixels = pixels.astype(np.float32)
    network = MLPClassifier((256, 128), random_state=0, max_iter=40, early_stopping=True)
    model = make_pipeline(StandardScaler(), network).fit(pixels[:1200], labels[:1200])
    inputs = pixels[1200:]
    bundle = converter.convert(model, inputs, labels[1200:], name="mlp", version="1.0.0")
    notes: dict[str, str] = {}
    others = {batch: openvino(bundle, (batch, 64), missing, notes) for batch in BATCHES}
    return Contest(
        "a scaler and a network of 256 and 128 neurons on 64 pixels",
        "scikit-learn", model.predict, inputs, bundle, others, notes,
    )  # fmt: skip


def cnn(folder: Path, missing: list[str]) -> Contest:
    from networks import motion_cnn

    from converter.frontends.tensorflow.library import load

    tf = load().tf
    for threads in ("intra", "inter"):
        getattr(tf.config.threading, f"set_{threads}_op_parallelism_threads")(1)
    network = motion_cnn()
    held_out, truth = network.inputs, network.labels
    bundle = converter.convert(network.model, held_out, truth, name="cnn", version="1.0.0")
    notes: dict[str, str] = {}

    def others(batch: int) -> Peers:
        return {
            **tried("LiteRT", "ai-edge-litert", lambda: lite(network, batch, folder), missing, notes),
            **openvino(bundle, (batch, *held_out.shape[1:]), missing, notes),
        }

    traced = tf.function(lambda rows: network.model(rows, training=False))
    return Contest(
        "two 1D convolutions on windows of 100 samples of 6 channels",
        "Keras", lambda rows: traced(rows).numpy(), motion.held_out(), bundle,
        {batch: others(batch) for batch in BATCHES}, notes,
    )  # fmt: skip


def lite(network: Any, batch: int, folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    """The Keras model in float32, by TensorFlow's own converter."""
    calibration = folder / "calibration.npy"
    np.save(calibration, network.calibration)
    saved = litert.export(network.model, batch, folder / f"batch-{batch}")
    return litert.asking(litert.convert_apart(litert.FLOAT32, saved, calibration))


def openvino(
    bundle: converter.ConvertedBundle, shape: tuple[int, ...], missing: list[str], notes: dict[str, str]
) -> Peers:
    """It reads our graph."""
    graph = bundle.artifacts["variants/fp32/model.onnx"]
    return tried("OpenVINO", "openvino", lambda: openvino_peer.asking(graph, shape), missing, notes)


def tried(
    peer: str,
    distribution: str,
    make: Callable[[], Callable[[np.ndarray], Any]],
    missing: list[str],
    notes: dict[str, str],
) -> Peers:
    """The peer, unless its distribution is missing; why it cannot be made goes to `notes`."""
    if distribution in missing:
        return {}
    try:
        return {peer: make()}
    except subprocess.CalledProcessError as fault:
        notes[peer] = f"its converter ended: {litert.ending(fault)}"
    except RuntimeError as fault:
        notes[peer] = " ".join(str(fault).split())[:100]
    return {}


CONTESTS: dict[str, Callable[[Path, list[str]], Contest]] = {"forest": forest, "MLP": mlp, "CNN": cnn}
