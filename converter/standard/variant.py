"""Variants for TensorRT: graphs in standard operators, tried with TensorRT; or why there are none.

They never stop a conversion: where none can be had the plain variant ships, and the report says why.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from converter.backends import tensorrt
from converter.backends.tensorrt import CAPABILITIES, Trial
from converter.bundling import file_of, needs_of
from converter.foreign import told
from converter.frontends.base import Converted
from converter.progress import Progress
from converter.requirements import of_onnxruntime
from converter.shipped import Shipped
from converter.source import Tensors
from converter.standard.splitting import Split, split
from edge_runtime.boards import Board
from edge_runtime.bundle.manifest import Parity, Profile, Variant
from edge_runtime.errors import EdgeError
from edge_runtime.model import MAX_BATCH

ID = "tensorrt-fp32"
# A stream asks one row at a time; `edge_runtime.Model` splits longer batches.
PROFILE = Profile(min_rows=1, opt_rows=1, max_rows=MAX_BATCH)


@dataclass(frozen=True)
class ForBoards:
    """What a bundle has for the boards it was made for.

    shipped: the variant for TensorRT, None where there is none. outcomes: by the name of each board that
    has TensorRT, for the report: what it gets, what was tried here, and what was not.
    """

    shipped: Shipped | None = None
    outcomes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plans:
    """A graph as TensorRT is given it, and what came of building plans for `boards`."""

    parts: Split
    boards: tuple[Board, ...]
    trials: dict[str, Trial]

    @property
    def built(self) -> tuple[str, ...]:
        """The names of those that a plan was built for, or for the capability next below theirs."""
        return tuple(board.name for board in self.boards if not self.trial(board).why)

    def trial(self, board: Board) -> Trial:
        return self.trials[_stands_for(board)]

    def variant(self, name: str, *, precision: Any, parity: Parity, exact: str = "") -> Variant:
        """What the manifest says of it; its files are `artifacts(name)`.

        Of ONNX Runtime it requires what runs its first part, where it has one.
        """
        opsets, ir_version = needs_of(self.parts.main)
        host = self.parts.host
        return Variant(
            id=name,
            engine="tensorrt",
            precision=precision,
            file=file_of(name),
            host=_host_of(name) if host else "",
            opsets=opsets,
            ir_version=ir_version,
            size_bytes=len(self.parts.main) + len(host),
            exact=exact,
            parity=parity,
            requires=of_onnxruntime(*needs_of(host)) if host else {},
            profile=PROFILE,
            boards=self.built,
        )

    def artifacts(self, name: str) -> dict[str, bytes]:
        host = {_host_of(name): self.parts.host} if self.parts.host else {}
        return {file_of(name): self.parts.main, **host}


def planned(raw: bytes, boards: Sequence[Board], progress: Progress) -> Plans:
    """Build plans of a graph for boards that have TensorRT. Raises UnsupportedModelError."""
    parts = split(raw)
    capabilities = sorted({_stands_for(board) for board in boards})
    progress(f"building TensorRT plans for compute capability {', '.join(capabilities)}")
    trials = tensorrt.try_builds(parts.main, PROFILE, capabilities)
    return Plans(parts, tuple(boards), {trial.capability: trial for trial in trials})


def for_boards(
    boards: Sequence[Board],
    lower: Callable[[], Converted],
    prove: Callable[[Converted], tuple[Parity, Tensors]],
    progress: Progress,
) -> ForBoards:
    """Make the variant for those of `boards` that have TensorRT.

    lower: converts the model to standard operators and float32. prove: runs that graph in ONNX Runtime
    beside the source model. What of ours they raise becomes a note.
    """
    wanted = with_tensorrt(boards)
    if not wanted:
        return ForBoards()
    try:
        progress("lowering to standard operators")
        converted = lower()
        progress("proving parity of the lowered graph")
        parity, found = prove(converted)
        plans = planned(converted.onnx, wanted, progress)
    except EdgeError as error:
        return without(boards, error)
    outcomes = {board.name: _outcome(board, plans) for board in wanted}
    if not plans.built:
        return ForBoards(outcomes=outcomes)
    variant = plans.variant(ID, precision="fp32", parity=parity, exact=converted.exact)
    return ForBoards(Shipped(variant, plans.artifacts(ID), converted, found), outcomes)


def without(boards: Sequence[Board], error: EdgeError) -> ForBoards:
    """No variant for TensorRT, because of `error`."""
    why = told(error).removesuffix("The model was not converted.").strip()
    none = f"it has no TensorRT variant: {why}"
    return ForBoards(outcomes={board.name: none for board in with_tensorrt(boards)})


def with_tensorrt(boards: Sequence[Board]) -> tuple[Board, ...]:
    """Those of `boards` that have it."""
    return tuple(board for board in boards if board.tensorrt is not None)


def _host_of(variant: str) -> str:
    return file_of(variant, "host.onnx")


def _stands_for(board: Board) -> str:
    """The board's own compute capability, or the nearest below that plans can be built for here."""
    assert board.tensorrt is not None
    wanted = _as_number(board.tensorrt.capability)
    return max((each for each in CAPABILITIES if _as_number(each) <= wanted), key=_as_number)


def _as_number(capability: str) -> tuple[int, ...]:
    return tuple(int(part) for part in capability.split("."))


def _outcome(board: Board, plans: Plans) -> str:
    assert board.tensorrt is not None
    own, tried = board.tensorrt.capability, plans.trial(board)
    if tried.why:
        return f"it has no TensorRT variant: {tried.why}"
    built = f"a plan of {tried.plan_bytes / 1000:,.1f} kB in {tried.seconds:.2f} s"
    if tried.capability == own:
        return f"TensorRT-RTX built {built} for its compute capability {own}"
    return (
        f"untested: its compute capability {own} cannot be tried here. For {tried.capability} "
        f"TensorRT-RTX built {built}"
    )
