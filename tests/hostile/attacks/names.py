"""Names of files that leave the folder, or mean different things to different readers.

Every file is in the manifest and signed under its hostile name. Both the archive and the signature know
what a name is, so both rules are named.
"""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from edge_runtime.errors import ArchiveError
from tests.hostile.building import Files, archive_of, opening, opening_changed, relisted
from tests.hostile.case import Attempt, Case, Make

GROUP = "archive"
ZIP_SLIP = "CWE-22, Zip Slip"
MASTER_KEY = "CVE-2013-4787"
NAMES = ("bundle.archive.check_names: lower-case relative", "bundle.signature._files: may have")
SORTED = "bundle.archive.check_names: names sorted and used once"


def _added(name: str) -> Make:
    def change(_: dict[str, Any], files: Files) -> None:
        files[name] = b"#!/bin/sh\n"

    return opening_changed(change)


def _name_case(what: str, name: str, advisory: str = "") -> Case:
    says = f"expected lower-case relative file names of a-z, .* found {_quoted(name)}"
    return _case(what, _added(name), NAMES, says, advisory=advisory)


def _quoted(name: str) -> str:
    return re.escape(f"{name!a}")


def _ordered(change: Callable[[list[tuple[bytes, bytes]]], object]) -> Make:
    """The good bundle's members in another order or number."""

    def make(folder: Path) -> Attempt:
        files = relisted(lambda *_: None)
        members = [(name.encode(), data) for name, data in sorted(files.items())]
        change(members)
        return opening(archive_of(members), folder)

    return make


def _twice(members: list[tuple[bytes, bytes]]) -> None:
    name, data = members[0]
    members.insert(0, (name, b"!" * len(data)))


def _clashing(_: dict[str, Any], files: Files) -> None:
    files["card.md/hidden"] = b"x"


def _many(_: dict[str, Any], files: Files) -> None:
    files.update({f"extra/{number:03}": b"" for number in range(256)})


_case = partial(Case, GROUP, error=ArchiveError)
CASES = (
    _name_case("name: one folder up", "../evil", ZIP_SLIP),
    _name_case("name: many folders up", "../" * 10 + "etc/cron.d/evil", ZIP_SLIP),
    _name_case("name: down and up again", "golden/../../evil", "CVE-2026-27489"),
    _name_case("name: up at the end", "golden/..", ZIP_SLIP),
    _name_case("name: absolute", "/etc/cron.d/evil", ZIP_SLIP),
    _name_case("name: absolute with two slashes", "//server/share", ZIP_SLIP),
    _name_case("name: backslashes", "..\\..\\evil", ZIP_SLIP),
    _name_case("name: a drive", "c:/windows/evil", ZIP_SLIP),
    _name_case("name: an alternate stream", "card.txt:hidden"),
    _name_case("name: the folder itself", "./evil"),
    _name_case("name: a dot alone", "."),
    _name_case("name: two slashes", "golden//evil"),
    _name_case("name: a slash at the end", "zfolder/"),
    _name_case("name: hidden", ".profile"),
    _name_case("name: hidden in a folder", "golden/.git"),
    _name_case("name: an option", "-rf"),
    _name_case("name: capital letters that some disks fold", "CARD.md"),
    _name_case("name: a letter of another script", "\xe9vil"),
    _name_case("name: a NUL that cuts it", "card.txt\0.md"),
    _name_case("name: a line break", "evil\nname"),
    _name_case("name: an escape sequence", "\x1b[2Jevil"),
    _name_case("name: a space at the end", "evil "),
    _name_case("name: a variable", "$home/evil"),
    _name_case("name: longer than file systems take", "x" * 300),
    _name_case("name: seven folders deep", "a/b/c/d/e/f/g"),
    _case(
        "order: names not sorted",
        _ordered(lambda members: members.reverse()),
        (SORTED,),
        "expected names sorted and used once, found 'signatures/.*' after 'variants/",
    ),
    _case(
        "order: one name twice",
        _ordered(_twice),
        (SORTED,),
        "expected names sorted and used once, found 'card.md' after 'card.md'",
        advisory=MASTER_KEY,
    ),
    _case(
        "order: a name that is a file and a folder",
        opening_changed(_clashing),
        ("bundle.archive.check_names: a file or a folder called",),
        "expected a file or a folder called 'card.md', found both",
    ),
    _case(
        "number: more files than a bundle has",
        opening_changed(_many),
        (
            "bundle.archive._members: 1 to {MAX_ENTRIES} entries",
            "bundle.archive.check_names: 1 to {MAX_ENTRIES} entries",
            "bundle.signature._files: at most {MAX_ENTRIES} files",
        ),
        "expected 1 to 256 entries, found 26[0-9]",
        advisory="CVE-2019-9674",
    ),
)
