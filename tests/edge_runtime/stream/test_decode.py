"""What a sensor may send, and what becomes of what it may not."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.stream.decode import MAX_CHUNK, MAX_MESSAGE_BYTES, Block, decode

CHANNELS = ("x", "y")


def read(message: Any) -> tuple[Block, ...]:
    decoded = decode(json.dumps(message).encode(), CHANNELS)
    assert not decoded.rejected
    return decoded.blocks


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"values": [1, 2.5]}, (None, None, [[1, 2.5]])),
        ({"seq": 7, "values": [1, 2]}, (None, 7, [[1, 2]])),
        ({"seq": 7, "segment": "run", "time": 3.5, "values": [1, 2]}, ("run", 7, [[1, 2]])),
        ({"seq": 7, "values": {"y": 2, "x": 1}}, (None, 7, [[1, 2]])),
        ([1, 2], (None, None, [[1, 2]])),
        ([[1, 2], [3, 4]], (None, None, [[1, 2]])),
        ([{"seq": 7, "values": [1, 2]}, {"seq": 8, "values": [3, 4]}], (None, 7, [[1, 2], [3, 4]])),
        ({"seq": 7, "values": [1, 2], "battery": 0.8}, (None, 7, [[1, 2]])),
    ],
)
def test_every_form_of_a_sample_is_understood(message: Any, expected: tuple[Any, ...]) -> None:
    block = read(message)[0]
    assert (block.segment, block.seq, block.rows.tolist()) == expected
    assert block.rows.dtype == np.float32
    assert block.usable


def test_times_are_kept_and_missing_ones_are_nan() -> None:
    block = read([{"time": 3.5, "values": [1, 2]}, {"values": [1, 2]}])[0]
    assert block.times[0] == 3.5
    assert math.isnan(block.times[1])


def test_a_jump_inside_a_chunk_makes_two_blocks() -> None:
    blocks = read([{"seq": n, "values": [n, n]} for n in (1, 2, 5)])
    assert [(b.seq, len(b.rows)) for b in blocks] == [(1, 1), (2, 1), (5, 1)]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "not JSON"),
        (b"hello", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"x" * (MAX_MESSAGE_BYTES + 1), "message too large"),
        (json.dumps([[1, 2]] * (MAX_CHUNK + 1)).encode(), "chunk too long"),
        (b"[]", "empty chunk"),
        (b"null", "not a sample"),
        (b"3", "not a sample"),
        (b'{"seq": 1}', "not a sample"),
        (b'{"seq": 1, "values": [1]}', "wrong number of values"),
        (b'{"seq": 1, "values": [1, 2, 3]}', "wrong number of values"),
        (b'{"seq": 1, "values": {"x": 1}}', "other channels"),
        (b'{"seq": 1, "values": {"x": 1, "z": 1}}', "other channels"),
        (b'{"seq": 1, "values": "1 2"}', "values are not a list"),
        (b'{"seq": 1, "values": ["1", 2]}', "value is not a number"),
        (b'{"seq": 1, "values": [null, 2]}', "value is not a number"),
        (b'{"seq": 1, "values": [true, 2]}', "value is not a number"),
        (b'{"seq": 1, "values": [[1], 2]}', "value is not a number"),
        (b'{"seq": 1, "values": [NaN, 2]}', "value is not finite"),
        (b'{"seq": 1, "values": [Infinity, 2]}', "value is not finite"),
        (b'{"seq": 1, "values": [1e39, 2]}', "value is not finite"),
        (b'{"seq": 1, "values": [1e999, 2]}', "value is not finite"),
        (b'{"seq": 1, "values": [1' + b"0" * 400 + b", 2]}", "value is not finite"),
        (b"[1, null]", "value is not a number"),
        (b"[null, 1]", "value is not a number"),
        (b'{"seq": -1, "values": [1, 2]}', "seq is not a whole number from 0"),
        (b'{"seq": 1.5, "values": [1, 2]}', "seq is not a whole number from 0"),
        (b'{"seq": true, "values": [1, 2]}', "seq is not a whole number from 0"),
        (b'{"seq": 99999999999999999999, "values": [1, 2]}', "seq is not a whole number from 0"),
        (b'{"segment": "", "values": [1, 2]}', "segment is not a text of 1 to 64 bytes"),
        (b'{"segment": 5, "values": [1, 2]}', "segment is not a text of 1 to 64 bytes"),
        (b'{"segment": "\\ud800", "values": [1, 2]}', "segment is not a text of 1 to 64 bytes"),
        (b'{"time": "now", "values": [1, 2]}', "time is not a number of seconds"),
    ],
)
def test_what_cannot_be_used_is_counted_with_its_reason(payload: bytes, reason: str) -> None:
    decoded = decode(payload, CHANNELS)
    assert dict(decoded.rejected) == {reason: 1}
    assert not any(block.usable for block in decoded.blocks)


def test_a_bad_sample_of_a_chunk_leaves_the_good_ones() -> None:
    payload = b'[{"seq":1,"values":[1,2]},{"seq":2,"values":[NaN,2]},{"seq":3,"values":[1,2]}]'
    decoded = decode(payload, CHANNELS)
    assert [(block.seq, block.usable) for block in decoded.blocks] == [(1, True), (2, False), (3, True)]
    assert dict(decoded.rejected) == {"value is not finite": 1}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["values", "seq", "time", "segment", "x", "y"]), inner)
    ),
    max_leaves=20,
)


@given(st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_message_raises(payload: bytes) -> None:
    decoded = decode(payload, CHANNELS)
    usable = [block for block in decoded.blocks if block.usable]
    assert all(np.isfinite(block.rows).all() for block in usable)
    assert all(block.rows.shape[1] == 2 for block in decoded.blocks)
    assert bool(decoded.rejected) == (len(usable) < len(decoded.blocks))
