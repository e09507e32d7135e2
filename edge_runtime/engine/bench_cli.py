"""The command `bench`."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_runtime.engine.options import bundle_arguments, demand_one_trust, loaded, print_json

if TYPE_CHECKING:
    from edge_runtime import Model


@click.command(short_help="Measure a bundle on this machine.")
@bundle_arguments
@click.option(
    "--seconds",
    type=click.FloatRange(0.05, 600),
    default=3.0,
    show_default=True,
    help="How long to measure one variant.",
)
@click.option("--variant", metavar="ID", default="", help="Measure this variant, not the one that runs.")
@click.option(
    "--all-variants", is_flag=True, help="Measure each variant in a process of its own, side by side."
)
def bench(
    *,
    bundle: Path,
    trust: Path | None,
    allow_unsigned: bool,
    board: str,
    as_json: bool,
    seconds: float,
    variant: str,
    all_variants: bool,
) -> None:
    """Measure the model in BUNDLE on this machine, as a device would run it.

    One thread, validation on; rows rotate through the bundle's golden inputs and points between them.
    Close other programs first, and compare ratios between models rather than absolute times.

    With --all-variants every variant proves itself by its golden inputs first. The fastest here that did
    is marked; the one that runs is the author's first that can.
    """
    if variant and all_variants:
        raise click.UsageError("--variant and --all-variants exclude each other.")
    if not all_variants:
        result = _measure(lambda: loaded(bundle, trust, allow_unsigned, board, variant), seconds)
        if as_json:
            print_json(result)
        else:
            click.echo(_report(result))
        return
    from edge_runtime.engine import variants

    demand_one_trust(trust, allow_unsigned)
    options = ["--allow-unsigned"] if trust is None else ["--trust", str(trust)]
    if board:
        options += ["--board", board]
    found = variants.measure(bundle, options, seconds, _progress)
    if as_json:
        print_json(found)
    else:
        click.echo(variants.as_text(found))


def _measure(load: "Callable[[], Model]", seconds: float) -> dict[str, Any]:
    from edge_runtime.engine import bench as measure
    from edge_runtime.engine.golden import read_golden_inputs

    started = time.perf_counter()
    with load() as model:
        ready = time.perf_counter()
        goldens = model.replay_goldens()
        rows = measure.rotating_rows(read_golden_inputs(model.bundle))
        asked = time.perf_counter()
        model.predict(rows[0])
        first = time.perf_counter() - asked
        if model.manifest.refusals:
            rows = measure.answered(model.predict, rows)
        _progress(f"one row at a time, {seconds:g} s ...")
        latency = measure.measure_rows(model.predict, rows, seconds)
        _progress(f"in batches, {seconds / 3:.3g} s ...")
        rate = measure.measure_batches(model.predict, rows, seconds / 3)
        return {
            "name": model.manifest.name,
            "version": model.manifest.version,
            "variant": model.variant.id,
            "engine": model.variant.engine,
            "golden_max_abs_error": goldens.max_abs_error,
            "load_ms": (ready - started) * 1e3,
            "first_prediction_ms": first * 1e3,
            "one_row": latency,
            "batch_rows_per_s": rate,
            "peak_memory_mb": measure.peak_memory_mb(),
            "bundle_mb": model.bundle.size_bytes / 1e6,
            "installed_mb": measure.installed_mb(),
        }


def _progress(text: str) -> None:
    click.echo(text, err=True)


def _report(result: dict[str, Any]) -> str:
    latency, installed = result["one_row"], result["installed_mb"]
    largest = sorted(installed.items(), key=lambda item: -item[1])[:4]
    lines = {
        "model": f"{result['name']} {result['version']}, variant {result['variant']}"
        f" on {result['engine']}, bundle {result['bundle_mb']:.2f} MB",
        "load": f"{result['load_ms']:.1f} ms, starting the engine included",
        "first prediction": f"{result['first_prediction_ms']:.3f} ms",
        "one row": f"p50 {latency.p50_us:.1f}  p90 {latency.p90_us:.1f}  p99 {latency.p99_us:.1f}"
        f"  p99.9 {latency.p99_9_us:.1f} µs, over {latency.rows} rows",
        "in batches": f"{result['batch_rows_per_s']:,.0f} rows/s",
        "peak memory": f"{result['peak_memory_mb']:.0f} MB, this command as a whole",
        "installed": f"{sum(installed.values()):.0f} MB: "
        + ", ".join(f"{name} {size:.1f}" for name, size in largest)
        + (", ..." if len(installed) > len(largest) else ""),
    }
    return "\n".join(f"{title:<18}{text}" for title, text in lines.items())
