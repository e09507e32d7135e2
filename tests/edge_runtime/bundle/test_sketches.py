"""The file of sketches: what a device reads, and what it refuses."""

import msgspec
import pytest

from edge_runtime.bundle.sketches import MAX_BYTES, Categories, Numbers, Sketches, decode, encode
from edge_runtime.errors import BundleError

NUMBERS = Numbers(
    tensor="rows",
    index=0,
    name="acc_x",
    count=4,
    missing=1,
    min=0.0,
    max=3.0,
    mean=1.5,
    edges=(1.0, 2.0),
    counts=(1, 1, 2),
)
LABELS = Categories(
    tensor="label", index=0, name="label", count=4, missing=0, counts={"a": 3, "b": 1}, others=0
)
SKETCHES = Sketches(format=1, rows=5, inputs=(NUMBERS,), outputs=(LABELS,), left_out=0)


def test_what_was_written_is_read() -> None:
    assert decode(encode(SKETCHES)) == SKETCHES


def changed(**members: object) -> bytes:
    return encode(
        msgspec.structs.replace(SKETCHES, inputs=(msgspec.structs.replace(NUMBERS, **members),))
    )


@pytest.mark.parametrize(
    "raw",
    [
        changed(counts=(1, 3)),
        changed(counts=(1, 1, 1)),
        changed(edges=(2.0, 1.0)),
        changed(edges=(1.0, 1.0)),
    ],
)
def test_a_histogram_whose_parts_do_not_fit_is_refused(raw: bytes) -> None:
    with pytest.raises(BundleError, match="'acc_x' do not fit together"):
        decode(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[" * 100_000,
        b"\xff",
        encode(SKETCHES).replace(b'"format":1', b'"format":2'),
        encode(SKETCHES).replace(b'"kind":"numbers"', b'"kind":"pictures"'),
        b" " * (MAX_BYTES + 1),
    ],
)
def test_anything_else_is_refused_in_a_sentence(raw: bytes) -> None:
    with pytest.raises(BundleError, match="sketches: "):
        decode(raw)
