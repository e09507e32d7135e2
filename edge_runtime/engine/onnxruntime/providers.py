"""ONNX Runtime's providers: what each is called, what it is told, how a session gets one.

A provider comes inside ONNX Runtime's own package, or in a plug-in's: a library that is registered and
then names its devices. What it does not take of a graph runs on the processor.

Sources: https://onnxruntime.ai/docs/execution-providers/ (options; plugin-ep-libraries).
"""

import io
import json
import os
import re
from collections.abc import Callable
from contextlib import redirect_stdout
from importlib import import_module
from typing import Any

import msgspec

from edge_runtime.engine.onnxruntime.library import library
from edge_runtime.engine.words import one_line, told
from edge_runtime.errors import UnavailableError
from edge_runtime.signals import raise_if_a_handlers

_PROCESSOR = "CPUExecutionProvider"
_MAX_NAMED = 5
# How ONNX Runtime says which library a provider's library misses.
MISSING = re.compile(r"with error: (?P<library>[^\n]+)")


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """A way to run a graph.

    theirs: what ONNX Runtime calls it. package: what brings it, '' where nothing of PyPI does.
    needs: what must be there, to follow "it needs".
    library: its file in ONNX Runtime's folder, '' where it is linked in. plugin: the module of one.
    options: what it is told, for a number of threads; built_in: only where it is no plug-in.
    copies: inputs are copied to memory of its own.
    """

    theirs: str
    needs: str
    package: str = ""
    library: str = ""
    plugin: str = ""
    options: Callable[[int], dict[str, str]] = lambda _threads: {}
    built_in: dict[str, str] = {}
    copies: bool = False


def _openvino(threads: int) -> dict[str, str]:
    # Left alone it computes float32 as bfloat16 on a processor that has it.
    wanted = {
        "INFERENCE_PRECISION_HINT": "f32",
        "EXECUTION_MODE_HINT": "ACCURACY",
        "INFERENCE_NUM_THREADS": str(threads),
        "NUM_STREAMS": "1",
    }
    return {"load_config": json.dumps({"CPU": wanted})}


PROVIDERS = {
    "tensorrt": Provider(
        theirs="TensorrtExecutionProvider",
        needs="NVIDIA's driver, CUDA, cuDNN and TensorRT of the versions it was built for",
        package="onnxruntime-gpu",
        library="libonnxruntime_providers_tensorrt.so",
        # What it would keep is code, and is looked for in the working directory.
        built_in={
            "trt_engine_cache_enable": "0",
            "trt_timing_cache_enable": "0",
            "trt_fp16_enable": "0",
        },
        copies=True,
    ),
    "tensorrt-rtx": Provider(
        theirs="NvTensorRTRTXExecutionProvider",
        needs="NVIDIA's driver and a GPU that TensorRT-RTX knows",
        package="onnxruntime-ep-nv-tensorrt-rtx-cu13",
        library="libonnxruntime_providers_nv_tensorrt_rtx.so",
        plugin="onnxruntime_ep_nv_tensorrt_rtx",
        copies=True,
    ),
    "cuda": Provider(
        theirs="CUDAExecutionProvider",
        needs="NVIDIA's driver, CUDA and cuDNN of the versions it was built for",
        package="onnxruntime-gpu",
        library="libonnxruntime_providers_cuda.so",
        options=lambda _threads: {"use_tf32": "0"},
        copies=True,
    ),
    "openvino": Provider(
        theirs="OpenVINOExecutionProvider",
        needs="an x86-64 processor, as a plug-in one of Intel's",
        package="onnxruntime-ep-openvino",
        library="libonnxruntime_providers_openvino.so",
        plugin="onnxruntime_ep_openvino",
        options=_openvino,
        built_in={"device_type": "CPU"},
    ),
    "xnnpack": Provider(
        theirs="XnnpackExecutionProvider",
        needs="an ONNX Runtime that was built with it",
        options=lambda threads: {"intra_op_num_threads": str(threads)},
    ),
}


def session_with(name: str, raw: bytes, options: Any, threads: int) -> Any:
    """A session of the ONNX file `raw` that runs through a provider of `PROVIDERS`.

    `options` are its SessionOptions, and are changed. Raises UnavailableError where the provider is not
    on this machine, cannot be used, or takes nothing of this graph.
    """
    provider, onnxruntime = PROVIDERS[name], library()
    if provider.copies:
        # NVIDIA's libraries would round float32 to 10 bits of its 23; they look at their first use.
        os.environ.setdefault("NVIDIA_TF32_OVERRIDE", "0")
        _load_what_pip_installed()
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    if name == "xnnpack":
        options.intra_op_num_threads = 1  # it has threads of its own
    given = provider.options(threads)
    try:
        if devices := _devices(provider):
            options.add_provider_for_devices(devices[:1], given)
            providers = None
        elif provider.theirs in onnxruntime.get_available_providers():
            providers = [(provider.theirs, given | provider.built_in), _PROCESSOR]
        else:
            brings = f" (the package {provider.package} brings it)" if provider.package else ""
            raise _lacking(f"this machine does not have it{brings}", provider)
        session = onnxruntime.InferenceSession(raw, options, providers=providers, enable_fallback=0)
    except UnavailableError:
        raise
    except Exception as error:
        raise_if_a_handlers(error)
        if missing := MISSING.search(str(error)):
            raise _lacking(one_line(missing["library"]), provider) from error
        raise UnavailableError(told(error)) from error
    # One that cannot be started is dropped, and the log alone says so.
    if provider.theirs not in session.get_providers():
        raise _lacking("it cannot be started", provider)
    return session


def _lacking(why: str, provider: Provider) -> UnavailableError:
    return UnavailableError(f"{why}; it needs {provider.needs}")


def _load_what_pip_installed() -> None:
    """Load CUDA's libraries of NVIDIA's packages, which no loader looks for where pip puts them.

    What is missing shows when the provider is started.
    """
    try:
        with redirect_stdout(io.StringIO()):
            library().preload_dlls()  # from 1.21 on
    except Exception as error:  # noqa: BLE001 (whatever it is shows later)
        raise_if_a_handlers(error)


def copies_inputs(name: str) -> bool:
    """Whether what is bound is copied then, and not read again: also by whatever came as a plug-in.

    OpenVINO's, on a processor of Intel's, answers with what its first row was.
    """
    provider = PROVIDERS[name]
    return provider.copies or bool(hasattr(library(), "get_ep_devices") and _of(provider))


def left_over(name: str, session: Any) -> tuple[str, ...]:
    """What of a session's graph its provider leaves to the processor, to be reported.

    Raises UnavailableError when that is everything. ONNX Runtime before 1.24 cannot tell.
    """
    try:
        parts = session.get_provider_graph_assignment_info()
    except Exception as error:  # noqa: BLE001 (of an old version, AttributeError; of a provider that fails at it, anything)
        raise_if_a_handlers(error)
        return ()
    theirs = PROVIDERS[name].theirs
    taken = [len(part.get_nodes()) for part in parts if part.ep_name == theirs]
    left = [node.op_type for part in parts if part.ep_name != theirs for node in part.get_nodes()]
    if not taken:
        raise UnavailableError("it takes no part of this graph")
    if not left:
        return ()
    kinds = list(dict.fromkeys(left))
    more = ", ..." if len(kinds) > _MAX_NAMED else ""
    told_kinds = f"{', '.join(kinds[:_MAX_NAMED])}{more}"
    total = sum(taken) + len(left)
    return (f"{name} runs {sum(taken)} of {total} nodes, the processor the others: {told_kinds}",)


def _devices(provider: Provider) -> list[Any]:
    """What a plug-in offers of this provider, its library registered first. Raises what that raises."""
    onnxruntime = library()
    if not hasattr(onnxruntime, "get_ep_devices"):  # before 1.23
        return []
    if not (found := _of(provider)) and provider.plugin:
        try:
            plugin = import_module(provider.plugin)
        except ModuleNotFoundError as error:
            if error.name != provider.plugin:
                raise
            return []
        onnxruntime.register_execution_provider_library(provider.theirs, plugin.get_library_path())
        found = _of(provider)
        if not found:
            raise _lacking("its plug-in finds no device", provider)
    return found


def _of(provider: Provider) -> list[Any]:
    """Its devices that are registered; of OpenVINO the processor alone."""
    return [
        each
        for each in library().get_ep_devices()
        if each.ep_name == provider.theirs and each.ep_metadata.get("ov_device", "CPU") == "CPU"
    ]
