"""Files of coverage that a killed process has left half written, which nothing can be read from.

Tests kill processes that are measured, and so does a worker's parent; some just then save what they ran.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path


def half_written(data_file: Path) -> Iterator[Path]:
    """Of the files of processes beside coverage's `data_file`, those that SQLite cannot read in full."""
    for path in sorted(data_file.parent.glob(f"{data_file.name}.*")):
        if not _is_sound(path):
            yield path


def _is_sound(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            tables = database.execute("SELECT count(*) FROM coverage_schema").fetchone()
            return tables == (1,) and database.execute("PRAGMA quick_check").fetchone() == ("ok",)
    except sqlite3.Error:
        return False
