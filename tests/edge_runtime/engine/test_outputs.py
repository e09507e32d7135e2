"""Output tensors become class names, probabilities and values."""

import operator

import msgspec
import numpy as np
import pytest

from edge_runtime.bundle.manifest import Manifest, Output
from edge_runtime.engine.outputs import OutputReader
from edge_runtime.errors import EngineError, InputError
from tests.support.graphs import LABELS
from tests.support.tiny_bundle import tiny_manifest

TINY = tiny_manifest("tiny", "1.0.0", 1, model_size=1, golden_count=1)
LABEL, PROBABILITIES = TINY.outputs
VALUE = Output(name="value", dtype="float32", shape=(None,), meaning="value")


def _manifest(*outputs: Output, task: str = "classification") -> Manifest:
    return msgspec.structs.replace(TINY, outputs=outputs, task=task)


def test_indices_become_names() -> None:
    names = OutputReader(TINY).main([np.array([1, 0, 1]), np.zeros((3, 2), np.float32)])

    assert names.tolist() == ["moving", "still", "moving"]
    assert names.dtype.kind == "U"


def test_no_indices_become_no_names() -> None:
    assert OutputReader(TINY).labels(np.zeros(0, np.int64)).shape == (0,)


@pytest.mark.parametrize("index", [2, -1, -(2**63), 2**63 - 1])
def test_an_index_that_names_no_class_is_an_error_of_a_batch_and_of_a_row(index: int) -> None:
    reader = OutputReader(TINY)
    label = np.array([index], np.int64)

    with pytest.raises(EngineError, match=f"expected an index below 2, found one of .{index}"):
        reader.labels(label)
    with pytest.raises(EngineError, match="label: expected an index below 2"):
        reader.row_main([label, np.zeros((1, 2), np.float32)])()


def test_what_is_read_from_a_row_stays_when_the_buffers_change() -> None:
    reader = OutputReader(TINY)
    outputs = [np.array([0]), np.array([[0.9, 0.1]], np.float32)]
    read = reader.row_main(outputs)
    first = reader.inference(outputs, read())
    outputs[0][0], outputs[1][0] = 1, 0

    assert first.labels is not None
    assert first.labels.tolist() == ["still"]
    assert first.probabilities is not None
    assert first.probabilities[0, 0] == np.float32(0.9)
    assert read().tolist() == ["moving"]
    outputs[0][0] = 0
    assert read().tolist() == ["still"]


def test_values_are_copied() -> None:
    reader = OutputReader(_manifest(VALUE, task="regression"))
    outputs = [np.array([1.5], np.float32)]
    read = reader.row_main(outputs)
    value = read()
    outputs[0][0] = 7

    assert value.tolist() == [1.5]
    assert reader.inference(outputs, read()).labels is None


SCORE = Output(name="score", dtype="float64", shape=(None,), meaning="score")
LABEL_OF_TWO = msgspec.structs.replace(LABEL, shape=(None, 2))
PROBABILITIES_OF_TWO = msgspec.structs.replace(PROBABILITIES, shape=(None, 2, 3))
TWO = msgspec.structs.replace(_manifest(LABEL_OF_TWO, PROBABILITIES_OF_TWO), classes=(), labels=LABELS)


def test_several_labels_each_have_their_own_names() -> None:
    reader = OutputReader(TWO)
    outputs = [np.array([[0, 2], [1, 0]]), np.zeros((2, 2, 3), np.float32)]
    found = reader.inference(outputs, reader.main(outputs))

    assert found.labels is not None
    assert found.labels.tolist() == [["red", "L"], ["blue", "S"]]
    assert found.labels.dtype.kind == "U"
    assert found.probabilities is not None
    assert found.probabilities.shape == (2, 2, 3)
    assert reader.row_main([outputs[0][:1], outputs[1][:1]])().tolist() == [["red", "L"]]
    assert reader.labels(np.zeros((0, 2), np.int64)).shape == (0, 2)


@pytest.mark.parametrize("indices", [[[0, 3]], [[0, -1]], [[0, 0], [1, 3]]])
def test_an_index_that_names_no_class_tells_the_label(indices: list[list[int]]) -> None:
    with pytest.raises(EngineError, match="label 'size': expected an index below 3, found one of"):
        OutputReader(TWO).labels(np.array(indices))
    with pytest.raises(EngineError, match="label 'colour': expected an index below 2, found one of"):
        OutputReader(TWO).labels(np.array([[2, 0]]))


def test_an_anomalys_score_is_its_value_beside_the_label() -> None:
    manifest = msgspec.structs.replace(
        _manifest(SCORE, LABEL, task="anomaly"), classes=("anomaly", "normal")
    )
    reader = OutputReader(manifest)
    outputs = [np.array([-0.25, 0.5]), np.array([0, 1])]
    found = reader.inference(outputs, reader.main(outputs))
    outputs[0][:] = 7

    assert found.labels is not None
    assert found.labels.tolist() == ["anomaly", "normal"]
    assert found.values is not None
    assert found.values.tolist() == [-0.25, 0.5]
    assert found.probabilities is None


def test_a_transformation_has_values_alone() -> None:
    several = msgspec.structs.replace(VALUE, shape=(None, 3))
    reader = OutputReader(_manifest(several, task="transformation"))
    outputs = [np.ones((2, 3), np.float32)]
    found = reader.inference(outputs, reader.main(outputs))

    assert (found.labels, found.probabilities) == (None, None)
    assert found.values is not None
    assert found.values.shape == (2, 3)


REFUSED = Output(name="refused", dtype="int64", shape=(None,), meaning="refused")


def test_a_model_that_refuses_nothing_has_nothing_to_look_at_in_a_call() -> None:
    reader = OutputReader(_manifest(VALUE, task="regression"))
    value = np.array([1.5], np.float32)

    assert reader.row_main([value]) == value.copy
    assert reader.probabilities is None
    assert isinstance(OutputReader(TINY).probabilities, operator.itemgetter)


def test_what_a_refused_row_says_is_not_read() -> None:
    manifest = msgspec.structs.replace(_manifest(LABEL, PROBABILITIES, REFUSED), refusals=("why",))
    reader = OutputReader(manifest)
    outputs = [np.array([7]), np.zeros((1, 2), np.float32), np.array([1])]
    assert reader.probabilities is not None

    for read in (reader.main, reader.probabilities, lambda given: reader.row_main(given)()):
        with pytest.raises(InputError, match="why"):
            read(outputs)


GRID = Output(name="grid", dtype="float32", shape=(None, 2, 2), meaning="value")
TWO_VALUES = msgspec.structs.replace(_manifest(VALUE, GRID, task="regression"), classes=())


def test_several_values_are_copied_each_by_its_name() -> None:
    reader = OutputReader(TWO_VALUES)
    outputs = [np.array([1.5], np.float32), np.ones((1, 2, 2), np.float32)]
    found = reader.inference(outputs, reader.main(outputs))
    row = reader.row_main(outputs)()
    for output in outputs:
        output[...] = 7

    assert found.by_name is not None
    assert found.values is None
    for answer in (found.by_name, row):
        assert {name: array.ravel().tolist() for name, array in answer.items()} == {
            "value": [1.5],
            "grid": [1] * 4,
        }


def test_of_a_refused_row_none_of_several_values_is_read() -> None:
    outputs = (*TWO_VALUES.outputs, REFUSED)
    reader = OutputReader(msgspec.structs.replace(TWO_VALUES, outputs=outputs, refusals=("too cold",)))
    found = [np.zeros(1, np.float32), np.zeros((1, 2, 2), np.float32), np.array([1])]

    for read in (reader.row_main(found), lambda: reader.main(found)):
        with pytest.raises(InputError, match=r"\[0\]: too cold"):
            read()


@pytest.mark.parametrize(
    "manifest",
    [
        _manifest(PROBABILITIES),
        _manifest(LABEL, REFUSED),
        _manifest(LABEL, SCORE),
        _manifest(LABEL, VALUE),
        _manifest(VALUE, PROBABILITIES, task="regression"),
        _manifest(VALUE, SCORE, task="transformation"),
        _manifest(SCORE, task="anomaly"),
        _manifest(LABEL, msgspec.structs.replace(LABEL, name="again")),
        _manifest(LABEL, task="regression"),
    ],
)
def test_a_model_without_exactly_one_prediction_is_refused(manifest: Manifest) -> None:
    with pytest.raises(EngineError, match=r"expected (one output that is the label|outputs that are )"):
        OutputReader(manifest)


@pytest.mark.parametrize(
    "output",
    [
        msgspec.structs.replace(LABEL, dtype="float32"),
        msgspec.structs.replace(LABEL, shape=(None, 1)),
        msgspec.structs.replace(PROBABILITIES, shape=(None, 3)),
        msgspec.structs.replace(VALUE, shape=()),
        msgspec.structs.replace(SCORE, shape=(None, 1)),
        msgspec.structs.replace(SCORE, dtype="int64"),
        msgspec.structs.replace(REFUSED, dtype="int32"),
        msgspec.structs.replace(REFUSED, shape=(None, 1)),
    ],
)
def test_an_output_that_is_not_shaped_as_its_meaning_is_refused(output: Output) -> None:
    with pytest.raises(EngineError, match=f"output {output.name!r}: expected the dtype and shape"):
        OutputReader(_manifest(LABEL, output))


@pytest.mark.parametrize(
    "output",
    [
        LABEL,
        msgspec.structs.replace(LABEL, shape=(None, 3)),
        PROBABILITIES,
        msgspec.structs.replace(PROBABILITIES, shape=(None, 2, 2)),
    ],
)
def test_outputs_of_several_labels_have_an_axis_for_them(output: Output) -> None:
    with pytest.raises(EngineError, match=f"output {output.name!r}: expected the dtype and shape"):
        OutputReader(msgspec.structs.replace(TWO, outputs=(output,)))
