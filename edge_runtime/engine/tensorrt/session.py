"""A loaded variant of TensorRT: what the seam asks of it, the host's part included."""

from collections.abc import Mapping, Sequence
from threading import Lock

import numpy as np

from edge_runtime.bundle.manifest import Input, Output
from edge_runtime.engine.base import Array, are_columns, numpy_dtype, shape_text
from edge_runtime.engine.onnxruntime import OnnxRuntimePart
from edge_runtime.engine.tensorrt.program import Buffers, Program, Tensor
from edge_runtime.errors import EngineError


class TensorRTSession:
    """A program whose inputs and outputs are those of the manifest, but for what `host` gives it.

    notes: what is to be reported of how it was loaded.
    """

    def __init__(
        self,
        program: Program,
        inputs: Sequence[Input],
        outputs: Sequence[Output],
        *,
        max_rows: int,
        host: OnnxRuntimePart | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        """Raises EngineError when a tensor is not what the manifest says."""
        self.notes = notes
        self._program: Program | None = program
        self._host = host
        self._max_rows = max_rows
        self._subject = program.subject
        self._output_names = [output.name for output in outputs]
        self._lock = Lock()
        self._large: Buffers | None = None
        _check_inputs(program, inputs, host)
        _check_outputs(program, outputs)
        self._one = program.buffers(1)
        self.row = None if host else _row(self, program, inputs, outputs)
        self._warm_up(program)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Execute a batch; see `Session.run`."""
        offered = dict(inputs) if self._host is None else {**inputs, **self._host.run(inputs)}
        count = len(next(iter(inputs.values())))
        with self._lock:
            program = self._open()
            feed = {
                name: np.ascontiguousarray(offered[name], tensor.dtype)
                for name, tensor in program.inputs.items()
            }
            _check_rows(feed, count, self._subject)
            made = {
                name: np.empty(program.outputs[name].sizes(count), program.outputs[name].dtype)
                for name in self._output_names
            }
            for start in range(0, count, self._max_rows):
                stop = min(count, start + self._max_rows)
                parts = (
                    {name: array[start:stop] for name, array in each.items()} for each in (feed, made)
                )
                program.run(self._buffers(program, stop - start), stop - start, *parts)
        return made

    def run_row(self, given: Mapping[str, Array], made: Mapping[str, Array]) -> None:
        """Execute one row in arrays that stay. Raises EngineError."""
        with self._lock:
            self._open().run(self._one, 1, given, made)

    def close(self) -> None:
        """Release the model once no run is left in it."""
        with self._lock:
            program, self._program = self._program, None
            try:
                if program is not None:
                    program.close()
            finally:
                if self._host is not None:
                    self._host.close()

    def _open(self) -> Program:
        if self._program is None:
            raise EngineError(f"{self._subject}: the model was closed.")
        return self._program

    def _buffers(self, program: Program, rows: int) -> Buffers:
        """Those of one row, or ones that are large enough: they grow with the largest batch so far."""
        if rows == 1:
            return self._one
        if self._large is None or self._large.rows < rows:
            small, self._large = self._large, None
            if small is not None:
                small.free()
            self._large = program.buffers(rows)
        return self._large

    def _warm_up(self, program: Program) -> None:
        """The first run loads kernels, and TensorRT-RTX compiles them: not when somebody waits."""
        given, made = (
            {name: np.zeros(tensor.sizes(1), tensor.dtype) for name, tensor in tensors.items()}
            for tensors in (program.inputs, program.outputs)
        )
        program.run(self._one, 1, given, made)


class TensorRTRow:
    """One row in arrays that stay, in memory that the device copies from and to directly."""

    def __init__(
        self, session: TensorRTSession, inputs: dict[str, Array], outputs: dict[str, Array]
    ) -> None:
        self.inputs, self.outputs = tuple(inputs.values()), tuple(outputs.values())
        self._given, self._made, self._session = inputs, outputs, session

    def run(self) -> None:
        """Execute once; see `BoundRow.run`."""
        self._session.run_row(self._given, self._made)


def _row(
    session: TensorRTSession, program: Program, inputs: Sequence[Input], outputs: Sequence[Output]
) -> TensorRTRow | None:
    """The short way; there is none for a table, nor where the graph does not read every input."""
    if are_columns(inputs) or len(program.inputs) != len(inputs):
        return None
    given = {each.name: program.host_array(program.inputs[each.name], 1) for each in inputs}
    made = {each.name: program.host_array(program.outputs[each.name], 1) for each in outputs}
    return TensorRTRow(session, given, made)


def _check_inputs(program: Program, inputs: Sequence[Input], host: OnnxRuntimePart | None) -> None:
    """Demand that every input of the program is the manifest's, or comes from the host's part."""
    offered = {each.name: Tensor(numpy_dtype(each.dtype), each.shape) for each in inputs}
    if host is not None:
        host.check_inputs(inputs)
        offered |= {
            name: Tensor(numpy_dtype(kind), shape) for name, (kind, shape) in host.outputs.items()
        }
    for name, tensor in program.inputs.items():
        _check(program.subject, f"input {name!r}", offered.get(name), tensor)


def _check_outputs(program: Program, outputs: Sequence[Output]) -> None:
    expected = {each.name: Tensor(numpy_dtype(each.dtype), each.shape) for each in outputs}
    if expected.keys() != program.outputs.keys():
        raise EngineError(
            f"{program.subject}: expected the outputs {list(expected)} as in the manifest, found "
            f"{list(program.outputs)[:16]}. Convert the model again."
        )
    for name, tensor in program.outputs.items():
        _check(program.subject, f"output {name!r}", expected[name], tensor)


def _check(subject: str, what: str, expected: Tensor | None, found: Tensor) -> None:
    """The same dtype and shape, where a size that the manifest leaves open may be any."""
    if expected is None:
        raise EngineError(f"{subject}: {what}: expected one of the manifest. Convert the model again.")
    fits = len(expected.shape) == len(found.shape) and all(
        wanted is None or size == wanted
        for size, wanted in zip(found.shape[1:], expected.shape[1:], strict=True)
    )
    if not fits or expected.dtype != found.dtype or found.shape[:1] != (None,):
        raise EngineError(
            f"{subject}: {what}: expected {expected.dtype} of shape {shape_text(expected.shape)}, found "
            f"{found.dtype} of shape {shape_text(found.shape)}. Convert the model again."
        )


def _check_rows(feed: Mapping[str, Array], count: int, subject: str) -> None:
    for name, array in feed.items():
        if len(array) != count:
            raise EngineError(
                f"{subject}: {name!r}: expected {count} rows, found {len(array)}. "
                "Convert the model again."
            )
