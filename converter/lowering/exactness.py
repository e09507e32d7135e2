"""What of a model is bit for bit the source's, and what only comes close."""

from collections.abc import Callable
from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.ensemble import BaggingClassifier, BaggingRegressor, VotingClassifier, VotingRegressor
from sklearn.feature_selection import RFE, RFECV, SelectorMixin
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

from converter.blocks import Block
from converter.lowering.absent import AbsentIsMissing
from converter.lowering.composition import innermost, steps_of
from converter.lowering.trees import has_trees

# Their lowerings compare, choose, or round each operation as numpy does for the source.
_EXACT = {
    AbsentIsMissing, Binarizer, KBinsDiscretizer, MaxAbsScaler, MinMaxScaler, MissingIndicator,
    OneHotEncoder, OrdinalEncoder, RobustScaler, SimpleImputer, StandardScaler,
}  # fmt: skip
# Trees in them read what the whole reads.
_OF_MEMBERS = {
    BaggingClassifier, BaggingRegressor, MultiOutputClassifier, MultiOutputRegressor,
    OneVsOneClassifier, OneVsRestClassifier, RFE, RFECV, VotingClassifier, VotingRegressor,
}  # fmt: skip


def is_exact_step(step: Any) -> bool:
    """Whether a transformer's lowering gives the source's very numbers, in the source's dtype."""
    return _is_made_of(step, _is_exact)


def _gives_features(step: Any) -> bool:
    """Whether a step is a block, exact, or made of such: then what follows it starts at its numbers."""
    return _is_made_of(step, lambda inner: isinstance(inner, Block) or _is_exact(inner))


def _is_made_of(step: Any, accepts: Callable[[Any], bool]) -> bool:
    """Whether every transformer inside a container, or the one that `step` is, is accepted."""
    step = innermost(step)
    if isinstance(step, str) or step is None:  # "passthrough", "drop"
        return True
    if type(step) is Pipeline:
        return all(_is_made_of(inner, accepts) for _, inner in steps_of(step))
    if type(step) is ColumnTransformer:
        return all(_is_made_of(inner, accepts) for _, inner, _ in step.transformers_)
    if type(step) is FeatureUnion:
        return not step.transformer_weights and all(
            _is_made_of(inner, accepts) for _, inner in step.transformer_list
        )
    return accepts(step)


def _is_exact(step: Any) -> bool:
    if type(step) is FunctionTransformer:
        return step.func is None
    library = type(step).__module__.startswith("sklearn.")
    return type(step) in _EXACT or (library and isinstance(step, SelectorMixin))


def leaves_are_exact(model: Any) -> bool:
    """Whether each input (behind blocks: their features) reaches the source's leaf in every tree."""
    *before, (_, final) = steps_of(innermost(model))
    if not all(_gives_features(step) for _, step in before):
        return False
    if type(final) in _OF_MEMBERS:
        members = getattr(final, "estimators_", None) or [final.estimator_]
        return all(leaves_are_exact(member) for member in members)
    return has_trees(final)
