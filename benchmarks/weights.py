"""What loading a large model takes: memory at the peak and after it, and time.

Each load is a process of its own; its memory is what the kernel counts for it alone (RssAnon, every
millisecond) beyond what it had before. `--keep` writes benchmarks/results/weights-DATE.md and .json.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
from machine import describe_machine, in_words, load_average, save, today
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import convert_model_to_external_data

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from edge_runtime.bundle.manifest import Input, Output
from tests.support.graphs import write_bundle

PEERS = {
    "ours, unpacked": "`edge_runtime.load` of an unpacked bundle, as a store has it",
    "ours, archive": "the same of one bundle file",
    "bytes": "`InferenceSession` of the file's bytes",
    "path": "`InferenceSession` of the file's path",
    "mapped": "weights in a file beside the model, which ONNX Runtime maps; no prepacking",
    "given": "weights mapped by numpy and given by `add_external_initializers`; no prepacking",
}
MIB = 1 << 20


def network(layers: int, width: int, *, is_convolutional: bool) -> tuple[Any, tuple[int, ...]]:
    """A network with random weights, and the shape of one row."""
    random, row = np.random.default_rng(0), (width, 7, 7) if is_convolutional else (width,)
    shape = (width, width, 3, 3) if is_convolutional else (width, width)
    operator, options = ("Conv", {"pads": [1, 1, 1, 1]}) if is_convolutional else ("MatMul", {})
    nodes, constants, last = [], [], "x"
    for at in range(layers):
        scale = np.sqrt(np.prod(shape[1:], dtype=float))
        array = (random.normal(size=shape) / scale).astype(np.float32)
        constants.append(numpy_helper.from_array(array, f"w{at}"))
        nodes.append(helper.make_node(operator, [last, f"w{at}"], [f"p{at}"], **options))
        last = "y" if at == layers - 1 else f"r{at}"
        nodes.append(helper.make_node("Relu", [f"p{at}"], [last]))
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *row]) for name in "xy"]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), row


NETWORKS = {
    "dense, 20 MB": (1, 2240, False),
    "dense, 100 MB": (5, 2240, False),
    "convolutional, 19 MB": (2, 512, True),
    "convolutional, 104 MB": (11, 512, True),
}


def written(folder: Path, name: str) -> Path:
    """The folder with a network in every form."""
    layers, width, is_convolutional = NETWORKS[name]
    model, row = network(layers, width, is_convolutional=is_convolutional)
    home = folder / name.replace(" ", "-").replace(",", "")
    home.mkdir()
    raw = model.SerializeToString()
    (home / "model.onnx").write_bytes(raw)
    rows = np.zeros((1, *row), np.float32)
    write_bundle(
        home / "model.edge",
        raw,
        task="regression",
        declared=Input(name="x", dtype="float32", shape=(None, *row)),
        outputs=[Output(name="y", dtype="float32", shape=(None, *row), meaning="value")],
        golden_input=rows,
        golden_outputs=[rows],
    )
    with zipfile.ZipFile(home / "model.edge") as archive:
        archive.extractall(home / "slot")
    convert_model_to_external_data(model, all_tensors_to_one_file=True, location="weights.bin")
    onnx.save(model, home / "mapped.onnx")
    return home


def load_once(home: Path, peer: str) -> None:
    """In a process of its own: wait for a line, load, tell how long it took, wait again."""
    import onnxruntime

    import edge_runtime
    from edge_runtime.memory import return_freed_memory

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    if peer in ("mapped", "given"):
        options.add_session_config_entry("session.disable_prepacking", "1")
    names, values, kept = _initializers(home) if peer == "given" else ([], [], None)
    print("ready", flush=True)
    sys.stdin.readline()
    begun = time.perf_counter()
    model: Any = None
    if peer.startswith("ours"):
        path = home / ("slot" if peer == "ours, unpacked" else "model.edge")
        model = edge_runtime.load(path, allow_unsigned=True)
    else:
        source: Any = home / ("model.onnx" if peer in ("bytes", "path") else "mapped.onnx")
        if names:
            options.add_external_initializers(names, values)
        if peer in ("bytes", "given"):
            source = source.read_bytes()
        model = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        model._model_bytes = source = None
        return_freed_memory()
    took_ms = (time.perf_counter() - begun) * 1000
    print(json.dumps({"load_ms": round(took_ms, 1)}), flush=True)
    sys.stdin.readline()
    del model, kept


def _initializers(home: Path) -> tuple[list[str], list[Any], Any]:
    import onnxruntime

    graph = onnx.load(home / "mapped.onnx", load_external_data=False).graph
    mapped = np.memmap(home / "weights.bin", np.uint8, "r")
    names, values = [], []
    for tensor in graph.initializer:
        place = {each.key: each.value for each in tensor.external_data}
        first = int(place["offset"])
        part = mapped[first : first + int(place["length"])]
        names.append(tensor.name)
        values.append(
            onnxruntime.OrtValue.ortvalue_from_numpy(part.view(np.float32).reshape(tuple(tensor.dims)))
        )
    return names, values, mapped


def measured(home: Path, peer: str) -> dict[str, float]:
    """load_ms; peak_mb and kept_mb: memory of its own beyond what it had."""
    words = [sys.executable, __file__, "--load", str(home), peer]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        before, peak, done = _anonymous(process.pid), 0, threading.Event()

        def watch() -> None:
            nonlocal peak
            while not done.wait(0.001):
                peak = max(peak, _anonymous(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        process.stdin.write("\n")
        process.stdin.flush()
        told = json.loads(process.stdout.readline())
        done.set()
        watcher.join()
        after = _anonymous(process.pid)
        process.stdin.close()
    mb = 1e6
    return {
        "load_ms": told["load_ms"],
        "peak_mb": round((max(peak, after) - before) / mb),
        "kept_mb": round((after - before) / mb),
    }


def _anonymous(process: int) -> int:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


def report(result: dict[str, Any]) -> str:
    lines = [
        f"# Loading large models, {result['date']}",
        "",
        in_words(result["machine"]),
        "",
        f"Made by `benchmarks/weights.py`, {result['rounds']} loads of each peer in turn; medians.",
        "Memory is the process's own, beyond what it had before the load; mapped files do not count.",
        "",
        *(f"- **{name}**: {what}" for name, what in PEERS.items()),
        "",
        "| model | peer | load ms | peak MB | kept MB |",
        "|---|---|---:|---:|---:|",
    ]
    for each in result["loads"]:
        figures = [f"{each[name]:.0f}" for name in ("load_ms", "peak_mb", "kept_mb")]
        lines.append(f"| {' | '.join([each['model'], each['peer'], *figures])} |")
    return "\n".join(lines) + "\n"


@click.command()
@click.option("--rounds", default=5)
@click.option("--keep", is_flag=True, help="Write the result to benchmarks/results.")
def main(rounds: int, keep: bool) -> None:
    load, loads = load_average(), []
    with tempfile.TemporaryDirectory() as folder:
        for name in NETWORKS:
            home = written(Path(folder), name)
            found: dict[str, list[dict[str, float]]] = {peer: [] for peer in PEERS}
            for _ in range(rounds):
                for peer in PEERS:
                    found[peer].append(measured(home, peer))
            for peer, each in found.items():
                middle = {key: statistics.median(one[key] for one in each) for key in each[0]}
                loads.append({"model": name, "peer": peer, **middle})
    result = {
        "date": today(),
        "machine": describe_machine(load),
        "rounds": rounds,
        "loads": loads,
    }
    text = report(result)
    click.echo(text)
    if keep:
        save("weights", result, text)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--load"]:
        load_once(Path(sys.argv[2]), sys.argv[3])
    else:
        main()
