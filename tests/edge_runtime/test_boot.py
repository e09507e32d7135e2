"""Which boot of the machine this is."""

from pathlib import Path

import pytest

from edge_runtime import boot


def test_a_boot_has_one_id() -> None:
    assert boot.boot_id() == boot.boot_id() != ""


def test_where_the_kernel_tells_none_every_call_is_a_boot_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boot, "_BOOT_ID", tmp_path / "none")

    assert boot.boot_id() != boot.boot_id()
