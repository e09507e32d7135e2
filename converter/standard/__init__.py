"""Graphs of standard operators in float32, which TensorRT takes: see docs/adr/0016."""
