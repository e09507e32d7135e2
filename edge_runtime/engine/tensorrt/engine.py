"""The engine: from a variant to a session, by way of a plan that is kept or built."""

from contextlib import suppress

from edge_runtime.bundle import Bundle
from edge_runtime.bundle.manifest import Variant
from edge_runtime.engine.onnxruntime import OnnxRuntimeEngine
from edge_runtime.engine.tensorrt import machine as machines
from edge_runtime.engine.tensorrt.machine import Machine
from edge_runtime.engine.tensorrt.plans import Plans
from edge_runtime.engine.tensorrt.program import Program
from edge_runtime.engine.tensorrt.session import TensorRTSession
from edge_runtime.errors import ConfigError, EngineError, UnavailableError


class TensorRTEngine:
    """Runs plans that it builds on this machine."""

    name = "tensorrt"

    def __init__(self, plans: Plans | None = None, machine: Machine | None = None) -> None:
        """`machine`: what runs plans; looked for when it is needed where nothing is given."""
        self._plans = plans or Plans()
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
        return self._plans.obtain(bundle, variant, self._machine()).notes

    def load(self, bundle: Bundle, variant: Variant, *, threads: int) -> TensorRTSession:
        """Load a variant, building its plan first where none is kept; `threads` are its host part's.

        Raises EngineError for a graph or plan that TensorRT refuses and for tensors that the manifest
        does not have, UnavailableError where this machine is at fault, BundleError for an altered file.
        """
        if threads < 1:
            raise ConfigError(f"threads: expected 1 or more, found {threads}.")
        machine, manifest = self._machine(), bundle.manifest
        # First the plan: building one takes minutes, and memory that the host's part would keep from it.
        program, notes = self._program(bundle, variant, machine)
        assert variant.profile is not None
        try:
            host = (
                OnnxRuntimeEngine().load_host(bundle, variant, threads=threads) if variant.host else None
            )
            return TensorRTSession(
                program,
                manifest.inputs,
                manifest.outputs,
                max_rows=variant.profile.max_rows,
                host=host,
                notes=notes,
            )
        except BaseException:
            with suppress(EngineError):  # what went wrong first is told
                program.close()
            raise

    def _machine(self) -> Machine:
        if self._found is None:
            self._found = machines.find()
        return self._found

    def _program(
        self, bundle: Bundle, variant: Variant, machine: Machine
    ) -> tuple[Program, tuple[str, ...]]:
        """The variant's program, and what is to be reported. A kept plan that fails is built anew."""
        subject = bundle.subject(variant.file)
        plan = self._plans.obtain(bundle, variant, machine)
        try:
            return Program(machine.trt, machine.cuda, plan.data, subject), plan.notes
        except UnavailableError:
            raise
        except EngineError as error:
            if not plan.was_kept:
                raise
            plan = self._plans.renew(bundle, variant, machine, str(error))
        return Program(machine.trt, machine.cuda, plan.data, subject), plan.notes
