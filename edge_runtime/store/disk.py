"""What is installed on this device, kept so that power may go at any instant.

    STORE/state.json            which slot is what; replacing it is the commit point of every change
    STORE/slots/MODEL/DIGEST/   one bundle, unpacked; `DIGEST.new` while it is written
    STORE/choices/MODEL/        DIGEST.json: what was measured of a bundle here; may be lost
    STORE/trust/root.json       whom this store trusts: since its first install, by rotation since then
    STORE/trust/seen            the newest time seen while the clock was synchronized
    STORE/reserve               room for a prune on a full disk
    STORE/lock                  held around a change of state.json (short)
    STORE/install.lock          held by the one that writes a slot (long)
    STORE/agent.lock            held by the agent for its life
    STORE/activate.lock         held by the one that activates: by the agent for its life, else by one
                                command at a time, which makes way for an agent (turns.py)

`docs/store.md` tells the order of writes and what each crash leaves.
"""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from edge_runtime import durable
from edge_runtime.bundle import Bundle, Root, expiry, open_bundle
from edge_runtime.bundle.manifest import Manifest
from edge_runtime.choice import record
from edge_runtime.clock import ReadClock
from edge_runtime.clock import read as read_clock
from edge_runtime.errors import BundleError, EdgeError, StoreBusyError, StoreError
from edge_runtime.store import foreign, locks, reserve, slots, state_file
from edge_runtime.store.pinned import Pinned
from edge_runtime.store.slots import ModelState, Slot, State
from edge_runtime.store.steps import Steps
from edge_runtime.store.turns import Turns
from edge_runtime.store.unpack import MARGIN_BYTES, check_space, is_intact, new_name, unpack

LOCK_WAIT_S = 30.0


class Store(Pinned, Steps, Turns):
    """One store folder. Reading takes no lock; every change is one durable step or none.

    `lock_wait_s` bounds the wait for another process's change, `margin_bytes` stays free on the disk.
    `read_clock` judges this device's clock by the newest time seen here.
    """

    def __init__(
        self,
        root: Path,
        *,
        lock_wait_s: float = LOCK_WAIT_S,
        margin_bytes: int = MARGIN_BYTES,
        read_clock: ReadClock = read_clock,
    ) -> None:
        self.root = root
        self._lock_wait_s = lock_wait_s
        self._margin_bytes = margin_bytes
        self._read_clock = read_clock
        self._state_path = root / state_file.NAME
        self._slots = root / "slots"

    def state(self) -> State:
        """What is installed; raises StoreError when there is no store, or its state is damaged."""
        foreign.demand_folder(self.root)
        state = state_file.read(self._state_path)
        if state is not None:
            return state
        foreign.refuse(self.root)
        if os.path.isdir(self._slots) and os.listdir(self._slots):
            raise state_file.damaged(self._state_path, "no such file beside installed slots")
        return State()

    def slot_path(self, model: str, digest: str) -> Path:
        """The folder of an installed bundle; raises BundleError when it is gone."""
        path = self._slots / model / digest
        if not os.path.isdir(path):
            raise BundleError(
                f"{model}: the files of {slots.short(digest)} are not in {self._slots}. "
                "Install it again."
            )
        return path

    def install(
        self,
        bundle_path: Path,
        *,
        root: Root | None = None,
        allow_unsigned: bool = False,
        retry: bool = False,
        accept: Callable[[Manifest], None] | None = None,
    ) -> Slot:
        """Verify, unpack and commit a bundle; it is pending then, unless it is active already.

        What is not here yet is refused while the root has expired by a clock that can be believed. The
        first `root` that is given is pinned. Installing what is here already asks for it to be
        activated and mends its files when they are damaged. What was rejected here is taken again as a
        `retry` alone. `accept` may refuse a bundle whose signature counts by raising, before anything is
        written.
        Raises BundleError, TrustError, OlderReleaseError, StoreError, StoreBusyError, StorageError.
        """
        root = self._agreed(root)
        with open_bundle(
            bundle_path, root=root, allow_unsigned=allow_unsigned and root is None
        ) as bundle:
            if accept is not None:
                accept(bundle.manifest)
            now = self.clock()
            if root is not None and not self._has(bundle):
                expiry.demand_current(root, now)
            self._create()
            with self._installing(self._lock_wait_s):
                self._pin(root, now)
                self._change(slots.recovered, nobody_installs=True)
                slot = self._install(bundle, retry)
                reserve.keep(self.root)  # last: nothing has to wait for it to be flushed
                return slot

    def recover(self) -> None:
        """Remove what a crash left; for an agent's start. An install that is under way is left alone."""
        self.state()
        with suppress(StoreBusyError), self._installing(0):
            self._change(slots.recovered, nobody_installs=True)

    def prune(self, keep: int | None = None) -> State:
        """Keep `keep` good slots of each model from now on, and remove the files of all others.

        On a full disk, too: what a killed install left goes first, for which no state is written.
        """
        self._demand()
        with suppress(StoreBusyError), self._installing(0):
            self._change(lambda state: state, nobody_installs=True)
        return reserve.spend(self.root, lambda: self._change(lambda state: slots.pruned(state, keep)))

    def _install(self, bundle: Bundle, retry: bool) -> Slot:
        manifest, digest = bundle.manifest, bundle.digest
        model, folder = manifest.name, self._slots / manifest.name / digest
        slot = Slot(
            model=model,
            digest=digest,
            version=manifest.version,
            release=manifest.release,
            state="writing",
            declares=manifest.floor,
        )
        if self._has(bundle):
            bundle.check()  # what is here is kept, but a damaged file is never called a success
            if is_intact(folder, digest):
                durable.sync_folder(folder.parent)  # who mended it may have been killed before
            else:
                check_space(self.root, bundle, self._margin_bytes)
                unpack(bundle, folder)
            state = self._change(lambda state: slots.requested(state, model, digest))
        else:
            self._change(lambda state: self._begin(state, slot, bundle, retry))
            try:
                unpack(bundle, folder)
                state = self._change(lambda state: slots.staged(state, model, digest))
            except BaseException:
                self._give_up(folder)
                raise
        return state.models[model].slots[digest]

    def _begin(self, state: State, slot: Slot, bundle: Bundle, retry: bool) -> State:
        after = slots.begin_write(state, slot, retry=retry)
        check_space(self.root, bundle, self._margin_bytes)
        return after

    def _give_up(self, folder: Path) -> None:
        """After a fault half way. What cannot be undone now, on a full disk, the next start undoes."""
        with suppress(EdgeError):
            durable.remove_folder(new_name(folder))  # first: it makes room for the new state
            self._change(slots.recovered, nobody_installs=True)

    def _demand(self) -> None:
        """Raise StoreError where nothing was ever installed: what is refused leaves no lock behind."""
        self.state()
        if not os.path.exists(self._state_path):
            raise StoreError(
                f"{self.root}: nothing was ever installed here. `edge-runtime install` does it."
            )

    def _asked(self, decide: Callable[[State], State]) -> State:
        self._demand()
        return self._change(decide)

    def _change(self, decide: Callable[[State], State], *, nobody_installs: bool = False) -> State:
        """Apply one decision durably, then remove what nothing refers to any more."""
        self.state()  # there must be a store before there is a lock in it
        with locks.held(
            self.root / "lock", wait_s=self._lock_wait_s, purpose="the store is being changed"
        ):
            before = self.state()
            after = decide(before)
            if after != before:
                state_file.write(self._state_path, after)
            else:
                # The state that was read may be one whose writer was killed before it reached the disk.
                # A power cut would bring the older one back, which may name what is removed below, and
                # knows nothing of what is about to be called done.
                durable.sync_folder(self.root)
            self._sweep(after, nobody_installs=nobody_installs)
        return after

    def _sweep(self, state: State, *, nobody_installs: bool) -> None:
        """Remove folders the state does not name. Failing is no harm: the next sweep tries again."""
        kept = {(model, digest) for model, now in state.models.items() for digest in now.slots}
        if not nobody_installs:
            kept |= {(model, f"{digest}.new") for model, digest in kept}
        found = [path for path in self._slots.glob("*/*") if (path.parent.name, path.name) not in kept]
        with suppress(EdgeError):
            for path in found:
                durable.remove_folder(path)
        record.remove_others(self.root, kept)

    def _installing(self, wait_s: float) -> AbstractContextManager[locks.Lock]:
        return locks.held(
            self.root / "install.lock", wait_s=wait_s, purpose="another install is under way"
        )

    def _has(self, bundle: Bundle) -> bool:
        if not os.path.isdir(self.root):
            return False
        return bundle.digest in self.state().models.get(bundle.manifest.name, ModelState()).slots

    def _create(self) -> None:
        """Make the store's folder where there is none."""
        if not os.path.exists(self._state_path):
            foreign.refuse(self.root)
            durable.create_folder(self.root)
