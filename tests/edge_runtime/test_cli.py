"""The command line: finds commands of any package, and turns every error into one line and a code."""

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import click
import pytest

from edge_runtime import cli, starting
from edge_runtime.errors import OlderReleaseError, StoreError
from tests.support.broken_library import breaking

COMMAND = Path(sys.executable).with_name("edge-runtime")
COMMANDS = sorted(entry.name for entry in entry_points(group="edge_runtime.commands"))


def _edge_runtime(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(COMMAND), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", **environment},
    )


def _raising(error: BaseException) -> click.Command:
    @click.command()
    def broken() -> None:
        raise error

    return broken


@pytest.fixture
def broken_command(monkeypatch: pytest.MonkeyPatch):
    def use(error: BaseException) -> None:
        monkeypatch.setattr(cli.EntryPointGroup, "get_command", lambda *_: _raising(error))

    return use


def test_the_help_page_lists_every_command_with_a_sentence() -> None:
    shown = _edge_runtime("--help")

    assert shown.returncode == 0
    listed = {
        line.split()[0]: line
        for line in shown.stdout.partition("Commands:")[2].splitlines()
        if line[2:3].strip()
    }
    assert set(COMMANDS) <= set(listed)
    assert all(len(listed[name].split()) > 3 for name in COMMANDS)
    assert not [line for line in listed.values() if line.endswith("...")], "a summary is cut off"


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([name, "--help"]) == 0
    page = capsys.readouterr().out

    assert page.startswith(f"Usage: edge-runtime {name}")
    assert len(page.splitlines()) > 6
    assert not [line for line in page.splitlines()[1:] if line.endswith("...")], "a summary is cut off"


def test_an_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["nonsense"]) == 2
    assert "No such command 'nonsense'" in capsys.readouterr().err


def test_an_error_on_purpose_is_one_line_and_its_exit_code(broken_command, capsys) -> None:
    broken_command(OlderReleaseError("motion 1.0.0: release 1 is below this store's floor 2."))

    assert cli.run(["install"]) == 7
    assert capsys.readouterr().err == "error: motion 1.0.0: release 1 is below this store's floor 2.\n"


@pytest.mark.parametrize(
    ("systemd", "then"), [(True, "systemctl restart edge-runtime"), (False, "restart the agent")]
)
def test_an_error_names_no_command_of_systemd_where_there_is_none(
    broken_command, capsys, monkeypatch: pytest.MonkeyPatch, *, systemd: bool, then: str
) -> None:
    monkeypatch.setattr(starting, "has_systemd", lambda _root: systemd)
    broken_command(StoreError("Nothing was changed. Then: systemctl restart edge-runtime."))

    assert cli.run(["install"]) == 7
    assert capsys.readouterr().err == f"error: Nothing was changed. Then: {then}.\n"


def test_a_fault_of_ours_is_told_without_a_traceback(broken_command, capsys) -> None:
    broken_command(ZeroDivisionError("division by zero"))

    assert cli.run(["install"]) == 70
    told = capsys.readouterr().err
    assert "ZeroDivisionError: division by zero" in told
    assert "Traceback" not in told


def test_the_debug_variable_adds_where_it_came_from(broken_command, capsys, monkeypatch) -> None:
    monkeypatch.setenv("EDGE_RUNTIME_DEBUG", "1")
    broken_command(ZeroDivisionError("division by zero"))

    cli.run(["install"])
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_ends_with_130(broken_command, capsys) -> None:
    broken_command(KeyboardInterrupt())

    assert cli.run(["run"]) == 130
    assert capsys.readouterr().err.strip() == "interrupted"


def test_a_reader_that_goes_away_is_no_error() -> None:
    done = subprocess.run(
        f"{COMMAND} --help | head -n 1; exit ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0
    assert done.stderr == ""


def test_starting_the_command_imports_no_heavy_library() -> None:
    script = (
        "import sys; from edge_runtime import cli; cli.run(['--version']);"
        "print(sorted({'numpy','onnxruntime','cryptography','paho','sklearn'} & set(sys.modules)))"
    )

    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-1] == "[]"


def test_a_library_that_is_broken_is_one_line_and_what_to_do(tmp_path: Path) -> None:
    broken = breaking("numpy", "libopenblas.so.0: no such file", tmp_path)

    done = _edge_runtime("predict", "a.edge", "--inputs", "a.npy", "--allow-unsigned", **broken)

    assert done.returncode == 10
    assert done.stderr == (
        "error: expected every library that edge-runtime needs, found one that cannot be imported: "
        "libopenblas.so.0: no such file. Install edge-runtime anew; `edge-runtime doctor` names the "
        "library.\n"
    )
