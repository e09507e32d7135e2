"""Properly signed bundles with a changed model: none serves wrong outputs, each ending is told."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from edge_runtime.errors import EdgeError
from edge_runtime.store.activate import bring_up
from edge_runtime.store.disk import Store
from tests.hostile.attacks.graphs import with_gibibyte
from tests.hostile.case import is_sentence
from tests.hostile.forked import Forker
from tests.hostile.model_trial import ROOT, Ending, Trials, Verdict, tried
from tests.hostile.models import FOREST, Subject, subjects
from tests.hostile.onnx_mutation import KINDS, Mutation, mutations
from tests.support.slots import slot
from tests.support.tiny_bundle import Behaviour, TinyModel, golden_windows, npy

SEED, COUNT = 20261128, 110
TINY = next(each for each in subjects() if each.name == "loop")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Mutation, Verdict]]:
    return list(tried(mutations(SEED, COUNT), tmp_path_factory.mktemp("sample")))


def test_changed_models_end_in_no_other_way_than_they_may(
    sample: list[tuple[Mutation, Verdict]],
) -> None:
    endings = Counter(verdict for _, verdict in sample)

    assert [verdict for verdict in endings if not isinstance(verdict, Ending)] == []
    assert endings.keys() >= {Ending.REFUSED, Ending.OTHERWISE, Ending.HARMLESS}
    assert endings.total() == COUNT


@pytest.mark.parametrize("ending", [Ending.REFUSED, Ending.OTHERWISE, Ending.HARMLESS])
def test_a_device_runs_what_answers_as_before_and_keeps_the_old_version_otherwise(
    sample: list[tuple[Mutation, Verdict]], ending: Ending, tmp_path: Path
) -> None:
    mutation = next(each for each, verdict in sample if verdict is ending)
    name = mutation.subject.manifest.name
    store = _running(mutation.subject, tmp_path)
    good = store.state().models[name].active

    error = _installed(store, mutation, tmp_path)

    now = store.state().models[name]
    runs_on = ending is not Ending.HARMLESS
    assert ((error != ""), (now.active == good)) == (runs_on, runs_on), error
    assert (now.pending, len(now.bad)) == (None, int(runs_on))
    assert is_sentence(error)


def _running(subject: Subject, folder: Path) -> Store:
    """A store whose active version is the good bundle."""
    (good := folder / "good.edge").write_bytes(subject.sealed(subject.model))
    store = Store(folder / "store")
    bring_up(store, store.install(good, root=ROOT), wait_s=0)
    return store


def _installed(store: Store, mutation: Mutation, folder: Path) -> str:
    """Install a changed bundle and try it; what refused it, '' where it is active."""
    (path := folder / "changed-1.1.0.edge").write_bytes(mutation.sealed("1.1.0"))
    try:
        bring_up(store, store.install(path), wait_s=0)
    except EdgeError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("behaviour", "ending"),
    [("good", Ending.HARMLESS), ("fails", Ending.REFUSED), ("hangs", Ending.ENDLESS)],
)
def test_a_trial_tells_how_a_model_ends(behaviour: Behaviour, ending: Ending, tmp_path: Path) -> None:
    assert _verdict(TinyModel().graph(behaviour), tmp_path) is ending


def test_a_trial_tells_what_answers_otherwise(tmp_path: Path) -> None:
    assert _verdict(TinyModel(seed=1).graph(), tmp_path) is Ending.OTHERWISE


def test_a_trial_notices_wrong_outputs_that_a_worker_serves(tmp_path: Path) -> None:
    """This bundle's own goldens agree with its model, so its worker serves it."""
    model = TinyModel(seed=1)
    _, probabilities = model(golden_windows())
    artifacts = {**TINY.artifacts, "golden/outputs/1.npy": npy(probabilities)}
    wrong = slot(tmp_path, replace(TINY, artifacts=artifacts).sealed(model.graph()))

    with Forker(FOREST) as forker:
        found = Trials(forker, tmp_path).verdict_of(wrong, TINY)

    assert re.fullmatch(r"it serves with wrong outputs: probabilities off by 0\.0\d+", str(found))


def test_a_trial_notices_memory_beyond_the_limit(tmp_path: Path) -> None:
    folder = slot(tmp_path, with_gibibyte())

    with Forker(FOREST) as forker:
        assert Trials(forker, tmp_path).verdict_of(folder, TINY) is Ending.REFUSED
        found = Trials(forker, tmp_path, limit_bytes=4 << 30).verdict_of(folder, TINY)

    assert re.fullmatch(r"it took [12]\d\d\d MiB, of 600 MiB allowed", str(found))


def _verdict(model: bytes, folder: Path) -> object:
    with Forker(FOREST) as forker:
        return Trials(forker, folder).verdict(Mutation("", TINY, model))


def test_one_seed_makes_the_same_changes_of_every_kind_and_every_model() -> None:
    made = list(mutations(1, 55))

    assert made == list(mutations(1, 55))
    assert [each.model for each in made] != [each.model for each in mutations(2, 55)]
    assert {(each.kind, each.subject.name) for each in made} == {
        (kind, subject.name) for kind in KINDS for subject in subjects()
    }
