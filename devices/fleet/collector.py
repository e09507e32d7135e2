"""The collector: takes what devices send, commits it, and only then says so (ADR 0011).

link ─► inbox ─► decode ─► one transaction ─► watermarks ─► link
"""

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import msgspec

from devices.fleet.database import Arrival, Database, Refusal, Watermark
from devices.fleet.folder import is_locked, lock, make_folder
from devices.fleet.inbox import Inbound, Inbox
from devices.fleet.payloads import PayloadError, decode
from edge_runtime.errors import StorageError
from edge_runtime.telemetry.messages import ROOT, Ack, Topics, parse_uplink

log = logging.getLogger(__name__)

SUBSCRIPTIONS = {f"{ROOT}/+/up/#": 1}

_LOCK = "collector.lock"
_LOCK_TIMEOUT_S = 1.0  # whoever asks whether it is taken holds it for a moment
_TURN_S = 0.2
_RETRY_S = (1.0, 30.0)  # first and longest pause while the disk does not take a commit
_QUIET_S = 60.0  # between two log lines about one device's bad payloads
_MAX_QUIET = 10_000


class CollectorLink(Protocol):
    """What the collector needs of `edge_runtime.mqtt.Link`."""

    def start(self) -> None: ...
    def close(self) -> None: ...
    def publish(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False
    ) -> int | None: ...


class Collector:
    """Stores what comes in through `take`, which a link calls from its thread."""

    def __init__(self, database: Database, *, inbox: Inbox | None = None) -> None:
        self._database = database
        self._inbox = inbox or Inbox()
        self._quiet_until: dict[str, float] = {}

    def take(self, topic: str, payload: bytes, retained: bool) -> None:
        """The link's callback. Bounded: when the disk is slower than the devices, it drops."""
        self._inbox.put(topic, payload, retained)

    def run(self, link: CollectorLink, alive: Callable[[], bool]) -> None:
        """Collect while `alive()`, then store what was received and close the link.

        `alive` is asked a few times a second, whatever happens, so it may look after other things too.
        Raises StoreError when the database is unusable.
        """
        link.start()
        try:
            while alive():
                self._turn(link, self._inbox.drain(_TURN_S), alive)
            self._turn(link, self._inbox.drain(0), alive)
        finally:
            link.close()

    def _turn(self, link: CollectorLink, inbound: Sequence[Inbound], alive: Callable[[], bool]) -> None:
        if dropped := self._inbox.take_dropped():
            log.warning("%d messages dropped: they come faster than the disk takes them", dropped)
        messages = [message for raw in inbound if (message := self._decode(raw)) is not None]
        if messages:
            for watermark in self._commit(messages, alive):
                _acknowledge(link, watermark)

    def _decode(self, raw: Inbound) -> Arrival | Refusal | None:
        """The device is who the topic says, as the broker lets it use no other's; never the payload."""
        parsed = parse_uplink(raw.topic)
        if parsed is None:
            return None
        device, kind = parsed
        if not raw.payload and kind in ("status", "reported"):
            return None  # somebody removes the retained message (MQTT 3.1.1, 3.3.1.3)
        try:
            message = decode(kind, raw.payload)
        except PayloadError as error:
            self._tell_refusal(device, kind, str(error))
            return Refusal(device, f"{kind}: {error}")
        return Arrival(device, message, raw.received, raw.retained)

    def _commit(
        self, messages: Sequence[Arrival | Refusal], alive: Callable[[], bool]
    ) -> tuple[Watermark, ...]:
        """A full disk passes: hold what we have, answer nobody, try again. Devices keep their rows."""
        pause_s, longest_s = _RETRY_S
        while True:
            try:
                return self._database.store(messages)
            except StorageError as error:
                log.error("%s Trying again in %.0f s.", error, pause_s)
            until = time.monotonic() + pause_s
            while time.monotonic() < until:
                if not alive():
                    return ()
                time.sleep(_TURN_S)
            pause_s = min(2 * pause_s, longest_s)

    def _tell_refusal(self, device: str, kind: str, reason: str) -> None:
        now = time.monotonic()
        if now < self._quiet_until.get(device, 0):
            return
        if len(self._quiet_until) >= _MAX_QUIET:
            self._quiet_until.clear()
        self._quiet_until[device] = now + _QUIET_S
        log.warning("device %s: a %s payload was refused: %s", device, kind, reason)


@contextmanager
def only_collector(folder: Path) -> Iterator[None]:
    """Hold `folder` for one collector. Raises StoreBusyError when another has it."""
    make_folder(folder)
    descriptor = lock(folder / _LOCK, "collector", wait_s=_LOCK_TIMEOUT_S)
    try:
        yield
    finally:
        os.close(descriptor)


def collector_running(folder: Path) -> bool:
    """Whether a collector holds `folder` now."""
    return is_locked(folder / _LOCK)


def _acknowledge(link: CollectorLink, watermark: Watermark) -> None:
    """While the link is down nothing is sent: the device asks again by sending again.

    Only the stream a device writes now is kept by the broker; an older one's rows are answered too,
    as they come, but must not take the place of that.
    """
    ack = msgspec.json.encode(Ack(stream=watermark.stream, seq=watermark.seq))
    link.publish(Topics(watermark.device).ack, ack, qos=1, retain=watermark.current)
