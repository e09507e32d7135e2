"""How users are named, and the number that stands for all whom a namespace hides."""

from pathlib import Path

import pytest

from edge_runtime import users

NOBODY = 65_534


def test_a_user_without_a_name_is_its_number_and_a_shell_takes_what_runs_as_it() -> None:
    assert (users.name(0), users.name(NOBODY), users.name(12_345)) == ("root", "nobody", "12345")
    assert (users.sudo(0), users.sudo(NOBODY)) == ("sudo", "sudo -u nobody")
    assert users.sudo(12_345) == "sudo -u '#12345'"  # bare, it were a name, or a comment


@pytest.mark.parametrize(
    ("uid_map", "hidden"),
    [
        ("         0          0 4294967295\n", False),  # the machine itself
        (
            "         0          0          1\n       990        990          1\n",
            True,
        ),  # PrivateUsers=yes
        ("         0       1000          1\n         1     100000      65536\n", True),  # a container
        ("         0          0 2147483647\n2147483647 2147483647 2147483648\n", False),
    ],
)
def test_the_number_of_nobody_is_a_users_only_where_every_user_has_a_number(
    tmp_path: Path, uid_map: str, hidden: bool
) -> None:
    assert not users.is_hidden(NOBODY, tmp_path), "nothing tells"
    (tmp_path / "proc" / "sys" / "kernel").mkdir(parents=True)
    (tmp_path / "proc" / "self").mkdir()
    (tmp_path / "proc" / "sys" / "kernel" / "overflowuid").write_text(f"{NOBODY}\n")
    (tmp_path / "proc" / "self" / "uid_map").write_text(uid_map)
    assert users.is_hidden(NOBODY, tmp_path) == hidden
    assert not users.is_hidden(1_000, tmp_path)
