import hashlib
import io
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

import converter
import edge_runtime
from converter import WindowSpec
from edge_runtime.bundle import generate_private_key, open_bundle
from edge_runtime.bundle.keys import encode_private_key
from edge_runtime.errors import ConfigError, InputError, ManifestError, StorageError, TrustError
from tests.support.full_disk import files_of_at_most
from tests.support.motion import CHANNELS, motion_model, recordings

ROWS, SPECIES = load_iris(return_X_y=True)
SPEC = WindowSpec(channels=CHANNELS, rate_hz=10.0, stride=50)


def motion(**changes: object) -> "converter.ConvertedBundle":
    options = {"name": "motion", "version": "1.2.3", "window": SPEC} | changes
    return converter.convert(motion_model(), *recordings("test"), **options)


@pytest.fixture(scope="module")
def bundle() -> "converter.ConvertedBundle":
    return motion()


@pytest.fixture
def signing_key(tmp_path: Path) -> Path:
    path = tmp_path / "key.pem"
    path.write_bytes(encode_private_key(generate_private_key()))
    path.chmod(0o600)
    return path


def golden(bundle: "converter.ConvertedBundle", name: str) -> np.ndarray:
    return np.load(io.BytesIO(bundle.artifacts[name]), allow_pickle=False)


def test_the_motion_model_converts_exactly_and_keeps_its_accuracy(
    bundle: "converter.ConvertedBundle",
) -> None:
    manifest = bundle.manifest
    (variant,) = manifest.variants
    assert variant.exact == "leaves"
    assert variant.parity.inputs == 40
    assert variant.parity.label_disagreements == variant.parity.rounded_splits == 0
    assert manifest.evaluation is not None
    assert manifest.evaluation.accuracy == pytest.approx(0.975)
    assert manifest.classes == ("Badminton", "Running", "Standing", "Walking")


def test_the_manifest_says_what_a_device_must_know(bundle: "converter.ConvertedBundle") -> None:
    manifest = bundle.manifest
    assert manifest.release == 1_002_003
    assert manifest.window is not None
    assert (manifest.window.channels, manifest.window.length) == (CHANNELS, 100)
    assert (manifest.window.rate_hz, manifest.window.stride) == (10.0, 50)
    assert manifest.inputs[0].name == "windows"
    assert [output.name for output in manifest.outputs] == ["label", "probabilities"]
    assert [step.name for step in manifest.preprocessing] == ["WindowFeatures", "StandardScaler"]
    assert manifest.preprocessing[1].parameters == {"into": "thresholds"}
    assert manifest.files.keys() == bundle.artifacts.keys()
    assert {"numpy", "scikit-learn", "onnx", "onnxruntime", "edge-runtime"} == set(
        manifest.provenance.libraries
    )
    assert manifest.variants[0].size_bytes == len(bundle.artifacts["variants/fp32/model.onnx"])


def test_goldens_are_real_inputs_of_every_class_with_the_sources_outputs(
    bundle: "converter.ConvertedBundle",
) -> None:
    windows, label, probabilities = (
        golden(bundle, name)
        for name in (*bundle.manifest.golden.inputs, *bundle.manifest.golden.outputs)
    )
    held_out, _ = recordings("test")
    assert len(windows) == bundle.manifest.golden.count == 8
    assert all((held_out == window).all(axis=(1, 2)).any() for window in windows)
    source = motion_model()
    assert np.array_equal(np.array(bundle.manifest.classes)[label], source.predict(windows))
    assert np.array_equal(probabilities, source.predict_proba(windows).astype(np.float32))
    assert set(label.tolist()) == {0, 1, 2, 3}
    assert (windows.dtype, label.dtype, probabilities.dtype) == (np.float32, np.int64, np.float32)


def test_a_saved_bundle_loads_predicts_and_replays_its_goldens(
    bundle: "converter.ConvertedBundle", tmp_path: Path, signing_key: Path
) -> None:
    path = bundle.save(tmp_path / "motion-1.2.3.edge", signing_key=signing_key)
    windows, _ = recordings("test")
    with edge_runtime.load(path, allow_unsigned=True) as model:
        assert np.array_equal(model.predict(windows), motion_model().predict(windows))
        assert model.replay_goldens().label_disagreements == 0
        assert model.manifest == bundle.manifest


def test_goldens_of_a_regression_are_spread_over_its_values() -> None:
    rows, truth = load_diabetes(return_X_y=True)
    forest = RandomForestRegressor(5, random_state=0).fit(rows, truth)
    made = converter.convert(forest, rows, truth, name="progress", version="1.0.0", golden_count=4)
    values = golden(made, made.manifest.golden.outputs[0])
    whole = forest.predict(rows.astype(np.float32))
    assert len(np.unique(np.digitize(values, np.quantile(whole, [0.25, 0.5, 0.75])))) >= 3
    assert "mean absolute error" in made.report()


def test_fewer_inputs_than_goldens_give_fewer_goldens() -> None:
    forest = RandomForestClassifier(5, random_state=0).fit(ROWS, SPECIES)
    made = converter.convert(forest, ROWS[:3], name="few", version="1.0.0")
    assert made.manifest.golden.count == 3


def test_the_same_inputs_give_the_same_bytes(
    bundle: "converter.ConvertedBundle", tmp_path: Path, signing_key: Path
) -> None:
    saved = [
        made.save(tmp_path / f"{i}.edge", signing_key=[signing_key]).read_bytes()
        for i, made in enumerate((bundle, motion(), bundle))
    ]
    assert saved[0] == saved[1] == saved[2]


_SCRIPT = """
import hashlib, sys
import numpy as np
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
import converter
rows, labels = load_iris(return_X_y=True)
labels = np.array(["a", "b", "c"])[labels]
for final in (
    RandomForestClassifier(10, random_state=0, n_jobs=2, min_samples_leaf=3),
    MLPClassifier((4,), max_iter=20, random_state=0),
    KNeighborsClassifier(3),
):
    model = make_pipeline(StandardScaler(), final).fit(rows, labels)
    bundle = converter.convert(
        model, rows, labels, name="a", version="1.0.0", training=(rows, labels), cross_validation=2
    )
    print(hashlib.sha256(bundle.to_bytes()).hexdigest())
"""


def test_other_processes_give_the_same_bytes_whatever_their_hash_seed() -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", _SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert outputs[0] == outputs[1]
    assert len(outputs[0].split()) == 3


def test_every_bundle_has_a_card_and_a_bill_of_materials(bundle: "converter.ConvertedBundle") -> None:
    assert {"card.md", "bom.json"} < bundle.manifest.files.keys()


def test_the_report_reads_as_a_page(bundle: "converter.ConvertedBundle") -> None:
    facts, scores = bundle.report().split("\n\n", 1)
    said = " ".join(facts.split())
    for part in (
        "motion 1.2.3, release 1002003",
        "Pipeline(WindowFeatures, StandardScaler, RandomForestClassifier)",
        "StandardScaler (folded into the trees' thresholds)",
        "every input reaches the source model's leaf in every tree, from the computed features on",
        "40 inputs: 0 labels differ (0 near ties)",
    ):
        assert part in said
    for part in (
        "accuracy 0.975 on 40 labelled inputs",
        "Badminton      1.000   1.000  1.000      10",
        "Standing             0        0         9        1",
    ):
        assert part in scores


def test_without_labels_accuracy_is_not_measured() -> None:
    windows, _ = recordings("test")
    made = converter.convert(motion_model(), windows, name="motion", version="1.0.0")
    assert made.manifest.evaluation is None
    assert "not measured" in made.report()
    assert made.manifest.window is not None
    assert made.manifest.window.channels == ("0", "1", "2", "3", "4", "5")


def test_an_unsigned_bundle_is_saved_with_a_warning(
    bundle: "converter.ConvertedBundle", tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        path = bundle.save(str(tmp_path / "unsigned.edge"))
    assert "is not signed" in caplog.text
    with open_bundle(path, root=None, allow_unsigned=True) as opened:
        assert opened.manifest == bundle.manifest


def test_a_bundle_that_cannot_be_written_leaves_what_was_there(
    bundle: "converter.ConvertedBundle", tmp_path: Path
) -> None:
    with pytest.raises(StorageError, match="folder does not exist"):
        bundle.save(tmp_path / "nowhere" / "a.edge")
    with pytest.raises(StorageError, match="found a folder"):
        bundle.save(tmp_path)
    old = tmp_path / "a.edge"
    old.write_bytes(b"old")
    with pytest.raises(TrustError):
        bundle.save(old, signing_key=tmp_path / "no-such-key.pem")
    assert old.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.edge"]


def test_a_full_temporary_folder_is_one_clear_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    rows, species = load_iris(return_X_y=True)
    model = RandomForestClassifier(5, random_state=0).fit(rows, species)
    with (
        files_of_at_most(1000),
        pytest.raises(StorageError, match=r"draft of [\d,]+ bytes cannot be written: .*TMPDIR"),
    ):
        converter.convert(model, rows, name="iris", version="1.0.0")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "error", "what"),
    [
        ({"name": "Motion!"}, ManifestError, "name"),
        ({"version": "1.0"}, ManifestError, "semantic version"),
        ({"version": "1.2000.0"}, ManifestError, "explicit release"),
        ({"release": -1}, ConfigError, "release"),
        ({"release": "7"}, ConfigError, "release: expected a whole number, found '7'"),
        ({"release": 2**53}, ConfigError, "release: expected 0 to 9007199254740991"),
        (
            {"floor": -1},
            ConfigError,
            "floor: expected 0 to 1002003, this bundle's own release",
        ),
        (
            {"floor": 1_002_004},
            ConfigError,
            r"found 1002004\. Give the lowest release that",
        ),
        ({"floor": 7, "release": 6}, ConfigError, "floor: expected 0 to 6"),
        ({"floor": "7"}, ConfigError, "floor: expected a whole number, found '7'"),
        ({"name": None}, ConfigError, "name: expected a text, found None"),
        ({"version": 1.0}, ConfigError, "version: expected a text, found 1.0"),
        ({"golden_count": 0}, InputError, "golden_count"),
        ({"window": WindowSpec(channels=("a", "b"))}, ConfigError, "6 different channel names"),
        ({"window": WindowSpec(channels=("a",) * 6)}, ConfigError, "6 different channel names"),
        ({"window": WindowSpec(stride=0)}, ConfigError, "stride"),
        ({"window": WindowSpec(rate_hz=0.0)}, ConfigError, "rate"),
        ({"window": WindowSpec(rate_hz=float("nan"))}, ConfigError, "rate"),
    ],
)
def test_what_the_author_says_is_checked(changes: dict, error: type[Exception], what: str) -> None:
    with pytest.raises(error, match=what):
        motion(**changes)


@pytest.mark.parametrize("floor", [1_002_000, 1_002_003])
def test_a_floor_is_in_the_manifest_and_wherever_people_read(floor: int) -> None:
    bundle = motion(floor=floor)
    assert bundle.manifest.floor == floor
    said = f"once it is confirmed, no release below {floor} runs again"
    for text in (bundle.report(), bundle.artifacts["card.md"].decode(), bundle.report_html()):
        assert said in text


def test_a_bundle_forbids_no_release_unless_it_is_told_to(bundle: "converter.ConvertedBundle") -> None:
    assert bundle.manifest.floor == 0
    assert "runs again" not in bundle.report() + bundle.artifacts["card.md"].decode()


def test_labels_must_fit_the_inputs_and_the_classes() -> None:
    windows, labels = recordings("test")
    for wrong, what in ((labels[:5], "expected 40"), (np.full(40, "Swimming"), "found 'Swimming'")):
        with pytest.raises(InputError, match=what):
            converter.convert(motion_model(), windows, wrong, name="motion", version="1.0.0")


def test_a_window_is_not_for_a_model_of_rows() -> None:
    forest = RandomForestClassifier(3).fit(ROWS, SPECIES)
    with pytest.raises(ConfigError, match="takes rows"):
        converter.convert(forest, ROWS, name="rows", version="1.0.0", window=SPEC)


def test_digests_of_inputs_and_labels_tell_data_apart(bundle: "converter.ConvertedBundle") -> None:
    windows, labels = recordings("test")
    again = converter.convert(motion_model(), windows, labels, name="motion", version="9.9.9")
    other = converter.convert(motion_model(), windows[:39], labels[:39], name="motion", version="1.2.3")
    given, same, changed = (made.manifest.provenance for made in (bundle, again, other))
    assert (given.inputs_sha256, given.labels_sha256) == (same.inputs_sha256, same.labels_sha256)
    assert given.inputs_sha256 != changed.inputs_sha256
    assert given.labels_sha256 != changed.labels_sha256
    assert len(given.inputs_sha256) == len(hashlib.sha256().hexdigest())


def test_importing_the_package_and_its_command_loads_no_training_library() -> None:
    code = (
        "import sys, converter, converter.cli\n"
        "print([m for m in ('sklearn', 'onnx', 'scipy', 'numpy', 'onnxruntime') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_name_the_package_does_not_have() -> None:
    with pytest.raises(AttributeError, match="no attribute 'convertt'"):
        _ = converter.convertt
