"""Plans that are kept: whole, of the right key, of this user, bounded; or a reason why not."""

import os
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge_runtime.bundle.manifest import Profile
from edge_runtime.engine.tensorrt import cache
from edge_runtime.engine.tensorrt.cache import PlanCache, default_folder
from edge_runtime.engine.tensorrt.key import PlanKey
from edge_runtime.errors import EngineError, StorageError
from tests.support.disk_recorder import Recorder
from tests.support.full_disk import files_of_at_most
from tests.support.handlers import handler_that_raises, signal_when_called
from tests.support.power_loss import crash_states

KEY = PlanKey(
    model="ab" * 32,
    library="TensorRT",
    version="10.3.0",
    cuda="12.6",
    capability="8.7",
    board="Jetson Orin Nano, 8 multiprocessors",
    precision="fp16",
    profile=Profile(min_rows=1, opt_rows=1, max_rows=1024),
)
PLAN = bytes(range(256)) * 100
OTHER = {
    "model": "cd" * 32,
    "library": "TensorRT-RTX",
    "version": "10.7.0",
    "cuda": "13.0",
    "capability": "11.0",
    "board": "Jetson AGX Orin, 16 multiprocessors",
    "precision": "int8",
    "profile": Profile(min_rows=1, opt_rows=8, max_rows=1024),
    "flags": ("+STRICT_NANS",),
    "recipe": 2,
}


@pytest.fixture
def kept(tmp_path: Path) -> PlanCache:
    """A cache that keeps PLAN for KEY."""
    made = PlanCache(tmp_path / "plans")
    made.write(KEY, PLAN)
    return made


def _file(plans: PlanCache) -> Path:
    (found,) = plans.folder.iterdir()
    return found


def _with(**changes: Any) -> PlanKey:
    return msgspec.structs.replace(KEY, **changes)


def test_what_was_written_is_read(kept: PlanCache) -> None:
    assert bytes(kept.read(KEY).plan or b"") == PLAN
    assert kept.read(KEY).why == ""


def test_what_was_never_kept_is_no_fault(tmp_path: Path, kept: PlanCache) -> None:
    assert kept.read(_with(model="0" * 64)) == cache.Kept(None)
    assert PlanCache(tmp_path / "nowhere").read(KEY) == cache.Kept(None)


@pytest.mark.parametrize("member", PlanKey.__struct_fields__)
def test_when_any_member_of_the_key_is_another_there_is_no_plan(kept: PlanCache, member: str) -> None:
    assert kept.read(_with(**{member: OTHER[member]})).plan is None


def test_a_plan_of_another_key_under_this_ones_name_does_not_count(kept: PlanCache) -> None:
    other = _with(capability="11.0")
    os.rename(_file(kept), kept.folder / f"{other.file_name}.plan")
    found = kept.read(other)
    assert found.plan is None
    assert found.why == "the kept plan is of another model, board or version"


@pytest.mark.parametrize("length", [0, 1, 40, 300, 2000, -1])
def test_a_truncated_plan_is_damaged(kept: PlanCache, length: int) -> None:
    raw = _file(kept).read_bytes()
    _file(kept).write_bytes(raw[:length])
    found = kept.read(KEY)
    assert found.plan is None
    assert found.why.startswith("the kept plan is damaged")


def test_every_changed_byte_is_noticed(kept: PlanCache) -> None:
    file, raw = _file(kept), _file(kept).read_bytes()
    for at in (*range(0, 500, 7), len(raw) - 1):
        file.write_bytes(raw[:at] + bytes([raw[at] ^ 0x20]) + raw[at + 1 :])
        assert kept.read(KEY).plan is None, at


def test_written_again_it_takes_the_damaged_ones_place(kept: PlanCache) -> None:
    _file(kept).write_bytes(b"damaged")
    kept.write(KEY, PLAN)
    assert bytes(kept.read(KEY).plan or b"") == PLAN
    assert _file(kept).suffix == ".plan"


def test_a_link_in_a_plans_place_is_not_followed(kept: PlanCache, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    os.rename(_file(kept), moved)
    (kept.folder / f"{KEY.file_name}.plan").symlink_to(moved)
    found = kept.read(KEY)
    assert found.plan is None
    assert "is a link, and links do not count" in found.why


def test_a_cache_that_is_a_link_is_not_followed(kept: PlanCache, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(kept.folder)
    assert PlanCache(tmp_path / "link").read(KEY).plan is None
    with pytest.raises(StorageError, match="cannot be written"):
        PlanCache(tmp_path / "link").write(KEY, PLAN)


def test_a_pipe_in_a_plans_place_does_not_hold_up_the_start(kept: PlanCache) -> None:
    name = _file(kept)
    name.unlink()
    os.mkfifo(name, 0o600)
    assert "is no file" in kept.read(KEY).why


@pytest.mark.parametrize("mode", [0o720, 0o702])
def test_what_others_may_write_does_not_count(kept: PlanCache, mode: int) -> None:
    for changed in (_file(kept), kept.folder):
        kept.folder.chmod(0o700)
        _file(kept).chmod(0o600)
        changed.chmod(mode)
        found = kept.read(KEY)
        assert found.plan is None
        assert f"and mode {mode:o}. A plan is code" in found.why
    with pytest.raises(EngineError, match="only this user or root may write there"):
        kept.write(KEY, PLAN)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_another_user_owns_does_not_count(kept: PlanCache) -> None:
    os.chown(_file(kept), 65534, 65534)
    assert "found owner 65534" in kept.read(KEY).why
    os.chown(_file(kept), 0, 0)
    os.chown(kept.folder, 65534, 65534)
    assert "found owner 65534" in kept.read(KEY).why


def test_plans_and_their_folder_are_for_this_user_alone(kept: PlanCache) -> None:
    assert stat.S_IMODE(kept.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(_file(kept).stat().st_mode) == 0o600


def test_those_longest_unused_make_room(tmp_path: Path) -> None:
    plans = PlanCache(tmp_path / "plans", max_bytes=3 * len(PLAN))
    first, second, third = (_with(version=f"10.{at}") for at in (3, 4, 5))
    for at, key in enumerate((first, second)):
        plans.write(key, PLAN)
        os.utime(plans.folder / f"{key.file_name}.plan", (at, at))
    assert plans.read(first).plan is not None  # used now: the second is older
    plans.write(third, PLAN)
    assert [plans.read(key).plan is not None for key in (first, second, third)] == [True, False, True]


def test_a_plan_larger_than_all_that_may_be_kept_takes_nobodys_place(tmp_path: Path) -> None:
    plans = PlanCache(tmp_path / "plans", max_bytes=30_000)
    plans.write(KEY, PLAN)
    with pytest.raises(StorageError, match="expected a plan of at most 30000 bytes"):
        plans.write(_with(version="10.4"), bytes(30_000))
    assert plans.read(KEY).plan is not None


def test_on_a_full_disk_nothing_half_written_stays(kept: PlanCache) -> None:
    with files_of_at_most(5000), pytest.raises(StorageError, match="the disk is full"):
        kept.write(_with(version="10.4"), PLAN)
    assert _file(kept).name == f"{KEY.file_name}.plan"
    assert kept.read(KEY).plan is not None


def test_what_a_killed_process_left_is_removed(kept: PlanCache) -> None:
    (kept.folder / "killed.unfinished").write_bytes(b"half")
    kept.write(_with(version="10.4"), PLAN)
    assert {each.suffix for each in kept.folder.iterdir()} == {".plan"}


@pytest.mark.parametrize("before", ["nothing", "a plan", "a damaged one"])
def test_a_power_cut_at_any_instant_leaves_the_whole_plan_or_none(tmp_path: Path, before: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    plans = PlanCache(disk / "plans")
    if before != "nothing":
        plans.write(KEY, PLAN)
    if before == "a damaged one":
        _file(plans).write_bytes(b"damaged")
    with Recorder(disk) as recorder:
        plans.write(KEY, PLAN)

    cuts = 0
    for crash in crash_states(recorder):
        cuts += 1
        crash.materialise(tmp_path / f"cut-{cuts}")
        after = PlanCache(tmp_path / f"cut-{cuts}" / "plans")
        found = after.read(KEY)
        assert found.plan is None or bytes(found.plan) == PLAN, crash.story
        if crash.is_last or before == "a plan":
            assert found.plan is not None, crash.story
        after.write(KEY, PLAN)
        assert {each.suffix for each in after.folder.iterdir()} == {".plan"}, crash.story
    assert cuts > 5


def test_the_folder_is_the_environments_the_services_or_the_homes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CACHE_DIRECTORY", "/var/cache/edge-runtime:/var/cache/more")
    monkeypatch.setenv("EDGE_RUNTIME_CACHE", "/srv/cache")
    assert default_folder() == Path("/srv/cache/plans")
    monkeypatch.delenv("EDGE_RUNTIME_CACHE")
    assert default_folder() == Path("/var/cache/edge-runtime/plans")
    monkeypatch.delenv("CACHE_DIRECTORY")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert default_folder() == Path("/home/somebody/.cache/edge-runtime/plans")


def test_a_time_limit_of_the_program_is_no_reason_to_build_anew(kept: PlanCache) -> None:
    error = TimeoutError("it is time")
    with pytest.raises(TimeoutError) as caught, handler_that_raises(error), signal_when_called("_read"):
        kept.read(KEY)
    assert caught.value is error
