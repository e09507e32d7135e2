"""Real bundles with one thing changed where it has a meaning: seeded, so that findings can be repeated.

Changes of the archive, of signatures and of the model are made to a signed bundle, which must be
refused. Those of the manifest are also signed again, so that nothing else is wrong; some are harmless
then (another word in a description), and the bundle opens.
"""

import base64
import json
import random
import struct
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.bundle import open_bundle
from edge_runtime.bundle.manifest import canonical_json
from edge_runtime.errors import EdgeError
from tests.hostile.building import (
    END,
    GOOD,
    MANIFEST,
    archive,
    read_all,
    signature_name,
    signed,
)
from tests.hostile.case import is_sentence
from tests.support.tiny_bundle import KEY, MODEL_FILE, root

NUMBERS = (0, 1, 2, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1 << 63,
    1 << 64,
    0.5,
    1e308,
    "",
    "../x",
    "x" * 5000,
    [],
    {},
)
SIGNED = signed(GOOD)
RAW = archive(SIGNED)
NAME = signature_name(KEY)
ROOT = root()


@dataclass(frozen=True)
class Mutation:
    """One changed bundle. `is_signed_anew`: whether a signature over the change was made."""

    kind: str
    raw: bytes
    is_signed_anew: bool


def mutations(seed: int, count: int) -> Iterator[Mutation]:
    """`count` changed bundles, the kinds in turn."""
    chance = random.Random(seed)
    made = 0
    while made < count:
        kind = KINDS[made % len(KINDS)]
        raw = _MAKERS[kind](chance)
        if raw != RAW:
            made += 1
            yield Mutation(kind, raw, is_signed_anew=kind == "manifest")


def verdict(mutation: Mutation, folder: Path) -> str:
    """`refused`, `harmless`, or what is wrong."""
    path = folder / "mutation.edge"
    path.write_bytes(mutation.raw)
    try:
        with open_bundle(path, root=ROOT) as bundle:
            read_all(bundle)
    except EdgeError as error:
        text = str(error)
        return "refused" if is_sentence(text) else f"no sentence: {text[:200]!r}"
    except Exception as error:  # noqa: BLE001 (any other is a finding)
        return f"{type(error).__name__}: {error}"
    return "harmless" if mutation.is_signed_anew else "accepted"


def counted(seed: int, count: int) -> Counter[tuple[str, str]]:
    """How many mutations of each kind ended how."""
    found: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for mutation in mutations(seed, count):
            found[mutation.kind, verdict(mutation, Path(folder))] += 1
    return found


def _archive(chance: random.Random) -> bytes:
    """A field of a header, a byte of a payload, or a stretch of the file."""
    raw = bytearray(RAW)
    directory = len(RAW) - END.unpack(RAW[-END.size :])[5] - END.size
    at = chance.choice((chance.randrange(directory), chance.randrange(directory, len(raw))))
    match chance.randrange(6):
        case 0:
            raw[at] ^= 1 << chance.randrange(8)
        case 1:
            _put(raw, at, struct.pack("<H", chance.choice(NUMBERS) & 0xFFFF))
        case 2:
            _put(raw, at, struct.pack("<I", chance.choice(NUMBERS)))
        case 3:
            del raw[at : at + chance.randrange(1, 4096)]
        case 4:
            raw[at:at] = chance.randbytes(chance.randrange(1, 64))
        case _:
            other, size = chance.randrange(len(raw)), chance.randrange(1, 64)
            _put(raw, at, bytes(raw[other : other + size]))
    return bytes(raw)


def _put(raw: bytearray, at: int, data: bytes) -> None:
    raw[at : at + len(data)] = data[: len(raw) - at]


def _signature(chance: random.Random) -> bytes:
    """A value of the envelope or of the statement in it, without a signature over the change."""
    envelope = json.loads(SIGNED[NAME])
    if chance.random() < 0.5:
        dsse = envelope["dsseEnvelope"]
        statement = _changed(chance, json.loads(base64.b64decode(dsse["payload"])))
        dsse["payload"] = base64.b64encode(canonical_json(statement)).decode()
    else:
        envelope = _changed(chance, envelope)
    return RAW if _read(envelope) == _read(json.loads(SIGNED[NAME])) else _with_envelope(envelope)


def _with_envelope(envelope: Any) -> bytes:
    return archive({**SIGNED, NAME: json.dumps(envelope).encode()})


def _read(envelope: Any) -> list[Any]:
    """What a verifier reads of an envelope: other members are the maker's own and not signed."""
    dsse, material = envelope.get("dsseEnvelope"), envelope.get("verificationMaterial")
    read = [envelope.get("mediaType"), _hint(material) if isinstance(material, dict) else material]
    if not isinstance(dsse, dict):
        return [*read, dsse]
    signatures = dsse.get("signatures")
    first = signatures[0] if isinstance(signatures, list) and len(signatures) == 1 else signatures
    sig = first.get("sig") if isinstance(first, dict) else first
    return [*read, dsse.get("payload"), dsse.get("payloadType"), sig]


def _hint(material: dict[str, Any]) -> Any:
    public = material.get("publicKey")
    return public.get("hint") if isinstance(public, dict) else public


def _manifest_value(chance: random.Random) -> bytes:
    value = _changed(chance, json.loads(GOOD[MANIFEST]))
    try:
        return canonical_json(value)
    except OverflowError:  # an integer of 65 bits, which msgspec does not write
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _manifest(chance: random.Random) -> bytes:
    return archive(signed({**GOOD, MANIFEST: _manifest_value(chance)}))


def _manifest_unsigned(chance: random.Random) -> bytes:
    return archive({**SIGNED, MANIFEST: _manifest_value(chance)})


def _model(chance: random.Random) -> bytes:
    """A byte of the model under the manifest and signature of the good one."""
    model = bytearray(GOOD[MODEL_FILE])
    model[chance.randrange(len(model))] ^= 1 << chance.randrange(8)
    return archive({**SIGNED, MODEL_FILE: bytes(model)})


def _changed(chance: random.Random, value: Any) -> Any:
    """A JSON value with one of its values, at any depth, replaced, removed or added."""
    parent, key = chance.choice(list(_places(value)))
    match chance.randrange(4):
        case 0 if isinstance(parent, dict):
            del parent[key]
        case 1 if isinstance(parent, dict):
            parent[f"{key}2"] = parent[key]
        case 2 if isinstance(parent[key], str):
            parent[key] = parent[key][::-1] + "x"
        case _:
            parent[key] = chance.choice(VALUES)
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each container in a JSON value with each key or index in it."""
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


_MAKERS: dict[str, Callable[[random.Random], bytes]] = {
    "archive": _archive,
    "signature": _signature,
    "manifest": _manifest,
    "unsigned manifest": _manifest_unsigned,
    "model": _model,
}
KINDS = tuple(_MAKERS)
