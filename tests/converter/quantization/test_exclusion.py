"""Which layers lose most by being quantized."""

import numpy as np
import onnx
import pytest

from converter.quantization.exclusion import sensitive
from converter.quantization.layers import layers
from converter.quantization.static import observe, quantized
from tests.converter.quantization.networks import calibrated, data, images, rows


def order_of(raw: bytes, flavour: str = "int8") -> tuple[str, ...]:
    made, observed = calibrated(raw)
    small = quantized(made, observed, method="minmax", flavour=flavour)  # type: ignore[arg-type]
    return sensitive(made, small, observed.feeds, observed.layers)


@pytest.mark.parametrize("flavour", ["uint8", "int8"])
@pytest.mark.parametrize(("loud", "hurt"), [("w0", "dense1"), ("w1", "dense2"), ("w2", "dense3")])
def test_the_layer_that_reads_one_number_much_larger_than_the_others_is_the_worst(
    loud: str, hurt: str, flavour: str
) -> None:
    """Its input's scale is that number's, and the rest is rounded away. Who made it does not suffer."""
    assert order_of(rows(loud), flavour)[0] == hurt


def test_every_quantized_layer_has_its_place() -> None:
    assert sorted(order_of(images())) == sorted(layers(images()))


def test_layers_in_float32_have_none() -> None:
    made, observed = calibrated(rows())
    small = quantized(made, observed, method="minmax", flavour="int8", excluded=("dense0", "dense2"))
    assert sorted(sensitive(made, small, observed.feeds, layers(made))) == ["dense1", "dense3"]
    assert sensitive(made, small, observed.feeds, ("dense0",)) == ()


def test_no_layer_answers_for_those_in_front_of_it() -> None:
    """The last layer is exact; its input, in the quantized graph, is not."""
    model = onnx.load_from_string(rows("w0"))
    (last,) = (each for each in model.graph.initializer if each.name == "w3")
    whole = np.random.default_rng(0).integers(-127, 128, (24, 4)).astype(np.float32)
    whole[0] = 127  # so that every step is 1
    last.CopyFrom(onnx.numpy_helper.from_array(whole, "w3"))
    order = order_of(model.SerializeToString())
    assert order.index("dense1") < order.index("dense3")


def test_the_order_is_that_of_all_data() -> None:
    """A batch that is different from the others counts."""
    made, observed = calibrated(rows())
    small = quantized(made, observed, method="minmax", flavour="int8")
    batches = [{"x": part} for part in np.split(data(made)["x"], 4)]
    assert sensitive(made, small, batches, observed.layers) == sensitive(
        made, small, observed.feeds, observed.layers
    )
    assert observe(made, batches, observed.layers).layers == observed.layers
