"""How long a worker that keeps dying is left alone."""

from edge_runtime.agent.serving import back_off_s


def test_the_first_death_costs_no_time_then_it_doubles_up_to_half_a_minute() -> None:
    waits = [back_off_s(failures) for failures in range(12)]
    assert waits[:5] == [0, 0, 0.2, 0.4, 0.8]
    assert waits[-1] == 30
    assert back_off_s(10_000) == 30
