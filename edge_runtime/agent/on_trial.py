"""A version that serves on trial: what it has shown, and what it must show to be confirmed."""

import time

from edge_runtime.config import TrialConfig
from edge_runtime.store import trials
from edge_runtime.store.trials import Evidence, Rules


class OnTrial:
    """From the moment the bundle `digest` begins to serve."""

    def __init__(self, digest: str, config: TrialConfig) -> None:
        self.digest = digest
        self._rules = Rules(config.predictions, config.serve_s, config.fleet)
        self._began_s = time.monotonic()
        self._heard_fleet = False

    def missing(self, predictions: int, fleet_connected: bool) -> str:
        """What it has still to show, in words; '' when it may be confirmed."""
        self._heard_fleet = self._heard_fleet or fleet_connected
        seconds = time.monotonic() - self._began_s
        return trials.missing(self._rules, Evidence(predictions, seconds, self._heard_fleet))
