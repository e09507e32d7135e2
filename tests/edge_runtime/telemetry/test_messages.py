"""Topics: what a device publishes on, and what the fleet understands of a topic."""

import msgspec
import pytest

from edge_runtime.errors import ConfigError
from edge_runtime.telemetry.messages import (
    CandidateReport,
    ModelReport,
    Reported,
    RootReport,
    SlotReport,
    Topics,
    parse_uplink,
)
from tests.edge_runtime.telemetry.rows import event, metrics, prediction


def test_a_device_s_topics_are_understood() -> None:
    topics = Topics("dev-1")
    assert parse_uplink(topics.status) == ("dev-1", "status")
    assert parse_uplink(topics.reported) == ("dev-1", "reported")
    assert parse_uplink(topics.of_row(event())) == ("dev-1", "telemetry")
    assert parse_uplink(topics.of_row(metrics())) == ("dev-1", "telemetry")
    assert parse_uplink(topics.of_row(prediction(1, "motion"))) == ("dev-1", "prediction")
    assert topics.prediction("motion") == "edge/v1/dev-1/up/prediction/motion"


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "edge/v1/dev/up",
        "edge/v1/dev/down/ack",
        "edge/v2/dev/up/status",
        "edge/v1/DEV/up/status",
        "edge/v1/dev/up/status/more",
        "edge/v1/dev/up/prediction",
        "edge/v1/dev/up/prediction/a/b",
        "edge/v1/dev/up/unknown",
    ],
)
def test_other_topics_are_not_ours(topic: str) -> None:
    assert parse_uplink(topic) is None


@pytest.mark.parametrize("device", ["", "-a", "A", "a.b", "a b", "a/b", "+", "x" * 65, "a\n"])
def test_a_device_id_that_means_something_to_a_broker_is_refused(device: str) -> None:
    with pytest.raises(ConfigError, match="device id"):
        Topics(device)


class FirstSlot(msgspec.Struct):
    version: str
    release: int
    digest: str
    state: str


class FirstModel(msgspec.Struct):
    name: str
    active: str
    version: str
    slots: tuple[FirstSlot, ...]
    error: str = ""


class FirstReported(msgspec.Struct):
    """What a collector reads that knows no trials."""

    time: float
    boot: int
    models: tuple[FirstModel, ...]


def test_collectors_and_agents_that_know_no_trials_still_understand_each_other() -> None:
    slot = SlotReport(version="1.1.0", release=2, digest="d", state="trial", attempts=2, allowed=3)
    measured = (CandidateReport(variant="fp32", p50_us=3.0),)
    model = ModelReport(
        name="m",
        active="d",
        version="1.1.0",
        slots=(slot,),
        pending="d",
        floor=1,
        variant="fp32",
        measured=measured,
    )
    root = RootReport(version=2, expires=1.0)
    sent = msgspec.json.encode(Reported(time=1.0, boot=1, models=(model,), root=root))
    old = msgspec.json.decode(sent, type=FirstReported)
    assert (old.models[0].version, old.models[0].slots[0].state) == ("1.1.0", "trial")
    again = msgspec.json.decode(msgspec.json.encode(old), type=Reported)
    assert (again.root, again.models[0].pending, again.models[0].slots[0].allowed) == (None, "", 0)
    assert (again.models[0].variant, again.models[0].measured) == ("", ())
