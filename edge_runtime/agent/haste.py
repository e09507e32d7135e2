"""A sensor that sends faster than the model was trained for. Pure: the time is told.

Every prediction is kept and sent, so ten times the rate wears a card ten times as fast; and the windows
are of other lengths of time than the model knows.
"""

_MINUTE_S = 60.0
_MINUTES = 3  # in a row: what has waited at a broker comes in less
_TIMES = 2.0


class Haste:
    """Watches how many samples have come, from its first look on."""

    def __init__(self) -> None:
        self._samples = -1
        self._since_s = 0.0
        self._minutes = 0  # in a row that were too fast
        self._told = False

    def event(self, samples: int, rate_hz: float | None, now_s: float) -> tuple[str, str] | None:
        """An event to be told now, and its detail.

        `samples`: how many have come up to now; fewer than before are those of another journal.
        `rate_hz`: what the manifest of the version in use says, None for nothing.
        """
        more, took_s = samples - self._samples, now_s - self._since_s
        first = self._samples < 0 or more < 0
        if not first and took_s < _MINUTE_S:
            return None
        self._samples, self._since_s = samples, now_s
        if first:
            return None
        found_hz = more / took_s
        is_fast = rate_hz is not None and found_hz > _TIMES * rate_hz
        self._minutes = self._minutes + 1 if is_fast else 0
        too_fast = self._minutes >= _MINUTES or (self._told and is_fast)
        if too_fast == self._told:
            return None
        self._told = too_fast
        if too_fast:
            rates = f"{found_hz:.0f} samples a second, the model is made for {rate_hz:g}"
            return "sensor too fast", f"{rates}; for {_MINUTES} minutes now"
        return "sensor in time again", f"{found_hz:.0f} samples a second"
