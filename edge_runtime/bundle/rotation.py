"""How one root takes another's place: pure decisions; the store acts on them.

A next root is accepted when enough root keys of the old one and enough of its own have signed it, and
its version is the old one's and 1. A version is never skipped: the one between may have taken a key
away, and only whoever checks it finds out (The Update Framework, section 5.3).
"""

from collections.abc import Sequence

from edge_runtime.bundle.trust import Root, decode_draft, decode_root
from edge_runtime.errors import TrustError


def rotated(old: Root, raw_new: bytes) -> Root:
    """The root in `raw_new`, where it may take the place of `old`.

    Raises TrustError for what is no root file, a version other than the next, or too few signatures by
    the keys of either.
    """
    new = decode_root(raw_new)
    if new.version != old.version + 1:
        raise TrustError(
            f"root file: expected version {old.version + 1}, the one after the trusted version "
            f"{old.version}, found {new.version}. {_advice(old, new)}"
        )
    signers = decode_draft(raw_new).signers(old)
    if len(signers) < old.root.threshold:
        raise TrustError(
            f"root file: expected version {new.version} to be signed by {old.root.threshold} of the "
            f"{len(old.root.key_ids)} root keys of version {old.version}, found {len(signers)}. Whoever "
            "holds them signs it with `edge-runtime keys sign-root`."
        )
    return new


def followed(pinned: Root, raws: Sequence[bytes]) -> Root:
    """The root that a chain of files leads to from `pinned`, each accepted by the one before it.

    They are taken by version, in whatever order they were given. Those that the pinned root has left
    behind are passed over where the chain reaches it, so that the same chain may be given again.
    Raises TrustError, and then none of them counts.
    """
    chain = sorted((decode_root(raw) for raw in raws), key=lambda root: root.version)
    if not chain:
        return pinned
    if chain[-1].version < pinned.version:
        raise TrustError(
            f"root file: expected version {pinned.version} or later, found {chain[-1].version}. What "
            "a later root took back stays taken back; fetch your fleet's newest root file."
        )
    root = pinned
    for each in chain:
        if each.version == root.version:
            demand_same(root, each)
        elif each.version > root.version:
            root = rotated(root, each.raw)
    return root


def decides(pinned: Root | None, given: Root | None) -> Root | None:
    """The root to verify with: the one a device has pinned, else the one it is given.

    A given one that is older than the pinned one is one that was rotated since, and does not count.
    Raises TrustError when it is newer, or another of the same version.
    """
    if pinned is None or given is None:
        return pinned or given
    if given.version > pinned.version:
        raise TrustError(
            f"expected a root file of version {pinned.version}, which this store trusts since its first "
            f"install, found version {given.version}. `edge-runtime trust update` puts a later one in "
            "its place, if it is signed for that."
        )
    if given.version == pinned.version:
        demand_same(pinned, given)
    return pinned


def demand_same(pinned: Root, given: Root) -> None:
    """Raise TrustError when two files of one version say different things."""
    if given.signed != pinned.signed:
        raise TrustError(
            f"this store trusts another root file than the one given, both of version {pinned.version}. "
            "Use your fleet's root file, or another store."
        )


def _advice(old: Root, new: Root) -> str:
    if new.version <= old.version:
        return "What a later root took back stays taken back: use your fleet's newest root file."
    return "The ones between say which keys still count: give them too, in one command."
