"""Every module that registers lowerings of scikit-learn's estimators."""

from importlib import import_module

_MODULES = (
    "absent", "boosting", "clusters", "composition", "decomposition", "discriminant", "dummy",
    "encoding", "features", "forests", "gaussian_process", "imputing", "isotonic", "kernel_maps",
    "kernels", "linear", "manifold", "mixtures", "naive_bayes", "neighbours", "neural", "outliers",
    "radius", "scaling", "selection", "semi_supervised", "several_labels", "splines", "svm", "voting",
)  # fmt: skip


def load() -> None:
    """Make them known; the second time nothing happens."""
    for name in _MODULES:
        import_module(f"converter.lowering.{name}")
