"""What the agent writes down for the fleet: the outbox, and who empties it."""

import math
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from edge_runtime.agent.log import alert, say, warn
from edge_runtime.agent.reasons import reason
from edge_runtime.agent.rows import MAX_WORDS
from edge_runtime.config import Config
from edge_runtime.errors import InputError, StorageError
from edge_runtime.mqtt import Broker
from edge_runtime.service.journal import Level
from edge_runtime.telemetry.messages import Event, ModelReport, RootReport, Row, Topics
from edge_runtime.telemetry.outbox import Outbox
from edge_runtime.telemetry.publisher import Publisher

_REASONS = 8  # of one event and model that are remembered: they may take turns for years
_AS_IT_SHOULD_BE = {
    "installed",
    "on trial",
    "confirmed",
    "activated",
    "loading note",
    "variant chosen",
    "variant changed",
    "within cpu limit again",
    "eased less",
    "rows on the disk again",
    "temperature known again",
    "sensor in time again",
}
_NEEDS_SOMEBODY = {
    "install failed",
    "internal fault",
    "model cannot start",
    "model stalled",
    "outbox broken",
    "rows in memory only",
    "rejected",
    "store trouble",
    "too hot",
    "trial failed",
}


def level_of(event: str) -> Level:
    """How bad an event is for whoever reads the log; one that is not known is a warning."""
    if event in _AS_IT_SHOULD_BE:
        return Level.INFO
    return Level.ERROR if event in _NEEDS_SOMEBODY else Level.WARNING


def tell(event: str, model: str = "", version: str = "", detail: str = "") -> None:
    """Say an event to whoever reads the log."""
    about = " ".join(part for part in (model, version) if part)
    say(f"{about}{about and ': '}{event}{detail and ': '}{detail}", level_of(event))


class Heard:
    """Tells what becomes of the outbox. `in_memory`: why new rows are there only; '' for on the disk."""

    def __init__(self) -> None:
        self.in_memory = ""

    def __call__(self, event: Event) -> None:
        tell(event.event, detail=event.detail)
        if event.event in ("rows in memory only", "rows on the disk again"):
            self.in_memory = event.detail if event.event == "rows in memory only" else ""


class Books:
    """Thread-safe. A disk that is full stops nothing: what cannot be kept is dropped and counted."""

    def __init__(self, outbox: Outbox, publisher: Publisher | None, heard: Heard | None = None) -> None:
        """`heard`: what hears of the outbox."""
        self._outbox = outbox
        self._heard = heard or Heard()
        self._publisher = publisher
        self._lock = threading.Lock()
        self._lost = 0
        self._untold = 0
        self._full = False
        self._noted = defaultdict[tuple[str, str], deque[object]](lambda: deque(maxlen=_REASONS))

    @property
    def connected(self) -> bool:
        """Whether the fleet's broker is."""
        return self._publisher is not None and self._publisher.connected

    @property
    def in_memory(self) -> str:
        """Why new rows are in memory only; '' where they are on the disk."""
        return self._heard.in_memory

    @property
    def contact_s(self) -> float:
        """When the newest rows that the fleet has acknowledged were sent (see Publisher)."""
        return -math.inf if self._publisher is None else self._publisher.contact_s

    def write(self, rows: Sequence[Row], meta: Mapping[str, bytes] | None = None) -> bool:
        """Commit rows and `meta` together; False when the disk did not take them.

        Raises InputError for a row that nobody would accept.
        """
        try:
            self._outbox.append(rows, meta=meta)
        except StorageError as error:
            with self._lock:
                self._lost += len(rows)
                self._untold += len(rows)
                first, self._full = not self._full, True
            if first:
                alert(f"outbox: {error} Rows are dropped until it takes some again.")
            return False
        with self._lock:
            again, self._full = self._full, False
            untold, self._untold = self._untold, 0
        if again:
            self.note("rows dropped", detail="the outbox could not be written", count=untold)
        return True

    def recall(self, key: str) -> bytes | None:
        """What `meta` last said under `key`; None when it cannot be read."""
        try:
            return self._outbox.recall(key)
        except StorageError as error:
            alert(f"outbox: {error}")
            return None

    def note(
        self, event: str, model: str = "", version: str = "", detail: str = "", count: int = 0
    ) -> None:
        """An event, to the fleet and to whoever watches."""
        tell(event, model, version, detail)
        row = Event(
            seq=0,
            time=time.time(),
            event=event,
            model=model,
            version=version,
            detail=detail[:MAX_WORDS],
            count=count,
        )
        self.write([row])

    def note_once(
        self, event: str, model: str = "", version: str = "", detail: str = "", *, digest: str = ""
    ) -> None:
        """The same, once a reason: not if it is among the last that were noted of this kind for this
        model, but for numbers in it.

        `digest`: of the bundle that it is about; another one may have the same version.
        """
        about = version, digest, reason(detail)
        with self._lock:
            known = self._noted[event, model]
            if about in known:
                return
            known.append(about)
        self.note(event, model, version, detail)

    def report(self, models: Sequence[ModelReport], root: RootReport | None = None) -> None:
        """Tell the fleet what runs here, and whom this device trusts."""
        if self._publisher is not None:
            try:
                self._publisher.set_reported(models, root)
            except InputError as error:
                self.note_once("state not reported", detail=str(error))

    def counters(self) -> dict[str, float]:
        source = self._publisher
        if source is not None:
            counters = {name: float(count) for name, count in source.counters().items()}
        else:
            held = self._outbox.counts()
            counters = {"outbox_rows": float(held.rows), "outbox_dropped": float(held.dropped)}
        counters["outbox_dropped"] += self._lost
        return counters


@contextmanager
def open_books(config: Config, broker: Broker | None) -> Iterator[Books]:
    """The outbox, and with a fleet the publisher that empties it, while the block runs.

    `broker`: the fleet's. Raises StorageError when the outbox cannot be opened.
    """
    with ExitStack() as stack:
        fleet, heard = config.fleet, Heard()
        outbox = Outbox(
            config.outbox,
            max_bytes=config.telemetry.max_outbox_bytes,
            on_event=heard,
        )
        stack.enter_context(outbox)
        publisher = None
        if fleet is not None and broker is not None:
            publisher = Publisher(
                outbox,
                broker,
                Topics(config.device.id),
                acknowledge=fleet.acknowledge,
                on_up=lambda: say(f"fleet's broker {broker.url} is connected"),
                on_down=lambda reason: warn(f"fleet's broker: {reason}"),
            )
            stack.enter_context(publisher)
        yield Books(outbox, publisher, heard)
