"""The shortest way of one row through a model: copy, check, run, read."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, TypeGuard, TypeVar

import numpy as np

from edge_runtime.engine.base import Array, BoundRow
from edge_runtime.engine.check import Check
from edge_runtime.engine.inputs import InputCheck
from edge_runtime.engine.outputs import Inference, OutputReader, Prediction

Read = TypeVar("Read")


class BusyError(Exception):
    """Another thread is in the row; the way of batches is free."""


class Row(ABC):
    """A bound row with validation, for one thread at a time: another one gets BusyError.

    `main`, `inference` and `copies` read what a run has left, and are for `ask` alone: the prediction as
    of `OutputReader.main`, everything the model says, the raw outputs.
    """

    def __init__(self, bound: BoundRow, reader: OutputReader) -> None:
        self._main = reader.row_main(bound.outputs)
        self._outputs = bound.outputs
        self._run = bound.run
        self._reader = reader
        # Something is in it while nobody is in the row. To take that is atomic, as a lock is, and 0.5 µs
        # faster. An interrupt before the `try` leaves it empty: then rows go the way of batches.
        self._free = [None]

    @abstractmethod
    def fits(self, values: Any) -> TypeGuard[Any]:
        """Whether these are one row that needs no conversion: all that `ask` takes."""

    def ask(self, values: Any, read: Callable[["Row"], Read]) -> Read:
        """Run a row, and what `read` makes of it. Raises InputError, EngineError or BusyError."""
        free = self._free
        try:
            free.pop()
        except IndexError:
            raise BusyError from None
        try:
            self._execute(values)
            return read(self)
        finally:
            free.append(None)

    def main(self) -> Prediction:
        """See above."""
        return self._main()

    def inference(self) -> Inference:
        """See above."""
        return self._reader.inference(self._outputs, self._main())

    def copies(self) -> tuple[Array, ...]:
        """See above."""
        return tuple(output.copy() for output in self._outputs)

    @abstractmethod
    def _execute(self, values: Any) -> None:
        """Copy the row in, check it and run. Raises InputError or EngineError."""


class CheckedRow(Row):
    """A row of one array.

    What it costs above the bare engine is measured by benchmarks/latency.py; every line counts.
    """

    def __init__(self, bound: BoundRow, check: InputCheck, reader: OutputReader) -> None:
        super().__init__(bound, reader)
        (self._buffer,) = bound.inputs
        self._check = check
        self._look, self._wrong = check.look, check.wrong
        self._mask, self._seen = _mask(self._buffer)
        self._dtype = self._buffer.dtype
        self._shape = self._buffer.shape

    def fits(self, values: Any) -> TypeGuard[Any]:
        """See `Row.fits`."""
        return type(values) is np.ndarray and values.shape == self._shape and values.dtype == self._dtype

    def _execute(self, values: Array) -> None:
        buffer = self._buffer
        buffer[...] = values
        # 0.6 µs for 600 values, where isfinite().all() takes 1.9. A dot product with zeros, NaN unless
        # all are finite, would take 0.4, but warns of what it finds and leans on the BLAS at hand.
        self._look(buffer, self._mask)
        if self._wrong in self._seen:
            self._check.explain(buffer, buffer)
        self._run()


class NamedRow(Row):
    """A row of several arrays, given by the names of the inputs."""

    def __init__(self, bound: BoundRow, checks: Mapping[str, InputCheck], reader: OutputReader) -> None:
        super().__init__(bound, reader)
        self._parts = tuple(
            (name, buffer, *_mask(buffer), check)
            for (name, check), buffer in zip(checks.items(), bound.inputs, strict=True)
        )
        self._given = {name: (buffer.shape, buffer.dtype) for name, buffer, *_ in self._parts}

    def fits(self, values: Any) -> TypeGuard[Any]:
        """See `Row.fits`: a dict of exactly the inputs."""
        if type(values) is not dict or values.keys() != self._given.keys():
            return False
        for name, (shape, dtype) in self._given.items():
            array = values[name]
            if type(array) is not np.ndarray or array.shape != shape or array.dtype != dtype:
                return False
        return True

    def _execute(self, values: Mapping[str, Array]) -> None:
        for name, buffer, mask, seen, check in self._parts:
            buffer[...] = values[name]
            check.look(buffer, mask)
            if check.wrong in seen:
                check.explain(buffer, buffer)
        self._run()


def _mask(buffer: Array) -> tuple[Array, bytearray]:
    """A mask for `InputCheck.look` at a buffer, and its bytes: one memory, searched without a copy."""
    seen = bytearray(buffer.size)
    return np.ndarray(buffer.shape, np.bool_, seen), seen


def checked_row(bound: BoundRow | None, check: Check, reader: OutputReader) -> Row | None:
    """The short way of a model whose rows have one; else None."""
    rules = check.short_way
    if bound is None or rules is None:
        return None
    if isinstance(rules, InputCheck):
        return CheckedRow(bound, rules, reader)
    return NamedRow(bound, rules, reader)
