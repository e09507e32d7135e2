"""`sign`: signatures added one by one, in any order, are those that sealing with all keys makes."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from edge_runtime import cli
from edge_runtime.bundle import key_id, make_root, open_bundle, seal, write_archive
from edge_runtime.bundle.keys import encode_private_key
from edge_runtime.bundle.manifest import decode
from edge_runtime.bundle.reader import MAX_SIGNATURES
from edge_runtime.bundle.signature import sign
from edge_runtime.errors import BundleError, StorageError, TrustError
from tests.support.tiny_bundle import KEY, OTHER_KEY, tiny_bundle
from tests.support.unpacked import payloads

Key = ec.EllipticCurvePrivateKey


def id_of(key: Key) -> str:
    return key_id(key.public_key())


def sealed(*keys: Key) -> bytes:
    """The tiny bundle, signed by these at once."""
    files = payloads(tiny_bundle(key=None))
    manifest = decode(files.pop("manifest.json"))
    return seal(msgspec.structs.replace(manifest, files={}), files, keys)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "tiny-1.0.0.edge"
    path.write_bytes(sealed())
    return path


class Signer:
    """Runs `sign` and keeps what it printed."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys, self.out, self.err = folder, capsys, "", ""

    def __call__(self, bundle: Path, key: Key, *arguments: str | Path) -> int:
        file = self.folder / f"{id_of(key)[:8]}.pem"
        file.write_bytes(encode_private_key(key))
        code = cli.run(["sign", *map(str, [bundle, "--signing-key", file, *arguments])])
        self.out, self.err = self.capsys.readouterr()
        return code

    def document(self, bundle: Path, key: Key) -> dict[str, Any]:
        assert self(bundle, key, "--json") == 0, self.err
        found: dict[str, Any] = json.loads(self.out)
        return found


@pytest.fixture
def signer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Signer:
    return Signer(tmp_path, capsys)


@pytest.mark.parametrize("order", [[KEY, OTHER_KEY], [OTHER_KEY, KEY]])
def test_signing_in_steps_gives_the_bytes_of_signing_at_once(
    order: list[Key], bundle: Path, signer: Signer
) -> None:
    for key in order:
        assert signer(bundle, key) == 0

    assert bundle.read_bytes() == sealed(KEY, OTHER_KEY)


def test_the_identity_stays_and_a_threshold_of_two_is_reached(bundle: Path, signer: Signer) -> None:
    with open_bundle(bundle, root=None, allow_unsigned=True) as before:
        digest = before.digest
    root = bundle.with_name("root.json")
    both = [KEY.public_key(), OTHER_KEY.public_key()]
    root.write_bytes(make_root(both, KEY, bundle_threshold=2))

    assert signer.document(bundle, KEY)["digest"] == digest
    assert cli.run(["verify", str(bundle), "--trust", str(root)]) == TrustError.exit_code
    signer.document(bundle, OTHER_KEY)
    assert cli.run(["verify", str(bundle), "--trust", str(root)]) == 0


def test_a_key_that_signed_already_changes_nothing_and_is_told(bundle: Path, signer: Signer) -> None:
    assert signer.document(bundle, KEY)["added"] is True
    raw, inode = bundle.read_bytes(), bundle.stat().st_ino

    assert signer(bundle, KEY) == 0
    assert "nothing to do: signed before by" in signer.out
    assert (bundle.read_bytes(), bundle.stat().st_ino) == (raw, inode)


def test_with_output_the_bundle_itself_stays(bundle: Path, signer: Signer) -> None:
    raw, signed = bundle.read_bytes(), bundle.with_name("signed.edge")

    assert signer(bundle, KEY, "--output", signed) == 0
    assert (bundle.read_bytes(), signed.read_bytes()) == (raw, sealed(KEY))


def test_an_altered_bundle_is_not_signed(bundle: Path, signer: Signer) -> None:
    files = payloads(sealed())
    files["card.md"] = b"# tiny 1.0.0\nA model for jests.\n"
    bundle.write_bytes(write_archive(files))
    raw = bundle.read_bytes()

    assert signer(bundle, KEY) == BundleError.exit_code
    assert "card.md: expected SHA-256" in signer.err
    assert bundle.read_bytes() == raw


def test_a_signature_over_other_files_is_not_taken_for_one_over_these(
    bundle: Path, signer: Signer
) -> None:
    files = payloads(sealed())
    files[f"signatures/{id_of(KEY)}.sig"] = sign({"manifest.json": "ab" * 32}, name="x", key=KEY)
    bundle.write_bytes(write_archive(files))

    assert signer(bundle, KEY) == TrustError.exit_code
    assert "found one over others" in signer.err


def test_no_more_signatures_than_a_reader_takes(bundle: Path, signer: Signer) -> None:
    keys = [ec.derive_private_key(number, ec.SECP256R1()) for number in range(1, MAX_SIGNATURES + 1)]
    bundle.write_bytes(sealed(*keys))

    assert signer(bundle, keys[0]) == 0
    assert signer(bundle, KEY) == TrustError.exit_code
    assert "expected fewer than 16 signatures, found 16" in signer.err


def test_what_cannot_be_signed_or_written_is_one_sentence(bundle: Path, signer: Signer) -> None:
    assert signer(bundle.parent, KEY) == BundleError.exit_code
    assert signer(bundle.with_name("gone.edge"), KEY) == BundleError.exit_code
    assert signer(bundle, KEY, "--output", bundle / "x.edge") == StorageError.exit_code
    assert len(signer.err.splitlines()) == 1
