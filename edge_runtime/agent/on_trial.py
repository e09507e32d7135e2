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

    @property
    def serves_s(self) -> float:
        """For how long, in seconds."""
        return time.monotonic() - self._began_s

    def missing(self, predictions: int, contact_s: float) -> str:
        """What it has still to show, in words; '' when it may be confirmed.

        `contact_s` is when the newest rows were sent that the fleet has acknowledged (Books).
        """
        contact = contact_s >= self._began_s
        return trials.missing(self._rules, Evidence(predictions, self.serves_s, contact))
