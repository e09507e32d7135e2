"""Whether the files of what is installed are still those that were installed."""

from collections.abc import Iterator

from edge_runtime.bundle import open_folder
from edge_runtime.doctor.findings import Device, Finding, ok, problem, warning
from edge_runtime.doctor.store import installed, opened, told
from edge_runtime.errors import BundleError, EdgeError, UnreadableError
from edge_runtime.store.disk import Store
from edge_runtime.store.slots import ModelState, Slot

LIMIT_S = 60.0  # every byte is read, from what may be a slow card
_MENDS = "Install it again, which mends it: edge-runtime install BUNDLE"


def look(device: Device) -> Iterator[Finding]:
    if (store := opened(device)) is None:
        return
    whole = []
    for name, now in installed(store).items():
        kept = (now.active, now.pending, now.previous, *now.older)
        for slot in (now.slots[digest] for digest in kept if digest):
            subject = f"{name} {slot.version}"
            error = _damage(store, slot)
            if error is None:
                whole.append(subject)
            elif slot.digest in installed(store).get(name, ModelState()).slots:  # else it went meanwhile
                yield judge(subject, error, runs=slot.digest in (now.active, now.pending))
    if whole:
        yield ok(f"{', '.join(whole)}: all files are as they were installed.")


def judge(subject: str, error: EdgeError, *, runs: bool) -> Finding:
    """`error`: what is wrong with a version's files; `runs`: whether it is, or is to be, active."""
    what, advice = told(error, _MENDS)
    if not isinstance(error, UnreadableError):
        advice = _MENDS
    if runs:
        return problem(f"{subject} cannot be loaded: {what}", advice)
    return warning(f"{subject} is no way back: {what}", advice)


def _damage(store: Store, slot: Slot) -> EdgeError | None:
    try:
        folder = store.slot_path(slot.model, slot.digest)
        with open_folder(folder, root=None, allow_unsigned=True) as bundle:
            bundle.check()
            if bundle.digest != slot.digest:
                raise BundleError(f"{folder}: expected the bundle {slot.digest}, found another.")
    except EdgeError as error:
        return error
    return None
