"""XGBoost, LightGBM and CatBoost, leaf for leaf: each library has one adapter that reads its own dump.

A library is imported only when a model that came from it is looked at.
"""

from importlib import import_module
from typing import Any

_LIBRARIES = {"xgboost", "lightgbm", "catboost"}


def register(model: Any) -> bool:
    """Make the lowerings of the model's own library known; False when it comes from none of these."""
    library = type(model).__module__.partition(".")[0]
    if library not in _LIBRARIES:
        return False
    import_module(f"{__name__}.{library}")
    return True
