"""A real browser, without a window: what it says of a page, what the page becomes, how it looks."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from tests.support.programs import program

# No name resolves: whatever the browser itself or a page would fetch fails at once.
_OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
]
_TALL = 6000


@dataclass(frozen=True)
class Opened:
    """console: what the browser said. dom: the page once it was there."""

    console: list[str]
    dom: str


def opened(page: Path) -> Opened:
    done = _run(page, "--enable-logging=stderr", "--dump-dom")
    return Opened([line for line in done.stderr.splitlines() if "CONSOLE" in line], done.stdout)


def picture(page: Path, target: Path, *, width: int) -> None:
    """A PNG of the whole page, cut where nothing follows; as on a screen in light colours."""
    light = "--blink-settings=preferredColorScheme=1"
    _run(page, light, f"--window-size={width},{_TALL}", f"--screenshot={target}")
    with Image.open(target) as whole:
        pixels = np.asarray(whole.convert("RGB"))
        used = np.flatnonzero((pixels != pixels[-1, 0]).any(axis=(1, 2)))
        cut = whole.convert("RGB").crop((0, 0, width, min(_TALL, int(used[-1]) + 40)))
    cut.quantize(128, dither=Image.Dither.NONE).save(target, optimize=True)


def _run(page: Path, *options: str) -> subprocess.CompletedProcess[str]:
    with TemporaryDirectory(prefix="chromium-") as profile:
        command = [program("chromium"), *_OPTIONS, f"--user-data-dir={profile}", *options, page.as_uri()]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
