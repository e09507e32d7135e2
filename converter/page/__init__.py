"""The report as one HTML file: no script, no network, readable on a phone, in the dark and on paper."""

import os
import platform
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from importlib.resources import files

from converter.evidence import Measured
from converter.page import markup, plots, quantization
from converter.quantization.outcome import Tried
from converter.report import NOT_MEASURED
from converter.wording import exactness_of, facts, floor_of
from edge_runtime.bundle.layout import MAX_LISTED, cut, size
from edge_runtime.bundle.manifest import Evaluation, Manifest
from edge_runtime.bundle.scores import by_class, sentences, wilson_interval
from edge_runtime.bundle.sketches import Numbers, Sketches

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_MOST_MISTAKES = 10
_MOST_SKETCHES = 16


def page(
    manifest: Manifest,
    measured: Sequence[Measured],
    sketches: Sketches | None,
    notes: Sequence[str] = (),
    *,
    tried: Sequence[Tried] = (),
    comparison: str = "",
) -> str:
    """All that is known of a conversion.

    measured: each variant on this machine; empty when that is not wanted. sketches: of the training
    data, where the bundle has them. notes: a sentence for each board that the bundle is for.
    tried: what quantization tried. comparison: the section about other candidates, where it was chosen
    among some.
    """
    body = [
        _header(manifest),
        markup.tiles(_tiles(manifest, measured)),
        comparison,
        markup.section("How well it does", *_scores(manifest, measured)),
        markup.section("How well it agrees with the source model", *_agreement(manifest, measured)),
        markup.section("Size and speed", *_costs(manifest, measured)),
        markup.section("Smaller and faster variants", *quantization.parts(tried)),
        markup.section("Boards", markup.items(notes)),
        markup.section("The model", markup.definitions(_of_model(manifest))),
        markup.section("Training data", *_training(sketches)),
        markup.section("Where it comes from", markup.definitions(_origin(manifest))),
    ]
    title = markup.text(f"{manifest.name} {manifest.version}")
    style = files(__name__).joinpath("style.css").read_text(encoding="utf-8")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
{chr(10).join(part for part in body if part)}
</body>
</html>
"""


def _header(manifest: Manifest) -> str:
    name = markup.text(f"{manifest.name} {manifest.version}")
    what = markup.text(f"{manifest.task}, converted from {manifest.provenance.source}")
    return f"<header>\n<h1>{name}</h1>\n<p>{what}</p>\n</header>"


def _tiles(manifest: Manifest, measured: Sequence[Measured]) -> Iterator[tuple[str, str, str]]:
    yield _main_score(manifest.evaluation)
    parity = manifest.variants[0].parity
    if manifest.has_labels:
        differ = f"{parity.label_disagreements} of {parity.inputs}"
        yield "Labels unlike the source's", differ, f"of them {parity.near_ties} near ties"
    else:
        within = f"on {parity.inputs} inputs; {parity.tolerance:.1e} is allowed"
        yield "Largest difference", f"{parity.max_abs_error:.1e}", within
    yield "Size", size(manifest.variants[0].size_bytes), manifest.variants[0].id
    if measured and (latency := measured[0].latency):
        yield "One row takes", f"{latency.p50_us:,.0f} µs", "median on the machine that made this"


def _main_score(evaluation: Evaluation | None) -> tuple[str, str, str]:
    if evaluation is None or not evaluation.inputs:
        return "Accuracy", "not measured", "no labels were given"
    on = f"on {evaluation.inputs} held-out inputs"
    if evaluation.accuracy is None:
        return "R²", f"{evaluation.r2:.3f}", on
    low, high = wilson_interval(evaluation.accuracy, evaluation.inputs)
    return "Accuracy", f"{evaluation.accuracy:.1%}", f"{on}; 95 % interval {low:.1%} to {high:.1%}"


def _scores(manifest: Manifest, measured: Sequence[Measured]) -> Iterator[str]:
    evaluation = manifest.evaluation
    if evaluation is None:
        yield markup.paragraphs([NOT_MEASURED])
        return
    yield markup.paragraphs(sentences(evaluation))
    for each in measured[:1]:
        if each.residuals is not None:
            svg = plots.residuals("Errors of the predictions", each.residuals)
            caption = f"{each.variant.id}: how many held-out predictions are wrong by how much."
            yield markup.figures(markup.figure(svg, caption))
    if evaluation.per_class:
        yield from _scores_of_classes(manifest, evaluation)


def _scores_of_classes(manifest: Manifest, evaluation: Evaluation) -> Iterator[str]:
    rows = [
        [name, f"{of.precision:.3f}", f"{of.recall:.3f}", f"{of.f1:.3f}", str(of.support)]
        for name, of in by_class(evaluation, manifest.classes)[:MAX_LISTED]
    ]
    by_name = markup.table(["class", "precision", "recall", "F1", "inputs"], rows)
    matrix = plots.confusion_matrix("Confusion matrix", manifest.classes, evaluation.confusion)
    caption = "A row is the true class, a column what it was called. Orange: wrong."
    yield markup.figures(by_name, markup.figure(matrix, caption))
    if not matrix:
        yield markup.paragraphs(["Most often mistaken:"]) + markup.items(list(_mistakes(manifest)))


def _mistakes(manifest: Manifest) -> Iterator[str]:
    assert manifest.evaluation is not None
    names = manifest.classes
    wrong = [
        (count, i, j)
        for i, row in enumerate(manifest.evaluation.confusion)
        for j, count in enumerate(row)
        if i != j and count
    ]
    for count, i, j in sorted(wrong, key=lambda each: (-each[0], each[1], each[2]))[:_MOST_MISTAKES]:
        yield f"{names[i]}, called {names[j]}: {count}"
    if not wrong:
        yield "none was"


def _agreement(manifest: Manifest, measured: Sequence[Measured]) -> Iterator[str]:
    yield markup.table(*_parity_table(manifest))
    faithful = [each for each in manifest.variants if each.accuracy is None]
    yield markup.items([f"{each.id}: {exactness_of(manifest, each)}" for each in faithful])
    drawn = []
    for each in measured:
        if each.differences is not None:
            label = f"Differences between {each.variant.id} and the source model"
            limit = "allowed" if each.variant.accuracy is None else "of goldens at most"
            svg = plots.error_histogram(label, each.differences, each.variant.parity.tolerance, limit)
            drawn.append(
                markup.figure(svg, f"{each.variant.id}: inputs by largest absolute difference.")
            )
    yield markup.figures(*drawn)
    yield markup.paragraphs(
        [f"{manifest.golden.count} inputs travel with the model; every device replays them before use."]
    )


def _parity_table(manifest: Manifest) -> tuple[list[str], list[list[str]]]:
    """Titles and rows; of models without labels those of numbers alone."""
    of_labels = ["labels differ", "near ties", "on a threshold"] if manifest.has_labels else []
    rows = []
    for variant in manifest.variants:
        parity = variant.parity
        counts = (parity.label_disagreements, parity.near_ties, parity.rounded_splits)
        rows.append(
            [
                variant.id,
                str(parity.inputs),
                *(str(count) for _, count in zip(of_labels, counts, strict=False)),
                f"{parity.max_abs_error:.1e}",
                f"{parity.tolerance:.1e}" + ("" if variant.accuracy is None else " of goldens"),
            ]
        )
    return ["variant", "inputs", *of_labels, "difference", "allowed"], rows


def _costs(manifest: Manifest, measured: Sequence[Measured]) -> Iterator[str]:
    sizes = [
        (f"{each.id}, for {each.engine}", size(each.size_bytes), float(each.size_bytes), 0.0)
        for each in manifest.variants
    ]
    drawn = [markup.figure(plots.bars("Size by variant", sizes), "Size of each variant's model.")]
    times = [
        (
            each.variant.id,
            f"{of.p50_us:,.0f} µs, 90 % in {of.p90_us:,.0f} µs",
            of.p50_us,
            of.p90_us,
        )
        for each in measured
        if (of := each.latency)
    ]
    if times:
        caption = (
            "One row, median and 90th percentile, rotating inputs, one thread, in onnxruntime on the "
            "machine that made this page. A board's own times differ: compare ratios."
        )
        if len(times) < len(measured):
            caption += " TensorRT itself was not measured."
        drawn.append(markup.figure(plots.bars("Latency by variant", times), caption))
    yield markup.figures(*drawn)


def _of_model(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """The terminal's facts that have no section of their own."""
    told = {"source", "task", "input", "steps", "variant", "refuses", "drift"}
    yield from ((name, said) for name, said in facts(manifest) if name in told)
    outputs = [f"{each.name} ({each.dtype})" for each in manifest.outputs]
    yield "outputs", ", ".join(cut(outputs))


def _training(sketches: Sketches | None) -> Iterator[str]:
    if sketches is None:
        return
    yield markup.paragraphs([f"What drift will be measured by, from {sketches.rows} training inputs."])
    numbers = [each for each in (*sketches.inputs, *sketches.outputs) if isinstance(each, Numbers)]
    rows = [
        [
            f"{each.tensor}: {each.name}",
            *(_figure(value) for value in (each.min, each.mean, each.max)),
            f"{each.missing:,}",
        ]
        for each in numbers[:_MOST_SKETCHES]
    ]
    if rows:
        yield markup.table(["of", "smallest", "mean", "largest", "missing"], rows)
    if len(numbers) > _MOST_SKETCHES:
        yield markup.paragraphs([f"... and {len(numbers) - _MOST_SKETCHES} more"])


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _origin(manifest: Manifest) -> Iterator[tuple[str, str]]:
    origin = manifest.provenance
    yield "release", str(manifest.release)
    if manifest.floor:
        yield "floor", floor_of(manifest)
    yield "libraries", ", ".join(f"{name} {number}" for name, number in sorted(origin.libraries.items()))
    yield "held-out inputs", f"SHA-256 {origin.inputs_sha256}"
    if origin.labels_sha256:
        yield "their labels", f"SHA-256 {origin.labels_sha256}"
    if manifest.reference:
        yield "training inputs", f"SHA-256 {manifest.reference.inputs_sha256}"
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    yield "this page", f"{datetime.now(timezone.utc):%Y-%m-%d}, on {machine}"
