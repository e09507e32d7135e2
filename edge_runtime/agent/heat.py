"""A board that is too hot: its models are eased step by step, and back again once it is cooler."""

import math
import time
from collections.abc import Sequence
from typing import Protocol

from edge_runtime.agent.books import Books
from edge_runtime.agent.patience import Asking
from edge_runtime.config import TemperatureConfig
from edge_runtime.telemetry import health

_LOOK_EVERY_S = 2.0


class Eased(Protocol):
    """A model that can be asked for less work, and for more again; see `Easing`."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def serves(self) -> bool: ...

    @property
    def goes_over(self) -> bool: ...

    @property
    def is_measured(self) -> bool: ...

    def more(self) -> str: ...

    def less(self) -> str: ...


class Thermostat:
    """When a step is due. Pure: temperatures and times are told.

    Between the two limits nothing changes, so that it does not swing.
    """

    def __init__(self, config: TemperatureConfig) -> None:
        self._config = config
        self._not_before_s = -math.inf

    def due(self, celsius: float, now_s: float) -> int:
        """1 for easing more, -1 for less, 0 for neither now."""
        hot = celsius >= self._config.ceiling_c
        if now_s < self._not_before_s or not (hot or celsius < self._config.resume_below_c):
            return 0
        self._not_before_s = now_s + self._config.step_s
        return 1 if hot else -1


class Heat:
    """Reads the sensor every two seconds and eases all models alike; used by the main loop.

    A sensor that tells nothing or hangs is an event, once, and changes nothing: no model stops for it.
    """

    def __init__(self, config: TemperatureConfig, books: Books, models: Sequence[Eased]) -> None:
        self._config = config
        self._books = books
        self._models = models
        self._thermostat = Thermostat(config)
        self._sensor = Asking(lambda: health.hottest(config.sensor))
        self._unknown = ""  # why the temperature is
        self._exhausted = False
        self._next_s = 0.0

    def step(self) -> None:
        """Look, if it is time to, and do what is due."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        self._next_s = now_s + min(_LOOK_EVERY_S, self._config.step_s)
        celsius = self._sensor.ask()
        self._tell_known("" if celsius is not None else self._why_unknown())
        if celsius is None:
            return
        match self._thermostat.due(celsius, now_s):
            case 1:
                self._ease(f"at {celsius:.1f} °C, the ceiling is {self._config.ceiling_c:g} °C")
            case -1:
                self._resume(f"at {celsius:.1f} °C, below {self._config.resume_below_c:g} °C")

    def _ease(self, why: str) -> None:
        # What does not serve yet has no candidates to go over to, and makes no heat. One step at a time:
        # what a lighter candidate does for the heat is not known before it has taken over.
        serving = [model for model in self._models if model.serves and not model.goes_over]
        eased = [(model, words) for model in serving if (words := model.more())]
        for model, words in eased:
            self._books.note("eased", model.name, model.version, f"{why}: {words}")
        exhausted = bool(serving) and not eased
        if exhausted and not self._exhausted:
            self._books.note(
                "too hot", detail=f"{why}, and no model can be eased more{_not_measured(serving)}"
            )
        self._exhausted = exhausted

    def _resume(self, why: str) -> None:
        self._exhausted = False
        for model in self._models:
            if words := model.less():
                self._books.note("eased less", model.name, model.version, f"{why}: {words}")

    def _why_unknown(self) -> str:
        sensor = self._config.sensor
        if self._sensor.hangs:
            found = "expected a temperature within a second, the sensor does not answer."
        else:
            found = "expected a thermal zone that tells a temperature, or a folder of some, found none."
        return f"{sensor}: {found} Models stay as they are; see `device.temperature.sensor`."

    def _tell_known(self, unknown: str) -> None:
        if unknown == self._unknown:
            return
        self._unknown = unknown
        if unknown:
            self._books.note("temperature unknown", detail=unknown)
        else:
            self._books.note("temperature known again")


def _not_measured(models: Sequence[Eased]) -> str:
    names = " and ".join(model.name for model in models if not model.is_measured)
    return f"; which variants of {names} are lighter is not measured yet" if names else ""
