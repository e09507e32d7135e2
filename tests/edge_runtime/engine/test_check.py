"""Each kind of manifest gets the rules of its inputs."""

import msgspec
import pytest

from edge_runtime.bundle.manifest import Input
from edge_runtime.engine.check import input_check
from edge_runtime.engine.inputs import InputCheck
from edge_runtime.engine.several import SeveralCheck
from edge_runtime.engine.table import TableCheck
from edge_runtime.engine.texts import TextCheck
from tests.support.several import FACTORS, POINTS
from tests.support.tiny_bundle import tiny_manifest

TINY = tiny_manifest("tiny", "1.0.0", 1, model_size=1, golden_count=1)
COLUMN = Input(name="age", dtype="float64", shape=(None,))


@pytest.mark.parametrize(
    ("inputs", "kind", "has_short_way"),
    [
        (TINY.inputs, InputCheck, True),
        ((Input(name="texts", dtype="string", shape=(None, 3)),), TextCheck, False),
        ((COLUMN,), TableCheck, True),
        ((COLUMN, msgspec.structs.replace(COLUMN, name="weight")), TableCheck, False),
        ((msgspec.structs.replace(COLUMN, dtype="string"),), TableCheck, False),
        ((POINTS, FACTORS), SeveralCheck, True),
        ((POINTS, COLUMN), SeveralCheck, True),
    ],
)
def test_rules_fit_the_inputs(inputs: tuple[Input, ...], kind: type, has_short_way: bool) -> None:
    check = input_check(msgspec.structs.replace(TINY, inputs=inputs))

    assert type(check) is kind
    assert (check.short_way is not None) == has_short_way
