"""ONNX Runtime as a user has it without us, on the very session of a loaded model of one array."""

from collections.abc import Callable

import numpy as np

import edge_runtime


def session_run(model: edge_runtime.Model) -> Callable[[np.ndarray], list[np.ndarray]]:
    """Its usual call, with the names and the dictionary it needs."""
    session = model._session._session
    (given,), names = session.get_inputs(), [each.name for each in session.get_outputs()]
    return lambda rows: session.run(names, {given.name: rows})


def raw_io_binding(model: edge_runtime.Model) -> Callable[[np.ndarray], np.ndarray]:
    """Buffers for one row bound once; copy the row in, run: the least a user can do with it."""
    session, manifest = model._session._session, model.manifest
    binding = session.io_binding()
    (given,) = manifest.inputs
    buffer = np.zeros((1, *given.shape[1:]), given.dtype)
    binding.bind_input(given.name, "cpu", 0, buffer.dtype.type, buffer.shape, buffer.ctypes.data)
    found = [np.zeros((1, *each.shape[1:]), each.dtype) for each in manifest.outputs]
    for each, array in zip(manifest.outputs, found, strict=True):
        binding.bind_output(each.name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)

    def ask(row: np.ndarray) -> np.ndarray:
        buffer[...] = row
        session.run_with_iobinding(binding)
        return found[0]  # all of `found` must live: it is bound by address

    return ask
