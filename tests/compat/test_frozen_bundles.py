"""Bundles of every format version that was ever released open for ever.

A frozen bundle lies in its own folder beside the `root.json` that trusts it, and is never replaced.
"""

from pathlib import Path

import pytest

import edge_runtime
from edge_runtime.bundle import load_root, open_bundle, open_folder
from tests.support.tiny_bundle import root_bytes, tiny_bundle
from tests.support.unpacked import payloads, unpack

FROZEN = sorted(Path(__file__).parent.rglob("*.edge"))


@pytest.fixture
def made_now(tmp_path: Path) -> Path:
    """A bundle of today beside its root file: it keeps these tests honest while none is frozen."""
    (tmp_path / "root.json").write_bytes(root_bytes())
    (tmp_path / "tiny-1.0.0.edge").write_bytes(tiny_bundle())
    return tmp_path / "tiny-1.0.0.edge"


@pytest.fixture(params=["made now", *FROZEN], ids=lambda path: getattr(path, "name", path))
def bundle_path(request: pytest.FixtureRequest) -> Path:
    path: Path = request.getfixturevalue("made_now") if request.param == "made now" else request.param
    return path


def test_it_opens_and_every_file_is_as_it_was_signed(bundle_path: Path) -> None:
    with open_bundle(bundle_path, root=load_root(bundle_path.with_name("root.json"))) as bundle:
        assert bundle.key_ids == bundle.signed_by()
        assert bundle_path.name == f"{bundle.manifest.name}-{bundle.manifest.version}.edge"
        for name in bundle.names:
            assert len(bundle.read(name)) == bundle.size_of(name)


def test_it_opens_unpacked_with_the_same_identity(bundle_path: Path, tmp_path: Path) -> None:
    root = load_root(bundle_path.with_name("root.json"))
    folder = unpack(payloads(bundle_path.read_bytes()), tmp_path / "unpacked")

    with open_bundle(bundle_path, root=root) as packed, open_folder(folder, root=root) as unpacked:
        assert unpacked.digest == packed.digest
        assert unpacked.manifest == packed.manifest


def test_it_still_answers_as_its_source_model_did(bundle_path: Path) -> None:
    with edge_runtime.load(bundle_path, trust=bundle_path.with_name("root.json")) as model:
        result = model.replay_goldens()

        assert result.count == model.manifest.golden.count
        assert result.label_disagreements == 0
