"""The variants of a bundle measured on this machine, each in a process of its own, and the fastest."""

import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from edge_runtime.bundle import open_bundle, open_folder
from edge_runtime.bundle.layout import table
from edge_runtime.engine.bench import Latency

_LOAD_S = 600.0  # an engine may have to build what it runs
_AS_FAST = 1.03  # within this the author's order counts, not the noise
_COMMAND = "from edge_runtime.cli import main; main()"


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One variant here: what it took, or `why_not` it cannot serve on this machine."""

    variant: str
    engine: str
    precision: str
    file_mb: float
    why_not: str = ""
    p50_us: float | None = None
    p99_9_us: float | None = None
    batch_rows_per_s: float | None = None
    peak_memory_mb: float | None = None
    golden_max_abs_error: float | None = None


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """All variants in the author's order; which is `fastest` here, and which one `runs`."""

    name: str
    version: str
    variants: tuple[Measured, ...]
    fastest: str
    runs: str


class _Answer(msgspec.Struct, frozen=True):
    one_row: Latency
    batch_rows_per_s: float
    peak_memory_mb: float
    golden_max_abs_error: float
    variant: str


def measure(
    path: Path, options: Sequence[str], seconds: float, progress: Callable[[str], None]
) -> Table:
    """Measure each variant for about `seconds`, one after the other.

    `options` are those of `bench` that say whom to trust and what this machine is.
    Raises BundleError when the bundle cannot be read. What fails for one variant is its `why_not`.
    """
    opener = open_folder if path.is_dir() else open_bundle
    with opener(path, root=None, allow_unsigned=True) as bundle:
        manifest = bundle.manifest
    found = []
    for each in manifest.variants:
        progress(f"{each.id} ...")
        known = Measured(
            variant=each.id,
            engine=each.engine,
            precision=each.precision,
            file_mb=each.size_bytes / 1e6,
        )
        found.append(_measure(known, path, options, seconds))
    runs = next((each.variant for each in found if not each.why_not), "")
    return Table(
        name=manifest.name,
        version=manifest.version,
        variants=tuple(found),
        fastest=fastest(found),
        runs=runs,
    )


def _measure(known: Measured, path: Path, options: Sequence[str], seconds: float) -> Measured:
    asked = ["bench", str(path), "--variant", known.variant, "--seconds", str(seconds), "--json"]
    try:
        done = subprocess.run(
            [sys.executable, "-c", _COMMAND, *asked, *options],
            capture_output=True,
            text=True,
            check=False,
            timeout=_LOAD_S + 2 * seconds,
        )
    except subprocess.TimeoutExpired as error:
        return msgspec.structs.replace(known, why_not=f"it took more than {error.timeout:g} s.")
    if done.returncode:
        said = (done.stderr.strip() or f"it ended with status {done.returncode}.").splitlines()[-1]
        return msgspec.structs.replace(known, why_not=said.removeprefix("error: "))
    answer = msgspec.json.decode(done.stdout, type=_Answer)
    return msgspec.structs.replace(
        known,
        p50_us=answer.one_row.p50_us,
        p99_9_us=answer.one_row.p99_9_us,
        batch_rows_per_s=answer.batch_rows_per_s,
        peak_memory_mb=answer.peak_memory_mb,
        golden_max_abs_error=answer.golden_max_abs_error,
    )


def fastest(variants: Iterable[Measured]) -> str:
    """The variant of the lowest median; of several within noise the author's first; '' of none."""
    able = [each for each in variants if each.p50_us is not None]
    best = min((each.p50_us for each in able if each.p50_us is not None), default=0.0)
    return next((each.variant for each in able if (each.p50_us or 0.0) <= best * _AS_FAST), "")


def as_text(found: Table) -> str:
    """For people: one line a variant."""
    head = ("variant", "engine", "p50 µs", "p99.9 µs", "rows/s", "peak MB", "file MB")
    lines: list[Sequence[str]] = [head]
    for each in found.variants:
        times = (each.p50_us, each.p99_9_us)
        lines.append(
            (
                each.variant,
                each.engine,
                *("-" if time is None else f"{time:.1f}" for time in times),
                "-" if each.batch_rows_per_s is None else f"{each.batch_rows_per_s:,.0f}",
                "-" if each.peak_memory_mb is None else f"{each.peak_memory_mb:.0f}",
                f"{each.file_mb:.2f}",
            )
        )
    text = [f"{found.name} {found.version}", *table(lines)]
    text += [f"{each.variant}: {each.why_not}" for each in found.variants if each.why_not]
    text.append(f"fastest here: {found.fastest or 'none'}; runs: {found.runs or 'none'}")
    return "\n".join(text)
