"""The command `bench`: a bundle measured here, or what a device has measured of its own."""

import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from edge_runtime.engine.options import (
    PROVIDER,
    VARIANT,
    Seconds,
    bundle_arguments,
    demand_one_trust,
    loaded,
    others_on_stderr,
    print_json,
)
from edge_runtime.store import others, recorded
from edge_runtime.store.options import PATH

if TYPE_CHECKING:
    from edge_runtime import Model
    from edge_runtime.choice.decision import Measured
    from edge_runtime.choice.measuring import Start

_LOAD_S = 600.0  # of one variant of a bundle; nothing waits for it


@click.command(short_help="Measure a bundle on this machine.")
@bundle_arguments(required=False)
@click.option(
    "--seconds",
    type=Seconds(0.05, 600),
    default=3.0,
    show_default=True,
    help="How long to measure one variant.",
)
@VARIANT
@PROVIDER
@click.option(
    "--all-variants",
    is_flag=True,
    help="Measure each variant, on each provider, in a process of its own, side by side.",
)
@click.option(
    "--store",
    "folder",
    metavar="DIR",
    type=PATH,
    help="Measure nothing: show what the device of this store has measured.",
)
@click.option("--model", metavar="NAME", help="Of --store, this model alone.")
@click.pass_context
def bench(
    context: click.Context,
    *,
    bundle: Path | None,
    trust: Path | None,
    allow_unsigned: bool,
    board: str,
    as_json: bool,
    seconds: float,
    variant: str,
    provider: str,
    all_variants: bool,
    folder: Path | None,
    model: str | None,
) -> None:
    """Measure the model in BUNDLE on this machine, as a device would run it.

    One thread, validation on; rows rotate through the bundle's golden inputs and points between them.
    Close other programs first, and compare ratios between models rather than absolute times.

    With --all-variants every candidate, a variant on one of its engine's providers, proves itself by its
    golden inputs first, as at an install; a device runs the fastest here that did.

    With --store DIR, what was measured at the installs there.
    """
    if (bundle is None) == (folder is None):
        raise click.UsageError("Give either a BUNDLE to measure, or --store DIR.")
    if folder is not None:
        _refuse_beside_store(context)
        recorded.show(folder, model, as_json)
        return
    assert bundle is not None
    if model:
        raise click.UsageError("--model belongs to --store.")
    if variant and all_variants:
        raise click.UsageError("--variant and --all-variants exclude each other.")
    if all_variants:
        from edge_runtime.worker import Worker

        demand_one_trust(trust, allow_unsigned)
        start = partial(Worker, board=board, provider=provider, on_line=_progress)
        name, rows = _measured(bundle, trust, start, seconds)
        if as_json:
            print_json(_as_document(name, rows))
        else:
            click.echo(_as_text(name, rows))
        return
    result = _measure(
        lambda: loaded(bundle, trust, allow_unsigned, board, variant=variant, provider=provider), seconds
    )
    if as_json:
        print_json(result)
    else:
        click.echo(_report(result))


def _refuse_beside_store(context: click.Context) -> None:
    """Raise UsageError for what says how to measure: nothing is."""
    for option in context.command.params:
        is_given = context.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE
        if is_given and option.name not in ("folder", "model", "as_json"):
            raise click.UsageError(f"{option.opts[0]} says how to measure a BUNDLE, --store shows.")


def _measured(
    path: Path, trust: Path | None, start: "Start", seconds: float
) -> "tuple[str, tuple[Measured, ...]]":
    """Every candidate of a bundle, unpacked into a folder of its own for as long as that takes.

    Its name and version, and what was measured; raises what `measure` does.
    """
    from edge_runtime.bundle import load_root, open_bundle, open_folder
    from edge_runtime.choice.measuring import Held, Limits, measure
    from edge_runtime.store.unpack import unpack

    root = load_root(trust) if trust else None
    limits = Limits(
        load_s=_LOAD_S,
        measure_s=seconds,
        batch_s=seconds / 3,
        total_s=float("inf"),
    )
    opener = open_folder if path.is_dir() else open_bundle
    held = Held()
    with (
        tempfile.TemporaryDirectory(prefix="edge-runtime-bench-") as name,
        opener(path, root=root, allow_unsigned=root is None) as bundle,
        closing(held),
    ):
        subject = f"{bundle.manifest.name} {bundle.manifest.version}"
        folder = Path(name) / bundle.digest
        unpack(bundle, folder)
        _warn_of_others()
        return subject, measure(
            subject, folder, start, held, limits=limits, say=_progress, alone_too=True
        )


def _as_document(name: str, rows: "tuple[Measured, ...]") -> dict[str, Any]:
    from edge_runtime.choice.decision import able, chosen

    return {
        "bundle": name,
        "candidates": rows,
        "chosen": chosen(rows),
        "first": able(rows)[0].candidate,
    }


def _as_text(name: str, rows: "tuple[Measured, ...]") -> str:
    from edge_runtime.choice.decision import able, chosen
    from edge_runtime.choice.text import columns

    best, first = chosen(rows), able(rows)[0].candidate
    assert best is not None  # measuring raises where none can serve
    ends = f"a device runs {best}; edge_runtime.load, the author's first: {first}"
    return "\n".join([name, *columns(rows, {best: "chosen"}), ends])


def _measure(load: "Callable[[], Model]", seconds: float) -> dict[str, Any]:
    from edge_runtime.engine import bench as measure
    from edge_runtime.engine.golden import read_golden_inputs

    started = time.perf_counter()
    with others_on_stderr(), load() as model:
        ready = time.perf_counter()
        goldens = model.replay_goldens()
        rows = measure.rotating_rows(read_golden_inputs(model.bundle))
        asked = time.perf_counter()
        model.predict(rows[0])
        first = time.perf_counter() - asked
        if model.manifest.refusals:
            rows = measure.answered(model.predict, rows)
        _warn_of_others()
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


def _warn_of_others() -> None:
    """Once there is something to measure: an error before that stands alone."""
    if told := others.told():
        _progress(f"warning: {told}")


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
