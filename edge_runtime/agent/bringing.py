"""What the configuration brings is installed for models that have nothing: at the start, and later.

Also while the agent runs, when files were lost or damaged: nobody may come to start it again.
"""

import math
import time
from dataclasses import dataclass

from edge_runtime.agent.log import say, warn
from edge_runtime.agent.serving import rarely_s
from edge_runtime.agent.slots import Slots
from edge_runtime.agent.stamp import stamp
from edge_runtime.agent.streamable import check_fits
from edge_runtime.bundle import load_root
from edge_runtime.config import Config, ModelConfig
from edge_runtime.errors import ConfigError, EdgeError, TrustError, UnavailableError
from edge_runtime.store import blame
from edge_runtime.store.disk import Store

_SETTLES_S = 1.0  # a file that is being copied changes again and again
_LOCK_WAIT_S = 1.0  # the agent's main loop does not wait for others for long: it is tried again
_Files = tuple[tuple[int, ...], ...]


@dataclass
class _Tries:
    """Of a model that has nothing: of which files, by their stamps, and not before when again."""

    files: _Files
    not_before_s: float = 0.0
    failures: int = 0


class Bringing:
    """Installs what fails for the machine's fault again, more and more rarely; what fails for its own
    only once a file of it is another."""

    def __init__(self, config: Config, slots: Slots) -> None:
        self._config = config
        self._store = Store(config.store, lock_wait_s=_LOCK_WAIT_S)
        self._slots = slots
        self._root_file = config.store / "trust" / "root.json"
        self._bad: dict[str, frozenset[str]] = {}  # what was rejected of a model while it had something
        self._tried: dict[str, _Files] = {}  # what was tried last, by model
        self._tries: dict[str, _Tries] = {}
        self._begun = set[str]()  # models of which was told that their bundle is installed

    def begin(self) -> None:
        """What was rejected before the start is no news."""
        self._bad = {
            model.name: frozenset(self._slots.model(model.name).bad) for model in self._config.models
        }
        self.step()

    def step(self) -> None:
        """Look once at every model; those that have something are left alone."""
        for model in self._config.models:
            now = self._slots.model(model.name)
            if now.active or now.pending:
                self._bad[model.name] = frozenset(now.bad)
                self._tries.pop(model.name, None)
                self._begun.discard(model.name)
            elif model.bundle is not None:
                self._bring(model, was_rejected=self._bad[model.name] != frozenset(now.bad))

    def _bring(self, model: ModelConfig, was_rejected: bool) -> None:
        files = self._files(model)
        tries = self._tries.get(model.name)
        if tries is None:
            tries = _Tries(files)
            if was_rejected:  # just now: that is no loss, and the same would most likely be brought
                tries = _Tries(self._tried.get(model.name, files), not_before_s=math.inf)
        if files != tries.files:
            tries = _Tries(files, not_before_s=time.monotonic() + _SETTLES_S)
        self._tries[model.name] = tries
        if time.monotonic() >= tries.not_before_s:
            self._install(model, tries)

    def _files(self, model: ModelConfig) -> _Files:
        """What an install depends on: the bundle, and who is trusted."""
        assert model.bundle is not None
        named = (model.bundle, self._config.device.trust, self._root_file)
        return tuple(stamp(file) for file in named if file is not None)

    def _install(self, model: ModelConfig, tries: _Tries) -> None:
        assert model.bundle is not None
        if model.name not in self._begun:
            self._begun.add(model.name)
            say(f"{model.name}: installs {model.bundle.name}, as nothing is installed yet")
        tries.failures += 1
        tries.not_before_s = time.monotonic() + rarely_s(tries.failures)  # also after a fault of ours
        trust = self._config.device.trust
        pins = trust is not None and not tries.files[-1]
        try:
            self._store.install(
                model.bundle,
                root=load_root(trust) if trust else None,
                accept=lambda manifest: check_fits(model, manifest, self._config.board),
            )
            if warning := self._store.expiry_warning():
                warn(f"{model.name}: {warning}")
        except EdgeError as error:
            then = "It is tried again by itself."
            if not blame.may_pass(error):
                tries.not_before_s = math.inf
                then = f"It is tried again once {self._mends(model, error)}."
            told = type(error)(f"{str(error).rstrip('.')}. {then}")
            self._slots.failed(model.name, "install failed", told)
        if pins:  # one that was there before is changed by others only
            tries.files = (*tries.files[:-1], stamp(self._root_file))
        self._tried[model.name] = tries.files

    def _mends(self, model: ModelConfig, error: EdgeError) -> str:
        """What has to change before what was refused can be installed."""
        assert model.bundle is not None
        bundle = model.bundle.name
        if isinstance(error, TrustError):
            root = self._config.device.trust or self._root_file
            return f"{bundle} or {root.name} is another"
        if isinstance(error, ConfigError | UnavailableError):  # it does not fit what is asked of it
            return f"{bundle} is another, or the configuration is changed and the agent restarted"
        return f"{bundle} is another"
