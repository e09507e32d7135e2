"""Memory that models were measured to take or may take, beside what the machine has."""

from pathlib import Path

import pytest

from edge_runtime.choice import record
from edge_runtime.config import Config, DeviceConfig, ModelConfig, SourceConfig
from edge_runtime.doctor.findings import Device, Finding
from edge_runtime.doctor.needs import judge_limits, judge_measured, look
from edge_runtime.store.disk import Store
from tests.edge_runtime.choice.rows import recorded, row
from tests.edge_runtime.doctor.holding import holding
from tests.edge_runtime.store.rig import Shelf


@pytest.mark.parametrize(
    ("found", "state", "words"),
    [
        (judge_measured({"b": 60, "a": 60}, 200_000_000), "ok", "a, b took 120 MB when measured here;"),
        (judge_measured({"a": 120}, 119_000_000), "problem", "and 119 MB are left."),
        (judge_limits({"a": 500}, 500_000_000), "ok", "may take 500 MB (`models[].memory_mb`) of this"),
        (judge_limits({"a": 500, "b": 600}, 1_000_000_000), "warning", "a, b may take 1,100 MB"),
    ],
)
def test_what_models_take_is_compared_with_what_there_is(found: Finding, state: str, words: str) -> None:
    assert found.state == state
    assert words in found.what


def test_it_is_read_from_the_store_and_the_configuration(tmp_path: Path) -> None:
    source = SourceConfig(url="mqtt://127.0.0.1", topic="t")
    model = ModelConfig(name="tiny", source=source, memory_mb=200)
    config = Config(device=DeviceConfig(id="dev", data=tmp_path), models=(model,))
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 100000 kB\nMemAvailable: 10000 kB\n")
    device = Device(config=config, root=tmp_path)
    assert [each.state for each in look(device)] == ["warning"]  # the limit

    slot = Shelf(tmp_path).run("1.0.0")
    assert Store(tmp_path / "store").state().models["tiny"].active == slot.digest
    path = record.path_of(tmp_path / "store", "tiny", slot.digest)
    record.write(path, recorded(row("int8", 10), row("fp32", 20), digest=slot.digest))
    measured, _ = look(device)
    assert measured.what == "tiny took 40 MB when measured here, and 10 MB are left."
    with holding(tmp_path / "store" / "agent.lock"):
        assert len(list(look(device))) == 1
