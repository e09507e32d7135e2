"""A loaded variant on a simulated GPU: rows, batches, threads, what fails, what is freed."""

import gc
import shutil
import threading
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from edge_runtime.bundle import Bundle
from edge_runtime.engine.onnxruntime import OnnxRuntimeEngine
from edge_runtime.errors import EngineError
from tests.edge_runtime.engine.tensorrt import models
from tests.edge_runtime.engine.tensorrt.models import (
    ROWS,
    engine_in,
    forest,
    load,
    of_table,
    onnx_of,
    opened,
    simulated,
    variant_of,
)
from tests.edge_runtime.engine.tensorrt.simulated_gpu import SimulatedCudart, machine


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real plans of the forest and the table."""
    folder = tmp_path_factory.mktemp("built")
    for made in (forest(), of_table()):
        with opened(made, folder) as bundle:
            engine_in(folder).prepare(bundle, variant_of(bundle))
    return folder / "plans"


@pytest.fixture(autouse=True)
def _kept(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "plans")


def test_the_first_run_is_over_before_anybody_asks(bundle: Bundle, tmp_path: Path) -> None:
    engine = engine_in(tmp_path)
    load(bundle, engine)
    assert simulated(engine).runs == [1]


def test_batches_and_rows_give_what_onnx_runtime_gives(bundle: Bundle, tmp_path: Path) -> None:
    engine = engine_in(tmp_path)
    session = load(bundle, engine)
    plain = OnnxRuntimeEngine().load(bundle, bundle.manifest.variants[0], threads=1)
    expected = plain.run({"rows": ROWS})

    found = session.run({"rows": ROWS})
    assert list(found) == ["label", "probabilities"]
    assert np.array_equal(found["label"], expected["label"])
    assert np.allclose(found["probabilities"], expected["probabilities"], atol=1e-6)

    addresses = [array.ctypes.data for array in (*session.row.inputs, *session.row.outputs)]
    for at in (3, 0, 117):
        session.row.inputs[0][...] = ROWS[at]
        session.row.run()
        assert session.row.outputs[0].tolist() == [expected["label"][at]]
        assert np.allclose(session.row.outputs[1], expected["probabilities"][at], atol=1e-6)
    assert [array.ctypes.data for array in (*session.row.inputs, *session.row.outputs)] == addresses


def test_a_batch_beyond_the_profile_is_run_in_parts(bundle: Bundle, tmp_path: Path) -> None:
    profile = msgspec.structs.replace(variant_of(bundle).profile, max_rows=64)  # type: ignore[type-var]
    variant = msgspec.structs.replace(variant_of(bundle), profile=profile)
    engine = engine_in(tmp_path, machine=machine(onnx_of(forest()), max_rows=64))
    session = engine.load(bundle, variant, threads=1)
    whole = load(bundle, engine_in(tmp_path)).run({"rows": ROWS})

    parts = session.run({"rows": ROWS})

    assert simulated(engine).runs == [1, 64, 64, 64, 8]
    assert np.array_equal(parts["probabilities"], whole["probabilities"])


def test_shapes_are_set_only_when_the_number_of_rows_changes(bundle: Bundle, tmp_path: Path) -> None:
    engine = engine_in(tmp_path)
    session = load(bundle, engine)
    for _ in range(3):
        session.row.run()
    assert simulated(engine).binds == 1  # of the warm-up
    session.run({"rows": ROWS})
    session.run({"rows": ROWS})
    session.row.run()
    assert simulated(engine).binds == 3


def test_rows_and_batches_of_several_threads_do_not_meet(bundle: Bundle, tmp_path: Path) -> None:
    session = load(bundle, engine_in(tmp_path))
    expected = session.run({"rows": ROWS})["probabilities"]
    wrong: list[int] = []

    def ask(first: int) -> None:
        for size in (1, 5, 60, 2, 1, 33):
            found = session.run({"rows": ROWS[first : first + size]})["probabilities"]
            if not np.array_equal(found, expected[first : first + size]):
                wrong.append(first)

    threads = [threading.Thread(target=ask, args=(at,)) for at in (0, 40, 80, 120)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_texts_and_float64_go_through_onnx_runtime_first(tmp_path: Path) -> None:
    engine = engine_in(tmp_path, machine=machine(onnx_of(of_table())))
    rows = models.table()
    feed = {
        "kind": rows.kind.to_numpy(np.object_),
        "level": rows.level.to_numpy(),
        "rate": rows.rate.to_numpy(),
    }
    with opened(of_table(), tmp_path) as bundle:
        session = load(bundle, engine)
        plain = OnnxRuntimeEngine().load(bundle, bundle.manifest.variants[0], threads=1)
        expected = plain.run(feed)
        found = session.run(feed)
    assert session.row is None
    assert np.array_equal(found["label"], expected["label"])
    assert np.allclose(found["probabilities"], expected["probabilities"], atol=1e-6)


def test_after_close_every_use_is_an_error_and_the_device_is_empty(
    bundle: Bundle, tmp_path: Path
) -> None:
    cudart = SimulatedCudart()
    session = load(bundle, engine_in(tmp_path, machine=machine(onnx_of(forest()), cudart=cudart)))
    session.run({"rows": ROWS})
    row = session.row
    assert cudart.device
    session.close()
    session.close()

    assert not cudart.device
    assert not cudart.streams
    row.inputs[0][...] = 1  # its memory lives as long as somebody looks at it
    with pytest.raises(EngineError, match="the model was closed"):
        row.run()
    with pytest.raises(EngineError, match="the model was closed"):
        session.run({"rows": ROWS})
    del row, session
    gc.collect()
    assert not cudart.host


def test_a_run_that_fails_says_what_tensorrt_said_and_the_next_may_succeed(
    bundle: Bundle, tmp_path: Path
) -> None:
    engine = engine_in(tmp_path)
    session = load(bundle, engine)
    simulated(engine).fails = True
    with pytest.raises(EngineError, match="cannot be run by TensorRT: the test wants it to fail"):
        session.run({"rows": ROWS})
    simulated(engine).fails = False
    assert len(session.run({"rows": ROWS})["label"]) == len(ROWS)


@pytest.mark.parametrize("copies", [0, 1, 2])  # of the rows, the labels and the probabilities
def test_a_copy_that_fails_leaves_none_under_way(bundle: Bundle, tmp_path: Path, copies: int) -> None:
    cudart = SimulatedCudart()
    session = load(bundle, engine_in(tmp_path, machine=machine(onnx_of(forest()), cudart=cudart)))
    cudart.broken["cudaMemcpyAsync"] = copies
    with pytest.raises(EngineError, match="cudaMemcpyAsync failed"):
        session.run({"rows": ROWS})
    assert not cudart.broken
    assert cudart.under_way == 0
    assert len(session.run({"rows": ROWS})["label"]) == len(ROWS)


def test_what_cannot_be_freed_keeps_nothing_else(bundle: Bundle, tmp_path: Path) -> None:
    cudart = SimulatedCudart()
    session = load(bundle, engine_in(tmp_path, machine=machine(onnx_of(forest()), cudart=cudart)))
    session.run({"rows": ROWS[:2]})
    cudart.broken["cudaFree"] = 0
    with pytest.raises(EngineError, match="cudaFree failed"):
        session.run({"rows": ROWS})  # in larger buffers than before
    assert len(session.run({"rows": ROWS})["label"]) == len(ROWS)

    cudart.broken["cudaFree"] = 0
    with pytest.raises(EngineError, match="cudaFree failed"):
        session.close()
    assert len(cudart.device) == 2  # one of each time
    assert not cudart.streams


@pytest.mark.parametrize("short", [{"has_room": False}, {"cudart": SimulatedCudart(room=8)}])
def test_a_device_without_memory_for_it_says_so_and_keeps_nothing(
    bundle: Bundle, tmp_path: Path, short: dict[str, Any]
) -> None:
    used = short.get("cudart") or SimulatedCudart()
    engine = engine_in(tmp_path, machine=machine(onnx_of(forest()), **(short | {"cudart": used})))
    with pytest.raises(EngineError, match=r"expected memory for 4096 bytes|cudaMalloc failed"):
        load(bundle, engine)
    assert not used.device


def test_a_plan_whose_tensors_are_not_the_manifests_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    engine = engine_in(tmp_path, machine=machine(onnx_of(of_table())))
    with pytest.raises(EngineError, match=r"expected the outputs|expected one of the manifest"):
        load(bundle, engine)
