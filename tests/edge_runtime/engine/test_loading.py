"""Which variant is loaded, what happens when it cannot be, and what is told of it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

import edge_runtime
from edge_runtime.bundle import Bundle, open_bundle, seal
from edge_runtime.bundle.manifest import Manifest, Profile, Variant
from edge_runtime.engine import loading, registry
from edge_runtime.engine.base import Array
from edge_runtime.engine.candidate import Candidate
from edge_runtime.engine.guard import GuardedSession
from edge_runtime.engine.loading import Here
from edge_runtime.engine.registry import Found
from edge_runtime.errors import BundleError, ConfigError, EngineError, UnavailableError
from tests.support.tiny_bundle import TinyModel, golden_windows, npy, tiny_manifest

GOOD, BAD = "variants/fp32/model.onnx", "variants/bad/model.onnx"
NO_GPU = "no GPU here"


def _bundle(tmp_path: Path, *variants: dict[str, Any]) -> Path:
    """A bundle of the tiny model, whose file for BAD is no model."""
    model, windows = TinyModel(), golden_windows()
    raw, (labels, probabilities) = model.graph(), model(windows)
    manifest = tiny_manifest("tiny", "1.0.0", 1, model_size=len(raw), golden_count=len(windows))
    (plain,) = manifest.variants
    made = tuple(msgspec.structs.replace(plain, **changes) for changes in variants)
    files = {
        GOOD: raw,
        BAD: b"no model",
        "golden/inputs/0.npy": npy(windows),
        "golden/outputs/0.npy": npy(labels),
        "golden/outputs/1.npy": npy(probabilities),
    }
    used = {each.file for each in made} | {name for name in files if name.startswith("golden")}
    path = tmp_path / "tiny.edge"
    path.write_bytes(
        seal(
            msgspec.structs.replace(manifest, variants=made),
            {name: each for name, each in files.items() if name in used},
            [],
        )
    )
    return path


class _Session:
    """What an engine's `load` has to return; it is never run here."""

    row = None

    def __init__(self, made_by: str = "") -> None:
        self.made_by = made_by

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        raise NotImplementedError

    def close(self) -> None:
        pass


class _Pretended:
    """An engine that answers as it is told to."""

    name = "tensorrt"

    def __init__(self, load: Callable[[], Any], why: str = "") -> None:
        self._load, self._why = load, why
        self.prepared: list[str] = []

    def why_unavailable(self) -> str:
        return self._why

    def prepare(self, bundle: Bundle, variant: Variant) -> tuple[str, ...]:
        self.prepared.append(variant.id)
        return (f"{variant.id} is prepared",)

    def load(self, bundle: Bundle, variant: Variant, *, threads: int) -> Any:
        return self._load()


@pytest.fixture
def with_tensorrt(monkeypatch: pytest.MonkeyPatch) -> Callable[..., _Pretended]:
    """Have an engine in TensorRT's place that loads as this function does."""

    def install(load: Callable[[], Any], why: str = "") -> _Pretended:
        engine = _Pretended(load, why)
        registry._engine.cache_clear()
        monkeypatch.setitem(registry._OURS, "tensorrt", lambda: engine)
        return engine

    return install


@pytest.fixture(autouse=True)
def _forget() -> Any:
    yield
    registry._engine.cache_clear()


TENSORRT = {"engine": "tensorrt", "profile": Profile(min_rows=1, opt_rows=1, max_rows=64)}
FIRST = {"id": "fast", **TENSORRT}
THEN = {"id": "plain"}


def _load(path: Path, **settings: Any) -> edge_runtime.Model:
    return edge_runtime.load(path, allow_unsigned=True, **settings)


def _fails(error: Exception) -> Callable[[], Any]:
    def load() -> Any:
        raise error

    return load


def test_the_first_variant_runs_and_nothing_is_to_be_told(tmp_path: Path) -> None:
    with _load(_bundle(tmp_path, {"id": "plain"})) as model:
        assert model.variant.id == "plain"
        assert model.notes == ()


def test_a_missing_engine_is_passed_over_and_told(
    tmp_path: Path, with_tensorrt: Callable[..., _Pretended]
) -> None:
    with_tensorrt(_Session, NO_GPU)
    with _load(_bundle(tmp_path, FIRST, THEN)) as model:
        assert model.variant.id == "plain"
        assert model.notes == ("fast does not run, plain does: needs tensorrt (no GPU here)",)
        assert model.predict(golden_windows())[0] == "still"


def test_here_the_real_engine_is_passed_over_for_want_of_a_gpu(tmp_path: Path) -> None:
    with _load(_bundle(tmp_path, FIRST, THEN)) as model:
        (note,) = model.notes
        assert note.startswith("fast does not run, plain does: needs tensorrt (")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (EngineError("the parser refuses it"), "the parser refuses it"),
        (UnavailableError("not built after 10 s"), "not built after 10 s"),
        (ZeroDivisionError("oh"), "tensorrt's adapter is broken: ZeroDivisionError: oh"),
        (ZeroDivisionError("oh\n  no"), "tensorrt's adapter is broken: ZeroDivisionError: oh no"),
    ],
)
def test_an_engine_that_fails_is_passed_over_and_told(
    tmp_path: Path, with_tensorrt: Callable[..., _Pretended], error: Exception, told: str
) -> None:
    with_tensorrt(_fails(error))
    with _load(_bundle(tmp_path, FIRST, THEN)) as model:
        assert model.variant.id == "plain"
        assert model.notes == (f"fast does not run, plain does: {told}",)


@pytest.mark.parametrize(
    ("made", "found"),
    [
        (None, "NoneType without run, row, close"),
        ({}, "dict without run, row, close"),
        (type("TheirSession", (), {"run": id, "close": id})(), "TheirSession without row"),
    ],
)
def test_an_engine_that_returns_no_session_is_passed_over_and_told(
    tmp_path: Path, with_tensorrt: Callable[..., _Pretended], made: object, found: str
) -> None:
    with_tensorrt(lambda: made)
    told = (
        "the engine tensorrt is broken: expected load() to return a session with run, row and close; "
        f"found {found}. Install another release of it."
    )
    with _load(_bundle(tmp_path, FIRST, THEN)) as model:
        assert model.variant.id == "plain"
        assert model.notes == (f"fast does not run, plain does: {told}",)
    with pytest.raises(UnavailableError) as caught:
        _load(_bundle(tmp_path, FIRST))
    assert str(caught.value) == told


def test_an_engine_that_breaks_at_preparing_is_this_machines_fault(
    tmp_path: Path, with_tensorrt: Callable[..., _Pretended], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(with_tensorrt(_Session), "prepare", lambda *_: _fails(ZeroDivisionError("oh"))())
    with (
        open_bundle(_bundle(tmp_path, FIRST), root=None, allow_unsigned=True) as bundle,
        pytest.raises(UnavailableError, match=r"^tensorrt's adapter is broken: ZeroDivisionError: oh$"),
    ):
        Here(bundle).prepare(Candidate("fast"))


def test_an_altered_bundle_is_not_passed_over(
    tmp_path: Path, with_tensorrt: Callable[..., _Pretended]
) -> None:
    with_tensorrt(_fails(BundleError("altered")))
    with pytest.raises(BundleError, match="altered"):
        _load(_bundle(tmp_path, FIRST, THEN))


def test_a_variant_for_another_board_is_told_of(tmp_path: Path) -> None:
    path = _bundle(tmp_path, {"id": "other", "boards": ("pi5",)}, THEN)
    with _load(path, board="pi4") as model:
        assert model.notes == ("other does not run, plain does: is made for pi5 (this is pi4)",)


def test_what_the_engine_has_to_report_is_passed_on(
    tmp_path: Path, with_tensorrt: Callable[..., _Pretended]
) -> None:
    class Session(_Session):
        notes = ("its plan is not kept",)

    with_tensorrt(Session)
    with open_bundle(_bundle(tmp_path, FIRST, THEN), root=None, allow_unsigned=True) as bundle:
        loaded = loading.load_best(bundle, threads=1, board="")
    assert (loaded.variant.id, loaded.notes) == ("fast", ("its plan is not kept",))


def test_when_none_can_be_loaded_the_error_has_every_reason(
    tmp_path: Path, with_tensorrt: Callable[..., _Pretended]
) -> None:
    with_tensorrt(_fails(UnavailableError("no plan can be built.")))
    path = _bundle(tmp_path, FIRST, {"id": "broken", "file": BAD})
    with pytest.raises(
        EngineError, match=r"fast: no plan can be built; broken: .*an ONNX file"
    ) as caught:
        _load(path)
    assert not isinstance(caught.value, UnavailableError)  # one of them is the bundle's fault


def test_one_reason_of_several_is_told_once(
    tmp_path: Path, with_tensorrt: Callable[..., _Pretended]
) -> None:
    """Each error begins with its file."""
    path = _bundle(tmp_path, {"id": "a", "file": BAD}, {"id": "b", "file": BAD})
    with pytest.raises(EngineError, match=r"^tiny 1\.0\.0: no variant can run here: a, b: expected "):
        _load(path)


def test_the_reasons_of_those_that_were_not_tried_are_among_them(
    tmp_path: Path, with_tensorrt: Callable[..., _Pretended]
) -> None:
    with_tensorrt(_fails(UnavailableError("no plan can be built.")))
    path = _bundle(tmp_path, FIRST, {"id": "other", "boards": ("pi5",)})
    told = r"fast: no plan can be built; other: is made for pi5 \(this is pi4\)"
    with pytest.raises(UnavailableError, match=told):
        _load(path, board="pi4")


def test_when_the_only_one_fails_its_own_error_is_raised(
    tmp_path: Path, with_tensorrt: Callable[..., _Pretended]
) -> None:
    with_tensorrt(_fails(UnavailableError("no plan can be built.")))
    with pytest.raises(UnavailableError, match=r"^no plan can be built\.$"):
        _load(_bundle(tmp_path, FIRST))


def test_a_pinned_variant_runs_although_another_comes_first(tmp_path: Path) -> None:
    with _load(_bundle(tmp_path, {"id": "first"}, {"id": "second"}), variant="second") as model:
        assert model.variant.id == "second"
        assert model.notes == ()


def test_a_pinned_variant_that_cannot_run_is_an_error(
    tmp_path: Path, with_tensorrt: Callable[..., _Pretended]
) -> None:
    with_tensorrt(_Session, NO_GPU)
    with pytest.raises(UnavailableError, match=r"fast needs tensorrt \(no GPU here\)"):
        _load(_bundle(tmp_path, FIRST, THEN), variant="fast")
    with pytest.raises(EngineError, match="expected a variant 'nosuch', found fast, plain"):
        _load(_bundle(tmp_path, FIRST, THEN), variant="nosuch")


def test_preparing_does_the_long_work_of_one_candidate(
    tmp_path: Path, with_tensorrt: Callable[..., _Pretended]
) -> None:
    engine = with_tensorrt(_Session)
    with open_bundle(_bundle(tmp_path, THEN, FIRST), root=None, allow_unsigned=True) as bundle:
        here = Here(bundle)
        here.prepare(Candidate("plain"))  # its engine has nothing to do
        here.prepare(Candidate("fast"))
    assert engine.prepared == ["fast"]


class _Providing(_Pretended):
    """An engine of two ways, that says of a third why it cannot be used."""

    def providers(self, variant: Variant, board: str) -> tuple[str, ...]:
        return ("cpu", "gpu") if board != "pi5" else ("cpu",)

    def unusable_providers(self, variant: Variant, board: str) -> dict[str, str]:
        return {"npu": "no driver"}

    def load(self, bundle: Bundle, variant: Variant, *, threads: int, provider: str = "") -> Any:
        return _Session(f"{variant.id} by {provider or 'itself'}")


@pytest.fixture
def providing(monkeypatch: pytest.MonkeyPatch) -> _Providing:
    engine = _Providing(_Session)
    registry._engine.cache_clear()
    monkeypatch.setitem(registry._OURS, "tensorrt", lambda: engine)
    return engine


def test_a_survey_names_every_candidate_and_why_others_are_none(
    tmp_path: Path, providing: _Providing
) -> None:
    path = _bundle(tmp_path, FIRST, {"id": "elsewhere", "boards": ("pi5",)}, THEN)
    with open_bundle(path, root=None, allow_unsigned=True) as bundle:
        found = Here(bundle, board="pi4").survey()
        pinned = Here(bundle, board="pi4", pinned="fast").survey("gpu")
        with pytest.raises(
            UnavailableError,
            match=r"^tiny 1\.0\.0, fast on tpu: expected the provider 'tpu' on this machine, found cpu, "
            "gpu: name one of these, or",
        ):
            Here(bundle, board="pi4", pinned="fast").survey("tpu")

    assert [str(each) for each in found.usable] == ["fast on cpu", "fast on gpu", "plain on cpu"]
    assert [(str(each), why) for each, why in found.passed] == [
        ("fast on npu", "no driver"),
        ("elsewhere", "is made for pi5 (this is pi4)"),
    ]
    assert (pinned.usable, pinned.passed) == ((Candidate("fast", "gpu"),), ())


def test_an_adapter_that_cannot_say_its_providers_has_its_own_way(
    tmp_path: Path, providing: _Providing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(providing, "providers", lambda *_: _fails(ZeroDivisionError("oh"))())
    why = "its adapter is broken: ZeroDivisionError: oh"
    with open_bundle(_bundle(tmp_path, FIRST, THEN), root=None, allow_unsigned=True) as bundle:
        found = Here(bundle, board="pi4").survey()
        assert found.usable == (Candidate("fast"), Candidate("plain", "cpu"))
        assert found.passed == ((Candidate("fast", "another provider"), why),)

        pinned = Here(bundle).survey("cpu")
        assert pinned.usable == (Candidate("plain", "cpu"),)
        assert pinned.passed == ((Candidate("fast", "cpu"), why),)
        with pytest.raises(UnavailableError, match=rf"^tiny 1\.0\.0, fast on gpu: {why}$"):
            Here(bundle, pinned="fast").survey("gpu")


def test_a_provider_can_be_asked_for_and_is_given_to_engines_that_have_some(
    tmp_path: Path, providing: _Providing
) -> None:
    with open_bundle(_bundle(tmp_path, FIRST, THEN), root=None, allow_unsigned=True) as bundle:
        here = Here(bundle)
        told, by_itself = (here.load(Candidate("fast", provider), threads=1) for provider in ("gpu", ""))
    assert isinstance(told, _Session)
    assert isinstance(by_itself, _Session)
    assert (told.made_by, by_itself.made_by) == ("fast by gpu", "fast by itself")


def test_a_provider_that_one_engine_does_not_know_may_be_another_engines(
    tmp_path: Path, providing: _Providing, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _bundle(tmp_path, THEN, FIRST)
    with open_bundle(path, root=None, allow_unsigned=True) as bundle:
        found = loading.load_best(bundle, threads=1, board="", provider="gpu")
        assert (found.variant.id, found.provider) == ("fast", "gpu")
        with pytest.raises(ConfigError, match=r"^provider: expected one of cpu, .*; found 'gpu'\.$"):
            loading.load_best(bundle, threads=1, board="", pinned="plain", provider="gpu")

        monkeypatch.setattr(providing, "load", lambda *_, **__: _fails(ZeroDivisionError("oh"))())
        with pytest.raises(UnavailableError, match="fast on gpu: tensorrt's adapter is broken: ZeroDiv"):
            loading.load_best(bundle, threads=1, board="", provider="gpu")


def test_an_engine_without_providers_is_passed_over_for_one(
    tmp_path: Path, with_tensorrt: Callable[..., _Pretended]
) -> None:
    with_tensorrt(_Session)
    with open_bundle(_bundle(tmp_path, FIRST, THEN), root=None, allow_unsigned=True) as bundle:
        found = loading.load_best(bundle, threads=1, board="", provider="cpu")
    assert found.variant.id == "plain"
    (note,) = found.notes
    assert note == (
        "fast on cpu does not run, plain does: expected the provider 'cpu' on this machine, found the "
        "engine's own way alone: name none, or install what brings it."
    )


def test_a_preferred_candidate_goes_first_and_the_authors_order_follows(
    tmp_path: Path, with_tensorrt: Callable[..., _Pretended]
) -> None:
    def attempt(candidate: Candidate) -> str:
        if str(candidate) in broken:
            raise EngineError("it is broken.")
        return str(candidate)

    broken: set[str] = set()
    with open_bundle(
        _bundle(tmp_path, {"id": "first"}, {"id": "second"}), root=None, allow_unsigned=True
    ) as bundle:
        here = Here(bundle)
        assert here.first_that(attempt, preferred=Candidate("second", "cpu")).got == "second on cpu"
        assert here.first_that(attempt, preferred=Candidate("nosuch")).got == "first"
        broken.add("second on cpu")
        found = here.first_that(attempt, preferred=Candidate("second", "cpu"))
        assert (found.got, found.notes) == (
            "first",
            ("second on cpu does not run, first does: it is broken.",),
        )
        broken |= {"first", "second"}
        with pytest.raises(EngineError, match=r"first, second: it is broken\.$"):
            here.first_that(attempt)


def test_an_engine_is_looked_for_once_and_when_its_variant_is_reached(
    tmp_path: Path, with_tensorrt: Callable[..., _Pretended]
) -> None:
    with_tensorrt(_Session, NO_GPU)
    path = _bundle(tmp_path, {"id": "broken", "file": BAD}, FIRST, THEN)
    with open_bundle(path, root=None, allow_unsigned=True) as bundle:
        looked: list[str] = []
        here = Here(bundle, on_look=looked.append)
        found = here.first_that(str, preferred=Candidate("plain", "cpu"))
        assert (found.got, found.notes, looked) == ("plain on cpu", (), ["onnxruntime"])
        assert (here.first_that(str).got, looked) == ("broken", ["onnxruntime"])

        def attempt(candidate: Candidate) -> str:
            here.load(candidate, threads=1).close()
            return str(candidate)

        assert here.first_that(attempt).got == "plain"
        assert looked == ["onnxruntime", "tensorrt"]


def test_an_engine_of_others_serves_a_manifest_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Manifests of format 1 name our engines only; what is behind them does not depend on that."""
    session = _Session()
    theirs = _Pretended(lambda: session)
    monkeypatch.setattr(registry, "find", lambda _: Found({"theirs": theirs}, {"theirs": ""}))
    with open_bundle(_bundle(tmp_path, THEN), root=None, allow_unsigned=True) as bundle:
        bundle.manifest = _named(bundle.manifest)
        loaded = loading.load_best(bundle, threads=1, board="")
        assert loaded.variant.engine == "theirs"
        assert isinstance(loaded.session, GuardedSession)


def _named(manifest: Manifest) -> Manifest:
    (variant,) = manifest.variants
    return msgspec.structs.replace(
        manifest,
        variants=(msgspec.structs.replace(variant, engine="theirs"),),
    )
