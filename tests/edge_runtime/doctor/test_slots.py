"""Files of what is installed that are gone or altered are told before they are needed."""

import shutil

from edge_runtime.doctor.findings import Device, Finding
from edge_runtime.doctor.slots import look
from tests.edge_runtime.store.rig import Shelf
from tests.support.tiny_bundle import MODEL_FILE


def found(shelf: Shelf) -> list[Finding]:
    return list(look(Device(store=shelf.store.root)))


def test_whole_versions_are_named_and_where_nothing_is_installed_nothing_is_told(shelf: Shelf) -> None:
    assert found(shelf) == []
    shelf.run("1.0.0"), shelf.run("1.1.0"), shelf.install("1.2.0")
    (whole,) = found(shelf)
    assert whole.state == "ok"
    assert whole.what == "tiny 1.1.0, tiny 1.2.0, tiny 1.0.0: all files are as they were installed."


def test_a_flipped_byte_of_what_runs_is_a_problem_that_an_install_mends(shelf: Shelf) -> None:
    slot = shelf.run("1.0.0")
    file = shelf.store.slot_path("tiny", slot.digest) / MODEL_FILE
    file.write_bytes(bytes([file.read_bytes()[0] ^ 1]) + file.read_bytes()[1:])
    (damaged,) = found(shelf)
    assert damaged.state == "problem"
    assert damaged.what.startswith("tiny 1.0.0 cannot be loaded: ")
    assert f"{MODEL_FILE}: expected SHA-256 " in damaged.what
    assert damaged.advice == "Install it again, which mends it: edge-runtime install BUNDLE"
    shelf.install("1.0.0")
    assert [each.state for each in found(shelf)] == ["ok"]


def test_a_way_back_that_is_none_is_a_warning(shelf: Shelf) -> None:
    slot = shelf.run("1.0.0")
    shelf.run("1.1.0")
    shutil.rmtree(shelf.store.slot_path("tiny", slot.digest))
    damaged, whole = found(shelf)
    assert (damaged.state, whole.state) == ("warning", "ok")
    assert damaged.what.startswith("tiny 1.0.0 is no way back: tiny: the files of ")


def test_another_bundle_in_its_place_is_noticed(shelf: Shelf) -> None:
    slot, other = shelf.run("1.0.0"), shelf.install("1.1.0")
    place = shelf.store.slot_path("tiny", slot.digest)
    shutil.rmtree(place)
    shutil.copytree(shelf.store.slot_path("tiny", other.digest), place)
    damaged, _ = found(shelf)
    assert damaged.what.endswith(f"expected the bundle {slot.digest}, found another.")
