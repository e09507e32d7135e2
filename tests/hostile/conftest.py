"""The count of hostile cases, at the end of a run that tried them."""

from typing import Any

from tests.hostile.attacks import CASES


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """`hostile: 203 cases, 10 groups`, of those that were refused as they should be."""
    ran = [
        report.nodeid.partition("[")[2].removesuffix("]")
        for report in terminalreporter.stats.get("passed", ())
        if "test_a_hostile_case_is_refused[" in report.nodeid
    ]
    if ran:
        groups = {case.group for case in CASES if any(name.startswith(case.group) for name in ran)}
        terminalreporter.write_line(f"hostile: {len(ran)} cases, {len(groups)} groups")
