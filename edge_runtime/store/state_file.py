"""`state.json`: the store's state and its checksum, replaced as a whole and never mended by guess."""

import hashlib
from pathlib import Path

import msgspec

from edge_runtime import durable
from edge_runtime.errors import StoreError
from edge_runtime.store.slots import FORMAT, State

NAME = "state.json"
READABLE = (1, 2, FORMAT)
MAX_BYTES = 16 << 20


class _File(msgspec.Struct, frozen=True):
    sha256: str
    state: msgspec.Raw


class _Format(msgspec.Struct, frozen=True):
    format: int


def write(path: Path, state: State) -> None:
    """Replace the state. Once this returns it survives a power cut: the commit point of every change."""
    body = msgspec.json.encode(state)
    raw = msgspec.json.encode(_File(hashlib.sha256(body).hexdigest(), msgspec.Raw(body)))
    durable.replace_file(path, raw + b"\n")


def read(path: Path) -> State | None:
    """The state, or None where there is no file; raises StoreError when it is damaged or too new."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        told = f"{path}: the store's state cannot be read: {error.strerror}."
        raise StoreError(f"{told} {durable.advice(path, error)}".rstrip()) from error
    try:
        return _decode(path, raw)
    except msgspec.DecodeError as error:
        raise damaged(path, str(error)) from error


def damaged(path: Path, found: str) -> StoreError:
    return StoreError(
        f"{path}: expected the store's state as it was written, found: {found}. Nothing was changed. "
        "Put a copy of the file back, or move the store away and install the bundles anew."
    )


# Made with the module: msgspec 0.22 crashes where two threads are the first to decode one type.
_FILE, _FORMAT = msgspec.json.Decoder(_File), msgspec.json.Decoder(_Format)
_STATE = msgspec.json.Decoder(State)


def _decode(path: Path, raw: bytes) -> State:
    if len(raw) > MAX_BYTES:
        raise damaged(path, f"more than {MAX_BYTES} bytes")
    file = _FILE.decode(raw)
    body = bytes(file.state)
    if hashlib.sha256(body).hexdigest() != file.sha256:
        raise damaged(path, "another checksum than the one in it")
    found = _FORMAT.decode(body).format
    if found not in READABLE:
        raise StoreError(
            f"{path}: expected format {FORMAT}, found {found}. A newer edge-runtime wrote this store: "
            "upgrade the one on this device."
        )
    # Format 1 knew no trials and kept two good slots, format 2 no declared floors: what they lack are
    # the defaults of today.
    return msgspec.structs.replace(_STATE.decode(body), format=FORMAT)
