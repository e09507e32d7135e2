"""Unpacked bundles with something in them that is no regular file of their own."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

from edge_runtime.errors import ArchiveError, BundleError, EdgeError
from tests.hostile.building import GOOD, opening_folder, signed
from tests.hostile.case import Attempt, Case, Make
from tests.support.tiny_bundle import MODEL_FILE
from tests.support.unpacked import unpack

GROUP = "archive"
SYMLINK = "CVE-2026-27489, CVE-2026-34447"
HARD_LINK = "CVE-2026-34446"
SPECIAL = "bundle.sources._list: 'a link or special file'"
LINKS = "bundle.sources._list: names (hard links)"


def _changed(change: Callable[[Path, Path], object]) -> Make:
    """The good bundle, unpacked, after `change` of it; `change` is also given a folder beside it."""

    def make(folder: Path) -> Attempt:
        inside, outside = unpack(signed(GOOD), folder / "bundle"), folder / "outside"
        outside.mkdir()
        change(inside, outside)
        return opening_folder(inside)

    return make


def _moved_out(name: str, inside: Path, outside: Path) -> Path:
    """Move a file or folder of the bundle out of it."""
    target = outside / Path(name).name
    (inside / name).rename(target)
    return target


def _linked(name: str) -> Callable[[Path, Path], object]:
    return lambda inside, outside: (inside / name).symlink_to(_moved_out(name, inside, outside))


def _hard_linked(name: str) -> Callable[[Path, Path], object]:
    return lambda inside, outside: os.link(inside / name, outside / "same")


def _to_proc(inside: Path, _: Path) -> None:
    (inside / "card.md").unlink()
    (inside / "card.md").symlink_to("/proc/self/environ")


def _socket(inside: Path, _: Path) -> None:
    (inside / "card.md").unlink()
    here = os.getcwd()
    os.chdir(inside)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("card.md")
    os.chdir(here)


def _pipe(inside: Path, _: Path) -> None:
    (inside / "card.md").unlink()
    os.mkfifo(inside / "card.md")


def _deep(inside: Path, _: Path) -> None:
    (inside / "/".join("abcdefgh")).mkdir(parents=True)
    (inside / "/".join("abcdefgh") / "x").touch()


def _many(inside: Path, _: Path) -> None:
    for number in range(300):
        (inside / f"x{number}").touch()


def _case(
    what: str,
    change: Callable[[Path, Path], object],
    rules: tuple[str, ...],
    says: str,
    *,
    advisory: str = "",
    error: type[EdgeError] = ArchiveError,
) -> Case:
    return Case(GROUP, f"folder: {what}", _changed(change), rules, says, error, advisory)


CASES = (
    _case("a symbolic link to a file", _linked("card.md"), (SPECIAL,), "found a link", advisory=SYMLINK),
    _case(
        "a symbolic link to the model", _linked(MODEL_FILE), (SPECIAL,), "found a link", advisory=SYMLINK
    ),
    _case(
        "a symbolic link to a folder",
        _linked("golden"),
        (SPECIAL,),
        "'golden': .* found a link",
        advisory=SYMLINK,
    ),
    _case("a symbolic link to /proc", _to_proc, (SPECIAL,), "found a link", advisory=SYMLINK),
    _case(
        "a hard link to a file outside",
        _hard_linked("card.md"),
        (LINKS, "bundle.sources.FolderSource.open: expected one name"),
        "found one with 2 names",
        advisory=HARD_LINK,
    ),
    _case(
        "a hard link to the model",
        _hard_linked(MODEL_FILE),
        (LINKS, "bundle.sources.FolderSource.open: expected one name"),
        "found one with 2 names",
        advisory=HARD_LINK,
    ),
    _case("a named pipe", _pipe, (SPECIAL,), "found a link or special file"),
    _case("a socket", _socket, (SPECIAL,), "found a link or special file"),
    _case(
        "an empty folder",
        lambda inside, _: (inside / "empty").mkdir(),
        ("bundle.sources._list: an empty folder",),
        "found an empty folder",
    ),
    _case(
        "folders too deep",
        _deep,
        (
            "bundle.sources._list_inside: folders more than",
            "bundle.archive.check_names: lower-case relative",
            "bundle.reader._check_contents: as well",
        ),
        "found folders more than 5 deep",
    ),
    _case(
        "too many files",
        _many,
        (
            "bundle.sources._list: more than",
            "bundle.archive.check_names: 1 to {MAX_ENTRIES} entries",
            "bundle.reader._check_contents: as well",
        ),
        "found more than 256 files",
        advisory="CVE-2019-9674",
    ),
    _case(
        "a file that nobody listed",
        lambda inside, _: (inside / "extra.so").touch(),
        ("bundle.reader._check_contents: as well",),
        "found 'extra.so' as well",
        error=BundleError,
    ),
    _case(
        "a hidden file",
        lambda inside, _: (inside / ".hidden").touch(),
        ("bundle.archive.check_names: lower-case relative", "bundle.reader._check_contents: as well"),
        "found '.hidden'",
    ),
    _case(
        "a file shorter than listed",
        lambda inside, _: os.truncate(inside / "card.md", 3),
        ("bundle.reader._check_contents: 'no such file'", "bundle.reader.Bundle._digested: _altered"),
        "'card.md': expected 32 bytes, found 3",
        error=BundleError,
    ),
)
