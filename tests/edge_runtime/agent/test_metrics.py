"""What a row of the device's health holds, whatever of the device does not answer."""

from pathlib import Path

from edge_runtime import config as settings
from edge_runtime.agent.books import Books
from edge_runtime.agent.metrics import Meter
from edge_runtime.telemetry.messages import Metrics
from edge_runtime.telemetry.outbox import Outbox
from tests.support.outbox_rows import rows_of
from tests.support.thermal import Thermal
from tests.support.waiting import wait_for


def test_a_sensor_that_hangs_costs_the_row_its_temperature_and_nothing_else(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "proc").mkdir(parents=True)
    (root / "proc/loadavg").write_text("0.52 0.40 0.30 1/234 5678\n")
    thermal = Thermal(root / "sys/class/thermal")
    thermal.hang("cpu-thermal")
    config = settings.parse({"device": {"id": "device-01"}}, tmp_path)

    with Outbox(tmp_path / "outbox.db") as outbox:
        meter = Meter(config, Books(outbox, None), {}, root=root)

        def row() -> dict[str, float]:
            meter.step(last=True)
            (*_, last) = [row for row in rows_of(outbox) if isinstance(row, Metrics)]
            return {
                name: last.values[name] for name in ("load_1min", "temperature_c") if name in last.values
            }

        assert [row(), row()] == [{"load_1min": 0.52}] * 2
        thermal.answer("cpu-thermal", 45_000)
        wait_for(lambda: row() == {"load_1min": 0.52, "temperature_c": 45.0}, "its answer")


def test_what_commands_are_told_is_renewed_with_every_sixth_row(tmp_path: Path) -> None:
    config = settings.parse({"device": {"id": "device-01"}}, tmp_path)
    with Outbox(tmp_path / "outbox.db") as outbox:
        meter = Meter(config, Books(outbox, None), {})
        before, renewed = meter.counted, list[int]()
        for row in range(13):
            meter.step(last=True)
            if meter.counted is not before:
                renewed.append(row)
            before = meter.counted
    assert renewed == [0, 6, 12]
