"""Each block for one window: its graph, the same lines in numpy, and the library it is like.

    python benchmarks/blocks.py [--quick] [--block WORD] [--no-save]

Every case of tests/converter/blocks/cases.py, on rotating inputs, one at a time, as a device has them.
The peers of a case run in one process, one thread each, interleaved in random order. A case during
which the machine was busy (this process got less than 90% of the time) is measured again, up to twice.
Compare ratios; absolute times are this machine's.

Peers
    bundle     the converted block in edge_runtime's Model.predict: inputs checked, bound once; with
               Flatten behind a block that gives windows or images, as a bundle's answers are rows
    transform  the same in scikit-learn: inputs checked, computed by numpy
    graph      what the block converts to, by onnxruntime's session.run
    call       a graph that does nothing, on the same input: what any session.run costs, once a model
    numpy      the block's own `compute`, float32
    library    what tests compare with, in float64 as scipy, PyWavelets, PIL or numpy themselves compute;
               of librosa's cases only its committed numbers are here, so it has no time

Writes benchmarks/results/blocks-DATE.md and .json.
"""

import logging
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
from interleaving import MIN_SHARE, Peers, asking, interleave, least_disturbed
from machine import describe_machine, in_words, load_average, save, today
from sklearn.pipeline import make_pipeline
from tables import table
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import converter
import edge_runtime
from converter.blocks import Flatten
from converter.graph import Graph
from converter.tracing.tensor import Tensor
from tests.converter.blocks.cases import Case, every_case, measure
from tests.converter.blocks.in_graph import graph_of

PEERS = ("graph", "call", "numpy", "library", "bundle", "transform")
OTHERS = ("scipy",)
ROTATING = 100


@click.command(help=__doc__.splitlines()[0])
@click.option("--quick", is_flag=True, help="A fifth of the time.")
@click.option(
    "--block", "words", multiple=True, help="Cases with this word in their name; may be repeated."
)
@click.option("--save/--no-save", "keep", default=True, help="Write the result into benchmarks/results.")
def main(quick: bool, words: tuple[str, ...], keep: bool) -> None:
    load_before = load_average()
    logging.getLogger("converter").setLevel(logging.ERROR)  # that bundles here are not signed
    found: dict[str, Any] = {}
    with threadpool_limits(1), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for case in every_case():
            if words and not any(word in case.name for word in words):
                continue
            found[case.name] = judge(case, limit_s=0.2 if quick else 1.0)
            click.echo(f"  {case.name}: {in_short(found[case.name])}", err=True)
    result = {
        "date": today(),
        "machine": describe_machine(load_before, *OTHERS),
        "load_average_after": round(load_average(), 2),
        "blocks": found,
    }
    text = report(result)
    click.echo(text)
    if keep:
        save("blocks", result, text)


def judge(case: Case, *, limit_s: float) -> dict[str, Any]:
    error = measure(case)
    block, inputs = case.block, case.inputs(ROTATING)
    raw = graph_of(block, inputs)
    whole = block if block.transform(inputs[:1]).ndim == 2 else make_pipeline(block, Flatten())
    whole.fit(case.inputs(3))
    peers: Peers = {
        "bundle": loaded(whole, inputs).predict,
        "transform": whole.transform,
        "graph": asking(raw),
        "call": asking(nothing(inputs)),
        "numpy": lambda one: block.compute(block.as_read(one)),
    }
    if case.library != "librosa":
        peers["library"] = case.reference
    return {
        "library": case.library,
        "error": max(error.in_numpy, error.in_graph),
        "bound": case.bound,
        "nodes": len(onnx.load_from_string(raw).graph.node),
        "onnx_bytes": len(raw),
        **timed(peers, inputs, limit_s=limit_s),
    }


def loaded(model: Any, inputs: np.ndarray) -> Any:
    """The model as a device runs it."""
    bundle = converter.convert(
        model, inputs, name="block", version="1.0.0", input_dtype=inputs.dtype.name
    )
    with tempfile.TemporaryDirectory() as folder:
        path = bundle.save(Path(folder) / "block.edge")
        return edge_runtime.load(path, allow_unsigned=True)


def nothing(inputs: np.ndarray) -> bytes:
    """A graph that hands on one number of each input."""
    graph = Graph()
    given = Tensor.input(graph, "inputs", inputs.dtype, (None, *inputs.shape[1:]))
    one: Any = given[(slice(None), *[slice(0, 1)] * (inputs.ndim - 1))].astype(np.float32)
    return graph.to_bytes({"answer": (one.name, "float32", one.sizes)})


def timed(peers: Peers, inputs: np.ndarray, *, limit_s: float) -> dict[str, Any]:
    """Medians in microseconds, by the attempt that was disturbed least."""
    ones = [inputs[at : at + 1].copy() for at in range(len(inputs))]
    for ask in peers.values():
        ask(ones[0])

    def measure_once() -> dict[str, Any]:
        times = interleave(peers, ones, 5_000, block=10, limit_s=limit_s)
        return {"us": {name: float(np.median(taken)) for name, taken in times.items()}}

    return least_disturbed(measure_once)


def in_short(each: dict[str, Any]) -> str:
    us = each["us"]
    return ", ".join(f"{peer} {us[peer]:.1f} µs" for peer in PEERS if peer in us)


def report(result: dict[str, Any]) -> str:
    found = result["blocks"]
    heads = (
        "block", "transform / bundle", "numpy / graph", "library / graph", "library", "graph µs",
        "of it the call", "numpy µs", "library µs", "bundle µs", "transform µs",
        "error", "stated bound", "nodes", "KiB",
    )  # fmt: skip
    lines = [
        [
            name,
            f"{us['transform'] / us['bundle']:.2f}",
            *(f"{us[peer] / us['graph']:.2f}" if peer in us else "" for peer in ("numpy", "library")),
            each["library"],
            *(f"{us[peer]:,.1f}" if peer in us else "" for peer in PEERS),
            f"{each['error']:.1e}", f"{each['bound']:.0e}", str(each["nodes"]),
            f"{each['onnx_bytes'] / 1024:,.0f}",
        ]
        for name, us, each in ((name, each["us"], each) for name, each in found.items())
    ]  # fmt: skip
    busy = sum(each["share_of_processor"] < MIN_SHARE for each in found.values())
    return f"""# Blocks: one window at a time, {result["date"]}

{in_words(result["machine"], *OTHERS)}
After: {result["load_average_after"]}.

Made by `benchmarks/blocks.py`, which says what the peers are: one input at a time, one thread, peers
interleaved in random order in one process, medians. Above 1 the bundle, or the graph, is faster than
what it is compared with: the same in scikit-learn, inputs checked on both sides; numpy or the library.
Errors are the larger of the graph's and numpy's, over the answer's largest absolute value, against the
library in float64.

{table(heads, lines)}

Slower in a bundle than in scikit-learn: {listed([n for n, e in found.items() if held_up(e)])}

Slower than numpy: {listed([name for name, each in found.items() if slower(each, "numpy")])}

Slower than numpy without the call: {listed([n for n, e in found.items() if more_work(e)])}

Slower than the library: {listed([name for name, each in found.items() if slower(each, "library")])}

Measured while the machine was busy: {busy} of {len(found)}.
"""


def slower(each: dict[str, Any], peer: str) -> bool:
    us = each["us"]
    return bool(us["graph"] > us.get(peer, np.inf))


def held_up(each: dict[str, Any]) -> bool:
    us = each["us"]
    return bool(us["bundle"] > us["transform"])


def more_work(each: dict[str, Any]) -> bool:
    us = each["us"]
    return bool(us["graph"] - us["call"] > us["numpy"])


def listed(names: list[str]) -> str:
    return "; ".join(names) + "." if names else "none."


if __name__ == "__main__":
    main()
