"""PROVIDER BUNDLE..., run in another environment: what each does through it, a line of JSON each."""

import json
import sys
import time
from typing import Any

import edge_runtime
from edge_runtime.bundle import open_bundle
from edge_runtime.engine.golden import read_golden_inputs, rows_of
from edge_runtime.errors import EdgeError

_ROWS = 2000


def tried(path: str, provider: str) -> dict[str, Any]:
    """notes, largest error, p50_us of a row; or why, where it cannot run."""
    try:
        with edge_runtime.load(path, allow_unsigned=True, provider=provider) as model:
            result = model.replay_goldens()
            return {
                "provider": provider,
                "notes": list(model.notes),
                "max_abs_error": result.max_abs_error,
                "p50_us": _p50_us(path, model),
            }
    except EdgeError as error:
        return {"provider": provider, "why": str(error)}


def _p50_us(path: str, model: edge_runtime.Model) -> float:
    with open_bundle(path, root=None, allow_unsigned=True) as bundle:
        rows = rows_of(read_golden_inputs(bundle))
    took = []
    for at in range(_ROWS):
        row = rows[at % len(rows)]
        begun = time.perf_counter_ns()
        model.predict(row)
        took.append(time.perf_counter_ns() - begun)
    return round(sorted(took)[_ROWS // 2] / 1000, 1)


if __name__ == "__main__":
    for bundle_path in sys.argv[2:]:
        print(json.dumps({"bundle": bundle_path, **tried(bundle_path, sys.argv[1])}), flush=True)
