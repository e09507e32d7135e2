"""From file to slot in one pass over one descriptor: nothing can change between check and use."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from edge_runtime.bundle.manifest import Manifest
from edge_runtime.errors import BundleError
from edge_runtime.store.disk import Store
from edge_runtime.store.unpack import is_intact
from tests.support import traced
from tests.support.agent import COMMAND
from tests.support.programs import program
from tests.support.tiny_bundle import MODEL_FILE, root, root_bytes, tiny_bundle

PAYLOAD = "variants/fp32/model.onnx.data"


def test_an_install_opens_the_bundle_once_and_reads_each_payload_once(tmp_path: Path) -> None:
    program("strace")
    raw = tiny_bundle(extra={PAYLOAD: os.urandom(4_000_000)})
    (tmp_path / "tiny.edge").write_bytes(raw)
    (tmp_path / "root.json").write_bytes(root_bytes())
    arguments = ["install", "tiny.edge", "--trust", "root.json", "--store", "store"]

    done = subprocess.run(
        [*traced.command(tmp_path / "trace"), COMMAND, *arguments], cwd=tmp_path, check=False
    )

    trace = traced.Trace(tmp_path / "trace")
    opened = [call for call in trace.of("openat") if '"tiny.edge"' in call]
    assert len(opened) == 1
    read = _bytes_read(trace, opened[0])
    # Beside payloads: the archive's headers, and the manifest and the signature once more, to decide.
    assert len(raw) <= read <= len(raw) + 120_000
    assert done.returncode == 0


def test_a_file_that_takes_the_place_of_the_bundle_is_not_what_is_installed(tmp_path: Path) -> None:
    path, other = tmp_path / "tiny.edge", tmp_path / "other.edge"
    path.write_bytes(tiny_bundle(seed=1))
    other.write_bytes(tiny_bundle(seed=2, version="2.0.0"))

    def swap(_: Manifest) -> None:
        other.rename(path)

    store = Store(tmp_path / "store")
    slot = store.install(path, root=root(), accept=swap)

    assert slot.version == "1.0.0"
    assert is_intact(store.slot_path("tiny", slot.digest), slot.digest)


def test_a_bundle_that_is_overwritten_after_its_check_is_refused_and_nothing_is_left(
    tmp_path: Path,
) -> None:
    path, store = tmp_path / "tiny.edge", Store(tmp_path / "store")
    path.write_bytes(tiny_bundle(extra={PAYLOAD: bytes(100_000)}))

    def overwrite(_: Manifest) -> None:
        raw = path.read_bytes()
        with path.open("r+b") as file:
            file.seek(raw.index(bytes(50_000)) + 40_000)
            file.write(b"forged")

    with pytest.raises(BundleError, match=rf"{PAYLOAD}: expected "):
        store.install(path, root=root(), accept=overwrite)

    assert store.state().models == {}
    assert list((tmp_path / "store").rglob(Path(MODEL_FILE).name)) == []


def _bytes_read(trace: traced.Trace, opening: str) -> int:
    """What was read through the descriptor that this call gave, until it was closed."""
    descriptor = opening.rpartition("= ")[2].strip()
    at = next(at for at, (name, call) in enumerate(trace.calls) if call is opening)
    total = 0
    for name, call in trace.calls[at + 1 :]:
        if not re.match(rf"{descriptor}\b", call):
            continue
        if name == "close":
            break
        if name in ("read", "pread64"):
            total += int(call.rpartition("= ")[2])
    return total
