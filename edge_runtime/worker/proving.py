"""A candidate proves itself: it is loaded, and gives the golden outputs."""

import msgspec

from edge_runtime.engine.candidate import Candidate
from edge_runtime.engine.golden import GoldenResult
from edge_runtime.engine.loading import Here
from edge_runtime.model import Model, from_bundle


class Proved(msgspec.Struct, frozen=True):
    """A model that gave its golden outputs, and what is to be reported of how it was loaded."""

    model: Model
    goldens: GoldenResult
    notes: tuple[str, ...]


def prove(here: Here, candidate: Candidate, threads: int) -> Proved:
    """This candidate and no other. Raises EngineError when it fails, BundleError for altered files."""
    proved = _prove(here, candidate, threads)
    return msgspec.structs.replace(proved, notes=(*here.notes(candidate), *proved.notes))


def prove_first(here: Here, threads: int, provider: str, preferred: Candidate | None) -> Proved:
    """The first that does: `preferred`, then in the author's order; see `Here.first_that`."""
    found = here.first_that(
        lambda candidate: _prove(here, candidate, threads), provider=provider, preferred=preferred
    )
    return msgspec.structs.replace(found.got, notes=(*found.notes, *found.got.notes))


def _prove(here: Here, candidate: Candidate, threads: int) -> Proved:
    model = from_bundle(
        here.bundle, threads=threads, variant=candidate.variant, provider=candidate.provider
    )
    try:
        return Proved(model, model.replay_goldens(), model.notes)
    except BaseException:
        model.close()
        raise
