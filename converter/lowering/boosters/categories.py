"""Categories of a DataFrame's columns, made the numbers that XGBoost and LightGBM work with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from converter.lowering.encoding import codes
from converter.lowering.registry import Array, transforms
from converter.lowering.table import Table


@dataclass(frozen=True)
class Categories:
    """Stands in front of trees that were trained on a DataFrame with columns of categories.

    A category that training never saw is missing: so it is in a column of training's dtype, by pandas.

    of_column: by column its categories, texts or whole numbers, in the order of their codes.
    """

    of_column: Mapping[int, Sequence[Any]]


@transforms(Categories, reads="table")
def categories(step: Categories, x: Table) -> Array:
    """Codes in place of categories, (n, columns); columns without names hold codes already."""
    if not x.names:
        return x.matrix()
    columns = []
    for at in range(x.width):
        column = x.column(at)
        if at in step.of_column:
            known = list(step.of_column[at])
            code = codes(step, column, known)
            column = np.where(code < len(known), code, np.nan)
        columns.append(column.astype(np.float64))
    return np.stack(columns, axis=1)
