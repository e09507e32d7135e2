"""A conversion in a screenful of text."""

import textwrap
from collections.abc import Sequence

from converter.quantization.outcome import Tried
from converter.wording import facts
from edge_runtime.bundle.manifest import Manifest
from edge_runtime.bundle.scores import score_lines

NOT_MEASURED = "accuracy not measured: no labels were given"
_COLUMNS = 105
_INDENT = " " * 9


def report(manifest: Manifest, notes: Sequence[str] = (), tried: Sequence[Tried] = ()) -> str:
    """What was converted, how well it agrees with its source, and how well it does.

    notes: a sentence for each board that the bundle is for. tried: what quantization tried.
    """
    lines = [wrapped(text, f"{name:<9}", _INDENT) for name, text in facts(manifest, notes, tried)]
    if manifest.evaluation is None:
        return "\n".join([*lines, NOT_MEASURED])
    return "\n".join([*lines, "", *score_lines(manifest.evaluation, manifest.classes)])


def wrapped(text: str, first: str = "", later: str = "") -> str:
    """Lines that fit a terminal, each behind what it begins with.

    A word is never broken, so that a path can be copied.
    """
    return textwrap.fill(
        text,
        _COLUMNS,
        initial_indent=first,
        subsequent_indent=later,
        break_long_words=False,
        break_on_hyphens=False,
    )
