"""Runs ONNX bytes directly, for tests below the level of bundles."""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnxruntime


def run_onnx(raw: bytes, rows: np.ndarray, batch: int = 20_000) -> list[np.ndarray]:
    """All outputs for all rows, in batches, one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    parts = [session.run(None, {name: rows[i : i + batch]}) for i in range(0, len(rows), batch)]
    return [np.concatenate(column) for column in zip(*parts, strict=True)]
