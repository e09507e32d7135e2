"""What the command line refuses, and with which exit code."""

import json
from pathlib import Path

import pytest

from edge_runtime.cli import run


@pytest.mark.parametrize("command", [[], ["serve"], ["broker"], ["status"]])
def test_every_command_explains_itself(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fleet", *command, "--help"]) == 0
    assert "Usage: edge-runtime fleet" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("serve", (2, "--data")),
        ("serve --data D --listen 1883", (2, "expected HOST:PORT")),
        ("serve --data D --listen localhost:99999", (2, "expected HOST:PORT")),
        ("serve --data D --listen localhost:²", (2, "expected HOST:PORT")),
        ("serve --data D --broker mqtt://h:1 --insecure", (2, "--insecure is for our own")),
        ("serve --data D --broker mqtt://h:1 --listen h:1", (2, "--listen is for our own")),
        ("serve --data D --broker http://h:1", (3, "mqtt")),
        ("broker --data D --tls-key k", (2, "go together")),
        ("broker --data D --tls-client-ca ca", (2, "needs --tls-certificate")),
        ("broker --data D --users missing.toml", (3, "missing.toml")),
        ("broker --data D --listen 0.0.0.0:0", (3, "--insecure")),
        ("status --data D", (7, "there is no fleet database")),
    ],
)
def test_a_wrong_command_line_is_told_in_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    expected: tuple[int, str],
) -> None:
    code, complaint = expected
    monkeypatch.chdir(tmp_path)
    assert run(["fleet", *arguments.split()]) == code
    told = capsys.readouterr()
    assert complaint in told.err
    assert "Traceback" not in told.err
    assert told.out == ""


def test_status_of_an_empty_fleet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from devices.fleet.database import Database

    with Database(tmp_path):
        pass
    assert run(["fleet", "status", "--data", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "collector: NOT running; devices: 0\n"
    assert run(["fleet", "status", "--data", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["devices"] == []
    assert run(["fleet", "status", "--data", str(tmp_path), "--device", "arm-7"]) == 4
