"""Whom the kernel ends first when a machine runs out of memory."""

from pathlib import Path

from edge_runtime.worker import Worker
from tests.support.slots import slot
from tests.support.tiny_bundle import tiny_bundle


def score(pid: int | str) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


def test_short_of_memory_a_model_goes_before_the_agent(tmp_path: Path) -> None:
    with Worker.start(slot(tmp_path, tiny_bundle())) as worker:
        assert score(worker.pid) == 500 > score("self")
