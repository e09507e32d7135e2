"""Which numbers an Embedding has in its table, found by asking the model."""

from collections.abc import Callable

from converter.frontends.limits import Limits
from converter.frontends.tensorflow.freezing import Frozen

_LOOKS_UP = {"GatherV2", "Gather", "ResourceGather", "GatherNd"}
_FARTHEST = 2**31 - 1


def limits(frozen: Frozen, takes: Callable[[int], bool], known: int) -> Limits | None:
    """Find them. takes: whether the model has an answer to a number. known: one it should have.

    None where it takes any number, or where the known one alone is too much.
    """
    if not any(node.op in _LOOKS_UP for node in frozen.graph_def.node) or not takes(known):
        return None
    lowest, highest = (_end(takes, known, far) for far in (-_FARTHEST - 1, _FARTHEST))
    return None if highest - lowest > _FARTHEST else Limits(lowest, highest)


def _end(takes: Callable[[int], bool], known: int, far: int) -> int:
    """The last number from `known` towards `far` that is taken."""
    if takes(far):
        return far
    while abs(far - known) > 1:
        middle = (known + far) // 2
        known, far = (middle, far) if takes(middle) else (known, middle)
    return known
