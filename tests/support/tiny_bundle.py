"""Real bundles of a few kilobytes, made without the converter: what tests install, run and break.

The model takes windows of 4 samples of 2 channels and calls each by its mean: `still` or `moving`.
"""

import io
from collections.abc import Collection, Mapping
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt
import onnx
from cryptography.hazmat.primitives.asymmetric import ec
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.bundle import Root, decode_root, make_root, seal
from edge_runtime.bundle.manifest import (
    FORMAT,
    Golden,
    Input,
    Manifest,
    Output,
    Parity,
    Provenance,
    Variant,
    Window,
    default_release,
)

Behaviour = Literal[
    "good",
    "wrong_goldens",
    "fails",
    "not_onnx",
    "hangs",
    "starves",
    "fails_on_large",
    "hangs_on_large",
    "nan_on_large",
    "slow",
    "heavier",
    "wrong",
]
Floats = npt.NDArray[np.float32]

CLASSES = ("still", "moving")
LENGTH = 4
CHANNELS = ("x", "y")
MODEL_FILE = "variants/fp32/model.onnx"
HEAVIER_LACKS = 4e-6  # of 1, in the sum of a window's probabilities: within the goldens' tolerance

# Keys by number: the same in every run, so that a bundle's bytes are too.
KEY = ec.derive_private_key(0x5EED1, ec.SECP256R1())
OTHER_KEY = ec.derive_private_key(0x5EED2, ec.SECP256R1())


def root_bytes(key: ec.EllipticCurvePrivateKey = KEY) -> bytes:
    """A root file that trusts bundles signed by `key`."""
    return make_root([key.public_key()], key)


def root(key: ec.EllipticCurvePrivateKey = KEY) -> Root:
    return decode_root(root_bytes(key))


def tiny_bundle(
    name: str = "tiny",
    version: str = "1.0.0",
    release: int | None = None,
    behaviour: Behaviour = "good",
    *,
    seed: int = 0,
    key: ec.EllipticCurvePrivateKey | None = KEY,
    extra: Mapping[str, bytes] | None = None,
    requires: Mapping[str, str] | None = None,
    boards: tuple[str, ...] = (),
    wrong_on: str = "",
    floor: int = 0,
    variants: Mapping[str, Behaviour] | None = None,
    on_own: Collection[str] = (),
    engine: str = "",
) -> bytes:
    """The bytes of a signed bundle (`key=None`: unsigned); another `seed` is another content.

    `behaviour` is what a device meets in it: `wrong_goldens` runs with other outputs than the golden
    ones, `fails` raises in every run, `not_onnx` cannot be loaded, `hangs` never comes back from the
    first run, `starves` asks for more memory than there is in every run; `fails_on_large` and
    `hangs_on_large` do so when a value is above 100, which no golden one is; `slow` takes a few
    milliseconds for a run, `heavier` a tenth of one, and is known by its outputs (see `HEAVIER_LACKS`).

    `variants` are what it has in place of `fp32`, by their ids; one that is `wrong` gives other outputs;
    those in `on_own` are for the engine of `own_engine`.
    `wrong_on` is a board that has a variant of its own, before the other: it does not give the goldens.
    `engine` is another than theirs that all variants are made for.
    """
    model, windows = TinyModel(seed), golden_windows()
    label, probabilities = model(windows)
    if behaviour == "wrong_goldens":
        label, probabilities = 1 - label, probabilities[:, ::-1]
    raw = b"this is no model" if behaviour == "not_onnx" else model.graph(behaviour)
    artifacts = {
        MODEL_FILE: raw,
        "golden/inputs/0.npy": npy(windows),
        "golden/outputs/0.npy": npy(label),
        "golden/outputs/1.npy": npy(np.ascontiguousarray(probabilities)),
        "card.md": f"# {name} {version}\nA model for tests.\n".encode(),
        **(extra or {}),
    }
    release = default_release(version) if release is None else release
    manifest = tiny_manifest(name, version, release, model_size=len(raw), golden_count=len(windows))
    manifest = msgspec.structs.replace(manifest, floor=floor)
    if requires or boards:
        (fp32,) = manifest.variants
        fp32 = msgspec.structs.replace(fp32, requires=dict(requires or {}), boards=boards)
        manifest = msgspec.structs.replace(manifest, variants=(fp32,))
    if wrong_on:
        file = "variants/wrong/model.onnx"
        model.weights = -model.weights
        artifacts[file] = model.graph()
        wrong = msgspec.structs.replace(manifest.variants[0], id="wrong", file=file, boards=(wrong_on,))
        manifest = msgspec.structs.replace(manifest, variants=(wrong, *manifest.variants))
    if variants:
        del artifacts[MODEL_FILE]
        made = []
        for id_, how in variants.items():
            file = f"variants/{id_}/model.onnx"
            raw = b"this is no model" if how == "not_onnx" else model.graph(how)
            artifacts[file] = raw
            one = msgspec.structs.replace(manifest.variants[0], id=id_, file=file, size_bytes=len(raw))
            made.append(msgspec.structs.replace(one, engine="own") if id_ in on_own else one)
        manifest = msgspec.structs.replace(manifest, variants=tuple(made))
    if engine:
        made_for = tuple(msgspec.structs.replace(each, engine=engine) for each in manifest.variants)
        manifest = msgspec.structs.replace(manifest, variants=made_for)
    return seal(manifest, artifacts, [] if key is None else [key])


def tiny_manifest(
    name: str, version: str, release: int, *, model_size: int, golden_count: int
) -> Manifest:
    batch = (None,)
    return Manifest(
        format=FORMAT,
        name=name,
        version=version,
        release=release,
        task="classification",
        classes=CLASSES,
        inputs=(Input(name="windows", dtype="float32", shape=(None, LENGTH, len(CHANNELS))),),
        outputs=(
            Output(name="label", dtype="int64", shape=batch, meaning="label"),
            Output(name="probabilities", dtype="float32", shape=(None, 2), meaning="probabilities"),
        ),
        window=Window(channels=CHANNELS, length=LENGTH, stride=2, rate_hz=10.0),
        preprocessing=(),
        variants=(
            Variant(
                id="fp32",
                engine="onnxruntime",
                precision="fp32",
                file=MODEL_FILE,
                opsets={"": 17},
                ir_version=8,
                size_bytes=model_size,
                exact="",
                parity=Parity(
                    inputs=golden_count,
                    label_disagreements=0,
                    near_ties=0,
                    max_abs_error=0.0,
                    tolerance=1e-5,
                ),
            ),
        ),
        golden=Golden(
            count=golden_count,
            inputs=("golden/inputs/0.npy",),
            outputs=("golden/outputs/0.npy", "golden/outputs/1.npy"),
            tolerance=1e-5,
        ),
        evaluation=None,
        provenance=Provenance(source="tests", libraries={}, inputs_sha256="0" * 64),
    )


def golden_windows() -> Floats:
    """Six windows (6, 4, 2): three still, three moving."""
    level = np.asarray([-2, -1.5, -1, 1, 1.5, 2], np.float32).reshape(6, 1, 1)
    ripple = np.linspace(-0.2, 0.2, LENGTH * len(CHANNELS), dtype=np.float32).reshape(1, LENGTH, -1)
    return np.asarray(level + ripple, np.float32)


def npy(array: npt.NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


class TinyModel:
    """softmax(mean over time · weights): in numpy, where goldens come from, and as an ONNX graph."""

    def __init__(self, seed: int = 0) -> None:
        strength = np.float32(1 + seed / 16)
        self.weights = np.asarray([[-1, 1], [-1, 1]], np.float32) * strength

    def __call__(self, windows: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
        """Windows (n, 4, 2) to labels (n,) and probabilities (n, 2)."""
        scores = windows.astype(np.float64).mean(axis=1) @ self.weights
        exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
        probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
        return probabilities.argmax(axis=1), probabilities.astype(np.float32)

    def graph(self, behaviour: Behaviour = "good") -> bytes:
        """The ONNX file, opset 17, IR 8; with something inserted that spoils every run."""
        spoilers = {
            "fails": _failing,
            "hangs": _endless,
            "starves": _greedy,
            "fails_on_large": _failing_on_large,
            "hangs_on_large": _endless_on_large,
            "nan_on_large": _no_number_on_large,
            "slow": _lengthy,
            "heavier": _heavier,
        }
        weights = -self.weights if behaviour == "wrong" else self.weights
        spoil = spoilers.get(behaviour, _nothing)
        heavier = behaviour == "heavier"
        nodes = [
            *spoil("windows", "spoiled"),
            helper.make_node("ReduceMean", ["spoiled"], ["mean"], axes=[1], keepdims=0),
            helper.make_node("MatMul", ["mean", "weights"], ["scores"]),
            helper.make_node("Softmax", ["scores"], ["all" if heavier else "probabilities"], axis=1),
            *(_lacking("all", "probabilities") if heavier else ()),
            helper.make_node("ArgMax", ["scores"], ["label"], axis=1, keepdims=0),
        ]
        graph = helper.make_graph(
            nodes,
            "tiny",
            [
                helper.make_tensor_value_info(
                    "windows", TensorProto.FLOAT, ["batch", LENGTH, len(CHANNELS)]
                )
            ],
            [
                helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"]),
                helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 2]),
            ],
            [numpy_helper.from_array(weights, "weights")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())


def _constant(name: str, value: npt.NDArray[Any]) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value, name))


def _nothing(source: str, target: str) -> list[onnx.NodeProto]:
    return [helper.make_node("Identity", [source], [target])]


def _failing(source: str, target: str) -> list[onnx.NodeProto]:
    """Looks up sample 99 of each window, an index that depends on the input: no optimiser sees it."""
    return [
        _constant("far", np.asarray([99], np.int64)),
        helper.make_node("Shape", [source], ["length"], start=0, end=1),
        helper.make_node("Mul", ["length", "far"], ["beyond"]),
        helper.make_node("Gather", [source, "beyond"], ["sample"], axis=1),
        helper.make_node("Add", [source, "sample"], [target]),
    ]


def _failing_on_large(source: str, target: str) -> list[onnx.NodeProto]:
    """Looks up the sample whose number is a hundredth of the largest value."""
    return [
        _constant("hundred", np.asarray(100, np.float32)),
        helper.make_node("ReduceMax", [source], ["largest"], keepdims=0),
        helper.make_node("Div", ["largest", "hundred"], ["hundredth"]),
        helper.make_node("Cast", ["hundredth"], ["number"], to=TensorProto.INT64),
        _constant("four", np.asarray(LENGTH, np.int64)),
        helper.make_node("Mul", ["number", "four"], ["beyond"]),
        helper.make_node("Gather", [source, "beyond"], ["sample"], axis=1),
        _constant("one", np.asarray([1], np.int64)),
        helper.make_node("Unsqueeze", ["sample", "one"], ["samples"]),
        helper.make_node("Sub", ["samples", "samples"], ["zeros"]),
        helper.make_node("Add", [source, "zeros"], [target]),
    ]


def _endless_on_large(source: str, target: str) -> list[onnx.NodeProto]:
    """A Loop that is entered when the largest value is above 100."""
    constant, loop = _endless(source, target)
    del constant
    loop.input[1] = "large"
    return [
        _constant("hundred", np.asarray(100, np.float32)),
        helper.make_node("ReduceMax", [source], ["largest"], keepdims=0),
        helper.make_node("Greater", ["largest", "hundred"], ["large"]),
        loop,
    ]


def _no_number_on_large(source: str, target: str) -> list[onnx.NodeProto]:
    """Adds nothing to values up to 500, and what is no number to larger ones."""
    return [
        _constant("most", np.asarray(500, np.float32)),
        helper.make_node("Sub", ["most", source], ["below"]),
        helper.make_node("Sqrt", ["below"], ["root"]),
        helper.make_node("Sub", ["root", "root"], ["nothing"]),
        helper.make_node("Add", [source, "nothing"], [target]),
    ]


def _lengthy(source: str, target: str, turns: int = 2_000) -> list[onnx.NodeProto]:
    """A Loop of so many turns."""
    constant, loop = _endless(source, target)
    loop.input[0] = "turns"
    return [_constant("turns", np.asarray(turns, np.int64)), constant, loop]


def _heavier(source: str, target: str) -> list[onnx.NodeProto]:
    return _lengthy(source, target, turns=100)


def _lacking(source: str, target: str) -> list[onnx.NodeProto]:
    """Takes a little of all probabilities."""
    share = _constant("share", np.asarray(1 - HEAVIER_LACKS, np.float32))
    return [share, helper.make_node("Mul", [source, "share"], [target])]


def _endless(source: str, target: str) -> list[onnx.NodeProto]:
    """A Loop whose condition stays true, as the 269-byte hostile file does."""
    scalar = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Identity", ["carried"], ["carried_on"]),
        ],
        "forever",
        [
            scalar("turn", TensorProto.INT64, []),
            scalar("go", TensorProto.BOOL, []),
            scalar("carried", TensorProto.FLOAT, ["batch", LENGTH, len(CHANNELS)]),
        ],
        [
            scalar("go_on", TensorProto.BOOL, []),
            scalar("carried_on", TensorProto.FLOAT, ["batch", LENGTH, len(CHANNELS)]),
        ],
    )
    return [
        _constant("true", np.asarray(True)),
        helper.make_node("Loop", ["", "true", source], [target], body=body),
    ]


def _greedy(source: str, target: str) -> list[onnx.NodeProto]:
    """Asks for 4 TiB: an allocation that fails at once, everywhere."""
    return [
        _constant("size", np.asarray([1 << 40], np.int64)),
        helper.make_node("Shape", [source], ["length"], start=1, end=2),
        helper.make_node("Mul", ["length", "size"], ["sizes"]),
        helper.make_node("ConstantOfShape", ["sizes"], ["vast"]),
        helper.make_node("ReduceMean", ["vast"], ["none"], axes=[0], keepdims=0),
        helper.make_node("Add", [source, "none"], [target]),
    ]
