"""A version that serves on trial: what it has shown, and what it must show to be confirmed."""

import time

from edge_runtime.bundle.manifest import Window
from edge_runtime.config import TrialConfig
from edge_runtime.store import trials
from edge_runtime.store.trials import Evidence, Rules

_LEAST_PAUSE_S, _MOST_PAUSE_S = 5.0, 300.0


class OnTrial:
    """From the moment the bundle `digest` begins to serve, which takes windows as `window` says."""

    def __init__(self, digest: str, config: TrialConfig, window: Window | None) -> None:
        self.digest = digest
        self._window_s = window.length / window.rate_hz if window and window.rate_hz else 0.0
        self._rules = Rules(config.predictions, config.serve_s, config.fleet)
        self._began_s = time.monotonic()

    @property
    def serves_s(self) -> float:
        """For how long, in seconds."""
        return time.monotonic() - self._began_s

    @property
    def pause_s(self) -> float:
        """From an attempt that failed to the next, in seconds: that one is judged by other samples."""
        return min(max(_LEAST_PAUSE_S, 2 * self._window_s), _MOST_PAUSE_S)

    def missing(self, predictions: int, contact_s: float) -> str:
        """What it has still to show, in words; '' when it may be confirmed.

        `contact_s` is when the newest rows were sent that the fleet has acknowledged (Books).
        """
        contact = contact_s >= self._began_s
        return trials.missing(self._rules, Evidence(predictions, self.serves_s, contact))
