"""A boosting library is imported only for a model that came from it."""

import subprocess
import sys

from sklearn.ensemble import GradientBoostingRegressor

from converter.lowering import boosters


def test_a_model_of_another_library_is_none_of_ours() -> None:
    assert not boosters.register(GradientBoostingRegressor())


def test_no_library_is_imported_before_a_model_of_it_is_seen() -> None:
    code = (
        "import sys, converter.lowering.boosters\n"
        "print([name for name in ('xgboost', 'lightgbm', 'catboost') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
