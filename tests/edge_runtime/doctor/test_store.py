"""Who runs on a store, and of which release."""

from pathlib import Path

from edge_runtime import __version__
from edge_runtime.config import load
from edge_runtime.doctor.findings import Device, Finding
from edge_runtime.doctor.store import judge_idle, look
from edge_runtime.starting import worded
from edge_runtime.store import locks
from edge_runtime.store.activate import bring_up
from edge_runtime.store.beside_agent import Told
from edge_runtime.store.locks import Holder
from tests.edge_runtime.doctor.holding import holding
from tests.edge_runtime.store.rig import Shelf
from tests.support.upgraded import NEW, Site


def test_an_agent_of_another_release_is_told_to_be_restarted(tmp_path: Path, shelf: Shelf) -> None:
    shelf.run("1.0.0")
    site = Site(tmp_path / "site")
    lock = shelf.store.root / "agent.lock"
    with holding(lock, environment=site.environment):
        (_, found) = look(Device(store=shelf.store.root))
        assert (found.state, found.what.endswith("an agent runs on it now.")) == ("ok", True)
        site.upgrade()
        (_, found) = look(Device(store=shelf.store.root))
    assert found.state == "warning"
    assert f"edge-runtime was upgraded from {__version__} to {NEW} while its agent runs" in found.what
    assert found.advice == worded("Restart the service: systemctl restart edge-runtime.")


def test_an_agent_that_does_not_tell_its_release_is_only_seen(shelf: Shelf) -> None:
    shelf.run("1.0.0")
    lock = shelf.store.root / "agent.lock"
    with holding(lock) as agent:
        lock.write_text(f"{agent}\n")
        assert locks.holder(lock) == Holder(agent)
        (_, found) = look(Device(store=shelf.store.root))
        assert found.state == "ok"
        lock.write_text("")
        assert locks.holder(lock) is None


def test_what_the_agent_does_not_run_is_a_problem_with_its_reason(shelf: Shelf) -> None:
    shelf.run("1.0.0")

    def told(says: Told) -> dict[str, Finding]:
        with shelf.store.agent_lock() as lock:
            lock.say(says.line())
            return {each.what.split(" ")[0].rstrip(":"): each for each in look(device)}

    device = Device(store=shelf.store.root)
    runs = told(Told({"tiny": "1.0.0", "other": ""}, {"other": "other.edge: it is gone."}))
    assert (runs["tiny"].state, runs["tiny"].what) == ("ok", "tiny: version 1.0.0 is active.")
    assert (runs["other"].state, runs["other"].what) == (
        "problem",
        "other is not installed, and the agent does not run it: other.edge: it is gone.",
    )
    assert runs["other"].advice.startswith("Mend that. ")  # whether it tries again is the agent's to say
    stands = told(Told({"tiny": ""}, {"tiny": "There is no memory."}))["tiny"]
    assert (stands.state, stands.what) == (
        "problem",
        "tiny 1.0.0 is active, and the agent does not run it: There is no memory.",
    )
    shelf.install("1.1.0")
    stands = told(Told({"tiny": ""}, {"tiny": "There is no memory."}, {"tiny": "It is for pi5."}))[
        "tiny"
    ]
    assert stands.what.endswith("does not run it: There is no memory.")
    runs = told(Told({"tiny": "1.0.0"}, {}, {"tiny": "It is for pi5."}))
    assert (runs["tiny"].state, runs["tiny"].what) == ("ok", "tiny: version 1.0.0 is active.")
    starts = told(Told({"tiny": ""}))["tiny"]
    assert (starts.state, starts.what.endswith("does not run it yet.")) == ("warning", True)


def test_a_configured_model_of_which_nothing_runs_is_a_problem_with_the_reason(
    tmp_path: Path, shelf: Shelf
) -> None:
    config = tmp_path / "agent.toml"
    config.write_text(
        f'[device]\nid = "dev"\ndata = "{shelf.folder}"\n[[models]]\nname = "tiny"\n'
        '[models.source]\nurl = "mqtt://localhost"\ntopic = "t"\n'
    )

    def idle() -> Finding:
        return next(iter(look(Device(config, load(config)))))

    slot = shelf.install("1.0.0")
    assert (idle().state, idle().what) == (
        "warning",
        "tiny: no version is active yet; 1.0.0 waits to be.",
    )
    with shelf.store.agent_lock() as lock:
        lock.say(Told({"tiny": ""}, {}, {"tiny": "There is no memory."}).line())
        assert (idle().state, idle().what) == (
            "problem",
            "tiny: nothing runs; 1.0.0 waits to be active, and cannot run now.",
        )
    shelf.store.rejected("tiny", slot.digest, "tiny 1.0.0: it gives other outputs.")
    assert idle().advice.endswith("or, once that is mended, 1.0.0 again: with --retry")
    assert (idle().state, idle().what) == (
        "problem",
        "tiny: nothing runs; 1.0.0 was rejected: it gives other outputs.",
    )
    assert next(iter(look(Device(store=shelf.store.root)))).state == "ok"  # nobody asked for it


def test_an_upgrade_that_was_rejected_is_told_with_what_runs_and_what_to_do(shelf: Shelf) -> None:
    shelf.run("1.0.0")
    slot = shelf.install("1.1.0")
    shelf.store.rejected("tiny", slot.digest, "tiny 1.1.0: it gives other outputs.")
    runs, upgrade, *_ = look(Device(store=shelf.store.root))
    assert (runs.state, runs.what) == ("ok", "tiny: version 1.0.0 is active.")
    assert (upgrade.state, upgrade.what) == (
        "warning",
        "tiny: 1.1.0 was rejected: it gives other outputs. 1.0.0 is active.",
    )
    assert upgrade.advice.endswith("BUNDLE; or, once that is mended, 1.1.0 again: with --retry")
    shelf.run("1.2.0")
    assert not [each for each in look(Device(store=shelf.store.root)) if "rejected" in each.what]


def test_of_a_model_whose_files_went_it_is_told_why_nothing_was_brought_in_their_place(
    shelf: Shelf,
) -> None:
    slot = shelf.run("1.0.0")
    shelf.store.withdrawn("tiny", slot.digest)
    (now,) = shelf.store.state().models.values()
    assert judge_idle("tiny", now).what == "tiny: nothing runs; all versions went."
    found = judge_idle("tiny", now, waits="tiny.edge: No such file. It is tried again by itself.")
    assert found.what == "tiny: nothing runs; tiny.edge: No such file. It is tried again by itself."


def test_what_stands_where_measurements_are_to_be_kept_is_a_warning(shelf: Shelf) -> None:
    slot = shelf.install("1.0.0", variants={"slow": "slow", "fast": "good"})
    choices, device = shelf.store.root / "choices", Device(store=shelf.store.root)
    assert "warning" not in {each.state for each in look(device)}

    choices.write_text("")
    said: list[str] = []
    bring_up(shelf.store, slot, wait_s=0, say=said.append)
    assert "A file is where a folder should be: name another path, or move the file away." in said[-1]
    (found,) = (each for each in look(device) if each.state == "warning")
    assert found.what.startswith(f"{choices}: expected a folder, found something else: what is measured")
    assert found.advice.startswith(f"Move {choices} away")

    choices.unlink()
    choices.mkdir()
    (choices / "tiny").write_text("")
    (found,) = (each for each in look(device) if each.state == "warning")
    assert found.what.startswith(f"{choices / 'tiny'}: expected a folder")
