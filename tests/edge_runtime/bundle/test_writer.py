"""Sealing: the same parts give the same bytes, and nothing is sealed that would not open."""

import hashlib

import msgspec
import pytest

from edge_runtime.bundle import key_id, seal
from edge_runtime.bundle.manifest import File, Manifest, decode
from edge_runtime.errors import ArchiveError, ManifestError
from tests.support.tiny_bundle import KEY, MODEL_FILE, OTHER_KEY, tiny_bundle, tiny_manifest
from tests.support.unpacked import payloads

ARTIFACTS = {
    MODEL_FILE: b"model",
    **{f"golden/{name}.npy": name.encode() for name in ("inputs/0", "outputs/0", "outputs/1")},
}


def manifest() -> Manifest:
    return tiny_manifest("tiny", "1.0.0", 1, model_size=5, golden_count=6)


def test_the_same_parts_give_the_same_bytes() -> None:
    again = seal(manifest(), dict(reversed(ARTIFACTS.items())), [OTHER_KEY, KEY])

    assert seal(manifest(), ARTIFACTS, [KEY, OTHER_KEY]) == again
    assert tiny_bundle() == tiny_bundle()


def test_the_manifest_lists_every_artifact_with_digest_and_size() -> None:
    files = decode(payloads(seal(manifest(), ARTIFACTS, []))["manifest.json"]).files

    assert files == {
        name: File(sha256=hashlib.sha256(data).hexdigest(), size=len(data))
        for name, data in ARTIFACTS.items()
    }


def test_there_is_one_signature_for_each_key() -> None:
    names = payloads(seal(manifest(), ARTIFACTS, [KEY, OTHER_KEY, KEY])).keys()

    assert {name for name in names if name.startswith("signatures/")} == {
        f"signatures/{key_id(key.public_key())}.sig" for key in (KEY, OTHER_KEY)
    }


@pytest.mark.parametrize("name", ["manifest.json", "signatures/x", "signatures"])
def test_names_that_sealing_needs_itself_are_refused(name: str) -> None:
    with pytest.raises(ManifestError, match="which sealing writes itself"):
        seal(manifest(), ARTIFACTS | {name: b""}, [])


def test_artifacts_need_names_an_archive_can_hold() -> None:
    with pytest.raises(ArchiveError, match=r"'Card\.MD'"):
        seal(manifest(), ARTIFACTS | {"Card.MD": b""}, [])


def test_a_manifest_that_refers_to_what_is_not_there_is_refused() -> None:
    with pytest.raises(ManifestError, match=f"refers to '{MODEL_FILE}'"):
        seal(manifest(), {name: data for name, data in ARTIFACTS.items() if name != MODEL_FILE}, [])


def test_a_number_that_json_does_not_have_is_refused() -> None:
    golden = msgspec.structs.replace(manifest().golden, tolerance=float("nan"))

    with pytest.raises(ManifestError, match=r"Expected `float`, got `null` - at `\$.golden.tolerance`"):
        seal(msgspec.structs.replace(manifest(), golden=golden), ARTIFACTS, [])


def test_more_keys_than_a_reader_reads_are_refused() -> None:
    with pytest.raises(ManifestError, match="at most 16 signing keys"):
        seal(manifest(), ARTIFACTS, [KEY] * 17)
