"""Killed anywhere, a command leaves nothing half-written, and the same command goes on from there.

``python tests/killing.py`` does it at thirty places of each command; here are a few.
"""

import errno
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import killing
import pytest

from oulib.errors import UserError
from oulib.files import folder_aside, room_for, write_atomically


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


def test_a_full_disk_is_said_to_be_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fails(error: Exception) -> Callable[[Path], None]:
        def write(place: Path) -> None:
            place.write_text("half")
            raise error

        return write

    full, room = (SimpleNamespace(free=free) for free in (1000, 10**9))
    file = tmp_path / "a.txt"
    for error, disk in ((OSError(errno.ENOSPC, "x"), room), (RuntimeError("HDF error"), full)):
        monkeypatch.setattr("shutil.disk_usage", lambda place, disk=disk: disk)
        with pytest.raises(UserError, match=r"no room left on the disk of .*a\.txt"):
            write_atomically(file, fails(error))
        with pytest.raises(UserError, match="no room left"), room_for(file):
            raise error
    for error in (RuntimeError("something else"), OSError(errno.EACCES, "x")):
        monkeypatch.setattr("shutil.disk_usage", lambda place: room)
        with pytest.raises(type(error)):
            write_atomically(file, fails(error))
    assert [*tmp_path.iterdir()] == []
