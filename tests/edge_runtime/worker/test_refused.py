"""What is told when memory was refused, and whose fault it is: the limit's, a GPU's or the machine's."""

from pathlib import Path

import pytest

from edge_runtime.errors import UnavailableError, WorkerError
from edge_runtime.worker import Worker
from edge_runtime.worker.limits import refused
from tests.support.own_engine import own_engine
from tests.support.slots import slot
from tests.support.tiny_bundle import golden_windows, tiny_bundle

MB = 1_000_000
ARENA = "cannot be run: Failed to allocate memory for requested buffer of size"
CUDA = (
    "cannot be run: CUDA failure 2: out of memory ; GPU=0 ; hostname=jetson ; expr=cudaMalloc(&p, size);"
)

LIMIT = "The memory limit of 500 MB (`memory_mb`) was reached: raise it, or run a smaller variant."
GPU = "The GPU has too little free memory: end what else uses it, or run a smaller variant."
MACHINE = (
    "The memory limit of 500 MB (`memory_mb`) was not reached: the machine, or its GPU, has too little "
    "free memory. End other programs, or run a smaller variant."
)


@pytest.mark.parametrize(
    ("text", "most_mb", "told"),
    [
        (f"{ARENA} {450 * MB}", 100, LIMIT),
        (f"{ARENA} {300 * MB}", 100, MACHINE),
        (f"{ARENA} {300 * MB}", 0, LIMIT),  # what it had is not known
        ("std::bad_alloc", 100, LIMIT),
        (CUDA, 499, GPU),
    ],
)
def test_the_limit_is_named_where_it_can_have_been_the_reason(
    text: str, most_mb: int, told: str
) -> None:
    assert refused(text, 500 * MB, most_mb * MB) == f"{text.rstrip('.: ')}. {told}"


def test_nothing_is_added_to_another_fault() -> None:
    assert refused("the golden outputs differ.", 500 * MB) == ""


@pytest.mark.parametrize(
    ("fault", "told"), [(f"{ARENA} {10 * MB}", MACHINE), (f"{ARENA} {600 * MB}", LIMIT), (CUDA, GPU)]
)
def test_a_run_that_was_refused_memory_ends_its_process_and_says_whose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, told: str
) -> None:
    raises = f"if windows[0, 0, 0] > 100: raise EngineError({fault!r})"
    run = f"from edge_runtime.errors import EngineError\n{raises}"
    monkeypatch.setenv(*own_engine(tmp_path, run=run).popitem())
    folder = slot(tmp_path, tiny_bundle(engine="own"))
    with Worker.start(folder, max_bytes=500 * MB) as worker:
        with pytest.raises(WorkerError) as caught:
            worker.infer(golden_windows()[3:] * 1000)
        assert str(caught.value).endswith(told)
        assert not worker.alive


@pytest.mark.parametrize("max_bytes", [None, 500 * MB])
@pytest.mark.parametrize("fault", [f"{ARENA} {10 * MB}", CUDA])
def test_a_bundle_is_not_to_blame_for_what_others_take_of_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, max_bytes: int | None
) -> None:
    load = f"from edge_runtime.errors import EngineError\nraise EngineError({fault!r})"
    monkeypatch.setenv(*own_engine(tmp_path, load=load).popitem())
    with pytest.raises(UnavailableError, match="too little free memory"):
        Worker.start(slot(tmp_path, tiny_bundle(engine="own")), max_bytes=max_bytes)
