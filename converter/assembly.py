"""The variants that a bundle gets, in order, and the goldens that all of them reproduce."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from converter.boards import notes_on
from converter.case import Case
from converter.goldens import choose_goldens
from converter.parity import allowed, differences
from converter.quantization.choices import FORMAT, Choices
from converter.quantization.outcome import Tried
from converter.quantization.paying import FASTER
from converter.shipped import Shipped
from converter.standard.variant import ForBoards, without
from edge_runtime.boards import Board
from edge_runtime.errors import GoldenMismatchError

# Kernels of another processor round otherwise, by as much as quantization itself does: a golden may be
# off by four times what it is off by here.
_SLACK = 4.0
_LEAST_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Assembled:
    """shipped: every variant, of each engine the preferred first. goldens: places among the inputs.

    notes: a sentence a board. tried: what quantization tried, those that were kept among `shipped`.
    """

    shipped: tuple[Shipped, ...]
    goldens: NDArray[np.int64]
    notes: tuple[str, ...]
    tried: tuple[Tried, ...]

    def whole(self) -> dict[str, bytes]:
        """By id, the graphs in one piece of those variants that ship for another engine."""
        return {
            each.variant.id: each.whole.onnx
            for each in self.shipped
            if each.variant.engine != "onnxruntime"
        }

    def choices(self, calibration_sha256: str) -> Choices:
        """What was kept, to be made again."""
        kept = [each for each in self.tried if each.shipped is not None]
        order = [each.variant.id for each in self.shipped]
        kept.sort(key=lambda each: order.index(each.id))
        return Choices(
            format=FORMAT,
            recipes=tuple(each.recipe for each in kept),
            before_fp32=order.index("fp32"),
            unproven=tuple(each.variant.id for each in self.shipped if each.variant.unproven),
            calibration_sha256=calibration_sha256,
        )


def assembled(
    case: Case,
    fp32: Shipped,
    for_boards: ForBoards,
    tried: Sequence[Tried],
    *,
    boards: Sequence[Board],
    choices: Choices | None,
    golden_count: int,
) -> Assembled:
    """Choose goldens, replay them through every variant, and leave out what does not reproduce them.

    Raises GoldenMismatchError where the fp32 variant does not.
    """
    quantized = [each.shipped for each in tried if each.shipped is not None]
    lowered = [for_boards.shipped] if for_boards.shipped else []
    is_exact = bool(fp32.whole.exact) and fp32.whole.halves is None
    goldens = choose_goldens(
        case.source,
        case.rows,
        case.expected,
        fp32.found,
        golden_count,
        others=[*lowered, *quantized],
        exact_rows=is_exact,
    )
    case.replay(fp32, goldens)
    tried = [_within(case, each, goldens) for each in tried]
    try:
        for each in lowered:
            case.replay(each, goldens)
    except GoldenMismatchError as error:
        for_boards = without(boards, error)
    proven = tuple(_replayed(case, each, goldens) for each in tried)
    shipped = tuple(_ordered(fp32, for_boards, proven, choices))
    notes = notes_on(boards, for_boards.outcomes, [each.variant for each in shipped])
    return Assembled(shipped, goldens, notes, proven)


def _within(case: Case, tried: Tried, goldens: NDArray[np.int64]) -> Tried:
    """A quantized variant with the tolerance that its goldens have on a device."""
    if tried.shipped is None or tried.accuracy is None:
        return tried
    said, heard = (
        {name: tensor[goldens] for name, tensor in tensors.items()}
        for tensors in (case.expected.tensors, tried.shipped.found)
    )
    _, error = differences(said, heard)
    tolerance = max(_SLACK * float(error.max()), allowed(case.expected.tensors, _LEAST_TOLERANCE))
    parity = msgspec.structs.replace(tried.shipped.variant.parity, tolerance=tolerance)
    variant = msgspec.structs.replace(tried.shipped.variant, parity=parity)
    return replace(tried, shipped=replace(tried.shipped, variant=variant))


def _replayed(case: Case, tried: Tried, goldens: NDArray[np.int64]) -> Tried:
    if tried.shipped is None:
        return tried
    try:
        case.replay(tried.shipped, goldens)
    except GoldenMismatchError as error:
        return tried.dropped(f"does not reproduce the goldens: {error}")
    return tried


def _ordered(
    fp32: Shipped, for_boards: ForBoards, tried: Sequence[Tried], choices: Choices | None
) -> Iterator[Shipped]:
    """Of ONNX Runtime's the faster ones, fp32, then those that are only smaller; TensorRT's after it.

    Unproven ones come last: the device's own measurement is to decide about them. tried: the fastest
    first.
    """
    kept = [(each.time_ratio, each.shipped) for each in tried if each.shipped is not None]
    proven = [
        (ratio, each)
        for ratio, each in kept
        if each.variant.engine == "onnxruntime" and not each.variant.unproven
    ]
    if choices is None:
        count = sum(ratio is not None and ratio <= FASTER for ratio, _ in proven)
    else:
        count = choices.before_fp32
    yield from (each for _, each in proven[:count])
    yield fp32
    yield from (each for _, each in proven[count:])
    if for_boards.shipped:
        yield for_boards.shipped
    yield from (each for _, each in kept if each.variant.unproven)
