"""Variants of real models on real inputs: each is kept or dropped for the reason that is told."""

import dataclasses
import platform
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import converter
import edge_runtime
from converter.case import Case
from converter.frontends.base import Converted
from converter.inputs import Rows
from converter.quantization.choices import Recipe, read_choices
from converter.quantization.choosing import decided, not_measured
from converter.quantization.outcome import Tried
from converter.shipped import Shipped
from converter.source import Source
from edge_runtime.boards import supported
from edge_runtime.bundle.manifest import Parity, Variant
from edge_runtime.errors import ConversionError, InputError

DIGITS, LABELS = load_digits(return_X_y=True)
TRAINING, HELD_OUT = slice(0, 1200), slice(1200, None)
ELSEWHERE = "pi4" if platform.machine() == "x86_64" else "x86-64"
HERE = "x86-64" if platform.machine() == "x86_64" else "pi4"


def quantized(model: Any, **options: Any) -> "converter.ConvertedBundle":
    given = {"name": "digits", "version": "1.0.0", "calibration": DIGITS[TRAINING], **options}
    return converter.convert(model, DIGITS[HELD_OUT], LABELS[HELD_OUT], **given)


@pytest.fixture(scope="module")
def perceptron() -> Any:
    model = make_pipeline(StandardScaler(), MLPClassifier((64, 64), tol=1e-2, random_state=0))
    return model.fit(DIGITS[TRAINING], LABELS[TRAINING])


@pytest.fixture(scope="module")
def bundle(perceptron: Any) -> "converter.ConvertedBundle":
    return quantized(perceptron)


@pytest.fixture(scope="module")
def forest() -> Any:
    model = RandomForestClassifier(30, max_depth=7, random_state=0)
    return model.fit(DIGITS[TRAINING], LABELS[TRAINING])


def by_id(bundle: "converter.ConvertedBundle") -> dict[str, Tried]:
    return {each.id: each for each in bundle.tried}


def test_everything_that_is_worth_trying_was_tried(bundle: "converter.ConvertedBundle") -> None:
    ids = {"fp32-narrow", "int16-stored", "fp16-stored", "int8-stored", "int8-dynamic", "int8-static"}
    assert by_id(bundle).keys() == ids


def test_no_kept_variant_loses_more_than_its_budget_and_all_say_on_how_many_inputs(
    bundle: "converter.ConvertedBundle",
) -> None:
    kept = [each for each in bundle.manifest.variants if each.id != "fp32"]
    assert kept
    for variant in kept:
        assert variant.accuracy is not None
        assert variant.accuracy.measure == "accuracy"
        assert variant.accuracy.inputs == len(DIGITS[HELD_OUT])
        assert variant.accuracy.drop <= variant.accuracy.allowed == 0.01
        assert variant.accuracy.low <= variant.accuracy.drop <= variant.accuracy.high


def test_a_graph_is_proved_once_and_the_source_is_asked_about_calibration_inputs_once(
    perceptron: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    proved, asked = [], []
    prove, ask = Case.proved, Source.run

    def proving(case: Case, converted: Converted) -> Any:
        proved.append(converted)
        return prove(case, converted)

    def asking(source: Source, rows: Rows) -> Any:
        asked.append(len(rows))
        return ask(source, rows)

    monkeypatch.setattr(Case, "proved", proving)
    monkeypatch.setattr(Source, "run", asking)
    bundle = quantized(perceptron, boards=[HERE, "rtx-30"], calibration=DIGITS[:123])

    ids = {each.id for each in bundle.tried if each.size_bytes is not None}
    assert {"fp32-narrow", "int8-static", "tensorrt-int8"} <= ids
    assert "tensorrt-fp32" in {each.id for each in bundle.manifest.variants}
    assert len(proved) == 2  # fp32, and the lowered graph for two of the variants
    assert asked.count(123) == 1


def test_the_drop_is_that_of_the_variant_that_ships(
    bundle: "converter.ConvertedBundle", perceptron: Any, tmp_path: Path
) -> None:
    path = bundle.save(tmp_path / "digits.edge")
    with edge_runtime.load(path, allow_unsigned=True) as model:
        found = model.predict(DIGITS[HELD_OUT]).astype(int)
        accuracy = model.variant.accuracy
    assert accuracy is not None
    assert bundle.manifest.evaluation is not None
    assert accuracy.found == (found == LABELS[HELD_OUT]).mean() == bundle.manifest.evaluation.accuracy
    assert accuracy.source == perceptron.score(DIGITS[HELD_OUT], LABELS[HELD_OUT])


def test_statically_quantized_weights_are_a_quarter_of_their_float32(
    bundle: "converter.ConvertedBundle",
) -> None:
    ratio = by_id(bundle)["int8-static"].weights_ratio
    assert ratio is not None
    assert 0.25 < ratio <= 0.3  # of layers of 64 numbers an output, scales are a large part
    assert by_id(bundle)["int8-stored"].weights_ratio is None


def test_what_is_slower_here_is_never_the_one_that_runs(bundle: "converter.ConvertedBundle") -> None:
    first, *_ = bundle.manifest.variants
    ratio = 1.0 if first.id == "fp32" else by_id(bundle)[first.id].time_ratio
    assert ratio is not None
    assert ratio <= 1.0


def test_each_device_replays_the_goldens_through_the_variant_that_it_runs(
    bundle: "converter.ConvertedBundle", tmp_path: Path
) -> None:
    for variant in bundle.manifest.variants:
        alone = dataclasses.replace(
            bundle,
            manifest=converter_with(bundle, variant),
        )
        with edge_runtime.load(alone.save(tmp_path / "a.edge"), allow_unsigned=True) as model:
            result = model.replay_goldens()
        assert result.max_abs_error <= variant.parity.tolerance
        assert variant.parity.tolerance < 0.2


def converter_with(bundle: "converter.ConvertedBundle", variant: Variant) -> Any:
    import msgspec

    return msgspec.structs.replace(bundle.manifest, variants=(variant,))


def test_trees_keep_every_label_or_are_dropped(forest: Any) -> None:
    tried = by_id(quantized(forest))

    said = forest.predict(DIGITS[HELD_OUT].astype(np.float32))
    for name in ("int8-stored", "int16-stored", "fp16-stored"):
        each = tried[name]
        assert each.accuracy is not None
        changes = "and must change none" in each.why
        assert changes or "of fp32's time" in each.why  # it came to be timed
    assert tried["int8-static"].why == "not made: it has no layer with weights in float32"
    assert len(said) == 597


def test_coefficients_that_change_a_label_are_dropped() -> None:
    rows = np.random.default_rng(0).normal(size=(2000, 400)).astype(np.float32)
    model = LogisticRegression(max_iter=500).fit(rows, rows @ np.ones(400) > 0)
    coefficients = model.coef_[0].astype(np.float32)
    score = model.decision_function(rows)[:, None]
    near = rows - coefficients * (score - 0.02 * np.sign(score)) / np.square(coefficients).sum()
    rows[:10] = near[:10]

    bundle = converter.convert(model, rows, name="a", version="1.0.0", quantize=True)

    found = by_id(bundle)["int8-stored"]
    assert not found.kept
    assert "inputs, and must change none" in found.why


def test_a_regression_is_judged_by_what_it_explains() -> None:
    rows, values = load_diabetes(return_X_y=True)
    model = make_pipeline(StandardScaler(), Ridge()).fit(rows[:300], values[:300])

    bundle = converter.convert(
        model, rows[300:], values[300:], name="a", version="1.0.0", calibration=rows[:300]
    )

    for each in bundle.tried:
        if each.accuracy is not None:
            assert each.accuracy.measure == "r2"
            assert each.accuracy.source == pytest.approx(model.score(rows[300:], values[300:]))


def test_a_model_that_gives_labels_and_nothing_else_is_tried_in_every_way() -> None:
    model = SVC(gamma=1e-3).fit(DIGITS[:200], LABELS[:200])

    tried = by_id(quantized(model, calibration=DIGITS[200:300]))

    assert not [each.why for each in tried.values() if each.why.startswith("not made")]


def test_a_budget_that_nothing_holds_leaves_fp32_and_the_report_says_why(perceptron: Any) -> None:
    """Dynamically quantized, it is right about fewer inputs; nothing may lose anything."""
    bundle = quantized(perceptron, max_accuracy_drop=0.0)

    dropped = [each for each in bundle.tried if "more than the 0 allowed" in each.why]
    assert dropped
    for each in dropped:
        assert not each.kept
        assert f"dropped  {each.id}: {each.why}\n" in bundle.report(), "the interval is on the page"
        assert each.why.startswith("loses 0.0")


def test_without_calibration_inputs_static_quantization_is_not_tried_and_says_so(forest: Any) -> None:
    tried = by_id(quantized(forest, calibration=None, quantize=True))

    assert "there are no calibration inputs" in tried["int8-static"].why


def test_without_asking_nothing_is_tried(forest: Any) -> None:
    bundle = quantized(forest, calibration=None)

    assert bundle.tried == ()
    assert [each.id for each in bundle.manifest.variants] == ["fp32"]
    assert "choices.json" not in bundle.artifacts


class TestChoices:
    def test_they_make_the_same_bytes_and_measure_nothing(
        self, bundle: "converter.ConvertedBundle", perceptron: Any, tmp_path: Path
    ) -> None:
        path = bundle.save(tmp_path / "first.edge")

        again = quantized(perceptron, choices=path)

        assert again.to_bytes() == bundle.to_bytes()
        assert all(each.time_ratio is None for each in again.tried)

    def test_they_make_the_same_bytes_for_boards_that_nobody_measured(self, perceptron: Any) -> None:
        first = quantized(perceptron, boards=[ELSEWHERE, "rtx-30"])
        assert [each.boards for each in first.manifest.variants if each.id == "int8-static"]

        again = quantized(perceptron, boards=[ELSEWHERE, "rtx-30"], choices=first.choices)

        assert again.to_bytes() == first.to_bytes()

    def test_they_are_in_the_bundle(self, bundle: "converter.ConvertedBundle") -> None:
        choices = read_choices(bundle.choices)

        kept = [each.id for each in bundle.manifest.variants if each.id != "fp32"]
        assert [recipe.id for recipe in choices.recipes] == kept

    def test_other_calibration_inputs_are_refused(
        self, bundle: "converter.ConvertedBundle", perceptron: Any
    ) -> None:
        choices = with_static(bundle)

        with pytest.raises(InputError, match="expected the inputs that the choices were made with"):
            quantized(perceptron, choices=choices, calibration=DIGITS[:1100])
        with pytest.raises(InputError, match="found none"):
            quantized(perceptron, choices=choices, calibration=None)

    def test_what_cannot_be_made_any_more_is_told(
        self, bundle: "converter.ConvertedBundle", forest: Any
    ) -> None:
        with pytest.raises(ConversionError, match="choices: expected to make int8-static as it was"):
            quantized(forest, choices=with_static(bundle))


def with_static(bundle: "converter.ConvertedBundle") -> bytes:
    import msgspec

    recipe = by_id(bundle)["int8-static"].recipe
    return msgspec.structs.replace(
        read_choices(bundle.choices), recipes=(recipe,), before_fp32=0
    ).to_bytes()


class TestBoards:
    def test_for_a_processor_of_another_kind_nothing_is_proven_and_fp32_runs(
        self, perceptron: Any
    ) -> None:
        bundle = quantized(perceptron, boards=[ELSEWHERE])

        first, *others = bundle.manifest.variants
        assert (first.id, first.unproven) == ("fp32", False)
        assert {"int8-static", "int8-dynamic"} <= {each.id for each in others}
        assert all(each.unproven and each.boards == (ELSEWHERE,) for each in others)
        (note,) = bundle.notes
        assert "onnxruntime runs fp32, and " in note
        assert "once it has measured that this pays there" in note

    def test_this_machines_own_kind_is_measured(self) -> None:
        assert not_measured(supported([HERE])) == ()
        assert not_measured(supported([HERE, ELSEWHERE])) == (ELSEWHERE,)

    def test_a_board_with_tensorrt_gets_float16_and_int8_for_it_and_fp32_for_its_processor(
        self, perceptron: Any
    ) -> None:
        bundle = quantized(perceptron, boards=["rtx-30"])

        found = {each.id: each for each in bundle.manifest.variants}
        assert list(found) == ["fp32", "tensorrt-fp32", "tensorrt-fp16", "tensorrt-int8"]
        for name, precision in (("tensorrt-fp16", "fp16"), ("tensorrt-int8", "int8")):
            assert (found[name].engine, found[name].precision) == ("tensorrt", precision)
            assert found[name].unproven
            assert found[name].boards == ("rtx-30",)
            assert found[name].profile is not None
        assert "tensorrt-int8" in bundle.report_html()


class TestDecision:
    """The decision alone, from what was measured."""

    def test_of_two_that_pay_the_fastest_comes_first(self) -> None:
        found = decided([tried("small", 1.0, 0.3), tried("fast", 0.5, 1.0, error=1e-3)], ())

        assert [each.id for each in found] == ["fast", "small"]
        assert all(each.kept for each in found)
        assert found[0].why == "kept: it takes 0.50 of fp32's time and 1.00 of its size"

    def test_what_does_not_pay_is_dropped_and_says_beside_what(self) -> None:
        (found,) = decided([tried("slow", 1.6, 0.3)], ())

        assert not found.kept
        assert found.why == "does not pay beside fp32: it takes 1.60 of fp32's time and 0.30 of its size"

    def test_elsewhere_it_may_pay_if_it_computes_in_other_instructions(self) -> None:
        slow = [tried("static", 1.6, 0.3, method="static"), tried("stored", 1.6, 0.3, method="stored")]

        static, stored = decided(slow, ("pi4",))

        assert static.shipped is not None
        assert (static.shipped.variant.unproven, static.shipped.variant.boards) == (True, ("pi4",))
        assert not stored.kept

    def test_what_was_not_made_stays_as_it_was(self) -> None:
        broken = dataclasses.replace(tried("broken", 0.1, 0.1), shipped=None, why="not made: it burnt")

        assert decided([broken], ()) == (broken,)


def tried(
    name: str, time_ratio: float, size_ratio: float, *, error: float = 1e-4, method: Any = "stored"
) -> Tried:
    recipe = Recipe(id=name, engine="onnxruntime", precision="int8", method=method)
    parity = Parity(
        inputs=10, label_disagreements=0, near_ties=0, max_abs_error=error, tolerance=4 * error
    )
    variant = Variant(
        id=name,
        engine="onnxruntime",
        precision="int8",
        file=f"variants/{name}/model.onnx",
        opsets={"ai.onnx": 17},
        ir_version=8,
        size_bytes=100,
        exact="",
        parity=parity,
    )
    whole: Any = None
    return Tried(
        recipe,
        "",
        size_bytes=100,
        size_ratio=size_ratio,
        time_ratio=time_ratio,
        shipped=Shipped(variant, {}, whole, {}),
    )
