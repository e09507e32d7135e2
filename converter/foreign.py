"""Where other people's exceptions become ours."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from edge_runtime.errors import ConversionError, EdgeError

_MAX_TOLD = 300


@contextmanager
def translated(
    what: str, error: type[EdgeError] = ConversionError, *, advice: str = ""
) -> Iterator[None]:
    """Turn anything a foreign library raises into one clear `error`, chained; ours pass through.

    advice: what to do, a sentence to end with.
    """
    try:
        yield
    except EdgeError:
        raise
    except Exception as fault:
        said = f"{what}: {told(fault)}"
        raise error(f"{said.rstrip('.')}. {advice}" if advice else said) from fault


def told(fault: Exception) -> str:
    """What a foreign exception says, on one line; of a long one the first sentences."""
    text = " ".join(str(fault).split()) or type(fault).__name__
    if len(text) <= _MAX_TOLD:
        return text
    sentences, end, _ = text[:_MAX_TOLD].rpartition(". ")
    return f"{sentences}." if end else f"{text[:_MAX_TOLD]} …"


@contextmanager
def without_future_warnings() -> Iterator[None]:
    """Silence what libraries say to each other's developers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


@contextmanager
def without_name_warnings() -> Iterator[None]:
    """Silence scikit-learn's warning about arrays given to a model that was fitted on a DataFrame."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        warnings.filterwarnings("ignore", message="X has feature names, but")
        yield
