"""Which variants of the installed models can run here, and why others cannot."""

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from edge_runtime.agent.lacking import no_provider
from edge_runtime.bundle import open_folder
from edge_runtime.bundle.manifest import Manifest, Variant
from edge_runtime.choice import record
from edge_runtime.choice.key import holds_here
from edge_runtime.doctor.findings import Device, Finding, ok, problem, warning
from edge_runtime.doctor.probe import Engines
from edge_runtime.doctor.software import in_a_process
from edge_runtime.doctor.store import installed, opened, told
from edge_runtime.engine.candidate import Candidate
from edge_runtime.engine.onnxruntime.providers import PROVIDERS
from edge_runtime.engine.requirements import only
from edge_runtime.engine.select import why_passed_over
from edge_runtime.errors import EdgeError, UnavailableError
from edge_runtime.store.disk import Store

LIMIT_S = 60.0
_PROBE = """
import sys
sys.path[:] = [folder for folder in sys.path if folder]  # nothing is imported from where we stand
import msgspec
from edge_runtime.doctor.probe import engines
from edge_runtime.doctor.software import LOOKS
looks_for = lambda engine: print(LOOKS + engine, flush=True)
print(msgspec.json.encode(engines(sys.argv[1], sys.argv[2:], on_look=looks_for)).decode())
"""
_FAILED = "was tried here and cannot serve: edge-runtime bench --store tells why"
_ADVICE = "Install what is named, or a bundle that was converted for this device."


def look(device: Device) -> Iterator[Finding]:
    if (store := opened(device)) is None:
        return
    slots = list(_slots(store))
    if not slots:
        return
    config = device.config
    board = config.board if config else ""
    said = in_a_process(Path(sys.executable), _PROBE, board, *(str(folder) for folder, _ in slots))
    if isinstance(said, Finding):
        yield said
        return
    found = msgspec.json.decode(said.splitlines()[-1], type=Engines)  # libraries may say things before
    pins = {one.name: (one.variant or "", one.provider or "") for one in config.models} if config else {}
    for folder, manifest in slots:
        variant, provider = pins.get(manifest.name, ("", ""))
        failed = _failed(store, manifest.name, folder.name)
        yield judge(manifest, found, board, variant, provider, failed=failed)
    for engine, providers in found.unusable.items():
        for name, why in providers.items():
            yield warning(
                f"{engine}: {name} is installed and cannot be used: {why.rstrip('.')}.",
                "Bring what it needs, or uninstall it. The models run without it.",
            )
    for engine, why in found.broken.items():
        yield warning(
            f"What {engine} can run on cannot be told: {why}.",
            "Install another release of its package. Until then it runs models in its own way alone.",
        )


def judge(
    manifest: Manifest,
    found: Engines,
    board: str,
    variant: str = "",
    provider: str = "",
    *,
    failed: Collection[Candidate] = (),
) -> Finding:
    """`variant`, `provider`: what the configuration pins, '' for nothing; `failed`: what was tried here.

    What was made for this very board is expected to run; that variants for others do not is in order.
    """
    subject = f"{manifest.name} {manifest.version}"
    try:
        variants = only(manifest, variant).variants
    except UnavailableError as error:
        return problem(*told(error, _ADVICE))
    ways = {each.id: _ways(each, found, failed) for each in variants}
    reasons = {each.id: why_passed_over(each, found.unavailable.get, board) for each in variants}
    reasons |= {name: reasons[name] or _FAILED for name, left in ways.items() if not left}
    others = "; ".join(f"{name} {why}" for name, why in reasons.items() if why)
    able = [each for each in variants if not reasons[each.id]]
    if not able:
        return problem(f"{subject}: no variant can run here: {others}.", _ADVICE)
    providers = dict.fromkeys(filter(None, (way for each in able for way in ways[each.id])))
    if provider and provider not in providers:
        return _lacks(subject, provider, providers, able, found)
    runs = f"{subject}: {_can_run(able, ways, provider)}"
    meant = [
        f"{each.id} {reasons[each.id]}" for each in variants if board in each.boards and reasons[each.id]
    ]
    if meant:
        return warning(f"{runs}, but not what was made for this board: {'; '.join(meant)}.", _ADVICE)
    return ok(f"{runs}; {others}." if others else f"{runs}.")


def _ways(variant: Variant, found: Engines, failed: Collection[Candidate]) -> list[str]:
    """The providers that it may run on, '' for an engine's only way, without those where it `failed`."""
    usable = found.usable.get(variant.engine) or ("",)
    return [way for way in usable if Candidate(variant.id, way) not in failed]


def _lacks(
    subject: str, provider: str, here: Collection[str], able: Sequence[Variant], found: Engines
) -> Finding:
    """Of a provider that is not here: there is nothing to bring for one that nobody knows.

    An adapter that breaks when it is asked may have one of that name.
    """
    known = {*PROVIDERS, *(name for names in found.unusable.values() for name in names)}
    broken = {each.engine: found.broken[each.engine] for each in able if each.engine in found.broken}
    told = [no_provider(subject, provider, here)]
    advice = "Bring what it needs, or name another" if provider in known else "Name one of these"
    if provider not in known and broken:
        told += [f"What {engine} can run on cannot be told: {why}." for engine, why in broken.items()]
        advice = "Install another release of that engine's package, or name one of these"
    return problem(" ".join(told), f"{advice} in `models[].provider`, or none.")


def _can_run(able: list[Variant], ways: Mapping[str, list[str]], provider: str) -> str:
    """Which variants can run here, by what they run on."""
    by: dict[str, list[str]] = {}
    for each in able:
        names = [provider] if provider in ways[each.id] else ways[each.id]
        by.setdefault(", ".join(filter(None, names)), []).append(each.id)
    return "; ".join(
        f"{', '.join(names)} can run here{f' on {on}' if on else ''}" for on, names in by.items()
    )


def _failed(store: Store, model: str, digest: str) -> frozenset[Candidate]:
    """What this machine has tried of a slot as it is, and what could not serve."""
    found = record.read(record.path_of(store.root, model, digest))
    if found is None or not holds_here(found.key):
        return frozenset()  # with other software, or after a change of the machine, it may serve
    return frozenset(row.candidate for row in found.rows if row.why_not)


def _slots(store: Store) -> Iterator[tuple[Path, Manifest]]:
    """Folder and manifest of what is active or pending; what cannot be read, the store's check tells."""
    for name, now in installed(store).items():
        for digest in (now.active, now.pending):
            if digest is None:
                continue
            try:
                folder = store.slot_path(name, digest)
                with open_folder(folder, root=None, allow_unsigned=True) as bundle:
                    yield folder, bundle.manifest
            except EdgeError:
                continue
