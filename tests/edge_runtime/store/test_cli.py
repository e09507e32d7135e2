"""The commands install, status and rollback, with a real worker, beside an agent and without one."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge_runtime import cli
from edge_runtime.choice import record
from edge_runtime.choice.decision import Measured
from edge_runtime.choice.key import Key, key_of
from edge_runtime.errors import BundleError, ConfigError, EngineError, StoreError, TrustError
from edge_runtime.store.beside_agent import Told
from edge_runtime.store.disk import Store
from edge_runtime.store.slots import Slot
from tests.edge_runtime.choice.rows import recorded, row
from tests.edge_runtime.store.rig import Shelf, confirm
from tests.edge_runtime.store.test_activate import only_what_modes_allow
from tests.support.agent import COMMAND
from tests.support.tiny_bundle import MODEL_FILE, OTHER_KEY, root_bytes

NOTHING_RUNS = (
    "running, but no model runs: `edge-runtime doctor` and `journalctl -u edge-runtime` tell why"
)


class Command:
    """Runs `edge-runtime` on the shelf's store and keeps what it printed."""

    def __init__(self, shelf: Shelf, capsys: pytest.CaptureFixture[str]) -> None:
        self.shelf, self.capsys, self.out, self.err = shelf, capsys, "", ""
        self.root = shelf.folder / "root.json"
        self.root.write_bytes(root_bytes())

    def __call__(self, *arguments: str | Path) -> int:
        code = cli.run([*map(str, arguments), "--store", str(self.shelf.store.root)])
        self.out, self.err = self.capsys.readouterr()
        assert "Traceback" not in self.err
        return code

    def install(self, version: str, *arguments: str | Path, **options: Any) -> int:
        return self("install", self.shelf.bundle(version, **options), "--trust", self.root, *arguments)

    def document(self, *arguments: str | Path) -> dict[str, Any]:
        """What the command prints with --json."""
        assert self(*arguments, "--json") == 0, self.err
        document = json.loads(self.out)
        assert isinstance(document, dict)
        return document


@pytest.fixture
def command(shelf: Shelf, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(shelf, capsys)


class AgentGoneError(Exception):
    pass


@contextmanager
def agent(store: Store, decide: Callable[[Slot], None]) -> Iterator[None]:
    """The part of an agent that a store sees: it holds the lock and decides on what is pending."""
    ready, end = threading.Event(), threading.Event()

    def run() -> None:
        with suppress(AgentGoneError), store.agent_lock():
            ready.set()
            while not end.wait(0.01):
                for now in store.state().models.values():
                    if now.pending:
                        decide(now.slots[now.pending])

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(10)
    try:
        yield
    finally:
        end.set()
        thread.join()


class TestWithoutAnAgent:
    def test_install_proves_activates_and_only_then_tells_success(self, command: Command) -> None:
        assert command.install("1.0.0") == 0

        assert command.out == "tiny 1.0.0 is active\n"
        assert command.shelf.model().active
        assert not command.shelf.store.agent_running()

    def test_installing_again_and_without_trust_is_fine(self, command: Command) -> None:
        command.install("1.0.0")

        assert command("install", command.shelf.folder / "tiny-1.0.0.edge") == 0
        assert command.out == "tiny 1.0.0 was active already\n"

    def test_rollback_goes_back_and_says_where_to(self, command: Command) -> None:
        command.shelf.run("1.0.0"), command.shelf.run("1.1.0")

        done = command.document("rollback")

        assert (done["version"], done["activated_by"], done["active"]) == ("1.0.0", "command", True)
        assert command.shelf.model().active == done["digest"]

    def test_a_bundle_with_wrong_goldens_is_rejected_and_the_old_one_stays(
        self, command: Command
    ) -> None:
        old = command.shelf.run("1.0.0")

        assert command.install("1.1.0", behaviour="wrong_goldens") == EngineError.exit_code
        assert command.out == ""
        assert command.err.endswith("Version 1.0.0 goes on running.\n")
        assert command.shelf.model().active == old.digest
        assert command.install("1.1.0", behaviour="wrong_goldens") == StoreError.exit_code
        assert "rejected" in command.err

    def test_a_file_that_is_no_model_is_rejected(self, command: Command) -> None:
        assert command.install("1.0.0", behaviour="not_onnx") == EngineError.exit_code
        assert len(command.shelf.model().bad) == 1

    def test_a_slot_damaged_before_its_proof_may_be_installed_again(self, command: Command) -> None:
        slot = command.shelf.run("1.0.0")
        command.shelf.run("1.1.0")
        (command.shelf.store.slot_path("tiny", slot.digest) / MODEL_FILE).write_bytes(b"rotten")

        assert command("rollback") == BundleError.exit_code
        assert command.shelf.model().bad == {}
        assert command.shelf.model().previous is None

    def test_what_was_left_pending_by_an_interrupt_is_activated_by_the_same_command(
        self, command: Command
    ) -> None:
        command.shelf.install("1.0.0")

        assert command.install("1.0.0") == 0
        assert command.shelf.model().active


class TestTheBoard:
    def test_a_bundle_for_another_board_is_refused_before_anything_is_written(
        self, command: Command
    ) -> None:
        assert command.install("1.0.0", "--board", "pi4", boards=("pi5",)) == EngineError.exit_code
        assert "fp32 is made for pi5 (this is pi4)" in command.err
        assert not command.shelf.store.root.exists()

        assert command.install("1.0.0", "--board", "pi5", boards=("pi5",)) == 0

    def test_what_is_activated_or_gone_back_to_is_tried_as_the_board_runs_it(
        self, command: Command
    ) -> None:
        old = command.shelf.run("1.0.0", boards=("pi5",))
        new = command.shelf.run("1.1.0")

        assert command("rollback", "--board", "pi4") == EngineError.exit_code
        assert "fp32 is made for pi5 (this is pi4)" in command.err
        assert command("activate", "tiny", "1.0.0", "--board", "pi4") == EngineError.exit_code
        assert command.shelf.model().active == new.digest
        assert command.shelf.model().bad == {}

        assert command("activate", "tiny", "1.0.0", "--board", "pi5") == 0
        assert command.shelf.model().active == old.digest

    def test_its_golden_outputs_are_those_of_the_variant_for_the_board(self, command: Command) -> None:
        assert command.install("1.0.0", "--board", "pi4", wrong_on="pi5") == 0
        why = command.install("1.1.0", "--board", "pi5", "--variant", "wrong", wrong_on="pi5")
        assert why == EngineError.exit_code
        assert "expected the source model's outputs" in command.err

    def test_a_board_that_nobody_knows_is_refused_with_those_there_are(self, command: Command) -> None:
        assert command.install("1.0.0", "--board", "pi9") == ConfigError.exit_code
        assert "expected one of agx-orin, " in command.err
        assert "found 'pi9'" in command.err


class TestWhatIsKept:
    def test_a_version_is_activated_by_its_number_and_again_changes_nothing(
        self, command: Command
    ) -> None:
        old = command.shelf.run("1.0.0")
        command.shelf.run("1.1.0")

        done = command.document("activate", "tiny", "1.0.0")

        assert (done["version"], done["digest"], done["activated_by"]) == (
            "1.0.0",
            old.digest,
            "command",
        )
        assert command("activate", "tiny", old.digest[:12]) == 0
        assert command.out == "tiny 1.0.0 was active already\n"

    def test_a_version_that_is_not_here_cannot_be_activated(self, command: Command) -> None:
        command.shelf.run("1.0.0")

        assert command("activate", "tiny", "9.9.9") == StoreError.exit_code
        assert "9.9.9" in command.err
        assert command("activate", "other") == StoreError.exit_code
        assert "other" in command.err

    def test_where_nothing_is_on_trial_a_confirm_says_what_runs(self, command: Command) -> None:
        slot = command.shelf.run("1.0.0")

        done = command.document("confirm")

        assert (done["version"], done["digest"], done["active"]) == ("1.0.0", slot.digest, True)

    def test_pruning_to_one_removes_the_way_back_and_again_nothing(self, command: Command) -> None:
        command.shelf.run("1.0.0"), command.shelf.run("1.1.0")

        assert command.document("prune", "--keep", "1") == {
            "keep": 1,
            "removed": [{"model": "tiny", "version": "1.0.0"}],
        }
        assert command("prune") == 0
        assert command.out == "removed nothing; keeps 1 good versions of each model\n"
        assert command("rollback") == StoreError.exit_code
        assert [each.version for each in command.shelf.model().slots.values()] == ["1.1.0"]

    def test_a_wider_store_keeps_older_versions_to_go_back_to(self, command: Command) -> None:
        command.shelf.run("1.0.0")
        assert command("prune", "--keep", "3") == 0
        command.shelf.run("1.1.0"), command.shelf.run("1.2.0")

        assert command("activate", "tiny", "1.0.0") == 0
        assert len(command.shelf.model().slots) == 3


class TestBesideAnAgent:
    def test_install_waits_for_the_agent_and_does_nothing_itself(self, command: Command) -> None:
        store = command.shelf.store
        with agent(store, lambda slot: confirm(store, slot)):
            assert command.install("1.0.0") == 0

        assert command.out == "tiny 1.0.0 is active, taken up by the agent\n"

    def test_a_rejection_is_told_with_its_reason_and_what_runs(self, command: Command) -> None:
        store = command.shelf.store
        command.shelf.run("1.0.0")
        with agent(store, lambda slot: store.rejected(slot.model, slot.digest, "row 2 differs.")):
            assert command.install("1.1.0") == EngineError.exit_code

        assert "it was rejected: row 2 differs. Version 1.0.0 goes on running." in command.err

    def test_a_withdrawal_is_told(self, command: Command) -> None:
        store = command.shelf.store
        with agent(store, lambda slot: store.withdrawn(slot.model, slot.digest)):
            assert command.install("1.0.0") == StoreError.exit_code

        assert "not pending any more" in command.err
        assert "None runs." in command.err

    def test_an_agent_that_does_not_decide_is_not_waited_for_for_ever(self, command: Command) -> None:
        with agent(command.shelf.store, lambda slot: None):
            assert command.install("1.0.0", "--wait", "0.2") == StoreError.exit_code

        assert "installed and pending" in command.err
        assert "0.2 s" in command.err
        assert command.shelf.model().pending

    def test_when_the_agent_goes_the_command_takes_over(self, command: Command) -> None:
        until = time.monotonic() + 0.5

        def give_up(slot: Slot) -> None:
            if time.monotonic() > until:
                raise AgentGoneError

        with agent(command.shelf.store, give_up):
            done = command.document(
                "install", command.shelf.bundle("1.0.0"), "--trust", command.root, "--wait", "30"
            )

        assert done["activated_by"] == "command"


class TestStatus:
    def test_it_shows_versions_roles_floor_trust_and_what_was_rejected(self, command: Command) -> None:
        command.shelf.run("1.0.0"), command.shelf.run("1.1.0")
        bad = command.shelf.install("1.2.0")
        command.shelf.store.rejected("tiny", bad.digest, "Row 2 differs.")
        command.shelf.install("1.3.0")

        assert command("status") == 0
        lines = command.out.splitlines()
        assert lines[0] == "agent  not running"
        assert lines[1].startswith("trust  root version 1, bundles signed by 1 of: ")
        assert lines[3] == "tiny  (new bundles need a release of 1001000 or more)"
        shown = [tuple(line.split()[:3]) for line in lines[4:]]
        assert shown == [
            ("active", "1.1.0", "good"),
            ("pending", "1.3.0", "staged"),
            ("previous", "1.0.0", "good"),
            ("rejected", "1.2.0", "bad"),
        ]
        assert lines[-1].endswith("Row 2 differs.")

    def test_a_declared_floor_is_told_before_and_after_the_confirm(self, command: Command) -> None:
        command.shelf.run("1.0.0")
        mended = command.shelf.install("1.1.0", floor=1_001_000)

        assert command("status") == 0
        pending = next(line for line in command.out.splitlines() if "pending" in line)
        assert pending.endswith("  its confirm forbids releases below 1001000")
        assert "declared" not in command.out

        confirm(command.shelf.store, mended)
        assert command("status") == 0
        assert "  1.1.0 declared that no release below 1001000 may run again" in command.out.splitlines()
        assert command.document("status")["models"]["tiny"]["declared"] == 1_001_000
        assert command("rollback") == StoreError.exit_code
        assert command.err.endswith("make a new bundle of it with a release of 1001000 or more.\n")

    def test_it_says_when_nothing_runs_any_more(self, command: Command) -> None:
        """The only way back was below the floor that the damaged version had declared."""
        command.shelf.run("1.0.0")
        slot = command.shelf.run("1.1.0", floor=1_001_000)
        command.shelf.store.withdrawn("tiny", slot.digest)

        assert command("status") == 0
        assert command.out.splitlines()[-1] == "  nothing runs: install a bundle"
        assert command.install("1.1.0", floor=1_001_000) == 0

    def test_it_says_how_what_is_active_runs_where_that_was_measured(self, command: Command) -> None:
        def lines(*rows: Measured, key: Key | None = None) -> list[str]:
            path = record.path_of(command.shelf.store.root, "tiny", slot.digest)
            found = recorded(*rows, digest=slot.digest)
            record.write(path, msgspec.structs.replace(found, key=key or found.key))
            assert command("status") == 0
            return [line.strip() for line in command.out.splitlines()[4:]]

        slot = command.shelf.run("1.0.0")
        failed = row("int8", provider="cuda", why_not="There is no driver.")
        active, told = lines(row("fp32", 20.5), row("int8", 12.25), failed)
        assert active.startswith("active")
        assert told == (
            "chosen: int8 on cpu, 12.2 µs a row here, of 2 that were timed; 1 more cannot serve"
        )
        choice = command.document("status")["choices"]["tiny"]
        assert choice["chosen"] == {"variant": "int8", "provider": "cpu"}
        assert choice["rows"][2]["why_not"] == "There is no driver."

        assert lines(row("fp32"))[1] == "chosen: fp32 on cpu, its only variant"
        assert lines(row("fp32"), failed)[1] == "chosen: fp32 on cpu, as no other can serve here"
        pinned = key_of(variant="fp32")
        assert lines(row("fp32"), key=pinned)[1] == "chosen: fp32 on cpu, as no other is wanted"

    def test_why_a_version_waits_is_told_with_and_without_an_agent(self, command: Command) -> None:
        store = command.shelf.store
        command.shelf.run("1.0.0")
        waits = command.shelf.install("1.1.0")
        store.tried("tiny", waits.digest)
        store.judged("tiny", waits.digest, "wait", "There is no memory.")

        assert command("status") == 0
        pending = next(line for line in command.out.splitlines() if "pending" in line)
        assert pending.endswith("  3 of 3 attempts left  There is no memory.")

        told = Told({"tiny": "1.0.0"}, {"tiny": "1.1.0 waits: There is no memory now."})
        with store.agent_lock() as lock:
            lock.say(told.line())
            document = command.document("status")
            assert command("status") == 0
        lines = command.out.splitlines()
        assert lines[0] == "agent  running"
        assert lines[4] == "  1.1.0 waits: There is no memory now."
        assert lines[6].endswith("  3 of 3 attempts left")
        assert document["agent"] == {
            "runs": {"tiny": "1.0.0"},
            "waits": {"tiny": "1.1.0 waits: There is no memory now."},
        }

    @pytest.mark.parametrize(
        ("told", "first", "of_model"),
        [
            (
                Told({"tiny": ""}, {"tiny": "The engine is broken."}),
                NOTHING_RUNS,
                "does not run: The engine is broken.",
            ),
            (
                Told({"tiny": "", "other": "1.0.0"}),
                "running",
                "does not run yet",
            ),
            (
                Told({}),
                "running; its configuration names no model",
                "does not run: the agent's configuration does not name it",
            ),
        ],
    )
    def test_what_is_active_and_does_not_run_is_told(
        self, command: Command, told: Told, first: str, of_model: str
    ) -> None:
        command.shelf.run("1.0.0")
        with command.shelf.store.agent_lock() as lock:
            lock.say(told.line())
            assert command("status") == 0
        lines = command.out.splitlines()
        assert lines[0] == f"agent  {first}"
        tiny = next(number for number, line in enumerate(lines) if line.startswith("tiny  ("))
        assert lines[tiny + 1] == f"  {of_model}"

    def test_a_configured_model_that_is_not_installed_is_told_with_the_reason(
        self, command: Command
    ) -> None:
        with command.shelf.store.agent_lock() as lock:
            lock.say(Told({"tiny": ""}, {"tiny": "tiny.edge: the bundle cannot be read."}).line())
            assert command("status") == 0
        assert command.out.splitlines()[-3:] == [
            "",
            "tiny",
            "  does not run: tiny.edge: the bundle cannot be read.",
        ]

    def test_programs_get_the_same_as_one_document(self, command: Command) -> None:
        slot = command.shelf.run("1.0.0")

        document = command.document("status")

        assert document["agent_running"] is False
        assert document["models"]["tiny"]["active"] == slot.digest
        assert document["trust"]["bundle_threshold"] == 1

    def test_a_store_without_trust_or_models_says_so(self, command: Command) -> None:
        with command.shelf.store.agent_lock():
            assert command("status") == 0
            assert command.out.splitlines() == [
                "agent  running",
                "trust  no root file; anybody's bundles are taken with --allow-unsigned",
                "no models are installed",
            ]
            assert command.document("status")["trust"] is None


@pytest.mark.parametrize(
    "words", ["activate", "activate tiny 1.0.0", "rollback", "confirm", "prune", "trust update"]
)
@pytest.mark.parametrize("there", [True, False])
def test_where_nothing_was_ever_installed_a_refusal_leaves_nothing_behind(
    command: Command, words: str, there: bool
) -> None:
    root = command.shelf.store.root
    if there:
        root.mkdir()
    extra = [command.root] if words == "trust update" else []
    assert command(*words.split(), *extra) == StoreError.exit_code
    assert "`edge-runtime install` " in command.err
    assert not any(root.iterdir()) if there else not root.exists()


def test_a_store_that_is_a_file_is_told_to_be_one(command: Command) -> None:
    command.shelf.store.root.write_text("no folder")
    assert command("status") == StoreError.exit_code
    assert "expected the folder of a store, found a file" in command.err


@pytest.mark.parametrize("words", ["status", "activate", "rollback"])
def test_a_store_that_we_may_not_look_into_is_told_with_where_to_look(
    command: Command, words: str
) -> None:
    command.shelf.run("1.0.0")
    root = command.shelf.store.root
    root.chmod(0)
    done = subprocess.run(
        [COMMAND, words, "--store", root],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=only_what_modes_allow,
    )
    root.chmod(0o755)
    assert done.returncode == StoreError.exit_code
    told = f"{root}/state.json: the store's state cannot be read: Permission denied. Look who may: ls "
    assert told in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize(("mode", "what"), [(0o700, "."), (0o600, "state.json")])
def test_what_belongs_to_somebody_else_is_told_with_whom_to_run_as(
    command: Command, mode: int, what: str
) -> None:
    command.shelf.run("1.0.0")
    closed = command.shelf.store.root / what
    os.chown(closed, 65_534, 65_534)
    closed.chmod(mode)
    line = [COMMAND, "status", "--store", command.shelf.store.root]
    done = subprocess.run(
        line, capture_output=True, text=True, check=False, preexec_fn=only_what_modes_allow
    )
    assert done.returncode == StoreError.exit_code
    assert "It belongs to nobody, and this runs as root: run it with `sudo -u nobody` before it" in (
        done.stderr
    )


def test_bad_requests_are_one_line_with_the_documented_exit_code(command: Command) -> None:
    shelf, other = command.shelf, command.shelf.bundle("1.0.0", key=OTHER_KEY)

    assert command("status") == command("rollback") == StoreError.exit_code
    assert command("install", other, "--trust", command.root) == TrustError.exit_code
    assert command("install", other) == TrustError.exit_code
    assert command("install", other, "--trust", command.root, "--allow-unsigned") == 2
    assert command("install", shelf.folder / "gone.edge", "--allow-unsigned") == BundleError.exit_code
    assert len(command.err.strip().splitlines()) == 2  # what it was doing, and the error
    assert not shelf.store.root.exists()
