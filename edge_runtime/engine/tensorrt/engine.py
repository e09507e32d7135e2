"""The engine: from a variant to a session, by way of a plan that is kept or built."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.bundle import Bundle
from edge_runtime.bundle.manifest import Profile, Variant
from edge_runtime.engine.onnx_file import check_onnx
from edge_runtime.engine.onnxruntime import OnnxRuntimeEngine
from edge_runtime.engine.tensorrt import cuda, library
from edge_runtime.engine.tensorrt.building import DEFAULT_TIMEOUT_S, Request, build
from edge_runtime.engine.tensorrt.cache import DEFAULT_MAX_BYTES, PlanCache, default_folder
from edge_runtime.engine.tensorrt.cuda import Cuda, Gpu
from edge_runtime.engine.tensorrt.key import PlanKey
from edge_runtime.engine.tensorrt.library import Library
from edge_runtime.engine.tensorrt.program import Program
from edge_runtime.engine.tensorrt.session import TensorRTSession
from edge_runtime.errors import ConfigError, EdgeError, EngineError, UnavailableError


@dataclass(frozen=True)
class Machine:
    """What runs plans here: the library and its module, CUDA and the GPU."""

    library: Library
    trt: Any
    cuda: Cuda
    gpu: Gpu


@dataclass(frozen=True)
class _Plan:
    data: memoryview
    notes: tuple[str, ...]


def _to_stderr(text: str) -> None:
    sys.stderr.write(f"{text}\n")


class TensorRTEngine:
    """Runs plans that it builds on this machine."""

    name = "tensorrt"

    def __init__(
        self,
        *,
        cache: Path | None = None,
        max_cache_bytes: int = DEFAULT_MAX_BYTES,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        max_bytes: int = 0,
        progress: Callable[[str], None] = _to_stderr,
        machine: Machine | None = None,
    ) -> None:
        """
        Args:
            cache: the folder that plans are kept in; see `default_folder`.
            max_cache_bytes: how many bytes of plans are kept at most.
            timeout_s: how long building one plan may take.
            max_bytes: how much memory building one may take, 0 for as much as this process may.
            progress: hears while a plan is built, in words.
            machine: what runs plans; looked for when it is needed where nothing is given.
        """
        self._folder, self._max_cache_bytes = cache, max_cache_bytes
        self._timeout_s, self._max_bytes, self._progress = timeout_s, max_bytes, progress
        self._found = machine

    def why_unavailable(self) -> str:
        """See `Engine`. Nothing heavy is imported on a machine without a GPU."""
        try:
            self._machine()
        except UnavailableError as error:
            return str(error)
        return ""

    def prepare(self, bundle: Bundle, variant: Variant) -> tuple[str, ...]:
        """Build and keep the variant's plan unless it is kept: what may take minutes, at install.

        Returns what is to be reported. Raises EngineError, BundleError.
        """
        return self._plan(bundle, variant, self._machine()).notes

    def load(self, bundle: Bundle, variant: Variant, *, threads: int) -> TensorRTSession:
        """Load a variant, building its plan first where none is kept; `threads` are its host part's.

        Raises EngineError for a graph or plan that TensorRT refuses and for tensors that the manifest
        does not have, UnavailableError where this machine is at fault, BundleError for an altered file.
        """
        if threads < 1:
            raise ConfigError(f"threads: expected 1 or more, found {threads}.")
        machine, manifest = self._machine(), bundle.manifest
        host = OnnxRuntimeEngine().load_host(bundle, variant, threads=threads) if variant.host else None
        plan = self._plan(bundle, variant, machine)
        assert variant.profile is not None
        program = Program(machine.trt, machine.cuda, plan.data, _subject(bundle, variant))
        try:
            return TensorRTSession(
                program,
                manifest.inputs,
                manifest.outputs,
                max_rows=variant.profile.max_rows,
                host=host,
                notes=plan.notes,
            )
        except BaseException:
            program.close()
            raise

    def _machine(self) -> Machine:
        if self._found is None:
            self._found = find_machine()
        return self._found

    def _plan(self, bundle: Bundle, variant: Variant, machine: Machine) -> _Plan:
        """The variant's plan, kept or built, and what is to be reported of that."""
        subject = _subject(bundle, variant)
        profile = variant.profile
        assert profile is not None  # as the manifest was checked for
        if profile.min_rows != 1:
            raise EngineError(
                f"{subject}: expected a profile that takes one row, found {profile.min_rows} at least. "
                "Convert the model again."
            )
        key = _key(bundle, variant, profile, machine)
        notes = []
        cache = None
        try:
            cache = PlanCache(self._folder or default_folder(), max_bytes=self._max_cache_bytes)
        except EdgeError as error:
            notes.append(f"{subject}: its plan is not kept: {error}")
        if cache is not None:
            kept = cache.read(key)
            if kept.plan is not None:
                return _Plan(kept.plan, ())
            if kept.why:
                notes.append(f"{subject}: its plan is built again: {kept.why}")
        data = self._built(bundle, variant, key, subject)
        if cache is not None:
            try:
                cache.write(key, data)
            except EdgeError as error:
                notes.append(f"{subject}: its plan is not kept, so each start builds it anew: {error}")
        return _Plan(data, tuple(notes))

    def _built(self, bundle: Bundle, variant: Variant, key: PlanKey, subject: str) -> memoryview:
        onnx = bundle.read(variant.file)
        check_onnx(onnx, subject)
        request = Request(
            module=self._machine().library.module,
            capability=key.capability,
            profile=key.profile,
            flags=key.flags,
            max_bytes=self._max_bytes,
        )
        self._progress(f"{subject}: building a plan for TensorRT, which may take minutes")
        try:
            return build(
                onnx,
                request,
                timeout_s=self._timeout_s,
                progress=lambda words: self._progress(f"{subject}: building: {words}"),
            )
        except EdgeError as error:
            raise type(error)(f"{subject}: no plan can be built: {error}.") from error


def find_machine() -> Machine:
    """What runs plans on this machine. Raises UnavailableError that says what is missing."""
    found = library.installed()
    if not found:
        raise UnavailableError(f"TensorRT is not installed; try: {library.hint()}")
    gpu = cuda.find()  # before the import: that takes 100 MB
    reasons = []
    for each in found:
        try:
            return Machine(each, library.imported(each), *gpu)
        except UnavailableError as error:
            reasons.append(str(error))
    raise UnavailableError("; ".join(reasons))


def _key(bundle: Bundle, variant: Variant, profile: Profile, machine: Machine) -> PlanKey:
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


def _subject(bundle: Bundle, variant: Variant) -> str:
    return f"{bundle.manifest.name} {bundle.manifest.version}, {variant.file}"
