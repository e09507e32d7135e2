"""A fitted pipeline put before a model that was trained on what it gives."""

from typing import Any

from sklearn.pipeline import Pipeline

from converter.lowering.composition import steps_of
from edge_runtime.errors import InputError


def joined(preprocessing: Any, model: Any) -> Pipeline:
    """One Pipeline of both. Raises InputError where a step of `preprocessing` does not transform."""
    check_transforms(preprocessing)
    return Pipeline([("preprocessing", preprocessing), ("model", model)])


def check_transforms(preprocessing: Any) -> None:
    """Raises InputError where a step does not transform."""
    for name, step in steps_of(preprocessing):
        if not hasattr(step, "transform"):
            raise InputError(
                f"preprocessing: step {name!r}: expected a fitted transformer, found "
                f"{type(step).__name__}, which has no transform. Give the model itself as `model`."
            )
