"""What candidates may be compared by. Imports nothing heavy: the command line lists these names."""

from dataclasses import dataclass

from edge_runtime.bundle.manifest import Manifest, Task
from edge_runtime.errors import ConfigError


@dataclass(frozen=True)
class Metric:
    """name: as it is asked for. title: as it is shown. task: the one whose answers it measures."""

    name: str
    title: str
    task: Task
    higher_is_better: bool = True
    format: str = ".3f"

    def shown(self, value: float) -> str:
        """A value of it, or a difference of two."""
        return format(value, self.format)


_ALL = (
    Metric("accuracy", "accuracy", "classification"),
    Metric("f1", "macro F1", "classification"),
    Metric("roc-auc", "ROC AUC", "classification", format=".4f"),
    Metric("log-loss", "log loss", "classification", higher_is_better=False, format=".4g"),
    Metric("r2", "R²", "regression"),
    Metric("mae", "mean absolute error", "regression", higher_is_better=False, format=".4g"),
    Metric("mse", "mean squared error", "regression", higher_is_better=False, format=".4g"),
)
METRICS = {each.name: each for each in _ALL}


def check_metric(name: object) -> None:
    """Refuse a metric that is none; None stands for the task's first. Raises ConfigError."""
    if name is not None and name not in METRICS:
        raise ConfigError(f"metric: expected one of {', '.join(METRICS)}, found {name!r}.")


def metric_for(name: str | None, manifest: Manifest) -> Metric:
    """The metric of this name; without one accuracy of labels and R² of values.

    Raises ConfigError where it is none of the model's task.
    """
    known = [each for each in _ALL if each.task == manifest.task]
    if manifest.labels:  # of several labels only the share of right ones is measured
        known = known[:1]
    if name is None and known:
        return known[0]
    for each in known:
        if each.name == name:
            return each
    of = f"a {manifest.task} of several labels" if manifest.labels else f"a {manifest.task}"
    raise ConfigError(
        f"metric: expected {' or '.join(each.name for each in known) or 'none'}, as the model is {of}; "
        f"found {name or 'none'}."
    )
