"""How outputs of a network are read, in numpy; every conversion holds its graph to the same."""

from typing import Any

import numpy as np
import pytest

from converter.frontends.head import only, read_head
from converter.frontends.heads import Heads, output_names, read_heads
from edge_runtime.errors import InputError

SOFTMAX, SIGMOID, LINEAR = ("kind", (3,), "Softmax"), ("on", (1,), "Sigmoid"), ("speed", (1,), "MatMul")
SCORES = np.array([[0.2, 0.5, 0.3], [0.9, 0.05, 0.05]])
ON = np.array([[0.75], [0.25]])


def meanings(heads: Heads) -> dict[str, list[Any]]:
    found = heads.answer(SCORES, ON)
    return {name: array.tolist() for name, array in found.tensors.items()}


def test_an_only_output_means_what_it_would_alone() -> None:
    heads = read_heads([SOFTMAX], np.array([1, 0]), ["a", "b", "c"])
    assert (heads.task, heads.class_names, heads.labels) == ("classification", ("a", "b", "c"), ())
    assert heads.answer(SCORES).tensors["label"].tolist() == [1, 0]
    values = read_heads([LINEAR], {"whatever": np.zeros(2)}, None)
    assert values.value_names == ("value",)
    assert values.answer(ON).tensors["value"].tolist() == [0.75, 0.25]


@pytest.mark.parametrize(
    "labels",
    [
        None,
        np.array([[1, 1], [0, 0]]),
        {"on": np.array([True, False]), "kind": np.array([1, 0], np.uint8)},
    ],
)
def test_several_classifications_give_a_label_each(labels: Any) -> None:
    heads = read_heads([SOFTMAX, SIGMOID], labels, None)
    assert [(each.name, each.classes) for each in heads.labels] == [
        ("kind", ("0", "1", "2")),
        ("on", ("0", "1")),
    ]
    assert (heads.task, heads.class_names, heads.value_names) == ("classification", (), ())
    assert meanings(heads) == {
        "label": [[1, 1], [0, 0]],
        "probabilities": [[[0.2, 0.5, 0.3], [0.25, 0.75, 0]], [[0.9, 0.05, 0.05], [0.75, 0.25, 0]]],
    }
    assert heads.answer(SCORES, ON).margin == pytest.approx([0.2, 0.5])


@pytest.mark.parametrize(
    ("outputs", "labels"),
    [
        ([SOFTMAX, LINEAR], None),
        ([SOFTMAX, SIGMOID], np.zeros((2, 4))),
        ([SOFTMAX, SIGMOID], np.zeros(2, int)),
        ([SOFTMAX, SIGMOID], {"kind": SCORES, "on": ON}),
        ([SOFTMAX, SIGMOID], {"kind": SCORES.astype(int), "on": np.zeros(2, int)}),
    ],
)
def test_anything_else_is_values_by_name(outputs: Any, labels: Any) -> None:
    heads = read_heads(outputs, labels, None)
    names = tuple(name for name, _, _ in outputs)
    assert (heads.task, heads.labels, heads.value_names) == ("regression", (), names)
    assert meanings(heads) == {names[0]: SCORES.tolist(), names[1]: [0.75, 0.25]}
    assert not heads.answer(SCORES, ON).margin.size


@pytest.mark.parametrize(
    ("labels", "classes", "told"),
    [
        ({"kind": ON}, None, "one an output by its name: 'kind', 'on'; found 'kind'"),
        (
            {"kind": np.array(["a"]), "on": np.array([1])},
            None,
            "labels: found texts, and the model numb",
        ),
        (np.array([["a", "b"]]), None, "labels: found texts"),
        (None, ["a"], "classes: expected none for a model of 2 outputs, whose classes are numbered"),
    ],
)
def test_labels_and_classes_that_are_not_the_models(labels: Any, classes: Any, told: str) -> None:
    with pytest.raises(InputError, match=told):
        read_heads([SOFTMAX, SIGMOID], labels, classes)
    with pytest.raises(InputError, match="which is the truth of the model's one output; found 'a', 'b'"):
        only({"a": ON, "b": ON})


@pytest.mark.parametrize("dtype", [float, int, bool])
def test_one_hot_labels_of_a_softmax_are_told_to_be_classes(dtype: type) -> None:
    with pytest.raises(InputError, match=r"a row of 0s with one 1 for each\. Give labels\.argmax"):
        read_head((3,), "Softmax", np.eye(3, dtype=dtype), None)
    assert read_head((3,), "Softmax", np.full((2, 3), 1 / 3), None).task == "regression"


@pytest.mark.parametrize(
    "labels", [np.array([[0, 1, 1]]), np.array([[0.0, 1.0, 1.0]]), np.zeros((1, 3), bool)]
)
def test_a_sigmoid_of_several_numbers_gives_a_label_each_for_0_or_1(labels: Any) -> None:
    head = read_head((3,), "Sigmoid", labels, ["wet", "cold", "dark"])
    assert [(each.name, each.classes) for each in head.labels] == [
        (name, ("0", "1")) for name in ("wet", "cold", "dark")
    ]
    found = head.answer(SCORES)
    assert found.tensors["label"].tolist() == [[0, 0, 0], [1, 0, 0]]
    assert found.tensors["probabilities"].tolist()[1][0] == pytest.approx([0.1, 0.9])
    assert found.margin == pytest.approx([0, 0.8])


@pytest.mark.parametrize("labels", [None, SCORES, np.array([[0, 1, 2]]), np.array([0, 1])])
def test_of_other_labels_it_is_values(labels: Any) -> None:
    assert read_head((3,), "Sigmoid", labels, None).task == "regression"


def test_an_output_of_more_axes_is_values_whatever_it_comes_from() -> None:
    head = read_head((4, 3), "Softmax", np.zeros(2, int), None)
    assert head.task == "regression"
    assert head.answer(np.zeros((2, 4, 3))).tensors["value"].shape == (2, 4, 3)
    with pytest.raises(
        InputError, match=r"an output of shape \(inputs, 4, 3\), which is values; found 3"
    ):
        read_head((4, 3), "Softmax", None, ["a", "b", "c"])


def test_names_that_are_taken_or_tell_something_else_get_a_number() -> None:
    assert output_names(["a", "lstm", "lstm", "refused", "value", "lstm_1"], ["a"]) == (
        *("a_1", "lstm", "lstm_1", "refused_1", "value_1", "lstm_1_1"),
    )
