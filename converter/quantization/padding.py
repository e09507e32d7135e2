"""Zeros around an image become the padding of the convolution that reads it.

Keras pads in front of a convolution with strides, as MobileNet does, by a node of its own. ONNX Runtime
does not pad in eight bits: left alone, it is a step in float between two quantized layers.
"""

from typing import Any

import onnx

from converter.quantization.editing import Edited
from converter.quantization.wiring import attributes, is_standard


def joined(edited: Edited, _ranks: dict[str, int]) -> bool:
    """Make one Pad a part of the Conv behind it; whether there was one."""
    for node in edited.nodes():
        reader = edited.only_reader(node.output[0])
        if reader is None or not is_standard(reader, "Conv"):
            continue
        added = _spatial_zeros(edited, node)
        given = attributes(reader)
        if added is None or given.get("auto_pad", b"NOTSET") != b"NOTSET":
            continue
        pads = [a + b for a, b in zip(given.get("pads", [0] * len(added)), added, strict=True)]
        kept = [each for each in reader.attribute if each.name != "pads"]
        reader.ClearField("attribute")
        reader.attribute.extend([*kept, onnx.helper.make_attribute("pads", pads)])
        edited.remove(node)
        return True
    return False


def _spatial_zeros(edited: Edited, node: Any) -> list[int] | None:
    """How many zeros a Pad puts before and after each axis of an image; None for another Pad."""
    if not is_standard(node, "Pad") or len(node.input) < 2 or any(node.input[3:]):
        return None
    pads = edited.wiring.array(node.input[1])
    value = edited.wiring.array(node.input[2]) if len(node.input) > 2 and node.input[2] else 0
    if attributes(node).get("mode", b"constant") != b"constant" or pads is None or value is None:
        return None
    before, after = pads[: pads.size // 2].tolist(), pads[pads.size // 2 :].tolist()
    if value != 0 or min(before + after) < 0 or any(before[:2] + after[:2]):
        return None
    return [*before[2:], *after[2:]]
