"""`service show` and `service install`, from a program and a configuration that a service can see."""

import getpass
import grp
import os
import shutil
import subprocess
import sysconfig
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.service.unit import NAME

# Neither in a home nor in /tmp: pytest's own folders are hidden from a service.
SEEN = Path("/dev/shm")


class Machine:
    """A folder that a service sees, with an environment in it and an agent's configuration."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "agent.toml"
        self.units = folder / "units"
        self.units.mkdir()
        self.config.write_text(f'[device]\nid = "watch-01"\ndata = "{folder}/state"\n')
        venv.create(folder / "env", symlinks=True)
        (ours,) = (folder / "env").glob("lib/python3*/site-packages")
        (ours / "ours.pth").write_text(
            f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
        )

    def service(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        program = "from edge_runtime.cli import main; main()"
        return subprocess.run(
            [self.folder / "env/bin/python", "-c", program, "service", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    if not os.access(SEEN, os.W_OK):
        pytest.skip(f"{SEEN} is not writable here")
    folder = Path(tempfile.mkdtemp(prefix="edge-runtime-", dir=SEEN))
    try:
        yield Machine(folder)
    finally:
        shutil.rmtree(folder)


def test_show_prints_the_unit_of_this_program_and_configuration(machine: Machine) -> None:
    done = machine.service("show", "--config", machine.config, "--user", "me")
    assert (done.returncode, done.stderr) == (0, "")
    start = f"ExecStart={machine.folder}/env/bin/edge-runtime run --config {machine.config}"
    assert start in done.stdout.splitlines()
    assert "User=me" in done.stdout.splitlines()
    assert f"ReadWritePaths={machine.folder}/state" in done.stdout.splitlines()


def test_a_model_that_asks_for_real_time_mode_gets_a_unit_that_allows_it(machine: Machine) -> None:
    model = "[[models]]\nname = '{0}'\n{1}\n[models.source]\nurl = 'mqtt://localhost'\ntopic = '{0}'\n"
    file = machine.config.with_name("realtime.toml")
    models = {"one": "", "two": "realtime = {}", "three": "realtime = { priority = 20 }"}
    asked = "".join(model.format(name, line) for name, line in models.items())
    file.write_text(machine.config.read_text() + asked)

    lines = machine.service("show", "--config", file).stdout.splitlines()
    assert "LimitRTPRIO=20" in lines
    assert "RestrictRealtime=no" in lines
    assert "RestrictRealtime=yes" in machine.service("show", "--config", machine.config).stdout


@pytest.mark.parametrize(
    ("board", "option", "private"),
    [
        ("", [], "yes"),
        ("pi5", [], "yes"),
        ("orin-nano", [], "no"),
        ("orin-nano", ["--no-gpu"], "yes"),
        ("", ["--gpu"], "no"),
    ],
)
def test_a_board_with_a_gpu_gets_a_unit_that_reaches_it(
    machine: Machine, board: str, option: list[str], private: str
) -> None:
    file = machine.config.with_name("gpu.toml")
    file.write_text(machine.config.read_text() + (f'board = "{board}"\n' if board else ""))
    lines = machine.service("show", "--config", file, *option).stdout.splitlines()
    assert f"PrivateDevices={private}" in lines
    here = {entry.gr_name for entry in grp.getgrall()} & {"video", "render"}
    groups = [
        line.partition("=")[2].split() for line in lines if line.startswith("SupplementaryGroups=")
    ]
    assert groups == ([] if private == "yes" or not here else [sorted(here, reverse=True)])


def test_install_writes_what_show_prints_and_tells_what_is_next(machine: Machine) -> None:
    common = ("--config", machine.config, "--user", getpass.getuser())
    done = machine.service("install", *common, "--folder", machine.units)
    assert done.returncode == 0, done.stderr
    assert (machine.units / NAME).read_text() == machine.service("show", *common).stdout
    assert "systemctl daemon-reload && systemctl enable --now edge-runtime" in done.stdout
    assert os.listdir(machine.units) == [NAME]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            ("--user", "nobody-of-that-name"),
            "user 'nobody-of-that-name': there is none on this machine.",
        ),
        (
            ("--folder", "/nowhere/units"),
            "/nowhere/units: there is no such folder, so there is no systemd",
        ),
        (("--config", "/nowhere/agent.toml"), "/nowhere/agent.toml: cannot be read"),
    ],
)
def test_what_cannot_become_a_service_is_refused_and_nothing_is_written(
    machine: Machine, options: tuple[str, str], expected: str
) -> None:
    (machine.units / NAME).unlink(missing_ok=True)
    known = {"--config": machine.config, "--user": getpass.getuser(), "--folder": machine.units}
    words = [str(word) for pair in (known | dict([options])).items() for word in pair]
    done = machine.service("install", *words)
    assert done.returncode == 3
    assert done.stderr.startswith(f"error: {expected}")
    assert done.stderr.count("\n") == 1
    assert os.listdir(machine.units) == []


def test_a_configuration_that_the_service_would_not_see_is_refused(
    machine: Machine, tmp_path: Path
) -> None:
    hidden = tmp_path if tmp_path.is_relative_to("/tmp") else Path("/tmp")
    machine.config.with_name("other.toml").write_text(
        f'[device]\nid = "watch-01"\ndata = "{hidden}/state"\n'
    )
    done = machine.service("show", "--config", machine.config.with_name("other.toml"))
    assert done.returncode == 3
    assert "a service does not see /tmp. Keep the program in /opt" in done.stderr
