"""Every scikit-learn estimator that predicts or transforms numbers, fitted on a small problem.

No estimator gets data made to help its conversion: only what its own documentation demands (counts,
categories, positive targets, several targets), and sizes that keep the run short.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone, is_regressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils import all_estimators

FEATURES = 12
FITTED_ON = 240

# Public only once somebody has asked scikit-learn for them.
_EXPERIMENTAL = {"HalvingGridSearchCV", "HalvingRandomSearchCV", "IterativeImputer"}
# Containers of other estimators, what reads dictionaries, images or lists of labels, and one that by
# default answers about its training rows only.
_NOT_OF_NUMBERS = {
    "ColumnTransformer", "DictVectorizer", "FeatureHasher", "FeatureUnion", "LocalOutlierFactor",
    "MultiLabelBinarizer", "PatchExtractor", "Pipeline",
}  # fmt: skip

_LOGISTIC = LogisticRegression()
_PAIR = [("linear", LogisticRegression()), ("tree", DecisionTreeClassifier(max_depth=4, random_state=0))]
_VALUES = [("linear", Ridge()), ("tree", DecisionTreeRegressor(max_depth=4, random_state=0))]

# What an estimator cannot be made without.
_ARGUMENTS: dict[str, dict[str, Any]] = {
    "ClassifierChain": {"estimator": _LOGISTIC},
    "DictionaryLearning": {"n_components": 3, "max_iter": 5},
    "FixedThresholdClassifier": {"estimator": _LOGISTIC, "threshold": 0.3},
    "FrozenEstimator": {"estimator": _LOGISTIC},
    "GaussianRandomProjection": {"n_components": 5},
    "GridSearchCV": {"estimator": _LOGISTIC, "param_grid": {"C": [0.1, 1.0]}},
    "HashingVectorizer": {"n_features": 64},
    "LatentDirichletAllocation": {"max_iter": 2},
    "MiniBatchDictionaryLearning": {"n_components": 3, "max_iter": 5},
    "MultiOutputClassifier": {"estimator": _LOGISTIC},
    "MultiOutputRegressor": {"estimator": Ridge()},
    "OneVsOneClassifier": {"estimator": _LOGISTIC},
    "OneVsRestClassifier": {"estimator": _LOGISTIC},
    "OutputCodeClassifier": {"estimator": _LOGISTIC},
    "RFE": {"estimator": _LOGISTIC, "n_features_to_select": 5},
    "RFECV": {"estimator": _LOGISTIC, "min_features_to_select": 5, "cv": 3},
    "RadiusNeighborsClassifier": {"radius": 30.0},
    "RadiusNeighborsRegressor": {"radius": 30.0},
    "RandomizedSearchCV": {
        "estimator": _LOGISTIC,
        "param_distributions": {"C": [0.1, 1.0]},
        "n_iter": 2,
    },
    "RegressorChain": {"estimator": Ridge()},
    "SelectFromModel": {"estimator": _LOGISTIC},
    "SelfTrainingClassifier": {"estimator": _LOGISTIC},
    "SequentialFeatureSelector": {"estimator": LinearRegression(), "n_features_to_select": 3, "cv": 2},
    "SparseCoder": {"dictionary": np.eye(5, FEATURES)},
    "SparseRandomProjection": {"n_components": 5},
    "StackingClassifier": {"estimators": _PAIR, "cv": 3},
    "StackingRegressor": {"estimators": _VALUES, "cv": 3},
    "TransformedTargetRegressor": {"regressor": Ridge(), "func": np.arcsinh, "inverse_func": np.sinh},
    "TunedThresholdClassifierCV": {"estimator": _LOGISTIC, "scoring": "recall", "cv": 3},
    "VotingClassifier": {"estimators": _PAIR, "voting": "soft"},
    "VotingRegressor": {"estimators": _VALUES},
}
# Smaller than the defaults, for time; the conversion takes the same way.
_SMALLER = {"n_estimators": 10, "n_quantiles": 100}

_COUNTS = {
    "AdditiveChi2Sampler", "CategoricalNB", "ComplementNB", "LatentDirichletAllocation",
    "MiniBatchNMF", "MultinomialNB", "NMF", "OneHotEncoder", "OrdinalEncoder", "SkewedChi2Sampler",
    "TargetEncoder", "TfidfTransformer",
}  # fmt: skip
_WITH_MISSING = {"KNNImputer", "MissingIndicator", "SimpleImputer"}
_TEXTS = {"CountVectorizer", "HashingVectorizer", "TfidfVectorizer"}
_TWO_CLASSES = {"FixedThresholdClassifier", "TunedThresholdClassifierCV"}
_POSITIVE_TARGET = {"GammaRegressor", "PoissonRegressor", "TweedieRegressor"}
_TWO_TARGETS = {
    "CCA", "MultiOutputRegressor", "MultiTaskElasticNet", "MultiTaskElasticNetCV", "MultiTaskLasso",
    "MultiTaskLassoCV", "PLSCanonical", "PLSRegression", "PLSSVD", "RegressorChain",
}  # fmt: skip
_TWO_LABELS = {"ClassifierChain", "MultiOutputClassifier"}
_VALUE_TARGET = {"SequentialFeatureSelector", "TargetEncoder"}
_OF_TARGETS = {"LabelBinarizer", "LabelEncoder"}


@dataclass(frozen=True)
class Problem:
    """An estimator's name, how to make and fit it, and rows of its kind that it was not fitted on."""

    name: str
    make: Callable[[], Any]

    def fitted(self, dtype: str = "float32") -> Any:
        """Trained on float32; where the rows to come are float64 or whole numbers, on float64."""
        with warnings.catch_warnings():  # small problems do not converge, and say so
            warnings.simplefilter("ignore")
            rows, target = self._training()
            if dtype != "float32" and self.name not in _TEXTS:
                rows = rows.astype(np.float64)  # some of scikit-learn refuse another dtype than this
            model = self.make()
            if self.name in _OF_TARGETS:
                return model.fit(target)
            if self.name == "FrozenEstimator":
                model.estimator.fit(rows, target)
            return model.fit(rows, target)

    @property
    def is_of_targets(self) -> bool:
        """Whether it transforms targets: one column, given to it as (n,)."""
        return self.name in _OF_TARGETS

    def rows(self, count: int, seed: int, dtype: str = "float32") -> Any:
        """Like the training rows; the last tenth is three times as large, where numbers are free.

        Those of float64 hold digits that float32 has not; whole numbers are the rounded rows.
        """
        rows = self._rows(count, seed, stretched=True)
        if self.name in _TEXTS or dtype == "float32":
            return rows
        if dtype == "int64":
            return np.nan_to_num(np.rint(rows)).astype(np.int64)
        is_free = self.name not in _COUNTS and not self.is_of_targets and self.name != "BernoulliRBM"
        return rows.astype(np.float64) * (1 + 1e-9 if is_free else 1)

    def training_rows(self) -> Any:
        """The rows it was fitted on."""
        return self._training()[0]

    def _rows(self, count: int, seed: int, *, stretched: bool = False) -> Any:
        rng = np.random.default_rng(seed)
        if self.name in _TEXTS:
            return [" ".join(rng.choice(["red", "green", "blue"], 4).tolist()) for _ in range(count)]
        if self.name in _COUNTS:
            # Every count occurs early, so that no fresh row holds a category that training lacked.
            rows = rng.integers(0, 4, (count, FEATURES)).astype(np.float32)
            rows[:4] = np.arange(4, dtype=np.float32)[:, None]
            return rows
        if self.is_of_targets:
            return (np.arange(count) % 3).astype(np.float32)[:, None]
        rows = rng.normal(size=(count, 1 if self.name == "IsotonicRegression" else FEATURES))
        if stretched:
            rows[-(count // 10) :] *= 3
        if self.name == "BernoulliRBM":
            rows = 1 / (1 + np.exp(-rows))
        if self.name in _WITH_MISSING:
            rows[rng.random(rows.shape) < 0.1] = np.nan
        return rows.astype(np.float32)

    def _training(self) -> tuple[Any, Any]:
        count = FEATURES if self.name == "KernelCenterer" else FITTED_ON
        rows = self._rows(count, seed=1)
        rng = np.random.default_rng(2)
        if self.name in _TEXTS:
            return rows, np.arange(count) % 3
        signal = np.nan_to_num(rows).astype(np.float64)
        value = signal @ rng.normal(size=signal.shape[1]) + np.sin(signal[:, 0])
        value += rng.normal(scale=0.3, size=count)
        other = signal @ rng.normal(size=signal.shape[1]) + rng.normal(scale=0.3, size=count)
        if self.name in _POSITIVE_TARGET:
            return rows, np.exp(value / np.abs(value).max())
        if self.name in _TWO_TARGETS:
            return rows, np.column_stack([value, other])
        if self.name in _TWO_LABELS:
            return rows, np.column_stack([value > np.median(value), other > np.median(other)]).astype(
                int
            )
        if self.name in _TWO_CLASSES:
            return rows, (value > np.median(value)).astype(int)
        if self.name in _VALUE_TARGET or self._predicts_values():
            return rows, value
        return rows, np.searchsorted(np.quantile(value, [1 / 3, 2 / 3]), value)

    def _predicts_values(self) -> bool:
        return is_regressor(self.make())


def every_estimator() -> Iterator[Problem]:
    """All of `sklearn.utils.all_estimators` with an answer to an array of numbers, by name."""
    with warnings.catch_warnings():  # deprecated ones say so when they are listed
        warnings.simplefilter("ignore")
        found = all_estimators()
    for name, kind in found:
        answers = hasattr(kind, "predict") or hasattr(kind, "transform")
        if (answers or name == "FrozenEstimator") and name not in _NOT_OF_NUMBERS | _EXPERIMENTAL:
            yield Problem(name, _maker(name, kind))


def _maker(name: str, kind: type) -> Callable[[], Any]:
    given = {key: clone(value, safe=False) for key, value in _ARGUMENTS.get(name, {}).items()}

    def make() -> Any:
        model = kind(**{key: clone(value, safe=False) for key, value in given.items()})
        known = model.get_params(deep=False)
        small = {key: value for key, value in _SMALLER.items() if key in known and key not in given}
        if "random_state" in known:
            small["random_state"] = 0
        return model.set_params(**small) if small else model

    return make
