"""Benchmarks run to their end, in the shortest way they have."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def run(benchmark: str, *arguments: str) -> str:
    command = [sys.executable, BENCHMARKS / benchmark, "--no-save", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.end_to_end
@pytest.mark.parametrize("model", ["forest", "MLP"])
def test_latency_asks_every_peer_of_a_model(model: str) -> None:
    told = run("latency.py", "--quick", "--only", model.lower())
    assert f"## {model}\n" in told
    for peer in ("predict", "infer", "session.run", "scikit-learn"):
        assert told.count(f"| {peer} |") == 2  # one row, and batches
    assert told.count("| raw IO binding |") == 1


@pytest.mark.end_to_end
def test_cold_start_starts_every_peer_of_the_pipeline() -> None:
    told = run("cold_start.py", "--starts", "1", "--only", "pipeline")
    peers = ("bare onnxruntime", "installed slot", "signed bundle", "worker process", "scikit-learn")
    assert [told.count(f"| {peer} |") for peer in peers] == [1] * len(peers)


@pytest.mark.end_to_end
def test_providers_are_told_of_by_the_packages_that_bring_them() -> None:
    told = run("providers.py", "--quick")
    (row,) = (line for line in told.splitlines() if line.startswith("| openvino |"))
    assert f"| onnxruntime {version('onnxruntime')} | forest, mlp, cnn, table, several |" in row
    assert "not run: this machine does not have it" in row
