"""`card.md`: what is known about a bundle, and a list of what is not."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression

import converter
from tests.support.motion import CHANNELS, motion_model, recordings

ROWS, SPECIES = load_iris(return_X_y=True)


def card(bundle: "converter.ConvertedBundle") -> str:
    return bundle.artifacts["card.md"].decode()


def iris(names: tuple[str, ...] = ("a", "b", "c"), **options: object) -> "converter.ConvertedBundle":
    labels = np.array(names)[SPECIES]
    model = LogisticRegression(max_iter=500).fit(ROWS, labels)
    return converter.convert(model, ROWS, labels, name="iris", version="1.0.0", **options)


def test_it_says_what_is_known() -> None:
    window = converter.WindowSpec(channels=CHANNELS, rate_hz=10.0, stride=50)
    named = {"name": "motion", "version": "1.2.3", "window": window}
    bundle = converter.convert(motion_model(), *recordings("test"), boards=["pi4"], **named)
    for line in (
        "# motion 1.2.3",
        "Converted from: scikit-learn Pipeline(WindowFeatures, StandardScaler, RandomForestClassifier).",
        "- Input: windows, float32 (batch, 100, 6), 10 Hz, stride 50; channels acc\\_x, acc\\_y",
        "- StandardScaler (folded into the trees' thresholds)",
        "- accuracy 0.975 on 40 labelled inputs, 95 % interval 0.871 to 0.996",
        "| Badminton | 1.000 | 1.000 | 1.000 | 10 |",
        "40 inputs: 0 labels differ (0 near ties)",
        "- Raspberry Pi 4 (pi4): fp32, by onnxruntime.",
        "Untested on any board.",
        f"- Held-out inputs: SHA-256 {bundle.manifest.provenance.inputs_sha256}.",
        "- The data it was trained on.",
        "- Its authors, its licence, and whom to ask.",
    ):
        assert line in card(bundle)


def test_what_the_author_gave_is_no_longer_unknown() -> None:
    assert "- The data it was trained on." not in card(iris(reference=ROWS))
    assert "- Training inputs, 150: SHA-256 " in card(iris(reference=ROWS))


def test_a_board_with_tensorrt_is_said_to_have_run_nothing() -> None:
    text = card(iris(boards=["orin-nano"]))
    assert "tensorrt-fp32. On the machine that converted it TensorRT built a plan" in text


def test_without_labels_it_says_so() -> None:
    model = LinearRegression().fit(*load_diabetes(return_X_y=True))
    bundle = converter.convert(model, load_diabetes().data, name="a", version="1.0.0")
    assert "- Not measured: no labels were given." in card(bundle)


@pytest.mark.parametrize(
    "name",
    ["<script>alert(1)</script>", "a|b", "[x](http://example.org)", "# title", "`x`", "a\n## b", "&lt;"],
)
def test_a_class_name_is_shown_as_it_is_and_does_nothing(
    name: str, rendered: Callable[[str], str]
) -> None:
    text = card(iris(("a", "b", name)))
    assert rendered(name) in text
    assert name not in text.replace(rendered(name), "")
    assert sum(line.startswith("## ") for line in text.splitlines()) == 6


@pytest.fixture
def rendered() -> Callable[[str], str]:
    """A text as CommonMark shows it untouched: each special character behind a backslash."""
    return lambda text: "".join(
        f"\\{each}" if each in "\\`*_[]<>|#&~!" else each for each in text.replace("\n", "\\n")
    )


def test_the_same_conversion_writes_the_same_card() -> None:
    assert card(iris()) == card(iris())
