"""From a bundle file to a slot on the disk: our install beside hashing plus writing, and `zipfile`.

    python benchmarks/install.py [--rounds N] [--no-save]

Signed bundles of 1, 10 and 100 MB, sealed by our own writer: a small model with its golden data and
card, and beside it random weights of that size. Every peer takes the same file to a folder of the same
file system. In each round all peers have a turn, in random order; everything dirty is flushed before
each, off the clock. Compare ratios, round by round: absolute times are this disk's. Warm: the file is
in the page cache. Cold: it was dropped from it before each turn.

Peers
    hash and write      read each payload once, sha256, write, one fsync a file and a folder: the floor
    verify and unpack   ours: structure, signature, manifest, then each payload read, hashed and written
    install             ours: the same with the state of the store before and after it
    zipfile             what a user does instead: sha256 of the file, `extractall`, no fsync

Writes benchmarks/results/install-DATE.md and .json.
"""

import hashlib
import os
import random
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
from machine import describe_machine, in_words, load_average, save, today
from tables import table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from edge_runtime.bundle import open_bundle, read_index
from edge_runtime.store.disk import Store
from edge_runtime.store.unpack import unpack
from tests.support.tiny_bundle import root, tiny_bundle

SIZES_MB = (1, 10, 100)
BOUND = 1.5
WEIGHTS = "variants/fp32/model.onnx.data"
FLOOR = "hash and write"
ROOT = root()
_CHUNK_BYTES = 1 << 20

Peer = Callable[[Path, Path], None]


@click.command(help=__doc__.splitlines()[0])
@click.option("--rounds", default=12, show_default=True, help="Turns of each peer, for each size.")
@click.option(
    "--folder", type=click.Path(path_type=Path), help="Where to write; the usual temporary one."
)
@click.option("--save/--no-save", "keep", default=True, help="Write the result into benchmarks/results.")
def main(rounds: int, folder: Path | None, keep: bool) -> None:
    load_before = load_average()
    measured: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(dir=folder) as name:
        here = Path(name)
        for size_mb in SIZES_MB:
            bundle = make_bundle(here / f"tiny-{size_mb}.edge", size_mb)
            for cold in (False, True):
                click.echo(f"  {size_mb} MB, {'cold' if cold else 'warm'}", err=True)
                times = take_turns(here, bundle, rounds, cold=cold)
                measured.append({"size_mb": size_mb, "cold": cold, "peers": summarise(times)})
            bundle.unlink()
    result = {
        "date": today(),
        "machine": describe_machine(load_before, "cryptography"),
        "load_average_after": round(load_average(), 2),
        "rounds": rounds,
        "bound": BOUND,
        "measured": measured,
    }
    text = report(result)
    click.echo(text)
    if keep:
        save("install", result, text)


def make_bundle(path: Path, size_mb: int) -> Path:
    weights = np.random.default_rng(size_mb).bytes(size_mb * 1_000_000)
    path.write_bytes(tiny_bundle(version="2.0.0", extra={WEIGHTS: weights}))
    return path


def take_turns(here: Path, bundle: Path, rounds: int, *, cold: bool) -> dict[str, list[float]]:
    """Seconds of each peer, one entry a round; the first round, unrecorded, warms all up."""
    before = make_store(here / "before")
    peers: list[tuple[str, Peer]] = [
        (FLOOR, hash_and_write),
        ("verify and unpack", verify_and_unpack),
        ("install", install),
        ("zipfile", extract_all),
    ]
    times: dict[str, list[float]] = {name: [] for name, _ in peers}
    shuffle = random.Random(0).shuffle
    for turn in range(rounds + 1):
        shuffle(peers)
        for name, peer in peers:
            target = here / "target"
            if peer is install:
                shutil.copytree(before, target)
            else:
                target.mkdir()
            os.sync()
            if cold:
                drop_from_cache(bundle)
            began = time.perf_counter()
            peer(bundle, target)
            taken = time.perf_counter() - began
            shutil.rmtree(target)
            if turn:
                times[name].append(taken)
    shutil.rmtree(before)
    return times


def make_store(folder: Path) -> Path:
    """A store that trusts a root and holds an older version of the model."""
    small = folder.with_name("tiny-1.edge.small")
    small.write_bytes(tiny_bundle())
    Store(folder).install(small, root=ROOT)
    small.unlink()
    return folder


def hash_and_write(bundle: Path, target: Path) -> None:
    """The least that leaves the payloads hashed and on the disk. The signature of none is looked at."""
    folders = {target}
    with bundle.open("rb", buffering=0) as file:
        buffer = memoryview(bytearray(_CHUNK_BYTES))
        for name, entry in read_index(file).items():
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            folders |= {path.parent, path.parent.parent} if path.parent != target else set()
            digest, left = hashlib.sha256(), entry.size
            file.seek(entry.offset)
            with path.open("xb", buffering=0) as written:
                while left:
                    count = file.readinto(buffer[: min(left, _CHUNK_BYTES)])
                    assert count
                    digest.update(buffer[:count])
                    written.write(buffer[:count])
                    left -= count
                os.fsync(written.fileno())
            digest.hexdigest()
    for folder in folders:
        descriptor = os.open(folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def verify_and_unpack(bundle: Path, target: Path) -> None:
    with open_bundle(bundle, root=ROOT) as opened:
        unpack(opened, target / "model" / "slot")


def install(bundle: Path, target: Path) -> None:
    Store(target).install(bundle, root=ROOT)


def extract_all(bundle: Path, target: Path) -> None:
    with bundle.open("rb") as file:
        digest = hashlib.sha256()
        for chunk in iter(partial(file.read, _CHUNK_BYTES), b""):
            digest.update(chunk)
        digest.hexdigest()
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(target)


def drop_from_cache(path: Path) -> None:
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def summarise(times: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """By peer; `ratio` is the median of the ratios to the floor within one round, with its quartiles."""
    floor = np.array(times[FLOOR])
    summary = {}
    for name, taken in times.items():
        low, middle, high = np.percentile(np.array(taken) / floor, (25, 50, 75))
        summary[name] = {
            "p50_ms": round(float(np.median(taken)) * 1e3, 3),
            "ratio": round(float(middle), 3),
            "ratio_p25": round(float(low), 3),
            "ratio_p75": round(float(high), 3),
        }
    return summary


def report(result: dict[str, Any]) -> str:
    lines = [
        [
            f"{found['size_mb']} MB, {'cold' if found['cold'] else 'warm'}",
            name,
            f"{peer['p50_ms']:.1f}",
            f"{peer['ratio']:.2f}",
            f"{peer['ratio_p25']:.2f} to {peer['ratio_p75']:.2f}",
        ]
        for found in result["measured"]
        for name, peer in sorted(found["peers"].items())
    ]
    worst = max(found["peers"]["verify and unpack"]["ratio"] for found in result["measured"])
    return f"""# From a bundle file to a slot, {result["date"]}

{in_words(result["machine"], "cryptography")} After: {result["load_average_after"]}.

Made by `benchmarks/install.py`, {result["rounds"]} rounds for each size, every peer once a round in
random order, on one file system. The bundles are signed and sealed by our own writer: a small model, its
golden data, and random weights of the size named. Warm: the file is in the page cache; cold: it was
dropped from it. A ratio is the median of the ratios within one round.

**Verify and unpack** costs {worst:.2f} times hashing plus writing where it costs most; the bound is
{result["bound"]}. **Install** adds the state of the store: two replacements of `state.json`, flushes
of its folders, and the locks, which do not grow with the bundle. `zipfile` flushes nothing: after a
power cut its files may be empty.

{table(("bundle", "peer", "p50 ms", "to hash and write", "quartiles"), lines)}
"""


if __name__ == "__main__":
    main()
