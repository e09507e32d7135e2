"""How long `convert` takes and how much memory, beside skl2onnx's conversion alone.

    python benchmarks/convert.py [--quick] [--no-save]

The forest has 100 trees and some 60,000 nodes behind a StandardScaler: its thresholds are folded
through the scaler exactly. `convert` asks source and variant about 1,000 inputs and the edge rows,
loads the bundle as a device does and replays its goldens; `skl2onnx.to_onnx` writes a graph.

time      the two take turns, in random order, in one process
memory    one process a run: what the loaded model takes is the growth of resident memory when it is
          loaded; then the peak is reset (/proc/self/clear_refs) and read (VmHWM) after the conversion.
          A conversion of a tiny model goes before, so that what is imported does not count

Bounds: the forest in under 10 s, with at most 4 times the loaded model's memory.
Writes benchmarks/results/convert-DATE.md and .json.
"""

import json
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import joblib
import numpy as np
from interleaving import interleave
from machine import describe_machine, in_words, load_average, save, today
from memory import MIB, forget_peak, resident
from sklearn.datasets import make_classification
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

INPUTS = 1_000
FEATURES = 20
MAX_SECONDS, MAX_TIMES_MODEL = 10.0, 4.0
FOREST = "random forest of 100 trees"
CONVERTERS = ("convert", "skl2onnx")


@dataclass(frozen=True)
class Case:
    name: str
    model: Any
    inputs: np.ndarray
    size: str


@click.command(help=__doc__.splitlines()[0])
@click.option("--quick", is_flag=True, help="Fewer runs.")
@click.option("--save/--no-save", "keep", default=True, help="Write the result into benchmarks/results.")
@click.option(
    "--child", nargs=3, hidden=True, help="Measure one conversion's memory: model, inputs, by."
)
def main(quick: bool, keep: bool, child: tuple[str, str, str] | None) -> None:
    if child:
        click.echo(json.dumps(measure_memory(*child)))
        return
    warnings.filterwarnings("ignore", category=FutureWarning)  # skl2onnx reads deprecated attributes
    runs = 3 if quick else 7
    load_before = load_average()
    found, memory = {}, {}
    for case in cases():
        click.echo(f"  {case.name}: {case.size}", err=True)
        found[case.name] = {"size": case.size, **time_both(case, runs)}
        if case.name == FOREST:
            memory = memory_of(case, runs=1 if quick else 3)
    result = {
        "date": today(),
        "machine": describe_machine(load_before, "skl2onnx"),
        "inputs": INPUTS,
        "runs": runs,
        "time": found,
        "forest_memory": memory,
    }
    text = report(result)
    click.echo(text)
    if keep:
        save("convert", result, text)


def cases() -> list[Case]:
    """Fitted models and inputs held out from their training."""
    table, truth = make_classification(
        4_000 + INPUTS, FEATURES, n_informative=10, n_classes=4, random_state=0
    )
    table = (table / table.std(axis=0) * np.logspace(-3, 3, FEATURES)).astype(np.float32)
    inputs = table[4_000:].copy()
    noise = np.random.default_rng(0).integers(0, 2, 3_000)  # which makes every row a support vector
    forest = make_pipeline(StandardScaler(), RandomForestClassifier(100, random_state=0))
    boosting = GradientBoostingClassifier(n_estimators=500, random_state=0)
    svm = make_pipeline(StandardScaler(), SVC(gamma=1.0))
    neighbours = make_pipeline(StandardScaler(), KNeighborsClassifier())
    forest.fit(table[:1_580], truth[:1_580])
    boosting.fit(table[:2_000], truth[:2_000] > 1)
    svm.fit(table[:3_000], noise)
    neighbours.fit(table[:3_000], truth[:3_000])
    nodes = sum(tree.tree_.node_count for tree in forest[-1].estimators_)
    return [
        Case(FOREST, forest, inputs, f"{nodes:,} nodes, behind a StandardScaler"),
        Case("gradient boosting", boosting, inputs, f"{len(boosting.estimators_)} trees of depth 3"),
        Case("RBF SVM", svm, inputs, f"{len(svm[-1].support_):,} support vectors"),
        Case("nearest neighbours", neighbours, inputs, "5 of 3,000 rows"),
    ]


def converters(model: Any, inputs: np.ndarray) -> dict[str, Callable[[Any], Any]]:
    from skl2onnx import to_onnx

    import converter

    options = {id(model): {"zipmap": False}}
    opsets = {"": 17, "ai.onnx.ml": 3}  # the ones that `convert` writes
    return {
        "convert": lambda _: converter.convert(model, inputs, name="benchmark", version="1.0.0"),
        "skl2onnx": lambda _: to_onnx(
            model, inputs[:1], options=options, target_opset=opsets
        ).SerializeToString(),
    }


def time_both(case: Case, runs: int) -> dict[str, Any]:
    both = converters(case.model, case.inputs)
    for conversion in both.values():
        conversion(None)  # imports what it needs
    times = interleave(both, [None], runs, block=1, limit_s=60.0)
    seconds = {name: taken / 1e6 for name, taken in times.items()}
    return {
        "ratio": float(np.median(seconds["convert"] / seconds["skl2onnx"])),
        **{
            name: {"p50_s": float(np.median(taken)), "max_s": float(taken.max())}
            for name, taken in seconds.items()
        },
    }


def memory_of(case: Case, runs: int) -> dict[str, Any]:
    """Medians over `runs` processes each, in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        model, inputs = Path(folder) / "model.joblib", Path(folder) / "inputs.npy"
        joblib.dump(case.model, model)
        np.save(inputs, case.inputs)
        found: dict[str, list[dict[str, float]]] = {name: [] for name in CONVERTERS}
        for _ in range(runs):
            for name, measured in found.items():
                command = [sys.executable, __file__, "--child", str(model), str(inputs), name]
                measured.append(json.loads(subprocess.check_output(command).splitlines()[-1]))
        return {
            "joblib_mib": model.stat().st_size / MIB,
            **{
                name: {key: float(np.median([run[key] for run in each])) for key in each[0]}
                for name, each in found.items()
            },
        }


def measure_memory(model_path: str, inputs_path: str, by: str) -> dict[str, float]:
    """In this process: resident memory of the model, and what its conversion adds at its peak."""
    inputs = np.load(inputs_path)
    warm = make_pipeline(StandardScaler(), RandomForestClassifier(2, max_depth=2, random_state=0))
    warm.fit(inputs, inputs[:, 0] > 0)
    converters(warm, inputs)[by](None)
    before = resident("VmRSS")
    model = joblib.load(model_path)
    loaded = resident("VmRSS")
    convert = converters(model, inputs)[by]
    forget_peak()
    convert(None)
    peak = resident("VmHWM")
    taken = loaded - before
    return {
        "model_mib": taken / MIB,
        "added_mib": (peak - loaded) / MIB,
        "times_model": (peak - loaded) / taken,
    }


def report(result: dict[str, Any]) -> str:
    forest, memory = result["time"][FOREST], result["forest_memory"]
    seconds, times = forest["convert"]["max_s"], memory["convert"]["times_model"]
    in_time, in_memory = kept(seconds, MAX_SECONDS), kept(times, MAX_TIMES_MODEL)
    timed = "\n".join(
        f"| {name} | {found['size']} | {found['ratio']:.2f} | {found['convert']['p50_s']:.2f} | "
        f"{found['convert']['max_s']:.2f} | {found['skl2onnx']['p50_s']:.2f} |"
        for name, found in result["time"].items()
    )
    remembered = "\n".join(
        f"| {name} | {memory[name]['times_model']:.1f} | {memory[name]['added_mib']:.1f} | "
        f"{memory[name]['model_mib']:.1f} |"
        for name in CONVERTERS
    )
    return f"""# Conversion: time and memory, {result["date"]}

{in_words(result["machine"], "skl2onnx")}

Made by `benchmarks/convert.py`. `convert` includes exact folding, parity on {INPUTS:,} inputs and edge
rows, loading the bundle as a device does and its goldens; skl2onnx writes a graph and no more.

The forest's slowest conversion took {seconds:.1f} s; the bound of {MAX_SECONDS:.0f} s is {in_time}.
It added {times:.1f} times the loaded model's memory at its peak; the bound of
{MAX_TIMES_MODEL:.0f} is {in_memory}.

## Time

{result["runs"]} runs of each, interleaved in one process. To skl2onnx: the median of the runs' ratios.

| model | size | to skl2onnx | convert p50 s | slowest s | skl2onnx p50 s |
|---|---|---:|---:|---:|---:|
{timed}

## Memory of converting the forest

The model's memory is what loading it adds to a process. Its joblib file: {memory["joblib_mib"]:.1f} MiB.

| | times the model | added at the peak MiB | model MiB |
|---|---:|---:|---:|
{remembered}
"""


def kept(found: float, bound: float) -> str:
    return "kept" if found <= bound else "missed"


if __name__ == "__main__":
    main()
