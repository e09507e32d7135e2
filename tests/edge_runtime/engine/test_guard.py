"""What an engine of another package does that none should is told as that; no caller meets it raw."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edge_runtime
from edge_runtime.engine.guard import GuardedSession, blaming
from edge_runtime.errors import EngineError, GoldenMismatchError, UnavailableError
from tests.support.own_engine import own_engine
from tests.support.tiny_bundle import golden_windows, tiny_bundle, tiny_manifest

OUTPUTS = tiny_manifest("tiny", "1.0.0", 1, model_size=1, golden_count=1).outputs
GIVEN = {"windows": golden_windows()}
LABELS, PROBABILITIES = np.zeros(6, np.int64), np.zeros((6, 2), np.float32)
GOOD = {"label": LABELS, "probabilities": PROBABILITIES}


class _Session:
    def __init__(self, run: Callable[[], Any]) -> None:
        self.row = None
        self._run = run

    def run(self, _inputs: Any) -> Any:
        return self._run()

    def close(self) -> None:
        raise OSError("it is in use")


class _Row:
    inputs, outputs = (GIVEN["windows"][:1],), (LABELS[:1],)

    def run(self) -> None:
        raise KeyError("x")


def guarded(run: Callable[[], Any]) -> GuardedSession:
    return GuardedSession(_Session(run), "theirs", OUTPUTS)


def raising(error: Exception) -> Any:
    raise error


def test_what_it_gives_is_passed_on_in_the_manifests_order() -> None:
    made = guarded(lambda: {"other": 1, "probabilities": PROBABILITIES, "label": LABELS}).run(GIVEN)
    assert list(made) == ["label", "probabilities"]
    assert made["label"] is LABELS


@pytest.mark.parametrize(
    ("run", "told"),
    [
        (lambda: None, "^theirs's adapter is broken: TypeError: "),
        (lambda: {"label": LABELS}, "^theirs's adapter is broken: KeyError: 'probabilities'"),
        (lambda: raising(KeyError("a")), "^theirs's adapter is broken: KeyError: 'a'"),
        (
            lambda: {**GOOD, "label": [0] * 6},
            r"theirs is broken: output 'label': expected an array of the shape \(6,\), found list",
        ),
        (lambda: {**GOOD, "probabilities": PROBABILITIES[:3]}, r"shape \(6, 2\), found \(3, 2\)\."),
    ],
)
def test_what_it_breaks_is_this_machines_fault(run: Callable[[], Any], told: str) -> None:
    with pytest.raises(UnavailableError, match=told):
        guarded(run).run(GIVEN)


def test_its_own_errors_of_ours_and_want_of_memory_stay_what_they_are() -> None:
    with pytest.raises(EngineError, match=r"^the kernel failed$") as caught:
        guarded(lambda: raising(EngineError("the kernel failed"))).run(GIVEN)
    assert not isinstance(caught.value, UnavailableError)
    with pytest.raises(MemoryError):
        guarded(lambda: raising(MemoryError())).run(GIVEN)


class _RefusalError(UnavailableError):
    """As an adapter may derive one of its own."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(f"{words} ({code})")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (EngineError("no\n" * 100_000), EngineError),
        (GoldenMismatchError("no " * 100_000), GoldenMismatchError),
        (_RefusalError(7, "no " * 100_000), UnavailableError),
    ],
)
def test_a_long_story_of_its_own_is_cut_and_the_whole_of_it_stays_the_cause(
    error: EngineError, kind: type[EngineError]
) -> None:
    with pytest.raises(EngineError, match=r"^(no )+\.*") as caught:
        guarded(lambda: raising(error)).run(GIVEN)
    assert type(caught.value) is kind
    assert len(str(caught.value)) < 310
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is error


def test_an_error_of_an_engine_of_ours_is_told_whole() -> None:
    words = f"{'a subject and a sentence ' * 20}\nwith its table"
    with pytest.raises(EngineError) as caught, blaming("onnxruntime"):
        raise EngineError(words)
    assert str(caught.value) == words


def test_what_it_reports_is_short_and_not_much() -> None:
    session = _Session(lambda: GOOD)
    session.provider, session.notes = "npu " * 100_000, ["slow\n" * 100_000] * 1_000  # type: ignore[attr-defined]
    found = GuardedSession(session, "theirs", OUTPUTS)
    assert len(found.provider) < 310
    assert len(found.notes) == 16
    assert max(map(len, found.notes)) < 310


def test_notes_that_are_none_are_its_fault() -> None:
    session = _Session(lambda: GOOD)
    session.notes = None  # type: ignore[attr-defined]
    with pytest.raises(UnavailableError, match=r"^theirs's adapter is broken: TypeError: "):
        GuardedSession(session, "theirs", OUTPUTS)


def test_what_it_says_of_itself_is_passed_on() -> None:
    session = _Session(lambda: GOOD)
    assert (GuardedSession(session, "theirs", OUTPUTS).provider, guarded(lambda: GOOD).notes) == ("", ())
    session.provider, session.notes = "npu", ["it is slow"]  # type: ignore[attr-defined]
    found = GuardedSession(session, "theirs", OUTPUTS)
    assert (found.provider, found.notes) == ("npu", ("it is slow",))


def test_its_row_and_its_end_are_guarded_too() -> None:
    session = _Session(lambda: GOOD)
    session.row = _Row()  # type: ignore[assignment]
    found = GuardedSession(session, "theirs", OUTPUTS)
    assert found.row is not None
    assert found.row.inputs is _Row.inputs
    with pytest.raises(UnavailableError, match="KeyError"):
        found.row.run()
    with pytest.raises(UnavailableError, match="it is in use"):
        found.close()


def test_a_caller_from_python_meets_one_error_and_no_bundle_stays_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine is a real package of another's."""
    (folder,) = own_engine(tmp_path, run="return [1]").values()
    site = folder.partition(":")[0]
    with Path(site, "ownengine.py").open("a") as module:
        module.write("Session.close = lambda _: 1 / 0\n")
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", folder)
    path = tmp_path / "tiny.edge"
    path.write_bytes(tiny_bundle(engine="own"))
    model = edge_runtime.load(path, allow_unsigned=True)
    opened = len(os.listdir("/proc/self/fd"))

    with pytest.raises(UnavailableError, match=r"^own's adapter is broken: TypeError: list indices"):
        model.predict(golden_windows())
    with pytest.raises(UnavailableError, match=r"^own's adapter is broken: ZeroDivisionError"):
        model.close()
    assert len(os.listdir("/proc/self/fd")) == opened - 1
