"""Whether a file is still the one that was read."""

import os
from pathlib import Path

from edge_runtime.agent.stamp import stamp
from edge_runtime.durable import replace_file


def test_a_file_that_takes_the_place_has_another_stamp_though_it_is_as_long_and_as_old(
    tmp_path: Path,
) -> None:
    path = tmp_path / "state.json"
    replace_file(path, b"1")
    os.utime(path, ns=(0, 0))
    first = stamp(path)
    assert stamp(path) == first

    with path.open():  # it keeps its inode, which the next one could have else
        replace_file(path, b"2")
        os.utime(path, ns=(0, 0))

        assert stamp(path) != first


def test_what_cannot_be_looked_at_has_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert stamp(tmp_path / "none") == stamp(tmp_path / "file" / "in it") == ()
