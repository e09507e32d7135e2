"""`keys root`, `rotate`, `sign-root` and `show`: what people who hold keys do, each at home."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from edge_runtime import cli
from edge_runtime.bundle import key_id, load_private_key, load_root
from edge_runtime.bundle.rotation import rotated
from edge_runtime.errors import StorageError, TrustError


class People:
    """Alice, Bob and Carol, each with a key, and what the commands tell them."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys, self.out, self.err = folder, capsys, "", ""
        for name in ("alice", "bob", "carol"):
            assert self("generate", folder, "--name", name, "--key-only") == 0

    def __call__(self, command: str, *arguments: str | Path) -> int:
        code = cli.run(["keys", command, *map(str, arguments)])
        self.out, self.err = self.capsys.readouterr()
        assert "Traceback" not in self.err
        return code

    def document(self, command: str, *arguments: str | Path) -> dict[str, Any]:
        assert self(command, *arguments, "--json") == 0, self.err
        found: dict[str, Any] = json.loads(self.out)
        return found

    def public(self, name: str) -> Path:
        return self.folder / f"{name}.pub.pem"

    def private(self, name: str) -> Path:
        return self.folder / f"{name}.pem"

    def id_of(self, name: str) -> str:
        return key_id(load_private_key(self.private(name)).public_key())

    def first_root(self, *arguments: str | Path) -> Path:
        """Two of Alice and Bob for roots, one of them for bundles."""
        path = self.folder / "1.root.json"
        both = [self.public("alice"), self.public("bob")]
        keys = [each for key in both for each in ("--root-key", key, "--bundle-key", key)]
        assert self("root", path, *keys, "--root-threshold", "2", *arguments) == 0, self.err
        return path


@pytest.fixture
def people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> People:
    return People(tmp_path, capsys)


def test_a_key_alone_comes_without_a_root_file_and_only_its_owner_reads_it(people: People) -> None:
    assert not (people.folder / "root.json").exists()
    assert stat.S_IMODE(people.private("alice").stat().st_mode) == 0o600
    assert people.document("show", people.public("alice"))["key_id"] == people.id_of("alice")
    assert people("show", people.private("alice"), "--public") == 0
    assert people.out == people.public("alice").read_text()
    assert people("show", people.private("alice")) == 0
    assert people.out == f"private key {people.id_of('alice')}\n"


def test_a_first_root_counts_once_enough_have_signed_it_each_at_home(people: People) -> None:
    path = people.first_root("--expires-days", "100")
    assert "signed by 0 of its own root keys, 2 must: 2 more must sign it" in people.out
    with pytest.raises(TrustError, match="keys sign-root"):
        load_root(path)

    assert (
        people.document("sign-root", path, "--signing-key", people.private("alice"))["complete"] is False
    )
    assert people.document("sign-root", path, "--signing-key", people.private("bob"))["complete"] is True

    root = load_root(path)
    assert (root.version, root.root.threshold, root.bundle.threshold) == (1, 2, 1)
    assert set(root.root.key_ids) == {people.id_of("alice"), people.id_of("bob")}


def test_signing_at_once_gives_the_same_bytes_as_in_steps(people: People) -> None:
    path = people.first_root()
    for name in ("bob", "alice"):
        people("sign-root", path, "--signing-key", people.private(name))
    raw = path.read_bytes()
    again = people.document("sign-root", path, "--signing-key", people.private("alice"))

    assert again["complete"] is True
    assert path.read_bytes() == raw


@pytest.fixture
def first(people: People) -> Path:
    keys = [each for name in ("alice", "bob") for each in ("--signing-key", people.private(name))]
    return people.first_root(*keys)


def test_a_lost_key_is_replaced_by_those_who_are_left_and_the_new_one(
    people: People, tmp_path: Path
) -> None:
    first, second = tmp_path / "one.json", tmp_path / "two.json"
    names = [("--root-key", people.public(name)) for name in ("alice", "bob", "carol")]
    signers = [("--signing-key", people.private(name)) for name in ("alice", "bob")]
    given = [each for pair in (*names, *signers) for each in pair]
    assert (
        people("root", first, *given, "--bundle-key", people.public("alice"), "--root-threshold", 2) == 0
    )

    lost = people.id_of("carol")
    made = people.document(
        *("rotate", first, second, "--remove-root-key", lost[:8], "--signing-key", people.private("bob"))
    )
    assert made["complete"] is False
    done = people.document("sign-root", second, "--signing-key", people.private("alice"), "--old", first)

    assert done["complete"] is True
    assert lost not in rotated(load_root(first), second.read_bytes()).root.key_ids


def test_the_next_root_says_who_is_missing_on_either_side(people: People, first: Path) -> None:
    second = people.folder / "2.root.json"
    given = ["--add-root-key", people.public("carol"), "--remove-root-key", people.id_of("bob")]

    assert people("rotate", first, second, *given, "--signing-key", people.private("alice")) == 0
    assert "signed by 1 of its own root keys, 2 must: 1 more must sign it" in people.out
    assert "signed by 1 of the root keys of version 1, 2 must: 1 more must sign it" in people.out

    done = people.document("sign-root", second, "--signing-key", people.private("bob"), "--old", first)
    assert done["signed_by"]["own"] == [people.id_of("alice")]
    assert done["complete"] is False, "Bob's signature counts for the old root only"
    done = people.document("sign-root", second, "--signing-key", people.private("carol"), "--old", first)
    assert done["complete"] is True
    assert rotated(load_root(first), second.read_bytes()).version == 2


def test_without_the_old_root_it_says_that_its_keys_must_sign_too(people: People, first: Path) -> None:
    second = people.folder / "2.root.json"
    people("rotate", first, second)

    assert people("sign-root", second, "--signing-key", people.private("carol")) == 0
    assert "version 1's root keys must have signed it too" in people.out
    assert f"signed by {people.id_of('carol')}, which is none of these keys" in people.out


def test_no_root_file_is_overwritten(people: People, first: Path) -> None:
    raw = first.read_bytes()

    assert people("rotate", first, first) == StorageError.exit_code
    assert "choose another name" in people.err
    assert first.read_bytes() == raw


@pytest.mark.parametrize("start", ["", "zz", "0" * 64])
def test_a_key_to_remove_is_one_of_the_old_root_s(start: str, people: People, first: Path) -> None:
    arguments = [first, people.folder / "2.root.json", "--remove-root-key", start]

    assert people("rotate", *arguments) == TrustError.exit_code
    assert "found 0 of them" in people.err


def test_a_root_that_nobody_could_satisfy_is_not_made(people: People, first: Path) -> None:
    second = people.folder / "2.root.json"
    assert people("rotate", first, second, "--remove-root-key", people.id_of("bob")) == 6
    assert "from 1 to the 1 keys of the role 'root', found 2" in people.err
    assert people("rotate", first, second, "--root-threshold", "0") == 2
    assert not second.exists()


def test_what_is_neither_a_key_nor_a_root_file_is_one_sentence(people: People, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("{}")
    public = people.public("alice")
    for arguments in (
        ("show", tmp_path / "gone"),
        ("show", tmp_path / "x"),
        ("sign-root", tmp_path / "x", "--signing-key", people.private("alice")),
        ("root", tmp_path / "y", "--root-key", people.private("alice"), "--bundle-key", public),
    ):
        assert people(*map(str, arguments)) == TrustError.exit_code
        assert len(people.err.splitlines()) == 1
    assert (tmp_path / "x").read_text() == "{}"
