"""What the agent's tests share: a sensor broker that all of a module's agents may use."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.brokers import Mosquitto


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker", max_queued_messages=0) as broker:
        yield broker
