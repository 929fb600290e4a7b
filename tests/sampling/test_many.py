"""Many tasks: on one process or several, with one that is killed, on a scheduler by address."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest
import xarray as xr
from distributed import LocalCluster

from oulib import BASELINE, Sampling, fit, simulate
from oulib.errors import UserError
from oulib.sampling import cache
from oulib.sampling.many import many


def square(number: int) -> tuple[int, int]:
    if number == 3:
        raise ValueError("three is no number\nto be squared")
    return number**2, os.getpid()


@pytest.mark.parametrize("workers", [1, 2])
def test_failures_are_told_and_the_others_go_on(workers: int) -> None:
    found = sorted(many(square, range(6), workers=workers), key=lambda done: done.item)
    assert [done.item for done in found] == [*range(6)]
    failed = found.pop(3)
    assert failed.failed
    assert failed.error == "ValueError: three is no number"
    assert [done.value[0] for done in found] == [0, 1, 4, 16, 25]
    elsewhere = {done.value[1] for done in found} - {os.getpid()}
    assert bool(elsewhere) == (workers > 1)


def means(seed: int, cache_dir: Path) -> float:
    """A real fit, kept in a cache that processes share."""
    os.environ["OULIB_CACHE"] = str(cache_dir)
    panel = simulate("baseline", n_ou=6, n_site=2, n_month=10, wave_every=2, seed=seed)
    short = Sampling(draws=50, tune=100, chains=2, seed=seed, signs="one")
    made = fit(panel, BASELINE, short, progress=False)
    return float(made.posterior["mu_beta"].mean())


def test_numbers_do_not_depend_on_the_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OULIB_CACHE", str(tmp_path))  # put back afterwards
    here, there = (
        {
            done.item: done.value
            for done in many(partial(means, cache_dir=tmp_path / str(n)), range(3), workers=n)
        }
        for n in (1, 2)
    )
    assert here == there
    assert None not in here.values()


def kept(number: int, folder: Path) -> int:
    """A task of several kept steps, each of which leaves a line when it is computed."""
    os.environ["OULIB_CACHE"] = str(folder / "cache")

    def step(place: int) -> xr.DataTree:
        with (folder / "computed.txt").open("a") as log:
            log.write(f"{number}.{place}\n")
        time.sleep(0.2)
        return xr.DataTree(xr.Dataset({"value": number * 10 + place}))

    total = 0
    for place in range(5):
        tree, _ = cache.fetch(
            "fits", cache.key_of({"at": [number, place]}, ()), partial(step, place)
        )
        total += int(tree["value"])
        (folder / f"{number}.pid").write_text(str(os.getpid()))
    return total


def test_a_worker_that_is_killed_loses_nothing_and_nothing_is_computed_twice(
    tmp_path: Path,
) -> None:
    killed, found = None, {}
    for done in many(partial(kept, folder=tmp_path), range(8), workers=2):
        found[done.item] = done.value
        if killed is None:  # in the middle: one has ended, and others are at work
            running = [p for p in tmp_path.glob("*.pid") if int(p.stem) not in found]
            if running:
                killed = int(running[0].read_text())
                os.kill(killed, signal.SIGKILL)
    assert killed is not None
    assert found == {number: sum(number * 10 + place for place in range(5)) for number in range(8)}
    lines = (tmp_path / "computed.txt").read_text().split()
    again = {line for line in lines if lines.count(line) > 1}
    assert len(again) <= 1  # the step that it was at
    assert len(set(lines)) == 40


def fatal(number: int) -> int:
    """Takes its process with it, whichever that is."""
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_task_that_kills_every_worker_is_a_failure_and_the_others_go_on() -> None:
    found = {done.item: done for done in many(fatal, range(4), workers=2)}
    assert {item for item, done in found.items() if done.failed} == {1}
    assert "workers were lost" in found[1].error
    assert [found[number].value for number in (0, 2, 3)] == [0, 2, 3]


def test_a_scheduler_by_its_address() -> None:
    with LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=":0", memory_limit=0
    ) as cluster:
        found = list(many(square, [2, 4], scheduler=cluster.scheduler_address))
        assert sorted(done.value[0] for done in found) == [4, 16]
        assert os.getpid() not in {done.value[1] for done in found}
    with pytest.raises(UserError, match="no Dask scheduler answers"):
        list(many(square, [2], scheduler="tcp://127.0.0.1:9"))
