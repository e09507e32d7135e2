"""The support table of docs/engines.md is what TensorRT-RTX builds here, now."""

from pathlib import Path

from tests.edge_runtime.engine.tensorrt import support_table

PAGE = Path(__file__).parents[4] / "docs" / "engines.md"


def test_the_page_shows_what_is_built_for_each_board() -> None:
    assert "\n".join(support_table.lines()) in PAGE.read_text()
