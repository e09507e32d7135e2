from devices.fleet.history import SILENT_AFTER_S, Report, presence, tell
from edge_runtime.telemetry.messages import Event, Reported
from tests.devices.fleet.rows import reported


def _report(message: Reported) -> Report:
    return Report(message.time, message.time + 0.1, message.boot, message.models)


def test_a_device_is_online_only_while_it_is_heard() -> None:
    assert presence(True, 1_000.0, 1_010.0) == "online"
    assert presence(True, 1_000.0, 1_001.0 + SILENT_AFTER_S) == "silent"
    assert presence(False, 1_000.0, 1_001.0) == "offline"
    assert presence(True, 4_070_908_800.0, 1_001.0) == "silent"  # seen by a clock that was wrong


def test_events_and_changes_are_one_story_by_the_devices_clock() -> None:
    story = tell(
        [
            _report(reported("1.0.0", active="1.0.0", time=10.0)),
            _report(reported("1.0.0", "1.1.0", active="1.1.0", time=30.0)),
        ],
        # received late, as after an outage
        [(99.0, Event(seq=1, time=20.0, event="installed", model="motion", version="1.1.0"))],
    )
    assert [(entry.what, entry.version) for entry in story] == [
        ("runs", "1.0.0"),
        ("installed", "1.1.0"),
        ("runs", "1.1.0"),
    ]


def test_a_model_that_stops_and_an_error_are_told_once() -> None:
    story = tell(
        [
            _report(reported("1.0.0", active="1.0.0", time=1.0)),
            _report(reported("1.0.0", time=2.0, error="the worker died")),
            _report(reported("1.0.0", "1.1.0", time=3.0, error="the worker died")),
        ],
        [],
    )
    assert [(entry.what, entry.detail) for entry in story] == [
        ("runs", ""),
        ("runs", "nothing"),
        ("reports an error", "the worker died"),
    ]
