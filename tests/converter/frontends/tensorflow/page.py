"""docs/coverage-keras.md: what becomes of each of the 76 cases."""

from collections.abc import Iterable

from tests.converter.frontends.tensorflow.judging import TOLERANCE, Outcome

_HEAD = f"""# Keras layers and applications, and what becomes of each

Made by `scripts/coverage-keras`; the suite holds every row. Weights are drawn at random, and the graph,
run by ONNX Runtime, is compared with the model's own predictions, one input and five at once. *agrees*:
within {TOLERANCE:g} of the largest output; the number is what was found, up to the next power of ten.

| case | verdict |
|---|---|
"""


def document(outcomes: Iterable[Outcome]) -> str:
    every = list(outcomes)
    lines = "".join(f"| {each.name} | {_verdict(each)} |\n" for each in every)
    agree = sum(each.verdict == "agrees" for each in every)
    return f"{_HEAD}{lines}\n{agree} of {len(every)} convert and agree.\n"


def _verdict(outcome: Outcome) -> str:
    if outcome.verdict == "agrees":
        return f"agrees, {_rounded_up(outcome.error)}"
    return f"{outcome.verdict}: {outcome.text}" if outcome.text else outcome.verdict


def _rounded_up(error: float) -> str:
    """A power of ten that is not below: the digits are another machine's to find."""
    if error == 0:
        return "exactly"
    exponent = -15
    while 10.0**exponent < error:
        exponent += 1
    return f"1e{exponent}"


def read_document(text: str) -> dict[str, str]:
    """Verdict, its first word, by case."""
    rows = [line.split("|")[1:3] for line in text.splitlines() if line.startswith("| ")]
    return {name.strip(): said.split()[0].strip(",:") for name, said in rows if name.strip() != "case"}
