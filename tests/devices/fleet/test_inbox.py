import threading

from devices.fleet.inbox import MAX_TURN_BYTES, MAX_TURN_MESSAGES, Inbox


def test_messages_come_out_in_order_and_once() -> None:
    inbox = Inbox()
    for number in range(3):
        assert inbox.put("topic", b"%d" % number, False)
    assert [message.payload for message in inbox.drain(0)] == [b"0", b"1", b"2"]
    assert inbox.drain(0) == []


def test_one_turn_is_bounded_in_messages_and_bytes() -> None:
    inbox = Inbox()
    for _ in range(MAX_TURN_MESSAGES + 1):
        inbox.put("topic", b"", False)
    assert len(inbox.drain(0)) == MAX_TURN_MESSAGES
    inbox.drain(0)
    for _ in range(5):
        inbox.put("topic", bytes(MAX_TURN_BYTES // 2), False)
    assert len(inbox.drain(0)) == 2


def test_when_full_it_waits_a_moment_then_drops_and_counts() -> None:
    inbox = Inbox(max_messages=1, patience_s=0.01)
    assert inbox.put("topic", b"first", False)
    assert not inbox.put("topic", b"second", False)
    assert [message.payload for message in inbox.drain(0)] == [b"first"]
    assert (inbox.take_dropped(), inbox.take_dropped()) == (1, 0)


def test_bytes_are_bounded_but_one_message_always_fits() -> None:
    inbox = Inbox(max_bytes=10, patience_s=0.01)
    assert inbox.put("topic", bytes(100), False)
    assert not inbox.put("topic", b"x", False)
    inbox.drain(0)
    assert inbox.put("topic", b"x", False)


def test_who_waits_for_room_gets_it_as_soon_as_there_is_some() -> None:
    inbox = Inbox(max_messages=1, patience_s=20)
    inbox.put("topic", b"first", False)
    waiting = threading.Thread(target=inbox.put, args=("topic", b"second", False))
    waiting.start()
    taken = inbox.drain(0) + inbox.drain(20)
    waiting.join()
    assert [message.payload for message in taken] == [b"first", b"second"]
    assert inbox.take_dropped() == 0
