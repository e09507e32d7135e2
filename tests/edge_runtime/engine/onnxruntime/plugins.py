"""Names of plug-ins' packages, and what one has to have."""

from collections.abc import Callable

OPENVINO, TENSORRT_RTX = "onnxruntime_ep_openvino", "onnxruntime_ep_nv_tensorrt_rtx"
GIVES = "def get_library_path(): return {!r}"
Install = Callable[[str, str], None]
