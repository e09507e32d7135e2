"""The agent's configuration file: what it may say, and how it is told what is wrong."""

import os
import subprocess
from pathlib import Path
from textwrap import dedent

import pytest

from edge_runtime import config
from edge_runtime.config import Config
from edge_runtime.errors import ConfigError
from tests.edge_runtime.store.test_activate import only_what_modes_allow
from tests.support.agent import COMMAND

FULL = """
[device]
id = "watch-01"
data = "state"
trust = "root.json"
[fleet]
url = "mqtts://fleet.example:8883"
ca = "ca.pem"
certificate = "device.pem"
key = "/etc/edge/device.key"
acknowledge = "broker"
[telemetry]
interval_s = 5
max_outbox_bytes = 2_000_000
[[models]]
name = "motion"
bundle = "motion-1.0.0.edge"
[models.source]
url = "mqtt://127.0.0.1:1884"
username = "agent"
password_file = "password"
topic = "sensors/watch"
stride = 25
journal = "/run/edge/motion.ring"
"""

SMALL = """
[device]
id = "watch-01"
[[models]]
name = "motion"
[models.source]
url = "mqtt://127.0.0.1"
topic = "sensors/watch"
"""


def load(folder: Path, text: str) -> Config:
    path = folder / "agent.toml"
    path.write_text(dedent(text))
    return config.load(path)


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    assert str(caught.value).startswith(f"{folder / 'agent.toml'}: ")
    return str(caught.value)


def test_paths_count_from_the_files_folder(tmp_path: Path) -> None:
    found = load(tmp_path, FULL)
    assert found.device.trust == tmp_path / "root.json"
    assert found.store == tmp_path / "state" / "store"
    assert found.fleet is not None
    assert found.fleet.key == Path("/etc/edge/device.key")
    assert found.journal(found.models[0]) == Path("/run/edge/motion.ring")


def test_a_small_file_has_sensible_defaults(tmp_path: Path) -> None:
    found = load(tmp_path, SMALL)
    assert found.fleet is None
    assert found.telemetry.interval_s == 10
    assert found.outbox == tmp_path / "state" / "outbox.db"
    assert found.journal(found.models[0]) == tmp_path / "state" / "journals" / "motion.ring"


def test_real_time_mode_is_off_unless_its_table_is_there(tmp_path: Path) -> None:
    def realtime(line: str) -> config.RealtimeConfig | None:
        return (
            load(tmp_path, SMALL.replace("[models.source]", f"{line}\n[models.source]"))
            .models[0]
            .realtime
        )

    assert realtime("") is None
    assert realtime("realtime = {}") == config.RealtimeConfig(priority=10)
    assert realtime("realtime = { priority = 5 }") == config.RealtimeConfig(priority=5)


def test_the_models_are_eased_no_more_10_degrees_below_the_ceiling_unless_it_is_said(
    tmp_path: Path,
) -> None:
    def resume_below_c(line: str) -> float:
        found = load(tmp_path, SMALL.replace("[[models]]", f"{line}\n[[models]]", 1))
        assert found.device.temperature is not None
        return found.device.temperature.resume_below_c

    assert load(tmp_path, SMALL).device.temperature is None
    assert resume_below_c("temperature = {}") == 70
    assert resume_below_c("temperature = { ceiling_c = 95 }") == 85
    assert resume_below_c("temperature = { ceiling_c = 95, resume_c = 60 }") == 60


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("topic =", "topik ="), "`models[0].source.topik`: no such setting. Did you mean 'topic'?"),
        (("[fleet]", "[flete]"), "`flete`: no such setting. Did you mean 'fleet'?"),
        (("stride = 25", "zzz = 1"), "`models[0].source.zzz`: no such setting. Known here: url,"),
        (
            ("stride = 25", 'stride = "25"'),
            "`models[0].source.stride`: expected a whole number, found '25'. Write it without quotes",
        ),
        (
            ("stride = 25", "stride = 0"),
            "`models[0].source.stride`: expected 1 to 1,000,000 samples, found 0",
        ),
        (
            ('topic = "sensors/watch"', ""),
            "`models[0].source`: expected the setting `topic`, found none. Add it.",
        ),
        (('"sensors/watch"', '"sensors/#"'), "`models[0].source.topic`: expected one topic of"),
        (('id = "watch-01"', 'id = "Watch 1"'), "`device.id`: device id 'Watch 1': expected"),
        (('"motion"', '"Motion"'), "`models[0].name`: name 'Motion': expected"),
        (("interval_s = 5", "interval_s = nan"), "`telemetry.interval_s`: expected 0.1 to 86,400"),
        (("interval_s = 5", "interval_s = 0"), "`telemetry.interval_s`: expected 0.1 to 86,400"),
        (("2_000_000", "2"), "`telemetry.max_outbox_bytes`: expected 1,000,000 to"),
        (
            ('"broker"', '"nobody"'),
            "`fleet.acknowledge`: expected 'collector' or 'broker', found 'nobody'.",
        ),
        (("mqtts://fleet.example:8883", "fleet"), "`fleet.url`: expected mqtt://host:port or"),
        (("mqtts://fleet.example:8883", "http://fleet"), "`fleet.url`: expected mqtt://host:port or"),
        (("fleet.example:8883", "fleet:99999"), "`fleet.url`: expected mqtt://host:port or"),
        (("fleet.example:8883", "fleet/topic"), "`fleet.url`: expected mqtt://host:port or"),
        (("mqtts://fleet", "mqtt://fleet"), "`fleet.url`: ca, certificate and key need TLS."),
        (('certificate = "device.pem"', ""), "`fleet`: certificate and key only work together."),
        (('username = "agent"', ""), "`models[0].source.password_file`: a password needs a username"),
        (('"password"', '""'), "`models[0].source.password_file`: expected a path in quotes, found ''."),
        (
            ("[models.source]", "realtime = { priority = 100 }\n[models.source]"),
            "`models[0].realtime.priority`: expected 1 to 99, found 100.",
        ),
        (
            ("[models.source]", "realtime = true\n[models.source]"),
            "`models[0].realtime`: expected a table, found true.",
        ),
        (
            ("[models.source]", 'variant = ""\n[models.source]'),
            "`models[0].variant`: expected the id of a variant of the bundle, found ''. Name one",
        ),
        (
            ("[models.source]", 'provider = ""\n[models.source]'),
            "`models[0].provider`: expected the name of a provider, found ''. Name one",
        ),
        (
            ("[models.source]", 'variant = "a\\u0000"\n[models.source]'),
            "`models[0].variant`: expected the id of a variant of the bundle, found 'a\\x00'. Name one",
        ),
        (
            ("[models.source]", "memory_mb = 0\n[models.source]"),
            "`models[0].memory_mb`: expected 64 to 1,000,000 MB, found 0.",
        ),
        (
            ("[models.source]", "cpu = -1\n[models.source]"),
            "`models[0].cpu`: expected 0.01 to 1,024 cores, found -1.",
        ),
        (
            ("[fleet]", "temperature = { ceiling_c = 80, resume_c = 80 }\n[fleet]"),
            "`device.temperature.resume_c`: expected less than ceiling_c, 80 °C, found 80. Leave some",
        ),
        (
            ("[models.source]", 'prefer = "fast"\n[models.source]'),
            "`models[0].prefer`: expected 'speed' or 'author', found 'fast'.",
        ),
        (
            ("[fleet]", "temperature = { ceiling_c = nan }\n[fleet]"),
            "`device.temperature.ceiling_c`: expected 20 to 150 °C, found nan.",
        ),
        (
            ("[fleet]", "temperature = { ceiling_c = 200 }\n[fleet]"),
            "`device.temperature.ceiling_c`: expected 20 to 150 °C, found 200.",
        ),
        (("[device]", "[device"), "expected TOML, found: "),
    ],
)
def test_each_fault_is_one_sentence_with_the_keys_path(
    tmp_path: Path, change: tuple[str, str], expected: str
) -> None:
    assert change[0] in FULL
    said = complaint(tmp_path, FULL.replace(*change))
    assert said.removeprefix(f"{tmp_path / 'agent.toml'}: ").startswith(expected)
    assert "\n" not in said


def test_a_password_in_the_url_is_refused_and_not_shown(tmp_path: Path) -> None:
    said = complaint(tmp_path, SMALL.replace("127.0.0.1", "me:secret@host"))
    assert "expected mqtt://host:port" in said
    assert "secret" not in said


def test_two_models_need_two_names_and_two_journals(tmp_path: Path) -> None:
    model = SMALL[SMALL.index("[[models]]") :]
    assert "'motion' is configured twice" in complaint(tmp_path, SMALL + model)
    other = model.replace('"motion"', '"other"')
    shared = SMALL + 'journal = "one.ring"\n' + other + 'journal = "one.ring"\n'
    assert "two models would share one journal" in complaint(tmp_path, shared)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"agent\.toml: cannot be read: No such file"):
        config.load(tmp_path / "agent.toml")
    (tmp_path / "agent.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="expected UTF-8 text"):
        config.load(tmp_path / "agent.toml")
    (tmp_path / "agent.toml").write_bytes(b"#" * (config.MAX_CONFIG_BYTES + 1))
    with pytest.raises(ConfigError, match="at most 1048576 bytes"):
        config.load(tmp_path / "agent.toml")
    (tmp_path / "agent.toml").write_bytes(b"a = " + b"[" * 100_000)
    with pytest.raises(ConfigError, match="expected TOML"):
        config.load(tmp_path / "agent.toml")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("words", ["config check", "run --config", "service show --config"])
def test_a_file_that_may_not_be_read_is_told_with_whom_to_run_as(tmp_path: Path, words: str) -> None:
    file = tmp_path / "agent.toml"
    file.write_text("")
    file.chmod(0o600)
    os.chown(file, 12_345, 12_345)
    done = subprocess.run(
        [COMMAND, *words.split(), file],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=only_what_modes_allow,
    )
    assert done.returncode == ConfigError.exit_code
    assert "agent.toml: cannot be read: Permission denied. It belongs to user 12345, and" in done.stderr
    assert "run it with `sudo -u '#12345'` before it" in done.stderr
