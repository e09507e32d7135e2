"""The package as pip leaves it in a folder, and there replaced by another release of it."""

import os
import shutil
from pathlib import Path

import edge_runtime

NEW = "99.0.0"


class Site:
    """A copy of `edge_runtime` in a folder of its own, for processes started with `environment`."""

    def __init__(self, folder: Path) -> None:
        self.package = folder / "edge_runtime"
        path = [str(folder), os.environ.get("PYTHONPATH", "")]
        self.environment = {"PYTHONPATH": os.pathsep.join(filter(None, path))}
        self._copy()

    def upgrade(self) -> None:
        """Put NEW in its place, whose workers take and say other things."""
        shutil.rmtree(self.package)
        self._copy()
        self._replace("__init__.py", f'"{edge_runtime.__version__}"', f'"{NEW}"')
        self._replace("worker/child.py", "str(theirs.fileno()), ", 'str(theirs.fileno()), "--task", ')
        self._replace("worker/__main__.py", "said[0]", "said[1]")
        self._replace(
            "worker/wire.py",
            "class Ready(msgspec.Struct, frozen=True, tag=True",
            "class Ready(msgspec.Struct, frozen=True, tag='Here'",
        )

    def _copy(self) -> None:
        source = Path(edge_runtime.__file__).parent
        shutil.copytree(source, self.package, ignore=shutil.ignore_patterns("__pycache__"))

    def _replace(self, file: str, old: str, new: str) -> None:
        path = self.package / file
        before = path.read_text()
        assert old in before, f"{file}: {old}"
        path.write_text(before.replace(old, new))
