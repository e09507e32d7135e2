"""What was run through each provider, as docs/engines.md shows it: the newest result of the benchmark.

    python -m tests.edge_runtime.engine.onnxruntime.support_table

prints the table that the page has to have. `benchmarks/providers.py` makes the result anew.
"""

import json
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

from edge_runtime.boards import board, board_names
from edge_runtime.engine.onnxruntime.providers import PROVIDERS

RESULTS = Path(__file__).parents[4] / "benchmarks" / "results"
_UNTRIED = "untested: no package of PyPI has it"


def lines() -> list[str]:
    """The table's lines."""
    newest = max(RESULTS.glob("providers-*.json"))
    trials = json.loads(newest.read_text())["trials"]
    rows = [
        _row(provider, software, list(each))
        for (provider, software), each in groupby(
            trials, lambda trial: (trial["provider"], trial["software"])
        )
    ]
    tried = {trial["provider"] for trial in trials}
    rows += [_cells(name, "", _UNTRIED) for name in PROVIDERS if name not in tried]
    return ["| provider | package | named by | state |", "|---|---|---|---|", *rows]


def _row(provider: str, software: str, trials: list[dict[str, Any]]) -> str:
    failed = [trial["why"] for trial in trials if "why" in trial]
    if not failed:
        return _cells(provider, software, f"executed: {', '.join(each['bundle'] for each in trials)}")
    why = failed[0].partition(f"provider {provider}: ")[2].partition(";")[0]
    return _cells(provider, software, f"not executed: {why.partition(': No such file')[0]}")


def _cells(provider: str, software: str, state: str) -> str:
    return f"| `{provider}` | {software} | {', '.join(_boards(provider))} | {state} |"


def _boards(provider: str) -> list[str]:
    known = ((name, board(name).onnxruntime) for name in board_names())
    return [f"`{name}`" for name, software in known if software and provider in software.providers]


if __name__ == "__main__":
    sys.stdout.write("\n".join(lines()) + "\n")
