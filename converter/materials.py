"""`bom.json`: the bundle's bill of materials, a CycloneDX 1.6 ML-BOM with a model card in it.

Written as plain JSON: the classes of `cyclonedx-python-lib` 11 have no modelCard, and it would be one
more library to import at every conversion. Tests hold this to its strict validator. It has no clock,
and its serial number follows from its content, so that the same bundle has the same bytes.
"""

import uuid
from collections.abc import Iterator
from typing import Any

from converter.wording import step_of
from edge_runtime.bundle.manifest import Evaluation, File, Manifest, canonical_json
from edge_runtime.bundle.scores import by_class, wilson_interval

_SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"
_MODEL, _HELD_OUT, _TRAINING = "model", "data:held-out", "data:training"
_NEEDED = {"numpy", "onnxruntime"}  # where the model runs; the others made it
_LEARNS = {
    "classification": "supervised",
    "regression": "supervised",
    "clustering": "unsupervised",
    "anomaly": "unsupervised",
}
_MAX_CLASSES = 100


def bill_of_materials(manifest: Manifest) -> bytes:
    """Canonical JSON. `manifest` lists the files of all variants."""
    components = [*_variants(manifest), *_data(manifest), *_libraries(manifest)]
    refs = [component["bom-ref"] for component in components]
    bill = {
        "$schema": _SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"tools": {"components": [_tool(manifest)]}, "component": _model(manifest)},
        "components": components,
        "dependencies": [{"ref": _MODEL, "dependsOn": refs}, *({"ref": ref} for ref in refs)],
    }
    serial = uuid.uuid5(uuid.NAMESPACE_URL, canonical_json(bill).decode())
    return canonical_json({**bill, "serialNumber": f"urn:uuid:{serial}"})


def _tool(manifest: Manifest) -> dict[str, Any]:
    version = manifest.provenance.libraries["edge-runtime"]
    return {"type": "application", "name": "edge-runtime", "version": version}


def _model(manifest: Manifest) -> dict[str, Any]:
    return {
        "type": "machine-learning-model",
        "bom-ref": _MODEL,
        "name": manifest.name,
        "version": manifest.version,
        "description": f"{manifest.task}, converted from {manifest.provenance.source}",
        "externalReferences": [{"type": "model-card", "url": "card.md"}],
        "modelCard": _card(manifest),
        "properties": [{"name": "edge-runtime:release", "value": str(manifest.release)}],
    }


def _card(manifest: Manifest) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "task": manifest.task,
        "modelArchitecture": manifest.provenance.source,
        "datasets": [{"ref": component["bom-ref"]} for component in _data(manifest)],
        "inputs": [{"format": each.dtype} for each in manifest.inputs],
        "outputs": [{"format": f"{each.meaning}: {each.dtype}"} for each in manifest.outputs],
    }
    if manifest.task in _LEARNS:
        parameters["approach"] = {"type": _LEARNS[manifest.task]}
    card: dict[str, Any] = {"modelParameters": parameters}
    if manifest.evaluation is not None:
        metrics = list(_metrics(manifest.evaluation, manifest.classes))
        card["quantitativeAnalysis"] = {"performanceMetrics": metrics}
    steps = [
        {"name": f"edge-runtime:step:{at}", "value": step_of(step)}
        for at, step in enumerate(manifest.preprocessing)
    ]
    return {**card, "properties": steps}


def _metrics(evaluation: Evaluation, classes: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Every score by scikit-learn's name of it; of a class with the class as slice."""
    if evaluation.accuracy is not None:
        low, high = wilson_interval(evaluation.accuracy, evaluation.inputs)
        bounds = {"lowerBound": f"{low:.6g}", "upperBound": f"{high:.6g}"}
        yield {**_metric("accuracy", evaluation.accuracy), "confidenceInterval": bounds}
    for name in (
        *("macro_f1", "weighted_f1", "roc_auc", "log_loss"),
        *("mean_squared_error", "mean_absolute_error", "r2"),
    ):
        if (score := getattr(evaluation, name)) is not None:
            yield _metric(name, score)
    for of_class, scores in by_class(evaluation, classes)[:_MAX_CLASSES]:
        for name in ("precision", "recall", "f1"):
            yield {**_metric(name, getattr(scores, name)), "slice": of_class}
    if (found := evaluation.cross_validation) is not None:
        yield {
            **_metric(found.metric, found.mean),
            "slice": f"{len(found.scores)} folds of training data",
        }


def _metric(name: str, score: float) -> dict[str, Any]:
    return {"type": name, "value": f"{score:.6g}"}


def _variants(manifest: Manifest) -> Iterator[dict[str, Any]]:
    """The files that hold the model, one component each."""
    for variant in manifest.variants:
        for name in filter(None, (variant.file, variant.host)):
            yield {
                "type": "file",
                "bom-ref": f"file:{name}",
                "name": name,
                "description": f"{variant.precision} for {variant.engine}",
                "mime-type": "application/octet-stream",
                "hashes": [_hash(manifest.files[name])],
            }


def _data(manifest: Manifest) -> Iterator[dict[str, Any]]:
    yield _dataset(_HELD_OUT, "held-out inputs", manifest.provenance.inputs_sha256)
    if reference := manifest.reference:
        yield _dataset(_TRAINING, "training inputs", reference.inputs_sha256)


def _dataset(ref: str, name: str, sha256: str) -> dict[str, Any]:
    return {
        "type": "data",
        "bom-ref": ref,
        "name": name,
        "hashes": [{"alg": "SHA-256", "content": sha256}],
        "data": [{"type": "dataset", "name": name}],
    }


def _libraries(manifest: Manifest) -> Iterator[dict[str, Any]]:
    for name, version in sorted(manifest.provenance.libraries.items()):
        yield {
            "type": "library",
            "bom-ref": f"pkg:pypi/{name}@{version}",
            "name": name,
            "version": version,
            "purl": f"pkg:pypi/{name}@{version}",
            "scope": "required" if name in _NEEDED else "excluded",
        }


def _hash(file: File) -> dict[str, str]:
    return {"alg": "SHA-256", "content": file.sha256}
