"""Questions that may never be answered, for instance by a driver: nobody waits for them for long."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Found = TypeVar("Found")
_WAIT_S = 1.0


class Asking(Generic[Found]):
    """Asks one question at a time, in a thread that is left behind when it hangs; used by one thread."""

    def __init__(self, question: Callable[[], Found]) -> None:
        self._question = question
        self._thread: threading.Thread | None = None
        self._answers: list[Found] = []

    @property
    def hangs(self) -> bool:
        """Whether the last question is still without an answer."""
        return self._thread is not None and self._thread.is_alive()

    def ask(self) -> Found | None:
        """The answer; None where there is none within a second, and as long as that question hangs."""
        if self.hangs:
            return None
        self._answers = answers = []
        self._thread = threading.Thread(
            target=lambda: answers.append(self._question()), name="asks", daemon=True
        )
        self._thread.start()
        self._thread.join(_WAIT_S)
        return answers[0] if answers else None
