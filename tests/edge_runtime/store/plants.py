"""Faults that tests put into the store on purpose, each with a path on which it must be found."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge_runtime import durable
from edge_runtime.bundle import Bundle, Root
from edge_runtime.clock import Clock
from edge_runtime.store import slots, state_file, trials
from edge_runtime.store.disk import Store
from edge_runtime.store.slots import Slot, State

Plant = Callable[[pytest.MonkeyPatch], None]


def no_folder_is_flushed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(durable, "sync_folder", lambda path: None)


def no_file_is_flushed(patch: pytest.MonkeyPatch) -> None:
    def create_files(files: Iterable[tuple[Path, Iterable[bytes]]], *, mode: int = 0o644) -> None:
        for path, chunks in files:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            for chunk in chunks:
                os.write(descriptor, chunk)
            os.close(descriptor)

    patch.setattr(durable, "create_files", create_files)


def only_files_that_are_replaced_are_flushed(patch: pytest.MonkeyPatch) -> None:
    real = durable.create_files

    def create_files(files: Iterable[tuple[Path, Iterable[bytes]]], *, mode: int = 0o644) -> None:
        for path, chunks in files:
            if path.suffix == ".tmp":
                real([(path, chunks)], mode=mode)
            else:
                path.write_bytes(b"".join(chunks))

    patch.setattr(durable, "create_files", create_files)


def inner_folders_are_not_flushed(patch: pytest.MonkeyPatch) -> None:
    real = durable.sync_folder
    patch.setattr(durable, "sync_folder", lambda path: real(path) if ".new/" not in str(path) else None)


def a_slot_is_renamed_without_flushing_its_name(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(durable, "rename_folder", os.rename)


def a_file_is_replaced_in_place(patch: pytest.MonkeyPatch) -> None:
    def replace_file(path: Path, data: bytes) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.write(descriptor, data)
        os.fsync(descriptor)
        os.close(descriptor)
        durable.sync_folder(path.parent)

    patch.setattr(durable, "replace_file", replace_file)


def a_file_is_renamed_before_it_is_flushed(patch: pytest.MonkeyPatch) -> None:
    def replace_file(path: Path, data: bytes) -> None:
        temporary = path.with_name(f"{path.name}.tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.write(descriptor, data)
        os.rename(temporary, path)
        os.fsync(descriptor)
        os.close(descriptor)
        durable.sync_folder(path.parent)

    patch.setattr(durable, "replace_file", replace_file)


def the_name_of_a_replaced_file_is_not_flushed(patch: pytest.MonkeyPatch) -> None:
    def replace_file(path: Path, data: bytes) -> None:
        temporary = path.with_name(f"{path.name}.tmp")
        durable.create_file(temporary, [data])
        os.rename(temporary, path)

    patch.setattr(durable, "replace_file", replace_file)


def files_go_before_the_state_says_so(patch: pytest.MonkeyPatch) -> None:
    real = state_file.write

    def write(path: Path, state: State) -> None:
        for folder in (path.parent / "slots" / "tiny").glob("?" * 64):
            if folder.name not in state.models["tiny"].slots:
                durable.remove_folder(folder)
        real(path, state)

    patch.setattr(state_file, "write", write)


def a_confirm_sets_the_floor_to_its_release(patch: pytest.MonkeyPatch) -> None:
    real = slots.confirmed

    def confirmed(state: State, model: str, digest: str) -> State:
        after = real(state, model, digest)
        return slots.with_model(after, model, floor=after.models[model].slots[digest].release)

    patch.setattr(slots, "confirmed", confirmed)


def a_start_gives_an_attempt_back(patch: pytest.MonkeyPatch) -> None:
    real = slots.recovered

    def recovered(state: State) -> State:
        state = real(state)
        for model, now in state.models.items():
            if now.pending:
                state = trials.refunded(state, model, now.pending)
        return state

    patch.setattr(slots, "recovered", recovered)


def a_start_forgets_bad_ones(patch: pytest.MonkeyPatch) -> None:
    real = slots.recovered

    def recovered(state: State) -> State:
        state = real(state)
        models = {name: msgspec.structs.replace(now, bad={}) for name, now in state.models.items()}
        return msgspec.structs.replace(state, models=models)

    patch.setattr(slots, "recovered", recovered)


def a_retry_forgets_the_verdict_before_its_files_are_there(patch: pytest.MonkeyPatch) -> None:
    real = slots.begin_write

    def begin_write(state: State, slot: Slot, *, retry: bool = False) -> State:
        return slots.with_model(real(state, slot, retry=retry), slot.model, bad={})

    patch.setattr(slots, "begin_write", begin_write)


def a_root_is_pinned_after_what_it_vouches_for(patch: pytest.MonkeyPatch) -> None:
    pin, install, verified = Store._pin, Store._install, list[tuple[Root | None, Clock]]()
    patch.setattr(Store, "_pin", lambda _store, root, now: verified.append((root, now)))

    def _install(store: Store, bundle: Bundle, retry: bool) -> Slot:
        slot = install(store, bundle, retry)
        pin(store, *verified.pop())
        return slot

    patch.setattr(Store, "_install", _install)


def a_root_that_is_no_other_is_not_flushed(patch: pytest.MonkeyPatch) -> None:
    _unflushed_where(patch, Store, "update_trust", "trust")


def a_state_that_is_no_other_is_not_flushed(patch: pytest.MonkeyPatch) -> None:
    _unflushed_where(patch, Store, "_change", "store")


def a_slot_that_is_whole_is_not_flushed(patch: pytest.MonkeyPatch) -> None:
    _unflushed_where(patch, Store, "_install", "tiny")


def a_root_that_is_pinned_is_not_flushed(patch: pytest.MonkeyPatch) -> None:
    _unflushed_where(patch, Store, "_pin", "trust")


def _unflushed_where(patch: pytest.MonkeyPatch, owner: Any, method: str, folder: str) -> None:
    """Within a method a folder is flushed by what replaces or renames there, and not otherwise."""
    flush, replace, rename = durable.sync_folder, durable.replace_file, durable.rename_folder
    real, inside = getattr(owner, method), 0

    def sync_folder(path: Path) -> None:
        if not inside or path.name != folder:
            flush(path)

    def replace_file(path: Path, data: bytes) -> None:
        replace(path, data)
        flush(path.parent)

    def rename_folder(path: Path, target: Path) -> None:
        rename(path, target)
        flush(target.parent)

    def call(*given: Any, **options: Any) -> Any:
        nonlocal inside
        inside += 1
        try:
            return real(*given, **options)
        finally:
            inside -= 1

    patch.setattr(durable, "sync_folder", sync_folder)
    patch.setattr(durable, "replace_file", replace_file)
    patch.setattr(durable, "rename_folder", rename_folder)
    patch.setattr(owner, method, call)


IN_ONE_RUN: list[tuple[Plant, str]] = [
    (no_folder_is_flushed, "update"),
    (no_file_is_flushed, "update"),
    (only_files_that_are_replaced_are_flushed, "update"),
    (inner_folders_are_not_flushed, "update"),
    (a_slot_is_renamed_without_flushing_its_name, "update"),
    (a_slot_is_renamed_without_flushing_its_name, "repair"),
    (a_file_is_replaced_in_place, "update"),
    (a_file_is_replaced_in_place, "tried"),
    (a_file_is_replaced_in_place, "first pinning of a root"),
    (a_file_is_replaced_in_place, "root rotation"),
    (a_file_is_renamed_before_it_is_flushed, "rolled back"),
    (a_file_is_renamed_before_it_is_flushed, "root rotation"),
    (no_file_is_flushed, "first pinning of a root"),
    (the_name_of_a_replaced_file_is_not_flushed, "tried"),
    (the_name_of_a_replaced_file_is_not_flushed, "confirm by command"),
    (the_name_of_a_replaced_file_is_not_flushed, "root rotation"),
    (files_go_before_the_state_says_so, "update"),
    (files_go_before_the_state_says_so, "prune"),
    (files_go_before_the_state_says_so, "rejected"),
    (files_go_before_the_state_says_so, "confirmed with a floor"),
    (a_confirm_sets_the_floor_to_its_release, "rolled back"),
    (a_start_gives_an_attempt_back, "tried"),
    (a_start_forgets_bad_ones, "rejected"),
    (a_retry_forgets_the_verdict_before_its_files_are_there, "retry"),
    (a_root_is_pinned_after_what_it_vouches_for, "first pinning of a root"),
]
AFTER_A_KILL: list[tuple[Plant, str]] = [
    (a_state_that_is_no_other_is_not_flushed, "confirmed"),
    (a_state_that_is_no_other_is_not_flushed, "install"),
    (a_slot_that_is_whole_is_not_flushed, "repair"),
    (a_root_that_is_pinned_is_not_flushed, "first pinning of a root"),
    (a_root_that_is_no_other_is_not_flushed, "root rotation"),
]
