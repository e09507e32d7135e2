"""docs/coverage.md: written from what `coverage` found, and read again to see that nothing got worse."""

from collections.abc import Sequence
from importlib.metadata import version

from tests.converter.coverage import BOARDS, ROLES, Outcome, Row

LIBRARIES = ("scikit-learn", "onnx", "onnxruntime", "tensorrt-rtx-cu13-libs", "numpy")
COLUMNS = (*ROLES, "lowered", "TensorRT")
# From worse to better; what is no such word is worse than all.
_STATES = ("agrees", "agrees, exact leaves")


def document(rows: Sequence[Row]) -> str:
    """The page's part on estimators, the same for the same outcomes and libraries."""
    return "\n".join([*_head(rows), *_counts(rows), *_table(rows), *_reasons(rows), ""])


def read_document(text: str) -> dict[str, dict[str, str]]:
    """What a document says of each estimator, by the name of the column."""
    lines = [line[2:-2].split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {
        name: dict(zip(COLUMNS, cells, strict=True))
        for name, _, *cells in lines
        if len(cells) == len(COLUMNS) and name != "estimator"
    }


def cells(row: Row) -> dict[str, str]:
    """What the document says of an estimator, by the name of the column."""
    found = {role: _cell(row.outcomes[role]) for role in ROLES}
    return {**found, "lowered": _cell(row.lowered), "TensorRT": ", ".join(row.built) or "–"}


def is_worse(column: str, found: str, said: str) -> bool:
    """Whether an estimator is now worse than a document says in a column."""
    if column == "TensorRT":
        return not set(said.split(", ")) <= {*found.split(", "), "–"}
    return said in _STATES and (found not in _STATES or _STATES.index(found) < _STATES.index(said))


def has_variant(row: Row) -> bool:
    """Whether the lowered variant agrees, and TensorRT-RTX builds plans of it for all of BOARDS."""
    return row.lowered.verdict == "agrees" and row.built == tuple(BOARDS.values())


def _head(rows: Sequence[Row]) -> list[str]:
    agree, lowered = sum(row.agrees for row in rows), [row for row in rows if has_variant(row)]
    libraries = ", ".join(f"{library} {version(library)}" for library in LIBRARIES)
    said = _HEAD.format(
        libraries=libraries,
        total=len(rows),
        agree=agree,
        capabilities=" and ".join(BOARDS.values()),
        lowered=len(lowered),
        exact=sum(row.lowered.exact != "" for row in lowered),
        of_exact=sum(row.outcomes["float32"].exact != "" for row in rows),
    )
    return [said.rstrip(), ""]


def _counts(rows: Sequence[Row]) -> list[str]:
    lines = [f"| | {' | '.join(ROLES.values())} | lowered |", f"|---|{'---|' * (len(ROLES) + 1)}"]
    for verdict, words in _WORDS.items():
        counts = [sum(row.outcomes[role].verdict == verdict for row in rows) for role in ROLES]
        counts.append(sum(row.lowered.verdict == verdict for row in rows))
        lines.append(f"| {words} | {' | '.join(map(str, counts))} |")
    return lines


def _table(rows: Sequence[Row]) -> list[str]:
    titles = [*ROLES.values(), "lowered", "TensorRT"]
    lines = ["", f"| estimator | kind | {' | '.join(titles)} |", f"|---|---|{'---|' * len(titles)}"]
    return lines + [f"| {row.name} | {row.kind} | {' | '.join(cells(row).values())} |" for row in rows]


def _reasons(rows: Sequence[Row]) -> list[str]:
    lines = ["", "## What is refused, and how it is said", ""]
    for row in rows:
        if not row.agrees:
            sentences = dict.fromkeys(found.text for found in row.outcomes.values() if found.text)
            lines.append(f"- **{row.name}**: {next(iter(sentences))}")
    lines += ["", "## What has no variant for TensorRT, and how it is said", ""]
    for row in rows:
        if row.agrees and not has_variant(row):
            refused = dict.fromkeys(why for why in row.refusals.values() if why)
            lines.append(f"- **{row.name}**: {' '.join(refused) or row.lowered.text}")
    return lines


def _cell(outcome: Outcome) -> str:
    if outcome.verdict == "agrees":
        return "agrees, exact leaves" if outcome.exact else "agrees"
    return {"-": "–"}.get(outcome.verdict, outcome.verdict)


_WORDS = {
    "agrees": "agrees",
    "refuses": "refuses, and names the reason",
    "none": "has none, and the report names the reason",
    "stopped": "stopped later, by the parity gate or the engine",
    "wrong": "**wrong**",
}
_HEAD = """\
# What converts

Written by `scripts/coverage`, which fits every scikit-learn estimator that predicts or transforms
numbers on a small problem, converts it, and asks both sides about 1,000 other rows. **agrees**: labels
are identical, except where the two best probabilities lie less than 1e-6 apart; numbers differ by at
most 1e-5 of the largest (at least 1); a row alone gets the answer it gets among others. **exact
leaves**: every input reaches the source's leaf in every tree.

Each is tried as the model, predicting or transforming, with inputs declared as float32, float64 and
int64; one that transforms also as a step, with a regression behind it that reads all its columns.
Arguments are the defaults, or smaller; estimators inside others are linear models and trees.

**lowered**: the second variant, for boards with TensorRT, in standard operators and float32, of the
model with inputs declared as float32. It is held to the same on the same rows, in ONNX Runtime.
**TensorRT**: the GPUs, by compute capability, that the real builder of TensorRT-RTX makes a plan for,
from that very file and without such a GPU: **built, not run**.

{libraries}.

**{agree} of {total}** estimators convert and agree, in every role they have. **{lowered}** of them have
a lowered variant that agrees and that TensorRT-RTX builds for compute capability {capabilities}. It has
exact leaves for {exact} of the {of_exact} whose plain variant has.
"""
