"""The section about candidates, from values alone and in a real browser."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

import converter
from converter.comparison.choice import Limits
from converter.comparison.metrics import METRICS
from converter.comparison.wording import Candidate, Measured, Told
from converter.page.comparison import plot, section
from tests.support.chromium import opened
from tests.support.html import Element, elements

HOSTILE = "<script>alert(1)</script>"
FAST = Candidate("fast", "chosen: the best", True, Measured(0.95, 0.9, 0.98, 5_000, 10.0))
SLOW = Candidate("slow", "but fast is faster", measured=Measured(0.94, 0.88, 0.97, 9_000, 1000.0))
TOLD = Told(METRICS["accuracy"], Limits(), 100, (FAST, SLOW))


def drawn(told: Told, tag: str, kind: str = "") -> list[Element]:
    found = [each for each in elements(plot(told)) if each.tag == tag]
    return [each for each in found if not kind or kind in each.attributes.get("class", "").split()]


def test_it_has_a_row_and_a_reason_for_every_candidate() -> None:
    left_out = Candidate("odd", "left out: it takes other inputs")
    found = elements(section(replace(TOLD, candidates=(*TOLD.candidates, left_out))))
    cells = [each.text for each in found if each.tag in ("th", "td")]
    assert cells[:5] == ["candidate", "accuracy", "95 % interval", "size", "one row"]
    assert cells[5:10] == ["fast", "0.950", "0.900 to 0.980", "5.0 kB", "10.0 µs"]
    assert cells[15:] == ["odd", "–", "–", "–", "–"]
    reasons = [each.text for each in found if each.tag == "li"]
    assert reasons == [
        "fast: chosen: the best",
        "slow: but fast is faster",
        "odd: left out: it takes other inputs",
    ]


def test_limits_are_a_column_only_where_there_are_some() -> None:
    over = replace(SLOW, measured=replace(SLOW.measured, exceeds=("size", "latency")))
    limited = replace(TOLD, limits=Limits(7_000, 500.0), candidates=(FAST, over))
    assert [row[-1] for row in limited.rows()] == ["within", "size and latency over"]
    assert "limits" not in TOLD.titles()
    assert "Allowed is at most 7.0 kB and 500 µs a row." in limited.rule()


def test_points_stand_to_the_right_where_they_are_slow_and_higher_where_they_are_better() -> None:
    fast, slow = drawn(TOLD, "circle")
    assert float(fast.attributes["cx"]) < float(slow.attributes["cx"])
    assert float(fast.attributes["cy"]) < float(slow.attributes["cy"])
    assert "chosen" in fast.attributes["class"]
    assert "chosen" not in slow.attributes["class"]


def test_a_whisker_is_the_interval() -> None:
    """From 0.88 to 0.98 the picture is 160 high: a hundredth is 16."""
    upright = [each for each in drawn(TOLD, "line", "whisker")
               if each.attributes["x1"] == each.attributes["x2"]]  # fmt: skip
    heights = [float(each.attributes["y1"]) - float(each.attributes["y2"]) for each in upright]
    assert heights == pytest.approx([128, 144], abs=0.2)


def test_the_time_that_is_allowed_is_a_line() -> None:
    assert not drawn(TOLD, "line", "limit")
    (limit,) = drawn(replace(TOLD, limits=Limits(latency_us=100.0)), "line", "limit")
    fast, slow = (float(each.attributes["cx"]) for each in drawn(TOLD, "circle"))
    assert fast < float(limit.attributes["x1"]) < slow


@pytest.mark.parametrize("slowest_us", [10.0, 90.0, 5e3, 5e6, 5e8])
def test_times_on_the_axis_are_readable_and_hold_every_point(slowest_us: float) -> None:
    slow = replace(SLOW, measured=replace(SLOW.measured, latency_us=slowest_us))
    told = replace(TOLD, candidates=(FAST, slow))
    ticks = [float(each.attributes["x"]) for each in drawn(told, "text") if each.text.endswith(" µs")]
    assert 2 <= len(ticks) <= 6
    assert max(ticks) == 360
    assert all(52 <= float(each.attributes["cx"]) <= 360 for each in drawn(told, "circle"))


@pytest.mark.parametrize("of", [FAST, SLOW, replace(FAST, measured=replace(FAST.measured, score=0.9))])
def test_names_of_equal_candidates_lie_under_each_other_within_the_picture(of: Candidate) -> None:
    same = tuple(replace(of, name=f"model {i}") for i in range(6))
    names = drawn(replace(TOLD, candidates=same), "text", "halo")
    heights = sorted(float(each.attributes["y"]) for each in names)
    assert heights[-1] <= 190
    assert all(b - a >= 12.9 for a, b in pairwise(heights))


def test_scores_that_are_all_the_same_are_a_picture_too() -> None:
    certain = Measured(1.0, 1.0, 1.0, 1, 1.0)
    assert len(drawn(replace(TOLD, candidates=(replace(FAST, measured=certain),)), "circle")) == 1


def test_of_errors_lower_is_said_to_be_better() -> None:
    assert "Lower and further left is better" in section(replace(TOLD, metric=METRICS["log-loss"]))


def test_names_and_reasons_are_shown_and_do_nothing() -> None:
    html = section(replace(TOLD, candidates=(replace(FAST, name=HOSTILE, why=HOSTILE), SLOW)))
    found = elements(html)
    assert not {each.tag for each in found} & {"script"}
    assert next(each.text for each in found if each.tag == "li") == f"{HOSTILE}: {HOSTILE}"


def test_a_real_browser_shows_the_section_first_and_has_nothing_to_say(tmp_path: Path) -> None:
    rows, species = load_iris(return_X_y=True)
    models = {
        "line": LogisticRegression(max_iter=500).fit(rows[::2], species[::2]),
        HOSTILE: DecisionTreeClassifier(random_state=0).fit(rows[::2], species[::2]),
    }
    made = converter.compare(models, rows[1::2], species[1::2], name="iris", version="1.0.0")
    page = tmp_path / "page.html"
    page.write_text(made.report_html(), encoding="utf-8")
    found = opened(page)
    assert found.console == []
    titles = [each.text for each in elements(found.dom) if each.tag == "h2"]
    assert titles[:2] == ["Chosen among 2 candidates", "How well it does"]
