"""The table of providers in docs/engines.md is what the newest result of its benchmark says."""

from pathlib import Path

from tests.edge_runtime.engine.onnxruntime import support_table

PAGE = Path(__file__).parents[4] / "docs" / "engines.md"


def test_the_page_shows_what_was_run_through_each_provider() -> None:
    assert "\n".join(support_table.lines()) in PAGE.read_text()
