"""A candidate proves itself: it is loaded, and gives the golden outputs."""

import time
from collections.abc import Callable

import msgspec

from edge_runtime.engine.candidate import Candidate
from edge_runtime.engine.golden import GoldenResult
from edge_runtime.engine.loading import Here
from edge_runtime.model import Model, from_bundle


class Proved(msgspec.Struct, frozen=True):
    """A model that gave its golden outputs, and what is to be reported of how it was loaded.

    load_ms: for the load and the golden outputs.
    """

    model: Model
    goldens: GoldenResult
    notes: tuple[str, ...]
    load_ms: float


def prove(here: Here, candidate: Candidate, threads: int) -> Proved:
    """This candidate and no other. Raises EngineError when it fails, BundleError for altered files."""
    proved = _prove(here, candidate, threads)
    return msgspec.structs.replace(proved, notes=(*here.notes(candidate), *proved.notes))


def prove_first(
    here: Here,
    threads: int,
    provider: str,
    preferred: Candidate | None,
    on_load: Callable[[], None],
) -> Proved:
    """The first that does: `preferred`, then in the author's order; see `Here.first_that`.

    `on_load` is called before each is loaded.
    """

    def attempt(candidate: Candidate) -> Proved:
        on_load()
        return _prove(here, candidate, threads)

    found = here.first_that(attempt, provider=provider, preferred=preferred)
    return msgspec.structs.replace(found.got, notes=(*found.notes, *found.got.notes))


def _prove(here: Here, candidate: Candidate, threads: int) -> Proved:
    started = time.perf_counter()
    model = from_bundle(
        here.bundle, threads=threads, variant=candidate.variant, provider=candidate.provider
    )
    try:
        goldens = model.replay_goldens()
        return Proved(model, goldens, model.notes, (time.perf_counter() - started) * 1000)
    except BaseException:
        model.close()
        raise
