"""The unit, judged by systemd's own tools, and what it forbids against what an agent does."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge_runtime.errors import ConfigError
from edge_runtime.service.unit import NAME, Unit
from tests.edge_runtime.service.conftest import TracedRun
from tests.support import confined
from tests.support.agent import AgentRig
from tests.support.brokers import Mosquitto
from tests.support.programs import program
from tests.support.rights import FIFO, classes
from tests.support.sensor import SensorRig
from tests.support.waiting import wait_for

# Lines that forbid system calls beside what they are named after (systemd.exec(5)).
_ALSO_FORBIDS = {
    "PrivateDevices": "@raw-io",
    "ProtectClock": "@clock",
    "ProtectKernelModules": "@module",
}
EXPOSURE = 1.6  # of 10, as `systemd-analyze security` counts; docs/device.md tells it
REALTIME_EXPOSURE = 1.7
GPU_EXPOSURE = 2.0


def unit(**changes: object) -> Unit:
    values: dict[str, object] = {
        "command": Path("/bin/sh"),  # `verify` wants a program that exists
        "config": Path("/etc/edge-runtime/agent.toml"),
        "user": "edge-runtime",
        "writable": [Path("/var/lib/edge-runtime"), Path("/var/lib/edge-runtime/journals")],
        **changes,
    }
    return Unit(**values)  # type: ignore[arg-type]


def analyze(*arguments: object) -> subprocess.CompletedProcess[str]:
    words = [program("systemd-analyze"), *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / NAME
    path.write_text(unit().text())
    return path


def settings(name: str, **changes: object) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", unit(**changes).text(), re.MULTILINE)


def test_systemd_finds_nothing_wrong_with_it(written: Path) -> None:
    done = analyze("verify", "--man=no", written)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_systemd_would_complain_of_a_wrong_line(written: Path) -> None:
    written.write_text(written.read_text().replace("WatchdogSec=", "WatchdogSecs="))
    assert "WatchdogSecs" in analyze("verify", "--man=no", written).stderr


def test_its_exposure_is_what_the_page_says(written: Path) -> None:
    page = Path(__file__).parents[3] / "docs" / "device.md"
    assert f"an exposure of {EXPOSURE} of 10" in page.read_text("utf-8")
    options = ("--offline=true", "--no-pager")
    done = analyze("security", *options, f"--threshold={EXPOSURE * 10:.0f}", written)
    assert done.returncode == 0, done.stdout
    weakened = written.read_text().replace("CapabilityBoundingSet=\n", "")
    written.write_text(weakened.replace("PrivateDevices=yes", "PrivateDevices=no"))
    done = analyze("security", *options, f"--threshold={EXPOSURE * 10:.0f}", written)
    assert done.returncode != 0


def test_real_time_mode_is_allowed_by_a_limit_and_only_where_it_is_asked_for(tmp_path: Path) -> None:
    assert (settings("RestrictRealtime"), settings("LimitRTPRIO")) == (["yes"], [])
    assert settings("RestrictRealtime", priority=20) == ["no"]
    assert settings("LimitRTPRIO", priority=20) == ["20"]
    assert settings("CapabilityBoundingSet", priority=20) == [""]

    written = tmp_path / NAME
    written.write_text(unit(priority=20).text())
    done = analyze("verify", "--man=no", written)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    page = Path(__file__).parents[3] / "docs" / "device.md"
    assert f"an exposure of {REALTIME_EXPOSURE} " in page.read_text("utf-8")
    threshold = f"--threshold={REALTIME_EXPOSURE * 10:.0f}"
    done = analyze("security", "--offline=true", "--no-pager", threshold, written)
    assert done.returncode == 0, done.stdout


def test_a_gpu_is_reached_and_only_where_there_is_one(tmp_path: Path) -> None:
    names = ("PrivateDevices", "DevicePolicy", "MemoryDenyWriteExecute", "SupplementaryGroups")
    assert [settings(name) for name in names] == [["yes"], ["closed"], ["yes"], []]
    with_one = [settings(name, gpu=True, groups=["video", "render"]) for name in names]
    assert with_one == [["no"], [], ["no"], ["video render"]]
    assert settings("SupplementaryGroups", gpu=True) == []

    written = tmp_path / NAME
    written.write_text(unit(gpu=True, groups=["video"]).text())
    done = analyze("verify", "--man=no", written)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    page = Path(__file__).parents[3] / "docs" / "device.md"
    assert f"an exposure of {GPU_EXPOSURE} " in page.read_text("utf-8")
    threshold = f"--threshold={GPU_EXPOSURE * 10:.0f}"
    done = analyze("security", "--offline=true", "--no-pager", threshold, written)
    assert done.returncode == 0, done.stdout


def test_systemd_makes_a_folder_for_what_engines_build(written: Path) -> None:
    assert settings("CacheDirectory") == ["edge-runtime"]
    assert settings("CacheDirectoryMode") == ["0700"]


def test_the_outermost_folders_are_writable_and_those_of_systemd_are_made() -> None:
    assert settings("StateDirectory") == ["edge-runtime"]
    assert settings("ReadWritePaths") == []
    folders = [Path("/srv/models"), Path("/run/edge"), Path("/var/lib/edge/deep")]
    lines = unit(writable=folders).text().splitlines()
    assert "ReadWritePaths=/srv/models" in lines
    assert "RuntimeDirectory=edge" in lines
    assert "ReadWritePaths=/var/lib/edge/deep" in lines


def test_no_word_is_left_open() -> None:
    assert "@" not in re.sub(r"@(system-service|privileged|resources)\b", "", unit().text())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"config": Path("/home/me/agent.toml")}, "/home/me/agent.toml: a service does not see /home."),
        ({"command": Path("/tmp/env/bin/edge-runtime")}, "a service does not see /tmp."),
        ({"needed": [Path("/root/key.pem")]}, "/root/key.pem: a service does not see /root."),
        ({"writable": [Path("state")]}, "state: expected an absolute path without '..'"),
        ({"writable": [Path("/srv/../home")]}, "expected an absolute path without '..'"),
        (
            {"config": Path("/etc/my agent.toml")},
            "expected no spaces, quotes, '%', '$' or ';', found ' '",
        ),
        ({"config": Path("/etc/a\nExecStart=b")}, "found '\\n' in"),
        ({"config": Path("/etc/%h")}, "found '%' in"),
        ({"gpu": True, "groups": ["a b"]}, "group of a service: expected no spaces"),
        ({"user": ""}, "user of a service: expected no spaces, quotes, '%', '$' or ';', found none"),
    ],
)
def test_what_the_service_could_not_see_or_a_unit_not_hold_is_refused(
    changes: dict[str, object], expected: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(expected)):
        unit(**changes).text()


def _sets() -> dict[str, set[str]]:
    """systemd's sets of system calls, by name."""
    found: dict[str, set[str]] = {}
    name = ""
    for line in analyze("syscall-filter", "--no-pager").stdout.splitlines():
        if line.startswith("@"):
            name = line.strip()
            found[name] = set()
        elif line.startswith("    ") and not line.strip().startswith("#"):
            found[name].add(line.strip())
    return found


def _allowed() -> set[str]:
    """The system calls that the unit's lines leave."""
    sets = _sets()
    allowed = _calls(sets, "@default")
    for line in settings("SystemCallFilter"):
        named = line.removeprefix("~").split()
        calls = {call for each in named for call in (_calls(sets, each) if each[0] == "@" else {each})}
        allowed = allowed - calls if line.startswith("~") else allowed | calls
    for name, also in _ALSO_FORBIDS.items():
        if settings(name) == ["yes"]:
            allowed -= _calls(sets, also)
    return allowed


def _calls(sets: dict[str, set[str]], name: str) -> set[str]:
    members = sets[name]
    return {call for each in members for call in (_calls(sets, each) if each[0] == "@" else {each})}


@pytest.mark.end_to_end
class TestWhatAnAgentDoes:
    """The sandbox forbids nothing that an agent and its workers do from start to end."""

    def test_its_system_calls_are_allowed(self, traced_run: TracedRun) -> None:
        allowed = _allowed()
        assert len(traced_run.trace.names) > 50
        # As root SQLite gives its files to their folder's owner, but the unit's user is not root.
        of_root = {"fchown"} if os.geteuid() == 0 else set()
        assert traced_run.trace.names - allowed - of_root == set()

    def test_limits_of_processes_can_be_set_and_the_clock_can_be_read(self) -> None:
        allowed = _allowed()
        assert {"prlimit64", "setrlimit", "prctl", "clone3", "execve", "clock_adjtime"} <= allowed
        assert {"sched_setscheduler", "sched_getscheduler", "sched_getparam"} <= allowed
        assert "clock_settime" not in allowed

    def test_it_serves_when_the_kernel_enforces_it(self, tmp_path: Path) -> None:
        """The filter, no capabilities, no memory that becomes code: for the agent and its workers."""
        if why := confined.why_not():
            pytest.skip(why)
        (tmp_path / "calls").write_text("\n".join(_allowed()))
        with Mosquitto(tmp_path / "broker") as broker, SensorRig(broker.url) as sensor:
            rig = AgentRig(tmp_path, broker.url)
            try:
                rig.start([sys.executable, confined.__file__, str(tmp_path / "calls")])
                for pid in (rig.pid, rig.ready["workers"]["tiny"]):
                    status = Path(f"/proc/{pid}/status").read_text()
                    assert re.search(r"^Seccomp:\s+2$", status, re.MULTILINE)
                    assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)
                sensor.send(50)
                wait_for(lambda: len(rig.starts()) >= 24, "the predictions")
                assert rig.stop() == 0
            finally:
                rig.close()

    def test_real_time_mode_takes_the_limit_and_nothing_else(self, tmp_path: Path) -> None:
        """Under the same rules; where this machine does not raise the limit, the agent says so."""
        if why := confined.why_not():
            pytest.skip(why)
        raised = [program("prlimit"), "--rtprio=10"]
        may = subprocess.run([*raised, "true"], capture_output=True, check=False).returncode == 0
        (tmp_path / "calls").write_text("\n".join(_allowed()))
        with Mosquitto(tmp_path / "broker") as broker, SensorRig(broker.url) as sensor:
            rig = AgentRig(tmp_path, broker.url)
            text = rig.config.read_text()
            rig.config.write_text(text.replace("[models.trial]", "[models.realtime]\n[models.trial]"))
            try:
                inside = [sys.executable, confined.__file__, str(tmp_path / "calls")]
                rig.start([*raised, *inside] if may else inside)
                worker = rig.ready["workers"]["tiny"]
                assert classes(worker)[worker] == (FIFO if may else os.SCHED_OTHER)
                sensor.send(50)
                wait_for(lambda: len(rig.starts()) >= 24, "the predictions")
                assert len(rig.events("real-time mode missing")) == (0 if may else 1)
            finally:
                rig.close()

    def test_its_sockets_are_allowed(self, traced_run: TracedRun) -> None:
        (allowed,) = settings("RestrictAddressFamilies")
        assert {"AF_UNIX", "AF_INET"} <= traced_run.trace.families() <= set(allowed.split())

    def test_it_writes_only_where_it_may(self, traced_run: TracedRun) -> None:
        allowed = (traced_run.folder / "state", Path("/dev/null"), Path("/proc/self/oom_score_adj"))
        ready = traced_run.folder / "ready.json.tmp"
        # The suite measures the agent's coverage, too; those files are the suite's.
        written = {
            path
            for path in traced_run.trace.written() - {ready}
            if not path.name.startswith(".coverage.")
        }
        assert traced_run.folder / "state" / "outbox.db" in written
        assert {
            path for path in written if not any(one in (path, *path.parents) for one in allowed)
        } == set()

    def test_no_memory_becomes_code(self, traced_run: TracedRun) -> None:
        assert settings("MemoryDenyWriteExecute") == ["yes"]
        assert traced_run.trace.made_executable() == []

    def test_it_ends_in_order(self, traced_run: TracedRun) -> None:
        assert traced_run.said.rstrip().splitlines()[-1].endswith("agent stops")
        assert "Traceback" not in traced_run.said
