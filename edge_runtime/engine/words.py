"""Foreign words in sentences of ours."""

_MAX_TOLD = 300


def one_line(text: str) -> str:
    """Foreign words on one line of bounded length."""
    text = " ".join(text.split())
    return text if len(text) <= _MAX_TOLD else f"{text[:_MAX_TOLD]}..."
