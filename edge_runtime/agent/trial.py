"""Loading a pending bundle in a worker of its own, while the old one keeps serving."""

import threading
from collections.abc import Callable

from edge_runtime.agent.serving import Installed, Start
from edge_runtime.errors import EdgeError
from edge_runtime.worker import Worker


class Trial:
    """Starts a worker on a slot in the background; once `done`, see `error`, or `take` the worker."""

    def __init__(
        self,
        model: str,
        digest: str,
        open_slot: Callable[[], Installed],
        *,
        start: Start,
        timeout_s: float,
    ) -> None:
        self.digest = digest
        self.error: EdgeError | None = None
        self._open_slot = open_slot
        self._start_worker = start
        self._timeout_s = timeout_s
        self._installed: Installed | None = None
        self._worker: Worker | None = None
        self._cancelled = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"trial-{model}")
        self._thread.start()

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def take(self) -> tuple[Installed, Worker]:
        """The bundle and its ready worker, which is the caller's now."""
        self._thread.join()
        assert self._installed is not None
        assert self._worker is not None
        worker, self._worker = self._worker, None
        return self._installed, worker

    def cancel(self) -> None:
        """End the trial and what it started."""
        with self._lock:
            self._cancelled = True
            if self._worker is not None:
                self._worker.kill()
        self._thread.join()
        if self._worker is not None:
            self._worker.close()

    def _run(self) -> None:
        try:
            self._installed = self._open_slot()
            with self._lock:
                if self._cancelled:
                    return
                self._worker = self._start_worker(self._installed.folder)
            self._worker.wait_ready(self._timeout_s)
        except EdgeError as error:
            self.error = error
            with self._lock:
                worker, self._worker = self._worker, None
            if worker is not None:
                worker.close()
