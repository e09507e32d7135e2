"""New versions under a running stream of 1,000 windows a second: every window once, in order."""

from pathlib import Path

import pytest

from tests.support.swapping import swap_versions


@pytest.mark.end_to_end
def test_swaps_drop_no_window_predict_none_twice_and_keep_the_order(tmp_path: Path) -> None:
    found = swap_versions(tmp_path, 5, rate_hz=1000, pause_s=0.1)
    assert [each.first for each in found.predictions] == list(range(found.samples - 3))
    assert found.versions == ("1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0", "1.5.0")
    held = [swap.held for swap in found.swaps]
    assert {(each.processes, each.threads, each.descriptors) for each in held[1:]} == {
        (held[0].processes, held[0].threads, held[0].descriptors)
    }
    assert held[0].processes == 2  # the agent and one worker: the old one is gone
    assert {swap.slots for swap in found.swaps} == {2}  # the one that runs, and the way back
