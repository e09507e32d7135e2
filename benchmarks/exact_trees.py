"""Trees on a million rows where rounding decides: our bundle, skl2onnx and the source, leaf by leaf.

    python benchmarks/exact_trees.py [--rows N] [--family NAME] [--no-save]

Every feature of every row lies within 3 ulp of one of that feature's own thresholds, as the source
holds them (taken back through the scaler in front, in float64). For each kind of trees, alone and
behind each scaler, and for each row

    leaves    the leaf of every tree in the converter's forest, which reads the unscaled row, is the one
              that the source says (`apply`, `pred_leaf`, `calc_leaf_indexes`)
    labels    the bundle, run by edge_runtime, says the source's label; not counted where the source's
              two best classes lie less than 1e-6 apart
    lowered   the same leaves and labels, of the graph in standard operators that TensorRT is given, run
              by ONNX Runtime; leaves by a graph of the same trees whose leaves hold their own numbers
    skl2onnx  the same labels, of the usual conversion of the same pipeline in ONNX Runtime

Writes benchmarks/results/exact_trees-DATE.json and .md.
"""

import logging
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnxruntime
from interleaving import asking
from machine import describe_machine, in_words, load_average, save, today
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

import converter
import edge_runtime
from converter.lowering.thresholds import from_ordered, ordered
from converter.lowering.trees import Forest, ensemble, folded, leaves, sum_of_leaves
from converter.standard.graph import StandardGraph
from converter.tracing.tensor import Tensor

BATCH = 50_000
NEAR_TIE = 1e-6
OTHERS = ("skl2onnx", "xgboost-cpu", "lightgbm", "catboost")
SCALERS: dict[str, Callable[[], list[Any]]] = {
    "alone": list,
    "StandardScaler": lambda: [StandardScaler()],
    "MinMaxScaler": lambda: [MinMaxScaler((-1, 3))],
    "RobustScaler": lambda: [RobustScaler()],
}
Rows = np.ndarray


@dataclass
class Count:
    """What was found for one kind of trees behind one scaler. skl2onnx_labels: None, not converted."""

    trees: str
    scaler: str
    rows: int = 0
    leaves: int = 0
    wrong_leaves: int = 0
    wrong_labels: int = 0
    near_ties: int = 0
    largest_probability_error: float = 0.0
    lowered_wrong_leaves: int = 0
    lowered_wrong_labels: int = 0
    lowered_largest_error: float = 0.0
    skl2onnx_wrong_labels: int | None = None
    skl2onnx: str = ""
    seconds: float = field(default=0.0)


def families() -> dict[str, Callable[[], Any]]:
    """Small models of each kind; what a library computes in threads is computed in one."""
    import catboost
    import lightgbm
    import xgboost

    return {
        "DecisionTree": lambda: DecisionTreeClassifier(random_state=0),
        "RandomForest": lambda: RandomForestClassifier(20, max_depth=10, random_state=0),
        "ExtraTrees": lambda: ExtraTreesClassifier(20, max_depth=10, random_state=0),
        "GradientBoosting": lambda: GradientBoostingClassifier(n_estimators=10, random_state=0),
        "HistGradientBoosting": lambda: HistGradientBoostingClassifier(max_iter=10, random_state=0),
        "XGBoost": lambda: xgboost.XGBClassifier(n_estimators=10, n_jobs=1),
        "LightGBM": lambda: lightgbm.LGBMClassifier(n_estimators=10, n_jobs=1, verbose=-1),
        "CatBoost": lambda: catboost.CatBoostClassifier(
            iterations=20, thread_count=1, verbose=False, allow_writing_files=False
        ),
    }


@click.command(help=__doc__.splitlines()[0])
@click.option("--rows", "count", default=1_000_000, show_default=True, help="Rows of each pipeline.")
@click.option("--family", "only", multiple=True, help="Only this kind of trees; may be repeated.")
@click.option(
    "--save/--no-save", "saves", default=True, help="Write the result into benchmarks/results."
)
def main(count: int, only: tuple[str, ...], saves: bool) -> None:
    load_before = load_average()
    logging.getLogger("converter").setLevel(logging.ERROR)  # these bundles need no signature
    found: list[Count] = []
    with threadpool_limits(1), warnings.catch_warnings():
        # LightGBM invents names for the columns of an array and scikit-learn then misses them.
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        for trees, make in families().items():
            for scaler, before in SCALERS.items():
                if only and trees not in only:
                    continue
                found.append(measure(Count(trees, scaler), make_pipeline(*before(), make()), count))
                click.echo(line(found[-1]), err=True)
    machine = describe_machine(load_before, *OTHERS)
    counted = [asdict(each) for each in found]
    result = {"date": today(), "machine": machine, "rows": count, "found": counted}
    text = report(result, found)
    click.echo(text)
    if saves:
        save("exact_trees", result, text)


def measure(count: Count, pipeline: Pipeline, rows: int) -> Count:
    """Fit, convert, and ask everybody about all rows, in batches."""
    started = time.perf_counter()
    table, truth = make_classification(4_000, 20, n_informative=8, n_classes=3, random_state=0)
    table = (table * np.logspace(-3, 3, 20) + np.linspace(-100, 100, 20)).astype(np.float32)
    pipeline.fit(table[:3_000], truth[:3_000])
    *before, (_, model) = pipeline.steps
    usual = usual_conversion(pipeline, table, count)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trees.edge"
        made = converter.convert(
            pipeline, table[3_000:], name="trees", version="1.0.0", boards=["rtx-30"]
        )
        made.save(path)
        lowered = asking(made.artifacts["variants/tensorrt-fp32/model.onnx"])
        forest, reads = ensemble(model).forest, ensemble(model).reads
        ours = folded(forest, [step for _, step in before]) if before else forest
        numbered = asking(numbered_graph(ours))
        with edge_runtime.load(path, allow_unsigned=True) as bundle:
            for batch in placed(forest, pipeline, rows):
                seen = pipeline[:-1].transform(batch.copy()) if before else batch
                theirs = source_leaves(model, forest, seen)
                walked = ours.node[leaves(ours, batch if before else batch.astype(reads))]
                count.rows += len(batch)
                count.leaves += theirs.size
                count.wrong_leaves += int(np.count_nonzero(walked != theirs))
                (ends,) = numbered(batch)
                count.lowered_wrong_leaves += int(np.count_nonzero(np.rint(ends) != theirs))
                compare(count, pipeline, batch, (bundle.infer(batch), lowered(batch)), usual)
    count.seconds = round(time.perf_counter() - started, 1)
    return count


def numbered_graph(forest: Forest) -> bytes:
    """One output a tree, in standard operators: the number of the leaf that a row reaches."""
    numbers = np.zeros((len(forest.node), forest.n_trees))
    numbers[np.arange(len(forest.node)), forest.tree] = forest.node
    graph = StandardGraph()
    rows = Tensor.input(graph, "rows", "float32", (None, forest.n_features))
    found = sum_of_leaves(replace(forest, values=numbers), rows)
    return graph.to_bytes({"leaves": (found.name, "float32", found.shape)})


def compare(
    count: Count,
    pipeline: Pipeline,
    batch: Rows,
    answers: tuple[Any, Any],
    usual: Callable[[Rows], Rows] | None,
) -> None:
    """answers: of the bundle, and of its lowered graph."""
    found, lowered = answers
    wanted = np.asarray(pipeline.predict_proba(batch), np.float64)
    labels = np.asarray(pipeline.predict(batch)).reshape(-1)
    best = np.sort(wanted, axis=1)
    clear = best[:, -1] - best[:, -2] > NEAR_TIE
    count.near_ties += int(np.count_nonzero(~clear))
    count.wrong_labels += int(np.count_nonzero((found.labels != labels.astype(str))[clear]))
    error = float(np.abs(found.probabilities - wanted).max())
    count.largest_probability_error = max(count.largest_probability_error, error)
    named = np.asarray(pipeline.classes_)[lowered[0]]
    count.lowered_wrong_labels += int(np.count_nonzero((named != labels)[clear]))
    lowered_error = float(np.abs(lowered[1] - wanted).max())
    count.lowered_largest_error = max(count.lowered_largest_error, lowered_error)
    if usual is not None:
        wrong = (usual(batch) != labels)[clear]
        count.skl2onnx_wrong_labels = (count.skl2onnx_wrong_labels or 0) + int(np.count_nonzero(wrong))


def placed(forest: Forest, pipeline: Pipeline, rows: int) -> Iterator[Rows]:
    """Batches of float32 rows, each feature within 3 ulp of one of its thresholds, taken at random."""
    rng = np.random.default_rng(0)
    columns = []
    for feature in range(forest.n_features):
        own = np.unique(forest.threshold[forest.inner & (forest.feature == feature)])
        columns.append(own[np.isfinite(own) & (np.abs(own) < 1e30)])
    for first in range(0, rows, BATCH):
        count = min(BATCH, rows - first)
        near = np.zeros((count, forest.n_features))
        for feature, own in enumerate(columns):
            if len(own):
                near[:, feature] = rng.choice(own, count)
        for _, step in reversed(pipeline.steps[:-1]):
            near = step.inverse_transform(near)
        yield from_ordered(ordered(near.astype(np.float32)) + rng.integers(-3, 4, near.shape))


def source_leaves(model: Any, forest: Forest, seen: Rows) -> Rows:
    """(rows, trees): the leaf each tree ends in, as the source says, as a node of the forest."""
    if isinstance(model, HistGradientBoostingClassifier):
        return histogram_leaves(model, seen)
    kind = type(model).__name__
    if not kind.startswith(("LGBM", "CatBoost")):
        return np.asarray(model.apply(seen)).reshape(len(seen), -1).astype(int)
    # These count leaves alone; in the forest they come after the inner nodes.
    first = [np.flatnonzero(~forest.inner[forest.tree == tree])[0] for tree in range(forest.n_trees)]
    if kind.startswith("LGBM"):
        return np.asarray(model.predict(seen, pred_leaf=True)).reshape(len(seen), -1) + first
    return np.asarray(model.calc_leaf_indexes(seen, thread_count=1)) + first


def histogram_leaves(model: Any, seen: Rows) -> Rows:
    """scikit-learn's own walk of trees whose leaves answer their own numbers."""
    known = model._bin_mapper.make_known_categories_bitsets()
    columns = []
    for predictor in (tree for stage in model._predictors for tree in stage):
        nodes = predictor.nodes.copy()
        nodes["value"] = np.arange(len(nodes))
        numbered = TreePredictor(
            nodes, predictor.binned_left_cat_bitsets, predictor.raw_left_cat_bitsets
        )
        columns.append(numbered.predict(seen.astype(np.float64), *known, 1))
    return np.stack(columns, axis=1).astype(int)


def usual_conversion(pipeline: Pipeline, table: Rows, count: Count) -> Callable[[Rows], Rows] | None:
    """Labels by skl2onnx's graph of the pipeline, or None where it makes none."""
    from skl2onnx import to_onnx

    try:
        model = to_onnx(
            pipeline,
            table[:1],
            options={id(pipeline): {"zipmap": False}},
            target_opset={"": 17, "ai.onnx.ml": 3},
        )
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
    except Exception as fault:  # noqa: BLE001 -- whatever it raises is what its user would see
        first = str(fault).strip().partition("\n")[0]
        count.skl2onnx = f"{type(fault).__name__}: {first[:90]}"
        return None
    (name,) = (given.name for given in session.get_inputs())
    return lambda rows: session.run(None, {name: rows})[0]


def line(count: Count) -> str:
    usual = "does not convert" if count.skl2onnx_wrong_labels is None else count.skl2onnx_wrong_labels
    return (
        f"| {count.trees} | {count.scaler} | {count.rows:,} | {count.leaves:,} | {count.wrong_leaves} | "
        f"{count.wrong_labels} | {count.near_ties} | {count.largest_probability_error:.1e} | "
        f"{count.lowered_wrong_leaves} | {count.lowered_wrong_labels} | "
        f"{count.lowered_largest_error:.1e} | {usual} |"
    )


def table_head() -> str:
    heads = "trees,scaler,rows,leaves,wrong leaves,wrong labels,near ties,largest error"
    lowered = "lowered: wrong leaves,wrong labels,largest error,skl2onnx"
    names = [*heads.split(","), *lowered.split(",")]
    return f"| {' | '.join(names)} |\n|---|---|{'---:|' * (len(names) - 2)}"


def report(result: dict[str, Any], found: list[Count]) -> str:
    lines = "\n".join(line(each) for each in found)
    reasons = sorted({f"- {each.trees}: {each.skl2onnx}" for each in found if each.skl2onnx})
    whole = sum(each.leaves for each in found)
    return f"""# Trees where rounding decides, {result["date"]}

{in_words(result["machine"], *OTHERS)}

Made by `benchmarks/exact_trees.py`: classifiers of three classes on 20 features, alone and behind a
scaler. Each feature of each row lies within 3 ulp of one of its thresholds. A label is not counted
where the source's two best classes lie less than {NEAR_TIE} apart (near ties).

{table_head()}
{lines}

{whole:,} leaves in all. Largest error: of a probability. lowered: what the graph in standard operators
and float32, which TensorRT is given, gets wrong in ONNX Runtime. skl2onnx, alone and without
onnxmltools: labels it gets wrong on the same rows. Why it does not convert the others:

{chr(10).join(reasons)}
"""


if __name__ == "__main__":
    main()
