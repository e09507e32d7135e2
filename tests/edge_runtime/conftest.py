"""What the harnesses of power cuts and kills have looked at, counted at the end of a run."""

from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """`power: 21 paths, 3,412 crash states, 1,108 kills, 27 planted faults found`, of what passed."""
    told = [
        each for report in terminalreporter.stats.get("passed", ()) for each in report.user_properties
    ]
    paths = {path for name, path in told if name == "power: path"}
    faults = [fault for name, fault in told if name == "power: planted fault"]
    states, kills = (
        sum(count for name, count in told if name == f"power: {what}")
        for what in ("crash states", "kills")
    )
    if paths or faults or states or kills:
        terminalreporter.write_line(
            f"power: {len(paths)} paths, {states:,} crash states, {kills:,} kills, "
            f"{len(faults)} planted faults found"
        )
