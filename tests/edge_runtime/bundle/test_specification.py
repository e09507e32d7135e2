"""docs/bundle-format.md is enough to write a reader: this one uses nothing of ours, and openssl."""

import base64
import hashlib
import json
import re
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from edge_runtime.bundle import archive, manifest, reader, signature, sketches, trust
from tests.support.programs import program
from tests.support.tiny_bundle import root_bytes, tiny_bundle

DOCUMENT = Path(__file__).parents[3] / "docs" / "bundle-format.md"


class RefusedError(Exception):
    pass


def read_archive(raw: bytes) -> dict[str, bytes]:
    """The section "The archive": payloads by name."""
    count, _, directory_size, offset = struct.unpack("<HHII", raw[-14:-2])
    at, members = offset, []
    for _ in range(count):
        crc32, size, _, length = struct.unpack("<IIIH", raw[at + 16 : at + 30])
        members.append((raw[at + 46 : at + 46 + length], crc32, size))
        at += 46 + length
    rebuilt, directory, payloads = b"", b"", {}
    for name, crc32, size in members:
        component = rb"[a-z0-9][a-z0-9._-]{0,95}"
        if not re.fullmatch(component + rb"(/" + component + rb"){0,5}", name):
            raise RefusedError("name")
        local, stretch = len(rebuilt), -(len(rebuilt) + 34 + len(name)) % 4096
        shared = struct.pack("<4HIII", 0, 0, 0, 33, crc32, size, size)
        rebuilt += b"PK\3\4" + struct.pack("<H", 20) + shared
        rebuilt += struct.pack("<HH", len(name), 4 + stretch) + name
        rebuilt += b"\x35\xd9" + struct.pack("<H", stretch) + bytes(stretch)
        directory += b"PK\1\2" + struct.pack("<HH", 788, 20) + shared
        directory += struct.pack("<HQII", len(name), 0, 0x81A40000, local) + name
        payload = raw[len(rebuilt) : len(rebuilt) + size]
        if zlib.crc32(payload) != crc32:
            raise RefusedError("crc")
        payloads[name.decode()] = payload
        rebuilt += payload
    end = struct.pack("<IHHIIH", 0, count, count, len(directory), len(rebuilt), 0)
    if raw != rebuilt + directory + b"PK\5\6" + end or directory_size != len(directory):
        raise RefusedError("not canonical")
    if list(payloads) != sorted(payloads) or len(payloads) != count:
        raise RefusedError("order")
    return payloads


def read_root(raw: bytes, work: Path) -> tuple[dict[str, str], int]:
    """The section "The root file": PEM by key id for bundles, and the threshold."""
    file = json.loads(raw)
    signed = file["signed"]
    for name, pem in signed["keys"].items():
        if hashlib.sha256(pem.encode()).hexdigest() != name:
            raise RefusedError("key id")
    body = json.dumps(signed, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    signers = {
        entry["keyid"]
        for entry in file["signatures"]
        if entry["keyid"] in signed["roles"]["root"]["keyids"]
        and openssl_verifies(signed["keys"][entry["keyid"]], entry["sig"], body, work)
    }
    if len(signers) < signed["roles"]["root"]["threshold"]:
        raise RefusedError("root threshold")
    role = signed["roles"]["bundle"]
    return {name: signed["keys"][name] for name in role["keyids"]}, role["threshold"]


def read_signature(raw: bytes, keys: dict[str, str], work: Path) -> tuple[str, dict[str, str]]:
    """The section "Signatures": who signed, and digests by name."""
    file = json.loads(raw)
    envelope, hint = file["dsseEnvelope"], file["verificationMaterial"]["publicKey"]["hint"]
    payload = base64.b64decode(envelope["payload"])
    signed = b"DSSEv1 28 application/vnd.in-toto+json %d %s" % (len(payload), payload)
    if not openssl_verifies(keys[hint], envelope["signatures"][0]["sig"], signed, work):
        raise RefusedError("signature")
    statement: dict[str, Any] = json.loads(payload)
    files = {each["name"]: each["digest"] for each in statement["predicate"]["resources"]}
    over_all = hashlib.sha256(b"".join(bytes.fromhex(digest) for digest in files.values())).hexdigest()
    if statement["subject"][0]["digest"]["sha256"] != over_all:
        raise RefusedError("root digest")
    return hint, files


def openssl_verifies(pem: str, encoded: str, message: bytes, work: Path) -> bool:
    (work / "public.pem").write_text(pem)
    (work / "signature").write_bytes(base64.b64decode(encoded))
    (work / "message").write_bytes(message)
    arguments = "dgst -sha256 -verify public.pem -signature signature message"
    command = [program("openssl"), *arguments.split()]
    return subprocess.run(command, cwd=work, capture_output=True, check=False).returncode == 0


def read_bundle(raw: bytes, root: bytes, work: Path) -> dict[str, Any]:
    """The section "What a reader does": the manifest of a bundle that is trusted and whole."""
    payloads = read_archive(raw)
    keys, threshold = read_root(root, work)
    signatures = {name: data for name, data in payloads.items() if name.startswith("signatures/")}
    read = [
        read_signature(data, keys, work)
        for name, data in signatures.items()
        if name.removeprefix("signatures/").removesuffix(".sig") in keys
    ]
    if len({signer for signer, _ in read}) < threshold:
        raise RefusedError("threshold")
    digests = {n: hashlib.sha256(d).hexdigest() for n, d in payloads.items() if n not in signatures}
    if any(files != digests for _, files in read):
        raise RefusedError("signed files")
    found: dict[str, Any] = json.loads(payloads["manifest.json"])
    listed = {name: file["sha256"] for name, file in found["files"].items()}
    if listed | {"manifest.json": digests["manifest.json"]} != digests:
        raise RefusedError("listed files")
    return found


def test_a_reader_written_from_the_specification_reads_our_bundles(tmp_path: Path) -> None:
    found = read_bundle(tiny_bundle(), root_bytes(), tmp_path)

    assert (found["name"], found["version"], found["classes"]) == ("tiny", "1.0.0", ["still", "moving"])


def test_it_refuses_what_was_altered(tmp_path: Path) -> None:
    raw = tiny_bundle()
    for before, after in (
        (b"A model for", b"A modem for"),
        (b'"release":1', b'"release":2'),
        (b"PK\1", b"PK\7"),
    ):
        assert before in raw
        with pytest.raises(RefusedError):
            read_bundle(raw.replace(before, after), root_bytes(), tmp_path)


def test_the_limits_in_the_document_are_those_of_the_code() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")

    assert archive.MAX_ARCHIVE_BYTES == 2**31 - 1
    for limit in (
        f"| entries | {archive.MAX_ENTRIES} |",
        f"| components of a name, bytes of each | {archive.MAX_DEPTH}, 96 |",
        f"| `manifest.json` | {manifest.MAX_MANIFEST_BYTES >> 20} MiB, {manifest.MAX_NESTING} levels",
        f"| signatures | {reader.MAX_SIGNATURES} of {signature.MAX_ENVELOPE_BYTES >> 20} MiB each |",
        f"| `root.json` | {trust.MAX_ROOT_BYTES >> 10} KiB, {trust.MAX_KEYS} keys |",
    ):
        assert limit in text


def test_every_member_of_the_manifest_is_in_the_document() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    shapes = (
        *(manifest.Manifest, manifest.Input, manifest.Output, manifest.Window, manifest.Step),
        *(manifest.Variant, manifest.Parity, manifest.Golden, manifest.Evaluation, manifest.ClassScore),
        *(manifest.Provenance, manifest.File, manifest.Label, manifest.CrossValidation),
        *(manifest.Reference, sketches.Sketches, sketches.Numbers, sketches.Categories),
    )
    for shape in shapes:
        for member in shape.__struct_fields__:
            assert re.search(rf'[`"]{member}[`"]', text), f"{shape.__name__}.{member}"
    words = (*get_args(manifest.Task), *get_args(manifest.Dtype))
    meanings = get_args(get_type_hints(manifest.Output)["meaning"])
    for word in (*words, *meanings):
        assert f"`{word}`" in text, word
