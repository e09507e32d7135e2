"""Fewer windows than come: every n-th of a run, wherever one begins to look. Pure."""

from edge_runtime.stream.pipeline import Windows
from edge_runtime.stream.window import Cursor, Span


def thinned(windows: Windows, every: int) -> tuple[int, int, Windows]:
    """The windows of which every `every`-th is left, from the first to the last of those.

    Before them: how many are left out in front of the first, and how many between. Those behind the last
    are still to come. Where none is left all were in front.
    """
    kept = [index for index, span in enumerate(windows.spans) if _number(span) % every == 0]
    if not kept:
        return len(windows.spans), 0, Windows((), windows.rows[:0], windows.cursor, windows.cursor, 0)
    spans = tuple(windows.spans[index] for index in kept)
    begin = Cursor(spans[0].after.run, spans[0].start)
    between = kept[-1] - kept[0] + 1 - len(kept)
    return kept[0], between, Windows(spans, windows.rows[kept], begin, spans[-1].after, 0)


def _number(span: Span) -> int:
    """Which window of its run it is: the same ones are left after a run that failed, or a restart."""
    return (span.start - span.after.run) // (span.after.next - span.start)
