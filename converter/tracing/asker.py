"""Whose code is asking."""

import sys

_LIBRARIES = sys.stdlib_module_names | {
    "converter",
    "edge_runtime",
    "numpy",
    "pandas",
    "scipy",
    "sklearn",
}
_LOOKUPS = ("__class__", "__getattribute__")


def is_author() -> bool:
    """Whether the code that looked up an attribute, whose property asks this, is an author's own."""
    frame = sys._getframe(1)
    while frame.f_code.co_name in _LOOKUPS and frame.f_back is not None:
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] not in _LIBRARIES
