"""What TensorRT-RTX builds for each board, as docs/engines.md shows it.

    python -m tests.edge_runtime.engine.tensorrt.support_table

builds small models in each precision and prints the table that the page has to have.
"""

import sys
from functools import cache

from edge_runtime.boards import Board, board, board_names
from edge_runtime.engine.tensorrt.building import build
from edge_runtime.errors import EngineError
from tests.edge_runtime.engine.tensorrt.graphs import matmul, request

PRECISIONS = ("fp32", "fp16", "int8")
# Those that ComputeCapability of TensorRT-RTX 1.7 has.
CAPABILITIES = ("7.5", "8.0", "8.6", "8.9", "12.0", "12.1")


def lines() -> list[str]:
    """The table's lines."""
    head = "| board | software | TensorRT | compute capability | fp32 | fp16 | int8 |"
    return [head, "|---|---|---|---|---|---|---|", *(_line(board(name)) for name in board_names())]


def _line(each: Board) -> str:
    if each.tensorrt is None:
        what = "unsupported" if each.unsupported else "no GPU of NVIDIA's"
        return f"| `{each.name}` | {each.software} | {what} | | | | |"
    found = [_outcome(each, precision) for precision in PRECISIONS]
    told = each.tensorrt
    return (
        f"| `{each.name}` | {each.software} | {told.version} | {told.capability} | {' | '.join(found)} |"
    )


def _outcome(each: Board, precision: str) -> str:
    if each.unsupported:
        return "unsupported"
    assert each.tensorrt is not None
    if each.tensorrt.capability not in CAPABILITIES:
        return "untested"
    return "built only" if _is_built(each.tensorrt.capability, precision) else "refused"


@cache
def _is_built(capability: str, precision: str) -> bool:
    try:
        build(matmul(precision), request(capability=capability))
    except EngineError:
        return False
    return True


if __name__ == "__main__":
    sys.stdout.write("\n".join(lines()) + "\n")
