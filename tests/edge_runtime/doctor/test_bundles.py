"""What is installed where a model has nothing installed: looked at before it is."""

from pathlib import Path
from typing import Any

import pytest

from edge_runtime.agent.check import check_file
from edge_runtime.config import load
from edge_runtime.doctor.bundles import look
from edge_runtime.doctor.findings import Device, Finding
from edge_runtime.store.disk import Store
from tests.edge_runtime.store.rig import ROOT, confirm
from tests.support.agent import AgentRig
from tests.support.tiny_bundle import OTHER_KEY, tiny_bundle

NOBODY = "mqtt://127.0.0.1:1"


def found(folder: Path, bundle: bytes | None = None, **model: Any) -> list[Finding]:
    rig = AgentRig(folder, NOBODY, model=model)
    if bundle is not None:
        (folder / "tiny-1.0.0.edge").write_bytes(bundle)
    return list(look(Device(rig.config, load(rig.config))))


def test_one_that_fits_is_in_order(tmp_path: Path) -> None:
    (told,) = found(tmp_path, variant="fp32")
    assert (told.state, told.what) == ("ok", "tiny: 1.0.0 in tiny-1.0.0.edge is installed first.")


def test_a_variant_that_it_does_not_have_is_a_problem_of_that_key(tmp_path: Path) -> None:
    (told,) = found(tmp_path, variant="int8")
    assert (told.state, told.what, told.advice) == (
        "problem",
        "`models[0].variant`: tiny 1.0.0: expected a variant 'int8', found fp32.",
        "Name one of these.",
    )


@pytest.mark.parametrize(
    ("bundle", "what"),
    [
        (b"no bundle", "tiny-1.0.0.edge: "),
        (tiny_bundle(name="other"), "expected the model 'tiny', found 'other'."),
    ],
)
def test_one_that_cannot_be_installed_is_a_problem_of_its_key(
    tmp_path: Path, bundle: bytes, what: str
) -> None:
    (told,) = found(tmp_path, bundle)
    assert told.state == "problem"
    assert told.what.startswith("`models[0].bundle`: ")
    assert what in told.what


def test_one_of_somebody_else_is_a_problem_as_config_check_says(tmp_path: Path) -> None:
    (told,) = found(tmp_path, tiny_bundle(key=OTHER_KEY))
    (checked,) = (
        one.problem for one in check_file(tmp_path / "agent.toml", connect=False) if one.problem
    )
    assert told.state == "problem"
    assert f"{told.what} {told.advice}" == f"`models[0].bundle`: {checked}"
    assert "signatures by" in told.what


def test_where_nobody_can_tell_whom_to_trust_the_rest_of_it_is_looked_at(tmp_path: Path) -> None:
    AgentRig(tmp_path, NOBODY)
    (tmp_path / "root.json").write_text("{")
    (told,) = look(Device(tmp_path / "agent.toml", load(tmp_path / "agent.toml")))
    assert (told.state, told.what) == (
        "ok",
        "tiny: 1.0.0 in tiny-1.0.0.edge fits; whose it is cannot be told yet.",
    )


def test_where_something_is_installed_nobody_asks_for_it(tmp_path: Path) -> None:
    rig = AgentRig(tmp_path, NOBODY, model={"variant": "int8"})
    store = Store(rig.data / "store")
    confirm(store, store.install(tmp_path / "tiny-1.0.0.edge", root=ROOT))
    assert found(tmp_path, variant="int8") == []
