"""What a conversion gives: a bundle in memory, to be looked at, replayed and saved."""

import hashlib
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from converter import report
from converter.evidence import Evidence, measured
from converter.page import page
from converter.quantization.choices import FILE as CHOICES
from converter.quantization.outcome import Tried
from converter.variant import loaded
from edge_runtime.bundle import load_private_key, seal, sketches
from edge_runtime.bundle.manifest import File, Manifest
from edge_runtime.durable import replace_file, translated
from edge_runtime.errors import ConfigError, StorageError

_log = logging.getLogger("converter")
KeyPath = str | os.PathLike[str]


@dataclass(frozen=True)
class ConvertedBundle:
    """A converted, proven model: its manifest and the artifacts that go with it.

    notes: for people, one sentence a board that the bundle was made for. tried: the variants that
        quantization tried. Neither is part of the bundle: they hold times, and the same model and
        choices convert to the same bytes. evidence: nor is that; the page measures with it.
    """

    manifest: Manifest
    artifacts: dict[str, bytes]
    notes: tuple[str, ...] = ()
    tried: tuple[Tried, ...] = ()
    evidence: Evidence | None = None

    @property
    def choices(self) -> bytes:
        """What makes the same variants again: `convert(..., choices=…)`. Raises ConfigError without."""
        if CHOICES not in self.artifacts:
            raise ConfigError(
                "choices: nothing was chosen here, as no variants were asked for. Convert with "
                "quantize=True."
            )
        return self.artifacts[CHOICES]

    def report(self) -> str:
        """What was converted, parity, accuracy and what became of each board, for a terminal."""
        return report.report(self.manifest, self.notes, self.tried)

    def report_html(self, comparison: str = "") -> str:
        """The same with plots, one HTML file; it measures every variant here, half a second each.

        comparison: the section about other candidates, where it was chosen among some.
        """
        found = () if self.evidence is None else measured(self.manifest, self.artifacts, self.evidence)
        reference = self.manifest.reference
        known = None if reference is None else sketches.decode(self.artifacts[reference.file])
        return page(
            self.manifest,
            tuple(found),
            known,
            self.notes,
            tried=self.tried,
            comparison=comparison,
        )

    def replay_goldens(self) -> None:
        """What every device will do before it activates the bundle. Raises GoldenMismatchError."""
        with loaded(self.manifest, self.artifacts) as device:
            device.replay_goldens()

    def adding(self, artifacts: dict[str, bytes], **changes: Any) -> "ConvertedBundle":
        """The same bundle with further files and these members of the manifest changed."""
        files = {**self.manifest.files, **listed(artifacts)}
        manifest = msgspec.structs.replace(self.manifest, files=files, **changes)
        return replace(self, manifest=manifest, artifacts={**self.artifacts, **artifacts})

    def to_bytes(self, *, signing_key: KeyPath | Sequence[KeyPath] | None = None) -> bytes:
        """The bundle file's bytes, signed with each key (a PEM file's path). Same keys, same bytes."""
        given = [signing_key] if isinstance(signing_key, str | os.PathLike) else signing_key or []
        return seal(self.manifest, self.artifacts, [load_private_key(path) for path in given])

    def save(self, path: KeyPath, *, signing_key: KeyPath | Sequence[KeyPath] | None = None) -> Path:
        """Write the bundle to `path`, replacing a file there in one step; returns the path.

        signing_key: path, or paths, of private keys from `edge-runtime keys generate`. Without one
        the bundle is unsigned and devices refuse it unless told otherwise; a warning is logged.
        Raises StorageError when the folder does not exist or the disk is full, TrustError for a key
        that cannot be read.
        """
        target = Path(path)
        check_folder(target)
        raw = self.to_bytes(signing_key=signing_key)
        replace_file(target, raw)
        if not signing_key:
            _log.warning(
                "%s is not signed: devices refuse it. Sign it: edge-runtime sign %s --signing-key KEY",
                target,
                target,
            )
        return target


def check_folder(path: Path) -> None:
    """Refuse an output path that cannot be written, before any work is done."""
    with translated(path):
        if not path.parent.is_dir():
            raise StorageError(f"{path}: its folder does not exist. Make it, or choose another path.")
        if path.exists() and not path.is_file():
            found = "a folder" if path.is_dir() else "a device or another special file"
            raise StorageError(f"{path}: expected a file to write, found {found}. Choose another path.")
    if not os.access(path.parent, os.W_OK):
        raise StorageError(f"{path}: its folder is not writable for you. Choose another path.")


def listed(artifacts: dict[str, bytes]) -> dict[str, File]:
    """The manifest's list of files."""
    return {
        name: File(sha256=hashlib.sha256(data).hexdigest(), size=len(data))
        for name, data in artifacts.items()
    }
