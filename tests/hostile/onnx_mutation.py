"""ONNX files with one to three things changed where they have a meaning, or in how they are written.

Seeded, so that findings can be repeated. What is changed stays protobuf that the onnx package writes,
except for the kinds `encoding` and `nesting`, which no such writer makes.
"""

import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import onnx
from onnx import helper

from tests.hostile.models import Subject, subjects
from tests.hostile.protobuf import encoding_changed, nested

Message = Any  # of protobuf
Place = tuple[Message, str]
INTS = (-1, 0, 1, 2, 3, 7, 255, 1 << 16, (1 << 31) - 1, -(1 << 31))
LONG = (*INTS, 1 << 31, 1 << 40, (1 << 63) - 1, -(1 << 63))
FLOATS = (float("nan"), float("inf"), float("-inf"), 0.0, -1.0, 1e38, 1e-45)
TEXTS = ("", "x" * 5000, "\x00", "../x", "windows")
# Operators with bodies, with sizes that are computed, and with indices of their own.
OPERATORS = (
    *("If", "Loop", "Scan", "SequenceMap", "SequenceAt", "Optional", "Constant", "ConstantOfShape"),
    *("Conv", "ConvTranspose", "Gather", "GatherND", "ScatterND", "Pad", "Resize", "Reshape", "Expand"),
    *("Tile", "OneHot", "Range", "TopK", "NonZero", "Einsum", "LSTM", "MaxPool", "MaxUnpool", "Slice"),
    *("QLinearConv", "DequantizeLinear", "MatMulInteger", "CumSum", "Unique", "Split", "NoSuchOperator"),
)
DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc", "evil", "x" * 5000)


@dataclass(frozen=True)
class Mutation:
    """A changed model and the good bundle it goes into."""

    kind: str
    subject: Subject
    model: bytes

    def sealed(self, version: str = "1.0.0") -> bytes:
        return self.subject.sealed(self.model, version)


def mutations(seed: int, count: int) -> Iterator[Mutation]:
    """`count` changed models, the kinds in turn, and the bundles in turn."""
    chance = random.Random(seed)
    made = 0
    while made < count:
        kind = KINDS[made % len(KINDS)]
        subject = subjects()[made // len(KINDS) % len(subjects())]
        model = _changed(chance, kind, subject.model)
        if model != subject.model:
            made += 1
            yield Mutation(kind, subject, model)


def _changed(chance: random.Random, kind: str, raw: bytes) -> bytes:
    if kind in _WRITERS:
        return _WRITERS[kind](chance, raw)
    model = onnx.load_from_string(raw)
    for _ in range(chance.choice((1, 1, 2, 3))):
        with contextlib.suppress(IndexError):  # a change before this one left nothing to choose from
            _CHANGES[kind](chance, model)
    return bytes(model.SerializeToString())


def _types(chance: random.Random, model: onnx.ModelProto) -> None:
    """The type of a tensor or of an attribute."""
    message, field = _any(chance, model, "data_type", "elem_type", "type")
    if field == "type" and isinstance(message, onnx.AttributeProto):
        message.type = chance.choice(onnx.AttributeProto.AttributeType.values())
    elif field == "type":
        message.type.CopyFrom(onnx.TypeProto())
        kind = chance.choice(("sequence_type", "optional_type", "tensor_type"))
        getattr(message.type, kind).SetInParent()
    else:
        setattr(message, field, chance.choice((*range(25), *INTS)))


def _dims(chance: random.Random, model: onnx.ModelProto) -> None:
    """A size of a constant, of an input or of an output: another value, one more, one less."""
    message, field = _any(chance, model, "dims", "dim", "dim_value", "dim_param")
    if field in ("dim_param", "dim_value"):
        message.dim_value = chance.choice(LONG)
    elif field == "dim":
        _recounted(chance, message.dim)
    elif chance.random() < 0.6:
        message.dims[chance.randrange(len(message.dims))] = chance.choice(LONG)
    else:
        _recounted(chance, message.dims)


def _numbers(chance: random.Random, model: onnx.ModelProto) -> None:
    """A value of an attribute: one number, or how many there are; a version."""
    message, field = _any(chance, model, "i", "f", "ints", "floats", "ir_version", "version")
    value = getattr(message, field)
    new = chance.choice(FLOATS if field in ("f", "floats") else LONG)
    if not _is_repeated(value):
        setattr(message, field, new)
    elif chance.random() < 0.7:
        value[chance.randrange(len(value))] = new
    else:
        _recounted(chance, value)


def _operators(chance: random.Random, model: onnx.ModelProto) -> None:
    """What a node does, or whose operator it is."""
    message, field = _any(chance, model, "op_type", "domain")
    if field == "domain" or chance.random() < 0.2:
        message.domain = chance.choice(DOMAINS)
    else:
        message.op_type = chance.choice(OPERATORS)


def _names(chance: random.Random, model: onnx.ModelProto) -> None:
    """A name becomes another's, so that one is used twice, or a node reads what comes later."""
    fields = ("name", "input", "output", "s", "strings", "dim_param", "producer_name")
    places = [place for place in _places(model) if place[1] in fields and not _holds_messages(*place)]
    message, field = chance.choice(places)
    other, of = chance.choice(places)
    new = chance.choice((_one(chance, other, of), _one(chance, other, of), chance.choice(TEXTS)))
    value = getattr(message, field)
    is_bytes = field in ("s", "strings")
    new = new.encode() if is_bytes and isinstance(new, str) else new
    new = new.decode("utf-8", "replace") if not is_bytes and isinstance(new, bytes) else new
    if _is_repeated(value):
        value[chance.randrange(len(value))] = new
    else:
        setattr(message, field, new)


def _counts(chance: random.Random, model: onnx.ModelProto) -> None:
    """Nodes, constants, inputs, outputs, attributes: one twice, one less, many, in another order."""
    places = [(message, field) for message, field in _places(model) if _holds_messages(message, field)]
    message, field = chance.choice(places)
    _recounted(chance, getattr(message, field))


def _data(chance: random.Random, model: onnx.ModelProto) -> None:
    """The bytes of a constant: fewer, more, others, or in two ways at once."""
    tensors = [message for message, _ in _places(model) if isinstance(message, onnx.TensorProto)]
    tensor = chance.choice(tensors)
    raw = tensor.raw_data
    match chance.randrange(6):
        case 0:
            tensor.raw_data = raw[: chance.randrange(len(raw) + 1)]
        case 1:
            tensor.raw_data = raw + chance.randbytes(chance.randrange(1, 64))
        case 2:
            tensor.raw_data = chance.randbytes(len(raw))
        case 3:
            tensor.float_data.extend(FLOATS)
        case 4:
            tensor.string_data.extend([b"x", b"\xff"])
        case _:
            tensor.segment.begin, tensor.segment.end = chance.choice(LONG), chance.choice(LONG)


def _cycles(chance: random.Random, model: onnx.ModelProto) -> None:
    """A node that reads what it, or a node behind it, gives; or two that give the same."""
    node, other = chance.choice(model.graph.node), chance.choice(model.graph.node)
    if chance.random() < 0.7 and node.input:
        node.input[chance.randrange(len(node.input))] = chance.choice((node, other)).output[0]
    else:
        node.output[0] = other.output[0]


def _graphs(chance: random.Random, model: onnx.ModelProto) -> None:
    """A graph where none was, a body that is another graph, or functions without an end."""
    node = chance.choice(model.graph.node)
    body = onnx.GraphProto()
    body.CopyFrom(model.graph)
    bodies = [message for message, field in _places(model.graph) if field == "g"]
    match chance.randrange(6):
        case 0 if bodies:
            chance.choice(bodies).g.CopyFrom(body)
        case 1:
            node.attribute.add(name="body", type=onnx.AttributeProto.GRAPH).g.CopyFrom(body)
        case 2:
            node.op_type, node.domain = chance.choice(("Loop", "Scan", "If", "SequenceMap")), ""
            del node.attribute[:]
            names = {"If": ("then_branch", "else_branch")}.get(node.op_type, ("body",))
            node.attribute.extend(helper.make_attribute(name, body) for name in names)
            if node.op_type == "Scan":
                node.attribute.append(helper.make_attribute("num_scan_inputs", chance.choice(INTS)))
        case 3:
            _calling_itself(chance, model, node)
        case 4:
            doubling_functions(model, node, chance.choice((3, 10, 15, 40)))
        case _:
            graphs = node.attribute.add(name="bodies", type=onnx.AttributeProto.GRAPHS).graphs
            graphs.extend([body] * chance.choice((1, 2, 16)))


def _calling_itself(chance: random.Random, model: onnx.ModelProto, node: onnx.NodeProto) -> None:
    domain, name = chance.choice(("", "ai.onnx.ml", "com.microsoft")), chance.choice(("Self", "Relu"))
    again = helper.make_node(name, ["a"], ["b"], domain=domain)
    ways = [helper.make_opsetid(domain, 3 if domain == "ai.onnx.ml" else 17)]
    model.functions.append(helper.make_function(domain, name, ["a"], ["b"], [again], ways))
    node.op_type, node.domain = name, domain
    del node.attribute[:], node.input[1:], node.output[1:]


def doubling_functions(model: onnx.ModelProto, node: onnx.NodeProto, depth: int) -> None:
    """Let a node call a function that calls another twice, and so on: 2^depth calls and more."""
    domain = "com.microsoft"
    ways = [helper.make_opsetid("", 17), helper.make_opsetid(domain, 1)]
    body = [helper.make_node("Identity", ["a"], ["b"])]
    for at in range(depth):
        model.functions.append(helper.make_function(domain, f"F{at}", ["a"], ["b"], body, ways))
        calls = (("a", "between"), ("between", "b"))
        body = [helper.make_node(f"F{at}", [one], [two], domain=domain) for one, two in calls]
    model.opset_import.append(ways[1])
    node.op_type, node.domain = f"F{depth - 1}", domain
    del node.attribute[:], node.input[1:], node.output[1:]


def _any(chance: random.Random, model: onnx.ModelProto, *fields: str) -> Place:
    """A place of one of these fields: first which field, so that the many do not hide the few."""
    by_field: dict[str, list[Place]] = {}
    for message, field in _places(model):
        if field in fields:
            by_field.setdefault(field, []).append((message, field))
    return chance.choice(by_field[chance.choice(sorted(by_field))])


def _places(message: Message) -> Iterator[Place]:
    """Each message, at any depth, with each field that it has."""
    for field, value in message.ListFields():
        yield message, field.name
        if field.message_type:
            for each in value if _is_repeated(value) else [value]:
                yield from _places(each)


def _one(chance: random.Random, message: Message, field: str) -> Any:
    value = getattr(message, field)
    return chance.choice(value) if _is_repeated(value) else value


def _is_repeated(value: Any) -> bool:
    return hasattr(value, "append")


def _holds_messages(message: Message, field: str) -> bool:
    value = getattr(message, field)
    return _is_repeated(value) and hasattr(value, "add")


def _recounted(chance: random.Random, values: Any) -> None:
    """One twice, one less, none, many, or in another order."""
    kept = list(values)
    at = chance.randrange(len(kept))
    match chance.randrange(5):
        case 0:
            kept.insert(chance.randrange(len(kept) + 1), kept[at])
        case 1:
            del kept[at]
        case 2:
            kept = []
        case 3:
            kept += [kept[at]] * chance.choice((3, 100, 2000))
        case _:
            chance.shuffle(kept)
    copies = (
        [type(each).FromString(each.SerializeToString()) for each in kept] if _messages(kept) else kept
    )
    del values[:]
    values.extend(copies)


def _messages(values: list[Any]) -> bool:
    return bool(values) and hasattr(values[0], "SerializeToString")


_CHANGES: dict[str, Callable[[random.Random, onnx.ModelProto], None]] = {
    "types": _types,
    "sizes": _dims,
    "numbers": _numbers,
    "operators": _operators,
    "names": _names,
    "counts": _counts,
    "data": _data,
    "cycles": _cycles,
    "graphs": _graphs,
}
_WRITERS: dict[str, Callable[[random.Random, bytes], bytes]] = {
    "encoding": encoding_changed,
    "nesting": nested,
}
KINDS = (*_CHANGES, *_WRITERS)
