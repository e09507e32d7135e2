"""Which variants of a bundle may run on this machine: a pure decision."""

from collections.abc import Callable, Mapping

from edge_runtime.bundle.manifest import Manifest, Variant
from edge_runtime.engine.requirements import installed_here, unmet
from edge_runtime.errors import UnavailableError

# Why the engine of a name cannot be used here, '' where it can; None where nobody has it.
Unavailable = Callable[[str], str | None]
_BROUGHT_BY_NOBODY = "nothing here brings it: install its package, or a newer edge-runtime"


def demand_one(manifest: Manifest, unavailable: Unavailable, board: str) -> None:
    """Raise UnavailableError that says of every variant why not, where none may run here.

    See `why_passed_over`; what is behind the first one that may is not looked at.
    """
    reasons = []
    for variant in manifest.variants:
        reason = why_passed_over(variant, unavailable, board)
        if not reason:
            return
        reasons.append(f"{variant.id} {reason}")
    raise UnavailableError(
        f"{manifest.name} {manifest.version}: expected a variant that runs on this machine, found none: "
        f"{'; '.join(reasons)}."
    )


def why_passed_over(
    variant: Variant,
    unavailable: Unavailable,
    board: str,
    installed: Callable[[], Mapping[str, str]] = installed_here,
) -> str:
    """Why a variant may not run here, to follow its id; '' where it may.

    `unavailable` is asked only where the board fits.
    `board`: what this device is, '' where nobody has said; then a variant's boards are not looked at.
    `installed`: versions by name, asked for only where a variant requires something.
    """

    def engine() -> str:
        why = unavailable(variant.engine)
        return _BROUGHT_BY_NOBODY if why is None else why

    return unmet(variant, board, installed, engine)
