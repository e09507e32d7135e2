"""A model's sensor: its broker on one side, its samples' journal on the other."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from edge_runtime.agent.log import say, warn
from edge_runtime.bundle.manifest import Window
from edge_runtime.config import ModelConfig
from edge_runtime.errors import StorageError
from edge_runtime.mqtt import Broker, Link
from edge_runtime.stream.journal import SampleRing, memory_ring, open_ring
from edge_runtime.stream.pipeline import Patience, SampleStream
from edge_runtime.stream.window import Geometry

SAMPLES = 1 << 16
WINDOWS = 16  # of this many lengths at least, however long a window is
MAX_RING_BYTES = 256 << 20


class Sensor:
    """Hears one topic and keeps its samples, until `close`.

    The session on the broker is persistent: what is published while the agent is away waits there.
    `on_trouble(event, detail)` is told once when the journal was broken or cannot be kept in its file.
    """

    def __init__(
        self,
        device: str,
        model: ModelConfig,
        broker: Broker,
        *,
        window: Window,
        journal: Path,
        on_trouble: Callable[[str, str], object],
    ) -> None:
        source = model.source
        self._geometry = geometry(model, window)
        self._channels = window.channels
        self.connected = False
        self._closing = False
        self._name = model.name
        self._link = Link(
            broker,
            client_id=f"edge-runtime-{device}-{model.name}",
            subscriptions={source.topic: 1},
            on_message=self._on_message,
            on_up=self._on_up,
            on_down=self._on_down,
            persistent=True,
            retry_s=(0.5, 5.0),
        )
        ring = _ring(model.name, self._geometry, window, journal, on_trouble)
        patience = Patience(source.wait_s, source.redelivery_s)
        self.stream = SampleStream(ring, window.channels, self._geometry, patience)
        self._link.start()

    def fits(self, channels: tuple[str, ...], cut: Geometry) -> bool:
        """Whether another version of the model can go on with this stream."""
        return (self._channels, self._geometry) == (channels, cut)

    def close(self) -> None:
        self._closing = True
        self._link.close()
        self.stream.close()

    def _on_message(self, topic: str, payload: bytes, retained: bool) -> None:  # noqa: ARG002
        # The link acknowledges when this returns, and by then the samples are in the ring.
        if not retained:  # a retained sample was heard when it was new
            self.stream.take(payload)

    def _on_up(self) -> None:
        self.connected = True
        self.stream.connected(True)
        say(f"{self._name}: hears its sensor's broker {self._link.broker.url}")

    def _on_down(self, reason: str) -> None:
        self.connected = False
        self.stream.connected(False)
        if not self._closing:
            warn(f"{self._name}: sensor's broker: {reason}")


def geometry(model: ModelConfig, window: Window) -> Geometry:
    """The windows to cut: the manifest's, unless the configuration overrides the stride."""
    return Geometry(window.length, model.source.stride or window.stride)


def _ring(
    name: str,
    cut: Geometry,
    window: Window,
    journal: Path,
    on_trouble: Callable[[str, str], object],
) -> SampleRing:
    channels = len(window.channels)
    capacity = max(SAMPLES, WINDOWS * cut.length)
    capacity = max(8 * cut.length, min(capacity, MAX_RING_BYTES // (16 + 4 * channels)))
    kind = f"{name}/{cut.length}/{cut.stride}/{'/'.join(window.channels)}"
    try:
        on_broken = partial(on_trouble, "journal broken")
        return open_ring(journal, capacity, channels, kind, on_broken=on_broken)
    except StorageError as error:
        on_trouble("journal in memory only", str(error))
        return memory_ring(capacity, channels)
