"""Cold start: from a new process to the first prediction, and the memory that took.

    python benchmarks/cold_start.py [--starts N] [--only MODEL] [--no-save]

The models are the pipeline of motion.py and the CNN of networks.py, installed into a store as a device
has them. Each start is a process of its own, in random order, that ends after its first prediction; the
time is that of the whole process, the memory its peak, as the kernel counted it. All files are in the
page cache, bytecode is compiled.

    bare onnxruntime       the least a user can write: the ONNX file by its path, one run
    installed slot         `edge_runtime.load` of the slot's folder, which `install` verified
    installed slot, root   the same, and its signature is verified again
    signed bundle          `edge_runtime.load` of the file with a root file
    worker process         the agent's: a child process that replays all golden inputs first
    scikit-learn           joblib.load of the pipeline, one predict
    tl2cgen                C made of the trees alone, one predict of features that are there already
    LiteRT                 the CNN by TensorFlow's own converter
    OpenVINO               the CNN's ONNX file

What is not installed (`.[bench]`) is left out.
Writes benchmarks/results/cold_start-DATE.md and .json.
"""

import os
import random
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import compiled
import joblib
import litert
import numpy as np
from machine import describe_machine, in_words, load_average, not_installed, save, today
from motion import convert, train
from tables import table

import converter
from edge_runtime.bundle import load_root
from edge_runtime.store.activate import bring_up
from edge_runtime.store.disk import Store

PROGRAMS = {
    "bare onnxruntime": """
import os
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import numpy as np, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(r"{onnx}", options, providers=["CPUExecutionProvider"])
session.run(None, {{session.get_inputs()[0].name: np.load(r"{row}")}})
""",
    "installed slot": """
import numpy as np, edge_runtime
edge_runtime.load(r"{slot}", allow_unsigned=True).predict(np.load(r"{row}"))
""",
    "installed slot, root": """
import numpy as np, edge_runtime
edge_runtime.load(r"{slot}", trust=r"{trust}").predict(np.load(r"{row}"))
""",
    "signed bundle": """
import numpy as np, edge_runtime
edge_runtime.load(r"{bundle}", trust=r"{trust}").predict(np.load(r"{row}"))
""",
    "worker process": """
import numpy as np
from pathlib import Path
from edge_runtime.worker import Worker
with Worker.start(Path(r"{slot}")) as worker:
    worker.infer(np.load(r"{row}"))
""",
    "scikit-learn": """
import joblib, numpy as np
joblib.load(r"{pipeline}").predict(np.load(r"{row}"))
""",
    "tl2cgen": """
import numpy as np, tl2cgen
tl2cgen.Predictor(r"{library}", nthread=1).predict(tl2cgen.DMatrix(np.load(r"{features}")))
""",
    "LiteRT": """
import numpy as np
from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter(r"{tflite}", num_threads=1)
interpreter.allocate_tensors()
interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.load(r"{row}"))
interpreter.invoke()
interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
""",
    "OpenVINO": """
import numpy as np, openvino
core = openvino.Core()
model = core.read_model(r"{onnx}")
model.reshape([1, 100, 6])
options = {{"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": 1}}
core.compile_model(model, "CPU", options).create_infer_request().infer(np.load(r"{row}"))
""",
}
BARE = "bare onnxruntime"
OURS = ("installed slot", "installed slot, root", "signed bundle", "worker process")
DISTRIBUTIONS = ("ai-edge-litert", "openvino", "tl2cgen")
# A process counts the memory of the one that started it as its own peak, so a small one starts each.
LAUNCHER = """
import os, sys, time
began = time.perf_counter()
pid = os.posix_spawn(sys.executable, [sys.executable, "-c", sys.argv[1]], os.environ)
_, status, usage = os.wait4(pid, 0)
print(time.perf_counter() - began, usage.ru_maxrss * 1024)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@dataclass(frozen=True)
class Start:
    """One process: how long it lived, and the most memory it or a child of it had resident."""

    seconds: float
    peak_bytes: int


@click.command(help=__doc__.splitlines()[0])
@click.option("--starts", default=30, show_default=True, help="Processes of each peer.")
@click.option("--only", type=click.Choice(["pipeline", "network"]), help="This model alone.")
@click.option("--save/--no-save", "keep", default=True, help="Write the result into benchmarks/results.")
def main(starts: int, only: str | None, keep: bool) -> None:
    load_before = load_average()
    missing = not_installed(*DISTRIBUTIONS)
    others = [name for name in DISTRIBUTIONS if name not in missing]
    with tempfile.TemporaryDirectory() as folder:
        programs: dict[tuple[str, str], str] = {}
        for model, prepare in {"pipeline": prepare_pipeline, "network": prepare_network}.items():
            if only in (None, model):
                own = Path(folder) / model
                own.mkdir()
                programs |= {(model, peer): text for peer, text in prepare(own, missing).items()}
        found = measure(programs, starts)
    result = {
        "date": today(),
        "machine": describe_machine(load_before, *others),
        "missing": missing,
        "starts": starts,
        **summaries(found),
    }
    text = report(result, others)
    click.echo(text)
    if keep:
        save("cold_start", result, text)


def prepare_pipeline(folder: Path, missing: list[str]) -> dict[str, str]:
    """The programs of window features, scaler and forest, its files being made."""
    pipeline, rows = train()
    saved, library, features = folder / "pipeline.joblib", folder / "forest", folder / "features.npy"
    joblib.dump(pipeline, saved)
    np.save(features, pipeline[:-1].transform(rows[0]).astype(np.float32))
    peers = [BARE, *OURS, "scikit-learn"]
    if "tl2cgen" not in missing:
        compiled.tl2cgen(pipeline[-1], library)
        peers.append("tl2cgen")
    places = {"pipeline": saved, "library": library.with_suffix(".tl2cgen.so"), "features": features}
    places |= install(convert(pipeline), rows[0], folder)
    return {name: PROGRAMS[name].format(**places) for name in peers}


def prepare_network(folder: Path, missing: list[str]) -> dict[str, str]:
    """The programs of the CNN, its files being made."""
    from networks import motion_cnn

    network = motion_cnn()
    inputs = network.inputs
    bundle = converter.convert(network.model, inputs, network.labels, name="motion", version="1.0.0")
    places = install(bundle, inputs[:1], folder)
    peers = [BARE, "installed slot"]
    if "ai-edge-litert" not in missing:
        np.save(folder / "calibration.npy", network.calibration)
        exported = litert.export(network.model, 1, folder / "saved")
        places["tflite"] = folder / "network.tflite"
        places["tflite"].write_bytes(
            litert.convert_apart(litert.FLOAT32, exported, folder / "calibration.npy")
        )
        peers.append("LiteRT")
    if "openvino" not in missing:
        peers.append("OpenVINO")
    return {name: PROGRAMS[name].format(**places) for name in peers}


def install(bundle: converter.ConvertedBundle, row: np.ndarray, folder: Path) -> dict[str, Path]:
    """Where a store has the model running, and the other files of a program."""
    command = Path(sys.executable).with_name("edge-runtime")
    subprocess.run([command, "keys", "generate", folder / "keys"], check=True, capture_output=True)
    path, trust = folder / "motion.edge", folder / "keys" / "root.json"
    bundle.save(path, signing_key=folder / "keys" / "signing-key.pem")
    np.save(folder / "row.npy", row)
    store = Store(folder / "store")
    slot = store.install(path, root=load_root(trust))
    bring_up(store, slot, wait_s=0)
    unpacked = store.slot_path(slot.model, slot.digest)
    onnx = unpacked / "variants" / "fp32" / "model.onnx"
    return {"onnx": onnx, "slot": unpacked, "bundle": path, "trust": trust, "row": folder / "row.npy"}


def measure(programs: dict[tuple[str, str], str], starts: int) -> dict[tuple[str, str], list[Start]]:
    """All of them in random order, `starts` times."""
    found: dict[tuple[str, str], list[Start]] = {each: [] for each in programs}
    order = list(programs)
    for turn in range(starts + 1):
        random.Random(turn).shuffle(order)
        for each in order:
            start = run(programs[each])
            if turn:  # the first reads from the disk and may compile
                found[each].append(start)
    return found


def run(program: str) -> Start:
    command = [sys.executable, "-S", "-c", LAUNCHER, program]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}  # an installation has all compiled
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    seconds, peak = done.stdout.split()
    return Start(float(seconds), int(peak))


def summaries(found: dict[tuple[str, str], list[Start]]) -> dict[str, dict[str, dict[str, float]]]:
    """Of each model, its peers: `peers` are those of the pipeline, `network` those of the CNN."""
    named = {"pipeline": "peers", "network": "network"}
    result: dict[str, dict[str, dict[str, float]]] = {}
    for (model, peer), starts in found.items():
        summary = summarise(starts, found[model, BARE])
        result.setdefault(named[model], {})[peer] = summary
    return result


def summarise(found: list[Start], bare: list[Start]) -> dict[str, float]:
    """Medians; `ratio_to_bare` is that of the pairs that ran in the same turn."""
    ratios = [ours.seconds / theirs.seconds for ours, theirs in zip(found, bare, strict=True)]
    return {
        "p50_ms": float(np.median([each.seconds for each in found])) * 1e3,
        "fastest_ms": min(each.seconds for each in found) * 1e3,
        "ratio_to_bare": float(np.median(ratios)),
        "peak_mb": float(np.median([each.peak_bytes for each in found])) / 1e6,
    }


def report(result: dict[str, Any], others: list[str]) -> str:
    titles = {
        "peers": "Window features, scaler and a forest of 100 trees",
        "network": "A CNN of windows",
    }
    sections = "\n\n".join(section(title, result[key]) for key, title in titles.items() if key in result)
    missing = f" Not installed: {', '.join(result['missing'])}." if result["missing"] else ""
    return f"""# Cold start, {result["date"]}

{in_words(result["machine"], *others)}

Made by `benchmarks/cold_start.py`: from a new process to the first prediction, {result["starts"]}
processes of each peer in random order, page cache warm.{missing}

{sections}

"to bare" is the median of the ratios of starts in the same turn. The worker's memory is that of the
larger of the two processes.
"""


def section(title: str, peers: dict[str, dict[str, float]]) -> str:
    lines = [
        [
            name,
            f"{found['p50_ms']:.0f}",
            f"{found['fastest_ms']:.0f}",
            f"{found['ratio_to_bare']:.2f}",
            f"{found['peak_mb']:.0f}",
        ]
        for name, found in sorted(peers.items(), key=lambda each: each[1]["ratio_to_bare"])
    ]
    ratio = peers["installed slot"]["ratio_to_bare"]
    return f"""## {title}

From an installed slot it takes {ratio:.2f} times a bare onnxruntime script. The bound is 1.25.

{table(("peer", "p50 ms", "fastest ms", "to bare", "peak MB"), lines)}"""


if __name__ == "__main__":
    main()
