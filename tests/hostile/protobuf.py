"""Protobuf as no writer of it writes: numbers of ten bytes, lengths that lie, messages in messages.

A file is read into its fields, at any depth, changed there and written again, so that whatever holds the
change still has its right length.

Source: https://protobuf.dev/programming-guides/encoding.
"""

import random
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import onnx

VARINT, FIXED64, BYTES, START, END, FIXED32 = range(6)
_FIXED = {FIXED64: 8, FIXED32: 4}
_MOST = (1 << 29) - 1  # of a field's number


@dataclass
class Field:
    """One field: `inside` for a message, else `raw`, the payload as it is written.

    To lie with: how many bytes the tag and the length take at least, and what the length is off by.
    """

    number: int
    kind: int
    raw: bytes = b""
    inside: "list[Field] | None" = None
    tag_bytes: int = 1
    size_bytes: int = 1
    off_by: int = 0

    def written(self) -> bytes:
        payload = self.raw if self.inside is None else written(self.inside)
        tag = varint(self.number << 3 | self.kind, self.tag_bytes)
        size = varint(max(0, len(payload) + self.off_by), self.size_bytes) if self.kind == BYTES else b""
        return tag + size + payload


def encoding_changed(chance: random.Random, raw: bytes) -> bytes:
    """A model with one to three fields written in another way."""
    fields = read(raw, onnx.ModelProto.DESCRIPTOR)
    for _ in range(chance.choice((1, 1, 2, 3))):
        _change(chance, fields)
    return written(fields)


def nested(chance: random.Random, raw: bytes) -> bytes:
    """A model with something in it that is nested deeply, within the limits of readers and beyond."""
    depth = chance.choice((2, 8, 15, 16, 20, 30, 60, 99, 101, 500, 5000))
    inner = buried(chance.choice(_WAYS), depth)
    return raw + inner if chance.random() < 0.8 else inner + raw


def buried(way: "Way", depth: int) -> bytes:
    """A model with something in it so many turns deep; the onnx package itself reads none that is."""
    inner = b""
    for number in (*way.turn * depth, *way.head):
        inner = Field(number, BYTES, inner).written()
    return inner


@dataclass(frozen=True)
class Way:
    """Numbers of fields, from the inside out: of one turn, and up to the model."""

    turn: tuple[int, ...]
    head: tuple[int, ...]


GRAPHS = Way((6, 5, 1), (7,))  # a graph in an attribute of a node of a graph …
_WAYS = (
    GRAPHS,
    Way((11, 5, 1), (7,)),  # the same in lists of graphs
    Way((6, 5, 1), (6, 5, 7, 25)),  # in a function
    Way((1, 4), (2, 11, 7)),  # a sequence of sequences … as an input
    Way((1, 9), (2, 12, 7)),  # what may be missing, of what may be missing … as an output
    Way((2, 5), (2, 13, 7)),  # a map to maps … in the graph
    Way((1, 4), (14, 5, 1, 7)),  # a sequence of sequences … in an attribute
    Way((63,), ()),  # in a field that nobody knows
)


def read(raw: bytes, message: Any) -> list[Field]:
    """The fields of a message that is right. `message`: its descriptor."""
    by_number = {each.number: each.message_type for each in message.fields}
    found, at = [], 0
    while at < len(raw):
        tag, at = _number(raw, at)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            end = _number(raw, at)[1]
        elif kind == BYTES:
            size, at = _number(raw, at)
            end = at + size
        else:
            end = at + _FIXED[kind]
        inner = by_number.get(number)
        if inner is not None:
            found.append(Field(number, kind, inside=read(raw[at:end], inner)))
        else:
            found.append(Field(number, kind, raw[at:end]))
        at = end
    return found


def written(fields: list[Field]) -> bytes:
    return b"".join(each.written() for each in fields)


def varint(value: int, at_least: int = 1) -> bytes:
    """A number, in more bytes than it needs where that is asked for."""
    out = bytearray()
    while value > 0x7F or len(out) + 1 < at_least:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _number(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (raw[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if raw[at - 1] < 0x80:
            return value, at


def _change(chance: random.Random, fields: list[Field]) -> None:
    lists = list(_lists(fields))
    holder = chance.choice(lists)
    at = chance.randrange(len(holder))
    if chance.random() < 0.6:
        _write_otherwise(chance, holder[at])
    else:
        _put_elsewhere(chance, lists, holder, at)


def _write_otherwise(chance: random.Random, one: Field) -> None:
    match chance.randrange(8):
        case 0:
            one.tag_bytes = chance.choice((2, 5, 6, 10, 11))
        case 1:
            one.size_bytes = chance.choice((2, 5, 6, 10, 11))
        case 2:
            one.off_by = chance.choice((-1, 1, 2, 127, 1 << 20, 1 << 31, 1 << 32, 1 << 63, 1 << 64))
        case 3:
            one.number = chance.choice(
                (0, one.number + 1, chance.randrange(32), 19000, _MOST, _MOST + 1)
            )
        case 4:
            one.kind = chance.randrange(8)
        case 5 if one.inside is None and one.kind == VARINT:
            one.raw = chance.choice(
                (b"\xff" * 9 + b"\x01", b"\xff" * 9 + b"\x7f", b"\xff" * 10, b"\x80\0")
            )
        case 6 if one.inside is None:
            one.raw = one.raw[: chance.randrange(len(one.raw) + 1)]
        case _:
            one.inside, one.raw = None, chance.randbytes(chance.randrange(24))


def _put_elsewhere(
    chance: random.Random, lists: list[list[Field]], holder: list[Field], at: int
) -> None:
    one = holder[at]
    match chance.randrange(4):
        case 0:
            holder.insert(chance.randrange(len(holder) + 1), deepcopy(one))
        case 1:
            other = chance.choice(lists)
            other.insert(chance.randrange(len(other) + 1), deepcopy(one))
        case 2:
            holder[at : at + 1] = [Field(one.number, START), one, Field(one.number, END)]
        case _:
            junk = chance.randbytes(chance.randrange(1, 40))
            holder.insert(at, Field(chance.randrange(1, 64), chance.choice((VARINT, BYTES)), junk))


def _lists(fields: list[Field]) -> Iterator[list[Field]]:
    """The fields of each message, at any depth."""
    if fields:
        yield fields
    for each in fields:
        if each.inside:
            yield from _lists(each.inside)
