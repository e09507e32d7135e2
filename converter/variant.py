"""Runs a bundle that is not sealed yet, through the very engine a device uses."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.inputs import Rows
from converter.source import Tensors
from edge_runtime.bundle import open_bundle, seal
from edge_runtime.bundle.manifest import Manifest
from edge_runtime.errors import StorageError
from edge_runtime.model import Model, from_bundle


@contextmanager
def loaded(manifest: Manifest, artifacts: Mapping[str, bytes]) -> Iterator[Model]:
    """Seal the bundle, unsigned and for the moment, and load it as a device would.

    Raises StorageError when the temporary folder has no room for it.
    """
    with TemporaryDirectory(prefix="edge-runtime-") as folder:
        path = Path(folder) / "draft.edge"
        _write(path, seal(manifest, artifacts, []))
        with open_bundle(path, root=None, allow_unsigned=True) as bundle, from_bundle(bundle) as model:
            yield model


def _write(path: Path, raw: bytes) -> None:
    try:
        path.write_bytes(raw)
    except OSError as error:
        raise StorageError(
            f"{path}: a draft of {len(raw):,} bytes cannot be written: {error.strerror}. Make room "
            "in the temporary folder, or set TMPDIR to another."
        ) from error


def run(model: Model, rows: Rows) -> Tensors:
    """A loaded variant's outputs as `Answer.tensors`, labels as indices into their classes.

    Raises InputError when it refuses a row.
    """
    inference = model.infer(rows.given)
    if inference.by_name is not None:
        return inference.by_name
    found = {"probabilities": inference.probabilities, "value": inference.values}
    found["score"] = inference.values
    if inference.labels is not None:
        found["label"] = _indices(model, inference.labels)
    tensors: Tensors = {}
    for output in model.manifest.outputs:
        if output.meaning == "refused":
            continue
        tensor = found[output.meaning]
        assert tensor is not None
        tensors[output.meaning] = tensor
    return tensors


def _indices(model: Model, labels: NDArray[Any]) -> NDArray[np.int64]:
    if not model.labels:
        return _index(labels, model.classes)
    columns = [_index(labels[:, j], label.classes) for j, label in enumerate(model.labels)]
    return np.stack(columns, axis=1)


def _index(labels: NDArray[Any], classes: tuple[str, ...]) -> NDArray[np.int64]:
    index = {name: i for i, name in enumerate(classes)}
    return np.array([index[name] for name in labels.tolist()], dtype=np.int64)
