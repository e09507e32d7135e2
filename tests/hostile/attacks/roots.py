"""Root files by which somebody would count without having signed, or nobody would have to."""

import base64
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from edge_runtime.bundle import decode_root, key_id, make_root
from edge_runtime.bundle.manifest import canonical_json
from edge_runtime.bundle.signature import sign_bytes
from edge_runtime.errors import TrustError
from tests.hostile.attacks.forgery import DUPLICATE_SIGNER, GROUP
from tests.hostile.case import Attempt, Case
from tests.support.tiny_bundle import KEY, OTHER_KEY

ZERO_THRESHOLD = "GHSA-fphv-w9fq-2525"


def _rooted(change: Callable[[dict[str, Any]], object], *signers: ec.EllipticCurvePrivateKey) -> Any:
    """A root file that is changed and then signed; what is tried is to read it."""

    def make(folder: Path) -> Attempt:
        value = json.loads(make_root([KEY.public_key(), OTHER_KEY.public_key()], KEY, OTHER_KEY))
        change(value["signed"])
        body = canonical_json(value["signed"])
        value["signatures"] = [
            {
                "keyid": key_id(key.public_key()),
                "sig": base64.b64encode(sign_bytes(body, key)).decode(),
            }
            for key in signers
        ]
        raw = canonical_json(value)
        return lambda: decode_root(raw)

    return make


def _threshold(role: str, count: int) -> Any:
    return _rooted(lambda body: body["roles"][role].update(threshold=count), KEY, OTHER_KEY)


def _key_twice_in_role(body: dict[str, Any]) -> None:
    role = body["roles"]["bundle"]
    role.update(keyids=[role["keyids"][0]] * 2, threshold=2)


def _key_under_another_id(body: dict[str, Any]) -> None:
    body["keys"]["0" * 64] = next(iter(body["keys"].values()))
    body["roles"]["bundle"]["keyids"].append("0" * 64)


_case = partial(Case, GROUP, error=TrustError)
CASES = (
    _case(
        "root: threshold 0 for bundles",
        _threshold("bundle", 0),
        ("bundle.trust._role: a threshold from 1",),
        "expected a threshold from 1 to the 2 keys of the role 'bundle', found 0",
        advisory=ZERO_THRESHOLD,
    ),
    _case(
        "root: threshold 0 for roots",
        _threshold("root", 0),
        ("bundle.trust._role: a threshold from 1",),
        "threshold from 1 to the 2 keys of the role 'root', found 0",
        advisory=ZERO_THRESHOLD,
    ),
    _case(
        "root: a negative threshold",
        _threshold("bundle", -1),
        ("bundle.trust._role: a threshold from 1",),
        "found -1",
        advisory=ZERO_THRESHOLD,
    ),
    _case(
        "root: one key twice in a role",
        _rooted(_key_twice_in_role, KEY, OTHER_KEY),
        ("bundle.trust._role: once",),
        "expected each key of the role 'bundle' once, found one twice",
        advisory=DUPLICATE_SIGNER,
    ),
    _case(
        "root: a key under another's id",
        _rooted(_key_under_another_id, KEY, OTHER_KEY),
        ("bundle.trust._keys: under its own id",),
        "under its own id",
        advisory="CVE-2020-6174",
    ),
)
