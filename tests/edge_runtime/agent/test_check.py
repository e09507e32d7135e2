"""`config check`: what can be said of a configuration without starting anything."""

import json
import os
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from edge_runtime.agent.cli import config as config_command
from edge_runtime.bundle import seal
from edge_runtime.bundle.manifest import decode
from edge_runtime.errors import ConfigError
from edge_runtime.store.disk import Store
from tests.edge_runtime.store.test_trust import SECOND
from tests.support.agent import AgentRig
from tests.support.brokers import Mosquitto
from tests.support.own_engine import own_engine
from tests.support.thermal import Thermal
from tests.support.tiny_bundle import KEY, OTHER_KEY, root, root_bytes, tiny_bundle
from tests.support.unpacked import payloads

NOBODY = "mqtt://127.0.0.1:1"


@pytest.fixture
def rig(tmp_path: Path) -> AgentRig:
    return AgentRig(tmp_path, NOBODY, fleet={"url": NOBODY})


def check(rig: AgentRig, *options: str) -> Result:
    return CliRunner().invoke(config_command, ["check", str(rig.config), *options])


def problems(rig: AgentRig, *options: str) -> dict[str, str]:
    result = check(rig, "--json", *options)
    document = json.loads(result.stdout)
    assert document["ok"] == (not result.exception)
    return {one["subject"]: one["problem"] for one in document["findings"] if one["problem"]}


def test_it_tells_what_the_agent_would_do(rig: AgentRig) -> None:
    result = check(rig)
    assert result.exception is None
    assert "installs 1.0.0 from tiny-1.0.0.edge and runs it" in result.stdout
    assert "hears 'sensors/watch' on mqtt://127.0.0.1:1" in result.stdout
    assert "PROBLEM" not in result.stdout
    assert not rig.data.exists()


def test_every_problem_is_told_and_the_first_is_named_in_the_error(rig: AgentRig) -> None:
    (rig.folder / "tiny-1.0.0.edge").write_bytes(tiny_bundle(name="other"))
    (rig.folder / "root.json").unlink()
    result = check(rig)
    assert isinstance(result.exception, ConfigError)
    assert "2 problems, the first at `device.trust`" in str(result.exception)
    assert result.stdout.count("PROBLEM") == 2


def test_a_root_file_that_is_missing_is_told_once_and_the_bundle_looked_at_without_it(
    rig: AgentRig,
) -> None:
    (rig.folder / "tiny-1.0.0.edge").write_bytes(tiny_bundle(key=OTHER_KEY))
    (rig.folder / "root.json").unlink()
    assert list(problems(rig)) == ["device.trust"]
    assert "1.0.0 in tiny-1.0.0.edge fits; whose it is cannot be told yet" in check(rig).stdout


def test_an_altered_bundle_is_a_problem(rig: AgentRig) -> None:
    path = rig.folder / "tiny-1.0.0.edge"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    assert list(problems(rig)) == ["models[0].bundle"]


def test_a_variant_that_the_bundle_does_not_have_is_a_problem(tmp_path: Path) -> None:
    rig = AgentRig(tmp_path, NOBODY, model={"variant": "int8"})
    told = "tiny 1.0.0: expected a variant 'int8', found fp32. Name one of these."
    assert problems(rig) == {"models[0].variant": told}

    store = Store(rig.data / "store")
    digest = store.install(rig.bundle(), root=root()).digest
    store.tried("tiny", digest, 3)
    store.proved("tiny", digest)
    store.confirmed("tiny", digest)
    text = rig.config.read_text()
    rig.config.write_text(text.replace('bundle = "tiny-1.0.0.edge"\n', ""))
    assert problems(rig) == {"models[0].variant": told}
    rig.config.write_text(
        text.replace('"int8"', '"fp32"\nprovider = "cpu"\nrealtime = { priority = 10 }')
    )
    done = check(rig)
    assert done.exception is None
    how = "variant fp32 and no other, on cpu and nothing else, in real-time mode"
    assert f"runs 1.0.0, which is installed, {how}" in done.stdout


def test_limits_are_told(tmp_path: Path) -> None:
    rig = AgentRig(tmp_path, NOBODY, model={"memory_mb": 200, "cpu": 0.5})
    text = rig.config.read_text().replace("[device]\n", "[device]\ntemperature = { ceiling_c = 85 }\n")
    rig.config.write_text(text)
    said = check(rig).stdout
    assert "eases the models from 85 °C on, and less below 75 °C, by /sys/class/thermal" in said
    assert "and runs it, within 200 MB, with 0.5 cores at most" in said


def test_a_provider_that_no_engine_knows_is_a_problem_which_names_those_there_are(
    tmp_path: Path,
) -> None:
    rig = AgentRig(tmp_path, NOBODY, model={"provider": "gpu0"})
    (told,) = problems(rig).values()
    assert told.startswith("tiny: expected one of cpu, cuda, ")
    assert "; found 'gpu0'. Name one of these, or none" in told
    assert "warning" not in check(rig).stdout


def test_a_provider_that_nobody_of_ours_knows_is_a_warning_also_beside_engines_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site,) = own_engine(tmp_path, imported="raise RuntimeError('imported')").values()
    monkeypatch.syspath_prepend(site.partition(os.pathsep)[0])
    rig = AgentRig(tmp_path, NOBODY, model={"provider": "opnvino"})
    here = "warning  models[0].provider: tiny: is to run on {}, but the providers here are: cpu."
    theirs = " It may be a way of another package's engine, own: once a bundle for that is installed, "
    assert f"{here.format('opnvino')}{theirs}" in check(rig).stdout

    rig.config.write_text(rig.config.read_text().replace('"opnvino"', '"cuda"'))
    assert f"{here.format('cuda')}\n" in check(rig).stdout


def test_what_this_machine_does_not_have_is_a_warning_as_the_device_may_be_another(
    tmp_path: Path,
) -> None:
    thermal = Thermal(tmp_path / "thermal")
    rig = AgentRig(tmp_path, NOBODY, model={"provider": "cuda"})
    asked = f'temperature = {{ ceiling_c = 85, sensor = "{thermal.folder}" }}'
    rig.config.write_text(rig.config.read_text().replace("[device]\n", f"[device]\n{asked}\n"))

    done = check(rig)
    assert done.exception is None
    sensor, provider = (line for line in done.stdout.splitlines() if line.startswith("warning"))
    told = f"{thermal.folder} tells no temperature here, so the models are never eased."
    assert sensor == f"warning  device.temperature.sensor: {told}"
    told = "tiny: is to run on cuda, but the providers here are: cpu"
    assert provider.startswith(f"warning  models[0].provider: {told}")
    document = json.loads(check(rig, "--json").stdout)
    assert document["ok"] is True
    assert sum(bool(one["warning"]) for one in document["findings"]) == 2

    thermal.tell("cpu-thermal", 50_000)
    rig.config.write_text(rig.config.read_text().replace('"cuda"', '"cpu"'))
    assert "warning" not in check(rig).stdout

    thermal.hang("cpu-thermal")
    assert f"{thermal.folder} does not answer here: its driver hangs" in check(rig).stdout
    thermal.answer("cpu-thermal", 50_000)


def test_a_bundle_of_a_stranger_or_of_another_model_is_a_problem(rig: AgentRig) -> None:
    path = rig.folder / "tiny-1.0.0.edge"
    path.write_bytes(tiny_bundle(key=OTHER_KEY))
    assert list(problems(rig)) == ["models[0].bundle"]
    path.write_bytes(tiny_bundle(name="other"))
    assert "expected the model 'tiny', found 'other'" in problems(rig)["models[0].bundle"]


def test_a_bundle_that_this_device_cannot_run_is_a_problem(rig: AgentRig) -> None:
    (rig.folder / "tiny-1.0.0.edge").write_bytes(tiny_bundle(boards=("pi5",)))
    assert problems(rig) == {}

    text = rig.config.read_text()
    rig.config.write_text(text.replace("[device]\n", '[device]\nboard = "pi4"\n'))
    assert "fp32 is made for pi5 (this is pi4)" in problems(rig)["models[0].bundle"]
    assert "a Raspberry Pi 4: variants that were made for other boards" in check(rig).stdout

    (rig.folder / "tiny-1.0.0.edge").write_bytes(tiny_bundle(requires={"onnxruntime": ">=99"}))
    assert "fp32 needs onnxruntime >=99, found" in problems(rig)["models[0].bundle"]


def test_a_model_that_no_stream_can_feed_is_a_problem(rig: AgentRig) -> None:
    files = payloads(tiny_bundle())
    manifest = decode(files.pop("manifest.json"))
    artifacts = {name: data for name, data in files.items() if not name.startswith("signatures/")}
    table = seal(msgspec.structs.replace(manifest, window=None, files={}), artifacts, [KEY])
    (rig.folder / "tiny-1.0.0.edge").write_bytes(table)

    found = problems(rig)["models[0].bundle"]
    assert "tiny-1.0.0.edge: the manifest has no window, so no stream of samples can feed it" in found


def test_a_root_file_other_than_the_pinned_one_is_a_problem(rig: AgentRig) -> None:
    done = rig.install(rig.bundle(), "--trust", rig.folder / "root.json")
    assert done.returncode == 0, done.stderr
    assert problems(rig) == {}
    assert "runs 1.0.0, which is installed" in check(rig).stdout
    (rig.folder / "root.json").write_bytes(root_bytes(OTHER_KEY))
    assert "trusts another root file" in problems(rig)["device.trust"]


def test_after_a_rotation_the_pinned_root_decides_for_the_bundle_as_in_an_install(rig: AgentRig) -> None:
    store = Store(rig.data / "store")
    store.install(rig.bundle(), root=root())
    store.update_trust([SECOND])
    assert "at least 1 of the trusted keys" in problems(rig)["models[0].bundle"]
    rig.bundle(key=OTHER_KEY)
    assert problems(rig) == {}
    assert "trusts root file version 2, which took the place of" in check(rig).stdout


def test_a_store_whose_state_is_damaged_is_a_problem_as_it_is_for_the_agent(rig: AgentRig) -> None:
    Store(rig.data / "store").install(rig.bundle(), root=root())
    (rig.data / "store" / "state.json").write_bytes(b"{")
    found = problems(rig)
    assert list(found) == ["device.data"]
    assert "expected the store's state as it was written" in found["device.data"]


def test_brokers_are_tried_only_when_asked(rig: AgentRig, broker: Mosquitto) -> None:
    assert problems(rig) == {}
    found = problems(rig, "--connect")
    assert list(found) == ["fleet", "models[0].source"]
    assert "nothing listens there" in found["fleet"]
    there = AgentRig(rig.folder, broker.url, fleet={"url": broker.url})
    assert problems(there, "--connect") == {}
    assert "(it answers)" in check(there, "--connect").stdout


def test_a_file_that_is_no_configuration_ends_with_status_3(rig: AgentRig) -> None:
    rig.config.write_text("[device]\nid = 5\n")
    done = rig.command("config", "check", rig.config)
    assert done.returncode == 3
    assert done.stderr == f"error: {rig.config}: `device.id`: expected text in quotes, found 5.\n"


def test_the_agent_does_not_start_when_a_file_of_its_brokers_is_missing(tmp_path: Path) -> None:
    rig = AgentRig(tmp_path, NOBODY, username="me", password_file="password")
    done = rig.command("run", "--config", rig.config)
    assert done.returncode == 3
    assert "the password cannot be read" in done.stderr


def test_every_fault_of_a_file_is_told_at_once(rig: AgentRig) -> None:
    rig.config.write_text("[device]\nid = 5\n[flete]\n[telemetry]\ninterval_s = true\n")
    found = problems(rig)
    assert list(found) == ["flete", "device.id", "telemetry.interval_s"]
    assert found["flete"] == "no such setting. Did you mean 'fleet'?"
    done = rig.command("config", "check", rig.config)
    assert done.returncode == 3
    assert done.stdout.count("PROBLEM  ") == 3
    assert done.stderr == f"error: {rig.config}: 3 problems, the first at `flete`.\n"


def test_the_example_passes_the_check(rig: AgentRig) -> None:
    example = CliRunner().invoke(config_command, ["example"])
    rig.config.write_text(example.stdout)
    assert problems(rig) == {}
