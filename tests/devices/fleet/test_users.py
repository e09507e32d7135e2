from pathlib import Path

import pytest

from devices.fleet.users import read_users
from edge_runtime.errors import ConfigError


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "users.toml"
    path.write_text(text, "utf-8")
    return path


def test_roles_become_rights_on_topics(tmp_path: Path) -> None:
    users = read_users(
        _file(
            tmp_path,
            """
            [arm-7]
            password = "p1"
            [watcher]
            role = "reader"
            password = "p2"
            [central]
            role = "collector"
            password = "p3"
            [press]
            publish = ["sensors/press/#"]
            password = "p4"
            """,
        ),
        certificates=False,
    )
    rights = {user.name: (user.publish, user.subscribe) for user in users}
    assert rights == {
        "arm-7": (("edge/v1/arm-7/up/#",), ("edge/v1/arm-7/down/#",)),
        "watcher": ((), ("edge/v1/#",)),
        "central": (("edge/v1/+/down/#",), ("edge/v1/+/up/#",)),
        "press": (("sensors/press/#",), ()),
    }


def test_with_certificates_a_user_is_its_subject(tmp_path: Path) -> None:
    path = _file(tmp_path, '[arm-7]\n[arm-8]\nsubject = "CN=arm-8,O=Acme"\n')
    assert [user.subject for user in read_users(path, certificates=True)] == [
        "CN=arm-7",
        "CN=arm-8,O=Acme",
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "names no user"),
        ("[arm-7", "not a TOML file"),
        ("[arm-7]", "has no password"),
        ('[arm-7]\npassword = ""', "has no password"),
        ('[arm-7]\npasswort = "x"', "user 'arm-7': .*passwort"),
        ("[arm-7]\npassword = 5", "user 'arm-7': .*str"),
        ("arm-7 = 5", "user 'arm-7': "),
        ('[arm-7]\npassword = "a\\nb"', "printable"),
        ('[arm-7]\npassword = "x"\nrole = "king"', "king"),
        ('[arm-7]\npassword = "x"\nrole = "device"\npublish = []', "choose one"),
        ('["Arm 7"]\npassword = "x"', "device id"),
        ('[a]\npassword = "x"\npublish = ["a.b"]', "topic filter"),
        ('[a]\npassword = "x"\npublish = ["a b"]', "topic filter"),
        ('[a]\npassword = "x"\npublish = ["a/#/b"]', "topic filter"),
        ('[a]\npassword = "x"\npublish = ["a+/b"]', "topic filter"),
        ('[a]\npassword = "x"\npublish = ["a//b"]', "topic filter"),
        ('[a]\npassword = "x"\nsubscribe = ["a>"]', "topic filter"),
        ('[a]\npassword = "x"\nsubscribe = ["b#"]', "topic filter"),
    ],
)
def test_a_wrong_file_is_told_in_one_sentence(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        read_users(_file(tmp_path, text), certificates=False)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_users(tmp_path / "users.toml", certificates=False)
