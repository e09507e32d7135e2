"""The variant for TensorRT, run by ONNX Runtime file by file, as no device here can run it."""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import onnxruntime

from converter import ConvertedBundle
from edge_runtime.engine.check import input_check
from edge_runtime.engine.outputs import Inference, OutputReader


@contextmanager
def standard_variant(bundle: ConvertedBundle) -> Iterator[Callable[[Any], Inference]]:
    """A function like `Model.infer`: it too raises InputError for rows that are refused.

    The host's file comes first, where there is one; what it gives the other one reads, by name.
    """
    (variant,) = (each for each in bundle.manifest.variants if each.engine == "tensorrt")
    files = [file for file in (variant.host, variant.file) if file]
    sessions = [_session(bundle.artifacts[file]) for file in files]
    check, reader = input_check(bundle.manifest), OutputReader(bundle.manifest)

    def infer(rows: Any) -> Inference:
        known: dict[str, Any] = dict(check.feed(rows))
        for session in sessions:
            fed = {each.name: known[each.name] for each in session.get_inputs()}
            names = [each.name for each in session.get_outputs()]
            known.update(zip(names, session.run(names, fed), strict=True))
        outputs = [known[output.name] for output in bundle.manifest.outputs]
        return reader.inference(outputs, reader.main(outputs))

    yield infer


def _session(raw: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
