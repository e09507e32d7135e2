"""Python environments with the device part and another package of ONNX Runtime."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# The device part's dependencies, but for ONNX Runtime: another of its packages brings the same module.
_CORE = ("click", "cryptography", "msgspec", "numpy", "paho-mqtt", "tomli")


def environment(folder: Path, *packages: str) -> Path:
    """The interpreter of a new environment with edge-runtime and these packages, one an ONNX Runtime."""
    _run(sys.executable, "-m", "venv", folder)
    pip = (folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check")
    pip = (*pip, "--no-compile")  # most of what is installed is never imported
    _run(*pip, *_CORE, *packages)
    _run(*pip, "--no-deps", ROOT)
    return folder / "bin" / "python"


def _run(*command: str | Path) -> None:
    words = [str(each) for each in command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
