"""Which window is left out after runs that failed, and when a worker makes way; without any worker."""

from edge_runtime.agent.suspicion import Suspicion


def test_after_a_batch_that_took_a_worker_down_so_many_windows_are_run_one_by_one() -> None:
    suspicion = Suspicion()
    assert not suspicion.one_by_one
    assert not suspicion.died(3)
    for _ in range(3):
        assert suspicion.one_by_one
        suspicion.answered()
    assert not suspicion.one_by_one


def test_a_window_is_poisonous_once_three_workers_in_a_row_died_of_it() -> None:
    suspicion = Suspicion()
    assert [suspicion.died(1) for _ in range(6)] == [False, False, True] * 2
    assert not suspicion.died(1)
    suspicion.answered()
    assert [suspicion.died(1) for _ in range(3)] == [False, False, True]


def test_another_version_has_not_died_of_it_yet() -> None:
    suspicion = Suspicion()
    assert [suspicion.died(1), suspicion.died(1)] == [False, False]
    suspicion.go_over()
    assert [suspicion.died(1) for _ in range(3)] == [False, False, True]


def test_a_window_that_a_worker_refuses_alone_is_left_out_at_once_and_counts_as_one_of_the_batch() -> (
    None
):
    suspicion = Suspicion()
    assert [suspicion.refused(2), suspicion.refused(1)] == [False, True]
    assert suspicion.one_by_one
    assert suspicion.refused(1)
    assert not suspicion.one_by_one


def test_a_worker_makes_way_after_three_windows_in_a_row_and_at_most_every_30_s() -> None:
    suspicion = Suspicion()
    assert [suspicion.renews(now_s) for now_s in (0, 1, 2)] == [False, False, True]
    assert [suspicion.renews(now_s) for now_s in (3, 4, 5, 31)] == [False] * 4
    assert suspicion.renews(32)
    suspicion.renews(70)
    suspicion.renews(71)
    suspicion.answered()
    assert not suspicion.renews(72)
