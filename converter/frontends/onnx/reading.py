"""ONNX files from disk: read whole, with the data beside them put inside."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import onnx

from converter.foreign import translated
from converter.frontends.onnx.external import embed
from edge_runtime.errors import ConversionError

SUFFIX = ".onnx"
# With the data beside it. Protobuf ends at 2 GiB, and converting takes several copies.
MAX_BYTES = 1 << 30
_AGAIN = "Export the model again."


@dataclass(frozen=True)
class OnnxFile:
    """A model as its author wrote it.

    raw: the file's bytes; where data lay beside it, the same model with that data inside. subject: what
    it is called in errors.
    """

    raw: bytes
    subject: str

    @cached_property
    def proto(self) -> Any:
        """The `onnx.ModelProto`, to be read only."""
        return onnx.load_model_from_string(self.raw)

    @property
    def feature_names_in_(self) -> tuple[str, ...] | None:
        """Of a file with one number or text a row in each of several inputs their names, by the name
        that scikit-learn has for the columns of a DataFrame; else None."""
        fixed = {tensor.name for tensor in self.proto.graph.initializer}
        inputs = [value for value in self.proto.graph.input if value.name not in fixed]
        ranks = [len(value.type.tensor_type.shape.dim) for value in inputs]
        widths = {size.dim_value for value in inputs for size in value.type.tensor_type.shape.dim[1:]}
        is_table = len(inputs) > 1 and set(ranks) <= {1, 2} and widths <= {1}
        return tuple(value.name for value in inputs) if is_table else None


def load_onnx(path: Path) -> OnnxFile:
    """Read a file. Raises ConversionError where it, or the data beside it, is not what it should be."""
    raw = _bytes_of(path)
    model = _parsed(raw, str(path))
    if embed(model, path.parent, str(path), MAX_BYTES - len(raw)):
        raw = model.SerializeToString(deterministic=True)
    return OnnxFile(raw, str(path))


def as_file(model: Any) -> OnnxFile:
    """A file or an `onnx.ModelProto` as a file. Raises ConversionError for data kept elsewhere."""
    if isinstance(model, OnnxFile):
        return model
    with translated("model: cannot be written as an ONNX file"):  # of more than 2 GiB protobuf raises
        size = model.ByteSize()
        if size > MAX_BYTES:
            raise _too_large("model", size)
        raw = model.SerializeToString(deterministic=True)
    embed(_parsed(raw, "model"), None, "model", 0)
    return OnnxFile(raw, "model")


def _bytes_of(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise _too_large(str(path), size)
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise ConversionError(f"{path}: no such file. Give the path of a saved model.") from error
    except OSError as error:
        raise ConversionError(f"{path}: cannot be read: {error.strerror or error}.") from error
    if not raw:
        raise ConversionError(f"{path}: expected an ONNX file, found an empty one. {_AGAIN}")
    return raw


def _too_large(subject: str, size: int) -> ConversionError:
    return ConversionError(
        f"{subject}: expected at most {MAX_BYTES:,} bytes, found {size:,}. A bundle is for small "
        "devices: convert a smaller model."
    )


def _parsed(raw: bytes, subject: str) -> Any:
    wrong = f"{subject}: expected an ONNX file, found one that is damaged or of another kind. {_AGAIN}"
    try:
        model = onnx.load_model_from_string(raw)
    except Exception as error:  # protobuf's own
        raise ConversionError(wrong) from error
    # Any text may be read as a few unknown fields; a model has a graph.
    if not model.HasField("graph") or not model.graph.output:
        raise ConversionError(wrong)
    return model
