"""A board that is too hot: its models are eased step by step, and back again once it is cooler."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from edge_runtime.agent.books import Books
from edge_runtime.config import TemperatureConfig
from edge_runtime.telemetry import health

_LOOK_EVERY_S = 2.0


class Eased(Protocol):
    """A model that can be asked for less work."""

    @property
    def most_steps(self) -> int:
        """How often it can be eased."""

    @property
    def version(self) -> str:
        """What runs."""

    def ease(self, steps: int) -> str:
        """Take so many steps from where all is as it should be; what that means, in words."""


class Steps:
    """How many steps have been taken. Pure: temperatures and times are told.

    From where one is taken back to the ceiling nothing changes, so that it does not swing.
    """

    def __init__(self, config: TemperatureConfig) -> None:
        self.taken = 0
        self._config = config
        self._not_before_s = 0.0

    def due(self, celsius: float, most: int, now_s: float) -> int:
        """1 for one step more, -1 for one less, which is taken by that; 0 for none now."""
        change = 0
        if celsius >= self._config.ceiling_c:
            change = int(self.taken < most)
        elif celsius < self._config.resume_below_c:
            change = -int(self.taken > 0)
        if not change or now_s < self._not_before_s:
            return 0
        self.taken += change
        self._not_before_s = now_s + self._config.step_s
        return change


class Heat:
    """Reads the sensor every two seconds and eases all models alike; used by the main loop.

    A sensor that tells nothing is an event, once, and changes nothing: no model stops for it.
    """

    def __init__(self, config: TemperatureConfig, books: Books, models: Mapping[str, Eased]) -> None:
        self._config = config
        self._books = books
        self._models = models
        self._steps = Steps(config)
        self._known = True
        self._as_far_as_it_goes = False
        self._next_s = 0.0

    def step(self) -> None:
        """Look, if it is time to, and do what is due."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        self._next_s = now_s + min(_LOOK_EVERY_S, self._config.step_s)
        celsius = hottest(self._config.sensor)
        self._tell_known(celsius is not None)
        if celsius is None:
            return
        most = max((model.most_steps for model in self._models.values()), default=0)
        if change := self._steps.due(celsius, most, now_s):
            self._ease(celsius, change)
        elif celsius < self._config.ceiling_c:
            self._as_far_as_it_goes = False
        elif self._steps.taken == most and not self._as_far_as_it_goes:
            self._as_far_as_it_goes = True
            self._books.note("too hot", detail=f"{self._at(celsius)}, and no model can be eased more")

    def _ease(self, celsius: float, change: int) -> None:
        for name, model in self._models.items():
            event = "eased" if change > 0 else "eased less"
            words = model.ease(self._steps.taken)
            self._books.note(event, name, model.version, f"{self._at(celsius)}: {words}")

    def _at(self, celsius: float) -> str:
        if celsius >= self._config.ceiling_c:
            return f"at {celsius:.1f} °C, the ceiling is {self._config.ceiling_c:g} °C"
        return f"at {celsius:.1f} °C, below {self._config.resume_below_c:g} °C"

    def _tell_known(self, known: bool) -> None:
        if known == self._known:
            return
        self._known = known
        if known:
            self._books.note("temperature known again")
        else:
            self._books.note(
                "temperature unknown",
                detail=f"{self._config.sensor}: expected a thermal zone that tells a temperature, or a "
                "folder of some, found none. Models stay as they are; see `device.temperature.sensor`.",
            )


def hottest(sensor: Path) -> float | None:
    """°C of a thermal zone, or of the hottest of a folder of them; None where none tells it."""
    return max((celsius for celsius, _ in health.zones(sensor)), default=None)
