"""Whether real-time mode can be had: from made-up /proc and /etc, and from real processes."""

from pathlib import Path

import pytest

import edge_runtime
from edge_runtime.config import Config, DeviceConfig, ModelConfig, RealtimeConfig, SourceConfig
from edge_runtime.doctor.checks import checks_for
from edge_runtime.doctor.findings import Device, Finding
from edge_runtime.doctor.realtime import judge_runtime, look
from edge_runtime.store import locks
from tests.edge_runtime.doctor.holding import holding
from tests.support.rights import WITHOUT, may_raise

UNIT = "etc/systemd/system/edge-runtime.service"
LIMITS = "Limit    Soft Limit    Hard Limit    Units\nMax realtime priority     {0}      {0}\n"


def config(folder: Path, priority: int = 10) -> Config:
    source = SourceConfig(url="mqtt://127.0.0.1", topic="t")
    realtime = RealtimeConfig(priority=priority) if priority else None
    model = ModelConfig(name="motion", source=source, realtime=realtime)
    return Config(device=DeviceConfig(id="dev", data=folder), models=(model,))


def put(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


def found(root: Path) -> Finding:
    return next(iter(look(Device(config=config(root), root=root))))


def test_it_is_looked_at_only_where_a_model_asks_for_it(tmp_path: Path) -> None:
    def names(priority: int) -> list[str]:
        return [each.name for each in checks_for(Device(config=config(tmp_path, priority)))]

    assert "real time" in names(1)
    assert "real time" not in names(0)


@pytest.mark.parametrize(
    ("unit", "more", "state"),
    [
        ("RestrictRealtime=no\nLimitRTPRIO=10\n", "", "ok"),
        ("RestrictRealtime=no\nLimitRTPRIO=9\n", "", "problem"),
        ("RestrictRealtime=yes\nLimitRTPRIO=10\n", "", "problem"),
        ("RestrictRealtime=yes\n", "", "problem"),
        ("RestrictRealtime=yes\n", "[Service]\nRestrictRealtime = no\nLimitRTPRIO = 20\n", "ok"),
        ("RestrictRealtime=no\nLimitRTPRIO=10\n", "LimitRTPRIO=5\n", "problem"),
    ],
)
def test_without_an_agent_the_unit_and_what_was_added_to_it_count(
    tmp_path: Path, unit: str, more: str, state: str
) -> None:
    put(tmp_path, UNIT, unit)
    put(tmp_path, f"{UNIT}.d/more.conf", more)
    told = found(tmp_path)
    assert told.state == state
    assert "the service by its unit may have" in told.what
    assert ("service install" in told.advice) == (state == "problem")


def test_without_a_unit_our_own_rights_are_looked_at(tmp_path: Path) -> None:
    put(tmp_path, "proc/self/status", "Name: x\nCapEff:\t0000000000000000\n")
    put(tmp_path, "proc/self/limits", LIMITS.format(9))
    assert found(tmp_path).state == "warning"
    assert "prlimit --rtprio=10" in found(tmp_path).advice
    put(tmp_path, "proc/self/limits", LIMITS.format("unlimited"))
    assert found(tmp_path).what == "A model asks for real-time priority 10, and this user may have it."
    put(tmp_path, "proc/self/limits", LIMITS.format(0))
    put(tmp_path, "proc/self/status", "CapEff:\t0000000000800000\n")
    assert found(tmp_path).state == "ok"


def test_who_starts_the_agent_is_who_can_give_it_the_right(tmp_path: Path) -> None:
    lock = tmp_path / "store" / "agent.lock"
    lock.parent.mkdir()
    with holding(lock) as agent:
        put(tmp_path, f"proc/{agent}/status", "CapEff:\t0000000000000000\n")
        put(tmp_path, f"proc/{agent}/limits", LIMITS.format(0))
        assert found(tmp_path).advice.startswith(
            "Let what starts the agent give it: prlimit --rtprio=10"
        )
        (tmp_path / "run/systemd/system").mkdir(parents=True)
        assert "edge-runtime service install" in found(tmp_path).advice


@pytest.mark.parametrize(("prefix", "may"), [((), may_raise()), (WITHOUT, False)])
def test_what_the_running_agent_really_has_counts_before_its_unit(
    tmp_path: Path, prefix: tuple[str, ...], may: bool
) -> None:
    """The agent is a process that holds its lock; its rights are read from the real /proc."""
    lock = tmp_path / "store" / "agent.lock"
    lock.parent.mkdir()
    with holding(lock, prefix=prefix) as agent:
        assert locks.holder(lock) == locks.Holder(agent, edge_runtime.__version__, edge_runtime.__file__)
        told = next(iter(look(Device(config=config(tmp_path)))))
    assert told.state == ("ok" if may else "problem")
    assert "the agent that runs may have" in told.what
    assert locks.holder(lock) is None


def test_the_kernels_share_for_real_time_threads_is_judged() -> None:
    assert judge_runtime(950_000).what == "Real-time threads may run for 0.95 s of each second."
    assert judge_runtime(0).state == "problem"
    assert judge_runtime(-1).state == "warning"
