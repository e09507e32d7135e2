"""Our signatures and those of the reference tool, `model_signing`, are the same thing."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

from edge_runtime.bundle import key_id, open_bundle, open_folder, write_archive
from edge_runtime.bundle.keys import encode_private_key, encode_public_key
from edge_runtime.errors import BundleError
from tests.support.tiny_bundle import KEY, root, tiny_bundle
from tests.support.unpacked import payloads, unpack

SIGNATURE = f"signatures/{key_id(KEY.public_key())}.sig"


def model_signing(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("model_signing"), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def verify(folder: Path) -> subprocess.CompletedProcess[str]:
    public = folder.parent / "public.pem"
    public.write_text(encode_public_key(KEY.public_key()))
    return model_signing(
        *("verify", "key", "--signature", folder / SIGNATURE, "--public_key", public, folder)
    )


def sign(folder: Path) -> subprocess.CompletedProcess[str]:
    private = folder.parent / "private.pem"
    private.write_bytes(encode_private_key(KEY))
    return model_signing(
        *("sign", "key", "--private_key", private, "--signature", folder / SIGNATURE),
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


def test_both_make_the_same_digest_over_all_files(folder: Path) -> None:
    ours = _subject_digest(folder / SIGNATURE)
    assert sign(folder).returncode == 0

    assert _subject_digest(folder / SIGNATURE) == ours


def _subject_digest(signature: Path) -> str:
    payload = json.loads(signature.read_bytes())["dsseEnvelope"]["payload"]
    digest: str = json.loads(base64.b64decode(payload))["subject"][0]["digest"]["sha256"]
    return digest
