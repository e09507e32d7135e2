"""The plan of a variant: one that is kept, or built now and kept."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.bundle import Bundle
from edge_runtime.bundle.manifest import Variant
from edge_runtime.engine.onnx_file import check_onnx
from edge_runtime.engine.tensorrt.building import Request, build
from edge_runtime.engine.tensorrt.cache import DEFAULT_MAX_BYTES, PlanCache, default_folder
from edge_runtime.engine.tensorrt.key import PlanKey
from edge_runtime.engine.tensorrt.machine import Machine
from edge_runtime.errors import EdgeError, EngineError
from edge_runtime.signals import raise_if_a_handlers


@dataclass(frozen=True)
class Plan:
    """was_kept: whether it was built before. notes: what is to be reported of it."""

    data: memoryview
    was_kept: bool
    notes: tuple[str, ...] = ()


def _to_stderr(text: str) -> None:
    sys.stderr.write(f"{text}\n")


@dataclass(frozen=True)
class Plans:
    """folder: what they are kept in, None for `default_folder`. max_cache_bytes: of all there, at most.
    progress: hears while one is built, in words."""

    folder: Path | None = None
    max_cache_bytes: int = DEFAULT_MAX_BYTES
    progress: Callable[[str], None] = _to_stderr

    def obtain(self, bundle: Bundle, variant: Variant, machine: Machine) -> Plan:
        """The kept plan, or else one that is built. Raises EngineError, BundleError."""
        key = _key(bundle, variant, machine)
        try:
            kept = self._cache().read(key)
        except EdgeError:  # there is no cache: what `_renewed` says of it is enough
            return self._renewed(bundle, variant, machine, key)
        if kept.plan is not None:
            return Plan(kept.plan, was_kept=True)
        return self._renewed(bundle, variant, machine, key, kept.why)

    def renew(self, bundle: Bundle, variant: Variant, machine: Machine, why: str) -> Plan:
        """Build a plan and keep it in place of the one that `why` says is wrong."""
        return self._renewed(bundle, variant, machine, _key(bundle, variant, machine), why)

    def _renewed(
        self, bundle: Bundle, variant: Variant, machine: Machine, key: PlanKey, why: str = ""
    ) -> Plan:
        subject = bundle.subject(variant.file)
        notes = [f"{subject}: its plan is built again: {why}"] if why else []
        data = self._built(bundle, variant, key, machine)
        try:
            self._cache().write(key, data)
        except EdgeError as error:
            raise_if_a_handlers(error)
            notes.append(f"{subject}: its plan is not kept, so each start builds it anew: {error}")
        return Plan(data, was_kept=False, notes=tuple(notes))

    def _cache(self) -> PlanCache:
        return PlanCache(self.folder or default_folder(), max_bytes=self.max_cache_bytes)

    def _built(self, bundle: Bundle, variant: Variant, key: PlanKey, machine: Machine) -> memoryview:
        subject = bundle.subject(variant.file)
        onnx = bundle.read(variant.file)
        check_onnx(onnx, subject)
        request = Request(
            module=machine.library.module,
            capability=key.capability,
            profile=key.profile,
            flags=key.flags,
        )
        self.progress(f"{subject}: building a plan for TensorRT, which may take minutes")
        try:
            return build(
                onnx,
                request,
                progress=lambda words: self.progress(f"{subject}: building: {words}"),
            )
        except EngineError as error:
            raise type(error)(f"{subject}: no plan can be built: {error}.") from error


def _key(bundle: Bundle, variant: Variant, machine: Machine) -> PlanKey:
    profile = variant.profile
    assert profile is not None  # every variant for TensorRT has one, or the manifest is refused
    if profile.min_rows != 1:
        raise EngineError(
            f"{bundle.subject(variant.file)}: expected a profile that takes one row, found "
            f"{profile.min_rows} at least. Convert the model again."
        )
    return PlanKey(
        model=bundle.manifest.files[variant.file].sha256,
        library=machine.library.title,
        version=str(machine.trt.__version__),
        cuda=machine.gpu.cuda,
        capability=machine.gpu.capability,
        board=machine.gpu.board,
        precision=variant.precision,
        profile=profile,
    )
