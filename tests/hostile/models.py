"""Real models to change: a forest, networks in fp32 and int8, a table with texts, and one with a Loop.

Each comes in a whole bundle; a changed model is sealed and signed into it again, so that nothing else
is wrong with it.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from edge_runtime.arrays import decode_npy
from edge_runtime.bundle import open_bundle, seal
from edge_runtime.bundle.manifest import Input, Manifest, Output
from tests.converter.quantization import networks
from tests.support.graphs import write_bundle
from tests.support.persons import persons_table
from tests.support.tiny_bundle import KEY, tiny_bundle

FOREST = Path(__file__).parents[1] / "compat" / "format-1" / "motion-1.0.0.edge"
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Subject:
    """A good bundle that is changed. `model`: the ONNX file of its one variant."""

    name: str
    manifest: Manifest
    artifacts: dict[str, bytes]
    model: bytes

    def sealed(self, model: bytes, version: str = "1.0.0") -> bytes:
        """The bundle with another model in it, canonical and properly signed."""
        (variant,) = self.manifest.variants
        variant = msgspec.structs.replace(variant, size_bytes=len(model))
        manifest = msgspec.structs.replace(self.manifest, version=version, variants=(variant,))
        return seal(manifest, {**self.artifacts, variant.file: model}, [KEY])

    @property
    def golden_input(self) -> Array | None:
        """The golden inputs, float32 (n, ...); None of a table."""
        return None if self.manifest.is_table else self._read(self.manifest.golden.inputs[0])

    @property
    def golden_outputs(self) -> dict[str, Array]:
        """The right outputs by meaning."""
        files = zip(self.manifest.outputs, self.manifest.golden.outputs, strict=True)
        return {output.meaning: self._read(file) for output, file in files}

    def _read(self, file: str) -> Array:
        return decode_npy(self.artifacts[file], file)


@cache
def subjects() -> tuple[Subject, ...]:
    """One of each kind."""
    return (
        _subject("forest", lambda path: path.write_bytes(FOREST.read_bytes())),
        _subject("network", lambda path: _network(path, networks.series())),
        _subject("int8", lambda path: _network(path, _quantized())),
        _subject("table", persons_table),
        _subject("loop", lambda path: path.write_bytes(tiny_bundle(behaviour="hangs_on_large"))),
    )


def _subject(name: str, write: Callable[[Path], object]) -> Subject:
    with tempfile.TemporaryDirectory() as folder:
        write(path := Path(folder, "good.edge"))
        with open_bundle(path, root=None, allow_unsigned=True) as bundle:
            artifacts = {each: bundle.read(each) for each in bundle.manifest.files}
            return Subject(name, bundle.manifest, artifacts, artifacts[bundle.manifest.variants[0].file])


def _quantized() -> bytes:
    return networks.made_of(networks.series(), "int8")


def _network(path: Path, model: bytes) -> Path:
    """A transformation of x (n, 4, 32) into value (n, 3)."""
    inputs = networks.data(model, 8)
    value = networks.run(model, inputs)["value"]
    return write_bundle(
        path,
        model,
        task="transformation",
        declared=Input(name="x", dtype="float32", shape=(None, 4, 32)),
        outputs=[Output(name="value", dtype="float32", shape=(None, *value.shape[1:]), meaning="value")],
        golden_input=inputs["x"],
        golden_outputs=[np.asarray(value)],
    )
