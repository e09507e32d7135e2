"""Rows to fill an outbox with."""

from edge_runtime.telemetry.messages import Event, Metrics, Prediction


def prediction(number: int, model: str = "motion") -> Prediction:
    return Prediction(
        seq=0,
        time=1.7e9 + number,
        model=model,
        version="1.0.0",
        digest="d" * 64,
        segment="s",
        first=number,
        last=number + 99,
        label="running",
        probabilities=(0.25, 0.75),
        latency_us=12.5,
    )


def predictions(count: int, model: str = "motion") -> list[Prediction]:
    return [prediction(number, model) for number in range(count)]


def event(text: str = "worker died") -> Event:
    return Event(seq=0, time=1.7e9, event=text)


def metrics(**values: float) -> Metrics:
    return Metrics(seq=0, time=1.7e9, values=values)
