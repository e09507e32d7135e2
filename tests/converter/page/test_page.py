"""The report as a page: complete, well formed, harmless, and quiet in a real browser."""

import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_iris, make_multilabel_classification
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

import converter
from converter.page import page
from tests.support.chromium import opened
from tests.support.html import elements

ROWS, SPECIES = load_iris(return_X_y=True)
HOSTILE = "<script>alert(1)</script>"
NAMES = np.array([HOSTILE, "b & c", '"virginica"'])


def forest(**options: Any) -> "converter.ConvertedBundle":
    model = make_pipeline(StandardScaler(), RandomForestClassifier(20, random_state=0))
    labels = NAMES[SPECIES]
    named = {"name": "iris", "version": "1.0.0", **options}
    return converter.convert(model.fit(ROWS[::2], labels[::2]), ROWS[1::2], labels[1::2], **named)


@pytest.fixture(scope="module")
def full() -> "converter.ConvertedBundle":
    return forest(training=(ROWS[::2], NAMES[SPECIES][::2]), boards=["pi4", "orin-nano"])


@pytest.fixture(scope="module")
def html(full: "converter.ConvertedBundle") -> str:
    return full.report_html()


def words(html: str) -> str:
    """What a person reads, on one line."""
    body = next(element for element in elements(html) if element.tag == "body")
    return " ".join(" ".join(body.texts).split())


def test_it_says_all_that_the_terminal_says(full: "converter.ConvertedBundle", html: str) -> None:
    shown = words(html)
    for fact in (
        "iris 1.0.0",
        "scikit-learn Pipeline(StandardScaler, RandomForestClassifier)",
        "StandardScaler (folded into the trees' thresholds)",
        "every input reaches the source model's leaf in every tree",
        "8 inputs travel with the model",
        "sketches of 75 training inputs travel with the model",
        f"SHA-256 {full.manifest.provenance.inputs_sha256}",
        *full.notes,
    ):
        assert fact in shown
    scores = full.report().split("\n\n")[1]
    assert all(line in shown for line in scores.splitlines())


def test_it_has_a_plot_of_each_kind_and_each_variant(html: str) -> None:
    drawn = [each.attributes["aria-label"] for each in elements(html) if each.tag == "svg"]
    assert drawn == [
        "Confusion matrix",
        "Differences between fp32 and the source model",
        "Differences between tensorrt-fp32 and the source model",
        "Size by variant",
        "Latency by variant",
    ]


def test_both_times_of_a_variant_have_their_unit(html: str) -> None:
    said = re.findall(r">([^<]*90 % in[^<]*)<", html)
    assert said
    assert all(re.fullmatch(r"[\d,]+ µs, 90 % in [\d,]+ µs", each) for each in said)


def test_it_is_one_file_without_scripts_or_references(html: str) -> None:
    found = elements(html)
    assert not {each.tag for each in found} & {"script", "link", "img", "iframe", "object", "a", "base"}
    assert not {name for each in found for name in each.attributes} & {"src", "href", "style", "onload"}
    assert not re.search(r"url\(|@import|https?:", html)
    (policy,) = (each.attributes["content"] for each in found if "http-equiv" in each.attributes)
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"


def test_texts_from_outside_are_shown_and_do_nothing(html: str) -> None:
    assert HOSTILE in words(html)
    assert HOSTILE not in html


def test_without_evidence_nothing_is_measured(full: "converter.ConvertedBundle") -> None:
    drawn = [each.attributes["aria-label"] for each in elements(page(full.manifest, (), None))
             if each.tag == "svg"]  # fmt: skip
    assert drawn == ["Confusion matrix", "Size by variant"]


def test_more_classes_than_a_matrix_shows_are_told_by_their_mistakes() -> None:
    rows = np.arange(300.0).reshape(-1, 1)
    labels = (rows[:, 0] % 50).astype(int)
    tree = DecisionTreeClassifier(random_state=0).fit(rows, labels)
    given = np.where(np.arange(300) % 150 == 7, 9, labels)
    shown = words(converter.convert(tree, rows, given, name="many", version="1.0.0").report_html())
    assert "Most often mistaken:" in shown
    assert "9, called 7: 2" in shown


def regression() -> "converter.ConvertedBundle":
    rows, truth = load_diabetes(return_X_y=True)
    return converter.convert(
        LinearRegression().fit(rows, truth), rows, truth, name="progress", version="1.0.0"
    )


def several() -> "converter.ConvertedBundle":
    rows, labels = make_multilabel_classification(60, 5, random_state=0)
    model = RandomForestClassifier(3, random_state=0).fit(rows, labels)
    return converter.convert(model, rows, labels, name="several", version="1.0.0")


def anomaly() -> "converter.ConvertedBundle":
    model = IsolationForest(n_estimators=5, random_state=0).fit(ROWS)
    return converter.convert(model, ROWS, name="odd", version="1.0.0")


def texts() -> "converter.ConvertedBundle":
    frame = pd.DataFrame({"site": ["a", "b", None] * 5, "size": ["S", "M", "L"] * 5})
    encoder = OneHotEncoder().fit(frame)
    return converter.convert(encoder, frame, name="codes", version="1.0.0", reference=frame)


@pytest.mark.parametrize(
    ("made", "parts"),
    [
        (
            regression,
            ["R² 0.518", "Errors of the predictions", "Largest difference", "Differences between fp32"],
        ),
        (several, ["Accuracy 9", "0 of 60"]),
        (anomaly, ["Accuracy not measured", "accuracy not measured: no labels were given"]),
        (texts, ["refuses", "transformation"]),
    ],
    ids=["regression", "several labels", "anomaly", "texts"],
)
def test_every_task_has_a_page(made: Any, parts: list[str]) -> None:
    html = made().report_html()
    shown = words(html) + str([each.attributes.get("aria-label") for each in elements(html)])
    for part in parts:
        assert part in shown


def saved(html: str, folder: Path) -> Path:
    path = folder / "page.html"
    path.write_text(html, encoding="utf-8")
    return path


def test_a_real_browser_opens_it_without_a_word(html: str, tmp_path: Path) -> None:
    found = opened(saved(html, tmp_path))
    assert found.console == []
    assert words(found.dom) == words(html)


def test_the_browser_would_refuse_whatever_a_page_asked_of_a_network(html: str, tmp_path: Path) -> None:
    asking = html.replace("<h1>", '<img src="http://127.0.0.1:9/a.png"><script>alert(1)</script><h1>')
    said = opened(saved(asking, tmp_path)).console
    assert len(said) == 2
    assert all("Content Security Policy" in line for line in said)


def test_a_manifest_alone_makes_a_page(full: "converter.ConvertedBundle") -> None:
    bare = msgspec.structs.replace(full.manifest, evaluation=None, preprocessing=())
    assert "accuracy not measured" in words(page(bare, (), None))
