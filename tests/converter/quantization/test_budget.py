"""What a variant loses: accuracy where the truth is known, else agreement with the source model."""

import numpy as np
import pytest
from sklearn.metrics import r2_score

from converter.quantization.budget import lost

TRUTH = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0])


def test_accuracy_counts_only_what_the_source_had_right() -> None:
    said, heard = TRUTH.copy(), TRUTH.copy()
    said[0] = 1  # wrong itself
    heard[0], heard[4] = 2, 0  # wrong otherwise, and a new fault

    found = lost({"label": said}, {"label": heard}, TRUTH, 0.01)

    assert (found.measure, found.inputs, found.allowed) == ("accuracy", 10, 0.01)
    assert (found.source, found.found) == (0.9, 0.8)
    assert found.drop == pytest.approx(0.1)
    assert found.low < 0.1 < found.high


def test_a_variant_may_be_better_than_its_source() -> None:
    said = TRUTH.copy()
    said[0] = 1

    assert lost({"label": said}, {"label": TRUTH}, TRUTH, 0.0).drop == pytest.approx(-0.1)


def test_without_truth_it_is_agreement_with_the_source() -> None:
    heard = TRUTH.copy()
    heard[:2] = 2

    found = lost({"label": TRUTH}, {"label": heard}, None, 0.01)

    assert (found.measure, found.source, found.found) == ("agreement", 1.0, 0.8)


def test_of_several_labels_each_counts() -> None:
    said = np.stack([TRUTH, TRUTH], axis=1)
    heard = said.copy()
    heard[0, 1] = 1

    assert lost({"label": said}, {"label": heard}, said, 0.01).drop == pytest.approx(0.05)


def test_values_are_measured_by_r2_as_scikit_learn_averages_it() -> None:
    random = np.random.default_rng(0)
    truth = random.normal(size=(200, 3)) * [1, 10, 100]
    said, heard = (truth + random.normal(size=truth.shape) * size for size in (0.1, 0.5))

    found = lost({"value": said}, {"value": heard}, truth, 0.01)

    assert found.measure == "r2"
    assert found.source == pytest.approx(r2_score(truth, said))
    assert found.found == pytest.approx(r2_score(truth, heard))
    assert found.low < found.drop < found.high


def test_values_without_truth_are_to_fit_the_sources() -> None:
    said = np.linspace(0, 1, 50)

    found = lost({"value": said}, {"value": said + 0.01}, None, 0.01)

    assert (found.measure, found.source) == ("fit", 1.0)
    assert found.found == pytest.approx(r2_score(said, said + 0.01))


def test_a_value_that_never_varies_does_not_count() -> None:
    said = np.stack([np.linspace(0, 1, 50), np.full(50, 7.0)], axis=1)
    heard = said.copy()
    heard[:, 1] += 1e-3

    assert lost({"value": said}, {"value": heard}, None, 0.01).drop == 0.0


def test_where_nothing_varies_it_is_met_or_not() -> None:
    said = np.full(20, 7.0)

    assert lost({"value": said}, {"value": said}, None, 0.01).drop == 0.0
    assert lost({"value": said}, {"value": said + 1}, None, 0.01).drop == 1.0


def test_outputs_of_any_shape_lie_side_by_side() -> None:
    said = {"mask": np.random.default_rng(0).random((30, 4, 4)), "size": np.arange(30.0)}

    assert lost(said, said, None, 0.01).found == 1.0
