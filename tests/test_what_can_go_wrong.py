"""docs/what-can-go-wrong.md is proved: its lines name tests that exist and that nothing skips."""

import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "what-can-go-wrong.md").read_text("utf-8")
_CITED = re.compile(r"`(tests/[\w/]+\.py::[^`]+)`")


def lines() -> list[list[str]]:
    """The cells of each line of the page's tables."""
    rows = [line.strip("|").split(" | ") for line in PAGE.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows if row[0].strip() != "what goes wrong"]


def cited() -> list[str]:
    return _CITED.findall(PAGE)


def test_each_line_says_what_happens_what_to_do_and_names_its_proof() -> None:
    assert len(lines()) >= 60
    assert [row for row in lines() if len(row) != 4 or not all(row)] == []
    unproved = [row[0] for row in lines() if _CITED.sub("", row[3]).strip(" ,") or "`" not in row[3]]
    assert unproved == []


def test_no_two_lines_are_about_the_same() -> None:
    subjects = [row[0] for row in lines()]
    assert len(subjects) == len(set(subjects))


def test_every_test_that_is_named_is_collected() -> None:
    files = sorted({name.split("::")[0] for name in cited()})
    command = [sys.executable, "-m", "pytest", "--collect-only", "--quiet", "-p", "no:cacheprovider"]
    done = subprocess.run([*command, *files], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    found = {line for line in done.stdout.splitlines() if "::" in line}
    found |= {name.split("[")[0] for name in found}
    assert [name for name in cited() if name not in found] == []


def test_no_test_that_is_named_may_be_skipped() -> None:
    assert [name for name in cited() if _may_be_skipped(name)] == []


def test_a_test_that_may_be_skipped_is_found() -> None:
    doctor, service = "tests/edge_runtime/doctor/test_files.py", "tests/edge_runtime/service/test_cli.py"
    by_a_mark = f"{doctor}::test_what_root_left_in_the_agents_folder_is_a_problem"
    by_a_fixture = f"{service}::test_show_prints_the_unit_of_this_program_and_configuration"
    assert _may_be_skipped(by_a_mark)
    assert _may_be_skipped(by_a_fixture)


def _may_be_skipped(name: str) -> bool:
    """Whether the test, its class or module, or what it uses of its file, fixtures too, can skip it."""
    path, *todo = name.split("[", maxsplit=1)[0].split("::")
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    there: dict[str, list[ast.AST]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            there[node.name] = [node]
        elif isinstance(node, ast.ClassDef):
            there[node.name] = list(node.decorator_list)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            there[node.targets[0].id] = [node.value]
    seen, todo = set[str](), [*todo, "pytestmark"]
    while todo:
        word = todo.pop()
        if word not in seen:
            seen.add(word)
            todo += [each for node in there.get(word, []) for each in _words(node)]
    return not seen.isdisjoint({"skip", "skipif", "importorskip"})


def _words(node: ast.AST) -> set[str]:
    """Names that are used, attributes and arguments included."""
    found = set[str]()
    for each in ast.walk(node):
        for member in ("id", "attr", "arg"):
            found.add(str(getattr(each, member, "")))
    return found
