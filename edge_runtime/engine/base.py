"""The engine seam: what executes a variant, and what a loaded model can do.

Everything above sees numpy arrays and errors of this project only.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from edge_runtime.bundle import Bundle
from edge_runtime.bundle.manifest import Input, Variant

Array = np.ndarray[Any, np.dtype[Any]]
# What a model is called on, once it is known to be arrays: the one input, or columns or inputs by name.
Values = Array | Mapping[str, Array]


class BoundRow(Protocol):
    """The path for a batch of one: buffers that stay where they are, bound to the engine once.

    Write into `inputs` (each of shape (1, ...)), call `run`, read `outputs`. The next call overwrites
    them, so one thread at a time, and copy what is given away.
    """

    inputs: tuple[Array, ...]
    outputs: tuple[Array, ...]

    def run(self) -> None:
        """Execute once; raises EngineError."""


class Session(Protocol):
    """A loaded variant. Values are in the order of the manifest's inputs and outputs."""

    @property
    def row(self) -> BoundRow | None:
        """The path for one row of numbers; None for several columns and where a size is not fixed."""

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Execute a batch, by tensor name. Safe from several threads.

        Raises EngineError, also when an output has another shape than the manifest says.
        """

    def close(self) -> None:
        """Release the model's memory."""


class Engine(Protocol):
    """Something that executes variants of one kind."""

    name: str

    def why_unavailable(self) -> str:
        """Why it cannot be used on this machine, in a sentence; '' when it can."""

    def load(self, bundle: Bundle, variant: Variant, *, threads: int) -> Session:
        """Load a variant. Raises EngineError when it cannot be, or is not what the manifest says."""


class ProvidingEngine(Engine, Protocol):
    """An engine with several ways to run one variant here; others have one, which has no name.

    A provider is what the engine hands a graph to: the processor, or a library for a GPU or processor.
    """

    def providers(self, variant: Variant, board: str, /) -> Sequence[str]:
        """The ways that can be used on this machine, the one that `load` takes by itself first.

        `board`: what this device is; where nobody has said, '', all that are here. The first call may
        start a process that looks, for a second or two; later ones remember. Raises nothing.
        """

    def unusable_providers(self, variant: Variant, board: str, /) -> Mapping[str, str]:
        """Ways that are installed and cannot be used, each with why, in a sentence's words."""

    def load(self, bundle: Bundle, variant: Variant, *, threads: int, provider: str = "") -> Session:
        """See `Engine.load`; `provider`: one that `providers` names, "" for the first.

        Raises UnavailableError for one that this machine does not have, and where it cannot be used.
        The session may have `provider`, the name of what it runs on, and `notes`: what it runs only in
        part is told there.
        """


def in_parts(
    run: Callable[[dict[str, Array]], Sequence[Array]], inputs: Mapping[str, Array], rows: int
) -> list[Array]:
    """What `run` gives for so many rows of all inputs at a time, joined."""
    count = len(next(iter(inputs.values())))
    parts = [
        run({name: array[at : at + rows] for name, array in inputs.items()})
        for at in range(0, count, rows)
    ]
    return [np.concatenate(each) for each in zip(*parts, strict=True)]


def are_columns(inputs: Sequence[Input]) -> bool:
    """Whether these are several columns of a table, which are checked one by one: no row is bound."""
    return len(inputs) > 1 and all(each.shape == (None,) for each in inputs)


def row_shape(shape: tuple[int | None, ...]) -> tuple[int, ...] | None:
    """A tensor's shape for a batch of one; None when another axis than the batch has no fixed size."""
    fixed = tuple(size for size in shape[1:] if size is not None)
    return (1, *fixed) if len(fixed) == len(shape) - 1 else None


def matches(shape: tuple[int, ...], expected: tuple[int | None, ...]) -> bool:
    """Whether a shape is the expected one, where None stands for any size."""
    if len(shape) != len(expected):
        return False
    for axis, wanted in enumerate(expected):  # each batch is asked: `all`, or `zip`, takes longer
        if wanted is not None and shape[axis] != wanted:
            return False
    return True


def shape_text(shape: tuple[int | str | None, ...]) -> str:
    """A shape for people: (n, 100, 6)."""
    sizes = [
        str(size) if isinstance(size, int) else "n" if axis == 0 else "any"
        for axis, size in enumerate(shape)
    ]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def numpy_dtype(dtype: str) -> np.dtype[Any]:
    """The numpy dtype of a tensor's declared dtype, in this machine's byte order; texts are objects."""
    return np.dtype(np.object_ if dtype == "string" else dtype)
