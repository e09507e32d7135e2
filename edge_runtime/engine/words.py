"""Foreign words in sentences of ours."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from edge_runtime.errors import EngineError
from edge_runtime.signals import raise_if_a_handlers

_MAX_TOLD = 300
# What ONNX Runtime sets before its words, and OpenVINO behind it: a code, the node, and a file and
# function of its source.
_FRAME = re.compile(
    r"\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : "
    r"|(?:Error in execution: )?Non-zero status code returned while running .*? Status Message: "
    r"|Exception from [^\s:]{1,256}\.cpp:\d+: "
    r"|[^\s:]{1,256}\.(?:cc|cpp|cu|cuh|h|hpp):\d+ "
    r"(?:[^()]*?::~?\w+\((?:[^()]|\([^()]*\))*\)(?: const)?(?: \[with [^\]]*\])? )?"
)


def one_line(text: str) -> str:
    """Foreign words on one line of bounded length."""
    text = " ".join(text.split())
    return text if len(text) <= _MAX_TOLD else f"{text[:_MAX_TOLD]}..."


def told(said: object) -> str:
    """What a foreign library says, or an exception of one, on one line of bounded length.

    Without ONNX Runtime's frame around it.
    """
    text = " ".join(str(said).split())
    return one_line(_FRAME.sub("", text)) or type(said).__name__


def failed(what: str, by: str, error: Exception) -> EngineError:
    """`what` failed in the library `by`, with its own words."""
    return EngineError(f"{what} by {by}: {told(error)}")


@contextmanager
def as_engine_error(what: str, by: str) -> Iterator[None]:
    """Turn what a library raises, that has no common base of its own, into an EngineError."""
    try:
        yield
    except EngineError:
        raise
    except Exception as error:
        raise_if_a_handlers(error)
        raise failed(what, by, error) from error


def together(found: Mapping[Any, object]) -> str:
    """Why each of several cannot be used, as one sentence without its end; one reason of many, once."""
    named: dict[str, list[str]] = {}
    for name, why in found.items():
        named.setdefault(str(why).rstrip("."), []).append(str(name))
    return "; ".join(f"{', '.join(names)}: {why}" for why, names in named.items())
