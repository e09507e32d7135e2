"""The command `predict`."""

import csv
import sys
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_runtime.engine.options import bundle_arguments, loaded, others_on_stderr, print_json

if TYPE_CHECKING:
    from edge_runtime import Model
    from edge_runtime.engine.base import Array
    from edge_runtime.engine.outputs import Inference


@click.command(short_help="Run a bundle on a file of inputs.")
@bundle_arguments
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
    label or value a row, the output is CSV with a line of titles. The bundle's golden inputs are run
    first: an engine that does not give the source model's outputs for them predicts nothing.

    \b
    edge-runtime predict motion-1.0.0.edge --inputs new.npz --trust root.json
    """
    from edge_runtime.tables import read_inputs

    with others_on_stderr(), loaded(bundle, trust, allow_unsigned, board) as model:
        values = read_inputs(inputs, model.manifest)
        model.replay_goldens()  # an engine that is broken may answer all the same
        answer = model.infer(values)
        if probabilities and answer.probabilities is None:
            model.predict_proba(values)  # raises: it knows why there are none
    if as_json:
        print_json(_as_json(model, answer, probabilities))
    else:
        _print_lines(model, answer, probabilities)


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
