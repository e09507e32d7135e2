"""What each board that a bundle is for runs: which variants it takes, and a sentence about it."""

from collections.abc import Mapping, Sequence

from edge_runtime.boards import Board
from edge_runtime.bundle.manifest import Variant
from edge_runtime.errors import UnsupportedModelError


def check_taken(variant: Variant, boards: Sequence[Board]) -> None:
    """Refuse a variant for ONNX Runtime that the one of a board does not load.

    Quantized variants have the operator sets of the one they were made of, and onnxruntime's own beside
    them, which every supported one has. Raises UnsupportedModelError.
    """
    for board in boards:
        if why := _why_not_taken(variant, board):
            raise UnsupportedModelError(f"board {board.name!r}: {why}.")


def _why_not_taken(variant: Variant, board: Board) -> str:
    """'' where it does load it."""
    known = board.onnxruntime
    if known is None:
        return ""
    newest = {"ai.onnx": known.opset, "ai.onnx.ml": known.ml_opset}
    for domain, version in variant.opsets.items():
        if version > newest.get(domain, version):
            return (
                f"its onnxruntime {known.version} takes operators of {domain} up to version "
                f"{newest[domain]}; found {version}"
            )
    if variant.ir_version > known.ir_version:
        return (
            f"its onnxruntime {known.version} takes ONNX files of IR version up to {known.ir_version}; "
            f"found {variant.ir_version}"
        )
    return ""


def notes_on(
    boards: Sequence[Board], outcomes: Mapping[str, str], variants: Sequence[Variant]
) -> tuple[str, ...]:
    """One sentence a board. outcomes: of those with TensorRT, by name."""
    return tuple(_note(board, outcomes.get(board.name, ""), variants) for board in boards)


def _note(board: Board, outcome: str, variants: Sequence[Variant]) -> str:
    said = outcome or f"it has no TensorRT: onnxruntime runs {runs_on(board, variants)}"
    return f"{board.title} ({board.name}): {said.rstrip('.')}."


def runs_on(board: Board, variants: Sequence[Variant]) -> str:
    """The variant that runs there, and those that may once the device has measured them."""
    here = [each for each in variants if each.engine == "onnxruntime"]
    waiting = [each.id for each in here if each.unproven and board.name in each.boards]
    more = f", and {', '.join(waiting)} once it has measured that this pays there" if waiting else ""
    return here[0].id + more
