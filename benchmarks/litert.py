"""LiteRT as a peer: files by TensorFlow's own converter, run by the interpreter of ai-edge-litert.

    python benchmarks/litert.py PRECISION SAVED_MODEL OUTPUT CALIBRATION

writes one file. It is run as a child process: calibrating an LSTM ends the process that asked for it
(tensorflow issue 101050).
"""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from converter.frontends.tensorflow.library import load, quiet

INT8, WEIGHTS, FLOAT32 = "int8", "int8 weights", "float32"


@dataclass(frozen=True)
class Files:
    """Of one precision, the file of each batch size; shapes are fixed, as XNNPACK asks for them."""

    precision: str
    by_batch: dict[int, bytes]


def files_of(
    model: Any, calibration: np.ndarray, batches: tuple[int, ...], folder: Path, notes: dict[str, str]
) -> list[Files]:
    """In float32, and in int8 by its post-training quantization; where it fails, of the weights only.

    Why one that was tried has no figure goes to `notes`.
    """
    saved = {batch: export(model, batch, folder / f"batch-{batch}") for batch in batches}
    rows = folder / "calibration.npy"
    np.save(rows, calibration)
    found = []
    for choices in ((FLOAT32,), (INT8, WEIGHTS)):
        for precision in choices:
            try:
                made = {at: convert_apart(precision, path, rows) for at, path in saved.items()}
            except subprocess.CalledProcessError as fault:
                notes[f"LiteRT {precision}"] = f"its converter ended: {ending(fault)}"
            else:
                found.append(Files(precision, made))
                break
    return found


def export(model: Any, batch: int, folder: Path) -> Path:
    """The Keras model as a SavedModel for inputs of (batch, ...)."""
    tf = load().tf
    given = tf.TensorSpec((batch, *model.input_shape[1:]), tf.float32)
    with quiet():
        model.export(folder, format="tf_saved_model", verbose=False, input_signature=[given])
    return folder


def convert_apart(precision: str, saved_model: Path, calibration: Path) -> bytes:
    output = saved_model.with_suffix(f".{precision.replace(' ', '-')}.tflite")
    command = [sys.executable, __file__, precision, str(saved_model), str(output), str(calibration)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return output.read_bytes()


def ending(fault: subprocess.CalledProcessError) -> str:
    if fault.returncode < 0:
        return f"by signal {-fault.returncode}"
    lines = str(fault.stderr).strip().splitlines() or ["it says nothing"]
    return lines[-1][:100]


def convert(precision: str, saved_model: str, output: str, calibration: str) -> None:
    tf = load().tf
    makes = tf.lite.TFLiteConverter.from_saved_model(saved_model)
    if precision != FLOAT32:
        makes.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == INT8:
        (given,) = tf.saved_model.load(saved_model).signatures["serving_default"].inputs[:1]
        batch, rows = given.shape[0], np.load(calibration)
        makes.representative_dataset = lambda: (
            [np.take(rows, range(at, at + batch), axis=0, mode="wrap")]
            for at in range(0, len(rows), batch)
        )
    Path(output).write_bytes(makes.convert())


def asking(raw: bytes) -> Callable[[np.ndarray], np.ndarray]:
    """A peer: the one output of a file of one input, by one thread, with XNNPACK as is its default."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=raw, num_threads=1)
    interpreter.allocate_tensors()
    (given,), (gives,) = interpreter.get_input_details(), interpreter.get_output_details()
    rows_at, answer_at = given["index"], gives["index"]

    def ask(rows: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(rows_at, rows)
        interpreter.invoke()
        answer: np.ndarray = interpreter.get_tensor(answer_at)
        return answer

    return ask


if __name__ == "__main__":
    convert(*sys.argv[1:])
