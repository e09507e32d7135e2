"""The families of models that variants.py compares, fitted on small made data."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_classification
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

FEATURES, CLASSES, TRAINING = 20, 4, 3_000


@dataclass(frozen=True)
class Family:
    """fit: makes the fitted model. inputs: float32 (1,000, features), held out from its training."""

    name: str
    fit: Callable[[], Any]
    inputs: np.ndarray


def all_of() -> list[Family]:
    import lightgbm
    import xgboost

    table, truth = make_classification(
        TRAINING + 1_000, FEATURES, n_informative=10, n_classes=CLASSES, random_state=0
    )
    table = (table / table.std(axis=0)).astype(np.float32)
    counts = np.rint(np.abs(table) * 3).astype(np.float32)
    mixed = table.copy()
    mixed[:, :4] = np.clip(counts[:, :4], 0, 7)  # four columns of whole numbers, as categories

    def family(
        name: str, model: Any, rows: int = TRAINING, data: np.ndarray = table, dtype: str = "float32"
    ) -> Family:
        """dtype: of the training data; what comes later is float32 in any case."""
        target = data[:rows, 0] + truth[:rows] if name in _OF_VALUES else truth[:rows]
        trained = data[:rows].astype(dtype)
        return Family(name, lambda: model.fit(trained, target), data[TRAINING:].copy())

    encoded = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), [0, 1, 2, 3]),
        (StandardScaler(), list(range(4, FEATURES))),
    )
    process = GaussianProcessRegressor(RBF(3.0) + WhiteKernel(0.1), optimizer=None)
    return [
        family("logistic regression", LogisticRegression(max_iter=1000)),
        family("RBF SVM", SVC(), 600),
        family("polynomial SVM", SVC(kernel="poly"), 600),
        family("5 nearest of 3,000", KNeighborsClassifier()),
        family("Gaussian naive Bayes", GaussianNB()),
        family("Gaussian naive Bayes trained in float64", GaussianNB(), dtype="float64"),
        family("multinomial naive Bayes", MultinomialNB(), data=counts),
        family("kernel ridge", KernelRidge(kernel="rbf"), 1_000),
        family("Nystroem and linear", make_pipeline(Nystroem(random_state=0), LogisticRegression())),
        family("Gaussian process", process, 500),
        family("random forest", RandomForestClassifier(100, max_depth=9, random_state=0), 1_000),
        family("extra trees", ExtraTreesClassifier(100, max_depth=8, random_state=0), 1_000),
        family("gradient boosting", GradientBoostingClassifier(random_state=0), 1_000),
        family("histogram boosting", HistGradientBoostingClassifier(random_state=0, max_iter=50)),
        family("XGBoost", xgboost.XGBClassifier(n_estimators=50, max_depth=5, n_jobs=1)),
        family("LightGBM", lightgbm.LGBMClassifier(n_estimators=50, n_jobs=1, verbose=-1)),
        family("MLP", MLPClassifier((64, 32), max_iter=60, random_state=0)),
        family("PCA and linear", make_pipeline(PCA(10), LogisticRegression())),
        family(
            "scaler, one-hot and linear",
            make_pipeline(encoded, LogisticRegression(max_iter=1000)),
            data=mixed,
        ),
    ]


_OF_VALUES = {"kernel ridge", "Gaussian process"}
