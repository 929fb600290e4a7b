"""The order of tasks, the estimate of the time left, and ending those that run."""

import threading
import time

import pytest

from oulib.book import schedule
from oulib.book.schedule import Task


def test_the_longest_come_first_and_the_unknown_count_as_average():
    seconds = {"a": 10.0, "b": 40.0, "d": 30.0}
    assert schedule.longest_first(["a", "b", "c", "d"], seconds) == ["b", "d", "c", "a"]
    assert schedule.longest_first(["b", "c", "a"], {}) == ["b", "c", "a"]


def test_the_time_left_is_that_of_the_last_to_end():
    seconds = {"a": 10.0, "b": 40.0, "c": 30.0}
    # One after the other, two at a time, and one that has run for 4 s already.
    assert schedule.seconds_left({}, ["b", "c", "a"], 1, seconds) == 80
    assert schedule.seconds_left({}, ["b", "c", "a"], 2, seconds) == 40
    assert schedule.seconds_left({"a": 4.0}, ["c"], 2, seconds) == 30
    assert schedule.seconds_left({"a": 4.0}, ["c"], 1, seconds) == 36
    # What is not known is average; what outlasts its estimate is nearly done.
    assert schedule.seconds_left({"new": 5.0}, [], 1, {"a": 10.0, "b": 20.0}) == 10
    assert schedule.seconds_left({"a": 20.0}, [], 1, seconds) == pytest.approx(2)
    assert schedule.seconds_left({"a": 20.0}, ["b"], 1, {}) is None


def test_no_more_jobs_than_cores_or_memory_allow(monkeypatch):
    monkeypatch.setattr(schedule, "usable_cores", lambda: 8)
    for gibibytes, jobs in ((1, 1), (6, 2), (64, 8)):
        monkeypatch.setattr(schedule, "usable_memory", lambda n=gibibytes: n * 2**30)
        assert schedule.default_jobs() == jobs
    monkeypatch.setattr(schedule, "usable_memory", lambda: None)
    assert schedule.default_jobs() == 8


def test_the_machine_says_what_it_has():
    assert schedule.usable_cores() >= 1
    assert schedule.usable_memory() > 2**20


def test_tasks_run_at_once_and_the_last_has_all_cores(monkeypatch):
    monkeypatch.setattr(schedule, "usable_cores", lambda: 4)
    meet = threading.Barrier(2, timeout=30)  # broken unless two are there at once

    def work(cores, on_step):
        on_step(1)
        meet.wait()
        return cores

    tasks = [Task("a", 1, work), Task("b", 1, work), Task("c", 1, lambda cores, on_step: cores)]
    seen = []
    options = {"stop": lambda: None, "done_before": 2, "progress": seen.append}
    ended = {done.name: done for done in schedule.run(tasks, jobs=2, **options)}
    assert all(done.error is None for done in ended.values())
    assert {name: done.result for name, done in ended.items()} == {"a": 2, "b": 2, "c": 2}
    assert (seen[0].done, seen[0].total, seen[0].waiting) == (2, 5, 1)
    (alone,) = schedule.run([tasks[2]], jobs=2, stop=lambda: None)
    assert alone.result == 4


def test_a_failure_is_handed_over_and_the_others_go_on():
    def fails(cores, on_step):
        raise KeyError("x")

    tasks = [Task("a", 1, fails), Task("b", 1, lambda cores, on_step: 1)]
    first, second = schedule.run(tasks, jobs=1, stop=lambda: None)
    assert isinstance(first.error, KeyError)
    assert second.result == 1


def test_who_leaves_ends_what_runs():
    stopped = threading.Event()

    def work(cores, on_step):
        assert stopped.wait(30)

    def interrupt(progress):
        raise KeyboardInterrupt

    before = threading.active_count()
    tasks = [Task(name, 1, work) for name in "abc"]
    with pytest.raises(KeyboardInterrupt):
        list(schedule.run(tasks, jobs=2, stop=stopped.set, progress=interrupt))
    assert stopped.is_set()
    assert threading.active_count() == before


def test_progress_tells_steps_and_estimates_from_what_was_seen():
    seen, said = [], threading.Event()

    def work(cores, on_step):
        on_step(7)
        assert said.wait(30)

    def look(progress):
        seen.append(progress)
        if progress.running and progress.running[0].step == 7:
            said.set()

    tasks = [Task("a", 9, work), Task("b", 9, lambda cores, on_step: time.sleep(0.01))]
    list(schedule.run(tasks, jobs=1, stop=said.set, progress=look))
    assert seen[0].seconds_left is None
    assert seen[-1].seconds_left is not None
    assert any((p.running[0].step, p.running[0].steps) == (7, 9) for p in seen)
