"""Manifests that say other things than the files, or say them in two ways; all are properly signed."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from edge_runtime.bundle.manifest import canonical_json
from edge_runtime.errors import BundleError, ManifestError
from tests.hostile.building import (
    GOOD,
    MANIFEST,
    Files,
    archive,
    listing,
    opening,
    opening_changed,
    signed,
)
from tests.hostile.case import Attempt, Case, Make

GROUP = "manifest"
TWO_TRUTHS = "CVE-2017-12635"
DECODE = "bundle.manifest.decode: "
CANONICAL = DECODE + "expected canonical JSON"
FAULTS = "bundle.consistency.faults: "
CONTENTS = "bundle.reader._check_contents: "
SIGNED_OTHERS = "bundle.reader._checked: expected it to list the files that were signed"
Value = dict[str, Any]
TEXT = GOOD[MANIFEST].decode()


def _text(old: str, new: str) -> Make:
    """The manifest with another spelling of something."""
    assert old in TEXT
    return _raw(TEXT.replace(old, new, 1).encode())


def _raw(manifest: bytes) -> Make:
    files = {**GOOD, MANIFEST: manifest}
    return lambda folder: opening(archive(signed(files)), folder)


def _unlisted(value: Value, files: Files) -> None:
    value["files"] = listing(files)
    files["extra.so"] = b"\x7fELF"


def _missing(value: Value, files: Files) -> None:
    value["files"] = {**listing(files), "extra.so": {"sha256": "0" * 64, "size": 4}}


def _listed(name: str, **says: Any) -> Callable[[Value, Files], None]:
    def change(value: Value, files: Files) -> None:
        value["files"] = listing(files)
        value["files"][name] |= says

    return change


def _variant(**changes: Any) -> Callable[[Value, Files], None]:
    return lambda value, _: value["variants"][0].update(**changes)


def _golden(**changes: Any) -> Callable[[Value, Files], None]:
    return lambda value, _: value["golden"].update(**changes)


def _top(**changes: Any) -> Callable[[Value, Files], None]:
    return lambda value, _: value.update(**changes)


def _nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def _deep_steps(value: Value, _: Files) -> None:
    value["preprocessing"] = [{"name": "x", "parameters": {"deep": _nested(200)}}]


def _signed_alone(folder: Path) -> Attempt:
    """Signed over the manifest and one file that is not there, against a manifest without it."""
    files = signed({**GOOD, "zz": b"x"})
    del files["zz"]
    return opening(archive(files), folder)


def _huge() -> bytes:
    value = json.loads(TEXT)
    value["provenance"]["source"] = "x" * (4 << 20)
    return canonical_json(value)


_case = partial(Case, GROUP, error=ManifestError)
SPELLINGS = (
    _case(
        "a key twice",
        _text('"format":1', '"format":1,"format":1'),
        (CANONICAL,),
        "expected canonical JSON",
        advisory=TWO_TRUTHS,
    ),
    _case(
        "a key twice with two values",
        _text('"name":"tiny"', '"name":"other","name":"tiny"'),
        (CANONICAL,),
        "expected canonical JSON",
        advisory=TWO_TRUTHS,
    ),
    _case(
        "a key spelled with an escape",
        _text('"name":"tiny"', '"n\\u0061me":"tiny"'),
        (CANONICAL,),
        "expected canonical JSON",
        advisory=TWO_TRUTHS,
    ),
    _case("white space", _text('{"', '{ "'), (CANONICAL,), "expected canonical JSON"),
    _case(
        "a line break at the end", _raw(GOOD[MANIFEST] + b"\n"), (CANONICAL,), "expected canonical JSON"
    ),
    _case(
        "keys in another order",
        _raw(
            json.dumps(json.loads(TEXT), separators=(",", ":"))
            .replace('"classes":["still","moving"],', "")
            .replace('{"', '{"classes":["still","moving"],"', 1)
            .encode()
        ),
        (CANONICAL,),
        "expected canonical JSON",
    ),
    _case(
        "a number with an exponent",
        _text('"release":1000000', '"release":1e6'),
        (CANONICAL,),
        "expected canonical JSON",
    ),
    _case(
        "a number with a fraction",
        _text('"release":1000000', '"release":1000000.0'),
        (DECODE + "plain(str(error))",),
        "Expected `int`, got `float`",
    ),
    _case(
        "minus zero", _text('"near_ties":0', '"near_ties":-0'), (CANONICAL,), "expected canonical JSON"
    ),
    _case(
        "NaN",
        _text('"max_abs_error":0.0', '"max_abs_error":NaN'),
        (DECODE + "expected JSON, found",),
        "expected JSON, found",
    ),
    _case(
        "a number beyond every double",
        _text('"rate_hz":10.0', '"rate_hz":1e999'),
        (DECODE + "expected JSON, found",),
        "expected JSON, found",
    ),
    _case(
        "a half of a surrogate pair",
        _text('"name":"tiny"', '"name":"\\ud800"'),
        (DECODE + "expected JSON, found",),
        "expected JSON, found",
    ),
    _case(
        "text after the end",
        _raw(GOOD[MANIFEST] + b"{}"),
        (DECODE + "expected JSON, found",),
        "expected JSON, found",
    ),
    _case(
        "a byte order mark",
        _raw(b"\xef\xbb\xbf" + GOOD[MANIFEST]),
        (DECODE + "expected JSON, found",),
        "expected JSON, found",
    ),
    _case(
        "no UTF-8",
        _raw(GOOD[MANIFEST].replace(b"tests", b"te\xffts")),
        (DECODE + "expected JSON, found",),
        "expected JSON, found",
    ),
    _case(
        "a hundred thousand brackets",
        _raw(b"[" * 100_000),
        (DECODE + "expected JSON, found",),
        "expected JSON, found",
    ),
    _case(
        "nested 200 deep",
        opening_changed(_deep_steps),
        (DECODE + "levels of nesting",),
        "expected at most 32 levels of nesting",
    ),
    _case(
        "an integer of 65 bits",
        opening_changed(lambda value, _: value["window"].update(length=1 << 64)),
        (DECODE + "levels of nesting",),
        "integers of 64 bits, found more",
    ),
    _case(
        "more than 4 MiB",
        _raw(_huge()),
        (
            DECODE + "expected at most {MAX_MANIFEST_BYTES}",
            "bundle.reader._read_small: expected at most",
        ),
        "manifest.json: expected at most 4194304 bytes, found 419",
        error=BundleError,
    ),
)
ENTRIES = (
    _case(
        "a file that is not listed",
        opening_changed(_unlisted),
        (CONTENTS + "as well", SIGNED_OTHERS),
        "as well",
        error=BundleError,
    ),
    _case(
        "a listed file that is not there",
        opening_changed(_missing),
        (CONTENTS + "'no such file'", SIGNED_OTHERS),
        "'extra.so': expected 4 bytes, found no such file",
        error=BundleError,
    ),
    _case(
        "another size than listed",
        opening_changed(_listed("card.md", size=1)),
        (CONTENTS + "'no such file'",),
        "'card.md': expected 1 bytes, found 32",
        error=BundleError,
    ),
    _case(
        "another digest than signed",
        opening_changed(_listed("card.md", sha256="0" * 64)),
        (SIGNED_OTHERS, "bundle.reader.Bundle._digested: _altered"),
        "expected it to list the files that were signed",
        error=BundleError,
    ),
    _case(
        "a signed file that is gone",
        _signed_alone,
        (SIGNED_OTHERS,),
        "expected it to list the files that were signed",
        error=BundleError,
    ),
    _case(
        "a model that is not listed",
        opening_changed(_variant(file="variants/fp32/other.onnx")),
        (FAULTS + "does not list in files",),
        "refers to 'variants/fp32/other.onnx', which it does not list",
    ),
    _case(
        "goldens outside the bundle",
        opening_changed(_golden(inputs=["../../etc/passwd"])),
        (FAULTS + "does not list in files",),
        "refers to '../../etc/passwd', which it does not list",
    ),
)
VALUES = (
    _case(
        "a format of tomorrow",
        opening_changed(_top(format=2)),
        (DECODE + "expected format",),
        "expected format 1, found 2. Upgrade",
    ),
    _case(
        "a release below zero",
        opening_changed(_top(release=-1)),
        (FAULTS + "release is not from 0",),
        "release is not from 0 to",
    ),
    _case(
        "a release no double holds",
        opening_changed(_top(release=1 << 53)),
        (FAULTS + "release is not from 0",),
        "release is not from 0 to",
    ),
    _case(
        "a release that is text",
        opening_changed(_top(release="1000000")),
        (DECODE + "plain(str(error))",),
        "Expected `int`, got `str`",
    ),
    _case(
        "a name that is a path",
        opening_changed(_top(name="../tiny")),
        ("bundle.manifest.check_name: expected 1 to 64",),
        "name '../tiny': expected 1 to 64 of a-z",
    ),
    _case(
        "a name of 100,000 letters",
        opening_changed(_top(name="x" * 100_000)),
        ("bundle.manifest.check_name: expected 1 to 64",),
        r"name 'x{199}\.\.\.: expected 1 to 64 of a-z",
    ),
    _case(
        "a version that is a path",
        opening_changed(_top(version="1.0.0/..")),
        ("bundle.manifest.check_version: semantic version",),
        "expected a semantic version",
    ),
    _case(
        "no golden inputs",
        opening_changed(_golden(count=0)),
        (FAULTS + "no golden inputs",),
        "no golden inputs",
    ),
    _case(
        "a variant twice",
        opening_changed(lambda value, _: value["variants"].append(value["variants"][0])),
        (FAULTS + "a variant is listed twice",),
        "a variant is listed twice",
    ),
    _case(
        "an engine whose name is a path",
        opening_changed(_variant(engine="../shell")),
        (DECODE + "plain(str(error))",),
        "Expected `str` matching regex",
    ),
)
CASES = (*SPELLINGS, *ENTRIES, *VALUES)
