"""The collector as the process that users run: real brokers, real disks, real kills."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from devices.cli import fleet
from devices.fleet.collector import collector_running, only_collector
from devices.fleet.reader import Reader
from edge_runtime.telemetry.messages import Prediction, Topics
from tests.devices.fleet.clients import client, wait_for
from tests.devices.fleet.device import device
from tests.devices.fleet.rows import batch, birth, encode, reported, row
from tests.support.fleet_process import FleetProcess, fleet_process
from tests.support.pki import Authority

pytestmark = pytest.mark.end_to_end

ANY = ("--listen", "127.0.0.1:0")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FleetProcess, Path]]:
    """`fleet serve` with its own broker, and its data folder."""
    folder = tmp_path_factory.mktemp("fleet")
    with fleet_process(folder, "serve", "--data", folder / "data", *ANY) as running:
        running.ready()
        yield running, folder / "data"


def _open_lock(file: Path) -> int:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def assert_each_row_once(folder: Path, name: str, count: int) -> None:
    """The record of `name` holds rows 1 to `count` of its one stream, as they were sent."""
    with Reader(folder) as reader:
        (stream,) = reader.streams(name)
        predictions = [one.prediction for one in reader.predictions(name, "motion")]
    assert (stream.stored, stream.lost, stream.watermark) == (count, 0, count)
    expected = [row(seq) for seq in range(1, count + 1)]
    assert predictions == [one for one in expected if isinstance(one, Prediction)]


def test_rows_are_stored_and_acknowledged(served: tuple[FleetProcess, Path]) -> None:
    running, folder = served
    with device("arm-1", running.port()) as one:
        one.deliver(100)
    assert_each_row_once(folder, "arm-1", 100)


def test_the_watermark_is_retained_for_the_stream_that_is_written_now(
    served: tuple[FleetProcess, Path],
) -> None:
    running, _ = served
    with device("arm-2", running.port(), stream="new") as one:
        one.deliver(10)
        one.client.publish(one.topics.telemetry, encode(batch([1], stream="old")))
        wait_for(lambda: any(b'"old"' in ack for ack in one.client.on(one.topics.ack)), "the answer")
    with client(running.port()) as later:
        later.subscribe(Topics("arm-2").ack)
        wait_for(lambda: later.received, "the retained watermark")
        assert [json.loads(ack) for ack in later.on(Topics("arm-2").ack)] == [
            {"stream": "new", "seq": 10}
        ]


def test_rows_that_come_twice_or_out_of_order_are_stored_once(served: tuple[FleetProcess, Path]) -> None:
    running, folder = served
    with device("arm-3", running.port()) as one:
        for first in (21, 1, 11, 1, 21):
            one.send(first, first + 9)
        wait_for(lambda: one.watermark() == 30, "the watermark")
    assert_each_row_once(folder, "arm-3", 30)


def test_bad_payloads_are_counted_by_device_and_stop_nobody(served: tuple[FleetProcess, Path]) -> None:
    running, folder = served
    with device("arm-4", running.port()) as bad, device("arm-5", running.port()) as good:
        for payload in (b"", b"\xff", b"[" * 50_000, b"{}", encode(batch([0])), os.urandom(1_000)):
            bad.client.publish(bad.topics.telemetry, payload)
        bad.client.publish("edge/v1/Arm 4/up/telemetry".replace(" ", "_"), b"not a device")
        bad.client.publish(bad.topics.telemetry + "/more", b"not a topic of ours")
        good.deliver(20)
        bad.deliver(20)
    with Reader(folder) as reader:
        assert reader.device("arm-4").refused == 6
        assert reader.device("arm-4").refusal.startswith("telemetry: ")
        assert reader.device("arm-5").refused == 0
        assert {"arm-4", "arm-5"} <= {record.device for record in reader.devices()}
    assert "device arm-4: a telemetry payload was refused" in running.said
    assert "Traceback" not in running.said


def test_status_tells_people_and_programs(served: tuple[FleetProcess, Path]) -> None:
    running, folder = served
    with device("arm-6", running.port()) as one:
        for active in ("1.0.0", "1.1.0", "1.0.0"):
            one.client.publish(
                one.topics.reported, encode(reported("1.0.0", "1.1.0", active=active)), retain=True
            )
        one.deliver(20)
    text = CliRunner().invoke(fleet, ["status", "--data", str(folder), "--device", "arm-6", "--history"])
    assert text.exit_code == 0
    assert "collector: running" in text.output
    assert "motion 1.0.0" in text.output
    assert "also installed: 1.1.0 (good)" in text.output
    assert "before: 1.1.0" in text.output
    found = CliRunner().invoke(
        fleet, ["status", "--data", str(folder), "--device", "arm-6", "--json", "--history"]
    )
    document = json.loads(found.stdout)
    assert document["collector_running"] is True
    (known,) = document["devices"]
    assert (known["device"], known["presence"], known["stored"]) == ("arm-6", "online", 20)
    runs = [entry["version"] for entry in known["history"] if entry["what"] == "runs"]
    assert runs == ["1.0.0", "1.1.0", "1.0.0"]


def test_a_device_that_leaves_is_offline(served: tuple[FleetProcess, Path]) -> None:
    running, folder = served
    with device("arm-7", running.port()) as one:
        one.client.publish(one.topics.status, encode(birth(online=False)), retain=True)
        one.deliver(10)
    with Reader(folder) as reader:
        assert not reader.device("arm-7").online


def test_a_second_collector_on_the_same_folder_is_refused(
    served: tuple[FleetProcess, Path], tmp_path: Path
) -> None:
    with fleet_process(tmp_path, "serve", "--data", served[1], *ANY) as second:
        assert second.exit_code() == 7
        assert "another collector is running on this folder" in second.said


def test_a_question_whether_it_runs_does_not_keep_a_collector_from_starting(tmp_path: Path) -> None:
    asking = _open_lock(tmp_path / "collector.lock")  # for a moment, as `fleet status` does
    threading.Timer(0.2, os.close, [asking]).start()
    with only_collector(tmp_path):
        assert collector_running(tmp_path)


def test_removing_what_a_broker_keeps_of_a_device_is_no_payload_of_it(
    served: tuple[FleetProcess, Path],
) -> None:
    running, folder = served
    with device("arm-6", running.port()) as one:
        one.client.publish(one.topics.status, b"", retain=True)
        one.client.publish(one.topics.reported, b"", retain=True)
        one.deliver(10)
    with Reader(folder) as reader:
        assert reader.device("arm-6").refused == 0


def test_a_taken_port_ends_it_with_one_sentence(
    served: tuple[FleetProcess, Path], tmp_path: Path
) -> None:
    taken = f"127.0.0.1:{served[0].port()}"
    with fleet_process(tmp_path, "serve", "--data", tmp_path / "data", "--listen", taken) as second:
        assert second.exit_code() == 12
        assert f"error: the broker cannot listen on {taken}: the port is taken." in second.said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly_and_leaves_nothing_behind(tmp_path: Path, number: int) -> None:
    with fleet_process(tmp_path, "serve", "--data", tmp_path / "data", *ANY) as running:
        facts = running.ready()
        with device("arm-7", facts["port"]) as one:
            one.deliver(50)
            assert running.stop(number) == 0
    assert not psutil.pid_exists(facts["children"]["broker"])
    assert not (tmp_path / "serve.ready.json").exists()
    assert "Traceback" not in running.said
    assert_each_row_once(tmp_path / "data", "arm-7", 50)


def test_a_killed_collector_takes_up_where_it_was(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with fleet_process(tmp_path, "broker", "--data", tmp_path / "broker", *ANY) as broker:
        url = f"mqtt://127.0.0.1:{broker.port()}"
        with (
            fleet_process(tmp_path, "serve", "--data", data, "--broker", url) as running,
            device("arm-7", broker.port()) as one,
            one.delivering(4_000),
        ):
            for mark in (500, 1_500):
                running.ready()
                wait_for(lambda mark=mark: one.watermark() >= mark, "some progress")  # type: ignore[misc]
                running.kill()
                running.restart()
    assert_each_row_once(data, "arm-7", 4_000)


def test_a_killed_broker_comes_back_on_its_port(tmp_path: Path) -> None:
    with fleet_process(tmp_path, "serve", "--data", tmp_path / "data", *ANY) as running:
        before = running.ready()
        with device("arm-7", before["port"]) as one, one.delivering(3_000):
            wait_for(lambda: one.watermark() >= 300, "some progress")
            os.kill(before["children"]["broker"], signal.SIGKILL)
            wait_for(lambda: running.ready()["children"] != before["children"], "another broker")
        assert running.ready()["port"] == before["port"]
        assert_each_row_once(tmp_path / "data", "arm-7", 3_000)
        assert "the broker ended unexpectedly" in running.said


def test_a_collector_waits_for_a_broker_that_is_not_there(tmp_path: Path) -> None:
    with fleet_process(tmp_path, "broker", "--data", tmp_path / "broker", *ANY) as broker:
        port = broker.port()
        broker.stop()
        url = f"mqtt://127.0.0.1:{port}"
        with fleet_process(tmp_path, "serve", "--data", tmp_path / "data", "--broker", url) as running:
            wait_for(lambda: f"{url}: " in running.said, "a complaint")
            again = ("--data", tmp_path / "broker", "--listen", f"127.0.0.1:{port}")
            with fleet_process(tmp_path, "broker", *again):
                running.ready()
                with device("arm-7", port) as one:
                    one.deliver(20)
            assert running.stop() == 0


def test_with_users_the_collector_lets_itself_in(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = authority.server("127.0.0.1")
    (tmp_path / "users.toml").write_text('[arm-7]\npassword = "secret"\n')
    with fleet_process(
        tmp_path,
        *("serve", "--data", tmp_path / "data", *ANY, "--users", tmp_path / "users.toml"),
        *(
            "--tls-certificate",
            server.certificate,
            "--tls-key",
            server.key,
            "--ca",
            authority.certificate,
        ),
    ) as running:
        options = {"ca": authority.certificate, "username": "arm-7", "password": "secret"}
        with device("arm-7", running.port(), **options) as one:
            one.deliver(20)
    assert_each_row_once(tmp_path / "data", "arm-7", 20)


def test_with_client_certificates_the_collector_shows_its_own(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server, own, arm = (
        authority.server("127.0.0.1"),
        authority.client("central"),
        authority.client("arm-7"),
    )
    (tmp_path / "users.toml").write_text('[arm-7]\n[central]\nrole = "collector"\n')
    listener = (
        *("serve", "--data", tmp_path / "data", *ANY, "--users", tmp_path / "users.toml"),
        *("--tls-certificate", server.certificate, "--tls-key", server.key),
        *("--tls-client-ca", authority.certificate, "--ca", authority.certificate),
    )
    with fleet_process(tmp_path, *listener) as without:
        assert without.exit_code() == 3
        assert "the collector needs one too" in without.said
    with fleet_process(
        tmp_path, *listener, "--certificate", own.certificate, "--key", own.key
    ) as running:
        options = {"ca": authority.certificate, "certificate": arm.certificate, "key": arm.key}
        with device("arm-7", running.port(), **options) as one:
            one.deliver(20)
    assert_each_row_once(tmp_path / "data", "arm-7", 20)


def test_mosquitto_does_as_well(tmp_path: Path) -> None:
    program = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "mosquitto is needed: scripts/system-packages"
    with fleet_process(tmp_path, "broker", "--data", tmp_path / "broker", *ANY) as free:
        port = free.port()
    with subprocess.Popen(
        [program, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    ) as broker:
        try:
            url = f"mqtt://127.0.0.1:{port}"
            with fleet_process(
                tmp_path, "serve", "--data", tmp_path / "data", "--broker", url
            ) as running:
                running.ready()
                with device("arm-7", port) as one:
                    one.deliver(200)
        finally:
            broker.terminate()
    assert_each_row_once(tmp_path / "data", "arm-7", 200)
