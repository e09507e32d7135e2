"""Old releases, old roots, parts of several bundles, and bundles for other hardware."""

import json
from functools import partial
from typing import Any

from edge_runtime.bundle import decode_root, make_root, rotation
from edge_runtime.errors import BundleError, OlderReleaseError, TrustError, UnavailableError
from edge_runtime.store import slots
from tests.hostile.attacks.plans import PROFILE
from tests.hostile.building import Files, archive, loading_changed, opening, signature_name
from tests.hostile.case import Case, Make
from tests.support.tiny_bundle import KEY, MODEL_FILE, OTHER_KEY, tiny_bundle
from tests.support.unpacked import payloads

GROUP = "rollback"
OLDER_TRUSTED = "CVE-2022-29173"
ROTATED = "bundle.rotation.rotated: "
OLD, NEW = payloads(tiny_bundle(version="1.0.0")), payloads(tiny_bundle(version="2.0.0", seed=1))
NAME = signature_name(KEY)
ALTERED = ("bundle.reader._checked: _altered",)


def _mixed(**taken: Files) -> Files:
    """Files of one bundle with some of another: `manifest`, `signature`, `model`, `golden`, `card`."""
    names = {
        "manifest": "manifest.json",
        "signature": NAME,
        "model": MODEL_FILE,
        "golden": "golden/outputs/1.npy",
        "card": "card.md",
    }
    return NEW | {names[what]: files[names[what]] for what, files in taken.items()}


def _older(release: int) -> Make:
    """What an install decides on a device where release 5 was confirmed."""
    state = slots.State(models={"tiny": slots.ModelState(floor=5)})
    slot = slots.Slot(model="tiny", digest="0" * 64, version="1.0.0", release=release, state="writing")
    return lambda _: lambda: slots.begin_write(state, slot)


def _root(version: int, *signers: Any, **more: Any) -> bytes:
    return make_root([KEY.public_key()], *signers, version=version, **more)


def _rotating(old: bytes, new: bytes) -> Make:
    return lambda _: lambda: rotation.rotated(decode_root(old), new)


def _deciding(pinned: bytes, given: bytes) -> Make:
    return lambda _: lambda: rotation.decides(decode_root(pinned), decode_root(given))


def _following(pinned: bytes, *chain: bytes) -> Make:
    return lambda _: lambda: rotation.followed(decode_root(pinned), chain)


def _for_engine(value: dict[str, Any], _: Files) -> None:
    value["variants"][0] |= {"engine": "tensorrt", "profile": PROFILE, "boards": ["orin-nano"]}


def _unsigned_root(raw: bytes) -> bytes:
    value = json.loads(raw)
    return json.dumps({"signatures": [], "signed": value["signed"]}).encode()


_case = partial(Case, GROUP, error=TrustError)


def _mixed_case(what: str, name: str, rules: tuple[str, ...], **taken: Files) -> Case:
    raw = archive(_mixed(**taken))
    return _case(
        f"{what} of an older bundle",
        lambda folder: opening(raw, folder),
        rules,
        f"{name}: expected SHA-256",
        error=BundleError,
    )


OLDER = ("store.slots.begin_write: the highest that ran here",)
CHUNKS = ("bundle.reader.Bundle._digested: _altered",)
TRUSTED_BOTH = make_root([KEY.public_key(), OTHER_KEY.public_key()], KEY, version=2)
CASES = (
    _case(
        "an older release",
        _older(4),
        OLDER,
        r"its release \d is below 5, the highest that ran here",
        error=OlderReleaseError,
        advisory=OLDER_TRUSTED,
    ),
    _case(
        "release 0",
        _older(0),
        OLDER,
        r"its release \d is below 5, the highest that ran here",
        error=OlderReleaseError,
        advisory=OLDER_TRUSTED,
    ),
    _mixed_case("the manifest", "manifest.json", ALTERED, manifest=OLD),
    _mixed_case("the signature", "manifest.json", ALTERED, signature=OLD),
    _mixed_case("manifest and signature", "", CHUNKS, manifest=OLD, signature=OLD),
    _mixed_case("the model", MODEL_FILE, CHUNKS, model=OLD),
    _mixed_case("the goldens", "golden/outputs/1.npy", CHUNKS, golden=OLD),
    _mixed_case("the card", "card.md", CHUNKS, card=OLD),
    _case(
        "root: an older version",
        _rotating(_root(2, KEY), _root(1, KEY)),
        (ROTATED + "expected version {old.version + 1}",),
        "expected version 3, .* found 1",
        advisory=OLDER_TRUSTED,
    ),
    _case(
        "root: the same version again",
        _rotating(_root(2, KEY), _root(2, KEY)),
        (ROTATED + "expected version {old.version + 1}",),
        "expected version 3, .* found 2",
        advisory=OLDER_TRUSTED,
    ),
    _case(
        "root: a version skipped",
        _rotating(_root(1, KEY), _root(3, KEY)),
        (ROTATED + "expected version {old.version + 1}",),
        "expected version 2, .* found 3",
        advisory="CVE-2020-15163",
    ),
    _case(
        "root: signed by the new keys alone",
        _rotating(_root(1, KEY), _root(2, OTHER_KEY)),
        (ROTATED + "to be signed by",),
        "to be signed by 1 of the 1 root keys of version 1, found 0",
        advisory="CVE-2020-15163",
    ),
    _case(
        "root: signed by nobody",
        _rotating(_root(1, KEY), _unsigned_root(_root(2, KEY))),
        ("bundle.trust.decode_root: of its own root keys", ROTATED + "to be signed by"),
        "expected signatures by 1 of its own root keys, found 0",
        advisory="CVE-2020-15163",
    ),
    _case(
        "root: a chain that ends before the pinned one",
        _following(_root(3, KEY), _root(1, KEY), _root(2, KEY)),
        ("bundle.rotation.followed: or later, found",),
        "expected version 3 or later, found 2",
        advisory=OLDER_TRUSTED,
    ),
    _case(
        "root: a newer one passed with an install",
        _deciding(_root(1, KEY), _root(2, KEY)),
        ("bundle.rotation.decides: which this store trusts",),
        "expected a root file of version 1, .* found version 2",
    ),
    _case(
        "root: another of the same version",
        _deciding(_root(2, KEY), TRUSTED_BOTH),
        ("bundle.rotation.demand_same: this store trusts another root file",),
        "this store trusts another root file than the one given, both of version 2",
    ),
    _case(
        "a bundle for another board",
        loading_changed(_for_engine),
        ("engine.select.demand_one: found none",),
        "expected a variant that runs on this machine, found none",
        error=UnavailableError,
    ),
)
