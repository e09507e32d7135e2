"""From a variant to a session of ONNX Runtime.

What is loaded is what was checked: bytes whose digest matched, or, of a large model, the open file that
they came from, under a path that leads nowhere else. Nothing beside the model is looked for. See
docs/adr/0004-engine-seam.md and 0030-providers-and-large-models.md.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from edge_runtime.bundle import Bundle
from edge_runtime.bundle.manifest import Variant
from edge_runtime.engine.onnx_file import check_onnx
from edge_runtime.engine.onnxruntime.library import CPU, NAME, SILENT, library
from edge_runtime.engine.onnxruntime.session import OnnxRuntimePart, OnnxRuntimeSession
from edge_runtime.engine.words import as_engine_error, told
from edge_runtime.errors import ConfigError, UnavailableError
from edge_runtime.memory import TOO_LITTLE, return_freed_memory, says_refused

# A session of an ONNX file, its bytes or its path, with these options, for a number of threads.
Start = Callable[[Any, Any, int], Any]
# Below this the copies cost nothing that anybody would notice.
_LARGE_BYTES = 1 << 20


class OnnxRuntimeEngine:
    """Runs ONNX files on the processor, or through the provider that is asked for."""

    name = NAME

    def why_unavailable(self) -> str:
        try:
            library()
        except ImportError as error:
            if says_refused(str(error)):
                return f"{TOO_LITTLE}: {told(error)}"
            return f"it cannot be imported: {told(error)}; try: pip install onnxruntime"
        return ""

    def providers(self, _variant: Variant, board: str, /) -> tuple[str, ...]:
        """See `ProvidingEngine`."""
        from edge_runtime.engine.onnxruntime.looking import looked

        return (CPU, *(name for name, why in looked(board).items() if not why))

    def unusable_providers(self, _variant: Variant, board: str, /) -> dict[str, str]:
        """See `ProvidingEngine`."""
        from edge_runtime.engine.onnxruntime.looking import looked

        return {name: why for name, why in looked(board).items() if why}

    def load(
        self, bundle: Bundle, variant: Variant, *, threads: int, provider: str = ""
    ) -> OnnxRuntimeSession:
        """Load a variant with `threads` threads for one run, for one provider; "" is the processor.

        Raises EngineError for a file that is refused, cannot be loaded or is not what the manifest
        says, UnavailableError for a provider that this machine does not have, BundleError when the
        file was altered.
        """
        if threads < 1:
            raise ConfigError(f"threads: expected 1 or more, found {threads}.")
        manifest, subject = bundle.manifest, bundle.subject(variant.file)
        if provider in ("", CPU):
            session = _loaded(bundle, variant.file, subject, threads)
            return OnnxRuntimeSession(session, manifest.inputs, manifest.outputs, subject)
        return self._load_with(provider, bundle, variant, subject, threads)

    def _load_with(
        self, provider: str, bundle: Bundle, variant: Variant, subject: str, threads: int
    ) -> OnnxRuntimeSession:
        from edge_runtime.engine.onnxruntime import providers

        if provider not in providers.PROVIDERS:
            names = ", ".join((CPU, *providers.PROVIDERS))
            raise ConfigError(f"provider: expected one of {names}; found {provider!r}.")
        try:
            with_it = partial(providers.session_with, provider)
            session = _loaded(bundle, variant.file, subject, threads, with_it)
            notes = providers.left_over(provider, session)
        except UnavailableError as error:
            from edge_runtime.engine.onnxruntime.looking import why_unusable

            why = why_unusable(provider) or error  # where it cannot be started at all, that says more
            raise UnavailableError(
                f"{subject}: cannot be run by onnxruntime's provider {provider}: {why}."
            ) from error
        manifest = bundle.manifest
        return OnnxRuntimeSession(
            session,
            manifest.inputs,
            manifest.outputs,
            subject,
            provider=provider,
            copies=providers.copies_inputs(provider),
            notes=notes,
        )

    def load_host(self, bundle: Bundle, variant: Variant, *, threads: int) -> OnnxRuntimePart:
        """Load the part of another engine's variant that runs before it, `Variant.host`; as `load`."""
        subject = bundle.subject(variant.host)
        return OnnxRuntimePart(_loaded(bundle, variant.host, subject, threads), subject)


def _loaded(bundle: Bundle, file: str, subject: str, threads: int, start: Start | None = None) -> Any:
    """A session of one file of a bundle, checked; by default on the processor.

    Raises EngineError, BundleError.
    """
    with bundle.held(file) as held:
        raw = held.read()
        check_onnx(raw, subject)
        # From a path it reads a file once, and of bytes it makes two copies first.
        by_path = start is None and held.path and len(raw) >= _LARGE_BYTES
        model: bytes | str = held.path if by_path else raw
        del raw
        return_freed_memory()  # before a forest needs thirteen times its file for a moment
        try:
            with as_engine_error(f"{subject}: cannot be loaded", NAME):
                session = (start or _on_the_processor)(model, _options(threads), threads)
        finally:
            if by_path:
                held.demand_unwritten()  # also where it failed: that is then why
    # It keeps the file for a fallback, which is off; and what loading freed, of a forest more than
    # stays in use: ONNX Runtime copies a model several times.
    session._model_bytes = None
    del model
    return_freed_memory()
    return session


def _on_the_processor(model: bytes | str, options: Any, _threads: int) -> Any:
    return library().InferenceSession(
        model, options, providers=["CPUExecutionProvider"], enable_fallback=0
    )


def _options(threads: int) -> Any:
    onnxruntime = library()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = SILENT
    # A device has other work than waiting in a busy loop for the next window.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Its own format is no protobuf: what was checked must be what is loaded.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    return options
