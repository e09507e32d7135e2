"""JSON from outside, read without leniency: bounded, no key twice, no NaN, no endless nesting.

Python's and msgspec's readers keep the last of two equal keys and others keep the first; where a
signature is at stake two readers must never see two contents.
"""

import json
from typing import Any, TypeVar

import msgspec

from edge_runtime.errors import TrustError

Shape = TypeVar("Shape")


def decode_strict(raw: bytes, shape: type[Shape], *, subject: str, max_bytes: int) -> Shape:
    """Read `raw` as JSON of the given msgspec shape; raises TrustError that names the subject."""
    return as_shape(decode_any(raw, subject=subject, max_bytes=max_bytes), shape, subject=subject)


def decode_any(raw: bytes, *, subject: str, max_bytes: int) -> Any:
    """Read `raw` as strict JSON of any shape; raises TrustError that names the subject."""
    if len(raw) > max_bytes:
        raise TrustError(f"{subject}: expected at most {max_bytes} bytes, found {len(raw)}.")
    try:
        # msgspec refuses what json lets pass (NaN, infinite numbers, lone surrogates); json shows the
        # key that comes twice.
        msgspec.json.decode(raw)
        return json.loads(raw.decode("utf-8"), object_pairs_hook=_no_key_twice)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        found = str(error).rstrip(".")
        raise TrustError(
            f"{subject}: expected strict JSON, found: {found}. It is damaged, or another file: fetch it "
            "again."
        ) from error


def as_shape(value: Any, shape: type[Shape], *, subject: str) -> Shape:
    """A decoded value as a msgspec struct; raises TrustError that says which member is wrong."""
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        raise TrustError(f"{subject}: {error}.") from error


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!a} twice in one object")
    return found
