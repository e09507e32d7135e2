"""Who activates when a command measures: another command waits for it, and an agent goes first."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.errors import StoreBusyError, StoreError
from edge_runtime.store.activate import Wanted, bring_up, choose_again
from edge_runtime.store.beside_agent import Waiting, told
from edge_runtime.store.disk import Store
from edge_runtime.store.slots import Slot
from tests.edge_runtime.doctor.holding import holding
from tests.edge_runtime.store.rig import Shelf, confirm
from tests.support.agent import COMMAND, AgentRig
from tests.support.footprint import children
from tests.support.waiting import wait_for


@contextmanager
def command(shelf: Shelf, *words: object) -> Iterator[subprocess.Popen[str]]:
    """An `edge-runtime` command on the store, in a process of its own; killed at the end."""
    line = [COMMAND, *map(str, words), "--store", shelf.store.root]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def installing(
    shelf: Shelf, version: str = "1.0.0", *options: str, name: str = "tiny"
) -> Iterator[subprocess.Popen[str]]:
    """`install` of a version whose load never ends, once it has begun."""
    bundle = shelf.bundle(version, name=name, behaviour="hangs")
    with command(shelf, "install", bundle, "--allow-unsigned", *options) as process:
        wait_for(lambda: shelf.store.root.exists() and shelf.store.activator(), "its turn")
        wait_for(lambda: pending(shelf, name).state == "trial", "its attempt")
        yield process


def device(folder: Path, **config: Any) -> tuple[AgentRig, Shelf]:
    """An agent, not started, and its store."""
    shelf = Shelf(folder / "state", "store")
    shelf.folder.mkdir()
    return AgentRig(folder, "mqtt://127.0.0.1:1", **config), shelf


def _runs(store: Store) -> bool:
    """Whether an agent says that what was active before serves."""
    says = told(store)
    return says is not None and says.runs == {"tiny": "0.9.0"}


def pending(shelf: Shelf, name: str = "tiny") -> Slot:
    now = shelf.model(name)
    assert now.pending is not None
    return now.slots[now.pending]


def test_an_agent_that_starts_beside_a_command_goes_first_and_the_command_waits_for_it(
    shelf: Shelf,
) -> None:
    with installing(shelf, "1.0.0", "--provider", "cpu") as process, shelf.store.agent_lock():
        slot = pending(shelf)
        assert (slot.state, slot.attempts) == ("trial", 3)  # making way costs none
        confirm(shelf.store, slot)
        said, told = process.communicate(timeout=20)
    assert (process.returncode, said) == (0, "tiny 1.0.0 is active, taken up by the agent\n"), told
    assert "tiny 1.0.0: waits for the agent, process " in told
    assert "--variant and --provider were not heeded" in told


def test_what_is_active_and_was_being_measured_is_left_to_an_agent_that_starts(shelf: Shelf) -> None:
    shelf.run("1.0.0", behaviour="hangs")
    with command(shelf, "activate") as process:
        wait_for(shelf.store.activator, "its turn")
        with shelf.store.agent_lock():
            said, told = process.communicate(timeout=20)
    assert (process.returncode, said) == (0, "tiny 1.0.0 was active already\n"), told


@pytest.mark.end_to_end
def test_a_real_agent_starts_and_serves_while_an_install_measures(tmp_path: Path) -> None:
    rig, shelf = device(tmp_path)
    shelf.run("0.9.0")
    try:
        with installing(shelf) as process:
            rig.start_without_waiting()
            wait_for(lambda: _runs(shelf.store), "what was active to serve")
            assert process.poll() is None
    finally:
        rig.close()


def test_a_command_that_does_not_make_way_is_named_to_the_agent_which_goes_on(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_runtime.store.turns._MAKES_WAY_S", 0.1)
    shelf.run("1.0.0")
    said: list[str] = []
    with holding(shelf.store.root / "activate.lock") as other, shelf.store.agent_lock(say=said.append):
        assert shelf.store.agent_running()
    (told,) = said
    assert f"a command (process {other}) that measures or tries a version does not make way" in told


@pytest.mark.end_to_end
def test_an_agent_serves_what_is_active_beside_a_command_that_was_stopped_in_its_turn(
    tmp_path: Path,
) -> None:
    """Ctrl-Z, a debugger, a frozen cgroup: nobody may visit this device to end it."""
    rig, shelf = device(tmp_path)
    shelf.run("0.9.0")
    try:
        with installing(shelf) as process:
            wait_for(lambda: children(process.pid), "it to load")  # and to write no state any more
            process.send_signal(signal.SIGSTOP)
            rig.start_without_waiting()
            try:
                wait_for(lambda: _runs(shelf.store), "it to serve")
            finally:
                process.send_signal(signal.SIGCONT)
    finally:
        rig.close()


def test_a_second_command_says_whom_it_waits_for_and_takes_its_turn(shelf: Shelf) -> None:
    with installing(shelf) as first:
        other = shelf.bundle("1.0.0", name="other")
        with command(shelf, "install", other, "--allow-unsigned", "--wait", "0.2") as second:
            _, told = second.communicate(timeout=20)
        assert second.returncode == 7
        waits = f"another command (process {first.pid}) that measures or tries a version"
        assert f"other 1.0.0: waits for {waits}\n" in told
        assert told.endswith(
            f"other 1.0.0: {waits} did not end within 0.2 s. Wait for that and try again. It is "
            "installed and pending: `edge-runtime activate other` goes on with it.\n"
        ), told
        assert "agent" not in told

        first.kill()
        assert bring_up(shelf.store, pending(shelf, "other"), wait_s=20) == "command"


def test_what_runs_beside_a_measuring_command_is_not_called_an_agents_affair(shelf: Shelf) -> None:
    shelf.run("1.0.0")
    with installing(shelf, name="other") as first:  # another model: it stays pending
        line = [COMMAND, "activate", "tiny", "1.0.0", "--variant", "fp32", "--wait", "0.1"]
        done = subprocess.run(
            [*line, "--store", shelf.store.root], capture_output=True, text=True, check=False
        )
        assert done.returncode == 7
        assert f"another command (process {first.pid})" in done.stderr
        assert "How it is to run was not changed." in done.stderr
        assert "agent" not in done.stderr
        status = subprocess.run(
            [COMMAND, "status", "--store", shelf.store.root], capture_output=True, text=True, check=True
        )
        assert status.stdout.startswith(
            f"agent  not running; a command, process {first.pid}, measures or tries a version\n"
        )


def test_the_same_install_twice_ends_with_the_first_ones_success(shelf: Shelf) -> None:
    slot = shelf.install("1.0.0")
    with holding(shelf.store.root / "activate.lock"):
        said = list[str]()

        def decided(text: str) -> None:
            said.append(text)
            confirm(shelf.store, slot)

        assert bring_up(shelf.store, slot, wait_s=20, say=decided) == "command"
    assert "another command" in said[0]


def test_an_agent_that_is_started_again_and_again_is_not_waited_for_for_ever(shelf: Shelf) -> None:
    slot = shelf.install("1.0.0", behaviour="hangs")
    over, said = threading.Event(), list[str]()

    def restart() -> None:
        """Another one, as soon as the command has said that it waits for the one before."""
        while not over.is_set():
            with holding(shelf.store.root / "agent.lock") as agent:
                while not over.is_set() and not any(f"process {agent}" in words for words in said):
                    over.wait(0.01)

    agents = threading.Thread(target=restart)
    agents.start()
    try:
        wait_for(shelf.store.agent_running, "the first of them")
        with pytest.raises(StoreError, match="has not activated it within 3 s"):
            bring_up(shelf.store, slot, wait_s=3, say=said.append)
    finally:
        over.set()
        agents.join()
    assert pending(shelf).attempts == pending(shelf).allowed
    assert len({words for words in said if "waits for the agent, process" in words}) > 1


def test_an_agent_that_ended_a_turn_and_is_gone_again_is_named_all_the_same(shelf: Shelf) -> None:
    slot = shelf.install("1.0.0")
    waiting = Waiting(shelf.store, "tiny 1.0.0", 0, lambda _: None)
    assert waiting.whom == "command"
    waiting.had_turn()
    assert waiting.whom == "agent"
    assert waiting.gave_up("").startswith(f"{slot.model} 1.0.0: the agent did not end within 0 s.")


def test_what_a_turn_of_its_own_took_is_no_wait_for_the_agent_that_ends_it(shelf: Shelf) -> None:
    """The agent ends, a command measures in its place, and the agent is started again."""
    slot = shelf.install("1.0.0", behaviour="hangs")
    wait_s, said, by = 1.5, list[str](), list[str]()

    def waits() -> int:
        return sum("waits for the agent" in words for words in said)

    command = threading.Thread(
        target=lambda: by.append(bring_up(shelf.store, slot, wait_s=wait_s, say=said.append))
    )
    with holding(shelf.store.root / "agent.lock"):
        command.start()
        wait_for(waits, "it to wait")
    wait_for(lambda: pending(shelf).state == "trial", "its turn")
    time.sleep(wait_s)
    with holding(shelf.store.root / "agent.lock"):
        wait_for(lambda: waits() == 2, "it to wait again")
        confirm(shelf.store, slot)
        command.join()
    assert by == ["agent"]


def test_an_agent_that_comes_while_what_is_named_waits_is_told_of(shelf: Shelf) -> None:
    slot = shelf.run("1.0.0")
    with holding(shelf.store.root / "agent.lock"), pytest.raises(StoreError, match="one runs here"):
        choose_again(shelf.store, slot, wait_s=5, wanted=Wanted(variant="fp32"))


@pytest.mark.end_to_end
def test_a_second_agent_is_told_that_one_runs_already_which_and_what_to_do(shelf: Shelf) -> None:
    shelf.install("1.0.0")
    said: list[str] = []
    with holding(shelf.store.root / "agent.lock") as first:
        with (
            pytest.raises(StoreBusyError) as told,
            shelf.store.agent_lock(wait_s=0.1, say=said.append),
        ):
            pass
        runs = f"{shelf.store.root}: another agent runs here: process {first}"
        assert said == [f"{runs}. It is waited for, 0.1 s at most."]
        assert str(told.value).startswith(f"{runs} serves from this data already. End that one first,")

    with shelf.store.agent_lock(wait_s=0.1, say=said.append):
        assert len(said) == 1


def test_an_agent_that_cannot_start_takes_no_turn_from_a_command(tmp_path: Path) -> None:
    """It is started again every ten seconds, for ever: what takes longer would never be measured."""
    fleet = {"url": "mqtts://127.0.0.1:1", "ca": "nowhere.pem"}
    rig, shelf = device(tmp_path, fleet=fleet)
    with installing(shelf) as process:
        for _ in range(3):
            assert rig.command("run", "--config", rig.config).returncode == 3
        process.kill()
        _, said = process.communicate(timeout=20)
    assert "waits for the agent" not in said


@pytest.mark.skipif(os.geteuid() != 0, reason="who may give files away")
def test_what_root_installs_an_agent_of_another_user_can_start_beside(shelf: Shelf) -> None:
    """As root: a lock that a command makes is the folder's owner's, as those are that were there."""
    slot = shelf.install("1.0.0")
    os.chown(shelf.store.root, 65534, 65534)
    assert bring_up(shelf.store, slot, wait_s=20) == "command"
    assert (shelf.store.root / "activate.lock").stat().st_uid == 65534
