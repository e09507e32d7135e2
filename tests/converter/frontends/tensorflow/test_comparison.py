"""A Keras model among the candidates of a comparison."""

from sklearn.linear_model import LogisticRegression

import converter
from tests.converter.frontends.tensorflow.models import ROWS, called, rows_model


def test_a_network_is_compared_with_an_estimator_on_the_same_inputs() -> None:
    """The labels are the network's own, of which the other was taught some wrong: more than noise."""
    network = rows_model(3, "softmax")
    labels = called(network, ROWS).argmax(axis=1)
    other = LogisticRegression().fit(ROWS, (labels + (ROWS[:, 0] > 1)) % 3)
    found = converter.compare({"line": other, "net": network}, ROWS, labels, name="net", version="1.0.0")
    line, net = found.candidates
    assert line.measured is not None
    assert net.measured is not None
    assert net.measured.score == 1.0
    assert found.winner is net
    assert line.why.startswith("worse than net (behind by ")
    assert found.bundle.manifest.provenance.source.startswith("Keras")
