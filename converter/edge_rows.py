"""Inputs nobody recorded: where a conversion that looks right on data goes wrong."""

import numpy as np
from numpy.typing import NDArray

_MAX_TEMPLATES = 16
_MAX_SPLITS = 2_000


def edge_rows(
    rows: NDArray[np.float32],
    splits: tuple[NDArray[np.int64], NDArray[np.float32]],
    *,
    exact: bool,
) -> NDArray[np.float32]:
    """Rows of the shape of `rows`: zeros, tiny, larger than any real one, on and beside thresholds.

    splits: (feature, threshold) of trees that read the rows themselves. exact: whether the variant
    promises the source's leaves, so that magnitudes up to float32's largest are fair too. Where
    `rows` have NaN, so do some edge rows. Some may be refused by the source model.
    """
    chosen = np.unique(np.linspace(0, len(rows) - 1, _MAX_TEMPLATES).astype(int))
    templates = rows[chosen]
    one = np.ones((1, *rows.shape[1:]), dtype=np.float32)
    made = [0 * one, one, -one, templates * np.float32(10), templates * np.float32(1e-30)]
    if exact:
        made += [one * np.float32(sign * size) for sign in (-1, 1) for size in (1e15, 1e38)]
    if len(splits[0]):
        made.append(_beside(templates, *splits))
    if np.isnan(rows).any():
        made.append(_with_nan(templates))
    edge = np.concatenate(made).astype(np.float32)
    return edge[~np.isinf(edge).reshape(len(edge), -1).any(axis=1)]


def _beside(
    templates: NDArray[np.float32], features: NDArray[np.int64], thresholds: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Real rows with one feature on a threshold, and one ulp above it."""
    reachable = np.flatnonzero(np.isfinite(thresholds))
    if len(reachable) == 0:
        return templates[:0]
    chosen = reachable[np.unique(np.linspace(0, len(reachable) - 1, _MAX_SPLITS).astype(int))]
    features, on = features[chosen], thresholds[chosen]
    with np.errstate(over="ignore"):  # above the largest number lies infinity, which is left out later
        above = np.nextafter(on, np.float32(np.inf))
    made = templates[np.arange(2 * len(chosen)) % len(templates)]
    made[np.arange(len(made)), np.tile(features, 2)] = np.concatenate([on, above])
    return made


def _with_nan(templates: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each template once with every third number missing, and once with all."""
    some, every = templates.copy(), np.full_like(templates, np.nan)
    some.reshape(len(some), -1)[:, ::3] = np.nan
    return np.concatenate([some, every])
