"""Our signatures and those of the reference tool, `model_signing`, are the same thing."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from edge_runtime import cli
from edge_runtime.bundle import decode_root, key_id, make_root, open_bundle, open_folder, write_archive
from edge_runtime.bundle.keys import encode_private_key, encode_public_key
from edge_runtime.errors import BundleError, TrustError
from tests.support.tiny_bundle import KEY, OTHER_KEY, root, tiny_bundle
from tests.support.unpacked import payloads, unpack

SIGNATURE = f"signatures/{key_id(KEY.public_key())}.sig"
BOTH = decode_root(make_root([KEY.public_key(), OTHER_KEY.public_key()], KEY, bundle_threshold=2))


def model_signing(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("model_signing"), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def signature_of(key: ec.EllipticCurvePrivateKey) -> str:
    return f"signatures/{key_id(key.public_key())}.sig"


def verify(folder: Path, key: ec.EllipticCurvePrivateKey = KEY) -> subprocess.CompletedProcess[str]:
    public = folder.parent / "public.pem"
    public.write_text(encode_public_key(key.public_key()))
    return model_signing(
        *("verify", "key", "--signature", folder / signature_of(key), "--public_key", public, folder)
    )


def sign(folder: Path, key: ec.EllipticCurvePrivateKey = KEY) -> subprocess.CompletedProcess[str]:
    private = folder.parent / "private.pem"
    private.write_bytes(encode_private_key(key))
    return model_signing(
        *("sign", "key", "--private_key", private, "--signature", folder / signature_of(key)),
        *("--ignore-paths", folder / "signatures", folder),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    # `a-b/c` and `a/b` sort differently as text and as paths.
    return unpack(payloads(tiny_bundle(extra={"a/b": b"1", "a-b/c": b"2"})), tmp_path / "tiny-1.0.0")


def test_the_reference_tool_verifies_an_unpacked_bundle_as_it_is(folder: Path) -> None:
    done = verify(folder)

    assert (done.returncode, done.stdout) == (0, "Verification succeeded\n"), done.stderr


def test_the_reference_tool_sees_what_was_altered(folder: Path) -> None:
    (folder / "card.md").write_bytes(b"another card")
    done = verify(folder)

    assert done.returncode == 1
    assert "Hash mismatch for" in done.stderr


def test_the_reference_tool_sees_what_was_added(folder: Path) -> None:
    (folder / "extra").write_bytes(b"")
    done = verify(folder)

    assert done.returncode == 1
    assert "Extra files found" in done.stderr


def test_we_accept_what_the_reference_tool_signs(folder: Path) -> None:
    (folder / SIGNATURE).unlink()
    assert sign(folder).returncode == 0

    with open_folder(folder, root=root()) as bundle:
        assert bundle.key_ids == (key_id(KEY.public_key()),)
        assert bundle.read("card.md").startswith(b"# tiny")


def test_we_accept_it_in_an_archive_too(folder: Path, tmp_path: Path) -> None:
    assert sign(folder).returncode == 0
    path = tmp_path / "resigned.edge"
    files = (file for file in folder.rglob("*") if file.is_file())
    path.write_bytes(write_archive({str(f.relative_to(folder)): f.read_bytes() for f in files}))

    with open_bundle(path, root=root()) as bundle:
        assert bundle.key_ids == (key_id(KEY.public_key()),)


def test_what_the_reference_tool_signs_must_be_what_the_manifest_lists(folder: Path) -> None:
    (folder / "extra").write_bytes(b"")
    assert sign(folder).returncode == 0

    with pytest.raises(BundleError, match="found 'extra' as well"):
        open_folder(folder, root=root())


def test_the_reference_tool_verifies_each_signature_that_sign_adds(tmp_path: Path) -> None:
    path, key = tmp_path / "tiny-1.0.0.edge", tmp_path / "key.pem"
    path.write_bytes(tiny_bundle(key=None))
    for each in (KEY, OTHER_KEY):
        key.write_bytes(encode_private_key(each))
        assert cli.run(["sign", str(path), "--signing-key", str(key)]) == 0
    unpacked = unpack(payloads(path.read_bytes()), tmp_path / "tiny-1.0.0")

    for each in (KEY, OTHER_KEY):
        done = verify(unpacked, each)
        assert (done.returncode, done.stdout) == (0, "Verification succeeded\n"), done.stderr


def test_its_signature_beside_ours_makes_two_signers(folder: Path) -> None:
    with pytest.raises(TrustError, match="at least 2 of the trusted keys"):
        open_folder(folder, root=BOTH)

    assert sign(folder, OTHER_KEY).returncode == 0

    with open_folder(folder, root=BOTH) as bundle:
        assert len(bundle.key_ids) == 2
    assert verify(folder, KEY).returncode == verify(folder, OTHER_KEY).returncode == 0


def test_sign_adds_ours_to_what_the_reference_tool_signed(folder: Path, tmp_path: Path) -> None:
    (folder / SIGNATURE).unlink()
    assert sign(folder, OTHER_KEY).returncode == 0
    path, key = tmp_path / "theirs.edge", tmp_path / "key.pem"
    files = (file for file in folder.rglob("*") if file.is_file())
    path.write_bytes(write_archive({str(f.relative_to(folder)): f.read_bytes() for f in files}))
    key.write_bytes(encode_private_key(OTHER_KEY))

    assert cli.run(["sign", str(path), "--signing-key", str(key)]) == 0, "it has signed already: fine"
    key.write_bytes(encode_private_key(KEY))
    assert cli.run(["sign", str(path), "--signing-key", str(key)]) == 0

    with open_bundle(path, root=BOTH) as bundle:
        assert len(bundle.key_ids) == 2


def test_both_make_the_same_digest_over_all_files(folder: Path) -> None:
    ours = _subject_digest(folder / SIGNATURE)
    assert sign(folder).returncode == 0

    assert _subject_digest(folder / SIGNATURE) == ours


def _subject_digest(signature: Path) -> str:
    payload = json.loads(signature.read_bytes())["dsseEnvelope"]["payload"]
    digest: str = json.loads(base64.b64decode(payload))["subject"][0]["digest"]["sha256"]
    return digest
