"""Where other people's exceptions become ours."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from edge_runtime.errors import ConversionError, EdgeError


@contextmanager
def translated(what: str, error: type[EdgeError] = ConversionError) -> Iterator[None]:
    """Turn anything a foreign library raises into one clear `error`, chained; ours pass through."""
    try:
        yield
    except EdgeError:
        raise
    except Exception as fault:
        text = " ".join(str(fault).split())[:300] or type(fault).__name__
        raise error(f"{what}: {text}") from fault


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
