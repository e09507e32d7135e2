"""docs/data.md is true: every field that is sent stands there, and no engine tells its vendor."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "data.md").read_text("utf-8")
NAMED = set(re.findall(r"`([\w/{}]+)`", PAGE))
PACKAGES = ("edge_runtime", "converter", "devices")
SWITCH = 'os.environ["ORT_DISABLE_TELEMETRY"] = "1"'


@pytest.mark.parametrize("name", ["status", "reported", "batch", "ack"])
def test_every_field_that_may_be_sent_stands_on_the_page(name: str) -> None:
    kinds = json.loads((ROOT / "docs" / "schemas" / f"{name}.json").read_text("utf-8"))["$defs"]
    fields = {field for kind in kinds.values() for field in kind["properties"]}
    assert fields
    assert fields - NAMED == set()


def test_every_topic_stands_on_the_page() -> None:
    topics = set(
        re.findall(r"`(edge/v1/\{device\}[\w/{}]*)`", (ROOT / "docs" / "mqtt.md").read_text("utf-8"))
    )
    assert len(topics) >= 5
    assert topics - NAMED == set()


def test_the_tests_that_the_page_names_are_there() -> None:
    paths = re.findall(r"`(tests/[\w/.]+)`", PAGE)
    assert len(paths) >= 3
    assert [path for path in paths if not (ROOT / path).is_file()] == []


def _imports(tree: ast.AST) -> Iterator[ast.stmt]:
    for node in ast.walk(tree):
        names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        if isinstance(node, ast.stmt) and any(name.split(".")[0] == "onnxruntime" for name in names):
            yield node


def test_telemetry_of_the_engine_is_off_before_every_first_import() -> None:
    found = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            text = path.read_text("utf-8")
            lines = [node.lineno for node in _imports(ast.parse(text))]
            if lines:
                before = "\n".join(text.splitlines()[: min(lines)])
                found[str(path.relative_to(ROOT))] = SWITCH in before
    assert "edge_runtime/engine/onnxruntime/library.py" in found
    assert [path for path, switched_off in found.items() if not switched_off] == []
