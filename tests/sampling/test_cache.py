"""Stored results: computed once, whoever asks, and again only if they are gone or damaged."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import xarray as xr

from oulib.sampling import cache

ROOT = Path(__file__).resolve().parents[2]
# Asks for a result; computing it says so in a file and then waits for leave.
ASKER = """\
import sys, time
from pathlib import Path
import xarray as xr
from oulib.sampling import cache

def compute():
    with Path("computed").open("a") as log:
        print(sys.argv[1], file=log)
    while not Path("go").exists():
        time.sleep(0.02)
    return xr.DataTree(xr.Dataset({"x": 1.0}))

Path(f"asks-{sys.argv[1]}").touch()
tree, file = cache.fetch("toys", "key", compute)
print(float(tree["x"]))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("OULIB_CACHE", str(tmp_path / "cache"))
    return tmp_path


def ask(folder: Path, name: str) -> subprocess.Popen:
    command = [sys.executable, "-c", ASKER, name]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, text=True)


def wait_for(*flags: Path) -> None:
    deadline = time.monotonic() + 120  # where an asker failed, the flag never comes
    while not all(flag.exists() for flag in flags):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_two_processes_compute_a_result_once(folder):
    first = ask(folder, "a")
    wait_for(folder / "computed")
    second = ask(folder, "b")
    wait_for(folder / "asks-b")
    (folder / "go").touch()
    assert [process.communicate()[0] for process in (first, second)] == ["1.0\n"] * 2
    assert (folder / "computed").read_text() == "a\n"


def test_who_waited_for_one_that_died_computes(folder):
    first = ask(folder, "a")
    wait_for(folder / "computed")
    second = ask(folder, "b")
    wait_for(folder / "asks-b")
    first.send_signal(signal.SIGKILL)
    first.communicate()
    (folder / "go").touch()
    assert second.communicate()[0] == "1.0\n"
    assert (folder / "computed").read_text() == "a\nb\n"


def test_threads_wait_for_each_other_too(folder):
    computed, both = [], threading.Barrier(2, timeout=30)

    def compute() -> xr.DataTree:
        computed.append(1)
        time.sleep(0.2)
        return xr.DataTree(xr.Dataset({"x": 2.0}))

    def asks() -> None:
        both.wait()
        tree, _ = cache.fetch("toys", "key", compute)
        assert float(tree["x"]) == 2.0

    threads = [threading.Thread(target=asks) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert computed == [1]


def test_a_damaged_result_and_one_whose_computation_failed_are_computed_again(folder):
    def fails() -> xr.DataTree:
        raise KeyError("x")

    def works() -> xr.DataTree:
        return xr.DataTree(xr.Dataset({"x": 3.0}))

    with pytest.raises(KeyError):
        cache.fetch("toys", "key", fails)
    _, file = cache.fetch("toys", "key", works)
    cache.fetch("toys", "key", fails)  # it is there
    file.write_bytes(file.read_bytes()[:100])
    tree, _ = cache.fetch("toys", "key", works)
    assert float(tree["x"]) == 3.0
    cache.fetch("toys", "key", fails)
