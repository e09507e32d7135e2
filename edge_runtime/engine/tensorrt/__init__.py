"""TensorRT and TensorRT-RTX behind the engine seam. Importing this package imports neither.

A bundle brings ONNX; a plan is built from it on the device (`building`, in a child process), kept
(`cache`, by `key`) and run (`session`, on `cuda`). See docs/adr/0026-tensorrt-engine.md.
"""
