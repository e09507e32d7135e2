"""What code of others does when it is started, found out in a process of its own.

It may end the process or hang, and what it loads may be large. The process is `python -m MODULE PARENT
NAME...`; for each name it writes a line of JSON with the `name` and `why` it cannot be used, '' where it
can.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache

from edge_runtime.engine.words import one_line
from edge_runtime.process import ending, stay_tied_to
from edge_runtime.signals import raise_if_a_handlers


@cache
def tried(module: str, names: tuple[str, ...], timeout_s: float) -> Mapping[str, str]:
    """Why each cannot be used, '' where it can: as long as one ends the process, the others again."""
    found: dict[str, str] = {}
    while left := [each for each in names if each not in found]:
        found |= _try(module, left, timeout_s)
    return {name: found[name] for name in names}


def answer(parent: str, names: Sequence[str], why_unusable: Callable[[str], str]) -> None:
    """What such a process does. What libraries print goes nowhere: what is said has a way of its own."""
    stay_tied_to(int(parent))
    with os.fdopen(os.dup(1), "w") as said, open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        for name in names:
            said.write(json.dumps({"name": name, "why": why_unusable(name)}) + "\n")
            said.flush()


def _try(module: str, names: Sequence[str], timeout_s: float) -> dict[str, str]:
    """What one process finds out of these, of one at least."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", module, str(os.getpid()), *names],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
            env={**os.environ, "PYTHONSAFEPATH": "1"},  # nothing is imported from where we stand
        )
        said, ending = done.stdout, _ending(done.returncode, done.stderr)
    except subprocess.TimeoutExpired as error:
        said, ending = error.stdout or b"", f"it was not started after {timeout_s:g} s"
    except OSError as error:
        raise_if_a_handlers(error)
        return dict.fromkeys(names, f"no process can be started that tries it: {error}")
    found = dict(_answers(said))
    begun = next((name for name in names if name not in found), None)
    return found if begun is None else found | {begun: ending}


def _answers(said: bytes) -> list[tuple[str, str]]:
    """The `name` and `why` of each line of JSON; what else was written is passed over."""
    found = []
    for line in said.splitlines():
        try:
            words = json.loads(line)
            found.append((str(words["name"]), str(words["why"])))
        except (ValueError, TypeError, KeyError):
            continue
    return found


def _ending(status: int, said: bytes) -> str:
    last = one_line((said.decode(errors="replace").strip().splitlines() or [""])[-1])
    why = f": {last}" if last and status >= 0 else ""  # whom a signal ends has no last words
    return f"the process that started it {ending(status)}{why}"
