"""New versions and variants under a stream of 1,000 windows a second: every window once, in order."""

from pathlib import Path

import pytest

from tests.support.swapping import swap_under_a_stream


@pytest.mark.alone
@pytest.mark.end_to_end
def test_swaps_drop_no_window_predict_none_twice_and_keep_the_order(tmp_path: Path) -> None:
    found = swap_under_a_stream(tmp_path, 6, rate_hz=1000, pause_s=0.1)
    assert [each.first for each in found.predictions] == list(range(found.samples - 3))
    assert found.served == (
        "1.0.0 heavier",
        "1.1.0 heavier",
        "1.1.0 light",
        "1.2.0 heavier",
        "1.2.0 light",
        "1.3.0 heavier",
        "1.3.0 light",
    )
    held = [swap.held for swap in found.swaps]
    assert {(each.processes, each.threads, each.descriptors) for each in held[1:]} == {
        (held[0].processes, held[0].threads, held[0].descriptors)
    }
    assert held[0].processes == 2  # the agent and one worker: the old one is gone
    assert {swap.slots for swap in found.swaps} == {2}  # the one that runs, and the way back
