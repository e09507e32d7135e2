"""What is on its way, and when it counts as lost; decided without a network or a clock."""

from edge_runtime.telemetry.in_flight import MAX_BATCHES, InFlight


def test_there_is_room_for_so_many_batches_and_again_when_some_are_acknowledged() -> None:
    flight = InFlight(10)
    for number in range(1, MAX_BATCHES + 1):
        assert flight.has_room
        flight.sent("s", last=number * 10, position=number * 10, tokens=[number], now_s=0)
    assert not flight.has_room
    flight.acknowledged("s", 9, now_s=1)
    assert not flight.has_room, "the first chunk has ten rows"
    flight.acknowledged("s", 10, now_s=1)
    assert flight.has_room


def test_a_chunk_of_several_batches_counts_as_so_many() -> None:
    flight = InFlight(10)
    for number in range(MAX_BATCHES // 4):
        flight.sent("s", last=number, position=number, tokens=range(4), now_s=0)
    assert not flight.has_room


def test_the_deadline_moves_with_progress_only() -> None:
    flight = InFlight(10)
    assert flight.deadline_s is None
    flight.sent("s", last=1, position=1, tokens=[1], now_s=5)
    flight.sent("s", last=2, position=2, tokens=[2], now_s=9)
    assert flight.deadline_s == 15
    flight.acknowledged("s", 0, now_s=12)
    flight.acknowledged("another", 9, now_s=12)
    assert flight.deadline_s == 15
    flight.acknowledged("s", 1, now_s=12)
    assert flight.deadline_s == 22
    flight.acknowledged("s", 2, now_s=13)
    assert flight.deadline_s is None


def test_time_outs_grow_to_a_limit_and_one_chunk_at_a_time_is_tried_until_somebody_answers() -> None:
    flight = InFlight(10)
    waits = []
    for _ in range(5):
        flight.sent("s", last=5, position=5, tokens=[1], now_s=100)
        assert flight.deadline_s is not None
        waits.append(flight.deadline_s - 100)
        flight.time_out()
        assert flight.cursor == 0
    assert waits == [10, 20, 40, 60, 60]
    flight.sent("s", last=5, position=5, tokens=[1], now_s=0)
    assert not flight.has_room
    flight.acknowledged("s", 5, now_s=0)
    flight.sent("s", last=6, position=6, tokens=[1], now_s=0)
    assert flight.has_room
    assert flight.deadline_s == 10


def test_a_new_connection_begins_from_the_oldest_row() -> None:
    flight = InFlight(10)
    flight.sent("s", last=5, position=5, tokens=[1], now_s=0)
    flight.time_out()
    flight.reconnected()
    assert (flight.cursor, flight.deadline_s, flight.has_room) == (0, None, True)


def test_the_broker_has_rows_only_up_to_the_first_message_it_lacks() -> None:
    flight = InFlight(10)
    flight.sent("old", last=3, position=3, tokens=[1, 2], now_s=0)
    flight.sent("new", last=2, position=5, tokens=[3], now_s=0)
    flight.sent("new", last=4, position=7, tokens=[4], now_s=0)
    assert flight.published(3) == {}
    assert flight.published(1) == {}
    assert flight.published(2) == {"old": 3, "new": 2}
    assert flight.published(4) == {"old": 3, "new": 4}


def test_an_acknowledgement_tells_when_the_newest_rows_it_answers_were_sent() -> None:
    flight = InFlight(10)
    for number, now_s in enumerate((5.0, 6.0, 7.0), 1):
        flight.sent("s", last=number, position=number, tokens=[number], now_s=now_s)
    assert flight.acknowledged("another", 9, now_s=8) is None
    assert flight.acknowledged("s", 2, now_s=8) == 6.0
    assert flight.acknowledged("s", 2, now_s=9) is None, "it answers nothing new"
