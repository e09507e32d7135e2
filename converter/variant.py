"""Runs a bundle that exists in memory only, through the engine a device would use."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from converter.parity import Run
from converter.source import Tensors
from edge_runtime.bundle.manifest import Manifest

_BATCH = 4096


@contextmanager
def running(manifest: Manifest, artifacts: Mapping[str, bytes]) -> Iterator[Run]:
    """Load the bundle's variant; yields a function from inputs of any number to output tensors."""
    import onnxruntime

    session = onnxruntime.InferenceSession(
        artifacts[manifest.variants[0].file], providers=["CPUExecutionProvider"]
    )

    def run(rows: NDArray[np.float32]) -> Tensors:
        names = [output.name for output in manifest.outputs]
        parts = [
            session.run(names, {manifest.inputs[0].name: rows[start : start + _BATCH]})
            for start in range(0, len(rows), _BATCH)
        ]
        return {name: np.concatenate([part[i] for part in parts]) for i, name in enumerate(names)}

    yield run
