"""What an author asks of quantization, checked before any work is done."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from converter.calibration import Calibration, read_calibration
from converter.inputs import Rows
from converter.quantization.choices import Choices, read_choices
from edge_runtime.errors import InputError

MAX_ACCURACY_DROP = 0.01


@dataclass(frozen=True)
class Wanted:
    """allowed: the most accuracy that a variant may lose. choices: what to make, if that is decided."""

    allowed: float
    calibration: Calibration | None
    choices: Choices | None


def read_wanted(
    *,
    quantize: bool,
    calibration: Any,
    choices: Any,
    allowed: Any,
    like: Rows,
    known: Rows | None,
    rows_of: Callable[[Any], Rows],
) -> Wanted | None:
    """None where no variant but fp32 is asked for. Calibration inputs or choices ask for some.

    like: the held-out inputs. known: training inputs that were given for something else.
    Raises InputError, and what `read_choices` raises.
    """
    if not isinstance(allowed, int | float) or not 0 <= allowed < 1:
        raise InputError(f"max_accuracy_drop: expected 0 or more and below 1, found {allowed!r}.")
    if not quantize and calibration is None and choices is None:
        return None
    chosen = None if choices is None else read_choices(choices)
    calibrated = read_calibration(like, calibration, known, rows_of)
    if chosen is not None and any(recipe.method == "static" for recipe in chosen.recipes):
        found = "none" if calibrated is None else f"SHA-256 {calibrated.sha256}"
        if calibrated is None or calibrated.sha256 != chosen.calibration_sha256:
            raise InputError(
                "calibration: expected the inputs that the choices were made with, SHA-256 "
                f"{chosen.calibration_sha256}; found {found}."
            )
    return Wanted(float(allowed), calibrated, chosen)
