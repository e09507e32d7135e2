"""The command: one look at a whole device, in words or JSON, that changes nothing."""

import json
import os
import socket
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from edge_runtime import cli
from edge_runtime.doctor import checkup
from tests.support.agent import COMMAND, AgentRig, device
from tests.support.brokers import Mosquitto
from tests.support.waiting import wait_for

NOBODY = "mqtt://127.0.0.1:1"


def doctor(*arguments: object) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in (COMMAND, "doctor", *arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=90)


def findings(*arguments: object) -> dict[str, list[dict[str, str]]]:
    done = doctor(*arguments, "--json")
    document: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if document["ok"] else 14), done.stderr
    assert "Traceback" not in done.stderr
    found: dict[str, list[dict[str, str]]] = {}
    for each in document["findings"]:
        assert set(each) == {"check", "state", "what", "advice"}
        assert bool(each["advice"]) == (each["state"] != "ok")
        found.setdefault(each["check"], []).append(each)
    return found


def tree(folder: Path) -> dict[str, tuple[int, int, int]]:
    return {
        str(path): (found.st_ino, found.st_size, found.st_mtime_ns)
        for path in [folder, *folder.rglob("*")]
        for found in [path.lstat()]
    }


@pytest.fixture
def rig(tmp_path: Path) -> AgentRig:
    return AgentRig(tmp_path, NOBODY)


def test_a_device_in_order_has_no_problem_and_nothing_is_changed(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as broker:
        (tmp_path / "device").mkdir()
        rig = AgentRig(tmp_path / "device", broker.url, fleet={"url": broker.url})
        installed = rig.install(rig.bundle(), "--trust", rig.folder / "root.json")
        assert installed.returncode == 0, installed.stderr
        before = tree(rig.folder)
        found = findings("--config", rig.config)
        assert tree(rig.folder) == before
    assert [name for name, each in found.items() if any(one["state"] == "problem" for one in each)] == []
    assert {"onnxruntime", "clock", "folders", "disk", "store", "fleet", "sensor of tiny"} <= set(found)
    assert "is good until" in found["trust"][0]["what"]
    active, agent = found["store"]
    assert active["what"] == "tiny: version 1.0.0 is active."
    assert agent["state"] == "warning"
    assert agent["advice"].startswith("Start it: ")


def test_every_trouble_is_told_and_the_end_is_14(rig: AgentRig) -> None:
    (rig.folder / "root.json").unlink()
    (rig.data / "store").mkdir(parents=True)
    (rig.data / "store" / "state.json").write_text("{")
    done = doctor("--config", rig.config)
    assert done.returncode == 14
    told = [line for line in done.stdout.splitlines() if line.startswith("PROBLEM  ")]
    assert [line.split(":")[0].removeprefix("PROBLEM  ") for line in told] == [
        "store", "files", "sensor of tiny",
    ]  # fmt: skip
    assert done.stderr == "error: 3 problems on this machine, the first with store. See above.\n"


def test_a_running_agent_is_seen(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as broker:
        rig = AgentRig(tmp_path, broker.url)
        try:
            rig.start()
            what = [each["what"] for each in findings("--config", rig.config)["store"]]
            assert what[-1].endswith("an agent runs on it now.")
        finally:
            rig.close()


@pytest.mark.end_to_end
def test_why_nothing_runs_is_told_by_status_and_doctor_beside_the_agent_and_without_it(
    tmp_path: Path,
) -> None:
    """Of a model that asks for more than it may have. Under the lowest limit that can be configured ONNX
    Runtime itself fails, in as many words as there are places where memory can end."""
    with device(tmp_path, NOBODY, model={"memory_mb": 300}) as rig:
        rig.bundle(behaviour="starves")
        rig.start_without_waiting()
        limit = "The memory limit of 300 MB (`memory_mb`) was reached"
        store = ["--store", rig.data / "store"]
        status = wait_for(
            lambda: limit in (said := rig.command("status", *store).stdout) and said, "the reason"
        )
        assert status.startswith("agent  running, but no model runs; why, `edge-runtime doctor` tells")
        assert "\n  does not run yet\n" in status
        assert limit in status.splitlines()[-1], "it is told of the version that waits"
        told = findings("--config", rig.config)
        assert "1.0.0 waits to be active, and cannot run now." in told["store"][0]["what"]
        assert limit in told["trials"][0]["what"]

        rig.stop()
        pending = rig.command("status", *store).stdout.splitlines()[-1]
        assert limit in pending
        assert limit in findings("--config", rig.config)["trials"][0]["what"]


@pytest.mark.end_to_end
def test_on_a_terminal_what_takes_long_is_named_meanwhile(rig: AgentRig) -> None:
    """A broker that takes the connection and says nothing, until the line was read."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        rig = AgentRig(rig.folder, f"mqtt://127.0.0.1:{silent.getsockname()[1]}")
        ours, terminal = os.openpty()
        words = [COMMAND, "doctor", "--config", rig.config]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=terminal, text=True) as process:
            told = os.read(ours, 1000).decode()
            silent.close()
            found, _ = process.communicate(timeout=60)
        os.close(ours), os.close(terminal)
    assert "still looks at: " in told
    assert "sensor of tiny" in told
    assert "still looks at" not in found


def test_a_program_that_waits_is_told_nothing_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(checkup, "_QUIET_S", 0.0)
    cli.run(["doctor", "--store", str(tmp_path / "store")])
    assert "still looks at" not in capsys.readouterr().err


def test_faults_of_the_configuration_are_problems_and_the_machine_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text("[device]\nid = 5\n[flete]\n")
    found = findings("--config", tmp_path / "agent.toml")
    assert [each["state"] for each in found["configuration"]] == ["problem", "problem"]
    assert found["onnxruntime"][0]["state"] == "ok"
    assert "fleet" not in found


def test_a_store_alone_can_be_looked_at(tmp_path: Path) -> None:
    found = findings("--store", tmp_path / "store")
    assert found["configuration"][0]["state"] == "warning"
    assert "only the machine and the store are looked at" in found["configuration"][0]["what"]
    assert "nothing is installed yet" in found["store"][0]["what"]
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("below", [".", "store"])
def test_a_store_that_may_not_be_read_is_a_finding_and_no_fault_of_the_command(
    below: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with TemporaryDirectory() as ours:  # closed to others, in a folder that is open
        command = ["doctor", "--store", str(Path(ours, below))]
        cli.run(command)  # what is imported when it is used may be closed, too
        capsys.readouterr()
        os.setresuid(65_534, 65_534, 0)
        try:
            assert cli.run(command) == 14
        finally:
            os.setresuid(0, 0, 0)
    lines = capsys.readouterr().out.splitlines()
    (told,) = [line for line in lines if line.startswith("PROBLEM  store: ")]
    assert told.endswith("Permission denied.")
    assert not any("Nothing new is accepted" in line for line in lines), "that is not known"
    faults = {line.split(":")[0].split()[-1] for line in lines if "This could not be" in line}
    assert faults.isdisjoint({"folders", "disk", "store", "slots", "trust", "trials"})
    assert not any(line.startswith("PROBLEM  models' memory: ") for line in lines), "`store` tells it"


def test_a_folder_that_is_no_store_is_told(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    found = findings("--store", tmp_path / "photos")
    assert found["store"][0]["state"] == "problem"
    assert "trust" not in found, "whom it trusts is no question"
