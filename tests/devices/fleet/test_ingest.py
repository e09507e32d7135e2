from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from devices.fleet.ingest import MAX_SPANS, Ledger, Received, receive
from edge_runtime.telemetry.messages import Batch
from tests.devices.fleet.rows import batch


def take(*batches: Batch, into: Ledger | None = None) -> tuple[Ledger, list[int]]:
    """The ledger after all batches, and the numbers of the rows that were stored, in that order."""
    ledger, stored = into or Ledger(), []
    for one in batches:
        received = receive(ledger, one)
        assert isinstance(received, Received)
        ledger = received.ledger
        stored += [row.seq for row in received.rows]
    return ledger, stored


def test_rows_in_order_move_the_watermark() -> None:
    ledger, stored = take(batch([1, 2, 3]), batch([4, 5]))
    assert stored == [1, 2, 3, 4, 5]
    assert (ledger.watermark, ledger.stored, ledger.lost, ledger.duplicates) == (5, 5, 0, 0)


def test_a_batch_that_comes_twice_is_stored_once_and_counted() -> None:
    ledger, stored = take(batch([1, 2, 3]), batch([1, 2, 3]))
    assert stored == [1, 2, 3]
    assert (ledger.watermark, ledger.duplicates) == (3, 3)


def test_a_row_twice_in_one_batch_is_stored_once() -> None:
    assert take(batch([1, 1, 2]))[1] == [1, 2]


def test_the_watermark_waits_for_a_gap_and_jumps_when_it_is_filled() -> None:
    ledger, _ = take(batch([1, 2]), batch([5, 6]))
    assert ledger.watermark == 2
    ledger, _ = take(batch([3, 4]), into=ledger)
    assert ledger.watermark == 6


def test_nothing_is_certain_before_the_first_row() -> None:
    assert Ledger().watermark == 0
    assert take(batch([2, 3]))[0].watermark == 0


def test_what_the_outbox_dropped_is_lost_once_however_often_it_says_so() -> None:
    ledger, _ = take(batch([1, 2]), batch([8, 9], oldest=8), batch([10], oldest=8))
    assert (ledger.lost, ledger.watermark, ledger.stored) == (5, 10, 5)


def test_an_empty_batch_may_declare_a_loss() -> None:
    ledger, _ = take(batch([], oldest=11))
    assert (ledger.lost, ledger.watermark) == (10, 10)


def test_a_row_declared_lost_that_comes_after_all_is_stored_and_lost_no_more() -> None:
    ledger, stored = take(batch([5], oldest=5), batch([2, 3]))
    assert stored == [5, 2, 3]
    assert (ledger.lost, ledger.stored, ledger.duplicates) == (2, 3, 0)


def test_an_older_declaration_changes_nothing() -> None:
    ledger, _ = take(batch([7], oldest=7), batch([8], oldest=3))
    assert ledger.oldest == 7


def test_a_stream_with_very_many_losses_keeps_its_counts_in_bounded_space() -> None:
    ledger, gaps = Ledger(), 5 * MAX_SPANS
    for seq in range(2, 2 * gaps + 1, 2):  # every odd one was dropped
        ledger, _ = take(batch([seq], oldest=seq), into=ledger)
        assert len(ledger.spans) <= MAX_SPANS
    assert (ledger.stored, ledger.lost, ledger.watermark) == (gaps, gaps, 2 * gaps)
    assert take(batch([2, 4]), into=ledger)[1] == []


def test_too_many_gaps_above_the_watermark_are_refused_until_they_are_filled() -> None:
    scattered = batch(range(2, 2 * MAX_SPANS + 4, 2))
    assert receive(Ledger(), scattered) is None
    filled, _ = take(batch(range(1, MAX_SPANS)))
    assert receive(filled, scattered) is not None


def _batches(seqs: list[int], cuts: list[int]) -> list[Batch]:
    edges = [0, *sorted(cut % (len(seqs) + 1) for cut in cuts), len(seqs)]
    return [batch(seqs[a:b], oldest=min(seqs[a:b])) for a, b in pairwise(edges) if a < b]


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Batch], list[Batch]]:
    """A device's batches, some numbers dropped for good, and the same as a broker might deliver them."""
    count = draw(st.integers(1, 60))
    dropped = draw(st.sets(st.integers(1, count)))
    kept = [seq for seq in range(1, count + 1) if seq not in dropped]
    sent = _batches(kept, draw(st.lists(st.integers(0, 60), max_size=8)))
    sent.append(batch([], oldest=draw(st.integers(1, count + 2))))
    again = draw(st.lists(st.sampled_from(sent), max_size=12))
    return sent, draw(st.permutations(sent + again))


@given(deliveries())
def test_order_and_repetition_do_not_matter(case: tuple[list[Batch], list[Batch]]) -> None:
    sent, delivered = case
    in_order, stored = take(*sent)
    anyhow, stored_anyhow = take(*delivered)
    assert sorted(stored_anyhow) == stored
    assert len(set(stored_anyhow)) == len(stored_anyhow)
    assert (anyhow.spans, anyhow.oldest) == (in_order.spans, in_order.oldest)
    assert (anyhow.watermark, anyhow.lost, anyhow.stored) == (
        in_order.watermark,
        in_order.lost,
        in_order.stored,
    )
    received = sum(len(one.rows) for one in delivered)
    assert anyhow.duplicates == received - anyhow.stored


@given(deliveries())
def test_the_watermark_is_what_its_definition_says_and_never_falls(
    case: tuple[list[Batch], list[Batch]],
) -> None:
    ledger, stored, oldest, before = Ledger(), set[int](), 1, 0
    for one in case[1]:
        ledger, fresh = take(one, into=ledger)
        stored |= set(fresh)
        oldest = max(oldest, one.oldest)
        expected = 0
        while expected + 1 in stored or expected + 1 < oldest:
            expected += 1
        assert ledger.watermark == expected >= before
        assert ledger.lost == len(set(range(1, oldest)) - stored)
        assert ledger.stored == len(stored)
        before = expected
