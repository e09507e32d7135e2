"""What a sentence says, whatever numbers it holds: a reason is told once, though it is met for years."""

import re

_NUMBERS = re.compile(r"\b\d\w*")  # so many bytes, an address, a time, the id of a process


def reason(sentence: str) -> str:
    """The same for two sentences that differ by numbers alone; `int8` and `fp32` are no numbers."""
    return _NUMBERS.sub("", sentence)
