"""A sensor that sends faster than the model was trained for. Pure: the time is told.

Every prediction is kept and sent, so ten times the rate wears a card ten times as fast; and the windows
are of other lengths of time than the model knows.
"""

_MINUTE_S = 60.0
_MINUTES = 3  # in a row: what has waited at a broker comes in less
_TIMES = 2.0


class Haste:
    """Watches how many samples have come; `rate_hz` is what the manifest says, None for nothing."""

    def __init__(self, rate_hz: float | None, now_s: float) -> None:
        self._rate_hz = rate_hz
        self._since_s = now_s
        self._samples = -1
        self._minutes = 0  # in a row that were too fast
        self._told = False

    def event(self, samples: int, now_s: float) -> tuple[str, str] | None:
        """An event to be told now, and its detail. `samples`: how many have come up to now."""
        took_s = now_s - self._since_s
        if self._rate_hz is None or (took_s < _MINUTE_S and self._samples >= 0):
            return None
        found_hz = (samples - self._samples) / took_s if self._samples >= 0 else 0.0
        self._samples, self._since_s = samples, now_s
        self._minutes = self._minutes + 1 if found_hz > _TIMES * self._rate_hz else 0
        too_fast = self._minutes >= _MINUTES or (self._told and self._minutes > 0)
        if too_fast == self._told:
            return None
        self._told = too_fast
        if too_fast:
            rates = f"{found_hz:.0f} samples a second, the model is made for {self._rate_hz:g}"
            return "sensor too fast", f"{rates}; for {_MINUTES} minutes now"
        return "sensor in time again", f"{found_hz:.0f} samples a second"
