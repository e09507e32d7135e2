"""Whom a store trusts: the root file of its first install that gave one, by rotation since then."""

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from edge_runtime import durable
from edge_runtime.bundle import Root, expiry, load_root, rotation
from edge_runtime.clock import Clock, ReadClock
from edge_runtime.errors import StoreError, TrustError
from edge_runtime.store import locks, seen


class Pinned(ABC):
    """The root file in a store, and the newest time seen there, by which its end is judged."""

    root: Path
    _lock_wait_s: float
    _read_clock: ReadClock

    @abstractmethod
    def _demand(self) -> None:
        """Raise StoreError where nothing was ever installed."""

    @abstractmethod
    def _installing(self, wait_s: float) -> AbstractContextManager[locks.Lock]:
        """Hold the lock of installs."""

    @property
    def _root_path(self) -> Path:
        return self.root / "trust" / "root.json"

    @property
    def _seen_path(self) -> Path:
        return self.root / "trust" / seen.NAME

    def trusted_root(self) -> Root | None:
        """The root that was pinned at the first install with one."""
        try:
            os.stat(self._root_path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:
            pass  # load_root says what is wrong: one that cannot be read is not one that is not there
        try:
            return load_root(self._root_path)
        except TrustError as error:
            if isinstance(error.__cause__, PermissionError):
                raise
            raise TrustError(
                f"{error} It says whom this store trusts: put a copy of the fleet's root file there."
            ) from error

    def update_trust(self, raws: Sequence[bytes]) -> Root:
        """Let a chain of next root files take the pinned one's place; returns the one that decides now.

        What is installed stays and runs on. Nothing changes where one of them is refused, or where the
        last is the pinned one already. Raises TrustError, StoreError, StoreBusyError, StorageError.
        """
        self._demand()
        # Under the lock of installs: none may verify with the old root and commit after the new one.
        with self._installing(self._lock_wait_s):
            if (pinned := self.trusted_root()) is None:
                raise StoreError(
                    f"{self.root}: expected a store that trusts a root file, found one without. "
                    "The first `edge-runtime install` tells it, with --trust."
                )
            try:
                root = rotation.followed(pinned, raws)
            except TrustError as error:
                raise TrustError(f"{self._root_path}: {error}") from error
            if root is not pinned:
                durable.replace_file(self._root_path, root.raw)
            else:
                durable.sync_folder(self._root_path.parent)  # its writer may have been killed before
            return root

    def clock(self) -> Clock:
        """This device's clock, judged by the newest time seen here as well."""
        return self._read_clock(seen.read(self._seen_path))

    def expiry_warning(self) -> str:
        """What is to be said of the pinned root's expiry, '' for nothing; raises TrustError."""
        root = self.trusted_root()
        return "" if root is None else expiry.judged(root, self.clock()).warning

    def _agreed(self, given: Root | None) -> Root | None:
        """The root to verify with; raises TrustError when the given one contradicts the pinned one."""
        pinned = self.trusted_root()
        try:
            return rotation.decides(pinned, given)
        except TrustError as error:
            raise TrustError(f"{self._root_path}: {error}") from error

    def _pin(self, verified_with: Root | None, now: Clock) -> None:
        """Keep the root that a bundle was verified with, and the time its end was judged by.

        Raises TrustError where another process has pinned another one meanwhile.
        """
        pinned = self.trusted_root()
        if verified_with is not None and pinned is None:
            durable.create_folder(self._root_path.parent)
            durable.replace_file(self._root_path, verified_with.raw)
        elif pinned is not None and (verified_with is None or verified_with.signed != pinned.signed):
            raise TrustError(f"{self._root_path}: this store was told anew whom to trust. Try again.")
        elif pinned is not None:
            durable.sync_folder(self._root_path.parent)  # who pinned it may have been killed before
        if verified_with is not None:
            seen.record(self._seen_path, now)
