"""What quantization tried, on the page."""

from collections.abc import Iterator, Sequence

from converter.page import markup
from converter.quantization.outcome import Tried
from converter.wording import tried_of
from edge_runtime.bundle.layout import size

_TITLES = ("variant", "", "size", "of fp32's size", "its layers' weights", "of fp32's time", "loses")
_RULE = (
    "Each was made, judged on the held-out inputs, and timed beside fp32 on the machine that made this "
    "page. It is kept if it loses no more than allowed and is at least 10 % faster, or at least 30 % "
    "smaller and at most 1.1 times slower."
)


def parts(tried: Sequence[Tried]) -> Iterator[str]:
    """Every variant, what it lost and what became of it; nothing where none was tried."""
    if not tried:
        return
    yield markup.paragraphs([_RULE])
    yield markup.table(_TITLES, [_row(each) for each in tried])
    yield markup.items([f"{each.id}: {tried_of(each)}" for each in tried])


def _row(each: Tried) -> list[str]:
    return [
        each.id,
        "kept" if each.kept else "dropped",
        "" if each.size_bytes is None else size(each.size_bytes),
        *(_ratio(ratio) for ratio in (each.size_ratio, each.weights_ratio, each.time_ratio)),
        "" if each.accuracy is None else f"{each.accuracy.drop:.4f}",
    ]


def _ratio(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"
