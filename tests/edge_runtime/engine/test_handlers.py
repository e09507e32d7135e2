"""A handler of signals may raise during a load: nothing is blamed, and no other variant taken."""

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest

import edge_runtime
from edge_runtime.bundle import load_root, open_bundle
from edge_runtime.engine import registry
from edge_runtime.engine.candidate import Candidate
from edge_runtime.engine.loading import Here
from edge_runtime.engine.trying import tried
from edge_runtime.errors import EngineError
from tests.support.handlers import NUMBER, handler_that_raises, signal_when_called
from tests.support.own_engine import own_engine
from tests.support.tiny_bundle import root_bytes, tiny_bundle

RAISED = f"signal.raise_signal({int(NUMBER)})"
TRANSLATED = f"""
try:
    {RAISED}
except Exception as error:
    raise EngineError("the driver failed") from error
"""
IMPORTED = "import signal\nfrom edge_runtime.errors import EngineError"
KINDS = [RuntimeError, TimeoutError, EngineError]
Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install the engine `own`; a bundle whose first variant is for it, and whose second is for ours."""

    def installed(**hooks: str) -> Path:
        (found,) = own_engine(tmp_path, imported=IMPORTED, **hooks).values()
        monkeypatch.setenv("PYTHONPATH", found)
        monkeypatch.syspath_prepend(found.partition(":")[0])
        path = tmp_path / "tiny.edge"
        path.write_bytes(tiny_bundle(variants={"theirs": "good", "ours": "good"}, on_own=["theirs"]))
        return path

    def forget() -> None:
        sys.modules.pop("ownengine", None)
        registry._engine.cache_clear()
        tried.cache_clear()

    forget()
    yield installed
    forget()


@pytest.fixture(params=KINDS)
def raised(request: pytest.FixtureRequest) -> Iterator[Exception]:
    """What the handler of NUMBER raises."""
    error: Exception = request.param("it is time")
    with handler_that_raises(error):
        yield error


@pytest.mark.parametrize("hook", ["load", "why"])
@pytest.mark.parametrize("code", [RAISED, TRANSLATED])
def test_while_an_engine_is_asked_or_loads(
    install: Install, raised: Exception, hook: str, code: str
) -> None:
    path = install(**{hook: code})

    with pytest.raises(type(raised)) as caught:
        edge_runtime.load(path, allow_unsigned=True)

    assert caught.value is raised
    assert caught.value.__context__ is None


def test_while_an_engine_prepares(install: Install, raised: Exception) -> None:
    with open_bundle(install(prepare=TRANSLATED), root=None, allow_unsigned=True) as bundle:
        here = Here(bundle)
        with pytest.raises(type(raised)) as caught:
            here.prepare(Candidate("theirs"))
    assert caught.value is raised


def test_by_a_timer_too(install: Install) -> None:
    def handler(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError("it is time")

    path = install(load="signal.setitimer(signal.ITIMER_REAL, 0.001); time.sleep(60)")
    before = signal.signal(signal.SIGALRM, handler)
    try:
        with pytest.raises(TimeoutError, match="it is time"):
            edge_runtime.load(path, allow_unsigned=True)
    finally:
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
    "called", ["_create_inference_session", "bind_output", "pread", "_entry", "_execute_child"]
)
def test_while_ours_reads_and_loads(install: Install, raised: Exception, called: str) -> None:
    path = install(load="raise ValueError('no')")

    with pytest.raises(type(raised)) as caught, signal_when_called(called):
        edge_runtime.load(path, allow_unsigned=True)

    assert caught.value is raised


def test_while_a_root_file_is_read(tmp_path: Path, raised: Exception) -> None:
    path = tmp_path / "root.json"
    path.write_bytes(root_bytes())

    with pytest.raises(type(raised)) as caught, signal_when_called("pread"):
        load_root(path)

    assert caught.value is raised


def test_what_fails_where_it_is_dealt_with_is_not_made_of_it(
    install: Install, raised: Exception
) -> None:
    path = install(load="raise ValueError('no')")
    try:
        signal.raise_signal(NUMBER)
    except type(raised):
        with edge_runtime.load(path, allow_unsigned=True) as model:
            assert model.variant.id == "ours"
