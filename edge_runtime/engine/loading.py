"""From a bundle to a session: the best variant that can be loaded here, and why not a better one."""

from collections.abc import Iterable, Mapping

import msgspec

from edge_runtime.bundle import Bundle
from edge_runtime.bundle.manifest import Manifest, Variant
from edge_runtime.engine import registry
from edge_runtime.engine.base import Session
from edge_runtime.engine.registry import Found
from edge_runtime.engine.requirements import only
from edge_runtime.engine.select import choose, why_passed_over
from edge_runtime.errors import EdgeError, EngineError, UnavailableError


class Loaded(msgspec.Struct, frozen=True):
    """notes: why variants that the author prefers do not run, and what else the engine has to report."""

    variant: Variant
    session: Session
    notes: tuple[str, ...]


def load_best(bundle: Bundle, *, threads: int, board: str, pinned: str = "") -> Loaded:
    """Load the first variant that can be; or the one of the id `pinned`, and no other.

    Where a variant that should run fails to load, the next one is taken.
    Raises EngineError that says of every variant why not, BundleError when a file was altered.
    """
    wanted = only(bundle.manifest, pinned)
    found = registry.find(variant.engine for variant in wanted.variants)
    failed: dict[str, EngineError] = {}
    while len(failed) < len(wanted.variants):
        left = [each for each in wanted.variants if each.id not in failed]
        try:
            variant = choose(_with(wanted, left), found.unavailable, board=board)
        except UnavailableError as error:
            if not failed:
                raise
            raise _none(wanted, _reasons(wanted.variants, found, board, failed)) from error
        try:
            session = found.engines[variant.engine].load(bundle, variant, threads=threads)
        except EngineError as error:
            failed[variant.id] = error
        except (EdgeError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 (an adapter of others may raise anything)
            failed[variant.id] = UnavailableError(f"{variant.engine}'s {registry.broken(error)}")
        else:
            before = wanted.variants[: wanted.variants.index(variant)]
            passed = _reasons(before, found, board, failed)
            told = (f"{name} does not run, {variant.id} does: {why}" for name, why in passed.items())
            return Loaded(variant, session, (*told, *getattr(session, "notes", ())))
    raise _none(wanted, failed)


def prepare(bundle: Bundle, *, board: str) -> tuple[str, ...]:
    """Do at install what an engine would else do when a variant is loaded, and may take minutes.

    Returns what is to be reported. What fails is no error here: it fails again, or is passed over, when
    the bundle is loaded. Raises BundleError when a file was altered.
    """
    notes: list[str] = []
    found = registry.find(variant.engine for variant in bundle.manifest.variants)
    for variant in bundle.manifest.variants:
        work = getattr(found.engines.get(variant.engine), "prepare", None)
        if work is not None and not why_passed_over(variant, found.unavailable, board):
            try:
                notes += work(bundle, variant)
            except EngineError as error:
                notes.append(str(error))
    return tuple(notes)


def _with(manifest: Manifest, variants: Iterable[Variant]) -> Manifest:
    return msgspec.structs.replace(manifest, variants=tuple(variants))


def _reasons(
    variants: Iterable[Variant], found: Found, board: str, failed: Mapping[str, EngineError]
) -> dict[str, EngineError]:
    """Why each does not run, by its id: it failed, or was not tried."""
    reasons = {}
    for each in variants:
        reasons[each.id] = failed.get(each.id) or UnavailableError(
            why_passed_over(each, found.unavailable, board)
        )
    return reasons


def _none(manifest: Manifest, reasons: Mapping[str, EngineError]) -> EngineError:
    """What is raised when nothing could be loaded: of one variant its own error."""
    if len(reasons) == 1:
        return next(iter(reasons.values()))
    is_machines = all(isinstance(each, UnavailableError) for each in reasons.values())
    kind = UnavailableError if is_machines else EngineError
    told = "; ".join(f"{name}: {why}" for name, why in reasons.items())
    return kind(f"{manifest.name} {manifest.version}: no variant can be loaded here: {told}")
