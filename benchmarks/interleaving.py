"""Peers asked the same rows in turn, in random order, so that what else the machine does hits all."""

import gc
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import click
import numpy as np
import onnxruntime
from numpy.typing import NDArray

Peers = dict[str, Callable[[Any], Any]]
MIN_SHARE = 0.9


def interleave(
    peers: Peers, rows: Sequence[Any], count: int, *, block: int, limit_s: float = float("inf")
) -> dict[str, NDArray[np.float64]]:
    """Microseconds of each call, one array a peer; entry i of all arrays is the same row.

    count: how many rows are asked of each peer, less where `limit_s` ends it.
    block: how many rows a peer is asked before it is the next one's turn.
    """
    times = {name: np.empty(count) for name in peers}
    order, shuffle = list(peers.items()), random.Random(0).shuffle
    clock, began, done = time.perf_counter_ns, time.perf_counter(), 0
    gc.collect()
    gc.disable()
    try:
        for first in range(0, count, block):
            if time.perf_counter() - began > limit_s:
                break
            done = min(first + block, count)
            shuffle(order)
            for name, ask in order:
                taken = times[name]
                for at in range(first, done):
                    row = rows[at % len(rows)]
                    started = clock()
                    ask(row)
                    taken[at] = clock() - started
            if limit_s == float("inf") and first * 5 // count != (first - block) * 5 // count:
                click.echo(f"  {first} of {count} rows, blocks of {block}", err=True)
    finally:
        gc.enable()
    return {name: taken[:done] / 1e3 for name, taken in times.items()}


def least_disturbed(measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `measure` finds while this process has MIN_SHARE of the time or more; up to three attempts.

    Where each attempt was disturbed, the one that was least; `share_of_processor` says how much.
    """
    best: dict[str, Any] = {"share_of_processor": -1.0}
    for _ in range(3):
        wall, own = time.perf_counter(), time.process_time()
        found = measure()
        share = (time.process_time() - own) / (time.perf_counter() - wall)
        if share > best["share_of_processor"]:
            best = {"share_of_processor": round(share, 3), **found}
        if share >= MIN_SHARE:
            break
    return best


def asking(raw: bytes) -> Callable[[Any], list[Any]]:
    """A peer: all outputs of an ONNX graph of one input, by one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
    (name,) = (given.name for given in session.get_inputs())
    names = [given.name for given in session.get_outputs()]
    return lambda rows: session.run(names, {name: rows})
