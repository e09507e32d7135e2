"""Products of features."""

import numpy as np
from sklearn.preprocessing import PolynomialFeatures

from converter.lowering.registry import Array, transforms
from converter.lowering.scaling import as_floating

_Term = tuple[int, ...]


@transforms(PolynomialFeatures, reads="given")
def polynomial_features(step: PolynomialFeatures, x: Array) -> Array:
    """All products of up to `degree` features, in the order of `powers_` and the dtype of x.

    Each is a product of one factor less times the feature of the lowest index, as scikit-learn
    multiplies, so that float32 rounds alike.
    """
    x = as_floating(x)
    blocks = [np.ones_like(x[:, :1])] if step.include_bias else []
    terms: list[_Term] = [(at,) for at in range(int(x.shape[1]))]
    products = x
    for degree in range(1, step._max_degree + 1):
        if degree > 1:
            pairs = _next_terms(terms, int(x.shape[1]), interaction_only=step.interaction_only)
            if not pairs:
                break
            places = {term: at for at, term in enumerate(terms)}
            before = [places[rest] for _, rest in pairs]
            products = products[:, before] * x[:, [first for first, _ in pairs]]
            terms = [(first, *rest) for first, rest in pairs]
        if degree >= step._min_degree:
            blocks.append(products)
    return np.concatenate(blocks, axis=1)


def _next_terms(
    terms: list[_Term], n_features: int, *, interaction_only: bool
) -> list[tuple[int, _Term]]:
    """Terms of one degree more, each as its first feature and the rest; features never descend."""
    return [
        (first, rest)
        for first in range(n_features)
        for rest in terms
        if rest[0] > first or (rest[0] == first and not interaction_only)
    ]
