"""What a killed process leaves of its coverage is left out, and nothing else is."""

from pathlib import Path

import pytest
from coverage import CoverageData

from tests.support.coverage_files import half_written


@pytest.fixture
def data_file(tmp_path: Path) -> Path:
    """Beside it a process has written down what it ran; it is not there itself."""
    written = CoverageData(str(tmp_path / ".coverage.whole"))
    written.add_arcs(
        {f"{number}.py": [(line, line + 1) for line in range(200)] for number in range(200)}
    )
    written.close()
    return tmp_path / ".coverage"


def test_what_was_written_to_its_end_stays(data_file: Path) -> None:
    assert list(half_written(data_file)) == []


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("is_sparse", [False, True])
def test_what_ends_early_or_has_holes_is_left_out(
    data_file: Path, share: float, *, is_sparse: bool
) -> None:
    raw = data_file.with_name(".coverage.whole").read_bytes()
    kept = raw[: int(share * len(raw))]
    torn = data_file.with_name(".coverage.torn")
    torn.write_bytes(kept.ljust(len(raw), b"\0") if is_sparse else kept)
    assert list(half_written(data_file)) == [torn]
