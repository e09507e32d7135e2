"""What `edge-runtime convert --compare` adds to the command. Imports nothing heavy."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from converter.comparison.choice import checked_limits
from converter.progress import Progress
from edge_runtime.errors import ConversionError

if TYPE_CHECKING:
    from converter.comparison.compare import Comparison
    from converter.converted import ConvertedBundle

_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,9})?) ?(|b|kb|mb|gb|kib|mib|gib)\Z", re.IGNORECASE)
_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}


@dataclass(frozen=True)
class Terms:
    """What --metric, --max-size in bytes and --max-latency-us say; None where they are not given."""

    metric: str | None
    max_size: int | None
    max_latency_us: float | None


def size(_: click.Context, __: click.Parameter, given: str | None) -> int | None:
    """Bytes in the units that people write, such as 500kB or 2 MB. Raises BadParameter."""
    if given is None:
        return None
    found = _SIZE.match(given.strip())
    count = 0 if found is None else round(float(found[1]) * _UNITS[found[2].lower()])
    if count < 1:
        raise click.BadParameter(f"expected a size such as 500kB or 2MB, found {given!r}.")
    return count


def check_one(models: Sequence[Path], terms: Terms) -> None:
    """What holds without --compare: one MODEL, and no terms. Raises UsageError."""
    if len(models) > 1:
        raise click.UsageError(
            f"expected one MODEL, found {len(models)}. Add --compare to choose among several."
        )
    for name, given in asdict(terms).items():
        if given is not None:
            raise click.UsageError(f"--{name.replace('_', '-')}: expected --compare too, found none.")


def check_several(models: Sequence[Path], labels: str | None) -> None:
    """What holds with --compare: several files, each once, and labels. Raises UsageError, and
    ConversionError for a file that is not there: a slip of the keyboard is no candidate."""
    if len(models) < 2:
        raise click.UsageError("--compare: expected two MODELs or more, found one.")
    if labels is None:
        raise click.UsageError(
            "--compare: expected --labels FILE, the truth by which models are compared; found none."
        )
    twice = [path for path, count in Counter(path.resolve() for path in models).items() if count > 1]
    if twice:
        raise click.UsageError(f"--compare: expected every MODEL once, found {twice[0]} twice.")
    for path in models:
        if not path.exists():
            raise ConversionError(f"{path}: no such file. Give the path of a saved model.")


def compare_files(
    convert: Callable[[Path], "ConvertedBundle"],
    models: Sequence[Path],
    terms: Terms,
    *,
    progress: Progress,
) -> "Comparison":
    """Choose among models in files, which are called what their files are."""
    limits = checked_limits(terms.max_size, terms.max_latency_us)
    import converter

    _ = converter.compare  # first of all: it says when the extra is missing
    from converter.comparison.compare import compared

    conversions = {
        name: partial(convert, path) for name, path in zip(_names(models), models, strict=True)
    }
    return compared(conversions, terms.metric, limits, progress=progress)


def _names(models: Sequence[Path]) -> list[str]:
    """The files' names, with as many of the folders above them as it takes to tell all apart."""
    parts = [path.resolve().parts for path in models]
    for count in range(1, max(map(len, parts))):
        names = ["/".join(each[-count:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in models]
