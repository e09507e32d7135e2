"""What a loaded model takes on this machine, measured in the process that would serve it."""

from edge_runtime.engine import bench
from edge_runtime.engine.golden import read_golden_inputs
from edge_runtime.model import Model
from edge_runtime.process import allocated_bytes, beside_limit, most_used_bytes
from edge_runtime.worker.wire import Figures

_FEWEST_ROWS = 36
_LONGEST = 10  # times as long as is asked for


def measure(model: Model, seconds: float, batch_seconds: float = 0.0) -> Figures:
    """One row at a time for about `seconds`, validation on; then, if asked for, batches.

    A slow model is measured on some dozens of rows, or on as many as ten times `seconds` are enough for.
    The rows are no part of the memory that it takes, or may take: who serves holds none of them.
    Raises BundleError when the golden files were altered, EngineError when a run fails.
    """
    loaded_mb, loaded, before = bench.peak_memory_mb(), most_used_bytes(), allocated_bytes()
    with beside_limit():
        rows = bench.rotating_rows(read_golden_inputs(model.bundle))
    rows_mb, beside = bench.bytes_of(rows) / 1e6, allocated_bytes() - before
    if model.manifest.refusals:
        rows = bench.answered(model.predict, rows, seconds)
    found = bench.measure_rows(
        model.predict, rows, seconds, fewest=_FEWEST_ROWS, most_seconds=_LONGEST * seconds
    )
    rate = bench.measure_batches(model.predict, rows, batch_seconds) if batch_seconds else None
    return Figures(
        rows=found.rows,
        p50_us=found.p50_us,
        p99_9_us=found.p99_9_us,
        batch_rows_per_s=rate,
        peak_memory_mb=max(loaded_mb, bench.peak_memory_mb() - rows_mb),
        allocated_mb=max(loaded, most_used_bytes() - beside) / 1e6,
    )
