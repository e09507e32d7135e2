"""Signing keys: ECDSA on P-256, as PEM files; a key's id is the SHA-256 of its public PEM text.

OpenSSF Model Signing calls the same number the key's hint, so one name serves both.
`cryptography` is imported where it is used: most commands never need it.
"""

import hashlib
import os
from typing import TYPE_CHECKING, TypeAlias

from edge_runtime.bundle.files import read_small
from edge_runtime.errors import TrustError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

    PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey
    PublicKey: TypeAlias = ec.EllipticCurvePublicKey

MAX_PEM_BYTES = 16 << 10
PASSPHRASE = "EDGE_RUNTIME_KEY_PASSPHRASE"  # noqa: S105 - where it is, not what it is


def generate_private_key() -> "PrivateKey":
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def key_id(public: "PublicKey") -> str:
    """SHA-256, in hexadecimal, of the public key's PEM text."""
    return hashlib.sha256(encode_public_key(public).encode("ascii")).hexdigest()


def encode_public_key(public: "PublicKey") -> str:
    """SubjectPublicKeyInfo as PEM, 64 characters a line, a line feed at the end."""
    from cryptography.hazmat.primitives import serialization

    return public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode("ascii")


def decode_public_key(pem: str, *, subject: str) -> "PublicKey":
    """Read a public key spelt exactly as `encode_public_key` does; raises TrustError."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        public = serialization.load_pem_public_key(pem.encode("ascii"))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise TrustError(f"{subject}: expected a public key as PEM, found something else.") from error
    if not isinstance(public, ec.EllipticCurvePublicKey) or not isinstance(public.curve, ec.SECP256R1):
        raise TrustError(f"{subject}: expected an ECDSA key on P-256, found {_kind(public)}.")
    if encode_public_key(public) != pem:
        raise TrustError(f"{subject}: expected a public key in canonical PEM, found another spelling.")
    return public


def encode_private_key(private: "PrivateKey") -> bytes:
    """PKCS #8 as PEM, not encrypted."""
    from cryptography.hazmat.primitives import serialization

    return private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def load_private_key(path: str | os.PathLike[str]) -> "PrivateKey":
    """Read a private key from a PEM file; a passphrase is taken from EDGE_RUNTIME_KEY_PASSPHRASE.

    Raises TrustError when it cannot be read, has another passphrase, or is not on P-256.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        pem = read_small(path, MAX_PEM_BYTES)
    except FileNotFoundError as error:
        raise TrustError(
            f"{path}: the private key cannot be read: {error.strerror}. Give the path of a key; "
            "`edge-runtime keys generate FOLDER` makes a first one."
        ) from error
    except OSError as error:
        raise TrustError(f"{path}: the private key cannot be read: {error.strerror}.") from error
    passphrase = os.environb.get(PASSPHRASE.encode()) if _is_encrypted(pem) else None
    try:
        private = serialization.load_pem_private_key(pem, password=passphrase)
    except TypeError as error:
        raise TrustError(
            f"{path}: expected the passphrase of this encrypted private key in the environment, found "
            f"none. Set {PASSPHRASE} for this command."
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        if passphrase is not None:
            raise TrustError(
                f"{path}: expected the passphrase of this encrypted private key in {PASSPHRASE}, found "
                "another, or the file is damaged."
            ) from error
        raise TrustError(
            f"{path}: expected a private key as PEM, found something else. "
            "`edge-runtime keys generate` makes one."
        ) from error
    if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(
        private.curve, ec.SECP256R1
    ):
        raise TrustError(
            f"{path}: expected an ECDSA key on P-256, found {_kind(private)}. "
            "`edge-runtime keys generate` makes one."
        )
    return private


def load_public_key(path: str | os.PathLike[str]) -> "PublicKey":
    """Read a public key from a PEM file, in whatever spelling; raises TrustError."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        public = serialization.load_pem_public_key(read_small(path, MAX_PEM_BYTES))
    except OSError as error:
        raise TrustError(f"{path}: the public key cannot be read: {error.strerror}.") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise TrustError(
            f"{path}: expected a public key as PEM, found something else. `edge-runtime keys show "
            "--public` prints the public half of a private key."
        ) from error
    if not isinstance(public, ec.EllipticCurvePublicKey) or not isinstance(public.curve, ec.SECP256R1):
        raise TrustError(f"{path}: expected an ECDSA key on P-256, found {_kind(public)}.")
    return public


def _is_encrypted(pem: bytes) -> bool:
    return b"ENCRYPTED" in pem


def _kind(key: object) -> str:
    curve = getattr(getattr(key, "curve", None), "name", None)
    return f"a key on {curve}" if curve else type(key).__name__.lstrip("_")
