"""The commands `predict` and `bench`."""

import csv
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_runtime.engine.options import BOARD

if TYPE_CHECKING:
    from edge_runtime import Model
    from edge_runtime.engine.base import Array
    from edge_runtime.engine.outputs import Inference

_PATH = click.Path(path_type=Path)


def _bundle_arguments(command: Callable[..., None]) -> Callable[..., None]:
    """BUNDLE, whose signature counts, and what it runs on."""
    for decorate in (
        BOARD,
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
        click.option(
            "--allow-unsigned", is_flag=True, help="Load the bundle without looking at signatures."
        ),
        click.option(
            "--trust", type=_PATH, help="Root file that says whose signature counts (root.json)."
        ),
        click.argument("bundle", type=_PATH),
    ):
        command = decorate(command)
    return command


@click.command(short_help="Run a bundle on a file of inputs.")
@_bundle_arguments
@click.option(
    "--inputs",
    required=True,
    metavar="FILE[:KEY]",
    help="What to predict: .npz (with :KEY when it has several arrays), .npy or .csv; of a table .csv "
    "with titles, or .npz with an array a column; of several inputs .npz with an array for each.",
)
@click.option("--probabilities", is_flag=True, help="Also print the probability of each class.")
def predict(
    *,
    bundle: Path,
    trust: Path | None,
    allow_unsigned: bool,
    board: str,
    as_json: bool,
    inputs: str,
    probabilities: bool,
) -> None:
    """Run the model in BUNDLE on a file of inputs and print one prediction a line.

    The shape of the inputs must be the model's: (n, length, channels) for a model of windows, (n,
    features) for another; `edge-runtime inspect BUNDLE` shows it. Columns of a table, and several
    inputs, are found by name; an empty cell is a missing value. Where there is more to say than one
    label or value a row, the output is CSV with a line of titles.

    \b
    edge-runtime predict motion-1.0.0.edge --inputs new.npz --trust root.json
    """
    from edge_runtime.tables import read_inputs

    with _loaded(bundle, trust, allow_unsigned, board) as model:
        values = read_inputs(inputs, model.manifest)
        answer = model.infer(values)
        if probabilities and answer.probabilities is None:
            model.predict_proba(values)  # raises: it knows why there are none
        if as_json:
            _print_json(_as_json(model, answer, probabilities))
        else:
            _print_lines(model, answer, probabilities)


@click.command(short_help="Measure a bundle on this machine.")
@_bundle_arguments
@click.option(
    "--seconds",
    type=click.FloatRange(0.05, 600),
    default=3.0,
    show_default=True,
    help="How long to measure.",
)
def bench(
    *,
    bundle: Path,
    trust: Path | None,
    allow_unsigned: bool,
    board: str,
    as_json: bool,
    seconds: float,
) -> None:
    """Measure the model in BUNDLE on this machine, as a device would run it.

    One thread, validation on; rows rotate through the bundle's golden inputs and points between them.
    Close other programs first, and compare ratios between models rather than absolute times.
    """
    from edge_runtime.engine import bench as measure
    from edge_runtime.engine.golden import read_golden_inputs

    started = time.perf_counter()
    with _loaded(bundle, trust, allow_unsigned, board) as model:
        loaded = time.perf_counter()
        rows = measure.rotating_rows(read_golden_inputs(model.bundle))
        ready = time.perf_counter()
        model.predict(rows[0])
        first = time.perf_counter() - ready
        if model.manifest.refusals:
            rows = measure.answered(model.predict, rows)
        _progress(f"one row at a time, {seconds:g} s ...")
        latency = measure.measure_rows(model.predict, rows, seconds)
        _progress(f"in batches, {seconds / 3:.3g} s ...")
        rate = measure.measure_batches(model.predict, rows, seconds / 3)
        result = {
            "name": model.manifest.name,
            "version": model.manifest.version,
            "variant": model.variant.id,
            "engine": model.variant.engine,
            "load_ms": (loaded - started) * 1e3,
            "first_prediction_ms": first * 1e3,
            "one_row": latency,
            "batch_rows_per_s": rate,
            "peak_memory_mb": measure.peak_memory_mb(),
            "bundle_mb": model.bundle.size_bytes / 1e6,
            "installed_mb": measure.installed_mb(),
        }
    if as_json:
        _print_json(result)
    else:
        click.echo(_report(result))


def _loaded(bundle: Path, trust: Path | None, allow_unsigned: bool, board: str) -> "Model":
    if (trust is None) != allow_unsigned:
        raise click.UsageError(
            "Say whose signature to trust: give either --trust root.json or --allow-unsigned."
        )
    import edge_runtime

    return edge_runtime.load(bundle, trust=trust, allow_unsigned=allow_unsigned, board=board)


def _progress(text: str) -> None:
    click.echo(text, err=True)


def _print_json(value: Any) -> None:
    import msgspec

    click.echo(msgspec.json.encode(value).decode())


def _as_json(model: "Model", answer: "Inference", probabilities: bool) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": model.manifest.name,
        "version": model.manifest.version,
        "predictions": _predictions(answer),
    }
    if model.labels:
        document["labels"] = model.labels
    if answer.labels is not None and answer.values is not None:
        document["scores"] = answer.values.tolist()
    if probabilities and answer.probabilities is not None:
        document |= {} if model.labels else {"classes": model.classes}
        document["probabilities"] = answer.probabilities.tolist()
    return document


def _predictions(answer: "Inference") -> Any:
    """Labels or values, of several outputs of values each by its name."""
    if answer.by_name is not None:
        return {name: array.tolist() for name, array in answer.by_name.items()}
    main = answer.values if answer.labels is None else answer.labels
    assert main is not None
    return main.tolist()


def _print_lines(model: "Model", answer: "Inference", probabilities: bool) -> None:
    """One prediction a line; CSV where a line has several cells, with titles where there are labels or
    several outputs."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if answer.by_name is not None:
        _write_table(writer, _titles(answer.by_name), [_cells(each) for each in answer.by_name.values()])
        return
    if answer.labels is None:
        assert answer.values is not None
        writer.writerows(_cells(answer.values))
        return
    titles = [label.name for label in model.labels] or ["label"]
    blocks = [_cells(answer.labels)]
    if answer.values is not None:
        titles.append("score")
        blocks.append(_cells(answer.values))
    if probabilities and answer.probabilities is not None:
        titles += _probability_titles(model)
        blocks.append(_cells(_existing(model, answer.probabilities)))
    if len(titles) == 1 and not model.labels:
        sys.stdout.writelines(f"{label}\n" for label in answer.labels)
        return
    _write_table(writer, titles, blocks)


def _write_table(writer: Any, titles: list[str], blocks: list[Iterator[list[str]]]) -> None:
    writer.writerow(titles)
    writer.writerows([cell for part in parts for cell in part] for parts in zip(*blocks, strict=True))


def _titles(by_name: Mapping[str, "Array"]) -> list[str]:
    """An output's name, with a place in it where a row of it has several values."""
    titles = []
    for name, array in by_name.items():
        places = product(*(range(size) for size in array.shape[1:]))
        titles += [f"{name}[{', '.join(map(str, place))}]" if place else name for place in places]
    return titles


def _probability_titles(model: "Model") -> list[str]:
    if not model.labels:
        return list(model.classes)
    return [f"{label.name}: {name}" for label in model.labels for name in label.classes]


def _existing(model: "Model", probabilities: "Array") -> "Array":
    """Probabilities side by side (n, all classes), without the zeros where a label has fewer classes."""
    if not model.labels:
        return probabilities
    import numpy as np

    parts = [probabilities[:, at, : len(label.classes)] for at, label in enumerate(model.labels)]
    return np.concatenate(parts, axis=1)


def _cells(array: "Array") -> Iterator[list[str]]:
    """Each row's values as text; of numbers the shortest that reads back to the same in its dtype."""
    return ([str(value) for value in row.reshape(-1)] for row in array)


def _report(result: dict[str, Any]) -> str:
    latency, installed = result["one_row"], result["installed_mb"]
    largest = sorted(installed.items(), key=lambda item: -item[1])[:4]
    lines = {
        "model": f"{result['name']} {result['version']}, variant {result['variant']}"
        f" on {result['engine']}, bundle {result['bundle_mb']:.2f} MB",
        "load": f"{result['load_ms']:.1f} ms, starting the engine included",
        "first prediction": f"{result['first_prediction_ms']:.3f} ms",
        "one row": f"p50 {latency.p50_us:.1f}  p90 {latency.p90_us:.1f}  p99 {latency.p99_us:.1f}"
        f"  p99.9 {latency.p99_9_us:.1f} µs, over {latency.rows} rows",
        "in batches": f"{result['batch_rows_per_s']:,.0f} rows/s",
        "peak memory": f"{result['peak_memory_mb']:.0f} MB, this command as a whole",
        "installed": f"{sum(installed.values()):.0f} MB: "
        + ", ".join(f"{name} {size:.1f}" for name, size in largest)
        + (", ..." if len(installed) > len(largest) else ""),
    }
    return "\n".join(f"{title:<18}{text}" for title, text in lines.items())
