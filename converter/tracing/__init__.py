"""Numpy code becomes an ONNX graph by running once on tensors that record what is done to them."""
