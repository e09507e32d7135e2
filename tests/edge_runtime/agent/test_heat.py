"""Which steps are taken for a temperature, and what is told of a sensor."""

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from edge_runtime.agent.books import Books
from edge_runtime.agent.heat import Heat, Thermostat
from edge_runtime.config import TemperatureConfig
from edge_runtime.telemetry.messages import Event
from edge_runtime.telemetry.outbox import Outbox
from tests.support.outbox_rows import rows_of
from tests.support.thermal import Thermal
from tests.support.waiting import wait_for

CONFIG = TemperatureConfig(ceiling_c=80, resume_c=70, step_s=10)


def due(readings: Sequence[tuple[float, float]]) -> list[int]:
    """What is due at each reading of (s, °C)."""
    thermostat = Thermostat(CONFIG)
    return [thermostat.due(celsius, now_s) for now_s, celsius in readings]


def test_above_the_ceiling_a_step_is_due_every_10_s() -> None:
    assert due([(n * 2.0, 85.0) for n in range(100, 112)]) == [1, 0, 0, 0, 0] * 2 + [1, 0]


def test_between_the_two_limits_nothing_is_due() -> None:
    assert due([(100.0, 80.0), (110.0, 79.9), (300.0, 70.0), (302.0, 69.9)]) == [1, 0, 0, -1]


def test_it_does_not_swing_faster_than_a_step_takes() -> None:
    assert due([(100.0, 81.0), (102.0, 60.0), (108.0, 81.0), (110.0, 60.0)]) == [1, 0, 0, -1]


class Model:
    """Can be eased twice."""

    name, version, serves, goes_over, is_measured = "tiny", "1.0.0", True, False, True

    def __init__(self) -> None:
        self.taken = 0

    def more(self) -> str:
        return self._step(self.taken + 1)

    def less(self) -> str:
        return self._step(self.taken - 1)

    def _step(self, taken: int) -> str:
        if not 0 <= taken <= 2:
            return ""
        self.taken = taken
        return f"step {taken}"


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.db") as outbox:
        yield outbox


def told(outbox: Outbox) -> list[tuple[str, str, str]]:
    return [(row.event, row.model, row.detail) for row in rows_of(outbox) if isinstance(row, Event)]


def test_each_step_is_told_and_once_that_none_is_left(tmp_path: Path, outbox: Outbox) -> None:
    thermal = Thermal(tmp_path / "thermal")
    config = TemperatureConfig(sensor=thermal.folder, step_s=0.01)
    heat = Heat(config, Books(outbox, None), [Model()])

    def at(celsius: float, looks: int) -> None:
        thermal.tell("cpu-thermal", int(celsius * 1000))
        for _ in range(looks):
            time.sleep(0.011)
            heat.step()

    at(79.9, 2)
    at(81.26, 4)
    at(75, 2)
    at(60, 4)

    hot, cool = "at 81.3 °C, the ceiling is 80 °C", "at 60.0 °C, below 70 °C"
    assert told(outbox) == [
        ("eased", "tiny", f"{hot}: step 1"),
        ("eased", "tiny", f"{hot}: step 2"),
        ("too hot", "", f"{hot}, and no model can be eased more"),
        ("eased less", "tiny", f"{cool}: step 1"),
        ("eased less", "tiny", f"{cool}: step 0"),
    ]


def test_a_model_is_left_alone_while_its_last_step_is_being_taken(
    tmp_path: Path, outbox: Outbox
) -> None:
    thermal = Thermal(tmp_path / "thermal")
    thermal.tell("cpu-thermal", 85_000)
    loads, other = Model(), Model()
    loads.goes_over = True
    config = TemperatureConfig(sensor=thermal.folder, step_s=0.01)
    heat = Heat(config, Books(outbox, None), [loads, other])

    def look() -> tuple[int, int]:
        time.sleep(0.011)
        heat.step()
        return loads.taken, other.taken

    assert [look(), look()] == [(0, 1), (0, 2)]
    loads.goes_over = False
    assert look() == (1, 2)


def three_hot_steps(folder: Path, outbox: Outbox, model: Model) -> None:
    thermal = Thermal(folder / "thermal")
    thermal.tell("cpu-thermal", 85_000)
    heat = Heat(TemperatureConfig(sensor=thermal.folder, step_s=0.01), Books(outbox, None), [model])
    for _ in range(3):
        time.sleep(0.011)
        heat.step()


def test_too_hot_before_a_model_is_measured_says_so(tmp_path: Path, outbox: Outbox) -> None:
    model = Model()
    model.is_measured = False
    three_hot_steps(tmp_path, outbox, model)
    hot = "at 85.0 °C, the ceiling is 80 °C"
    assert told(outbox)[-1] == (
        "too hot",
        "",
        f"{hot}, and no model can be eased more; which variants of tiny are lighter is not measured yet",
    )


@pytest.mark.parametrize("nonsense", ["", "hot", "-256000", "999999"])
def test_a_sensor_that_tells_nothing_is_told_once_and_changes_nothing(
    tmp_path: Path, outbox: Outbox, nonsense: str
) -> None:
    thermal = Thermal(tmp_path / "thermal")
    config = TemperatureConfig(sensor=thermal.folder, step_s=0.01)
    heat = Heat(config, Books(outbox, None), [Model()])

    for value in (nonsense, nonsense, "45000", nonsense):
        thermal.tell("cpu-thermal", value)
        time.sleep(0.011)
        heat.step()

    unknown = (
        f"{thermal.folder}: expected a thermal zone that tells a temperature, or a folder of some, "
        "found none. Models stay as they are; see `device.temperature.sensor`."
    )
    assert told(outbox) == [
        ("temperature unknown", "", unknown),
        ("temperature known again", "", ""),
        ("temperature unknown", "", unknown),
    ]


def test_what_does_not_serve_yet_is_not_eased(tmp_path: Path, outbox: Outbox) -> None:
    model = Model()
    model.serves = False
    three_hot_steps(tmp_path, outbox, model)
    assert (model.taken, told(outbox)) == (0, [])


def test_a_sensor_that_hangs_is_unknown_and_holds_nobody(tmp_path: Path, outbox: Outbox) -> None:
    thermal = Thermal(tmp_path / "thermal")
    thermal.hang("cpu-thermal")
    heat = Heat(TemperatureConfig(sensor=thermal.folder, step_s=0.01), Books(outbox, None), [Model()])

    def look() -> None:
        time.sleep(0.011)
        heat.step()

    look()
    ((event, _, detail),) = told(outbox)
    assert event == "temperature unknown"
    assert detail.startswith(
        f"{thermal.folder}: expected a temperature within a second, the sensor does not"
    )
    for _ in range(50):
        look()
    assert sum(thread.name == "asks" for thread in threading.enumerate()) == 1

    thermal.answer("cpu-thermal", 45_000)
    wait_for(lambda: look() or len(told(outbox)) == 2, "its answer")
    assert told(outbox)[1][0] == "temperature known again"
