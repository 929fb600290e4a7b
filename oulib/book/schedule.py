"""Which task runs when: how many at a time, in what order, and how long it will take."""

from __future__ import annotations

import heapq
import os
import queue
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MEMORY_OF_A_JOB = 2.5 * 2**30
"""Bytes that a chapter may take: its draws, and what compiling a model holds for a while."""

_TICK = 1.0  # seconds between two reports of progress
_PATIENCE = 15.0  # seconds that tasks which were told to stop are waited for


@dataclass(frozen=True)
class Task:
    """Something to be done: its name, how many steps it has, and the work itself.

    ``work`` is called in a thread of its own with the number of cores it may use and a function
    that it tells each step it begins, counted from 1.
    """

    name: str
    steps: int
    work: Callable[[int, Callable[[int], None]], Any]


@dataclass(frozen=True)
class Done:
    """A task that has ended: what it returned or the exception it raised, and its seconds."""

    name: str
    result: Any
    error: Exception | None
    seconds: float


@dataclass(frozen=True)
class Running:
    """A task that runs: for how many seconds, and at which of its steps."""

    name: str
    seconds: float
    step: int
    steps: int


@dataclass(frozen=True)
class Progress:
    """What runs now, how many tasks are done of how many, and the seconds left if that is known."""

    running: tuple[Running, ...]
    done: int
    total: int
    seconds_left: float | None

    @property
    def waiting(self) -> int:
        """How many tasks have not begun."""
        return self.total - self.done - len(self.running)


def usable_cores() -> int:
    """How many cores this process may use; a container or ``taskset`` may allow it fewer."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def usable_memory() -> float | None:
    """Bytes of memory that can be had, or None where the system does not say."""
    bounds = []
    with suppress(OSError):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        bounds += [1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable")]
    with suppress(AttributeError, OSError, ValueError):
        bounds.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with suppress(OSError, ValueError):  # not in such a container, or without a limit ("max")
        bounds.append(int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))
    return min(bounds, default=None)


def default_jobs() -> int:
    """How many chapters to run at once: one a core, if there is the memory for it."""
    memory = usable_memory()
    fit = usable_cores() if memory is None else int(memory // MEMORY_OF_A_JOB)
    return max(1, min(usable_cores(), fit))


def longest_first(names: Sequence[str], seconds: Mapping[str, float]) -> list[str]:
    """``names`` with the longest first, so that none is left to run alone at the end.

    Those whose seconds are not known count as average; if none is known the order stays.
    """
    guess = _average(seconds, names)
    return sorted(names, key=lambda name: -seconds.get(name, guess or 0.0))


def seconds_left(
    running: Mapping[str, float], waiting: Sequence[str], jobs: int, seconds: Mapping[str, float]
) -> float | None:
    """Seconds until the last task ends, if each takes what it took before.

    Args:
        running: how many seconds each running task has run for.
        waiting: what begins when a running task ends, in this order.
        jobs: how many run at once.
        seconds: what each took before; a task not in it is taken to be average.

    Returns:
        The estimate; None if nothing is known to estimate from.
    """
    guess = _average(seconds, [*running, *waiting])
    if guess is None:
        return None
    # A task that has outlasted its estimate is taken to be nearly done.
    ends = [max(seconds.get(name, guess), 1.1 * past) - past for name, past in running.items()]
    ends += [0.0] * (jobs - len(ends))
    heapq.heapify(ends)
    for name in waiting:
        heapq.heappush(ends, heapq.heappop(ends) + seconds.get(name, guess))
    return max(ends)


def run(
    tasks: Sequence[Task],
    *,
    jobs: int,
    stop: Callable[[], None],
    seconds: Mapping[str, float] | None = None,
    done_before: int = 0,
    progress: Callable[[Progress], None] = lambda progress: None,
) -> Generator[Done]:
    """Do the tasks, ``jobs`` at a time in the given order; yields each when it has ended.

    The cores are shared out among those that run at once, so the last one may have them all.

    Args:
        tasks: what is to be done.
        jobs: how many at a time.
        stop: makes the tasks that run fail soon; called if the caller is interrupted or leaves.
        seconds: what each task took before, for the estimate of the time left.
        done_before: tasks that need not be done, for the count.
        progress: is told about once a second, and whenever something begins, how it goes.
    """
    known, seen = dict(seconds or {}), dict[str, float]()
    waiting, running = list(tasks), dict[str, _Thread]()
    said: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
    total = done_before + len(tasks)

    def tell() -> None:
        now = time.monotonic()
        at = [
            Running(name, now - one.start, one.step, one.task.steps)
            for name, one in running.items()
        ]
        left = seconds_left(
            {one.name: one.seconds for one in at},
            [task.name for task in waiting],
            jobs,
            known | seen,
        )
        progress(Progress(tuple(at), total - len(waiting) - len(running), total, left))

    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                cores = max(1, usable_cores() // min(jobs, len(waiting) + len(running)))
                task = waiting.pop(0)
                running[task.name] = _Thread(task, cores, said)
            tell()
            try:
                name, ended = said.get(timeout=_TICK)
            except queue.Empty:
                continue
            running.pop(name).thread.join()
            seen[name] = ended.seconds
            yield ended
    except BaseException:  # an interruption, or the caller has left
        stop()
        deadline = time.monotonic() + _PATIENCE
        for one in running.values():
            one.thread.join(max(0.0, deadline - time.monotonic()))
        raise


class _Thread:
    """A task that runs in a thread of its own, which says when it has ended."""

    def __init__(self, task: Task, cores: int, said: queue.SimpleQueue) -> None:
        self.task, self.step, self.start = task, 0, time.monotonic()
        self._cores, self._said = cores, said
        # A daemon, so that one which does not heed the order to stop cannot hold up the exit.
        self.thread = threading.Thread(target=self._work, name=task.name, daemon=True)
        self.thread.start()

    def _work(self) -> None:
        result, error = None, None
        try:
            result = self.task.work(self._cores, self._began)
        except Exception as raised:
            error = raised
        seconds = time.monotonic() - self.start
        self._said.put((self.task.name, Done(self.task.name, result, error, seconds)))

    def _began(self, step: int) -> None:
        self.step = step


def _average(seconds: Mapping[str, float], names: Sequence[str]) -> float | None:
    """Mean seconds of the named tasks whose seconds are known; of all that are if none is."""
    known = [seconds[name] for name in names if name in seconds] or list(seconds.values())
    return sum(known) / len(known) if known else None
