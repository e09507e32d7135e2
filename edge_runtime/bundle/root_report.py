"""A root file for people and for programs. Values in, text and documents out."""

from typing import Any

from edge_runtime.bundle.expiry import Expiry
from edge_runtime.bundle.trust import TIME, Draft, Role, Root
from edge_runtime.starting import worded

_ADVICE = "to have it kept right: timedatectl set-ntp true"


def as_text(root: Root) -> str:
    """A few lines: version, expiry, and for both roles how many of which keys must sign."""
    lines = [f"root file version {root.version}, expires {root.expires:%Y-%m-%d}"]
    for what, role in (("bundles are", root.bundle), ("root files are", root.root)):
        count = len(role.key_ids)
        lines.append(f"  {what} signed by {role.threshold} of {count} key{'s' * (count > 1)}:")
        lines += [f"    {name}" for name in role.key_ids]
    return "\n".join(lines)


def as_document(root: Root) -> dict[str, Any]:
    """The same as one JSON value."""
    return {
        "version": root.version,
        "expires": root.expires.strftime(TIME),
        "roles": {"root": _role(root.root), "bundle": _role(root.bundle)},
    }


def expiry_lines(root: Root, found: Expiry) -> list[str]:
    """Whether it has expired, whether the clock that says so is believed, and what to do if not."""
    days = (root.expires - found.clock.now).days
    if found.clock.believed:
        verdict = (
            "expired, nothing new is accepted" if found.expired else f"in force for {days} more days"
        )
        return [f"{verdict}: the clock is believed, it {found.clock.why}"]
    if found.expired:
        return [
            f"expired, a warning only: the clock is not believed, it {found.clock.why}",
            worded(_ADVICE),
        ]
    verdict = (
        f"in force for {days} more days if the clock is right; until that is known, expiry only warns"
    )
    return [verdict, f"the clock {found.clock.why}", worded(_ADVICE)]


def expiry_document(found: Expiry) -> dict[str, Any]:
    """The same for programs."""
    return {
        "expired": found.expired,
        "accepts_new": not found.refusal,
        "clock": {
            "now": found.clock.now.strftime(TIME),
            "believed": found.clock.believed,
            "why": found.clock.why,
        },
    }


def _role(role: Role) -> dict[str, Any]:
    return {"key_ids": list(role.key_ids), "threshold": role.threshold}


def signatures_text(draft: Draft, before: Root | None) -> str:
    """Who has signed a root file, and how many are missing; `before` is the version before it."""
    lines = [_count("its own root keys", draft.root, draft.signers(draft.root))]
    if before is not None:
        lines.append(_count(f"the root keys of version {before.version}", before, draft.signers(before)))
    elif draft.root.version > 1:
        lines.append(f"  version {draft.root.version - 1}'s root keys must have signed it too")
    strangers = draft.signatures.keys() - draft.root.root.key_ids - set(_ids(before))
    lines += [f"  signed by {name}, which is none of these keys" for name in sorted(strangers)]
    return "\n".join(lines)


def signatures_document(draft: Draft, before: Root | None) -> dict[str, Any]:
    """The same for programs; `complete` is whether a device that has `before` would take it."""
    counts = {"own": (draft.root, draft.signers(draft.root))}
    if before is not None:
        counts["before"] = (before, draft.signers(before))
    return {
        "signed_by": {name: sorted(signers) for name, (_, signers) in counts.items()},
        "complete": all(len(signers) >= root.root.threshold for root, signers in counts.values()),
    }


def _count(whose: str, root: Root, signers: frozenset[str]) -> str:
    missing = root.root.threshold - len(signers)
    told = f"{missing} more must sign it" if missing > 0 else "enough"
    return f"  signed by {len(signers)} of {whose}, {root.root.threshold} must: {told}"


def _ids(root: Root | None) -> tuple[str, ...]:
    return () if root is None else root.root.key_ids
