"""The best static quantization: which ranges, and which layers are better left in float32."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from converter.quantization.exclusion import sensitive
from converter.quantization.flavours import FlavourName
from converter.quantization.ranges import METHODS, Method
from converter.quantization.static import Observed, quantized
from edge_runtime.errors import ConversionError


@dataclass(frozen=True)
class Found:
    """A quantized graph that is good enough.

    method: how its ranges were chosen. excluded: the layers that stayed in float32, the most sensitive
    first. error: what it was judged by.
    """

    raw: bytes
    method: Method
    excluded: tuple[str, ...]
    error: float


def best(
    raw: bytes,
    observed: Observed,
    *,
    flavour: FlavourName,
    error: Callable[[bytes], float],
    allowed: float,
) -> Found:
    """Quantize a graph with the ranges of least error, and as many layers as `allowed` lets.

    raw: the float32 graph that was observed. error: of a quantized graph, on calibration data; not on
    what the variant is judged by later. Where it is above `allowed`, the 1, 2, 4, ... most sensitive
    layers stay in float32, at most half of them. Raises ConversionError where that does not help.
    """

    def tried(method: Method, excluded: tuple[str, ...] = ()) -> Found:
        made = quantized(raw, observed, method=method, flavour=flavour, excluded=excluded)
        found = error(made)
        return Found(made, method, excluded, math.inf if math.isnan(found) else found)

    least = min((tried(method) for method in METHODS), key=lambda found: found.error)
    if least.error <= allowed:
        return least
    order = sensitive(raw, least.raw, observed.feeds, observed.layers)
    count = 1
    while count <= len(order) // 2:
        found = tried(least.method, order[:count])
        if found.error <= allowed:
            return found
        least = min(least, found, key=lambda found: found.error)
        count *= 2
    raise ConversionError(
        f"static quantization: expected an error of at most {allowed:.3g} on the calibration inputs, "
        f"found {least.error:.3g} with {len(least.excluded)} of {len(observed.layers)} layers in "
        "float32. Allow more, or train with quantization in mind."
    )
