"""Folders are really written to, and left as they were."""

import os
import subprocess
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from edge_runtime import config
from edge_runtime.doctor import disk, files
from edge_runtime.doctor.certificates import judge_certificate
from edge_runtime.doctor.findings import Device, Finding
from tests.edge_runtime.store.test_activate import only_what_modes_allow
from tests.support import small_disk
from tests.support.agent import COMMAND, AgentRig
from tests.support.pki import Authority
from tests.support.tiny_bundle import root_bytes

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def device(folder: Path, text: str = "") -> Device:
    path = folder / "agent.toml"
    path.write_text(f'[device]\nid = "watch-01"\ndata = "state"\n{text}')
    return Device(path, config.load(path))


def bad(found: Sequence[Finding]) -> list[Finding]:
    return [each for each in found if each.state != "ok"]


def test_a_folder_that_is_still_to_be_made_is_tried_above(tmp_path: Path) -> None:
    (found,) = files.folders(device(tmp_path))
    assert found.state == "ok"
    assert found.what.endswith(f"can write there, where {tmp_path}/state will be made.")
    assert os.listdir(tmp_path) == ["agent.toml"]


@pytest.mark.parametrize("below", ["store", "store/deeper/still"])
def test_a_file_where_a_folder_should_be_is_a_problem(tmp_path: Path, below: str) -> None:
    (tmp_path / "store").write_text("no folder")
    (found,) = files.folders(Device(store=tmp_path / below))
    assert (found.state, found.what) == (
        "problem",
        f"{tmp_path / below}: expected a folder, but {tmp_path / 'store'} is a file.",
    )


def test_a_folder_that_takes_nothing_is_a_problem(tmp_path: Path) -> None:
    (found,) = files.folders(Device(store=Path("/proc/edge-runtime")))
    assert found.state == "problem"
    assert found.what.startswith("/proc: user ")
    assert "cannot write there" in found.what
    assert "give it to the agent's user" in found.advice


@pytest.mark.skipif(bool(small_disk.why_not()), reason=small_disk.why_not())
def test_a_full_disk_is_not_taken_for_a_right_that_is_missing(tmp_path: Path) -> None:
    with small_disk.ext4(tmp_path, megabytes=24) as folder:
        small_disk.fill(folder)
        (found,) = files.folders(Device(store=folder))
    assert found.what == f"{folder}: nothing can be written there: No space left on device."
    assert found.advice.startswith("Make room there")


@pytest.mark.skipif(bool(small_disk.why_not()), reason=small_disk.why_not())
def test_what_is_wrong_with_a_disk_is_told_once_of_all_folders_on_it(
    tmp_path: Path,
) -> None:
    rig = AgentRig(tmp_path, "mqtt://127.0.0.1:1")
    with small_disk.ext4(tmp_path, megabytes=24) as folder:
        (folder / "journals").mkdir()
        small_disk.fill(folder)
        text = rig.config.read_text().replace('data = "state"', f'data = "{folder}"')
        rig.config.write_text(text)
        (found,) = files.folders(Device(rig.config, config.load(rig.config)))
    assert found.what == f"{folder}: nothing can be written there: No space left on device."


def test_a_folder_that_systemd_will_make_is_no_problem_yet() -> None:
    folder = Path("/var/lib/edge-runtime/journals")

    def judge(there: Path, *, systemd: bool) -> Finding:
        return files.judge_unwritable(folder, there, "me", "Permission denied", systemd=systemd)

    found = judge(Path("/var/lib"), systemd=True)
    assert found.state == "warning"
    assert "systemctl start edge-runtime" in found.advice
    assert judge(folder.parent, systemd=True).state == "problem"
    assert judge(Path("/var/lib"), systemd=False).advice.startswith(f"Make {folder} and give it")


@as_root
def test_a_folder_of_somebody_else_is_told_with_whom_to_run_as(tmp_path: Path) -> None:
    os.chown(tmp_path, 12_345, 12_345)
    tmp_path.chmod(0o755)
    done = subprocess.run(
        [COMMAND, "doctor", "--store", tmp_path],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=only_what_modes_allow,
    )
    lines = done.stdout.splitlines()
    (number,) = (n for n, line in enumerate(lines) if line.startswith("PROBLEM  folders: "))
    assert lines[number].endswith("user root cannot write there: Permission denied.")
    assert "run it with `sudo -u '#12345'` before it" in lines[number + 1]


@as_root
def test_what_root_left_in_the_agents_folder_is_a_problem(tmp_path: Path) -> None:
    data = tmp_path / "state"
    (data / "store").mkdir(parents=True)
    (data / "store" / "state.json").touch()
    os.chown(data, 12_345, 12_345)
    (found,) = bad(list(files.folders(device(tmp_path))))
    assert found.state == "problem"
    assert "2 in it do not" in found.what
    assert f"chown -R 12345 {data}" in found.advice


@as_root
def test_root_is_told_that_it_sees_no_refusals(tmp_path: Path) -> None:
    data = tmp_path / "state"
    data.mkdir()
    os.chown(data, 12_345, 12_345)
    (found,) = bad(list(files.folders(device(tmp_path))))
    assert found.state == "warning"
    assert "sudo -u '#12345' edge-runtime doctor" in found.advice


@as_root
def test_whose_a_folder_is_cannot_be_told_in_a_namespace_that_hides_its_owner(tmp_path: Path) -> None:
    os.chown(tmp_path, 12_345, 12_345)
    line = ["unshare", "--user", "--map-root-user", COMMAND, "doctor", "--store", tmp_path]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    told = f"folders: {tmp_path}: whose it is, is hidden from this process by its user namespace."
    assert told in done.stdout
    assert "nobody" not in done.stdout


def test_named_files_are_opened_and_secrets_are_for_us_alone(tmp_path: Path) -> None:
    text = (
        'trust = "root.json"\n[fleet]\nurl = "mqtt://f"\nusername = "me"\npassword_file = "password"\n'
    )
    (tmp_path / "password").write_text("secret\n")
    (tmp_path / "password").chmod(0o644)
    missing, readable = files.named(device(tmp_path, text))
    assert missing.state == "problem"
    assert f"`device.trust`: {tmp_path}/root.json: user " in missing.what
    assert (readable.state, readable.advice) == ("warning", f"Close it: chmod o= {tmp_path}/password")

    (tmp_path / "password").chmod(0o600)
    (tmp_path / "root.json").write_bytes(root_bytes())
    assert bad(list(files.named(device(tmp_path, text)))) == []


def test_a_certificate_is_judged_by_the_clock(tmp_path: Path) -> None:
    pem = Authority(tmp_path).certificate.read_bytes()
    ends = x509.load_pem_x509_certificate(pem).not_valid_after_utc
    for days, state, words in (
        (-40_000, "problem", "to come"), (-0.1, "warning", "ends on"), (1, "problem", "ended on"),
    ):  # fmt: skip
        found = judge_certificate("ca", pem, (ends + timedelta(days=days)).timestamp())
        assert (found.state, words in found.what) == (state, True)
    assert judge_certificate("ca", b"nothing", 0).state == "problem"


def test_room_is_counted_for_the_largest_bundle_and_the_outbox(tmp_path: Path) -> None:
    (tmp_path / "motion.edge").write_bytes(bytes(1 << 20))
    text = '[[models]]\nname = "motion"\nbundle = "motion.edge"\n'
    text += '[models.source]\nurl = "mqtt://s"\ntopic = "t"\n'
    found = device(tmp_path, text)
    assert disk.needs(found.config) == ((1 << 20) + disk.MARGIN_BYTES, 100_000_000)
    assert bad(list(disk.look(found))) == []
