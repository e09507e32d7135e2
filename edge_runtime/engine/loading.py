"""From a bundle to a session: the best candidate that can be loaded here, and why not a better one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from edge_runtime.bundle import Bundle
from edge_runtime.bundle.manifest import Variant
from edge_runtime.engine import registry
from edge_runtime.engine.base import Engine, Session
from edge_runtime.engine.candidate import Candidate, none_runs
from edge_runtime.engine.guard import GuardedSession, blaming, session_of
from edge_runtime.engine.registry import Found, Ways
from edge_runtime.engine.requirements import only
from edge_runtime.engine.select import demand_one, why_passed_over
from edge_runtime.errors import ConfigError, EngineError, UnavailableError
from edge_runtime.signals import raise_if_a_handlers

Got = TypeVar("Got")


class Loaded(msgspec.Struct, frozen=True):
    """notes: why variants that the author prefers do not run, and what else the engine has to report.
    provider: what the engine runs it on, '' where it does not say."""

    variant: Variant
    session: Session
    notes: tuple[str, ...]
    provider: str


class First(msgspec.Struct, Generic[Got], frozen=True):
    """The first candidate that could be taken, what it gave, and why others could not."""

    candidate: Candidate
    got: Got
    notes: tuple[str, ...]


class Survey(msgspec.Struct, frozen=True):
    """usable: the candidates that may run here, in the author's order, each engine's own way first.
    passed: the others, and why not."""

    usable: tuple[Candidate, ...]
    passed: tuple[tuple[Candidate, str], ...]


class Here:
    """What this machine has for the variants of a bundle, or for the one of the id `pinned`.

    An engine is looked for once, when its variant is reached: that of another package may take seconds.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        board: str = "",
        pinned: str = "",
        on_look: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`on_look` hears the name of an engine before it is looked for.

        Raises UnavailableError when the bundle has no variant `pinned`.
        """
        self.bundle = bundle
        self._manifest = only(bundle.manifest, pinned)
        self._subject = f"{bundle.manifest.name} {bundle.manifest.version}"
        self._board = board
        self._on_look = on_look
        self._looked: dict[str, Found] = {}

    def survey(self, provider: str = "") -> Survey:
        """All candidates, or those of one provider. Engines may take seconds to find their providers.

        Raises UnavailableError when there is none.
        """
        usable: list[Candidate] = []
        passed: list[tuple[Candidate, str]] = []
        for variant in self._manifest.variants:
            if why := self._why_not(variant):
                passed.append((Candidate(variant.id, provider), why))
                continue
            ways = registry.providers(self._engine(variant), variant, self._board)
            usable += [Candidate(variant.id, name) for name in ways.usable if provider in ("", name)]
            passed += [(Candidate(variant.id, name), why) for name, why in _others(ways, provider)]
        if not usable:
            self._demand_one()
            raise none_runs(
                self._subject,
                {each: UnavailableError(f"{self._subject}, {each}: {why}") for each, why in passed},
            )
        return Survey(tuple(usable), tuple(passed))

    def alone(self, candidate: Candidate) -> Survey:
        """The candidate of the one variant there is, without looking for providers.

        Raises UnavailableError where that cannot run here.
        """
        self._demand_one()
        return Survey((candidate,), ())

    def first_that(
        self,
        attempt: Callable[[Candidate], Got],
        *,
        provider: str = "",
        preferred: Candidate | None = None,
    ) -> First[Got]:
        """The first candidate that `attempt` does not raise for: `preferred`, then in their order.

        Of the others each engine's own way is tried, or `provider`. A candidate whose attempt raises
        EngineError is passed over, and one whose engine knows no such provider, which may be another's.
        Raises EngineError that says of every variant why not, ConfigError where none knows it, and any
        other EdgeError at once.
        """
        variants = self._manifest.variants
        order = [Candidate(each.id, provider) for each in variants]
        if preferred is not None and any(each.id == preferred.variant for each in variants):
            order = [preferred, *(each for each in order if each != preferred)]
        failed: dict[Candidate, EngineError] = {}
        by_order: list[EngineError | ConfigError] = []
        for candidate in order:
            if why := self._why_not(self.variant(candidate)):
                failed[Candidate(candidate.variant)] = UnavailableError(why)
                continue
            try:
                got = attempt(candidate)
            except (EngineError, ConfigError) as error:
                raise_if_a_handlers(error)
                told = error if isinstance(error, EngineError) else UnavailableError(str(error))
                failed[candidate] = told
                by_order += [error] if candidate != preferred else []
            else:
                return First(candidate, got, self.notes(candidate, failed))
        self._demand_one()
        if by_order and all(isinstance(each, ConfigError) for each in by_order):
            raise by_order[0]
        raise none_runs(self._subject, failed)

    def notes(
        self, runs: Candidate, failed: Mapping[Candidate, EngineError] | None = None
    ) -> tuple[str, ...]:
        """Why those that `failed`, or that the author prefers to `runs` and cannot run here, do not.

        Of engines that nobody had to look for nothing is told.
        """

        def unavailable(name: str) -> str | None:
            return self._unavailable(name) if name in self._looked else ""

        failed = failed or {}
        reasons = {str(candidate): str(error) for candidate, error in failed.items()}
        for each in self._manifest.variants:
            if each.id == runs.variant:
                break
            if why := why_passed_over(each, unavailable, self._board):
                reasons.setdefault(each.id, why)
        same = any(candidate.variant == runs.variant for candidate in failed)
        name = str(runs) if same else runs.variant
        return tuple(f"{other} does not run, {name} does: {why}" for other, why in reasons.items())

    def variant(self, candidate: Candidate) -> Variant:
        """The variant of a candidate."""
        return next(each for each in self._manifest.variants if each.id == candidate.variant)

    def prepares(self, candidate: Candidate) -> bool:
        """Whether its engine has anything to prepare."""
        return hasattr(self._engine(self.variant(candidate)), "prepare")

    def prepare(self, candidate: Candidate) -> None:
        """Do at install what the engine would else do at the load, and may take minutes.

        Raises EngineError when it cannot be done, BundleError when a file was altered.
        """
        variant = self.variant(candidate)
        if (work := getattr(self._engine(variant), "prepare", None)) is None:
            return
        with blaming(variant.engine):
            work(self.bundle, variant)

    def load(self, candidate: Candidate, *, threads: int) -> Session:
        """Load one candidate. Raises EngineError or BundleError."""
        variant = self.variant(candidate)
        engine: Any = self._engine(variant)
        options: dict[str, str] = {}
        if candidate.provider:
            if not hasattr(engine, "providers"):
                raise UnavailableError(_no_provider(candidate.provider, ()))
            options["provider"] = candidate.provider
        with blaming(variant.engine):
            made = engine.load(self.bundle, variant, threads=threads, **options)
        session = session_of(made, variant.engine)
        if registry.is_ours(variant.engine):
            return session
        return GuardedSession(session, variant.engine, self._manifest.outputs)

    def _demand_one(self) -> None:
        """Raise UnavailableError when no variant may run."""
        demand_one(self._manifest, self._unavailable, self._board)

    def _why_not(self, variant: Variant) -> str:
        return why_passed_over(variant, self._unavailable, self._board)

    def _unavailable(self, name: str) -> str | None:
        return self._look(name).unavailable.get(name)

    def _engine(self, variant: Variant) -> Engine:
        return self._look(variant.engine).engines[variant.engine]

    def _look(self, name: str) -> Found:
        if name not in self._looked:
            self._on_look(name)
            self._looked[name] = registry.find([name])
        return self._looked[name]


def load_best(
    bundle: Bundle, *, threads: int, board: str, pinned: str = "", provider: str = ""
) -> Loaded:
    """Load the first variant that can be, or the one of the id `pinned`; with `provider`, on that.

    Where a variant that should run fails to load, the next one is taken.
    Raises EngineError that says of every variant why not, BundleError when a file was altered.
    """
    here = Here(bundle, board=board, pinned=pinned)
    found = here.first_that(lambda each: here.load(each, threads=threads), provider=provider)
    candidate, session = found.candidate, found.got
    return Loaded(
        variant=here.variant(candidate),
        session=session,
        notes=(*found.notes, *getattr(session, "notes", ())),
        provider=candidate.provider or getattr(session, "provider", ""),
    )


def _others(ways: Ways, provider: str) -> Iterator[tuple[str, str]]:
    """The ways that cannot be used, or `provider` where that is one of them, and why."""
    if ways.broken:
        yield provider or "another provider", ways.broken
        return
    yield from ((name, why) for name, why in ways.unusable.items() if provider in ("", name))
    if provider and provider not in (*ways.usable, *ways.unusable):
        yield provider, _no_provider(provider, ways.usable)


def _no_provider(name: str, there: Sequence[str]) -> str:
    names = ", ".join(each for each in there if each)
    found = f"{names}: name one of these" if names else "the engine's own way alone: name none"
    return f"expected the provider {name!r} on this machine, found {found}, or install what brings it."
