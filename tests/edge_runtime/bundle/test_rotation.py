"""A next root: signed by enough of the old keys and of its own, and never one that skips another."""

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from edge_runtime.bundle import Root, decode_root, key_id
from edge_runtime.bundle.root_file import Terms, add_signature, draft, make_root, next_terms
from edge_runtime.bundle.rotation import decides, followed, rotated
from edge_runtime.errors import TrustError

Key = ec.EllipticCurvePrivateKey
ALICE, BOB, CAROL, DAVE = (ec.derive_private_key(number, ec.SECP256R1()) for number in (11, 12, 13, 14))
EXPIRES = datetime(2040, 1, 1, tzinfo=timezone.utc)


def id_of(key: Key) -> str:
    return key_id(key.public_key())


def root_file(
    version: int, keys: list[Key], signers: list[Key], threshold: int = 1, **terms: Any
) -> bytes:
    """A root whose keys hold both roles, signed by whoever is given."""
    public = [key.public_key() for key in keys]
    raw = draft(Terms(version, EXPIRES, public, public, threshold, **terms))
    for signer in signers:
        raw = add_signature(raw, signer)
    return raw


OLD = decode_root(root_file(1, [ALICE, BOB, CAROL], [ALICE, BOB], threshold=2))


class TestOneStep:
    def test_enough_old_and_enough_new_keys_let_the_next_root_in(self) -> None:
        raw = root_file(2, [BOB, DAVE], [ALICE, BOB, DAVE], threshold=2)

        new = rotated(OLD, raw)

        assert (new.version, new.raw) == (2, raw)
        assert set(new.bundle.key_ids) == {id_of(BOB), id_of(DAVE)}

    @pytest.mark.parametrize("signers", [[DAVE], [ALICE, DAVE]])
    def test_too_few_of_the_old_keys_are_refused(self, signers: list[Key]) -> None:
        raw = root_file(2, [DAVE], signers)

        with pytest.raises(TrustError, match=r"signed by 2 of the 3 root keys of version 1, found [01]"):
            rotated(OLD, raw)

    def test_too_few_of_its_own_keys_are_refused(self) -> None:
        raw = root_file(2, [CAROL, DAVE], [ALICE, BOB, DAVE], threshold=2)

        with pytest.raises(TrustError, match="signatures by 2 of its own root keys, found 1"):
            rotated(OLD, raw)

    def test_the_old_threshold_counts_and_not_the_new_ones(self) -> None:
        raw = root_file(2, [ALICE], [ALICE], threshold=1)

        with pytest.raises(TrustError, match="found 1"):
            rotated(OLD, raw)

    def test_keys_for_bundles_do_not_sign_roots(self) -> None:
        old = decode_root(make_root([BOB.public_key()], ALICE))

        with pytest.raises(TrustError, match="1 of the 1 root keys of version 1, found 0"):
            rotated(old, root_file(2, [BOB], [BOB]))

    @pytest.mark.parametrize("version", [1, 3, 7])
    def test_a_version_other_than_the_next_is_refused(self, version: int) -> None:
        raw = root_file(version, [ALICE], [ALICE, BOB])

        with pytest.raises(TrustError, match=f"expected version 2, .* found {version}"):
            rotated(OLD, raw)

    def test_whoever_skips_is_told_to_give_those_between(self) -> None:
        with pytest.raises(TrustError, match="give them too"):
            rotated(OLD, root_file(3, [ALICE], [ALICE, BOB]))

    def test_a_wrong_signature_by_an_old_key_is_refused_even_beside_enough_others(self) -> None:
        value = json.loads(root_file(2, [DAVE], [ALICE, BOB, CAROL, DAVE]))
        by_name = {each["keyid"]: each for each in value["signatures"]}
        by_name[id_of(CAROL)]["sig"] = by_name[id_of(ALICE)]["sig"]

        with pytest.raises(TrustError, match="found a wrong one"):
            rotated(OLD, json.dumps(value).encode())


class TestDistinctKeys:
    def test_one_key_signing_twice_is_refused(self) -> None:
        value = json.loads(root_file(2, [DAVE], [ALICE, DAVE]))
        value["signatures"] += [each for each in value["signatures"] if each["keyid"] == id_of(ALICE)]

        with pytest.raises(TrustError, match="one for each key"):
            rotated(OLD, json.dumps(value).encode())

    def test_one_signature_under_two_ids_counts_for_its_own_key_only(self) -> None:
        value = json.loads(root_file(2, [DAVE], [ALICE, DAVE]))
        by_alice = next(each for each in value["signatures"] if each["keyid"] == id_of(ALICE))
        value["signatures"].append({"keyid": id_of(BOB), "sig": by_alice["sig"]})

        with pytest.raises(TrustError, match="found a wrong one"):
            rotated(OLD, json.dumps(value).encode())

    def test_one_key_under_two_ids_is_refused(self) -> None:
        value = json.loads(root_file(2, [ALICE, BOB], []))
        value["signed"]["keys"][id_of(BOB)] = value["signed"]["keys"][id_of(ALICE)]

        with pytest.raises(TrustError, match="under its own id"):
            rotated(OLD, json.dumps(value).encode())

    def test_a_threshold_below_one_cannot_even_be_drafted(self) -> None:
        with pytest.raises(TrustError, match="a threshold from 1"):
            root_file(2, [ALICE], [ALICE], threshold=0)
        with pytest.raises(TrustError, match="a threshold from 1"):
            root_file(2, [ALICE], [ALICE], bundle_threshold=0)


class TestChains:
    SECOND = root_file(2, [CAROL], [ALICE, BOB, CAROL])
    THIRD = root_file(3, [DAVE], [CAROL, DAVE])

    @pytest.mark.parametrize("order", [[SECOND, THIRD], [THIRD, SECOND]])
    def test_each_root_is_accepted_by_the_one_before_it(self, order: list[bytes]) -> None:
        assert followed(OLD, order).raw == self.THIRD

    def test_a_link_that_is_missing_is_named(self) -> None:
        with pytest.raises(TrustError, match=r"expected version 2, .* found 3"):
            followed(OLD, [self.THIRD])

    def test_the_same_chain_again_changes_nothing(self) -> None:
        now = followed(OLD, [self.SECOND, self.THIRD])

        assert followed(now, [self.SECOND, self.THIRD]) is now
        assert followed(now, [self.THIRD]) is now
        assert followed(now, []) is now

    def test_going_back_is_refused(self) -> None:
        now = followed(OLD, [self.SECOND])

        with pytest.raises(TrustError, match="expected version 2 or later, found 1"):
            followed(now, [OLD.raw])

    def test_another_root_of_the_same_version_is_refused(self) -> None:
        with pytest.raises(TrustError, match="another root file than the one given"):
            followed(OLD, [root_file(1, [DAVE], [DAVE])])

    def test_a_bad_last_link_makes_the_whole_chain_count_for_nothing(self) -> None:
        with pytest.raises(TrustError, match="root keys of version 2, found 0"):
            followed(OLD, [self.SECOND, root_file(3, [DAVE], [ALICE, BOB, DAVE])])

    def test_one_more_signature_is_no_other_root(self) -> None:
        assert followed(OLD, [add_signature(OLD.raw, CAROL)]) is OLD


class TestWhoDecides:
    SECOND = followed(OLD, [TestChains.SECOND])

    @pytest.mark.parametrize(
        ("pinned", "given", "decided"),
        [
            (None, None, None),
            (None, OLD, OLD),
            (OLD, None, OLD),
            (OLD, OLD, OLD),
            (SECOND, OLD, SECOND),
        ],
    )
    def test_the_pinned_root_does_and_what_it_left_behind_is_no_contradiction(
        self, pinned: Root | None, given: Root | None, decided: Root | None
    ) -> None:
        assert decides(pinned, given) is decided

    def test_a_later_root_comes_in_by_rotation_only(self) -> None:
        with pytest.raises(TrustError, match="`edge-runtime trust update`"):
            decides(OLD, self.SECOND)

    def test_a_stranger_of_the_same_version_is_refused(self) -> None:
        with pytest.raises(TrustError, match="trusts another root file"):
            decides(OLD, decode_root(root_file(1, [DAVE], [DAVE])))


class TestSigningInSteps:
    def test_the_order_of_signing_leaves_no_trace(self) -> None:
        one = root_file(2, [ALICE, BOB], [ALICE, BOB])

        assert root_file(2, [ALICE, BOB], [BOB, ALICE]) == one
        assert add_signature(one, ALICE) is one

    def test_what_the_next_root_says_is_the_old_one_s_but_for_what_is_asked(self) -> None:
        terms = next_terms(
            OLD,
            expires=EXPIRES + timedelta(days=1),
            add={"bundle": [DAVE.public_key()]},
            remove={"root": [id_of(ALICE)], "bundle": [id_of(BOB)]},
            bundle_threshold=2,
        )

        assert (terms.version, terms.root_threshold, terms.bundle_threshold) == (2, 2, 2)
        assert [key_id(key) for key in terms.root_keys] == sorted([id_of(BOB), id_of(CAROL)])
        assert {key_id(key) for key in terms.bundle_keys} == {id_of(ALICE), id_of(CAROL), id_of(DAVE)}

    def test_a_threshold_that_the_remaining_keys_cannot_reach_is_refused(self) -> None:
        terms = next_terms(OLD, expires=EXPIRES, add={}, remove={"root": [id_of(ALICE), id_of(BOB)]})

        with pytest.raises(TrustError, match="from 1 to the 1 keys of the role 'root'"):
            draft(terms)
