"""The way down and back of one model, step by step, whatever the candidates do that it goes over to."""

from collections.abc import Sequence
from typing import Any

from edge_runtime.agent.easing import Easing
from edge_runtime.engine.candidate import Candidate

A, B, C = (Candidate(name, "cpu") for name in "abc")


class Runner:
    """Goes over at once, unless told not to."""

    name, version, digest = "tiny", "1.0.0", "d1"

    def __init__(self) -> None:
        self.candidate = A
        self.every = 1

    def run_every(self, windows: int) -> None:
        self.every = windows


class Choosing:
    """Candidates from the one that was chosen to the lightest."""

    def __init__(self, runner: Runner, candidates: Sequence[Candidate]) -> None:
        self.goes_over = True
        self._runner = runner
        self._candidates = list(candidates)

    def lighter(self, _name: str) -> Candidate | None:
        behind = self._candidates[self._candidates.index(self._runner.candidate) + 1 :]
        return behind[0] if behind else None

    def chosen(self, _name: str) -> Candidate:
        return self._candidates[0]

    def go_over(self, _name: str, digest: str, candidate: Candidate) -> None:
        if self.goes_over and digest == self._runner.digest:
            self._runner.candidate = candidate


def model(*candidates: Candidate) -> tuple[Easing, Runner, Choosing]:
    runner: Any = Runner()
    choosing: Any = Choosing(runner, candidates)
    return Easing(runner, choosing), runner, choosing


def down(easing: Easing) -> list[str]:
    return list(iter(easing.more, ""))


def back(easing: Easing) -> list[str]:
    return list(iter(easing.less, ""))


HALVINGS = [f"1 of {every} windows is run" for every in (2, 4, 8)]


def test_lighter_candidates_come_first_and_the_way_back_is_the_same() -> None:
    easing, runner, _ = model(A, B, C)
    assert down(easing) == ["goes over to b on cpu", "goes over to c on cpu", *HALVINGS]
    assert (runner.candidate, runner.every) == (C, 8)
    assert back(easing) == [
        *reversed(HALVINGS[:2]),
        "every window is run",
        "goes over to b on cpu",
        "goes over to a on cpu",
    ]
    assert (runner.candidate, runner.every) == (A, 1)


def test_with_one_candidate_there_are_fewer_windows_only() -> None:
    easing, _, _ = model(A)
    assert down(easing) == HALVINGS
    assert back(easing)[-1] == "every window is run"


def test_where_the_lighter_one_does_not_take_over_the_next_step_is_fewer_windows() -> None:
    easing, runner, choosing = model(A, B, C)
    choosing.goes_over = False
    assert down(easing) == ["goes over to b on cpu", *HALVINGS]
    assert back(easing)[-1] == "goes over to a on cpu"
    assert runner.candidate == A


def test_another_version_has_candidates_of_its_own() -> None:
    easing, runner, _ = model(A, B)
    assert easing.more() == "goes over to b on cpu"
    runner.digest, runner.candidate = "d2", A
    assert easing.more() == "goes over to b on cpu"
    runner.digest, runner.candidate = "d3", A
    assert back(easing) == []


def test_while_nothing_answers_the_way_back_is_not_forgotten() -> None:
    easing, runner, _ = model(A, B)
    assert easing.more() == "goes over to b on cpu"
    runner.digest = ""
    assert back(easing) == []
    runner.digest = "d1"
    assert back(easing) == ["goes over to a on cpu"]


def test_a_lighter_candidate_that_is_known_later_is_taken_behind_fewer_windows_too() -> None:
    easing, runner, choosing = model(A)
    assert [easing.more(), easing.more()] == HALVINGS[:2]
    choosing._candidates.append(B)
    assert down(easing) == ["goes over to b on cpu", HALVINGS[2]]
    assert (runner.candidate, runner.every) == (B, 8)
    assert back(easing) == [
        *reversed(HALVINGS[:2]),
        "every window is run",
        "goes over to a on cpu",
    ]
