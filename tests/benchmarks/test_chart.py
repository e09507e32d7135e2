"""The page of benchmarks and its charts are what the script makes of the committed results."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
SVG = "{http://www.w3.org/2000/svg}"


def chart(docs: Path, results: Path = RESULTS) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "benchmarks" / "chart.py", "--docs", docs, "--results", results]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    docs = tmp_path_factory.mktemp("docs")
    done = chart(docs)
    assert done.returncode == 0, done.stderr
    return docs


def test_what_is_committed_is_what_the_newest_results_give(made: Path) -> None:
    names = sorted(str(path.relative_to(made)) for path in made.rglob("*.*"))
    committed = sorted(f"charts/{path.name}" for path in (ROOT / "docs" / "charts").iterdir())
    assert names == ["benchmarks.md", *committed]
    others = [
        name for name in names if (made / name).read_bytes() != (ROOT / "docs" / name).read_bytes()
    ]
    assert others == [], "run .venv/bin/python benchmarks/chart.py"


def test_each_chart_stands_on_white_and_its_words_and_marks_lie_within(made: Path) -> None:
    charts = list((made / "charts").iterdir())
    assert len(charts) >= 5
    for path in charts:
        picture = ElementTree.fromstring(path.read_text())
        width, height = float(picture.attrib["width"]), float(picture.attrib["height"])
        ground = picture.find(f"{SVG}rect")
        assert ground is not None
        assert ground.attrib == {"width": f"{width:.0f}", "height": f"{height:.0f}", "fill": "#FFFFFF"}
        for element in picture.iter():
            across = [
                float(element.attrib[key]) for key in ("x", "x1", "x2", "cx") if key in element.attrib
            ]
            down = [
                float(element.attrib[key]) for key in ("y", "y1", "y2", "cy") if key in element.attrib
            ]
            assert all(0 <= x <= width for x in across), (path.name, element.attrib)
            assert all(0 <= y <= height for y in down), (path.name, element.attrib)


def copied(tmp_path: Path, benchmark: str) -> Path:
    """A folder with the newest result of one benchmark; its path there."""
    newest = max(RESULTS.glob(f"{benchmark}-2*.json"))
    return Path(shutil.copy(newest, tmp_path / newest.name))


def test_the_newest_by_date_is_taken(tmp_path: Path) -> None:
    file = copied(tmp_path, "jitter")
    later = json.loads(file.read_text())
    later["date"] = "2031-01-02"
    later["loaded"]["real-time mode"]["p99_9_to_p50"] = 6.5
    (tmp_path / "jitter-2031-01-02.json").write_text(json.dumps(later))
    assert chart(tmp_path, tmp_path).returncode == 0
    page = (tmp_path / "benchmarks.md").read_text()
    assert "| 6.50 × | 6 × | **no** | [2031-01-02](../benchmarks/results/jitter-2031-01-02.md) |" in page


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"date": "2026-11-28", "machine": {}}', "not what swap.py writes today (KeyError('gaps_ms'))"),
        ('{"date": "2026-11-28"}', "expected a result with `date` and `machine`"),
        ("[1, 2", "expected JSON, found: Expecting"),
    ],
)
def test_a_result_of_another_form_is_told_by_its_file(tmp_path: Path, text: str, told: str) -> None:
    file = copied(tmp_path, "swap")
    file.write_text(text)
    done = chart(tmp_path, tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {file}: ")
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_result_without_its_machine_is_told_and_nothing_is_written(tmp_path: Path) -> None:
    file = copied(tmp_path, "swap")
    file.write_text(json.dumps({**json.loads(file.read_text()), "machine": {"cores": 2}}))
    assert "not what swap.py writes today (KeyError('cpu'))" in chart(tmp_path / "docs", tmp_path).stderr
    assert not (tmp_path / "docs").exists()


def test_no_results_are_told(tmp_path: Path) -> None:
    assert "expected results of benchmarks, found none" in chart(tmp_path, tmp_path).stderr
