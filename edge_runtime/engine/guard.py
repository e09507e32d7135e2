"""A session of another package's engine, held to what the seam says: what it breaks is told as that."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np

from edge_runtime.bundle.manifest import Output
from edge_runtime.engine.base import Array, BoundRow, Session, matches, shape_text
from edge_runtime.engine.registry import broken, is_ours
from edge_runtime.engine.words import one_line
from edge_runtime.errors import EdgeError, UnavailableError
from edge_runtime.signals import raise_if_a_handlers

_OF_A_SESSION = ("run", "row", "close")
_MOST_NOTES = 16


def session_of(made: Any, engine: str) -> Session:
    """What an engine's `load` gave, if it is a session; else raises UnavailableError."""
    missing = [name for name in _OF_A_SESSION if not hasattr(made, name)]
    if not missing:
        session: Session = made
        return session
    raise UnavailableError(
        f"the engine {engine} is broken: expected load() to return a session with run, row and close; "
        f"found {type(made).__name__} without {', '.join(missing)}. Install another release of it."
    )


class GuardedSession:
    """Runs `session`; raises UnavailableError for what no adapter should raise or return."""

    def __init__(self, session: Session, engine: str, outputs: Sequence[Output]) -> None:
        with blaming(engine):
            notes = islice(getattr(session, "notes", ()), _MOST_NOTES)
            self.notes = tuple(one_line(str(each)) for each in notes)
            self.provider = one_line(str(getattr(session, "provider", "")))
            self.row = None if session.row is None else _GuardedRow(session.row, engine)
        self._session = session
        self._engine = engine
        self._outputs = tuple(outputs)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """See `Session.run`."""
        count = len(next(iter(inputs.values())))
        with blaming(self._engine):
            made: Any = self._session.run(inputs)
            return {each.name: self._checked(made[each.name], each, count) for each in self._outputs}

    def close(self) -> None:
        with blaming(self._engine):
            self._session.close()

    def _checked(self, array: Any, output: Output, count: int) -> Array:
        expected = (count, *output.shape[1:])
        if isinstance(array, np.ndarray) and matches(array.shape, expected):
            given: Array = array
            return given
        found = array.shape if isinstance(array, np.ndarray) else type(array).__name__
        raise UnavailableError(
            f"the engine {self._engine} is broken: output {output.name!r}: expected an array of the "
            f"shape {shape_text(expected)}, found {found}. Install another release of it."
        )


class _GuardedRow:
    def __init__(self, row: BoundRow, engine: str) -> None:
        self.inputs, self.outputs = row.inputs, row.outputs
        self._row, self._engine = row, engine

    def run(self) -> None:
        """See `BoundRow.run`."""
        with blaming(self._engine):
            self._row.run()


@contextmanager
def blaming(engine: str) -> Iterator[None]:
    """What an engine raises that none should is this machine's fault, and not the bundle's.

    Raises UnavailableError in its place; an error of ours that another package's engine raises stays
    one, on one line of bounded length.
    """
    try:
        yield
    except MemoryError:
        raise
    except EdgeError as error:
        raise_if_a_handlers(error)
        words = str(error)
        if is_ours(engine) or (text := one_line(words)) == words:
            raise
        raise _kind(error)(text) from error
    except Exception as error:
        raise_if_a_handlers(error)
        raise UnavailableError(f"{engine}'s {broken(error)}") from error


def _kind(error: EdgeError) -> type[EdgeError]:
    """The class in our tree: one that is derived from it may be made of other arguments."""
    return next(kind for kind in type(error).__mro__ if kind.__module__ == EdgeError.__module__)
