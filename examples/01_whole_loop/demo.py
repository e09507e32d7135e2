"""The whole loop on real recordings: train, convert, sign, install, stream, kill, update, report.

Run it with `make demo`. Every claim it prints was checked in this run; the exit status is 0 only if all
of them held. What it leaves is in `demo-output/`: the bundles, every process's log, the fleet's
database and the plot.
"""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from loop import Loop
from processes import DemoError, Processes, command
from report import report
from steps import step
from train import CHANNELS, RATE_HZ, RECORDINGS

HERE = Path(__file__).parent
OUTPUT = HERE.parents[1] / "demo-output"
STRIDE = 25


def main() -> int:
    started = time.monotonic()
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir()
    try:
        make_bundles()
        with Processes(OUTPUT / "logs") as processes:
            loop = Loop(OUTPUT, processes)
            loop.start()
            loop.play_and_interfere()
            loop.deliver(STRIDE)
            held = report(loop, STRIDE)
    except DemoError as error:
        print(f"\ndemo: {error}. Logs are in {OUTPUT / 'logs'}.", file=sys.stderr)
        return 1
    print(
        f"\n{'all claims held' if held else 'NOT all claims held'}; {time.monotonic() - started:.0f} s"
    )
    return 0 if held else 1


def make_bundles() -> None:
    """Train two versions, convert each with its preprocessing, prove parity, sign."""
    with step("train two models on the training half"):
        done = subprocess.run(
            [sys.executable, str(HERE / "train.py"), str(OUTPUT)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise DemoError(f"training failed: {done.stderr.strip().splitlines()[-1]}")
    with step("make a signing key and a root file"):
        command("keys", "generate", OUTPUT / "keys")
    for version in ("1.0.0", "1.1.0"):
        with step(f"convert, prove parity, sign motion-{version}.edge"):
            converted = command(
                *("convert", OUTPUT / f"motion-{version}.joblib", "--json"),
                *("--inputs", f"{RECORDINGS}:test_windows", "--labels", f"{RECORDINGS}:test_labels"),
                *("--name", "motion", "--version", version, "--channels", ",".join(CHANNELS)),
                *("--rate-hz", RATE_HZ, "--stride", STRIDE),
                *("--output", OUTPUT / f"motion-{version}.edge"),
                *("--signing-key", next((OUTPUT / "keys").glob("*.pem"))),
            )
            json.loads(converted)
    print(command("verify", OUTPUT / "motion-1.0.0.edge", "--trust", OUTPUT / "keys" / "root.json"))


if __name__ == "__main__":
    sys.exit(main())
