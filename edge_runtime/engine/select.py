"""Which variant of a bundle to run on this machine: a pure decision."""

from collections.abc import Mapping

from edge_runtime.bundle.manifest import Manifest, Variant
from edge_runtime.errors import EngineError


def choose(manifest: Manifest, unavailable: Mapping[str, str]) -> Variant:
    """The first variant whose engine is available; the author put them in order of preference.

    `unavailable` maps the name of each known engine to why it cannot be used here, '' when it can.
    Raises EngineError that says of every variant why not.
    """
    reasons = []
    for variant in manifest.variants:
        reason = unavailable.get(variant.engine, "this version of edge-runtime does not know it")
        if not reason:
            return variant
        reasons.append(f"{variant.id} needs {variant.engine} ({reason})")
    raise EngineError(
        f"{manifest.name} {manifest.version}: expected a variant that runs on this machine, found none: "
        f"{'; '.join(reasons)}."
    )
