"""Data that an ONNX file keeps beside it, read with suspicion.

A file may name any path. Read here are plain files in the model's own folder alone: no absolute path, no
step upwards, nothing through a link of either kind, which could be anyone's.
"""

import os
import stat
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from onnx import TensorProto

from converter.frontends.onnx.walking import tensors_of
from edge_runtime.errors import ConversionError

_BESIDE = "Put the data beside the model as one plain file, or export it in one file."


def embed(model: Any, folder: Path | None, subject: str, most: int) -> bool:
    """Put data kept in files of `folder` into the model, in place; whether there was any.

    most: bytes of data that are taken. folder: None where there is none to look in. Raises
    ConversionError.
    """
    outside = [each for each in tensors_of(model) if each.data_location == TensorProto.EXTERNAL]
    if outside and folder is None:
        raise ConversionError(
            f"{subject}: expected a whole model, found tensor {outside[0].name[:100]!r} kept in a "
            "file. Give the path of the file in place of the model."
        )
    for tensor in outside:
        assert folder is not None
        raw = _Place(tensor, subject).read(folder, most)
        most -= len(raw)
        tensor.raw_data = raw
        tensor.ClearField("data_location")
        tensor.ClearField("external_data")
    return bool(outside)


class _Place:
    """Where one tensor's data is: a file's relative name, and which of its bytes."""

    def __init__(self, tensor: Any, subject: str) -> None:
        said = {entry.key: entry.value for entry in tensor.external_data}
        self._name = said.get("location", "")
        self._subject = f"{subject}: tensor {tensor.name[:100]!r}, kept in {self._name[:200]!r}"
        self._offset = self._number(said, "offset") or 0
        self._length = self._number(said, "length")

    def read(self, folder: Path, most: int) -> bytes:
        """The bytes, at most `most`. Raises ConversionError."""
        path = self._path(folder)
        try:
            with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
                found = os.fstat(file.fileno())
                if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
                    raise self._fault("a plain file", "a link or something else")
                length = found.st_size - self._offset if self._length is None else self._length
                if not 0 <= length <= most:
                    raise self._fault(f"0 to {most:,} bytes more", f"{length:,}")
                file.seek(self._offset)
                raw = file.read(length)
        except OSError as error:
            raise self._fault("a file that can be read", f"{error.strerror or error}") from error
        if len(raw) < length:
            raise self._fault(f"{length:,} bytes from {self._offset:,} on", f"{len(raw):,}")
        return raw

    def _path(self, folder: Path) -> Path:
        name = PurePosixPath(self._name)
        parts = name.parts
        is_windows = bool(PureWindowsPath(self._name).drive) or "\\" in self._name
        if not parts or name.is_absolute() or is_windows or ".." in parts or "\0" in self._name:
            raise self._fault("a name in the model's folder", "another path")
        path = folder
        for part in parts:
            path = path / part
            if path.is_symlink():
                raise self._fault("a plain file", "a link")
        return path

    def _number(self, said: dict[str, str], key: str) -> int | None:
        value = said.get(key, "")
        if not value:
            return None
        if not value.isdecimal() or len(value) > 18:
            raise self._fault(f"a whole number as {key}", repr(value[:40]))
        return int(value)

    def _fault(self, expected: str, found: str) -> ConversionError:
        return ConversionError(f"{self._subject}: expected {expected}, found {found}. {_BESIDE}")
