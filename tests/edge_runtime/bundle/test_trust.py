"""The root file: who may sign, how many must, and that the file itself is what its keys signed."""

import base64
import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.bundle import decode_root, is_expired, key_id, load_root, make_root, sign
from edge_runtime.bundle.manifest import canonical_json
from edge_runtime.bundle.signature import sign_bytes
from edge_runtime.bundle.trust import signed_files
from edge_runtime.errors import TrustError, UnreadableError
from tests.support.few_descriptors import few_descriptors

ALICE, BOB, CAROL = (ec.derive_private_key(number, ec.SECP256R1()) for number in (11, 12, 13))
FILES = {"manifest.json": "ab" * 32}


def name_of(key: ec.EllipticCurvePrivateKey) -> str:
    return key_id(key.public_key())


def envelope(key: ec.EllipticCurvePrivateKey, files: dict[str, str] = FILES) -> dict[str, bytes]:
    return {name_of(key): sign(files, name="tiny", key=key)}


def root_of(*keys: ec.EllipticCurvePrivateKey, **settings: Any) -> bytes:
    return make_root([key.public_key() for key in keys], *keys, **settings)


def altered(change: Callable[[dict[str, Any]], object], *signers: ec.EllipticCurvePrivateKey) -> bytes:
    """A root file of Alice and Bob, changed and then signed by whoever is given."""
    signed = json.loads(root_of(ALICE, BOB))["signed"]
    change(signed)
    body = canonical_json(signed)
    return signed_by(body, *signers)


def signed_by(body: bytes, *signers: ec.EllipticCurvePrivateKey) -> bytes:
    signatures = [{"keyid": name_of(key), "sig": _base64(sign_bytes(body, key))} for key in signers]
    return b'{"signed":' + body + b',"signatures":' + canonical_json(signatures) + b"}"


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def test_a_root_file_says_whom_to_trust_until_when() -> None:
    expires = datetime(2030, 6, 1, 12, 0, 0, tzinfo=timezone.utc)
    raw = make_root([BOB.public_key(), CAROL.public_key()], ALICE, version=7, expires=expires)
    root = decode_root(raw)

    assert (root.version, root.expires, root.raw) == (7, expires, raw)
    assert root.root.key_ids == (name_of(ALICE),)
    assert sorted(root.keys_of(root.bundle)) == sorted([name_of(BOB), name_of(CAROL)])
    assert root.bundle.threshold == root.root.threshold == 1


def test_a_root_file_is_the_same_every_time_and_canonical() -> None:
    assert root_of(ALICE, BOB) == root_of(ALICE, BOB)
    assert canonical_json(json.loads(root_of(ALICE, BOB))) == root_of(ALICE, BOB)


def test_white_space_and_order_outside_of_what_is_signed_do_not_matter() -> None:
    value = json.loads(root_of(ALICE))

    assert decode_root(json.dumps(value, indent=2).encode()).version == 1


def test_members_of_later_versions_are_signed_and_passed_over() -> None:
    raw = altered(lambda signed: signed.update(consistent_snapshot=True), ALICE)

    assert decode_root(raw).version == 1


def test_a_root_file_expires_at_its_time_and_says_so() -> None:
    root = decode_root(root_of(ALICE))

    assert is_expired(root, root.expires)
    assert not is_expired(root, root.expires - timedelta(seconds=1))


@pytest.mark.parametrize("threshold", [0, -1, 3])
@pytest.mark.parametrize("role", ["root", "bundle"])
def test_a_threshold_is_from_one_to_the_number_of_keys(threshold: int, role: str) -> None:
    raw = altered(lambda signed: signed["roles"][role].update(threshold=threshold), ALICE, BOB)

    with pytest.raises(TrustError, match=f"a threshold from 1 to the 2 keys of the role '{role}'"):
        decode_root(raw)


def _name_carol(signed: dict[str, Any]) -> None:
    signed["roles"]["bundle"]["keyids"].append(name_of(CAROL))


def _repeat_alice(signed: dict[str, Any]) -> None:
    signed["roles"]["bundle"]["keyids"] = [name_of(ALICE), name_of(ALICE)]


def _swap_keys(signed: dict[str, Any]) -> None:
    keys, (one, other) = signed["keys"], (name_of(ALICE), name_of(BOB))
    keys[one], keys[other] = keys[other], keys[one]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (_name_carol, "among its keys"),
        (_repeat_alice, "once, found one twice"),
        (_swap_keys, "under its own id"),
        (lambda s: s["keys"].update({name_of(ALICE): "no key"}), "expected a public key"),
        (lambda s: s["roles"].pop("bundle"), "bundle"),
        (lambda s: s["roles"]["bundle"].update(keyids=[], threshold=1), "the 0 keys"),
        (lambda s: s.update(_type="snapshot"), "type 'root' and format 1"),
        (lambda s: s.update(format=2), "found 'root' and 2"),
        (lambda s: s.update(version=0), "a version of 1 or more"),
        (lambda s: s.update(version=True), "Expected `int`"),
        (lambda s: s.update(expires="tomorrow"), "an expiry such as"),
        (lambda s: s.update(expires="2030-13-01T00:00:00Z"), "an expiry such as"),
        (lambda s: s.update(expires="2030-01-01T00:00:00+01:00"), "an expiry such as"),
        (lambda s: s["keys"].update({f"{n}": "x" for n in range(40)}), "at most 32 keys"),
    ],
)
def test_a_root_file_that_makes_no_sense_is_refused_however_well_it_is_signed(
    change: Callable[[dict[str, Any]], object], complaint: str
) -> None:
    with pytest.raises(TrustError, match=complaint):
        decode_root(altered(change, ALICE, BOB))


def test_a_root_file_is_signed_by_enough_of_its_own_root_keys() -> None:
    body = canonical_json(json.loads(root_of(ALICE, BOB, root_threshold=2))["signed"])

    assert decode_root(signed_by(body, ALICE, BOB)).root.threshold == 2
    for signers in ([], [ALICE], [ALICE, CAROL]):
        with pytest.raises(TrustError, match="signatures by 2 of its own root keys, found"):
            decode_root(signed_by(body, *signers))


def test_signing_twice_does_not_count_twice() -> None:
    body = canonical_json(json.loads(root_of(ALICE, BOB, root_threshold=2))["signed"])

    with pytest.raises(TrustError, match="one for each key"):
        decode_root(signed_by(body, ALICE, ALICE))


def test_signatures_of_the_keys_before_are_passed_over() -> None:
    body = canonical_json(json.loads(root_of(ALICE))["signed"])

    assert decode_root(signed_by(body, CAROL, ALICE)).version == 1


def test_a_wrong_signature_by_a_root_key_is_refused() -> None:
    body = canonical_json(json.loads(root_of(ALICE, BOB))["signed"])
    raw = signed_by(body, ALICE, BOB).replace(b'"version":1', b'"version":2')

    with pytest.raises(TrustError, match="found a wrong one"):
        decode_root(raw)


def test_a_key_that_appears_twice_in_the_json_is_refused() -> None:
    raw = root_of(ALICE).replace(b'"version":1', b'"version":1,"version":1')

    with pytest.raises(TrustError, match="'version' twice"):
        decode_root(raw)


@given(st.integers(0, len(root_of(ALICE)) - 1), st.integers(0, 255))
def test_a_changed_byte_never_changes_what_is_trusted(position: int, byte: int) -> None:
    raw = bytearray(root_of(ALICE))
    raw[position] = byte
    try:
        root = decode_root(bytes(raw))
    except TrustError:
        return
    original = decode_root(root_of(ALICE))
    assert (root.version, root.expires, root.bundle) == (1, original.expires, original.bundle)


@given(st.binary(max_size=300))
def test_garbage_is_a_trust_error_and_nothing_else(raw: bytes) -> None:
    with pytest.raises(TrustError):
        decode_root(raw)


@pytest.mark.parametrize("raw", [b"[" * 60_000, b" " * 70_000, b'{"signed":' * 5_000])
def test_a_root_file_that_means_harm_is_refused(raw: bytes) -> None:
    with pytest.raises(TrustError):
        decode_root(raw)


def test_a_deep_member_that_nobody_reads_is_refused_like_any_other_change() -> None:
    nested = b"[" * 900 + b"]" * 900
    raw = root_of(ALICE).replace(b'"signed":{', b'"signed":{"Z":' + nested + b",")

    with pytest.raises(TrustError):
        decode_root(raw)


def test_nothing_is_made_that_could_not_be_read() -> None:
    with pytest.raises(TrustError, match="threshold"):
        root_of(ALICE, bundle_threshold=2)
    with pytest.raises(TrustError, match="threshold"):
        make_root([ALICE.public_key()])


def test_a_root_file_that_cannot_be_read_says_which(tmp_path: Path) -> None:
    with pytest.raises(TrustError, match=r"root\.json: the root file cannot be read: No such file"):
        load_root(tmp_path / "root.json")
    (tmp_path / "root.json").write_text("{}")
    with pytest.raises(TrustError, match=r"root\.json: root file: .*signed"):
        load_root(tmp_path / "root.json")


def test_where_too_many_files_are_open_the_root_file_is_not_blamed(tmp_path: Path) -> None:
    (tmp_path / "root.json").write_bytes(root_of(ALICE))

    with few_descriptors(0), pytest.raises(UnreadableError) as caught:
        load_root(tmp_path / "root.json")

    assert str(caught.value).startswith(
        f"{tmp_path / 'root.json'}: the root file cannot be read: Too many open files. "
        "This process has as many files open as it may"
    )


def test_enough_distinct_trusted_keys_must_have_signed_a_bundle() -> None:
    root = decode_root(root_of(ALICE, BOB, bundle_threshold=2))
    signed = signed_files(root, envelope(ALICE) | envelope(BOB) | envelope(CAROL))

    assert signed.files == FILES
    assert signed.key_ids == {name_of(ALICE), name_of(BOB)}
    for too_few in (envelope(ALICE), envelope(ALICE) | envelope(CAROL), envelope(CAROL)):
        with pytest.raises(TrustError, match="at least 2 of the trusted keys"):
            signed_files(root, too_few)


def test_one_key_under_two_names_is_one_key() -> None:
    root = decode_root(root_of(ALICE, BOB, bundle_threshold=2))
    twice = envelope(ALICE) | {name_of(BOB): sign(FILES, name="tiny", key=ALICE)}

    with pytest.raises(TrustError, match="expected one of the trusted keys"):
        signed_files(root, twice)


def test_a_key_of_the_root_role_does_not_sign_bundles() -> None:
    root = decode_root(make_root([BOB.public_key()], ALICE))

    with pytest.raises(TrustError, match="found 0 by them and 1 by others"):
        signed_files(root, envelope(ALICE))


def test_signers_must_agree_on_what_they_signed() -> None:
    root = decode_root(root_of(ALICE, BOB))

    with pytest.raises(TrustError, match="the same files"):
        signed_files(root, envelope(ALICE) | envelope(BOB, {"manifest.json": "cd" * 32}))


def test_what_a_stranger_signed_is_not_even_read() -> None:
    root = decode_root(root_of(ALICE))

    assert signed_files(root, envelope(ALICE) | {"0" * 64: b"garbage"}).key_ids == {name_of(ALICE)}
