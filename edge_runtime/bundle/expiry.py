"""Whether a root file's expiry stands in the way of something new: a pure decision."""

from dataclasses import dataclass

from edge_runtime.bundle.trust import Root, is_expired
from edge_runtime.clock import Clock
from edge_runtime.errors import TrustError


@dataclass(frozen=True)
class Expiry:
    """expired: by the clock, right or wrong. refusal, warning: a sentence, '' where there is none."""

    expired: bool
    clock: Clock
    refusal: str = ""
    warning: str = ""


def judged(root: Root, clock: Clock) -> Expiry:
    """An expired root is refused where the clock is believed, and warned about where it is not."""
    if not is_expired(root, clock.now):
        return Expiry(False, clock)
    told = f"root file: version {root.version} expired on {root.expires:%Y-%m-%d}"
    if clock.believed:
        return Expiry(
            True,
            clock,
            refusal=f"{told}, and the clock {clock.why}. What runs runs on, nothing new is accepted. "
            "Put the next root file in its place with `edge-runtime trust update`.",
        )
    return Expiry(
        True,
        clock,
        warning=f"{told}, if the clock were right; but it {clock.why}, so the root file is still used. "
        "Set the clock, and look for your fleet's next root file.",
    )


def demand_current(root: Root, clock: Clock) -> Expiry:
    """The same; raises TrustError where it is a refusal."""
    found = judged(root, clock)
    if found.refusal:
        raise TrustError(found.refusal)
    return found
