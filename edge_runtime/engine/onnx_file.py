"""What an ONNX file is allowed to contain, checked on its bytes before an engine sees them.

ONNX Runtime refuses operators of domains it does not know, but it knows more than a converted model
needs (its internal `com.microsoft.nchwc`, for one), and it reads external data of a model given as bytes
from the working directory. There is no `onnx` package on a device, so this walks the protobuf itself,
down to every node and tensor, and refuses what it does not understand.

Sources: onnx.proto (field numbers), https://protobuf.dev/programming-guides/encoding (wire format).
"""

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

import msgspec

from edge_runtime.errors import EngineError

DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
_MAX_DEPTH = 64
_MAX_DOMAIN_BYTES = 100
_MAX_AXES = 32  # numpy 1.26 has no array of more

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

# The long lists of a tree ensemble, skipped in one step: AttributeProto.floats (field 7, unpacked),
# .ints (field 8) and .strings (field 9) of the lengths of LEAF, BRANCH_LT, BRANCH_LEQ and the like.
# Without this a forest of a million nodes takes seconds.
_LISTED = re.compile(
    rb"(?:\x3d.{4}|\x40[\x80-\xff]{0,9}[\x00-\x7f]|\x4a(?:\x04.{4}|\x09.{9}|\x0a.{10}|\x0b.{11})){1,4096}",
    re.DOTALL,
)


class _Message(msgspec.Struct, frozen=True):
    """Which fields of a message are looked at: messages inside it, operator domains, what is refused.

    texts: what ONNX Runtime hands to Python, by itself or in what it says of an error.
    most: how often a field may be there. Where a reader would merge a second one into the first, a shape
        could be put together from many.
    """

    name: str
    inside: dict[int, str] = {}
    texts: AbstractSet[int] = frozenset()
    domain: int = 0
    refused: dict[int, str] = {}
    most: dict[int, int] = {}


_MESSAGES = {
    message.name: message
    for message in (
        _Message(
            "Model",
            {7: "Graph", 8: "OperatorSet", 25: "Function"},
            refused={20: "a training graph"},
        ),
        _Message("OperatorSet", domain=1),
        _Message(
            "Graph",
            {1: "Node", 5: "Tensor", 11: "Value", 12: "Value", 13: "Value", 15: "SparseTensor"},
            texts={2},
        ),
        _Message(
            "Function",
            {7: "Node", 9: "OperatorSet", 11: "Attribute", 12: "Value"},
            texts={1, 4, 5, 6, 13},
            domain=10,
        ),
        _Message("Node", {5: "Attribute"}, texts={1, 2, 3, 4, 8}, domain=7),
        _Message(
            "Attribute",
            {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
            texts={1, 21},
        ),
        _Message("Tensor", texts={8}, refused={13: "data kept outside the file"}),
        _Message("SparseTensor", {1: "Tensor", 2: "Tensor"}),
        _Message("Value", {2: "Type"}, texts={1}, most={2: 1}),
        _Message("Type", {1: "TensorType", 8: "TensorType"}, most={1: 1, 8: 1}),
        _Message("TensorType", {2: "Shape"}, most={2: 1}),
        _Message("Shape", {1: "Axis"}, most={1: _MAX_AXES}),
        _Message("Axis", texts={2}),
    )
}


def check_onnx(raw: bytes, subject: str) -> None:
    """Refuse a model with operators outside DOMAINS, external data, a training graph or bad names.

    Raises EngineError, also for bytes that are not an ONNX file in plain protobuf.
    """
    try:
        _walk(raw, 0, len(raw), _MESSAGES["Model"], 0)
    except _RefusedError as error:
        raise EngineError(
            f"{subject}: {error}. It was not made by this converter, or was altered: convert it again."
        ) from error


class _RefusedError(Exception):
    pass


def _walk(raw: bytes, start: int, end: int, message: _Message, depth: int) -> None:
    """Check the message in raw[start:end] and those inside it."""
    if depth > _MAX_DEPTH:
        raise _RefusedError(f"expected at most {_MAX_DEPTH} levels of graphs in graphs, found more")
    counts: dict[int, int] = {}
    for number, kind, first, last in _fields(raw, start, end, skip_lists=message.name == "Attribute"):
        if number in message.refused:
            raise _RefusedError(f"expected a self-contained model, found {message.refused[number]}")
        if number != message.domain and number not in message.inside and number not in message.texts:
            continue
        if kind != _BYTES:
            raise _RefusedError("expected an ONNX file, found fields of other types")
        if number == message.domain:
            _check_domain(raw[first:last])
        elif number in message.texts:
            _check_text(raw[first:last])
        else:
            counts[number] = counts.get(number, 0) + 1
            _check_count(counts[number], number, message)
            _walk(raw, first, last, _MESSAGES[message.inside[number]], depth + 1)


def _check_domain(raw: bytes) -> None:
    domain = raw.decode("utf-8", "replace") if len(raw) <= _MAX_DOMAIN_BYTES else "(a longer one)"
    if domain not in DOMAINS:
        named, found = ", ".join(sorted(DOMAINS - {""})), ascii(domain)[:_MAX_DOMAIN_BYTES]
        raise _RefusedError(f"expected only operators of {named}, found the domain {found}")


def _check_count(count: int, number: int, message: _Message) -> None:
    if count > message.most.get(number, count):
        most, inner = message.most[number], message.inside[number]
        raise _RefusedError(f"expected at most {most} {inner} in a {message.name}, found more")


def _check_text(raw: bytes) -> None:
    """ONNX Runtime takes any bytes for a name, and Python cannot hear of them then."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        raise _RefusedError("expected names in UTF-8, found one in other bytes") from None


def _fields(
    raw: bytes, start: int, end: int, *, skip_lists: bool
) -> Iterator[tuple[int, int, int, int]]:
    """(field number, wire type, start, end) of each field of one message."""
    position = start
    while position < end:
        if skip_lists and (listed := _LISTED.match(raw, position, end)):
            position = listed.end()
            continue
        tag, position = _varint(raw, position, end)
        if tag >> 32:  # other readers may cut such a number to 32 bits, and read another field
            raise _RefusedError("expected an ONNX file, found something else")
        kind, first = tag & 7, position
        if kind == _BYTES:
            size, first = _varint(raw, position, end)
            position = first + size
        elif kind == _VARINT:
            _, position = _varint(raw, position, end)
        elif kind in (_FIXED32, _FIXED64):
            position += 4 if kind == _FIXED32 else 8
        else:  # groups are obsolete, and nothing in ONNX is one
            raise _RefusedError("expected an ONNX file, found something else")
        if position > end:
            raise _RefusedError("expected a whole ONNX file, found a part of one")
        yield tag >> 3, kind, first, position


def _varint(raw: bytes, position: int, end: int) -> tuple[int, int]:
    """The number at `position` and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= end:
            raise _RefusedError("expected a whole ONNX file, found a part of one")
        byte = raw[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise _RefusedError("expected an ONNX file, found something else")
