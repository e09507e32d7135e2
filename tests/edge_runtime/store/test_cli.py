"""The commands install and rollback, with a real worker, beside an agent and without one."""

import time

from edge_runtime.errors import BundleError, ConfigError, EngineError, StoreError, TrustError
from edge_runtime.starting import worded
from edge_runtime.store.beside_agent import Told
from edge_runtime.store.slots import Slot
from tests.edge_runtime.store.commands import AgentGoneError, Command, agent
from tests.edge_runtime.store.rig import confirm
from tests.support.tiny_bundle import MODEL_FILE, OTHER_KEY


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

    def test_of_several_models_one_is_named_to_go_back(self, command: Command) -> None:
        for model in ("tiny", "other"):
            command.shelf.run("1.0.0", model), command.shelf.run("1.1.0", model)

        assert command("rollback") == StoreError.exit_code
        assert "expected one model in this store, found: other, tiny. Name one." in command.err
        assert command.document("rollback", "tiny")["model"] == "tiny"
        assert command.document("rollback", "--model", "other")["model"] == "other"
        assert command("rollback", "tiny", "--model", "other") == 2
        assert command("rollback", "tiny") == 0
        assert command.out == "tiny 1.1.0 is active\n"

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

    def test_what_was_rejected_for_a_fault_that_is_mended_is_tried_again_on_request(
        self, command: Command
    ) -> None:
        slot = command.shelf.install("1.0.0")
        command.shelf.store.rejected("tiny", slot.digest, "The memory limit of 64 MB was reached.")

        assert command.install("1.0.0") == StoreError.exit_code
        assert "The memory limit of 64 MB was reached. Install another one, or this" in command.err
        assert "one with --retry once that is mended." in command.err
        assert command("activate", "tiny", "1.0.0") == StoreError.exit_code
        assert "It was rejected here: once that is mended, edge-runtime install BUNDLE" in command.err

        assert command.install("1.0.0", "--retry") == 0
        assert command.out == "tiny 1.0.0 is active\n"
        assert command.shelf.model().bad == {}

    def test_what_is_as_wrong_as_before_is_rejected_again(self, command: Command) -> None:
        for _ in range(2):
            wrong = command.install("1.0.0", "--retry", behaviour="wrong_goldens")
            assert wrong == EngineError.exit_code
            assert command.shelf.model().bad

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


class TestBesideAnAgent:
    def test_install_waits_for_the_agent_and_does_nothing_itself(self, command: Command) -> None:
        store = command.shelf.store
        with agent(store, lambda slot: confirm(store, slot)):
            assert command.install("1.0.0") == 0

        assert command.out == "tiny 1.0.0 is active, taken up by the agent\n"

    def test_a_rejection_is_told_with_its_reason_and_what_runs(self, command: Command) -> None:
        store = command.shelf.store
        command.shelf.run("1.0.0")
        why = "tiny 1.1.0: row 2 differs."
        with agent(store, lambda slot: store.rejected(slot.model, slot.digest, why)):
            assert command.install("1.1.0") == EngineError.exit_code

        assert "it was rejected: row 2 differs. Version 1.0.0 goes on running." in command.err

    def test_a_withdrawal_is_told(self, command: Command) -> None:
        store = command.shelf.store
        with agent(store, lambda slot: store.withdrawn(slot.model, slot.digest)):
            assert command.install("1.0.0") == StoreError.exit_code

        assert "not pending any more" in command.err
        assert worded("why, where an agent runs: journalctl -u edge-runtime.") in command.err
        assert "None runs." in command.err

    def test_an_agent_that_does_not_decide_is_not_waited_for_for_ever(self, command: Command) -> None:
        with agent(command.shelf.store, lambda slot: None):
            assert command.install("1.0.0", "--wait", "0.2") == StoreError.exit_code

        assert (
            worded("not activated it within 0.2 s. Why not: journalctl -u edge-runtime.") in command.err
        )
        assert command.shelf.model().pending

    def test_why_a_version_waits_is_told_as_the_agent_knows_it(self, command: Command) -> None:
        with command.shelf.store.agent_lock() as lock:
            lock.say(Told({"tiny": ""}, pending={"tiny": "It is made for pi5."}).line())
            assert command.install("1.0.0", "--wait", "0.2") == StoreError.exit_code

        first, second, error = command.err.splitlines()[-3:]
        assert first.startswith("tiny 1.0.0: waits for the agent, process ")
        assert second == "tiny 1.0.0: cannot be tried now: It is made for pi5."
        assert "within 0.2 s. Why it waits: It is made for pi5. `edge-runtime status`" in error
        assert "journalctl" not in command.err

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


def test_bad_requests_are_one_line_with_the_documented_exit_code(command: Command) -> None:
    shelf, other = command.shelf, command.shelf.bundle("1.0.0", key=OTHER_KEY)

    assert command("status") == command("rollback") == StoreError.exit_code
    assert command("install", other, "--trust", command.root) == TrustError.exit_code
    assert command("install", other) == TrustError.exit_code
    assert command("install", other, "--trust", command.root, "--allow-unsigned") == 2
    assert command("install", shelf.folder / "gone.edge", "--allow-unsigned") == BundleError.exit_code
    assert len(command.err.strip().splitlines()) == 2  # what it was doing, and the error
    assert not shelf.store.root.exists()
