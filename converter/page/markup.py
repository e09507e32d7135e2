"""HTML in small pieces; every text from outside goes through `text`."""

from collections.abc import Iterable, Sequence
from html import escape

from edge_runtime.bundle.layout import plain

_MAX_TEXT = 2000


def text(raw: str) -> str:
    """A text as HTML that shows it and does nothing."""
    return escape(plain(raw, _MAX_TEXT))


def section(title: str, *parts: str) -> str:
    """A titled part of the page; nothing when there is nothing in it."""
    body = "\n".join(part for part in parts if part)
    return f"<section>\n<h2>{text(title)}</h2>\n{body}\n</section>" if body else ""


def paragraphs(lines: Iterable[str]) -> str:
    return "\n".join(f"<p>{text(line)}</p>" for line in lines)


def items(lines: Sequence[str]) -> str:
    """A list; nothing without lines."""
    listed = "".join(f"<li>{text(line)}</li>" for line in lines)
    return f"<ul>{listed}</ul>" if listed else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """First column to the left, the others to the right; it scrolls by itself on a narrow screen."""
    titles = "".join(f'<th scope="col">{text(cell)}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{text(first)}</th>'
        + "".join(f"<td>{text(cell)}</td>" for cell in others)
        + "</tr>\n"
        for first, *others in rows
    )
    return (
        f'<div class="wide"><table><thead><tr>{titles}</tr></thead>\n<tbody>{body}</tbody></table></div>'
    )


def definitions(pairs: Iterable[tuple[str, str]]) -> str:
    listed = "\n".join(f"<dt>{text(name)}</dt><dd>{text(said)}</dd>" for name, said in pairs)
    return f"<dl>{listed}</dl>"


def tiles(facts: Iterable[tuple[str, str, str]]) -> str:
    """What matters most, large: a title, a figure, and what it means."""
    listed = "\n".join(
        f"<div><h3>{text(title)}</h3><strong>{text(figure)}</strong><p>{text(meaning)}</p></div>"
        for title, figure, meaning in facts
    )
    return f'<div class="tiles">\n{listed}\n</div>'


def figure(svg: str, caption: str) -> str:
    return f"<figure>{svg}<figcaption>{text(caption)}</figcaption></figure>" if svg else ""


def figures(*drawn: str) -> str:
    """Side by side where there is room."""
    listed = "\n".join(each for each in drawn if each)
    return f'<div class="figures">\n{listed}\n</div>' if listed else ""
