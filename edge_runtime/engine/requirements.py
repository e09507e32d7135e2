"""What a variant requires of a device, its board and its software: pure decisions, and what is here.

{"edge-runtime": ">=0.1", "onnxruntime": ">=1.18,<2"}
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping

import msgspec

from edge_runtime.bundle.manifest import Manifest, Variant
from edge_runtime.errors import UnavailableError

_LIMIT = re.compile(r"(>=|<)(\d{1,9}(?:\.\d{1,9}){0,3})\Z")
_VERSION = re.compile(r"\d{1,9}(?:\.\d{1,9})*")
# Names that a requirement may have, and the distributions that bring it.
_DISTRIBUTIONS = {
    "edge-runtime": ("edge-runtime",),
    "onnxruntime": (
        "onnxruntime",
        *(f"onnxruntime-{kind}" for kind in ("gpu", "openvino", "qnn", "rocm", "migraphx", "cann")),
    ),
    "tensorrt": ("tensorrt",),
    "python": (),
}


class _InstalledHere(Mapping[str, str]):
    """What is installed on this machine, looked up when it is asked for.

    To read distributions' metadata takes 20 ms, so a module that is imported already is asked first.
    """

    def __getitem__(self, name: str) -> str:
        distributions = _DISTRIBUTIONS[name]
        module = sys.modules.get(name.replace("-", "_"))
        return getattr(module, "__version__", "") or _first(distributions)

    def __iter__(self) -> Iterator[str]:
        return iter(_DISTRIBUTIONS)

    def __len__(self) -> int:
        return len(_DISTRIBUTIONS)


def installed_here() -> Mapping[str, str]:
    """Versions by the names a requirement may have; '' for what is not installed."""
    return _InstalledHere()


def why_not(requires: Mapping[str, str], installed: Mapping[str, str]) -> str:
    """The first requirement that is not met, to follow "needs"; '' where all are.

    `installed` maps every name this version can check to what is installed, '' for nothing.
    """
    for name, limits in sorted(requires.items()):
        found = installed.get(name)
        if found is None:
            known = ", ".join(sorted(installed))
            return f"{name[:64]!a}, which this version of edge-runtime cannot check (it can: {known})"
        for limit in limits.split(","):
            if (read := _LIMIT.match(limit)) is None:
                return f"{name} {limits[:64]!a}, which is no limit such as >=1.18 or >=1.18,<2"
            if not found:
                return f"{name} {limits}, which is not installed"
            ascends = _numbers(found) >= _numbers(read[2])
            if ascends != (read[1] == ">="):
                return f"{name} {limits}, found {found}"
    return ""


def unmet(
    variant: Variant,
    board: str,
    installed: Callable[[], Mapping[str, str]],
    unavailable: Callable[[], str] = lambda: "",
) -> str:
    """Why a variant cannot run on a device, to follow its id; '' where it can.

    `board`: what the device is, '' where nobody has said; then a variant's boards are not looked at.
    `installed`: versions by name, asked for only where a variant requires something.
    `unavailable`: why its engine cannot be used, asked for only where the board fits.
    """
    if board and variant.boards and board not in variant.boards:
        return f"is made for {', '.join(variant.boards)} (this is {board})"
    if why := unavailable():
        return f"needs {variant.engine} ({why})"
    if variant.requires and (why := why_not(variant.requires, installed())):
        return f"needs {why}"
    return ""


def only(manifest: Manifest, pinned: str) -> Manifest:
    """The manifest with the variant `pinned` alone; as it is where none is, ''.

    Raises UnavailableError where it has no such variant: who pins it is to blame, and not the bundle.
    """
    chosen = tuple(each for each in manifest.variants if pinned in ("", each.id))
    if not chosen:
        raise UnavailableError(
            f"{manifest.name} {manifest.version}: expected a variant {pinned!r}, found "
            f"{', '.join(each.id for each in manifest.variants)}. Name one of these."
        )
    return msgspec.structs.replace(manifest, variants=chosen)


def demand_met(
    manifest: Manifest,
    *,
    board: str = "",
    pinned: str = "",
    installed: Callable[[], Mapping[str, str]] = installed_here,
) -> None:
    """Raise UnavailableError when no variant (or not the one `pinned`) is for this board and software.

    To be asked before anything is installed: a trial would find out, too, but only after all of it was
    written.
    """
    missing = [(each.id, unmet(each, board, installed)) for each in only(manifest, pinned).variants]
    if all(why for _, why in missing):
        told = "; ".join(f"{name} {why}" for name, why in missing)
        raise UnavailableError(
            f"{manifest.name} {manifest.version}: expected a variant whose needs this machine meets, "
            f"found none: {told}. Upgrade what is named, or convert the model for this device."
        )


def _first(names: tuple[str, ...]) -> str:
    """The version of the first distribution that is installed; of no name, that of Python."""
    if not names:
        return ".".join(map(str, sys.version_info[:3]))
    from importlib import metadata

    for name in names:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return ""


def _numbers(version: str) -> tuple[int, ...]:
    """1.18 and 1.18.0 are one version; what follows the numbers does not count."""
    read = _VERSION.match(version)
    numbers = [int(part) for part in read[0].split(".")] if read else []
    return tuple([*numbers, 0, 0, 0, 0][: max(4, len(numbers))])
