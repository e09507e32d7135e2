"""The count of hostile cases by group, at the end of a run that tried them."""

from collections import Counter
from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """`hostile: 203 cases refused: forgery 29, …`, of those that were refused as they should be."""
    ran = [
        report.nodeid.partition("[")[2]
        for report in terminalreporter.stats.get("passed", ())
        if "test_a_hostile_case_is_refused[" in report.nodeid
    ]
    if ran:
        by_group = Counter(name.partition(": ")[0] for name in ran)
        told = ", ".join(f"{group} {count}" for group, count in by_group.items())
        terminalreporter.write_line(f"hostile: {len(ran)} cases refused: {told}")
