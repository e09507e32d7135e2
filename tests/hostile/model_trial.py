"""Changed models as a device meets them: the bundle is verified and unpacked, and a worker tries it.

A model that was changed may be refused, may end its worker, and may even do what the good one does. It
may not serve with other outputs than the golden ones, take more than its memory, or be refused in
anything but a sentence.
"""

import os
import shutil
import signal
from collections.abc import Iterable, Iterator
from contextlib import closing
from enum import Enum
from pathlib import Path

import msgspec
import numpy as np

from edge_runtime import errors
from edge_runtime.bundle import open_bundle
from edge_runtime.errors import EdgeError, GoldenMismatchError, WorkerError
from edge_runtime.store.unpack import unpack
from edge_runtime.worker import Worker
from edge_runtime.worker.wire import (
    Connection,
    Failed,
    Infer,
    Looking,
    Prepared,
    Ready,
    Reply,
    Result,
    WireError,
)
from edge_runtime.worker.wire import unpack as unpacked_array
from tests.hostile.case import is_sentence
from tests.hostile.forked import Forker
from tests.hostile.models import FOREST, Subject
from tests.hostile.onnx_mutation import Mutation
from tests.support.tiny_bundle import root

MAX_BYTES = 600 << 20
LIBRARIES_BYTES = 200 << 20  # mapped, which the limit does not count
TIMEOUT_S = 2.5
ROOT = root()
_replies = msgspec.msgpack.Decoder(Reply)


class Ending(Enum):
    """What may become of a changed model."""

    REFUSED = "refused"
    OTHERWISE = "answers otherwise: refused"
    ENDED = "its worker ended"
    ENDLESS = "its worker took too long"
    HARMLESS = "answers as before"


STOPPED = (Ending.ENDED, Ending.ENDLESS)
Verdict = Ending | str  # an ending, or what is wrong


class Trials:
    """Tries changed models, one after the other, with their files below one folder."""

    def __init__(self, forker: Forker, folder: Path, *, limit_bytes: int = MAX_BYTES) -> None:
        """`limit_bytes`: what a worker is limited to; more than MAX_BYTES is a fault in any case."""
        self._forker, self._folder, self._limit_bytes = forker, folder, limit_bytes

    def verdict(self, mutation: Mutation) -> Verdict:
        """Verify the bundle, unpack it, and let a forked worker load it and answer its golden inputs."""
        archive, unpacked = self._folder / "changed.edge", self._folder / "unpacked"
        archive.write_bytes(mutation.sealed())
        with open_bundle(archive, root=ROOT) as bundle:
            unpack(bundle, unpacked)
        try:
            verdict = self.verdict_of(unpacked, mutation.subject)
            return _told(unpacked, verdict) if verdict in STOPPED else verdict
        finally:
            shutil.rmtree(unpacked)

    def verdict_of(self, folder: Path, subject: Subject) -> Verdict:
        """Try an unpacked bundle, whose right outputs are those of `subject`."""
        pid, end = self._forker.fork(folder, self._limit_bytes)
        verdict: Verdict
        with closing(Connection(end)) as connection:
            try:
                verdict = _heard(connection, subject)
            except TimeoutError:
                verdict = Ending.ENDLESS
            except WireError:
                verdict = Ending.ENDED
            if verdict in STOPPED:
                os.kill(pid, signal.SIGKILL)
        peak_bytes = self._forker.ended()
        if peak_bytes > MAX_BYTES + LIBRARIES_BYTES:
            return f"it took {peak_bytes >> 20} MiB, of {MAX_BYTES >> 20} MiB allowed"
        return verdict


def tried(mutations: Iterable[Mutation], folder: Path) -> Iterator[tuple[Mutation, Verdict]]:
    """Each mutation with what became of it."""
    with Forker(FOREST) as forker:
        trials = Trials(forker, folder)
        for mutation in mutations:
            yield mutation, trials.verdict(mutation)


def _told(folder: Path, verdict: Verdict) -> Verdict:
    """What became of a worker is also asked of a real one, whose caller must say so in a sentence."""
    try:
        with Worker.start(folder, timeout_s=TIMEOUT_S, max_bytes=MAX_BYTES):
            return verdict  # it was only slow; what it answers was not seen to be wrong
    except EdgeError as error:
        return verdict if is_sentence(str(error)) else f"no sentence: {str(error)[:300]!r}"


def _heard(connection: Connection, subject: Subject) -> Verdict:
    """What the worker says of the model; where it says that it is ready, what it then answers.

    Raises TimeoutError, WireError where it does not answer.
    """
    reply = _reply(connection)
    while isinstance(reply, Looking | Prepared):  # for an engine, and then it loads
        reply = _reply(connection)
    if isinstance(reply, Failed):
        return _refusal(reply)
    assert isinstance(reply, Ready)
    if (given := subject.golden_input) is None:
        return Ending.HARMLESS
    connection.send(Infer(given.shape, np.ascontiguousarray(given, np.float32).tobytes()), TIMEOUT_S)
    reply = _reply(connection)
    if isinstance(reply, Failed):
        return f"it serves, and then refuses its golden inputs: {reply.text[:300]}"
    assert isinstance(reply, Result)
    fault = _fault(subject, reply)
    return f"it serves with wrong outputs: {fault}" if fault else Ending.HARMLESS


def _reply(connection: Connection) -> Reply:
    return _replies.decode(connection.receive(TIMEOUT_S))


def _refusal(failed: Failed) -> Verdict:
    kind = getattr(errors, failed.kind, None)
    if not is_sentence(failed.text) or kind is None or kind is WorkerError:
        return f"{failed.kind}: {failed.text[:300]}"
    assert issubclass(kind, EdgeError)
    return Ending.OTHERWISE if kind is GoldenMismatchError else Ending.REFUSED


def _fault(subject: Subject, found: Result) -> str:
    """What of an answer to the golden inputs is not within the tolerance; '' where all is."""
    arrays = {
        "probabilities": unpacked_array(found.probabilities, np.float32),
        "value": unpacked_array(found.values, np.float64),
    }
    tolerance = subject.manifest.variants[0].parity.tolerance
    for meaning, wanted in subject.golden_outputs.items():
        if meaning == "label":
            if found.labels != tuple(subject.manifest.classes[at] for at in wanted):
                return f"the labels {found.labels}"
            continue
        values = arrays[meaning]
        if values is None or values.shape != wanted.shape:
            return f"{meaning} of another shape"
        if not np.allclose(values, wanted, rtol=0, atol=tolerance):
            return f"{meaning} off by {np.abs(values - wanted).max():.3g}"
    return ""
