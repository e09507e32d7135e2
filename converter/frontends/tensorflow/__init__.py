"""Keras models and SavedModels to ONNX: frozen by TensorFlow, translated by tf2onnx, finished by us.

    library     the one module that imports TensorFlow, Keras and tf2onnx
    loading     .keras, .h5 and SavedModel folders
    structure   which inputs a Keras model takes, what its outputs are called
    tracing     a model as one function of a tensor an input, its batch unknown
    freezing    that function as a graph of constants
    handlers/   operators that tf2onnx lacks
    graph       tf2onnx called, its result made the same in every process
    limits      the numbers that an Embedding has in its table
    texts       the tokenizer of TextVectorization, a step before the graph
    source      what the model itself says, for parity
    front_end   all of it, as the converter wants it

See docs/adr/0017.
"""
