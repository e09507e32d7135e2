"""Commands on a folder that is no store, or not one for whoever asks."""

import os
import subprocess

import pytest

from edge_runtime.errors import StoreError
from tests.edge_runtime.store.commands import Command
from tests.edge_runtime.store.test_activate import only_what_modes_allow
from tests.support.agent import COMMAND


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
    os.chown(closed, 12_345, 12_345)
    closed.chmod(mode)
    line = [COMMAND, "status", "--store", command.shelf.store.root]
    done = subprocess.run(
        line, capture_output=True, text=True, check=False, preexec_fn=only_what_modes_allow
    )
    assert done.returncode == StoreError.exit_code
    told = (
        "It belongs to user 12345, and this runs as user root: run it with `sudo -u '#12345'` before it"
    )
    assert told in done.stderr
