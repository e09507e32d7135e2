"""Which window is to blame when runs fail, and when its worker is. Pure: the time is told."""

import math

POISON_AFTER = 3  # workers that one window may take down
RENEW_AFTER = 3  # windows in a row that a worker could not run
_RENEW_EVERY_S = 30.0


class Suspicion:
    """Windows of a run that failed are run one by one; one that is poisonous is left out."""

    def __init__(self) -> None:
        self._singles = 0  # windows to be run one by one, because a batch failed
        self._deaths = 0  # in a row, of workers that had one and the same window
        self._failed_runs = 0  # in a row, each of another window
        self._renewed_s = -math.inf

    @property
    def one_by_one(self) -> bool:
        """Whether the next window is to be run alone."""
        return self._singles > 0

    def go_over(self) -> None:
        """Another worker has the next window, whatever it did to those before."""
        self._deaths = 0

    def answered(self) -> None:
        """A run went well."""
        self._failed_runs = self._deaths = 0
        self._singles = max(0, self._singles - 1)

    def died(self, windows: int) -> bool:
        """A worker died of a run of so many windows. Whether the window is poisonous."""
        return self._blames(windows, self._deaths + 1)

    def refused(self, windows: int) -> bool:
        """A worker that lives could not run so many windows. Whether the window is to be left out."""
        return self._blames(windows, POISON_AFTER)

    def renews(self, now_s: float) -> bool:
        """Another window could not be run: whether its worker is to make way for another by now."""
        self._failed_runs += 1
        if self._failed_runs < RENEW_AFTER or now_s - self._renewed_s < _RENEW_EVERY_S:
            return False
        self._failed_runs, self._renewed_s = 0, now_s
        return True

    def _blames(self, windows: int, deaths: int) -> bool:
        if windows > 1:
            self._singles = windows
            return False
        self._deaths = deaths
        if deaths < POISON_AFTER:
            return False
        self._deaths = 0
        self._singles = max(0, self._singles - 1)
        return True
