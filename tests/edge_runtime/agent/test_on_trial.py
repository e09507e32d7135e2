"""How long a trial that failed waits for its next attempt."""

import msgspec
import pytest

from edge_runtime.agent.on_trial import OnTrial
from edge_runtime.bundle.manifest import Window
from edge_runtime.config import TrialConfig
from tests.support.tiny_bundle import tiny_manifest


@pytest.mark.parametrize(
    ("length", "rate_hz", "pause_s"), [(4, 50.0, 5.0), (1000, 50.0, 40.0), (50, 0.01, 300.0)]
)
def test_the_next_attempt_waits_until_other_samples_are_in_the_windows(
    length: int, rate_hz: float, pause_s: float
) -> None:
    window = tiny_manifest("tiny", "1.0.0", 1, model_size=1, golden_count=1).window
    assert isinstance(window, Window)
    long = msgspec.structs.replace(window, length=length, rate_hz=rate_hz)
    assert OnTrial("d" * 64, TrialConfig(), long).pause_s == pause_s
    assert OnTrial("d" * 64, TrialConfig(), None).pause_s == 5.0
