"""A sensor that says nothing any more, though its broker is there. Pure: the time is told."""


class Silence:
    """Watches how many samples have come; silent is who sent none for `limit_s`, 0 for never."""

    def __init__(self, limit_s: float, now_s: float) -> None:
        self._limit_s = limit_s
        self._samples = -1
        self._since_s = now_s
        self._told = False

    def event(self, samples: int | None, now_s: float) -> tuple[str, str] | None:
        """An event to be told now, and its detail: each silence once, and once its end.

        `samples`: how many have come up to now; None while the broker is not there, and what the
        sensor does is not known.
        """
        if samples is None:
            if not self._told:
                self._since_s = now_s
            return None
        if samples != self._samples:
            first, self._samples = self._samples < 0, samples
            silent_s, self._since_s = now_s - self._since_s, now_s
            ended, self._told = self._told and not first, False
            return ("sensor heard again", f"after {silent_s:.0f} s without a sample") if ended else None
        if self._told or not self._limit_s or now_s - self._since_s < self._limit_s:
            return None
        self._told = True
        return "sensor silent", f"no sample for {now_s - self._since_s:.0f} s"
