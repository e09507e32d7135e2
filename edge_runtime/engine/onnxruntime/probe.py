"""The process that starts providers, PARENT NAME...: why each cannot be used, on a line of JSON."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from edge_runtime.engine.onnxruntime.library import library
from edge_runtime.engine.onnxruntime.providers import MISSING, PROVIDERS, session_with
from edge_runtime.engine.trying import answer
from edge_runtime.engine.words import one_line
from edge_runtime.errors import UnavailableError

# y = Identity(x) of texts: nothing takes it but the processor, so nothing is built for it.
MODEL = bytes.fromhex(
    "08083a370a100a017812017922084964656e746974791201675a0f0a0178120a0a08080812040a020801"
    "620f0a0179120a0a08080812040a02080142040a001011"
)
_ERRORS = 3
_LOGGED = re.compile(r"\[E:[^\]]*\] (?P<why>[^\n]+)")


def main(parent: str, *names: str) -> None:
    answer(parent, names, why_unusable)


def why_unusable(name: str) -> str:
    """Why a provider cannot be started in this process; '' where it can."""
    with _errors_in_a_file() as log:
        options = library().SessionOptions()
        try:
            library().set_default_logger_severity(_ERRORS)
            session_with(name, MODEL, options, 1)
        except UnavailableError as error:
            log.seek(0)
            logged = _reason(log.read().decode(errors="replace"), error)
            return f"{logged}; it needs {PROVIDERS[name].needs}" if logged else str(error)
    return ""


def _reason(log: str, error: UnavailableError) -> str:
    """What the log says and the error does not: the library that is missing, or why it was dropped."""
    if missing := MISSING.search(log):
        return one_line(missing["library"])
    dropped = error.__cause__ is None and _LOGGED.search(log)
    return one_line(dropped["why"]) if dropped else ""


@contextmanager
def _errors_in_a_file() -> Iterator[IO[bytes]]:
    """Standard error, of libraries as well, for as long as it is open."""
    before = os.dup(2)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
            yield log
        finally:
            os.dup2(before, 2)
            os.close(before)


if __name__ == "__main__":
    main(*sys.argv[1:])
