from pathlib import Path

from devices.fleet.database import Arrival, Database, Refusal
from devices.fleet.status import as_text, read
from tests.devices.fleet.rows import batch, birth, reported


def test_what_deserves_attention_has_a_line_of_its_own(tmp_path: Path) -> None:
    with Database(tmp_path) as database:
        database.store(
            [
                Arrival("arm-7", birth(), 1.0),
                Arrival("arm-7", reported("1.0.0", error="the worker died"), 1.0),
                Arrival("arm-7", batch([5], oldest=5), 1.0),
                Refusal("arm-7", "telemetry: JSON is malformed"),
            ]
        )
    _, _, head, line, *notes = as_text(read(tmp_path, None, with_history=False)).splitlines()
    assert head.split()[:2] == ["DEVICE", "PRESENCE"]
    assert line.split()[:2] == ["arm-7", "silent"]  # last heard of in 1970
    assert line.split()[-4:] == ["nothing", "1", "4", "0"]
    assert notes == [
        "  arm-7: motion: the worker died",
        "  arm-7: motion: also installed: 1.0.0 (good)",
        "  arm-7: 1 payloads refused, the last one: telemetry: JSON is malformed",
    ]


def test_a_devices_words_do_not_drive_the_terminal(tmp_path: Path) -> None:
    with Database(tmp_path) as database:
        database.store([Arrival("arm-7", reported("1.0.0", error="\x1b[2J\r\n\u202egone"), 1.0)])
    text = as_text(read(tmp_path, "arm-7", with_history=True))
    assert all(character.isprintable() or character == "\n" for character in text)
    assert text.count("gone") == 2
