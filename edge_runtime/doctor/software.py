"""Whether the programs are there that a model needs."""

import platform
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import edge_runtime
from edge_runtime.doctor.findings import Device, Finding, ok, problem
from edge_runtime.memory import says_refused

OLDEST = (3, 10)
_IMPORT_S = 50.0
LOOKS = "looks for: "  # what such a process says before the engine that it looks for next
# In a process of its own: on a processor it was not built for, importing it ends the process.
_IMPORT = """
import sys
sys.path[:] = [folder for folder in sys.path if folder]  # nothing is imported from where we stand
from edge_runtime.engine.onnxruntime import OnnxRuntimeEngine
why = OnnxRuntimeEngine().why_unavailable()
if not why:
    import onnxruntime
print(why and "!" + why or onnxruntime.__version__)
"""


def python(_device: Device) -> Iterator[Finding]:
    yield judge_python(sys.version_info[:2], struct.calcsize("P") * 8, platform.machine())


def judge_python(version: tuple[int, int], bits: int, machine: str) -> Finding:
    name = f"Python {version[0]}.{version[1]}"
    if version < OLDEST:
        return problem(
            f"{name} is older than the oldest that works, 3.10.",
            "Install a newer Python, and make the environment anew with it.",
        )
    if bits != 64:
        return problem(
            f"{name} is a {bits}-bit program, and the engine is made for 64 bits only.",
            "Put a 64-bit operating system on this machine.",
        )
    return ok(f"{name} on {machine}, edge-runtime {edge_runtime.__version__} in {sys.prefix}.")


def onnxruntime(_device: Device) -> Iterator[Finding]:
    yield import_in(Path(sys.executable))


def import_in(interpreter: Path) -> Finding:
    """Whether the engine can be imported by this interpreter, tried in a process of its own."""
    said = in_a_process(interpreter, _IMPORT)
    if isinstance(said, Finding):
        return said
    if said and not said.startswith("!"):
        return ok(f"onnxruntime {said} can be imported.")
    if says_refused(said):
        return problem(f"onnxruntime: {said[1:]}.", "Stop other programs, and run the doctor again.")
    pip = interpreter.with_name("pip")
    return problem(f"onnxruntime: {said[1:]}.", f"Install it: {pip} install onnxruntime")


def in_a_process(interpreter: Path, script: str, *arguments: str) -> str | Finding:
    """What a script that imports engines prints; or why it could not be run to its end."""
    try:
        done = subprocess.run(
            [interpreter, "-c", script, *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_IMPORT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except OSError as error:
        return problem(
            f"{interpreter}: this user cannot start it: {error.strerror}.",
            "Run the doctor as the agent's user; keep edge-runtime where that user may run it: /opt.",
        )
    except subprocess.TimeoutExpired as error:
        return problem(
            f"{_looked_for(error.stdout)} could not be imported within {_IMPORT_S:g} s.",
            "Look whether the disk is slow or failing: dmesg; a package that hangs can be uninstalled.",
        )
    if done.returncode == -signal.SIGILL:
        return problem(
            "The engine ends at once (SIGILL): the processor lacks instructions it was built for.",
            "Use an onnxruntime that was built for this processor, or another board.",
        )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        pip = interpreter.with_name("pip")
        return problem(
            f"The engine's process fails: {last[:300]}.",
            f"Install it anew: {pip} install --force-reinstall edge-runtime",
        )
    return done.stdout.strip()


def _looked_for(said: bytes | None) -> str:
    """The last that a process said it looks for."""
    lines = (said or b"").decode(errors="replace").splitlines()
    looks = [line.removeprefix(LOOKS) for line in lines if line.startswith(LOOKS)]
    return looks[-1] if looks else "The engine"
