"""What every benchmark says of the machine it ran on, and how its result is kept."""

import json
import os
import platform
from datetime import datetime, timezone
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

import click

RESULTS = Path(__file__).parent / "results"
_MEASURED = ("onnxruntime", "scikit-learn", "numpy")


def load_average() -> float:
    """Of the last minute: what else the machine was doing."""
    return os.getloadavg()[0]


def today() -> str:
    return datetime.now(timezone.utc).date().isoformat()


def not_installed(*names: str) -> list[str]:
    """Those distributions of peers that are missing; tells how they are had."""
    missing = [name for name in names if not any(distributions(name=name))]
    for name in missing:
        click.echo(f"  {name} is missing: pip install -e '.[bench]'", err=True)
    return missing


def describe_machine(load: float, *others: str) -> dict[str, Any]:
    """Processor, Python and versions of what is measured; `others` are further distributions."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.lower().startswith("model name")
        ),
        platform.processor() or "unknown",
    )
    return {
        "cpu": cpu,
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "load_average_before": round(load, 2),
        "python": platform.python_version(),
        **{name: version(name) for name in (*_MEASURED, *others)},
    }


def in_words(machine: dict[str, Any], *others: str) -> str:
    """The same as two or three lines of a report."""
    software = ", ".join(f"{name} {machine[name]}" for name in (*_MEASURED, *others))
    return (
        f"{machine['cores']} cores of {machine['cpu']} ({machine['architecture']}), "
        f"Python {machine['python']},\n{software}. "
        f"Load average before: {machine['load_average_before']}."
    )


def save(name: str, result: dict[str, Any], text: str) -> None:
    """Keep both forms of a result in benchmarks/results; `name` is its date's prefix."""
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / f"{name}-{result['date']}"
    target.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
    target.with_suffix(".md").write_text(text)
