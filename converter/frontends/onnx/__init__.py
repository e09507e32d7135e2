"""ONNX files: checked, cleaned, rewritten in the converter's operator sets, compared with themselves.

    reading     a file, whole
    external    data beside it, read with suspicion
    walking     every node and tensor of a model
    checking    what is refused; functions inlined
    cleaning    what a device does not need taken off; maps made rows of numbers
    ports       inputs and outputs: names, dtypes, sizes
    running     the one module that imports ONNX Runtime: the file asked, nothing optimized
    source      what the file says itself, for parity
    meaning     which outputs are read, and what they mean
    labelled    a label as an output of its own
    batch       the batch made free
    opsets      operators in other versions, where that changes nothing
    rewriting   all that is done to a model before it goes into a graph of ours
    guards      rows that make it stop, marked to be refused
    graph       that graph
    front_end   all of it, as the converter wants it

See docs/adr/0020.
"""
