"""Plots: every number is drawn where it belongs, and texts do nothing."""

import numpy as np
import pytest

from converter.page import plots
from tests.support.html import Element, elements


def of_kind(svg: str, tag: str, kind: str = "") -> list[Element]:
    found = [element for element in elements(svg) if element.tag == tag]
    return [each for each in found if not kind or kind in each.attributes.get("class", "").split()]


def test_a_bar_is_as_long_as_its_share_of_the_longest() -> None:
    svg = plots.bars("Size", [("fp32", "100 kB", 100.0, 0.0), ("int8", "25 kB", 25.0, 0.0)])
    lengths = [float(bar.attributes["width"]) for bar in of_kind(svg, "rect", "bar")]
    assert lengths == [360, 90]
    assert [word.text for word in of_kind(svg, "text")] == ["fp32", "100 kB", "int8", "25 kB"]


def test_a_whisker_reaches_further_than_its_bar_and_stays_in_the_picture() -> None:
    svg = plots.bars("Latency", [("fp32", "", 10.0, 20.0)])
    (bar,), (whisker,) = of_kind(svg, "rect", "bar"), of_kind(svg, "line", "rule")
    assert (float(bar.attributes["width"]), float(whisker.attributes["x2"])) == (180, 360)


def test_every_input_is_counted_in_the_histogram_of_differences() -> None:
    errors = np.array([0.0, 1e-30, 2e-8, 2.5e-8, 5e-8, 1e-6, 1e5])
    svg = plots.error_histogram("Differences", errors, 1e-5)
    words = [word.text for word in of_kind(svg, "text", "small")]
    counts = words[: words.index("0")]
    assert counts == ["2", "2", "1", "1", "1"]
    assert words[-1] == "allowed"


def test_the_line_of_what_is_allowed_stands_between_smaller_and_larger_differences() -> None:
    svg = plots.error_histogram("Differences", np.array([0.9e-5, 1.1e-5]), 1e-5)
    below, above = (float(bar.attributes["x"]) for bar in of_kind(svg, "rect", "bar"))
    (limit,) = of_kind(svg, "line", "limit")
    assert below < float(limit.attributes["x1"]) < above


def test_residuals_lie_to_the_side_of_their_sign_around_a_zero_in_the_middle() -> None:
    svg = plots.residuals("Errors", np.array([-1.0, -1.0, 3.0, 3.0, 3.0, 3.0]))
    below, above = of_kind(svg, "rect", "bar")
    (zero,) = of_kind(svg, "line", "limit")
    assert float(zero.attributes["x1"]) == 180
    assert float(below.attributes["x"]) == pytest.approx(360 * (6 / 20) + 1, abs=0.1)
    assert float(above.attributes["x"]) == pytest.approx(360 * (19 / 20) + 1, abs=0.1)
    assert float(above.attributes["height"]) == 2 * float(below.attributes["height"])
    words = [word.text for word in of_kind(svg, "text", "small")]
    assert words == ["-3", "0", "3", "tallest bar: 4"]


def test_residuals_that_are_all_0_are_a_picture_too() -> None:
    assert len(of_kind(plots.residuals("Errors", np.zeros(5)), "rect", "bar")) == 1


def test_the_confusion_matrix_has_each_number_once_and_marks_what_is_wrong() -> None:
    svg = plots.confusion_matrix("Confusion", ["a", "b", "c"], [[5, 1, 0], [0, 6, 0], [0, 0, 0]])
    words = [word.text for word in of_kind(svg, "text")]
    assert sorted(words) == sorted(["a", "b", "c"] * 2 + ["5", "1", "6"])
    assert len(of_kind(svg, "rect", "cell")) == 9
    assert len(of_kind(svg, "rect", "wrong")) == 1
    shades = [float(cell.attributes["fill-opacity"]) for cell in of_kind(svg, "rect", "right")]
    assert shades == [pytest.approx(0.15 + 0.85 * 5 / 6, abs=0.01), 1.0]


@pytest.mark.parametrize("classes", [2, 10, 25, 40])
def test_a_matrix_of_any_size_stays_within_the_picture(classes: int) -> None:
    names = [f"a class with a long name {i}" for i in range(classes)]
    svg = plots.confusion_matrix("Confusion", names, np.eye(classes, dtype=int).tolist())
    cells = of_kind(svg, "rect")
    assert max(float(c.attributes["x"]) + float(c.attributes["width"]) for c in cells) <= 360
    assert all(float(c.attributes["width"]) > 4 for c in cells)


def test_of_more_classes_than_anyone_can_read_there_is_no_matrix() -> None:
    assert plots.confusion_matrix("Confusion", ["a"] * 41, np.eye(41, dtype=int).tolist()) == ""


def test_names_are_shown_and_do_nothing() -> None:
    hostile = '"><script>alert(1)</script>'
    matrix = plots.confusion_matrix(hostile, [hostile, "b"], [[1, 0], [0, 1]])
    drawn = plots.bars(hostile, [(hostile, hostile, 1.0, 0.0)])
    for svg in (matrix, drawn):
        assert "script" not in {element.tag for element in elements(svg)}
        assert elements(svg)[0].attributes["aria-label"] == hostile
