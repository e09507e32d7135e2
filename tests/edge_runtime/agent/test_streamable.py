"""What a stream of samples cannot feed, and why."""

import msgspec
import pytest

from edge_runtime.agent.streamable import why_not
from edge_runtime.bundle.manifest import Input, Manifest, Task
from tests.support.graphs import LABELS
from tests.support.several import FACTORS, GRID, POINTS, TOTAL
from tests.support.tiny_bundle import tiny_manifest

TINY = tiny_manifest("tiny", "1.0.0", 1, model_size=1, golden_count=1)
COLUMNS = tuple(Input(name=name, dtype="float64", shape=(None,)) for name in ("age", "weight"))


def altered(**changes: object) -> Manifest:
    return msgspec.structs.replace(TINY, **changes)


@pytest.mark.parametrize(
    "task", ["classification", "regression", "clustering", "anomaly", "transformation"]
)
def test_windows_feed_a_model_of_every_task(task: Task) -> None:
    assert why_not(altered(task=task)) == ""


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        (altered(window=None), "the manifest has no window, so no stream of samples can feed it"),
        (altered(window=None, inputs=COLUMNS), "the manifest takes a table and has no window"),
        (altered(window=None, inputs=(POINTS, FACTORS)), "it takes 2 inputs, where a stream of samples"),
        (altered(task="regression", outputs=(TOTAL, GRID)), "it gives 2 outputs for each window, where"),
        (altered(classes=(), labels=LABELS), "it gives 2 labels for each window, where"),
    ],
)
def test_what_cannot_be_fed_or_told_is_refused_in_a_sentence(manifest: Manifest, told: str) -> None:
    assert why_not(manifest).startswith(told)
    assert why_not(manifest).endswith("or call it from Python.")
