"""`card.md`: a model card made only from what is known.

Sections after Mitchell et al., Model Cards for Model Reporting (FAT* 2019), with the front matter of
Hugging Face's hub. What an author alone can say is listed as not known.
"""

import re
from collections.abc import Iterator, Sequence

from converter.boards import runs_on
from converter.wording import (
    exactness_of,
    floor_of,
    input_of,
    loss_of,
    parity_of,
    step_of,
    task_of,
    variant_of,
)
from edge_runtime.boards import Board
from edge_runtime.bundle.layout import MAX_LISTED, cut, plain
from edge_runtime.bundle.manifest import Manifest
from edge_runtime.bundle.scores import by_class, sentences

_MAX_TEXT = 2000
_SPECIAL = re.compile(r"([\\`*_\[\]<>|#&~!])")


def card(manifest: Manifest, boards: Sequence[Board]) -> bytes:
    """The card's bytes; the same manifest and boards give the same."""
    sections = {
        "Model": _model(manifest),
        "Preprocessing, inside the model": (step_of(step) for step in manifest.preprocessing),
        "Evaluation": _evaluation(manifest),
        "Agreement with the source model": _parity(manifest),
        "Boards": _boards(manifest, boards),
        "Where it comes from": _origin(manifest),
        "Not known": _unknown(manifest),
    }
    lines = [*_front(manifest), f"# {_text(manifest.name)} {_text(manifest.version)}"]
    for title, items in sections.items():
        if listed := [f"- {_text(item)}" for item in items]:
            lines += ["", f"## {title}", "", *cut(listed)]
            lines += _table(manifest) if title == "Evaluation" else []
    return ("\n".join(lines) + "\n").encode()


def with_choice(card: bytes, said: Sequence[str]) -> bytes:
    """A card that says, before what is not known, among which candidates its model was chosen."""
    known, unknown, rest = card.decode().partition("## Not known\n")
    listed = "\n".join(cut([f"- {_text(item)}" for item in said]))
    return f"{known}## Chosen among candidates\n\n{listed}\n\n{unknown}{rest}".encode()


def _text(text: str) -> str:
    """Text from outside as Markdown that shows it and nothing else."""
    return _SPECIAL.sub(r"\\\1", plain(text, _MAX_TEXT))


def _front(manifest: Manifest) -> list[str]:
    """The hub's metadata; every value is one of ours and needs no quoting."""
    tags = ["onnx", "edge", manifest.task]
    return ["---", "library_name: edge-runtime", "tags:", *(f"- {tag}" for tag in tags), "---", ""]


def _model(manifest: Manifest) -> Iterator[str]:
    yield f"Name: {manifest.name}, version {manifest.version}, release {manifest.release}."
    if manifest.floor:
        yield f"Floor: {floor_of(manifest)}."
    yield f"Converted from: {manifest.provenance.source}."
    yield f"Task: {task_of(manifest)}."
    yield f"Input: {input_of(manifest)}."
    outputs = [f"{each.name} ({each.dtype})" for each in manifest.outputs]
    yield f"Output: {', '.join(outputs)}."
    for why in manifest.refusals:
        yield f"Refuses rows, with the reason: {why}."


def _evaluation(manifest: Manifest) -> Iterator[str]:
    if manifest.evaluation is None:
        yield "Not measured: no labels were given."
    else:
        yield from sentences(manifest.evaluation)


def _table(manifest: Manifest) -> list[str]:
    """Scores of the classes, where there are some."""
    if manifest.evaluation is None or not manifest.evaluation.per_class:
        return []
    scores = by_class(manifest.evaluation, manifest.classes)[:MAX_LISTED]
    rows = [
        f"| {_text(name)} | {of.precision:.3f} | {of.recall:.3f} | {of.f1:.3f} | {of.support} |"
        for name, of in scores
    ]
    return ["", "| class | precision | recall | F1 | inputs |", "|---|--:|--:|--:|--:|", *rows]


def _parity(manifest: Manifest) -> Iterator[str]:
    for variant in manifest.variants:
        lost = variant.accuracy
        more = exactness_of(manifest, variant) if lost is None else loss_of(lost)
        yield f"{variant.id}, {variant_of(variant)}: {parity_of(variant)}; {more}."
    yield (
        f"{manifest.golden.count} inputs with the source model's outputs travel in the bundle; a device "
        "replays them before it uses the model."
    )


def _boards(manifest: Manifest, boards: Sequence[Board]) -> Iterator[str]:
    """What each board runs, and that it was not there."""
    for board in boards:
        built = [
            each.id
            for each in manifest.variants
            if each.engine == "tensorrt" and board.name in each.boards
        ]
        if built:
            yield (
                f"{board.title} ({board.name}): {', '.join(built)}. On the machine that converted it "
                "TensorRT built a plan, for its compute capability or the one below; none was run."
            )
        else:
            yield f"{board.title} ({board.name}): {runs_on(board, manifest.variants)}, by onnxruntime."
    yield "Tried on the machine that converted it, in onnxruntime. Untested on any board."


def _origin(manifest: Manifest) -> Iterator[str]:
    origin = manifest.provenance
    made_with = [f"{name} {version}" for name, version in sorted(origin.libraries.items())]
    yield f"Made with: {', '.join(made_with)}."
    yield f"Held-out inputs: SHA-256 {origin.inputs_sha256}."
    if origin.labels_sha256:
        yield f"Their labels: SHA-256 {origin.labels_sha256}."
    if reference := manifest.reference:
        yield f"Training inputs, {reference.rows}: SHA-256 {reference.inputs_sha256}."


def _unknown(manifest: Manifest) -> Iterator[str]:
    yield "What the model is meant for, and for what it must not be used."
    if manifest.reference is None:
        yield "The data it was trained on."
    yield "How training and held-out data were collected, and whom or what they represent."
    yield "How it does on groups or conditions within the data, beyond the classes above."
    yield "Its authors, its licence, and whom to ask."
