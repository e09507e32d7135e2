"""The command `doctor`."""

import json
import sys
from pathlib import Path

import click

from edge_runtime.service import USUAL_CONFIG

_PATH = click.Path(readable=False, path_type=Path)  # what may not be read is a finding
_MARKS = {"ok": "ok     ", "warning": "warning", "problem": "PROBLEM"}


@click.command(short_help="Tell what is wrong on this machine.")
@click.option(
    "--config",
    "config_file",
    metavar="FILE",
    type=_PATH,
    help=f"The agent's TOML file; {USUAL_CONFIG} where there is one.",
)
@click.option(
    "--store", metavar="DIR", type=_PATH, help="Look at this store; for a machine without agent."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
def doctor(config_file: Path | None, store: Path | None, as_json: bool) -> None:
    """Tell what is wrong on this machine, and what to do; change nothing.

    Run it as the agent's user: sudo -u edge-runtime edge-runtime doctor. It ends with 0 when there is no
    problem (warnings may be), else with 14.
    """
    from edge_runtime import config as settings
    from edge_runtime.doctor.checks import checks_for
    from edge_runtime.doctor.checkup import examine
    from edge_runtime.doctor.findings import Device
    from edge_runtime.errors import MachineError

    if config_file is None and store is None and USUAL_CONFIG.exists():
        config_file = USUAL_CONFIG
    found = settings.read(config_file) if config_file else []
    if isinstance(found, settings.Config):
        device = Device(config_file, found, store)
    else:
        device = Device(config_file, store=store, faults=tuple(found))
    findings = examine(device, checks_for(device), _tell)
    problems = [each for each in findings if each.state == "problem"]
    if as_json:
        rows = [
            {"check": each.check, "state": each.state, "what": each.what, "advice": each.advice}
            for each in findings
        ]
        click.echo(json.dumps({"ok": not problems, "findings": rows}))
    else:
        for each in findings:
            click.echo(f"{_MARKS[each.state]}  {each.check}: {each.what}")
            if each.advice:
                click.echo(f"         {each.advice}")
    if problems:
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        raise MachineError(f"{count} on this machine, the first with {problems[0].check}. See above.")


def _tell(text: str) -> None:
    """For people who wait; a log or a program is told what was found, once it was."""
    if sys.stderr.isatty():
        click.echo(text, err=True)
