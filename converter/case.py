"""One model with the inputs that its variants are proved on, in the engine that devices use."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

import msgspec
import numpy as np
from numpy.typing import NDArray

from converter.bundling import GRAPH, Identity, golden_files, single_graph, window_of
from converter.converted import ConvertedBundle, listed
from converter.frontends.base import Converted, SourceModel
from converter.inputs import Rows
from converter.parity import Variants, prove
from converter.shipped import Shipped
from converter.source import Answer, Tensors
from converter.variant import loaded, run
from converter.window import WindowSpec
from edge_runtime.bundle.manifest import Manifest, Parity
from edge_runtime.model import Model


@dataclass(frozen=True)
class Case:
    """rows: the held-out inputs. expected: what the source model says of them."""

    named: Identity
    source: SourceModel
    rows: Rows
    expected: Answer
    window: WindowSpec | None

    def draft(self, converted: Converted) -> Manifest:
        """The manifest of one variant for ONNX Runtime, with nothing proven yet."""
        return single_graph(
            self.named,
            self.source,
            onnx=converted.onnx,
            inputs=converted.inputs,
            outputs=converted.outputs,
            refusals=converted.refusals,
            steps=converted.steps,
            exact=converted.exact,
            window=window_of(self.window, self.rows.shape),
            opsets=converted.opsets,
            ir_version=converted.ir_version,
        )

    def fp32(self, converted: Converted) -> Shipped:
        """The variant that always ships. Raises ParityError."""
        parity, found = self.proved(converted)
        variant = msgspec.structs.replace(self.draft(converted).variants[0], parity=parity)
        return Shipped(variant, {GRAPH: converted.onnx}, converted, found)

    def proved(self, converted: Converted) -> tuple[Parity, Tensors]:
        """Parity on all inputs and edge rows, and the variant's answers to the inputs."""
        with ExitStack() as stack:
            model = stack.enter_context(self.model(converted))
            variants = Variants(partial(run, model))
            if converted.halves is not None:
                front = stack.enter_context(self._front_half(converted))
                variants = Variants(variants.whole, partial(run, front))
            return prove(self.source, converted, variants, self.rows, self.expected)

    def answers(self, converted: Converted, rows: Rows | None = None) -> Tensors:
        """What a variant says of the held-out inputs, or of others. Raises InputError, EngineError."""
        with self.model(converted) as model:
            return run(model, self.rows if rows is None else rows)

    @contextmanager
    def model(self, converted: Converted) -> Iterator[Model]:
        """A variant loaded as a device would. Raises EngineError."""
        whole = self.bundle(self.draft(converted), {GRAPH: converted.onnx}, np.arange(1))
        with loaded(whole.manifest, whole.artifacts) as model:
            yield model

    def bundle(
        self, manifest: Manifest, graphs: dict[str, bytes], goldens: NDArray[np.int64]
    ) -> ConvertedBundle:
        """With the files in their places; `goldens` are the places of those among the inputs."""
        outputs = {name: tensor[goldens] for name, tensor in self.expected.tensors.items()}
        return _bundle(manifest, graphs, self.rows.take(goldens), outputs)

    def replay(self, shipped: Shipped, goldens: NDArray[np.int64]) -> None:
        """What a device does before it uses a variant. Raises GoldenMismatchError."""
        draft = self.draft(shipped.whole)
        alone = msgspec.structs.replace(draft.variants[0], parity=shipped.variant.parity)
        manifest = msgspec.structs.replace(
            draft,
            variants=(alone,),
            golden=msgspec.structs.replace(draft.golden, count=len(goldens)),
        )
        self.bundle(manifest, {GRAPH: shipped.whole.onnx}, goldens).replay_goldens()

    @contextmanager
    def _front_half(self, converted: Converted) -> Iterator[Model]:
        """The variant's computed features alone, loaded."""
        assert converted.halves is not None
        draft, one = self.draft(converted), self.rows.take(slice(1))
        half = msgspec.structs.replace(
            draft,
            task="transformation",
            classes=(),
            labels=(),
            refusals=(),
            outputs=(converted.halves.output,),
            golden=msgspec.structs.replace(draft.golden, outputs=draft.golden.outputs[:1]),
        )
        features: Tensors = {"value": converted.halves.features(one)}
        front = _bundle(half, {GRAPH: converted.halves.features_onnx}, one, features)
        with loaded(front.manifest, front.artifacts) as model:
            yield model


def _bundle(
    manifest: Manifest, graphs: dict[str, bytes], golden_rows: Rows, golden_outputs: Tensors
) -> ConvertedBundle:
    """Put the files in place and list them in the manifest, as sealing will."""
    artifacts = {**graphs, **golden_files(manifest, golden_rows, golden_outputs)}
    return ConvertedBundle(msgspec.structs.replace(manifest, files=listed(artifacts)), artifacts)
