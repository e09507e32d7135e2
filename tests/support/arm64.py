"""An arm64 device without a board: a Debian 12 root whose programs qemu runs as this user.

device = Device(made_root(), package, PI4, folder)
device.run("edge-runtime", "status", "--store", folder / "store")

Debian's packages are unpacked, and the core's dependencies are installed as arm64 wheels, once for all
suites; `edge_runtime` itself is installed from this tree by whoever asks. proot changes the root without
being root, and the network is this machine's. What emulation proves, and what not: docs/arm64.md.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import requires
from pathlib import Path

from tests.support import arm64_cpu
from tests.support.arm64_cpu import Cpu

CHECKOUT = Path(__file__).parents[2]
TESTS = CHECKOUT / "tests"
CACHE = CHECKOUT / ".cache" / "arm64"
PYTHON = "/usr/bin/python3.11"

_TOOLS = {"mmdebstrap": "mmdebstrap", "proot": "proot", "qemu-aarch64-static": "qemu-user-static"}
_PACKAGES = (
    *("python3.11-minimal", "libpython3.11-stdlib", "libstdc++6", "libgomp1", "ca-certificates"),
    *("coreutils", "dash", "libc-bin"),
)
_SOURCES = (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list"))
_WHEELS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014")
# Debian's Python looks here; the `.pth` file leads on to where the package is bound.
_SITE = "usr/local/lib/python3.11/dist-packages"
_PACKAGE = "/opt/edge-runtime"
_COMMAND = f"#!{PYTHON}\nfrom edge_runtime.cli import main\nmain()\n"
# Unpacking runs no scripts of packages: what these would have made.
_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    f"{_SITE}/edge-runtime.pth": f"{_PACKAGE}\n",
    "usr/local/bin/edge-runtime": _COMMAND,
}
_FOLDERS = ("proc", "sys", "dev", "tmp", "root", _PACKAGE.lstrip("/"))


@dataclass(frozen=True)
class Device:
    """A root with `edge_runtime` in it, and the processor that runs it.

    root: of `made_root`. package: of `install_package`. folder: what the device sees of this machine's
    files beside the tests, at the same path; what it writes anywhere else goes into the root. Give
    commands whole paths: proot 5.1 leaves os.access to this machine, where a relative one is another.
    """

    root: Path
    package: Path
    cpu: Cpu
    folder: Path

    def command(self, *words: object) -> list[str]:
        """The command of this machine that runs `words` on the device, in `folder`."""
        made_up = arm64_cpu.write(self.cpu, self.folder / f"made-up-{self.cpu.name}")
        bound = {Path("/proc"): "/proc", Path("/dev"): "/dev", self.package: _PACKAGE, **made_up}
        bound |= {TESTS: str(TESTS), self.folder: str(self.folder)}
        binds = [f"--bind={ours}:{theirs}" for ours, theirs in bound.items()]
        # What the host's environment says of Python, threads and coverage is not the device's.
        environment = ["HOME=/root", "LANG=C.UTF-8", "PATH=/usr/local/bin:/usr/bin:/bin"]
        return [
            *("env", "-i", *environment, _tool("proot")),
            *("-q", f"{_tool('qemu-aarch64-static')} -cpu {self.cpu.name}", "-r", str(self.root)),
            *(*binds, "-w", str(self.folder)),
            *map(str, words),
        ]

    def run(self, *words: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run it to its end. With `check` an exit status other than 0 is an AssertionError."""
        return _run(self.command(*words), check=check)


def made_root() -> Path:
    """A folder with Debian 12 for arm64 and the core's dependencies; made once for the same inputs.

    AssertionError when a tool is missing, or a package cannot be had.
    """
    for name in _TOOLS:
        _tool(name)
    inputs = json.dumps([_PACKAGES, _dependencies(), _WHEELS, _FILES, _FOLDERS])
    root = CACHE / hashlib.sha256(inputs.encode()).hexdigest()[:16]
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.is_dir():
            started = CACHE / "unfinished"
            shutil.rmtree(started, ignore_errors=True)
            _unpack_debian(started)
            _install(started / _SITE, *_dependencies())
            started.rename(root)
    return root


def install_package(folder: Path) -> Path:
    """Install `edge_runtime` of this tree, without what it requires, into a new folder of `folder`."""
    _run([sys.executable, "-m", "pip", "wheel", *_PIP, "--no-build-isolation", "-w", folder, CHECKOUT])
    (wheel,) = folder.glob("edge_runtime-*.whl")
    _run([sys.executable, "-m", "pip", "install", *_PIP, "--target", folder / "package", wheel])
    return folder / "package"


_PIP = ("--quiet", "--disable-pip-version-check", "--no-deps")


def _unpack_debian(root: Path) -> None:
    _run(
        [
            *("mmdebstrap", "--quiet", "--variant=extract", "--architectures=arm64"),
            *("--aptopt=APT::Install-Recommends false", f"--include={','.join(_PACKAGES)}"),
            *("bookworm", root, _sources()),
        ]
    )
    for name in _FOLDERS:
        (root / name).mkdir(parents=True, exist_ok=True)
    for name, text in _FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "usr/local/bin/edge-runtime").chmod(0o755)


def _sources() -> Path:
    """Where this machine has its own Debian packages from: the device's come from there, too."""
    for path in _SOURCES:
        if path.exists():
            return path
    raise AssertionError(
        f"{' or '.join(map(str, _SOURCES))}: expected where this machine has Debian 12's packages from, "
        "for those of the emulated device; found neither. Run this on Debian 12, or write the first "
        "(sources.list(5))."
    )


def _dependencies() -> list[str]:
    """What pyproject.toml requires of every device, in this Python's reading of its markers."""
    return sorted(each for each in requires("edge-runtime") or [] if "extra ==" not in each)


def _install(site: Path, *requirements: str) -> None:
    platforms = [f"--platform={each}_aarch64" for each in _WHEELS]
    _run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--target", site, "--implementation=cp", "--python-version=3.11", "--upgrade"),
            *("--only-binary=:all:", *platforms, *requirements),
        ]
    )


def _tool(name: str) -> str:
    found = shutil.which(name)
    assert found, (
        f"{name}: expected it on this machine, to emulate arm64; found nothing. "
        f"As root, apt-get install {_TOOLS[name]}, or run scripts/system-packages."
    )
    return found


def _run(command: Sequence[object], *, check: bool = True) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False, env=_OURS)
    said = f"{' '.join(words)}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert not check or done.returncode == 0, said
    return done


_OURS = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTHON"))}
