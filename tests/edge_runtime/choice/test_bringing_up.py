"""From an unpacked bundle to its worker: measured once, then what is recorded is taken."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge_runtime.choice import record
from edge_runtime.choice.bringing_up import Chooser, Unpacked
from edge_runtime.choice.key import key_of
from edge_runtime.choice.measuring import Held, Limits
from edge_runtime.engine.candidate import Candidate
from edge_runtime.errors import WorkerError
from edge_runtime.worker import Worker
from tests.support.slots import slot
from tests.support.tiny_bundle import Behaviour, golden_windows, tiny_bundle

QUICK = Limits(load_s=20, prepare_s=20, measure_s=0.05)
SEVERAL: Mapping[str, Behaviour] = {"slow": "slow", "fast": "good"}
FAST = Candidate("fast", "cpu")
HERE = key_of()


def unpacked(tmp_path: Path, variants: Mapping[str, Behaviour] | None = SEVERAL) -> Unpacked:
    folder = slot(tmp_path, tiny_bundle(variants=variants))
    path = record.path_of(tmp_path / "store", "tiny", folder.name)
    (tmp_path / "store").mkdir()
    return Unpacked("tiny 1.0.0", folder.name, folder, path)


def never(folder: Path, /, **settings: Any) -> Worker:
    raise AssertionError("a worker was started")


def test_it_is_measured_once_and_then_known(tmp_path: Path) -> None:
    bundle = unpacked(tmp_path)
    with closing(Held()) as held:
        first = Chooser(Worker, HERE, QUICK).choose(bundle, held)
        again = Chooser(never, HERE, QUICK).choose(bundle, held)

    assert (first.record.chosen, first.is_new, first.trouble) == (FAST, True, "")
    assert (again.record, again.is_new) == (first.record, False)


@pytest.mark.parametrize(
    ("change", "guess"),
    [
        ({"board": "pi5"}, FAST),
        ({"variant": "fast", "provider": "cpu"}, FAST),
        ({"variant": "slow"}, None),
        ({"provider": "cuda"}, None),
        ({"software": ()}, None),
    ],
)
def test_what_is_known_holds_for_its_key_and_is_a_guess_on_the_same_machine(
    tmp_path: Path, change: dict[str, Any], guess: Candidate | None
) -> None:
    bundle = unpacked(tmp_path)
    with closing(Held()) as held:
        Chooser(Worker, HERE, QUICK).choose(bundle, held)
    other = Chooser(never, msgspec.structs.replace(HERE, **change), QUICK)

    assert other.recorded(bundle.record) is None
    assert other.first_guess(bundle) == guess
    assert Chooser(never, HERE, QUICK).first_guess(bundle) == FAST


def test_what_is_chosen_serves_and_where_it_fails_another_does(tmp_path: Path) -> None:
    bundle, chooser = unpacked(tmp_path), Chooser(Worker, HERE, QUICK)
    for candidate, serves in ((FAST, "fast"), (Candidate("gone"), "slow")):
        with closing(Held()) as held:
            chooser.bring_up(bundle, candidate, held)
            worker = held.take()
        assert worker is not None
        with worker:
            assert worker.info.variant == serves
            assert worker.infer(golden_windows()).labels is not None


def test_one_that_does_not_load_is_told_of_by_model_and_version(tmp_path: Path) -> None:
    bundle, chooser = unpacked(tmp_path, {"fast": "hangs"}), Chooser(Worker, HERE, Limits(load_s=0.2))
    with closing(Held()) as held, pytest.raises(WorkerError, match=r"^tiny 1\.0\.0: loading took more"):
        chooser.bring_up(bundle, FAST, held)


def test_the_process_of_one_alone_serves_as_it_is(tmp_path: Path) -> None:
    bundle, started = unpacked(tmp_path, None), list[Worker]()

    def start(folder: Path, /, **settings: Any) -> Worker:
        started.append(Worker(folder, **settings))
        return started[-1]

    chooser = Chooser(start, HERE, QUICK)
    with closing(Held()) as held:
        brought = chooser.choose(bundle, held)
        chooser.bring_up(bundle, brought.record.chosen, held)
        assert held.take() is started[0]
    started[0].close()
    assert len(started) == 1


def test_a_record_that_cannot_be_kept_is_trouble_and_no_error(tmp_path: Path) -> None:
    bundle = unpacked(tmp_path)
    (tmp_path / "store" / "choices").write_text("no folder")
    with closing(Held()) as held:
        brought = Chooser(Worker, HERE, QUICK).choose(bundle, held)
    assert brought.record.chosen == FAST
    assert "choices" in brought.trouble
