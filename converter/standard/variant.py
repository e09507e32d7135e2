"""The variant for TensorRT: lowered, proved in ONNX Runtime, tried with TensorRT; or why there is none.

It never stops a conversion: where it cannot be had the plain variant ships, and the report says why.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import onnx

from converter.backends import tensorrt
from converter.backends.tensorrt import CAPABILITIES, Trial
from converter.foreign import told
from converter.frontends.base import Converted
from converter.standard.splitting import Split, split
from edge_runtime.boards import Board
from edge_runtime.bundle.manifest import Parity, Profile, Variant
from edge_runtime.errors import EdgeError

ID = "tensorrt-fp32"
GRAPH = f"variants/{ID}/model.onnx"
HOST_GRAPH = f"variants/{ID}/host.onnx"
# A stream asks one row at a time; longer batches are split at 1,024 by `edge_runtime.Model`.
PROFILE = Profile(min_rows=1, opt_rows=1, max_rows=1024)


@dataclass(frozen=True)
class ForBoards:
    """What a bundle has for the boards it was made for.

    variant, artifacts: the one for TensorRT, None and empty where there is none. lowered: its graph
    before it was split, b"" where there is none. notes: one sentence a
    board, for the report: what it gets, what was tried here, and what was not.
    """

    variant: Variant | None = None
    artifacts: dict[str, bytes] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    lowered: bytes = b""


def for_boards(
    boards: Sequence[Board],
    lower: Callable[[], Converted],
    prove: Callable[[Converted], Parity],
    progress: Callable[[str], None],
) -> ForBoards:
    """Make the variant for those of `boards` that have TensorRT.

    lower: converts the model to standard operators and float32. prove: runs that graph in ONNX Runtime
    beside the source model. What of ours they raise becomes a note.
    """
    wanted = [board for board in boards if board.tensorrt is not None]
    if not wanted:
        return ForBoards(notes=tuple(_note(board, "") for board in boards))
    try:
        progress("lowering to standard operators")
        converted = lower()
        progress("proving parity of the lowered graph")
        parity = prove(converted)
        parts = split(converted.onnx)
    except EdgeError as error:
        why = told(error).removesuffix("The model was not converted.").strip()
        return ForBoards(
            notes=tuple(_note(board, f"it has no TensorRT variant: {why}") for board in boards)
        )
    trials = _tried(parts, wanted, progress)
    notes = tuple(_note(board, _outcome(board, trials) if board in wanted else "") for board in boards)
    built = tuple(board.name for board in wanted if not trials[_stands_for(board)].why)
    if not built:
        return ForBoards(notes=notes)
    variant = _variant(parts, parity, converted.exact, built)
    artifacts = {GRAPH: parts.main, **({HOST_GRAPH: parts.host} if parts.host else {})}
    return ForBoards(variant, artifacts, notes, converted.onnx)


def _tried(parts: Split, boards: Sequence[Board], progress: Callable[[str], None]) -> dict[str, Trial]:
    capabilities = sorted({_stands_for(board) for board in boards})
    progress(f"building TensorRT plans for compute capability {', '.join(capabilities)}")
    trials = tensorrt.try_builds(parts.main, PROFILE, capabilities)
    return {trial.capability: trial for trial in trials}


def _stands_for(board: Board) -> str:
    """The board's own compute capability, or the nearest below that plans can be built for here."""
    assert board.tensorrt is not None
    wanted = _as_number(board.tensorrt.capability)
    return max((each for each in CAPABILITIES if _as_number(each) <= wanted), key=_as_number)


def _as_number(capability: str) -> tuple[int, ...]:
    return tuple(int(part) for part in capability.split("."))


def _outcome(board: Board, trials: dict[str, Trial]) -> str:
    assert board.tensorrt is not None
    own, tried = board.tensorrt.capability, trials[_stands_for(board)]
    if tried.why:
        return f"it has no TensorRT variant: {tried.why}"
    built = f"a plan of {tried.plan_bytes / 1000:,.1f} kB in {tried.seconds:.2f} s"
    if tried.capability == own:
        return f"TensorRT-RTX built {built} for its compute capability {own}"
    return (
        f"untested: its compute capability {own} cannot be tried here. For {tried.capability} "
        f"TensorRT-RTX built {built}"
    )


def _note(board: Board, outcome: str) -> str:
    """A sentence of one board; `outcome` counts where it has TensorRT."""
    if board.tensorrt is None:
        outcome = "it has no TensorRT: onnxruntime runs the fp32 variant"
    return f"{board.title} ({board.name}): {outcome.rstrip('.')}."


def _variant(parts: Split, parity: Parity, exact: str, boards: tuple[str, ...]) -> Variant:
    model: Any = onnx.load_from_string(parts.main)
    return Variant(
        id=ID,
        engine="tensorrt",
        precision="fp32",
        file=GRAPH,
        host=HOST_GRAPH if parts.host else "",
        opsets={each.domain or "ai.onnx": each.version for each in model.opset_import},
        ir_version=model.ir_version,
        size_bytes=len(parts.main) + len(parts.host),
        exact=exact,
        parity=parity,
        profile=PROFILE,
        boards=boards,
    )
