"""One line a step: what is being done, then how long it took."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def step(what: str) -> Iterator[None]:
    started = time.monotonic()
    print(f"  {what} ...", end="", flush=True)
    done = threading.Event()
    ticker = threading.Thread(target=_tick, args=(done,))
    ticker.start()
    try:
        yield
    finally:
        done.set()
        ticker.join()
    print(f" {time.monotonic() - started:.1f} s", flush=True)


def _tick(done: threading.Event) -> None:
    """A sign of life every two seconds, so that a slow machine does not look like a stuck one."""
    while not done.wait(2):
        print(".", end="", flush=True)


def follow(what: Callable[[], str], until: Callable[[], bool], check: Callable[[], None]) -> None:
    """Return once `until()` holds; say `what()` every two seconds. `check` raises if it never will."""
    shown = time.monotonic()
    while not until():
        check()
        if time.monotonic() - shown > 2:
            shown = time.monotonic()
            print(f"    {what()}", flush=True)
        time.sleep(0.05)
