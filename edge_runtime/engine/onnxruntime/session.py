"""A model that ONNX Runtime loaded: its batches, its row in buffers bound once, its tensors."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from edge_runtime.bundle.manifest import Input, Output
from edge_runtime.engine.base import (
    Array,
    are_columns,
    in_parts,
    matches,
    numpy_dtype,
    row_shape,
    shape_text,
)
from edge_runtime.engine.onnxruntime.library import CPU, NAME
from edge_runtime.engine.words import as_engine_error, failed
from edge_runtime.errors import EngineError
from edge_runtime.signals import raise_if_a_handlers

Tensor = Input | Output

# On the processor a larger input is run in parts: what goes from layer to layer then stays in a core's
# cache, so that of 1,000 windows a convolution takes 0.8 times as long, and a batch of pictures does not
# fill the memory. Fewer rows would read a dense layer's weights too often.
_PART_BYTES, _LEAST_ROWS = 512 << 10, 8

_ELEMENT_TYPES = {
    "float32": "tensor(float)",
    "float64": "tensor(double)",
    "int64": "tensor(int64)",
    "int32": "tensor(int32)",
    "uint8": "tensor(uint8)",
    "bool": "tensor(bool)",
    "string": "tensor(string)",
}


class OnnxRuntimeSession:
    """A loaded ONNX file whose inputs and outputs are those of the manifest.

    provider: what it runs on. copies: its inputs are copied to another memory. notes: what is to be
    reported of it.
    """

    def __init__(
        self,
        session: Any,
        inputs: Sequence[Input],
        outputs: Sequence[Output],
        subject: str,
        *,
        provider: str = CPU,
        copies: bool = False,
        notes: tuple[str, ...] = (),
    ) -> None:
        _check_tensors(f"{subject}: inputs", session.get_inputs(), inputs)
        _check_tensors(f"{subject}: outputs", session.get_outputs(), outputs)
        self._session = session
        self._outputs = tuple(outputs)
        self._output_names = [output.name for output in outputs]
        self._subject = subject
        self.provider = provider
        self.notes = notes
        self.row = _bind_row(session, inputs, outputs, subject, CopiedRow if copies else OnnxRuntimeRow)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Execute a batch; see `Session.run`."""
        session = self._session
        if session is None:
            raise EngineError(f"{self._subject}: the model was closed.")
        count = len(next(iter(inputs.values())))
        at_once = _rows_at_once(inputs, count) if self.provider == CPU else count
        try:  # not `as_engine_error`, which takes time in each call
            if count <= at_once:
                arrays = session.run(self._output_names, dict(inputs))
            else:
                arrays = in_parts(partial(session.run, self._output_names), inputs, at_once)
        except Exception as error:
            raise_if_a_handlers(error)
            raise failed(f"{self._subject}: cannot be run", NAME, error) from error
        for array, output in zip(arrays, self._outputs, strict=True):
            expected = (count, *output.shape[1:])
            if not matches(array.shape, expected):
                raise EngineError(
                    f"{self._subject}: output {output.name!r}: expected the shape "
                    f"{shape_text(expected)}, found {array.shape}. Convert the model again."
                )
        return dict(zip(self._output_names, arrays, strict=True))

    def close(self) -> None:
        """Release the model once no run is left in it."""
        self._session = None
        if self.row is not None:
            self.row.close()


def _rows_at_once(inputs: Mapping[str, Array], count: int) -> int:
    """How many of `count` rows one run on the processor takes: all, or parts of equal length."""
    size = sum(array.nbytes for array in inputs.values())
    if size <= _PART_BYTES or count <= _LEAST_ROWS:
        return count
    parts = -(-count // max(_LEAST_ROWS, _PART_BYTES * count // size))
    return -(-count // parts)


class OnnxRuntimePart:
    """A loaded ONNX file that makes what another engine reads; its batch axis is the first.

    outputs: dtype and shape of what it makes, by name.
    """

    def __init__(self, session: Any, subject: str) -> None:
        self._session = session
        self._inputs = session.get_inputs()
        self._subject = subject
        kinds = {kind: dtype for dtype, kind in _ELEMENT_TYPES.items()}
        self.outputs: dict[str, tuple[str, tuple[int | None, ...]]] = {}
        for each in session.get_outputs():
            if (dtype := kinds.get(each.type)) is None:
                raise EngineError(
                    f"{subject}: {each.name!r}: found {each.type}. Convert the model again."
                )
            shape = tuple(size if isinstance(size, int) else None for size in each.shape)
            self.outputs[each.name] = (dtype, shape)

    def check_inputs(self, declared: Sequence[Input]) -> None:
        """Raise EngineError when it reads what is not there."""
        by_name = {each.name: each for each in declared}
        read = [by_name[each.name] for each in self._inputs if each.name in by_name]
        _check_tensors(f"{self._subject}: inputs", self._inputs, read)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Its outputs for those of `inputs` that it reads, by name; safe from several threads.

        Raises EngineError.
        """
        session = self._session
        if session is None:
            raise EngineError(f"{self._subject}: the model was closed.")
        read = {each.name: inputs[each.name] for each in self._inputs}
        with as_engine_error(f"{self._subject}: cannot be run", NAME):
            arrays = session.run(list(self.outputs), read)
        return dict(zip(self.outputs, arrays, strict=True))

    def close(self) -> None:
        self._session = None


class OnnxRuntimeRow:
    """IO binding, bound once: no allocation, no look-up by name, no conversion in a call."""

    def __init__(
        self, session: Any, inputs: dict[str, Array], outputs: dict[str, Array], subject: str
    ) -> None:
        self.inputs, self.outputs = tuple(inputs.values()), tuple(outputs.values())
        self._subject = subject
        self._named = inputs
        # The buffers are bound by address; `inputs` and `outputs` keep them alive with the binding.
        binding: Any = session.io_binding()
        self._binding = binding
        self._bind_inputs(binding)
        for name, array in outputs.items():
            binding.bind_output(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
        self._run: Any = session.run_with_iobinding

    def run(self) -> None:
        """Execute once; see `BoundRow.run`."""
        try:
            self._run(self._binding)
        except Exception as error:
            raise_if_a_handlers(error)
            if self._binding is None:
                raise EngineError(f"{self._subject}: the model was closed.") from None
            raise failed(f"{self._subject}: cannot be run", NAME, error) from error

    def _bind_inputs(self, binding: Any) -> None:
        for name, array in self._named.items():
            address = array.ctypes.data
            binding.bind_input(name, "cpu", 0, array.dtype.type, array.shape, address)

    def close(self) -> None:
        self._binding = self._run = None


class CopiedRow(OnnxRuntimeRow):
    """The same for a provider whose memory is its own: ONNX Runtime copies an input when it is bound."""

    def run(self) -> None:
        """Execute once; see `BoundRow.run`."""
        if (binding := self._binding) is not None:  # another thread may close the model now
            self._bind_inputs(binding)
        super().run()


def _bind_row(
    session: Any,
    inputs: Sequence[Input],
    outputs: Sequence[Output],
    subject: str,
    kind: type[OnnxRuntimeRow],
) -> OnnxRuntimeRow | None:
    if are_columns(inputs) or any(each.dtype == "string" for each in inputs):
        return None  # texts have no buffer of fixed size

    def buffers(tensors: Sequence[Tensor]) -> dict[str, Array] | None:
        made = {}
        for tensor in tensors:
            if (shape := row_shape(tensor.shape)) is None:
                return None
            made[tensor.name] = np.zeros(shape, numpy_dtype(tensor.dtype))
        return made

    bound_inputs, bound_outputs = buffers(inputs), buffers(outputs)
    if bound_inputs is None or bound_outputs is None:
        return None
    with as_engine_error(f"{subject}: cannot be bound", NAME):
        return kind(session, bound_inputs, bound_outputs, subject)


def _check_tensors(subject: str, found: Sequence[Any], expected: Sequence[Tensor]) -> None:
    """Demand the manifest's names, dtypes and shapes, in its order."""
    names = [tensor.name for tensor in expected]
    if [tensor.name for tensor in found] != names:
        raise EngineError(
            f"{subject}: expected {names} as in the manifest, found "
            f"{[tensor.name[:80] for tensor in found][:16]}. Convert the model again."
        )
    for actual, tensor in zip(found, expected, strict=True):
        kind = _ELEMENT_TYPES[tensor.dtype]
        shape = tuple(actual.shape)
        if actual.type != kind or not _fits(shape, tensor.shape):
            raise EngineError(
                f"{subject}: {tensor.name!r}: expected {kind} of shape {shape_text(tensor.shape)} as in "
                f"the manifest, found {actual.type} of shape {shape_text(shape)}. "
                "Convert the model again."
            )


def _fits(shape: Sequence[int | str | None], expected: Sequence[int | None]) -> bool:
    """Whether a shape is the expected one; what is no number is known only when the model runs.

    A size the manifest leaves open must be open in the model too.
    """
    return len(shape) == len(expected) and all(
        not isinstance(size, int) or size == wanted for size, wanted in zip(shape, expected, strict=True)
    )
