"""A library that is installed and cannot be imported, as after an upgrade that went wrong."""

import os
from pathlib import Path


def breaking(library: str, why: str, folder: Path) -> dict[str, str]:
    """What to add to a process's environment, so that `library` fails there, saying `why`."""
    (folder / library).mkdir(parents=True)
    (folder / library / "__init__.py").write_text(f"raise ImportError({why!r})")
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))}
