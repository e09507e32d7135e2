"""Commands of the agent: `run`, `config check` and `config example`."""

import json
from pathlib import Path

import click

_PATH = click.Path(readable=False, path_type=Path)  # what may not be read is told like other faults


@click.command()
@click.option("--config", "config_file", metavar="FILE", type=_PATH, required=True, help="TOML file.")
@click.option(
    "--ready-file",
    metavar="PATH",
    type=_PATH,
    help="Write a JSON document there once everything runs, and again when process ids change.",
)
@click.option(
    "--log-level",
    type=click.Choice(["error", "warning", "info", "debug"]),
    default="info",
    show_default=True,
    help="Tell what is as bad as this, or worse.",
)
def run(config_file: Path, ready_file: Path | None, log_level: str) -> None:
    """Run this device's agent until it is interrupted.

    It installs what FILE names, hears the sensors, runs each model in a process of its own, keeps the
    predictions in an outbox, and sends them to the fleet whenever its broker is there. What happens is
    told on standard error, one line a thing. See docs/agent.md.
    """
    from edge_runtime import config
    from edge_runtime.agent import supervisor
    from edge_runtime.service.journal import Level

    supervisor.run(config.load(config_file), ready_file, Level.named(log_level))


@click.group("config")
def config() -> None:
    """Look at an agent's configuration file."""


@config.command(short_help="Print a commented example.")
def example() -> None:
    """Print a configuration file with every setting and what it is for; it passes `config check`."""
    from importlib import resources

    click.echo(
        resources.files("edge_runtime.config").joinpath("example.toml").read_text("utf-8"), nl=False
    )


@config.command(short_help="Check a configuration file; start nothing.")
@click.argument("file", metavar="FILE", type=_PATH)
@click.option("--connect", is_flag=True, help="Try the brokers, too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
def check(file: Path, connect: bool, as_json: bool) -> None:
    """Check FILE without starting anything, and tell what the agent would do.

    Every fault is told with its key. The files that FILE names are read, the bundle's signature is
    verified and its contents are hashed. A sensor or provider that FILE names and this machine does not
    have is a warning: the device may be another machine.
    """
    import msgspec

    from edge_runtime.agent.check import check_file
    from edge_runtime.errors import ConfigError

    findings = check_file(file, connect=connect)
    problems = [finding for finding in findings if finding.problem]
    if as_json:
        document = {
            "file": str(file),
            "ok": not problems,
            "findings": msgspec.to_builtins(findings),
        }
        click.echo(json.dumps(document))
    else:
        for one in findings:
            mark = "PROBLEM" if one.problem else "warning" if one.warning else "ok     "
            about = one.subject and f"{one.subject}: "
            click.echo(f"{mark}  {about}{one.problem or one.warning or one.text}")
    if len(problems) == 1:
        about = problems[0].subject and f"`{problems[0].subject}`: "
        raise ConfigError(f"{file}: {about}{problems[0].problem}")
    if problems:
        raise ConfigError(f"{file}: {len(problems)} problems, the first at `{problems[0].subject}`.")
