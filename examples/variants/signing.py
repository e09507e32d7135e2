"""A key that is made once, and the root file that trusts it."""

import subprocess
import sys
from pathlib import Path

_COMMAND = Path(sys.executable).with_name("edge-runtime")


def keys(folder: Path) -> tuple[Path, Path]:
    """The paths of a signing key, made in `folder` once, and of the root file that trusts it."""
    if not folder.exists():
        subprocess.run([_COMMAND, "keys", "generate", folder], check=True, stdout=subprocess.DEVNULL)
    return folder / "signing-key.pem", folder / "root.json"
