"""Killed anywhere, a command leaves nothing half-written, and the same command goes on from there.

``python tests/killing.py`` does it at thirty places of each command; here are a few.
"""

from pathlib import Path

import killing
import pytest

from oulib.files import folder_aside, write_atomically


@pytest.mark.parametrize("name", ["fit", "report"])
def test_a_killed_command_is_whole_when_it_is_run_again(name: str):
    number, wrong = killing.everywhere(**killing.CASES[name](), points=3)
    assert (number, wrong) == (3, [])


def test_what_a_dead_process_left_aside_is_removed_and_what_a_live_one_writes_is_not(
    tmp_path: Path,
):
    file = tmp_path / "a.txt"
    write_atomically(file, "one")
    with folder_aside(tmp_path / "a.txt") as live:
        machine = live.name.removeprefix(".a.txt.").partition("-")[0]
        dead = tmp_path / f".a.txt.{machine}-999999999-x"
        dead.mkdir()
        (dead / "half").touch()
        elsewhere = tmp_path / ".a.txt.other-999999999-x"
        elsewhere.touch()
        write_atomically(file, "two")
        assert live.is_dir()
        assert not dead.exists()
        assert elsewhere.exists()  # another machine's, whose processes nobody here can see
    assert sorted(one.name for one in tmp_path.iterdir()) == [elsewhere.name, "a.txt"]
    assert file.read_text() == "two"
