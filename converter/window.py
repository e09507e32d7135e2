"""What an author may say about the windows a model takes."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class WindowSpec:
    """How a stream of samples becomes the model's windows; their length comes from the inputs.

    channels: one name an axis, in the order of the windows' last axis. Default: "0", "1", …
    rate_hz: samples a second of the recordings the model was trained on; None when not known.
    stride: samples from the start of one window to the start of the next. Default: the length.
    """

    channels: tuple[str, ...] = ()
    rate_hz: float | None = None
    stride: int | None = None
