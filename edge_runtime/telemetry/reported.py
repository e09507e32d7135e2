"""What a device reports of its models, as far as one message can hold it. Pure."""

from collections.abc import Sequence

import msgspec

from edge_runtime.errors import InputError
from edge_runtime.mqtt import MAX_PAYLOAD_BYTES
from edge_runtime.telemetry.messages import ModelReport

_MAX_BYTES = MAX_PAYLOAD_BYTES - 1_000  # the rest of the message is small


def fitting(models: Sequence[ModelReport]) -> tuple[ModelReport, ...]:
    """The reports as they are, or without what was measured where they would be too large with it.

    Raises InputError: too much even so.
    """
    told = tuple(models)
    if _size(told) > _MAX_BYTES:
        told = tuple(msgspec.structs.replace(each, measured=()) for each in told)
    if (size := _size(told)) > _MAX_BYTES:
        raise InputError(f"the reported state has {size:,} bytes: too much for one message.")
    return told


def _size(models: tuple[ModelReport, ...]) -> int:
    return len(msgspec.json.encode(models))
