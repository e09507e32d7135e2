"""The commands activate, confirm and prune: what shall run, and what is kept."""

import shutil

from edge_runtime.errors import BundleError, StoreError
from tests.edge_runtime.store.commands import Command


def test_a_version_is_activated_by_its_number_and_again_changes_nothing(command: Command) -> None:
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


def test_a_version_that_is_not_here_cannot_be_activated(command: Command) -> None:
    command.shelf.run("1.0.0")

    assert command("activate", "tiny", "9.9.9") == StoreError.exit_code
    assert "9.9.9" in command.err
    assert command("activate", "other") == StoreError.exit_code
    assert "other" in command.err


def test_where_nothing_is_on_trial_a_confirm_says_what_runs(command: Command) -> None:
    slot = command.shelf.run("1.0.0")

    done = command.document("confirm")

    assert (done["version"], done["digest"], done["active"]) == ("1.0.0", slot.digest, True)
    assert command("confirm") == 0
    assert command.out == "tiny 1.0.0 was active already, and nothing is on trial\n"


def test_pruning_to_one_removes_the_way_back_and_again_nothing(command: Command) -> None:
    command.shelf.run("1.0.0"), command.shelf.run("1.1.0")

    assert command.document("prune", "--keep", "1") == {
        "keep": 1,
        "removed": [{"model": "tiny", "version": "1.0.0"}],
    }
    assert command("prune") == 0
    assert command.out == "removed nothing; keeps 1 good version of each model\n"
    assert command("rollback") == StoreError.exit_code
    assert [each.version for each in command.shelf.model().slots.values()] == ["1.1.0"]


def test_a_wider_store_keeps_older_versions_to_go_back_to(command: Command) -> None:
    command.shelf.run("1.0.0")
    assert command("prune", "--keep", "3") == 0
    command.shelf.run("1.1.0"), command.shelf.run("1.2.0")

    assert command("activate", "tiny", "1.0.0") == 0
    assert len(command.shelf.model().slots) == 3


def test_what_is_active_and_whose_files_are_gone_is_not_told_to_be_activated(command: Command) -> None:
    slot = command.shelf.run("1.0.0")
    shutil.rmtree(command.shelf.store.slot_path("tiny", slot.digest))

    assert command("activate") == BundleError.exit_code
    assert "are not in" in command.err
    assert command.install("1.0.0") == 0
    assert command("activate") == 0
