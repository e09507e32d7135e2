"""What an author hands over to `convert`, all of it checked before any work is done."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter import evaluate
from converter.bundling import Identity, check_golden_count
from converter.case import Case
from converter.frontends.base import Trained
from converter.frontends.choice import front_end_of
from converter.inputs import Labels, Rows, as_labels, is_missing
from converter.loading import opened
from converter.quantization.wanted import Wanted, read_wanted
from converter.training import Training, read_training
from converter.window import WindowSpec
from edge_runtime.boards import Board, supported
from edge_runtime.errors import ConversionError, InputError


@dataclass(frozen=True)
class Given:
    """A model that was read, and data for it.

    rows: the held-out inputs. labels: as they were given, and `truth` as the evaluation takes them; None
    without. trained: training data. wanted: what is asked of quantization, None for nothing.
    golden_count: how many goldens are asked for.
    """

    model: Trained
    rows: Rows
    labels: Labels | None
    truth: NDArray[Any] | None
    trained: Training
    wanted: Wanted | None
    boards: tuple[Board, ...]
    golden_count: int

    def case(self, named: Identity, window: WindowSpec | None) -> Case:
        """With what the source model says of the held-out inputs. Raises ConversionError, InputError."""
        with _missing_is_told(self.rows):
            expected = self.model.source.run(self.rows)
        return Case(named, self.model.source, self.rows, expected, window)


def read_given(
    model: Any,
    inputs: Any,
    labels: Any,
    *,
    preprocessing: Any,
    classes: Sequence[Any] | None,
    input_dtype: str | None,
    training: Any,
    reference: Any,
    cross_validation: Any,
    quantize: bool,
    calibration: Any,
    choices: Any,
    max_accuracy_drop: Any,
    boards: Sequence[str],
    golden_count: int,
) -> Given:
    """Arguments, and what is raised, as `converter.convert` has them."""
    made_for = supported(boards)
    check_golden_count(golden_count)
    front_end = front_end_of(opened(model), preprocessing)
    rows_of = partial(front_end.rows, dtype=input_dtype)
    rows = rows_of(inputs)
    known = None if labels is None else as_labels(labels, len(rows))
    with _missing_is_told(rows):
        read = front_end.read(rows, known, classes)
    truth = None if known is None else evaluate.truth_of(read.source, known)
    trained = read_training(
        read.source, rows, training, reference, rows_of=rows_of, folds=cross_validation
    )
    wanted = read_wanted(
        quantize=quantize,
        calibration=calibration,
        choices=choices,
        allowed=max_accuracy_drop,
        like=rows,
        known=trained.reference,
        rows_of=rows_of,
    )
    return Given(read, rows, known, truth, trained, wanted, made_for, golden_count)


@contextmanager
def _missing_is_told(rows: Rows) -> Iterator[None]:
    """Where the model refuses a missing number, say which it is."""
    try:
        yield
    except ConversionError as error:
        for name, array in rows.arrays.items():
            if "NaN" in str(error) and (places := np.argwhere(is_missing(array))).size:
                row, *rest = places[0].tolist()
                place = f"column {name if rows.is_table else rest[-1]!r}"
                if rows.is_several:
                    place = f"input {name!r}"
                raise InputError(
                    f"inputs: row {row} has a missing value in {place}, and the model takes none. Put "
                    "an imputer into the model, or leave such rows out."
                ) from error
        raise
