"""What the fleet is told of a measurement follows the record in the store."""

from pathlib import Path

from edge_runtime.agent.choices import Choices
from edge_runtime.choice import record
from tests.edge_runtime.choice.rows import recorded, row

OLD, NEW = "a" * 64, "b" * 64


def test_it_follows_the_record_of_the_bundle_that_runs(tmp_path: Path) -> None:
    def told(digest: str) -> list[str]:
        return [each.variant for each in choices.look("tiny", digest)]

    choices = Choices(tmp_path)
    assert told(OLD) == []
    record.write(record.path_of(tmp_path, "tiny", OLD), recorded(row("fp32", 9), digest=OLD))
    record.write(record.path_of(tmp_path, "tiny", NEW), recorded(row("int8", 5), digest=NEW))
    assert [told(OLD), told(NEW), told(OLD)] == [["fp32"], ["int8"], ["fp32"]]

    record.write(record.path_of(tmp_path, "tiny", OLD), recorded(row("fp16", 9), digest=OLD))
    assert told(OLD) == ["fp16"]
    record.path_of(tmp_path, "tiny", OLD).write_text("{")
    assert told(OLD) == []
