"""Signing keys: P-256 in PEM files, and a clear word about everything else."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.bundle import generate_private_key, key_id, load_private_key
from edge_runtime.bundle.keys import (
    PASSPHRASE,
    decode_public_key,
    encode_private_key,
    encode_public_key,
    load_public_key,
)
from edge_runtime.errors import TrustError
from tests.support.programs import program
from tests.support.tiny_bundle import KEY


def test_a_private_key_survives_its_file(tmp_path: Path) -> None:
    private = generate_private_key()
    (tmp_path / "key.pem").write_bytes(encode_private_key(private))

    assert key_id(load_private_key(tmp_path / "key.pem").public_key()) == key_id(private.public_key())


def test_a_key_id_is_what_sha256sum_says_of_openssl_s_public_key_file(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(encode_private_key(KEY))
    public = subprocess.run(
        [program("openssl"), "pkey", "-in", tmp_path / "key.pem", "-pubout"],
        capture_output=True,
        check=True,
    ).stdout

    assert key_id(KEY.public_key()) == hashlib.sha256(public).hexdigest()


def test_the_older_pem_form_of_openssl_is_read_as_well(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    made = [program("openssl"), *["ecparam", "-name", "prime256v1", "-genkey", "-out", "key.pem"]]
    subprocess.run(made, cwd=tmp_path, check=True, capture_output=True)

    assert load_private_key(path).curve.name == "secp256r1"


@pytest.mark.parametrize(
    ("key", "found"),
    [
        (ec.derive_private_key(5, ec.SECP384R1()), "a key on secp384r1"),
        (ec.derive_private_key(5, ec.SECP256K1()), "a key on secp256k1"),
        (ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)), "Ed25519"),
        (rsa.generate_private_key(65537, 2048), "RSA"),
    ],
    ids=["P-384", "K-256", "Ed25519", "RSA"],
)
def test_keys_of_another_kind_are_refused(key, found: str, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(encode_private_key(key))
    with pytest.raises(TrustError, match=f"expected an ECDSA key on P-256, found {found}"):
        load_private_key(tmp_path / "key.pem")

    public = encode_public_key(key.public_key())
    with pytest.raises(TrustError, match=f"expected an ECDSA key on P-256, found {found}"):
        decode_public_key(public, subject="key")


def test_an_encrypted_key_is_opened_by_the_passphrase_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = KEY.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    (tmp_path / "key.pem").write_bytes(locked)

    monkeypatch.delenv(PASSPHRASE, raising=False)
    with pytest.raises(TrustError, match=f"found none. Set {PASSPHRASE}"):
        load_private_key(tmp_path / "key.pem")
    monkeypatch.setenv(PASSPHRASE, "guess")
    with pytest.raises(TrustError, match=f"in {PASSPHRASE}, found another"):
        load_private_key(tmp_path / "key.pem")
    monkeypatch.setenv(PASSPHRASE, "secret")
    assert key_id(load_private_key(tmp_path / "key.pem").public_key()) == key_id(KEY.public_key())


def test_a_passphrase_does_not_get_in_the_way_of_a_key_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key.pem").write_bytes(encode_private_key(KEY))
    monkeypatch.setenv(PASSPHRASE, "secret")

    assert load_private_key(tmp_path / "key.pem")


def test_a_public_key_file_may_be_spelt_as_any_tool_does(tmp_path: Path) -> None:
    pem = encode_public_key(KEY.public_key())
    (tmp_path / "key.pem").write_text("made elsewhere\n" + pem.replace("\n", "\r\n"))

    assert key_id(load_public_key(tmp_path / "key.pem")) == key_id(KEY.public_key())
    (tmp_path / "key.pem").write_bytes(encode_private_key(KEY))
    with pytest.raises(TrustError, match="expected a public key as PEM"):
        load_public_key(tmp_path / "key.pem")


def test_a_key_file_that_cannot_be_read_is_one_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "huge").write_bytes(bytes(1 << 20))
    (tmp_path / "garbage").write_bytes(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    expected = {
        "missing": "No such file",
        ".": "it is a folder",
        "pipe": "not a regular file",
        "huge": "at most 16384 bytes, found 1048576",
        "garbage": "expected a private key as PEM",
    }
    for name, complaint in expected.items():
        with pytest.raises(TrustError, match=complaint):
            load_private_key(tmp_path / name)


@given(st.text(max_size=300))
def test_text_that_is_no_public_key_is_a_trust_error(text: str) -> None:
    with pytest.raises(TrustError):
        decode_public_key(text, subject="key")


def test_a_public_key_has_one_spelling() -> None:
    pem = encode_public_key(KEY.public_key())

    assert encode_public_key(decode_public_key(pem, subject="key")) == pem
    for other in (pem.rstrip("\n"), pem.replace("\n", "\r\n"), "a comment\n" + pem, pem + pem):
        with pytest.raises(TrustError, match="canonical PEM"):
            decode_public_key(other, subject="key")
