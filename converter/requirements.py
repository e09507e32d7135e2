"""What a variant requires of the software on a device: a pure decision, from what its graph needs.

Of TensorRT nothing is required: one variant serves the TensorRT of JetPack, from 10.3 on, and
TensorRT-RTX, which counts its own versions and comes as other distributions, and what a variant requires
holds wherever it runs. Which of them is there, and whether it is too old, is for the engine to say.
"""

from collections.abc import Mapping

from edge_runtime.errors import UnsupportedModelError

# Releases of ONNX Runtime that load more than the one before: the newest operator set of ai.onnx and the
# newest IR version. The first is the oldest that devices may have. Found by loading graphs of one
# operator in each minor release from 1.20 to 1.32; https://onnxruntime.ai/docs/reference/compatibility.html
# says that a release loads all older ones. All of these have ai.onnx.ml up to 5.
_RELEASES = (
    ("1.20", 21, 10),
    ("1.21", 22, 10),
    ("1.23", 23, 11),
    ("1.24", 25, 13),
    ("1.25", 26, 13),
    ("1.32", 28, 14),
)
_NEWEST_ML = 5


def of_onnxruntime(opsets: Mapping[str, int], ir_version: int) -> dict[str, str]:
    """What a graph for ONNX Runtime requires: the oldest release that loads it, such as >=1.20.

    opsets: versions by domain, ONNX's own being "ai.onnx". Raises UnsupportedModelError where no
    release that is known does.
    """
    opset, of_trees = opsets.get("ai.onnx", 0), opsets.get("ai.onnx.ml", 0)
    for release, newest, newest_ir in _RELEASES:
        if opset <= newest and of_trees <= _NEWEST_ML and ir_version <= newest_ir:
            return {"onnxruntime": f">={release}"}
    release, newest, newest_ir = _RELEASES[-1]
    raise UnsupportedModelError(
        f"model: expected operators of ai.onnx up to version {newest} and of ai.onnx.ml up to "
        f"{_NEWEST_ML}, and an ONNX file of IR version up to {newest_ir}, which onnxruntime {release} "
        f"takes; found {opset}, {of_trees} and {ir_version}. Export the model with opset_version=17."
    )
