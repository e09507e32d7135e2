"""When a sensor is told to send faster than the model was made for."""

from collections.abc import Sequence

from edge_runtime.agent.haste import Haste


def events(
    rate_hz: float | None, per_minute: Sequence[int], haste: Haste | None = None
) -> list[tuple[int, str, str]]:
    """What is told in which minute, of a sensor that sends so many samples in each."""
    haste = haste or Haste()
    assert haste.event(1_000, rate_hz, 0.5) is None  # what there was before
    found, samples = [], 1_000
    for minute, count in enumerate(per_minute):
        for part in range(1, 5):
            samples += count // 4
            if told := haste.event(samples, rate_hz, 0.5 + 60 * minute + 15 * part):
                found.append((minute, *told))
    return found


def test_three_minutes_at_more_than_twice_the_rate_are_told_once_and_so_is_their_end() -> None:
    assert events(10, [600, 6_000, 6_000, 6_000, 6_000, 600, 600]) == [
        (3, "sensor too fast", "100 samples a second, the model is made for 10; for 3 minutes now"),
        (5, "sensor in time again", "10 samples a second"),
    ]


def test_what_has_waited_at_a_broker_and_a_little_more_are_not() -> None:
    assert events(10, [100_000, 50_000, 600, 100_000, 600]) == []
    assert events(10, [1_200] * 10) == []


def test_a_model_that_says_no_rate_takes_any() -> None:
    assert events(None, [100_000] * 10) == []


def test_a_version_that_is_made_for_the_rate_is_in_time_and_another_journal_counts_from_its_start() -> (
    None
):
    haste = Haste()
    fast = [6_000] * 3
    assert [event for _, event, _ in events(10, fast, haste)] == ["sensor too fast"]
    assert events(100, fast, haste) == [(0, "sensor in time again", "100 samples a second")]
