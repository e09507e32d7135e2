"""Which way of running a bundle is the best on this very machine: measured once, and remembered.

`measuring` lets every candidate prove itself and be timed, in the process that would serve it;
`decision` takes one; `record` keeps the table for later starts, for as long as `key` says that it holds.
`bringing_up` is the whole way, from a slot to a worker.
"""
