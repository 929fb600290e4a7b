"""Many tasks on many processes: replications, refits, panels, on this machine or on others.

What is computed does not depend on where or in which order: a task is a function of its item, and
brings its own seed.  Fits are kept in the cache (:mod:`oulib.sampling.cache`), so that what a
worker had finished before it was lost is read and not computed again, and compiled models stand
where every process of a machine finds them (:mod:`oulib.sampling.compiled`).

Dask hands tasks out, again if a worker is lost: a local cluster, or a scheduler that runs already.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from oulib.errors import UserError

if TYPE_CHECKING:
    from distributed import Client

PATIENCE = "10s"
"""How long to wait for a scheduler to answer."""


@dataclass(frozen=True)
class Done[Item, Value]:
    """What came of one item: its value, or why there is none."""

    item: Item
    value: Value | None
    error: str = ""

    @property
    def failed(self) -> bool:
        """Whether there is no value."""
        return bool(self.error)


def many[Item, Value](
    task: Callable[[Item], Value],
    items: Iterable[Item],
    *,
    workers: int | None = None,
    scheduler: str | None = None,
) -> Iterator[Done[Item, Value]]:
    """Do ``task`` for every item; yields what came of each as soon as it is there.

    A task that raises is a failure that is told, and the others go on.  One whose workers are lost
    again and again, as by running out of memory, is a failure, too.

    Args:
        task: a function that can be pickled, as those of a module can.
        items: what it is done for; the order of what comes back is not theirs.
        workers: processes on this machine; as many as there are cores if None, and with one, no
            process but this.
        scheduler: the address of a Dask scheduler, such as ``tcp://10.0.0.5:8786``, whose workers
            have this package; ``workers`` is then up to it.

    Raises:
        UserError: no scheduler answers at that address.
    """
    left = list(items)
    count = min(workers or os.cpu_count() or 1, len(left))
    if scheduler is None and count <= 1:
        yield from (_attempt(task, item) for item in left)
        return
    from distributed import as_completed

    with _client(count, scheduler) as client:
        waiting = {client.submit(_attempt, task, item, pure=False): item for item in left}
        for future, found in as_completed(waiting, with_results=True, raise_errors=False):
            item = waiting.pop(future)
            if future.status == "finished":
                yield found
            else:  # not the task's own error: that is caught where it happens
                yield Done(item, None, _lost(future))
            future.release()


def _attempt[Item, Value](task: Callable[[Item], Value], item: Item) -> Done[Item, Value]:
    try:
        return Done(item, task(item))
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0]
        return Done(item, None, f"{type(error).__name__}: {first}")


def _lost(future: Any) -> str:
    """Why a task has no result although it raised nothing."""
    error = future.exception()
    return f"{type(error).__name__}: its workers were lost ({error})"


@contextmanager
def _client(count: int, scheduler: str | None) -> Iterator[Client]:
    """A client of the scheduler at an address, or of a cluster on this machine."""
    import dask
    from distributed import Client, LocalCluster

    quiet = {
        "distributed.admin.tick.limit": "1h",  # a compiler holds the interpreter for long
        "distributed.comm.timeouts.connect": PATIENCE,
        "distributed.worker.daemon": False,  # a worker may start processes of its own
    }
    with dask.config.set(quiet):
        if scheduler is not None:
            try:
                client = Client(scheduler, timeout=PATIENCE)
            except (OSError, ValueError) as error:
                raise UserError(
                    f"--scheduler {scheduler}: no Dask scheduler answers there ({error})."
                ) from error
            with client:
                yield client
            return
        with (
            LocalCluster(
                n_workers=count, threads_per_worker=1, dashboard_address=":0", memory_limit=0
            ) as cluster,
            Client(cluster) as client,
        ):
            yield client
