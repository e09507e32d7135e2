"""From pending to active without an agent: what fails once is not given up for good."""

import ctypes
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge_runtime import __version__
from edge_runtime.choice import record
from edge_runtime.choice.record import Record
from edge_runtime.engine.candidate import Candidate
from edge_runtime.errors import BundleError, EngineError, StoreError, WorkerError
from edge_runtime.store import activate
from edge_runtime.store.activate import bring_up
from tests.edge_runtime.doctor.holding import holding
from tests.edge_runtime.store.rig import Shelf
from tests.support.agent import COMMAND
from tests.support.broken_library import breaking
from tests.support.own_engine import own_engine
from tests.support.tiny_bundle import Behaviour, root_bytes
from tests.support.upgraded import NEW, Site
from tests.support.waiting import wait_for

_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH, _PR_CAPBSET_DROP = 1, 2, 24


def command(shelf: Shelf, *words: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """An `edge-runtime` command on the store, in a process of its own."""
    line = [COMMAND, *map(str, words), "--store", shelf.store.root]
    return subprocess.run(line, capture_output=True, text=True, check=False, **options)


def only_what_modes_allow() -> None:
    """In a child, before it starts: the superuser, too, is bound to what files' modes say."""
    for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
        ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)


def test_a_broken_engine_condemns_nothing_and_once_mended_all_runs(shelf: Shelf, tmp_path: Path) -> None:
    broken = breaking("onnxruntime", "libcudart.so.12 is missing", tmp_path / "site")
    running = shelf.run("1.0.0")
    bundle = shelf.bundle("1.1.0")

    done = command(shelf, "install", bundle, env={**os.environ, **broken})

    assert done.returncode == 8, done.stderr
    assert "needs onnxruntime (it cannot be imported: libcudart.so.12 is missing" in done.stderr
    assert "It stays pending: `edge-runtime activate tiny` tries it again" in done.stderr
    assert "Version 1.0.0 goes on running." in done.stderr
    now = shelf.model()
    assert (now.active, now.bad) == (running.digest, {})
    assert now.pending is not None
    waiting = now.slots[now.pending]
    assert waiting.attempts == waiting.allowed == 3

    assert bring_up(shelf.store, shelf.store.activate("tiny"), wait_s=0) == "command"
    assert shelf.model().active == waiting.digest


def test_an_engine_that_returns_no_session_condemns_nothing(shelf: Shelf) -> None:
    own = {**os.environ, **own_engine(shelf.folder, load="return None")}
    bundle = shelf.bundle("1.0.0", variants={"gpu": "good"}, on_own={"gpu"})
    told = "the engine own is broken: expected load() to return a session with run, row and close; found"

    done = command(shelf, "install", bundle, "--allow-unsigned", env=own)
    assert done.returncode == 8, done.stderr
    assert f"{told} NoneType" in done.stderr
    now = shelf.model()
    assert (now.bad, now.pending in now.slots) == ({}, True)

    line = [COMMAND, "bench", bundle, "--allow-unsigned"]
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=own)
    assert (done.returncode, told in done.stderr) == (8, True), done.stderr


def test_of_several_variants_the_fastest_is_recorded_and_a_wrong_one_condemns_nothing(
    shelf: Shelf,
) -> None:
    bundle = shelf.bundle("1.0.0", variants={"wrong": "wrong", "slow": "slow", "fast": "good"})

    done = command(shelf, "install", bundle, "--allow-unsigned")

    assert done.returncode == 0, done.stderr
    assert "tiny 1.0.0: measures wrong on cpu, slow on cpu, fast on cpu" in done.stderr
    assert "tiny 1.0.0: fast on cpu takes " in done.stderr
    found = recorded(shelf)
    assert found.chosen == Candidate("fast", "cpu")
    assert "golden inputs" in found.rows[0].why_not

    again = command(shelf, "install", shelf.bundle("1.1.0"), "--allow-unsigned")
    assert "measures" not in again.stderr
    back = command(shelf, "rollback")
    assert (back.returncode, "measures" in back.stderr) == (0, False)  # it is recorded
    assert recorded(shelf) == found


def test_the_variant_that_is_named_is_the_one_that_proves_itself(shelf: Shelf) -> None:
    bundle = shelf.bundle("1.0.0", variants={"wrong": "wrong", "fast": "good"})

    done = command(shelf, "install", bundle, "--allow-unsigned", "--variant", "int8")
    assert done.returncode == 8
    assert "expected a variant 'int8', found wrong, fast" in done.stderr
    assert not (shelf.store.root / "slots").exists()
    done = command(shelf, "install", bundle, "--allow-unsigned", "--variant", "fast")
    assert done.returncode == 0, done.stderr
    assert "measures" not in done.stderr
    assert recorded(shelf).chosen == Candidate("fast", "cpu")


def test_a_variant_that_is_named_for_what_is_active_is_measured_and_chosen(shelf: Shelf) -> None:
    bundle = shelf.bundle("1.0.0", variants={"wrong": "wrong", "slow": "slow", "fast": "good"})
    assert command(shelf, "install", bundle, "--allow-unsigned").returncode == 0
    assert recorded(shelf).chosen == Candidate("fast", "cpu")

    done = command(shelf, "install", bundle, "--allow-unsigned", "--variant", "slow")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "tiny 1.0.0 was active already; chosen by now: slow on cpu\n"
    slow = recorded(shelf)
    assert slow.chosen == Candidate("slow", "cpu")

    for words in ([], ["--variant", "slow"]):  # repeating it changes nothing
        again = command(shelf, "activate", "tiny", *words)
        assert (again.returncode, again.stdout) == (0, "tiny 1.0.0 was active already\n"), again.stderr
    for words in (["--variant", "wrong"], ["--variant", "int8"], ["--provider", "tpu"]):
        refused = command(shelf, "activate", "tiny", *words)
        assert refused.returncode == 8
        assert "How it is to run was not changed. Version 1.0.0 goes on running." in refused.stderr
    assert recorded(shelf) == slow
    assert shelf.model().bad == {}

    again = command(shelf, "activate", "tiny", "--again")
    assert again.stdout == "tiny 1.0.0 was active already; chosen by now: fast on cpu\n", again.stderr
    assert recorded(shelf).chosen == Candidate("fast", "cpu")


def test_a_trial_that_is_given_up_is_no_longer_pending_though_what_is_named_cannot_be_measured(
    shelf: Shelf,
) -> None:
    shelf.run("1.0.0")
    waiting = shelf.install("1.1.0")
    shelf.store.tried("tiny", waiting.digest)
    refused = command(shelf, "rollback", "--variant", "int8")
    assert refused.returncode == 8
    assert refused.stderr.endswith(
        "How it is to run was not changed. Version 1.0.0 goes on running.\n"
    ), refused.stderr
    assert shelf.model().pending is None


def test_beside_an_agent_what_runs_is_its_configurations_affair(shelf: Shelf) -> None:
    shelf.run("1.0.0")
    before = shelf.store.state()
    with holding(shelf.store.root / "agent.lock"):
        for words in (
            ["install", shelf.bundle("1.1.0"), "--allow-unsigned"],
            ["activate"],
            ["rollback"],
        ):
            done = command(shelf, *words, "--variant", "fp32", "--provider", "cpu")
            assert done.returncode == 7
            assert "Write `models[].variant = 'fp32'` and `models[].provider = 'cpu'`" in done.stderr
        done = command(shelf, "activate", "tiny", "--again")
        assert done.returncode == 7
        assert "--again would measure beside the agent, which does that by itself." in done.stderr
    assert shelf.store.state() == before


def test_an_agent_of_another_release_is_told_of_before_anybody_waits(
    shelf: Shelf, tmp_path: Path
) -> None:
    shelf.run("1.0.0")
    slot = shelf.install("1.1.0")
    site, said = Site(tmp_path / "site"), list[str]()
    lock = shelf.store.root / "agent.lock"
    with holding(lock, environment=site.environment) as agent:
        with pytest.raises(StoreError, match="Why not: journalctl"):
            bring_up(shelf.store, slot, wait_s=0, say=said.append)
        assert said == [f"tiny 1.1.0: waits for the agent, process {agent}"]

        site.upgrade()
        stuck = (
            f"process {agent}, takes nothing up: edge-runtime was upgraded from {__version__} to {NEW}"
        )
        with pytest.raises(
            StoreError, match=rf"is installed and pending; .*{stuck}.*Restart the (service|agent)"
        ):
            bring_up(shelf.store, slot, wait_s=0, say=said.append)
        assert said[1].startswith("warning: ")
        assert stuck in said[1]


def test_an_agent_of_another_place_and_release_than_the_command_is_not_called_upgraded(
    shelf: Shelf, tmp_path: Path
) -> None:
    slot = shelf.install("1.1.0")
    site, said = Site(tmp_path / "site"), list[str]()
    site.upgrade()
    lock = shelf.store.root / "agent.lock"
    with (
        holding(lock, environment=site.environment) as agent,
        pytest.raises(StoreError, match="Why not: journalctl"),
    ):
        bring_up(shelf.store, slot, wait_s=0, say=said.append)
    assert said == [f"tiny 1.1.0: waits for the agent, process {agent}"]


@pytest.mark.parametrize("lost", [True, False])
def test_what_was_measured_and_does_not_hold_any_more_is_measured_again(
    shelf: Shelf, lost: bool
) -> None:
    variants: dict[str, Behaviour] = {"slow": "slow", "fast": "good"}
    bundle = shelf.bundle("1.0.0", variants=variants)
    assert command(shelf, "install", bundle, "--allow-unsigned").returncode == 0
    found = recorded(shelf)
    path = record.path_of(shelf.store.root, "tiny", found.digest)
    if lost:
        path.unlink()
    else:
        older = msgspec.structs.replace(found.key, runtime="0.0.1")
        record.write(path, msgspec.structs.replace(found, key=older, chosen=found.rows[0].candidate))
    assert "without one: edge-runtime activate tiny" in command(shelf, "bench").stdout

    done = command(shelf, "activate", "tiny")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "tiny 1.0.0 was active already; chosen by now: fast on cpu\n"
    assert recorded(shelf).key == found.key


def test_what_an_engine_says_while_it_prepares_is_heard(shelf: Shelf) -> None:
    own = own_engine(shelf.folder, prepare="print('40 % of the plan', flush=True)")
    bundle = shelf.bundle("1.0.0", variants={"gpu": "good"}, on_own={"gpu"})
    done = command(shelf, "install", bundle, "--allow-unsigned", env={**os.environ, **own})
    assert done.returncode == 0, done.stderr
    assert "40 % of the plan\n" in done.stderr


def test_a_record_goes_with_its_slot(shelf: Shelf) -> None:
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        bring_up(shelf.store, shelf.install(version), wait_s=0)
    kept = {*shelf.model().slots}
    records = {path.stem for path in (shelf.store.root / "choices" / "tiny").iterdir()}
    assert (len(kept), records) == (2, kept)


def test_a_record_that_cannot_be_written_is_told_and_the_version_is_active(shelf: Shelf) -> None:
    shelf.run("1.0.0")
    (shelf.store.root / "choices").write_text("no folder")
    done = command(shelf, "install", shelf.bundle("1.1.0"), "--allow-unsigned")
    assert done.returncode == 0, done.stderr
    assert "warning: what was measured is not kept: " in done.stderr


def recorded(shelf: Shelf) -> Record:
    active = shelf.model().active
    assert active is not None
    found = record.read(record.path_of(shelf.store.root, "tiny", active))
    assert found is not None
    return found


def test_a_version_that_never_answers_is_bad_after_the_attempts_it_has(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activate, "READY_TIMEOUT_S", 1.0)
    slot = shelf.install("1.0.0", behaviour="hangs")
    told: list[str] = []

    with pytest.raises(
        EngineError, match="it was rejected: 3 of 3 attempts of its trial failed; the last"
    ):
        bring_up(shelf.store, slot, wait_s=0, say=told.append)
    ended = "loading took more than 1 s, so the worker process was ended."
    assert f"the last: tiny 1.0.0: {ended}" in shelf.model().bad[slot.digest].reason
    begins = "tiny 1.0.0: replays its golden inputs, attempt"
    again = [f"{begins} {number} of 3; the one before: {ended}" for number in (2, 3)]
    assert told == [f"{begins} 1 of 3", *again]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_stopped_by_its_user_costs_no_attempt(
    shelf: Shelf, number: signal.Signals
) -> None:
    """By Ctrl-C, by kill, or as the connection to its terminal is lost."""
    bundle = shelf.bundle("1.0.0", behaviour="hangs")
    (shelf.folder / "root.json").write_bytes(root_bytes())
    line = [COMMAND, "install", bundle, "--store", shelf.store.root]
    with subprocess.Popen(
        [*line, "--trust", shelf.folder / "root.json"], stderr=subprocess.PIPE
    ) as asked:
        wait_for(lambda: on_trial(shelf), "the trial")
        asked.send_signal(number)
        asked.communicate()

    assert asked.returncode == 130
    (slot,) = shelf.model().slots.values()
    assert (slot.state, slot.attempts) == ("trial", 3)


def on_trial(shelf: Shelf) -> bool:
    if not shelf.store.root.exists():
        return False
    return any(
        slot.state == "trial"
        for now in shelf.store.state().models.values()
        for slot in now.slots.values()
    )


def test_a_way_back_whose_process_dies_is_kept(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the kernel ends for want of memory, say, was good here all the same."""
    scarce = shelf.folder / "scarce"
    dies = f"if os.path.exists({str(scarce)!r}): os.kill(os.getpid(), 9)"
    monkeypatch.setenv(*own_engine(shelf.folder, load=dies).popitem())
    old, new = (shelf.run(version, engine="own") for version in ("1.0.0", "1.1.0"))
    for _ in range(2):  # then both are measured, and the next process is told what to load
        bring_up(shelf.store, shelf.store.rollback(), wait_s=0)
    scarce.touch()
    with pytest.raises(WorkerError, match=r"was ended by SIGKILL.*Version 1\.1\.0 goes on running"):
        bring_up(shelf.store, shelf.store.rollback(), wait_s=0)

    now = shelf.model()
    assert (now.active, now.pending, now.previous, now.bad) == (new.digest, None, old.digest, {})
    scarce.unlink()
    bring_up(shelf.store, shelf.store.rollback(), wait_s=0)
    assert shelf.model().active == old.digest


def test_files_that_cannot_be_read_now_are_no_damaged_ones(shelf: Shelf) -> None:
    """As after `umask 077; sudo edge-runtime install`: a right is missing, and can be given."""
    shelf.run("1.0.0")
    slot = shelf.install("1.1.0")
    model = shelf.store.slot_path("tiny", slot.digest) / "variants" / "fp32" / "model.onnx"
    mode = model.stat().st_mode
    model.chmod(0)

    done = command(shelf, "activate", preexec_fn=only_what_modes_allow)

    assert done.returncode == 5, done.stderr
    assert "the bundle cannot be read: Permission denied" in done.stderr
    assert shelf.model().pending == slot.digest
    model.chmod(mode)
    bring_up(shelf.store, slot, wait_s=0)
    assert shelf.model().active == slot.digest


def test_files_that_are_damaged_go_and_the_bundle_may_come_again(shelf: Shelf) -> None:
    shelf.run("1.0.0")
    slot = shelf.install("1.1.0")
    model = shelf.store.slot_path("tiny", slot.digest) / "variants" / "fp32" / "model.onnx"
    model.write_bytes(b"x" * model.stat().st_size)

    with pytest.raises(BundleError, match=r"expected SHA-256.*Version 1.0.0 goes on running"):
        bring_up(shelf.store, slot, wait_s=0)
    assert (shelf.model().pending, shelf.model().bad) == (None, {})
    assert shelf.run("1.1.0").digest == slot.digest
