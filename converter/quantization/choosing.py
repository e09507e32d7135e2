"""Which variants a model gets: each is made, judged on held-out inputs, measured, and kept or dropped.

See docs/quantization.md, and docs/adr/0021 for why evidence decides.
"""

import platform
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from converter.backends import tensorrt
from converter.bundling import variant_of
from converter.case import Case
from converter.evidence import rows_to_time
from converter.foreign import told
from converter.frontends.base import Converted
from converter.parity import NEAR_TIE, differences
from converter.progress import Progress
from converter.quantization.budget import lost
from converter.quantization.choices import Choices, Recipe
from converter.quantization.making import Graphs, Made, Maker
from converter.quantization.outcome import Tried
from converter.quantization.paying import FP32, HARDLY_SMALLER, Offer, needless
from converter.quantization.recipes import recipes_for
from converter.quantization.wanted import Wanted
from converter.shipped import Shipped
from converter.source import Tensors
from converter.standard.variant import Plans, planned, with_tensorrt
from converter.timing import time_ratios
from edge_runtime.boards import Board
from edge_runtime.bundle.manifest import Parity
from edge_runtime.errors import ConversionError, EdgeError


def choose(
    case: Case,
    graphs: Graphs,
    wanted: Wanted,
    truth: NDArray[Any] | None,
    *,
    boards: Sequence[Board],
    progress: Progress,
) -> tuple[Tried, ...]:
    """Every variant that was tried. Those for ONNX Runtime come the fastest first.

    truth: the held-out inputs' labels as `converter.evaluate.truth_of` gives them, or None.
    """
    maker = Maker(case, graphs, wanted.calibration, wanted.allowed)
    judge = _Judge(case, graphs, maker, wanted, truth, tuple(boards))
    fixed, elsewhere = wanted.choices, not_measured(boards)
    if fixed is None:
        recipes = recipes_for(graphs, boards, builds_plans=not tensorrt.why_unavailable())
    else:
        recipes = fixed.recipes
    tried = []
    for recipe in recipes:
        progress(f"trying {recipe.id}")
        tried.append(judge.tried(recipe, progress))
    if fixed is not None:
        return tuple(_as_chosen(each, fixed, elsewhere) for each in tried)
    if not tried:
        return ()
    progress("measuring the variants")
    measured = _timed(case, graphs.plain, tried)
    return decided(measured, elsewhere)


def not_measured(boards: Sequence[Board]) -> tuple[str, ...]:
    """Those without TensorRT whose processors are of another kind than this machine's."""
    own = platform.machine().lower().replace("amd64", "x86_64")
    return tuple(each.name for each in boards if each.tensorrt is None and each.arch != own)


@dataclass(frozen=True)
class _Judge:
    """Makes one variant after another and says what it loses."""

    case: Case
    graphs: Graphs
    maker: Maker
    wanted: Wanted
    truth: NDArray[Any] | None
    boards: tuple[Board, ...]

    def tried(self, recipe: Recipe, progress: Progress) -> Tried:
        """A variant within the budget, not yet measured; or why there is none."""
        try:
            made = self.maker.make(recipe, is_fixed=self.wanted.choices is not None)
            return self._judged(made, progress)
        except EdgeError as error:
            return Tried(recipe, f"not made: {told(error).rstrip('.')}")

    def _judged(self, made: Made, progress: Progress) -> Tried:
        recipe, size = made.recipe, len(made.onnx)
        tried = Tried(
            recipe,
            "",
            size_bytes=size,
            size_ratio=size / len(self.graphs.plain.onnx),
            weights_ratio=self.maker.weights_ratio(made),
        )
        if recipe.method == "float32":
            parity, found = self.graphs.prove(made.whole)  # the same model, so the same gate
            return replace(tried, shipped=_for_onnxruntime(made, found, parity))
        found = self.case.answers(made.whole)
        if why := self._broken(found):
            return tried.dropped(why)
        accuracy = lost(self.case.expected.tensors, found, self.truth, self.wanted.allowed)
        tried = replace(tried, accuracy=accuracy)
        parity = self._parity(found)
        if why := self._too_far(recipe, parity, accuracy.drop):
            return tried.dropped(why)
        if recipe.engine == "onnxruntime":
            return replace(tried, shipped=_for_onnxruntime(made, found, parity))
        plans = planned(made.onnx, with_tensorrt(self.boards), progress)
        if not plans.built:
            return tried.dropped(f"TensorRT takes it for none of the boards: {_first_why(plans)}")
        variant = plans.variant(recipe.id, precision=recipe.precision, parity=parity)
        return replace(tried, shipped=Shipped(variant, plans.artifacts(recipe.id), made.whole, found))

    def _broken(self, found: Tensors) -> str:
        """Why no number of a variant counts; '' where they do."""
        for name, tensor in self.case.expected.tensors.items():
            if name != "label" and (np.isfinite(tensor) & ~np.isfinite(found[name])).any():
                return f"its output {name!r} is no number where the source model gives one"
        return ""

    def _parity(self, found: Tensors) -> Parity:
        expected = self.case.expected
        unequal, error = differences(expected.tensors, found)
        tied = unequal & (expected.margin < NEAR_TIE) if expected.margin.size else unequal & False
        largest = float(error.max(initial=0.0))
        return Parity(
            inputs=len(unequal),
            label_disagreements=int(unequal.sum()),
            near_ties=int(tied.sum()),
            max_abs_error=largest,
            tolerance=largest,  # until goldens are chosen
        )

    def _too_far(self, recipe: Recipe, parity: Parity, drop: float) -> str:
        """Why it is outside the budget; '' where it is not."""
        if drop > self.wanted.allowed:
            return f"loses {drop:.4f}, more than the {self.wanted.allowed:g} allowed"
        changed = parity.label_disagreements - parity.near_ties
        # Of few trees or coefficients, each that is rounded is one that somebody can name.
        if changed and not self.graphs.is_network and recipe.method == "stored":
            return f"changes the label of {changed} of {parity.inputs} inputs, and must change none"
        return ""


def _first_why(plans: Plans) -> str:
    return next(trial.why for trial in plans.trials.values() if trial.why)


def _for_onnxruntime(made: Made, found: Tensors, parity: Parity) -> Shipped:
    recipe, exact = made.recipe, made.whole.exact
    variant = variant_of(made.onnx, id=recipe.id, precision=recipe.precision, exact=exact, parity=parity)
    return Shipped(variant, {variant.file: made.onnx}, made.whole, found)


def _timed(case: Case, plain: Converted, tried: Sequence[Tried]) -> list[Tried]:
    """The variants for ONNX Runtime side by side with fp32, one row at a time."""
    there = {each.id: each.shipped for each in tried if each.shipped and each.engine == "onnxruntime"}
    if not there:
        return list(tried)
    with ExitStack() as stack:
        models = {FP32: stack.enter_context(case.model(plain))}
        for name, shipped in there.items():
            models[name] = stack.enter_context(case.model(shipped.whole))
        rows = rows_to_time(models[FP32], case.rows)
        asked = [(each.predict, rows) for each in models.values()]
        ratios = dict(zip(models, time_ratios(asked), strict=True))
    return [replace(each, time_ratio=ratios.get(each.id)) for each in tried]


def decided(tried: Sequence[Tried], elsewhere: Sequence[str]) -> tuple[Tried, ...]:
    """What pays is kept, the fastest first. A pure decision.

    elsewhere: boards whose processors nobody has measured. Where there are some nothing is proven, and
    what may be faster there is kept too; so is what TensorRT is to run, which was never run here.
    """
    offers = {each.id: _offer(each) for each in tried if each.shipped and each.time_ratio is not None}
    better = needless(offers)
    by_time = sorted(tried, key=lambda each: np.inf if each.time_ratio is None else each.time_ratio)
    return tuple(_decided(each, better.get(each.id, ""), tuple(elsewhere)) for each in by_time)


def _offer(each: Tried) -> Offer:
    assert each.shipped is not None
    assert each.time_ratio is not None
    assert each.size_ratio is not None
    return Offer(each.time_ratio, each.size_ratio, each.shipped.variant.parity.max_abs_error)


def _decided(each: Tried, better: str, elsewhere: tuple[str, ...]) -> Tried:
    if each.shipped is None:
        return each
    if each.engine == "tensorrt":
        if each.size_ratio is not None and each.size_ratio > HARDLY_SMALLER:
            return each.dropped(
                f"hardly anything of it is quantized: {each.size_ratio:.2f} of fp32's size"
            )
        return _kept(each, "kept, unproven: TensorRT built a plan, and nobody has timed it", ())
    measured = f"{each.time_ratio:.2f} of fp32's time and {each.size_ratio:.2f} of its size"
    if not better:
        return _kept(each, f"kept: it takes {measured}", elsewhere)
    if elsewhere and each.recipe.method in ("static", "dynamic"):
        where = ", ".join(elsewhere)
        return _kept(each, f"kept for {where}, unproven: here it takes {measured}", elsewhere)
    return each.dropped(f"does not pay beside {better}: it takes {measured}")


def _kept(each: Tried, why: str, elsewhere: tuple[str, ...]) -> Tried:
    assert each.shipped is not None
    unproven = each.engine == "tensorrt" or bool(elsewhere)
    return replace(each, why=why, shipped=_shipped(each, unproven=unproven, boards=elsewhere))


def _shipped(each: Tried, *, unproven: bool, boards: tuple[str, ...]) -> Shipped:
    assert each.shipped is not None
    variant = each.shipped.variant
    changed = msgspec.structs.replace(
        variant, accuracy=each.accuracy, unproven=unproven, boards=variant.boards or boards
    )
    return replace(each.shipped, variant=changed)


def _as_chosen(each: Tried, choices: Choices, elsewhere: tuple[str, ...]) -> Tried:
    """A variant that was decided on before; nothing is measured."""
    if each.shipped is None:
        raise ConversionError(
            f"choices: expected to make {each.id} as it was chosen, but it was {each.why}. Give the "
            "same model, inputs and calibration inputs, or choose anew without choices."
        )
    shipped = _shipped(each, unproven=each.id in choices.unproven, boards=elsewhere)
    return replace(each, why="kept, as chosen before", shipped=shipped)
