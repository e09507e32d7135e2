"""`trust show` and `trust update`, and what `install` says of trust and requirements."""

import json
from pathlib import Path
from typing import Any

import pytest

from edge_runtime import cli
from edge_runtime.bundle import key_id
from edge_runtime.errors import EngineError, StoreError, TrustError
from tests.edge_runtime.store.rig import Shelf
from tests.edge_runtime.store.test_trust import SECOND, THIRD, pinned
from tests.support.tiny_bundle import KEY, OTHER_KEY, root_bytes


class Command:
    """Runs `edge-runtime` on the shelf's store, with root files beside it."""

    def __init__(self, shelf: Shelf, capsys: pytest.CaptureFixture[str]) -> None:
        self.shelf, self.capsys, self.out, self.err = shelf, capsys, "", ""
        for number, raw in enumerate((root_bytes(), SECOND, THIRD), 1):
            self.file(number).write_bytes(raw)

    def file(self, number: int) -> Path:
        return self.shelf.folder / f"{number}.root.json"

    def __call__(self, *arguments: str | Path) -> int:
        code = cli.run([*map(str, arguments), "--store", str(self.shelf.store.root)])
        self.out, self.err = self.capsys.readouterr()
        assert "Traceback" not in self.err
        return code

    def document(self, *arguments: str | Path) -> dict[str, Any]:
        assert self(*arguments, "--json") == 0, self.err
        found: dict[str, Any] = json.loads(self.out)
        return found


@pytest.fixture
def command(shelf: Shelf, capsys: pytest.CaptureFixture[str]) -> Command:
    shelf.install("1.0.0")
    return Command(shelf, capsys)


def test_show_says_whom_the_store_trusts_until_when_and_whether_the_clock_counts(
    command: Command,
) -> None:
    assert command("trust", "show") == 0
    assert "root file version 1, expires 2046-01-01" in command.out
    assert key_id(KEY.public_key()) in command.out
    assert "in force for" in command.out
    assert "the clock " in command.out

    shown = command.document("trust", "show")
    assert (shown["version"], shown["expired"], shown["accepts_new"]) == (1, False, True)
    assert shown["roles"]["bundle"] == {"key_ids": [key_id(KEY.public_key())], "threshold": 1}


def test_update_rotates_and_the_same_again_is_nothing(command: Command) -> None:
    assert command.document("trust", "update", command.file(2))["changed"] is True
    assert command.document("trust", "update", command.file(2))["changed"] is False
    assert command.document("trust", "show")["roles"]["bundle"]["key_ids"] == [
        key_id(OTHER_KEY.public_key())
    ]
    assert command("trust", "update", command.file(3), command.file(2)) == 0
    assert "the store trusts a new root file" in command.out
    assert pinned(command.shelf) == THIRD


@pytest.mark.parametrize("spoilt", [SECOND[: len(SECOND) // 2], b"", b"\0" * 500])
def test_a_damaged_file_is_refused_by_name_and_nothing_changes(spoilt: bytes, command: Command) -> None:
    command.file(2).write_bytes(spoilt)

    assert command("trust", "update", command.file(2)) == TrustError.exit_code
    assert "2.root.json: root file: expected strict JSON" in command.err
    assert pinned(command.shelf) == root_bytes()


def test_skipping_and_going_back_are_one_sentence(command: Command) -> None:
    assert command("trust", "update", command.file(3)) == TrustError.exit_code
    assert "expected version 2, the one after the trusted version 1, found 3" in command.err
    command("trust", "update", command.file(2))
    assert command("trust", "update", command.file(1)) == TrustError.exit_code
    assert len(command.err.splitlines()) == 1
    assert pinned(command.shelf) == SECOND


def test_a_store_without_trust_says_how_to_get_one(
    shelf: Shelf, capsys: pytest.CaptureFixture[str]
) -> None:
    command = Command(shelf, capsys)
    assert command("trust", "show") == StoreError.exit_code
    shelf.store.install(shelf.bundle("1.0.0", key=None), allow_unsigned=True)

    assert command("trust", "show") == StoreError.exit_code
    assert command("trust", "update", command.file(2)) == StoreError.exit_code
    assert "with --trust" in command.err


def test_a_bundle_whose_requirements_are_not_met_is_refused_and_not_condemned(command: Command) -> None:
    before = command.shelf.store.state()
    path = command.shelf.bundle("1.1.0", requires={"onnxruntime": ">=99"})

    assert command("install", path) == EngineError.exit_code
    assert "fp32 needs onnxruntime >=99, found" in command.err
    assert "Upgrade what is named" in command.err
    assert command.shelf.store.state() == before
