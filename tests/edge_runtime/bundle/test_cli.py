"""`keys`, `inspect` and `verify`: what they say, how they end, and that nothing breaks them."""

import copy
import json
import os
import stat
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from onnx import helper

from edge_runtime import cli, clock, starting
from edge_runtime.bundle import key_id, load_private_key, load_root, make_root, seal, write_archive
from edge_runtime.bundle.keys import encode_private_key
from edge_runtime.bundle.manifest import (
    ClassScore,
    CrossValidation,
    Evaluation,
    Input,
    Output,
    Profile,
    Step,
    canonical_json,
    decode,
)
from tests.support.graphs import DOUBLE, graph, two_labels, write_bundle
from tests.support.persons import persons_table
from tests.support.refusing import REFUSALS, refusing_table
from tests.support.tiny_bundle import KEY, MODEL_FILE, OTHER_KEY, root_bytes, tiny_bundle
from tests.support.unpacked import payloads, unpack

KEY_ID = key_id(KEY.public_key())


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "tiny-1.0.0.edge"
    path.write_bytes(tiny_bundle())
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "root.json"
    path.write_bytes(root_bytes())
    return path


def test_generated_keys_sign_what_their_root_file_trusts(tmp_path: Path, capsys) -> None:
    folder = tmp_path / "new" / "keys"
    assert cli.run(["keys", "generate", str(folder)]) == 0
    told = capsys.readouterr().out

    private, trusted = load_private_key(folder / "signing-key.pem"), load_root(folder / "root.json")
    assert trusted.bundle.key_ids == trusted.root.key_ids == (key_id(private.public_key()),)
    assert trusted.version == trusted.bundle.threshold == trusted.root.threshold == 1
    assert abs(trusted.expires - datetime.now(timezone.utc) - timedelta(days=3650)) < timedelta(
        minutes=1
    )
    assert "Keep it secret" in told
    assert "copy it to every device" in told

    (tmp_path / "x.edge").write_bytes(tiny_bundle(key=private))
    assert cli.run(["verify", str(tmp_path / "x.edge"), "--trust", str(folder / "root.json")]) == 0


def test_only_its_owner_may_read_a_private_key(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        cli.run(["keys", "generate", str(tmp_path), "--name", "factory"])
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "factory.pem").stat().st_mode) == 0o600


def test_generate_prints_json_for_programs(tmp_path: Path, capsys) -> None:
    arguments = ["keys", "generate", str(tmp_path), "--expires-days", "1", "--json"]
    assert cli.run(arguments) == 0
    made = json.loads(capsys.readouterr().out)

    assert made["key_id"] == key_id(load_private_key(made["private_key"]).public_key())
    assert load_root(made["root"]).expires.isoformat() == made["expires"].replace("Z", "+00:00")


@pytest.mark.parametrize("existing", ["signing-key.pem", "root.json"])
def test_generate_overwrites_nothing(existing: str, tmp_path: Path, capsys) -> None:
    (tmp_path / existing).write_bytes(b"precious")
    assert cli.run(["keys", "generate", str(tmp_path)]) == 11

    assert f"{existing}: expected no such file yet" in capsys.readouterr().err
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(existing, b"precious")]


def test_generate_says_when_the_folder_cannot_be_made(tmp_path: Path, capsys) -> None:
    (tmp_path / "file").touch()
    assert cli.run(["keys", "generate", str(tmp_path / "file" / "keys")]) == 11
    assert "the folder cannot be made: Not a directory" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".x"])
def test_a_key_s_name_is_a_plain_file_name(name: str, tmp_path: Path, capsys) -> None:
    assert cli.run(["keys", "generate", str(tmp_path), "--name", name]) == 2
    assert list(tmp_path.iterdir()) == []


def test_inspect_shows_what_a_bundle_says_about_itself(tmp_path: Path, capsys) -> None:
    path = tmp_path / "rich.edge"
    path.write_bytes(rich_bundle())
    assert cli.run(["inspect", str(path)]) == 0
    shown = capsys.readouterr().out

    for expected in (
        "tiny 1.0.0, release 1000000: classification",
        f"signed   by {KEY_ID} (not verified: use verify)",
        "windows: float32 (batch, 4, 2), smart watch, in g, g",
        "probabilities: float32 (batch, 2), probabilities",
        "4 samples at 10 Hz, a new one every 2",
        'scale {"mean": [0.5]}',
        "fp32: fp32 for tensorrt, 376 B, ai.onnx 17, IR 8",
        "parity on 6 inputs: 0 labels differ (0 of them near ties)",
        "accuracy 0.750 on 4 labelled inputs, 95 % interval 0.301 to 0.954",
        "mean squared error 0.25, ROC AUC 0.9",
        "cross-validation of 2 folds of 8 training inputs: accuracy 0.800, standard deviation 0.100",
        "class   precision  recall     f1  inputs",
        "still       1.000   0.500  0.667       2",
        "moving           0       2",
        "6 golden inputs",
        MODEL_FILE,
    ):
        assert expected in shown


def test_a_floor_that_a_bundle_declares_is_shown_to_whoever_signs_or_installs_it(
    tmp_path: Path, bundle: Path, root: Path, capsys
) -> None:
    path = tmp_path / "mended.edge"
    path.write_bytes(tiny_bundle(floor=1_000_000))
    line = "floor    once it is confirmed, no release below 1000000 may run again"

    for words in (["inspect"], ["verify", "--trust", str(root)]):
        assert cli.run([*words, str(path)]) == 0
        assert line in capsys.readouterr().out
        assert cli.run([*words, str(bundle)]) == 0
        assert "no release below" not in capsys.readouterr().out


def test_inspect_says_which_rows_a_model_refuses(tmp_path: Path, capsys) -> None:
    assert cli.run(["inspect", str(refusing_table(tmp_path / "table.edge"))]) == 0
    shown = capsys.readouterr().out

    listed = [f"  {why}" for why in REFUSALS]
    assert "\n".join(["refuses: rows that the source model raises an error for", *listed]) in shown
    assert "refused: int64 (batch), refused" in shown


def test_inspect_prints_the_whole_manifest_for_programs(bundle: Path, capsys) -> None:
    assert cli.run(["inspect", str(bundle), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)

    assert shown["signed_by"] == [KEY_ID]
    assert shown["verified"] is False
    assert shown["size_bytes"] == bundle.stat().st_size
    assert shown["manifest"]["files"].keys() >= {MODEL_FILE}


def test_inspect_never_sends_what_a_terminal_acts_on(tmp_path: Path, capsys) -> None:
    path = tmp_path / "hostile.edge"
    path.write_bytes(rich_bundle(classes=("\x1b[2J\x1b]0;owned\x07", "x" * 5000 + "\u202e")))
    assert cli.run(["inspect", str(path)]) == 0
    shown = capsys.readouterr().out

    assert all(character.isprintable() or character == "\n" for character in shown)
    assert "\\x1b[2J" in shown
    assert max(map(len, shown.splitlines())) < 400


def test_inspect_cuts_what_is_too_long_to_read(tmp_path: Path, capsys) -> None:
    path = tmp_path / "long.edge"
    path.write_bytes(rich_bundle(classes=tuple(f"class-{n}" for n in range(3000))))
    assert cli.run(["inspect", str(path)]) == 0

    assert "... and 2960 more" in capsys.readouterr().out


def test_an_unpacked_bundle_is_inspected_and_verified_like_a_packed_one(
    tmp_path: Path, root: Path, capsys
) -> None:
    folder = str(unpack(payloads(tiny_bundle()), tmp_path / "unpacked"))

    assert cli.run(["inspect", folder]) == 0
    assert cli.run(["verify", folder, "--trust", str(root)]) == 0
    assert "verified: tiny 1.0.0" in capsys.readouterr().out


def test_verify_says_what_it_trusted_and_why(bundle: Path, root: Path, capsys) -> None:
    assert cli.run(["verify", str(bundle), "--trust", str(root)]) == 0
    shown = capsys.readouterr()

    assert f"signed   by {KEY_ID}" in shown.out
    assert f"trusted  by {root}, version 1, which expires 2046-01-01" in shown.out
    assert "1 of its 1 bundle keys must, 1 did" in shown.out
    assert "7 files" in shown.out
    assert shown.err == ""


def test_verify_prints_json_for_programs(bundle: Path, root: Path, capsys) -> None:
    assert cli.run(["verify", str(bundle), "--trust", str(root), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)

    assert shown["verified"] is True
    assert (shown["name"], shown["version"], shown["files"]) == ("tiny", "1.0.0", 7)
    assert shown["key_ids"] == [KEY_ID]


def test_verify_reads_every_byte(bundle: Path, root: Path, capsys) -> None:
    raw = bundle.read_bytes()
    bundle.write_bytes(raw.replace(b"A model for tests.", b"A model for jests."))

    assert cli.run(["verify", str(bundle), "--trust", str(root)]) == 5
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "card.md: expected CRC-32" in shown.err


def test_verify_refuses_strangers_and_unsigned_bundles(bundle: Path, root: Path, capsys) -> None:
    for raw in (tiny_bundle(key=OTHER_KEY), tiny_bundle(key=None)):
        bundle.write_bytes(raw)
        assert cli.run(["verify", str(bundle), "--trust", str(root)]) == 6
    assert "found none" in capsys.readouterr().err


@pytest.fixture
def expired(root: Path) -> Path:
    past = datetime(2026, 2, 1, tzinfo=timezone.utc)
    root.write_bytes(make_root([KEY.public_key()], KEY, expires=past))
    return root


def set_clock(monkeypatch: pytest.MonkeyPatch, *, synchronized: bool) -> None:
    """What the kernel would say of another machine's clock."""
    now = datetime(2026, 6, 1, tzinfo=timezone.utc)

    def read(newest_seen: datetime | None) -> clock.Clock:
        return clock.judged(clock.Evidence(now, synchronized, newest_seen, has_chip=False))

    monkeypatch.setattr(clock, "read", read)


def test_verify_warns_of_an_expired_root_file_where_the_clock_is_not_believed(
    bundle: Path, expired: Path, capsys, monkeypatch
) -> None:
    set_clock(monkeypatch, synchronized=False)

    assert cli.run(["verify", str(bundle), "--trust", str(expired), "--json"]) == 0
    shown = capsys.readouterr()
    root = json.loads(shown.out)["root"]
    assert (root["expired"], root["accepts_new"], root["clock"]["believed"]) == (True, True, False)
    assert "version 1 expired on 2026-02-01, if the clock were right" in shown.err
    assert cli.run(["verify", str(bundle), "--trust", str(expired)]) == 0
    assert (
        "expired, a warning only: the clock is not believed, it is not synchronized"
        in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("systemd", "how"),
    [(True, "timedatectl set-ntp true"), (False, "an NTP client such as chrony")],
)
def test_verify_says_that_with_a_clock_nobody_keeps_expiry_only_warns_and_how_to_have_it_kept(
    bundle: Path, root: Path, capsys, monkeypatch, *, systemd: bool, how: str
) -> None:
    set_clock(monkeypatch, synchronized=False)
    monkeypatch.setattr(starting, "has_systemd", lambda _root: systemd)

    assert cli.run(["verify", str(bundle), "--trust", str(root)]) == 0
    assert (
        "  expiry   in force for 7154 more days if the clock is right; until that is known, "
        "expiry only warns\n"
        "           the clock is not synchronized, and nothing else says that it is right\n"
        f"           to have it kept right: {how}\n"
    ) in capsys.readouterr().out


def test_verify_refuses_an_expired_root_file_where_the_clock_is_believed(
    bundle: Path, expired: Path, capsys, monkeypatch
) -> None:
    set_clock(monkeypatch, synchronized=True)

    assert cli.run(["verify", str(bundle), "--trust", str(expired)]) == 6
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "expired on 2026-02-01, and the clock is kept right, as the kernel says" in shown.err


def test_verify_explains_expiry_and_signatures_that_do_not_count(
    bundle: Path, root: Path, capsys, monkeypatch
) -> None:
    set_clock(monkeypatch, synchronized=True)
    key = bundle.with_name("other.pem")
    key.write_bytes(encode_private_key(OTHER_KEY))
    assert cli.run(["sign", str(bundle), "--signing-key", str(key)]) == 0
    capsys.readouterr()

    assert cli.run(["verify", str(bundle), "--trust", str(root)]) == 0
    shown = capsys.readouterr().out
    stranger = key_id(OTHER_KEY.public_key())
    assert f"signed   by {stranger}, which the root file does not name: not counted" in shown
    assert "1 of its 1 bundle keys must, 1 did" in shown
    assert (
        "expiry   in force for 7154 more days: the clock is believed, it is kept right, as the kernel"
        in shown
    )


def test_a_missing_bundle_or_root_file_is_one_line(bundle: Path, root: Path, capsys) -> None:
    assert cli.run(["inspect", str(bundle) + "x"]) == 5
    assert cli.run(["verify", str(bundle), "--trust", str(root) + "x"]) == 6
    assert len(capsys.readouterr().err.splitlines()) == 2


@st.composite
def spoilt_bundles(draw: st.DrawFn) -> bytes:
    """Garbage; a bundle with some bytes replaced; a sound archive around a manifest with odd values."""
    kind = draw(st.sampled_from(["garbage", "bytes", "manifest"]))
    if kind == "garbage":
        return draw(st.binary(max_size=500))
    if kind == "bytes":
        raw = bytearray(rich_bundle())
        at = draw(st.integers(0, len(raw) - 1))
        raw[at : at + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
        return bytes(raw)
    files = payloads(rich_bundle())
    manifest = msgspec.json.decode(files["manifest.json"])
    for _ in range(draw(st.integers(1, 3))):
        replace_somewhere(draw, manifest)
    return write_archive(files | {"manifest.json": canonical_json(manifest)})


def replace_somewhere(draw: st.DrawFn, value: Any) -> None:
    """Put an odd value somewhere into a JSON tree."""
    key = draw(st.sampled_from(list(value) if isinstance(value, dict) else range(len(value))))
    if isinstance(value[key], dict | list) and value[key] and draw(st.integers(0, 9)):
        replace_somewhere(draw, value[key])
    else:
        value[key] = copy.deepcopy(draw(ODD_VALUES))


ODD_VALUES = st.one_of(
    st.sampled_from([-1, 0, 2**53, 2**63 - 1, 2**70, 1e308, -0.0, "", "\x00\x1b\r\n", "x" * 5000]),
    st.sampled_from([None, True, [], {}, [[]], [[1, 2, 3]], [None], {"": {}}]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=spoilt_bundles())
@example(raw=b"")
def test_no_file_whatever_makes_inspect_fail_in_an_unexpected_way(
    raw: bytes, tmp_path: Path, capsys
) -> None:
    path = tmp_path / "any.edge"
    path.write_bytes(raw)
    for arguments in (["inspect", str(path)], ["inspect", str(path), "--json"]):
        code = cli.run(arguments)

        shown = capsys.readouterr()
        assert code in (0, 5)
        assert len(shown.err.splitlines()) == (1 if code else 0)


def test_inspect_lines_up_the_columns_of_a_table(tmp_path: Path, capsys) -> None:
    assert cli.run(["inspect", str(persons_table(tmp_path / "persons.edge"))]) == 0

    shown = capsys.readouterr().out
    assert (
        """
inputs: a table of 4 columns, found by name
  age        float32  NaN allowed
  visits     int64
  member     bool
  home town  string   missing allowed

outputs
"""
        in shown
    )


def test_inspect_shows_wide_tables_whole_and_the_widest_cut(tmp_path: Path, capsys) -> None:
    def shown(columns: int) -> list[str]:
        declared = [Input(name=f"c{at}", dtype="float64", shape=(None,)) for at in range(columns)]
        node = helper.make_node("Identity", ["c0"], ["value"])
        path = write_bundle(
            tmp_path / "wide.edge",
            graph([node], [(each.name, DOUBLE, ["n"]) for each in declared], [("value", DOUBLE, ["n"])]),
            task="regression",
            declared=declared,
            outputs=[Output(name="value", dtype="float64", shape=(None,), meaning="value")],
            golden_input=[np.zeros(1)] * columns,
            golden_outputs=[np.zeros(1)],
        )
        assert cli.run(["inspect", str(path)]) == 0
        return capsys.readouterr().out.splitlines()

    assert "  c49  float64" in shown(50)
    lines = shown(230)
    assert "inputs: a table of 230 columns, found by name" in lines
    assert "  ... and 30 more" in lines


def test_inspect_shows_the_classes_of_each_label(tmp_path: Path, capsys) -> None:
    assert cli.run(["inspect", str(two_labels(tmp_path / "two.edge"))]) == 0

    shown = capsys.readouterr().out
    assert (
        """
labels, and the classes of each
  colour: red, blue
  size: S, M, L
"""
        in shown
    )


def rich_bundle(classes: tuple[str, ...] = ("still", "moving")) -> bytes:
    """A tiny bundle whose manifest leaves nothing out."""
    files = payloads(tiny_bundle())
    manifest = decode(files.pop("manifest.json"))
    score = ClassScore(precision=1.0, recall=0.5, f1=2 / 3, support=2)
    rich = msgspec.structs.replace(
        manifest,
        classes=classes,
        inputs=(
            Input(
                **{
                    **msgspec.structs.asdict(manifest.inputs[0]),
                    "meaning": "smart watch",
                    "units": ("g", "g"),
                }
            ),
        ),
        preprocessing=(Step(name="scale", parameters={"mean": [0.5]}), Step(name="clip")),
        variants=(
            msgspec.structs.replace(
                manifest.variants[0],
                exact="leaves",
                requires={"memory": "1 MB"},
                engine="tensorrt",
                host=manifest.variants[0].file,
                profile=Profile(min_rows=1, opt_rows=1, max_rows=1024),
                boards=("orin-nano", "rtx-50"),
            ),
        ),
        evaluation=Evaluation(
            inputs=4,
            accuracy=0.75,
            per_class=dict.fromkeys(classes, score),
            confusion=((1, 1), (0, 2)),
            mean_squared_error=0.25,
            roc_auc=0.9,
            cross_validation=CrossValidation(
                metric="accuracy", inputs=8, scores=(0.7, 0.9), mean=0.8, std=0.1
            ),
        ),
    )
    artifacts = {name: data for name, data in files.items() if not name.startswith("signatures/")}
    return seal(rich, artifacts, [KEY])
