"""Other ways to run a model on a device: treelite's interpreter, and C made by tl2cgen and m2cgen."""

import ctypes
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from interleaving import Peers

_TREES = ("RandomForest", "ExtraTrees", "GradientBoosting", "HistGradientBoosting", "XGB", "LGBM")
_IN_C = ("LogisticRegression", "SVC")  # m2cgen's trees are nested ifs as tl2cgen's
_BATCH = """
void score(double *, double *);
void batch(double *rows, long count, long features, double *found, long outputs) {
    for (long i = 0; i < count; i++) score(rows + i * features, found + i * outputs);
}
"""


def peers_of(model: Any, features: int, stem: Path, notes: dict[str, str]) -> Peers:
    """By name, those that apply; why one that applies has no figure goes to `notes`.

    features: of a row. stem: where files may be made; endings are added.
    """
    kind = type(model).__name__
    makers: dict[str, Callable[[], Callable[[np.ndarray], Any]]] = {}
    if kind.startswith(_TREES):
        makers = {"gtil": lambda: gtil(model), "tl2cgen": lambda: tl2cgen(model, stem)}
    elif kind in _IN_C:
        makers = {"m2cgen": lambda: m2cgen(model, features, stem)}
    peers: Peers = {}
    for name, make in makers.items():
        try:
            peers[name] = make()
            peers[name](np.zeros((1, features), np.float32))
        except ImportError as fault:
            notes[name] = f"missing: {fault}"
        except (Exception, RecursionError) as fault:  # noqa: BLE001 -- what its user would see
            peers.pop(name, None)
            notes[name] = f"{type(fault).__name__}: {str(fault).strip()[:100]}"
    return peers


def trees_of(model: Any) -> Any:
    import treelite

    kind = type(model).__name__
    if kind.startswith("XGB"):
        return treelite.frontend.from_xgboost(model.get_booster())
    if kind.startswith("LGBM"):
        return treelite.frontend.from_lightgbm(model.booster_)
    return treelite.sklearn.import_model(model)


def gtil(model: Any) -> Callable[[np.ndarray], Any]:
    import treelite

    trees = trees_of(model)
    wide = trees.input_type == "float64"
    return lambda rows: treelite.gtil.predict(
        trees, rows.astype(np.float64) if wide else rows, nthread=1
    )


def tl2cgen(model: Any, stem: Path) -> Callable[[np.ndarray], Any]:
    import tl2cgen as compiler

    library = stem.with_suffix(".tl2cgen.so")
    compiler.export_lib(trees_of(model), toolchain="gcc", libpath=library, params={"parallel_comp": 8})
    predictor = compiler.Predictor(library, nthread=1)
    dtype = np.dtype(trees_of(model).input_type)
    return lambda rows: predictor.predict(compiler.DMatrix(rows.astype(dtype, copy=False)))


def m2cgen(model: Any, features: int, stem: Path) -> Callable[[np.ndarray], Any]:
    import m2cgen as compiler

    source, library = stem.with_suffix(".c"), stem.with_suffix(".m2cgen.so")
    source.write_text(compiler.export_to_c(model) + _BATCH)
    command = ["gcc", "-O2", "-shared", "-fPIC", "-o", str(library), str(source), "-lm"]
    subprocess.run(command, check=True, capture_output=True)
    run = ctypes.CDLL(str(library)).batch
    run.argtypes = [ctypes.c_void_p, ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_long]
    classes = len(model.classes_)
    one_against_one = type(model).__name__ == "SVC"  # whose C gives a decision for each pair
    outputs = classes * (classes - 1) // 2 if one_against_one else classes

    def ask(rows: np.ndarray) -> np.ndarray:
        wide = rows.astype(np.float64)
        found = np.zeros((len(rows), outputs))
        run(wide.ctypes.data, len(rows), features, found.ctypes.data, outputs)
        return found

    return ask
