"""Runs a bundle that is not sealed yet, through the very engine a device uses."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from converter.source import Tensors
from edge_runtime.bundle import open_bundle, seal
from edge_runtime.bundle.manifest import Manifest
from edge_runtime.model import Model, from_bundle


@contextmanager
def loaded(manifest: Manifest, artifacts: Mapping[str, bytes]) -> Iterator[Model]:
    """Seal the bundle, unsigned and for the moment, and load it as a device would."""
    with TemporaryDirectory(prefix="edge-runtime-") as folder:
        path = Path(folder) / "draft.edge"
        path.write_bytes(seal(manifest, artifacts, []))
        with open_bundle(path, root=None, allow_unsigned=True) as bundle, from_bundle(bundle) as model:
            yield model


def run(model: Model, rows: NDArray[np.float32]) -> Tensors:
    """A loaded variant's outputs by name, labels as indices into its classes."""
    inference = model.infer(rows)
    tensors: Tensors = {}
    for output in model.manifest.outputs:
        if output.meaning == "label" and inference.labels is not None:
            index = {name: i for i, name in enumerate(model.classes)}
            labels = [index[name] for name in inference.labels.tolist()]
            tensors[output.name] = np.array(labels, dtype=np.int64)
        elif output.meaning == "probabilities" and inference.probabilities is not None:
            tensors[output.name] = inference.probabilities
        elif inference.values is not None:
            tensors[output.name] = inference.values
    return tensors
