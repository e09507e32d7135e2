"""Whether what is installed can be read, and who uses it."""

import os
from collections.abc import Container, Iterable, Iterator, Mapping

from edge_runtime import durable
from edge_runtime.choice import record
from edge_runtime.doctor.findings import Device, Finding, ok, problem, warning
from edge_runtime.doctor.folders import in_the_way
from edge_runtime.errors import EdgeError
from edge_runtime.store import beside_agent
from edge_runtime.store.beside_agent import Told, bare, why_silent, why_stuck
from edge_runtime.store.disk import Store
from edge_runtime.store.slots import ModelState, Slot, State, refused

MEND = "Mend that. What the agent says: journalctl -u edge-runtime"
_INSTALL = "Install one that works here: edge-runtime install BUNDLE"
_ROOM = "Make room there: `disk` says how much there is; the agent tries again by itself."
TRIES_AGAIN = "Mend that; the agent tries again by itself. What it says: journalctl -u edge-runtime"


def look(device: Device) -> Iterator[Finding]:
    path = device.store_folder
    assert path is not None
    try:
        path.stat()
    except NotADirectoryError:
        return  # the check of folders says what is in the way
    except FileNotFoundError:
        yield ok(f"{path}: nothing is installed yet; the first install makes the store.")
        return
    except OSError as error:
        yield problem(
            f"{path}: cannot be looked at: {error.strerror}.",
            durable.advice(path, error) or "Look at the disk: dmesg",
        )
        return
    store = Store(path)
    try:
        models = store.state().models
    except EdgeError as error:
        yield problem(*told(error, "Look at who may read it, and at the disk."))
        return
    says = beside_agent.told(store)
    configured = {each.name for each in device.config.models} if device.config else ()
    yield from _versions(models, configured, says)
    yield from _not_kept(store, models)
    if not models:
        yield ok(f"{path}: nothing is installed yet.")
    for name in sorted(says.runs.keys() - models.keys() if says else ()):
        if idle := _not_running(says, name, "is not installed", MEND):  # when again, the agent says
            yield idle
    silent = why_silent(store, says)
    for name in sorted({*configured} - models.keys() if silent else ()):
        yield problem(f"{name} is not installed, and the agent does not run it: {silent}.", _ROOM)
    if store.agent_running():
        if stuck := why_stuck(store):
            what, _, advice = stuck.rpartition(". ")
            yield warning(f"{what}.", advice)
        else:
            yield ok(f"{path}: an agent runs on it now.")
    elif device.config:
        yield warning(
            f"{path}: no agent runs on it now.",
            "Start it: systemctl start edge-runtime. If it was started and has ended, why: "
            "journalctl -u edge-runtime",
        )


def opened(device: Device) -> Store | None:
    """The store to look into; None where there is none, and `look` says why."""
    path = device.store_folder
    assert path is not None
    return Store(path) if os.path.isdir(path) else None  # Path.is_dir would raise where we may not look


def told(error: EdgeError, advice: str) -> tuple[str, str]:
    """What an error says, in one sentence, and what to do: its own advice, else this one."""
    what, _, own = str(error).partition(". ")
    return f"{what.rstrip('.')}.", own or advice


def state_of(store: Store) -> State | None:
    """What is in a store; None where that cannot be read, which `look` tells."""
    try:
        return store.state()
    except EdgeError:
        return None


def installed(store: Store) -> Mapping[str, ModelState]:
    """The models of a store; none where it cannot be read."""
    state = state_of(store)
    return state.models if state else {}


def judge_idle(name: str, model: ModelState, *, stuck: bool = False, waits: str = "") -> Finding:
    """A configured model of which no version is active; `stuck`: its agent could not try what waits.

    `waits`: why that could not install what the configuration brings.
    """
    if model.pending is not None:
        version = model.slots[model.pending].version
        if stuck:
            return problem(
                f"{name}: nothing runs; {version} waits to be active, and cannot run now.",
                "Why, `trials` says below.",
            )
        return warning(
            f"{name}: no version is active yet; {version} waits to be.",
            "Whether it runs, and what it has to show: edge-runtime status",
        )
    why = waits.rstrip(".") or "all versions went"
    advice = _INSTALL
    if last := refused(model):
        why, advice = _rejection(last)
    return problem(f"{name}: nothing runs; {why}.", advice)


def _rejection(slot: Slot) -> tuple[str, str]:
    """Of which nothing as new runs: what became of it, and what to do."""
    what = f"{slot.version} was rejected: {bare(slot, slot.reason).rstrip('.')}"
    return what, f"{_INSTALL}; or, once that is mended, {slot.version} again: with --retry"


def _not_kept(store: Store, models: Iterable[str]) -> Iterator[Finding]:
    """What stands where the records of measurements belong; at most one, as one may hide others."""
    choices = store.root / record.FOLDER
    for folder in (choices, *(choices / name for name in models)):
        if (file := in_the_way(folder)) is not None:
            yield warning(
                f"{file}: expected a folder, found something else: what is measured of variants is not "
                "kept, and is measured again at each start.",
                f"Move {file} away; the next measurement makes the folder.",
            )
            return


def _not_running(says: Told | None, name: str, is_so: str, advice: str = TRIES_AGAIN) -> Finding | None:
    """Of a configured model that its agent does not run; `is_so`: what the store says of it."""
    if says is None or says.runs.get(name) != "":
        return None
    if why := says.waits.get(name):
        return problem(f"{name} {is_so}, and the agent does not run it: {why.rstrip('.')}.", advice)
    return warning(f"{name} {is_so}, and the agent does not run it yet.", "Look again in a minute.")


def _versions(
    models: Mapping[str, ModelState], configured: Container[str], says: Told | None
) -> Iterator[Finding]:
    for name, model in models.items():
        if model.active is None:
            stuck = says is not None and bool(says.pending.get(name))
            waits = says.waits.get(name, "") if says else ""
            inactive = judge_idle(name, model, stuck=stuck, waits=waits)
            yield inactive if name in configured else ok(f"{name}: no version is active.")
            continue
        version = model.slots[model.active].version
        idle = _not_running(says, name, f"{version} is active")
        yield idle or ok(f"{name}: version {version} is active.")
        if last := refused(model):
            what, advice = _rejection(last)
            yield warning(f"{name}: {what}. {version} is active.", advice)
