"""What the command status shows of a store, for people and for programs."""

import msgspec
import pytest

from edge_runtime.choice import record
from edge_runtime.choice.decision import Measured
from edge_runtime.choice.key import Key, key_of
from edge_runtime.errors import StoreError
from edge_runtime.starting import worded
from edge_runtime.store.beside_agent import Told
from tests.edge_runtime.choice.rows import recorded, row
from tests.edge_runtime.store.commands import Command
from tests.edge_runtime.store.rig import confirm

NOTHING_RUNS = worded(
    "running, but no model runs; why, `edge-runtime doctor` tells, and journalctl -u edge-runtime"
)


def test_it_shows_versions_roles_floor_trust_and_what_was_rejected(command: Command) -> None:
    command.shelf.run("1.0.0"), command.shelf.run("1.1.0")
    bad = command.shelf.install("1.2.0")
    command.shelf.store.rejected("tiny", bad.digest, "Row 2 differs.")
    command.shelf.install("1.3.0")

    assert command("status") == 0
    lines = command.out.splitlines()
    assert lines[0] == "agent  not running"
    assert lines[1].startswith("trust  root version 1, bundles signed by 1 of: ")
    assert lines[3] == "tiny  (new bundles need a release of 1001000 or more)"
    shown = [tuple(line.split()[:3]) for line in lines[4:]]
    assert shown == [
        ("active", "1.1.0", "good"),
        ("pending", "1.3.0", "staged"),
        ("previous", "1.0.0", "good"),
        ("rejected", "1.2.0", "bad"),
    ]
    assert lines[-1].endswith("Row 2 differs.")


def test_it_says_what_to_do_about_an_upgrade_that_was_rejected(command: Command) -> None:
    command.shelf.run("1.0.0")
    bad = command.shelf.install("1.1.0")
    command.shelf.store.rejected("tiny", bad.digest, "Row 2 differs.")

    assert command("status") == 0
    *_, rejected, advice = command.out.splitlines()
    assert rejected.endswith("Row 2 differs.")
    assert advice.strip() == "install another one; or this one with --retry, once that is mended"


def test_a_declared_floor_is_told_before_and_after_the_confirm(command: Command) -> None:
    command.shelf.run("1.0.0")
    mended = command.shelf.install("1.1.0", floor=1_001_000)

    assert command("status") == 0
    pending = next(line for line in command.out.splitlines() if "pending" in line)
    assert pending.endswith("  its confirm forbids releases below 1001000")
    assert "declared" not in command.out

    confirm(command.shelf.store, mended)
    assert command("status") == 0
    assert "  1.1.0 declared that no release below 1001000 may run again" in command.out.splitlines()
    assert command.document("status")["models"]["tiny"]["declared"] == 1_001_000
    assert command("rollback") == StoreError.exit_code
    assert command.err.endswith("make a new bundle of it with a release of 1001000 or more.\n")


def test_it_says_when_nothing_runs_any_more(command: Command) -> None:
    """The only way back was below the floor that the damaged version had declared."""
    command.shelf.run("1.0.0")
    slot = command.shelf.run("1.1.0", floor=1_001_000)
    command.shelf.store.withdrawn("tiny", slot.digest)

    assert command("status") == 0
    assert command.out.splitlines()[-1] == "  nothing runs: install a bundle"
    assert command.install("1.1.0", floor=1_001_000) == 0


def test_it_says_how_what_is_active_runs_where_that_was_measured(command: Command) -> None:
    def lines(*rows: Measured, key: Key | None = None) -> list[str]:
        path = record.path_of(command.shelf.store.root, "tiny", slot.digest)
        found = recorded(*rows, digest=slot.digest)
        record.write(path, msgspec.structs.replace(found, key=key or found.key))
        assert command("status") == 0
        return [line.strip() for line in command.out.splitlines()[4:]]

    slot = command.shelf.run("1.0.0")
    failed = row("int8", provider="cuda", why_not="There is no driver.")
    active, told = lines(row("fp32", 20.5), row("int8", 12.25), failed)
    assert active.startswith("active")
    assert told == ("chosen: int8 on cpu, 12.2 µs a row here, of 2 that were timed; 1 more cannot serve")
    choice = command.document("status")["choices"]["tiny"]
    assert choice["chosen"] == {"variant": "int8", "provider": "cpu"}
    assert choice["rows"][2]["why_not"] == "There is no driver."

    assert lines(row("fp32"))[1] == "chosen: fp32 on cpu, its only variant"
    assert lines(row("fp32"), failed)[1] == "chosen: fp32 on cpu, as no other can serve here"
    pinned = key_of(variant="fp32")
    assert lines(row("fp32"), key=pinned)[1] == "chosen: fp32 on cpu, as no other is wanted"


def test_it_says_how_what_is_active_runs_now_where_that_is_not_what_was_chosen(command: Command) -> None:
    slot = command.shelf.run("1.0.0")

    def under_active(way: str) -> list[str]:
        with command.shelf.store.agent_lock() as lock:
            lock.say(Told({"tiny": "1.0.0"}, ways={"tiny": way}).line())
            assert command("status") == 0
        return [line.strip() for line in command.out.splitlines()[5:]]

    assert under_active("fp32 on cpu") == ["now: fp32 on cpu"], "nothing was measured"
    path = record.path_of(command.shelf.store.root, "tiny", slot.digest)
    record.write(path, recorded(row("fp32", 20.5), row("int8", 12.25), digest=slot.digest))
    chosen = "chosen: int8 on cpu, 12.2 µs a row here, of 2 that were timed"
    assert under_active("int8 on cpu") == [chosen]
    assert under_active("int8 on cpu, 1 of 4 windows") == [chosen, "now: int8 on cpu, 1 of 4 windows"]
    assert under_active("fp32 on cpu") == [chosen, "now: fp32 on cpu"]


def test_it_says_what_the_agent_has_counted(command: Command) -> None:
    command.shelf.run("1.0.0")
    counts = {"samples_taken": 50_120, "samples_late": 0, "windows": 0, "windows_failed": 1_204}
    now = Told({"tiny": "1.0.0"}, counts={"tiny": counts, "other": counts}, counted=1.7e9)
    with command.shelf.store.agent_lock() as lock:
        lock.say(now.line())
        assert command("status") == 0
        told = command.out.splitlines()[-1]
        assert command.document("status")["agent"]["counts"]["tiny"] == counts
    assert told.startswith("  counted until ")
    assert told.endswith(": samples taken 50,120, windows 0, windows failed 1,204")


def test_it_says_that_rows_are_in_memory_only(command: Command) -> None:
    command.shelf.run("1.0.0")
    with command.shelf.store.agent_lock() as lock:
        lock.say(Told({"tiny": "1.0.0"}, in_memory="outbox.db: the disk is full.").line())
        assert command("status") == 0
    assert command.out.splitlines()[:2] == [
        "agent  running",
        "rows   in memory only: outbox.db: the disk is full.",
    ]


def test_why_a_version_waits_is_told_with_and_without_an_agent(command: Command) -> None:
    store = command.shelf.store
    command.shelf.run("1.0.0")
    waits = command.shelf.install("1.1.0")
    store.tried("tiny", waits.digest)
    store.judged("tiny", waits.digest, "wait", "There is no memory.")

    assert command("status") == 0
    pending = next(line for line in command.out.splitlines() if "pending" in line)
    assert pending.endswith("  3 of 3 attempts left  There is no memory.")

    told = Told({"tiny": "1.0.0"}, pending={"tiny": "It is made for pi5."})
    with store.agent_lock() as lock:
        lock.say(told.line())
        document = command.document("status")
        assert command("status") == 0
    lines = command.out.splitlines()
    assert lines[0] == "agent  running"
    assert lines[4].startswith("  active    1.0.0 ")
    assert lines[5].endswith("  3 of 3 attempts left  It is made for pi5.")
    assert document["agent"] == {
        "runs": {"tiny": "1.0.0"},
        "waits": {},
        "pending": {"tiny": "It is made for pi5."},
        "ways": {},
        "lacks": {},
        "counts": {},
        "counted": 0.0,
        "in_memory": "",
    }

    with store.agent_lock() as lock:
        lock.say(Told({"tiny": "1.1.0"}, lacks={"tiny": "3 of 10 good predictions"}).line())
        assert command("status") == 0
    assert "3 of 3 attempts left  it lacks 3 of 10 good predictions" in command.out


def test_why_the_active_version_does_not_run_is_not_told_of_the_one_that_waits(command: Command) -> None:
    store = command.shelf.store
    command.shelf.run("1.0.0")
    waits = command.shelf.install("1.1.0")
    store.tried("tiny", waits.digest)
    store.judged("tiny", waits.digest, "wait", "tiny 1.1.0: There is no memory.")

    with store.agent_lock() as lock:
        lock.say(Told({"tiny": ""}, {"tiny": "Its files are gone."}).line())
        assert command("status") == 0
    told, active, pending = command.out.splitlines()[4:]
    assert told == "  does not run: Its files are gone."
    assert active.split()[:2] == ["active", "1.0.0"]
    assert pending.endswith("  3 of 3 attempts left  There is no memory.")


@pytest.mark.parametrize(
    ("told", "first", "of_model"),
    [
        (
            Told({"tiny": ""}, {"tiny": "The engine is broken."}),
            NOTHING_RUNS,
            "does not run: The engine is broken.",
        ),
        (
            Told({"tiny": "", "other": "1.0.0"}),
            "running",
            "does not run yet",
        ),
        (
            Told({}),
            "running; its configuration names no model",
            "does not run: the agent's configuration does not name it",
        ),
    ],
)
def test_what_is_active_and_does_not_run_is_told(
    command: Command, told: Told, first: str, of_model: str
) -> None:
    command.shelf.run("1.0.0")
    with command.shelf.store.agent_lock() as lock:
        lock.say(told.line())
        assert command("status") == 0
    lines = command.out.splitlines()
    assert lines[0] == f"agent  {first}"
    tiny = next(number for number, line in enumerate(lines) if line.startswith("tiny  ("))
    assert lines[tiny + 1] == f"  {of_model}"


def test_a_configured_model_that_is_not_installed_is_told_with_the_reason(command: Command) -> None:
    with command.shelf.store.agent_lock() as lock:
        lock.say(Told({"tiny": ""}, {"tiny": "tiny.edge: the bundle cannot be read."}).line())
        assert command("status") == 0
    assert command.out.splitlines()[-3:] == [
        "",
        "tiny",
        "  does not run: tiny.edge: the bundle cannot be read.",
    ]


def test_programs_get_the_same_as_one_document(command: Command) -> None:
    slot = command.shelf.run("1.0.0")

    document = command.document("status")

    assert document["agent_running"] is False
    assert document["models"]["tiny"]["active"] == slot.digest
    assert document["trust"]["bundle_threshold"] == 1


def test_a_store_without_trust_or_models_says_so(command: Command) -> None:
    with command.shelf.store.agent_lock():
        assert command("status") == 0
        assert command.out.splitlines() == [
            "agent  running",
            "trust  no root file; anybody's bundles are taken with --allow-unsigned",
            "no models are installed",
        ]
        assert command.document("status")["trust"] is None
