"""What a model of several inputs or outputs cannot be given is told in one sentence."""

from typing import Any

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from converter import WindowSpec
from edge_runtime.errors import ConfigError, InputError, UnsupportedModelError
from tests.converter.frontends.tensorflow.models import ROWS, converted, kit
from tests.converter.frontends.tensorflow.several import GIVEN, of_classes, three_inputs


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"add_1": GIVEN["add_1"]}, "'add_1', 'value', 'place'; found 'add_1': 'value' is missing"),
        ({**GIVEN, "more": ROWS}, "'more' is none of the model's"),
        (
            {**GIVEN, "value": ROWS},
            r"'value': expected shape \(inputs, 4, 2\), which the model takes; f",
        ),
        ({**GIVEN, "place": [[0]] * 3}, "'place': expected 40 rows as of 'add_1', found 3"),
        (
            {**GIVEN, "place": GIVEN["place"] + 0.5},
            "'place': expected whole numbers within int64, found",
        ),
        ({**GIVEN, "value": np.full((40, 4, 2), "a")}, "'value': expected numbers, found dtype <U1"),
        (GIVEN["add_1"], "found ndarray. Give a dict of them"),
    ],
)
def test_inputs_that_are_not_the_models_are_one_sentence(given: Any, told: str) -> None:
    with pytest.raises(InputError, match=f"^inputs: .*{told}"):
        converted(three_inputs(), given)


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ({"kind": [0] * 40}, "one an output by its name: 'kind', 'on'; found 'kind'"),
        ({"kind": ["a"] * 40, "on": [0] * 40}, "labels: found texts, and the model numbers the classes"),
        ({"kind": [0] * 40, "on": [0] * 3}, "labels: 'on': expected 40, one an input"),
        ({"kind": [7] * 40, "on": [0] * 40}, "row 0: expected one of the model's classes"),
    ],
)
def test_labels_that_are_not_the_outputs_are_one_sentence(labels: Any, told: str) -> None:
    with pytest.raises(InputError, match=told):
        converted(three_inputs(of_classes), GIVEN, labels)


def test_what_several_inputs_cannot_have_is_one_sentence() -> None:
    scaler = StandardScaler().fit(ROWS)
    with pytest.raises(InputError, match="preprocessing: expected none before a model of 3 inputs"):
        converted(three_inputs(), GIVEN, preprocessing=scaler)
    with pytest.raises(ConfigError, match="window: this model takes several inputs, not windows"):
        converted(three_inputs(), GIVEN, window=WindowSpec(channels=("a",)))
    with pytest.raises(InputError, match="classes: expected none for a model of 2 outputs"):
        converted(three_inputs(of_classes), GIVEN, classes=["a", "b"])
    keras, layers = kit().keras, kit().layers
    words, row = keras.Input((1,), name="words", dtype="string"), keras.Input((6,), name="row")
    looked_up = layers.StringLookup(vocabulary=["x"], output_mode="one_hot")(words)
    model = keras.Model([words, row], layers.Concatenate()([looked_up, row]))
    with pytest.raises(UnsupportedModelError, match="input 'words' takes texts, and of several inputs"):
        converted(model, {"words": [["x"]] * 60, "row": ROWS})


def test_structures_inside_structures_are_refused() -> None:
    keras = kit().keras

    class Nested(keras.Model):  # type: ignore[name-defined, misc]
        def call(self, given: Any) -> Any:
            return given["a"][0] + given["a"][1]

    model = Nested()
    model({"a": [ROWS, ROWS], "b": ROWS})
    with pytest.raises(UnsupportedModelError, match="Nested was built on structures inside one another"):
        converted(model, {"a": ROWS, "b": ROWS})
