"""Which engines there are: ours, and those that other packages bring by entry point."""

import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from edge_runtime.engine import registry
from edge_runtime.engine.trying import tried
from tests.support.tiny_bundle import tiny_manifest

PATH = os.environ.get("PYTHONPATH")
Install = Callable[[str, str], None]
GOOD = """
class Engine:
    name = "mine"
    def why_unavailable(self): return ""
    def load(self, bundle, variant, *, threads): return Session()

class Session:
    row = None
    def run(self, inputs): raise NotImplementedError
    def close(self): pass
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a package of this name whose entry point `mine` is its `Engine`, with this code."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(tmp_path), PATH))))
    before = set(sys.modules)
    _forget()

    def made(name: str, code: str) -> None:
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(code))
        about = tmp_path / f"{name}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[{registry.GROUP}]\nmine = {name}:Engine\n")

    yield made
    _forget()
    for name in set(sys.modules) - before:
        del sys.modules[name]


def _forget() -> None:
    registry._engine.cache_clear()
    tried.cache_clear()


def _why(name: str = "mine") -> str:
    found = registry.find([name])
    assert not found.engines
    return found.unavailable[name]


def test_ours_are_there_without_being_installed_as_entry_points() -> None:
    found = registry.find(["onnxruntime", "tensorrt"])
    assert found.unavailable["onnxruntime"] == ""
    assert set(found.engines) == {"onnxruntime", "tensorrt"}


def test_an_engine_that_nobody_has_is_in_neither() -> None:
    found = registry.find(["nobodys"])
    assert (found.engines, found.unavailable) == ({}, {})


def test_another_package_brings_one(install: Install) -> None:
    install("mypackage", GOOD)
    found = registry.find(["mine"])
    assert found.unavailable == {"mine": ""}
    assert found.engines["mine"].name == "mine"


def test_where_it_imports_onnx_runtime_first_that_does_not_report_to_its_vendor_either(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    install("mypackage", f"import os\nassert os.environ['ORT_DISABLE_TELEMETRY'] == '1'\n{GOOD}")
    assert registry.find(["mine"]).unavailable == {"mine": ""}


def test_it_is_imported_only_for_a_bundle_that_asks_for_it(install: Install) -> None:
    install("mypackage", GOOD)
    registry.find(["onnxruntime"])
    assert "mypackage" not in sys.modules


def test_ours_cannot_be_replaced(install: Install, tmp_path: Path) -> None:
    install("mypackage", "raise RuntimeError('imported')")
    entries = tmp_path / "mypackage-1.0.dist-info" / "entry_points.txt"
    entries.write_text(f"[{registry.GROUP}]\nonnxruntime = mypackage:Engine\n")
    found = registry.find(["onnxruntime"])
    assert type(found.engines["onnxruntime"]).__name__ == "OnnxRuntimeEngine"


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("raise OSError('libmine.so: cannot open')", "is broken: OSError: libmine.so: cannot open"),
        ("import nosuchthing", "is broken: ModuleNotFoundError: No module named 'nosuchthing'"),
        ("1 +", "is broken: SyntaxError"),
        ("Other = 1", "is broken: AttributeError"),
        (
            "class Engine:\n    def __init__(self): raise ValueError('no\\nlicence')",
            "ValueError: no licence",
        ),
        ("class Engine: pass", "mypackage:Engine has no why_unavailable and no load"),
        (
            "class Engine:\n    def why_unavailable(self): return 1 / 0\n    load = why_unavailable",
            "is broken: ZeroDivisionError",
        ),
        (
            GOOD.replace('return ""', "pass"),
            "to return a sentence, or '' where it can be used; found None",
        ),
    ],
)
def test_a_broken_one_is_unavailable_in_one_sentence_and_harms_no_other(
    install: Install, code: str, why: str
) -> None:
    install("mypackage", code)
    assert why in _why()
    assert "\n" not in _why()
    assert registry.find(["mine", "onnxruntime"]).unavailable["onnxruntime"] == ""


_ONLY_HERE = "'' if 'registry_probe' in sys.argv[0] else 'no ' * 100_000"
_UNAVAILABLE = "from edge_runtime.errors import UnavailableError"


@pytest.mark.parametrize(
    "code",
    [
        GOOD.replace('return ""', "return 'no ' * 100_000"),
        "import sys" + GOOD.replace('return ""', f"return {_ONLY_HERE}"),
        _UNAVAILABLE + GOOD.replace('return ""', "raise UnavailableError('no ' * 100_000)"),
        GOOD.replace('return ""', "raise OSError('no ' * 100_000)"),
        "raise OSError('no ' * 100_000)",
    ],
)
def test_a_long_reason_is_cut(install: Install, code: str) -> None:
    install("mypackage", code)
    found = registry.find(["mine"])
    assert "no no " in found.unavailable["mine"]
    assert len(found.unavailable["mine"]) < 400


class _ManyWays:
    """An engine of others with a provider that cannot be used."""

    def providers(self, _variant: object, _board: str) -> list[str]:
        return ["npu"]

    def unusable_providers(self, _variant: object, _board: str) -> dict[str, str]:
        return {"gpu": "no " * 100_000}


def test_a_long_reason_against_a_provider_is_cut() -> None:
    ours = tiny_manifest("tiny", "1.0.0", 1, model_size=1, golden_count=1).variants[0]
    variant = msgspec.structs.replace(ours, engine="mine")
    ways = registry.providers(_ManyWays(), variant, "")
    assert ways.usable == ("npu",)
    assert len(ways.unusable["gpu"]) < 310


def test_the_package_that_brings_one_is_named_without_importing_it(install: Install) -> None:
    install("mypackage", "raise RuntimeError('imported')")
    assert registry.package_of("mine") == "mypackage 1.0"
    assert registry.package_of("nobodys") == registry.package_of("onnxruntime") == ""
    install("yourpackage", GOOD)
    assert registry.package_of("mine") == ""


def test_two_packages_with_one_name_are_told_apart_by_a_person(install: Install) -> None:
    install("mypackage", GOOD)
    install("yourpackage", GOOD)
    assert "mypackage, yourpackage; uninstall all but one" in _why()


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import os; os.abort()", "the process that started it was ended by SIGABRT"),
        ("import os; os._exit(3)", "the process that started it ended with status 3"),
        (
            GOOD.replace('return ""', "import sys; sys.exit('no driver')"),
            "the process that started it ended with status 1: no driver",
        ),
        ("import time; time.sleep(600)", "it was not started after 0.5 s"),
    ],
)
def test_one_that_ends_the_process_or_hangs_takes_nobody_along(
    install: Install, monkeypatch: pytest.MonkeyPatch, code: str, why: str
) -> None:
    monkeypatch.setattr(registry, "TIMEOUT_S", 0.5 if "sleep" in code else 20.0)
    install("mypackage", code)
    assert _why() == f"package mypackage 1.0: {why}"
    assert registry.find(["onnxruntime"]).unavailable == {"onnxruntime": ""}
