"""Runs on a device and on the machine it is compared with: asks every bundle of a folder.

    python asks_bundles.py FOLDER ANSWERS

Of each NAME.edge in FOLDER, trusted by its root.json, the inputs are in NAME.npy. Writes what the model
answers, batch and first rows alone, into ANSWERS/NAME.npz, and prints as JSON what its golden inputs
differ by, or why they are no proof.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

import edge_runtime
from edge_runtime.errors import GoldenMismatchError


def main(folder: Path, answers: Path) -> None:
    answers.mkdir()
    found = {}
    for path in sorted(folder.glob("*.edge")):
        inputs = np.load(path.with_suffix(".npy"))
        with edge_runtime.load(path, trust=folder / "root.json") as model:
            found[path.stem] = replayed(model)
            np.savez(answers / f"{path.stem}.npz", **answer(model, inputs))
    print(json.dumps(found))


def replayed(model: edge_runtime.Model) -> Any:
    try:
        return model.replay_goldens().max_abs_error
    except GoldenMismatchError as error:
        return str(error)


def answer(model: edge_runtime.Model, inputs: Any) -> dict[str, Any]:
    """Predictions of all rows; those of single rows go another way through the engine."""
    rows = [inputs[at : at + 1] for at in range(8)]
    found = {"batch": model.predict(inputs), "rows": np.concatenate([model.predict(x) for x in rows])}
    if model.classes:
        found["probabilities"] = model.predict_proba(inputs)
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
