"""A content-addressed store of fitted results: the same question is answered once."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import xarray as xr
from filelock import FileLock
from platformdirs import user_cache_path

from oulib.files import PACKAGE, writable, write_atomically

LIBRARIES = ("pymc", "pytensor", "nutpie", "arviz", "numpy")
"""Libraries whose version can change a result; stored with it and part of its key."""


def cache_dir() -> Path:
    """Where results are kept: ``$OULIB_CACHE``, else ``.cache`` in a checkout, else the user's.

    Where that cannot be written, a folder of this user's among the temporary files.
    """
    if given := os.environ.get("OULIB_CACHE"):
        return Path(given).expanduser().resolve()
    checkout = PACKAGE.parent
    inside = (checkout / "_toc.yml").is_file()
    return writable(checkout / ".cache" if inside else user_cache_path("oulib"), "oulib-fits")


@contextmanager
def throwaway() -> Iterator[None]:
    """Keep results apart, and only for as long as this lasts; for this whole process."""
    before = os.environ.get("OULIB_CACHE")
    with TemporaryDirectory(prefix="oulib-") as folder:
        os.environ["OULIB_CACHE"] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["OULIB_CACHE"]
            else:
                os.environ["OULIB_CACHE"] = before


@cache
def versions() -> dict[str, str]:
    """Versions of the libraries a result depends on."""
    return {name: version(name) for name in LIBRARIES}


def made_with() -> dict[str, str]:
    """What all results hang on: the libraries, and a digest of our own code."""
    code = tuple(PACKAGE / room for room in ("chapters", "model", "posterior", "sampling"))
    return {**versions(), "oulib's code": key_of({}, code)}


def key_of(question: Mapping[str, Any], code: tuple[Path, ...]) -> str:
    """A key that changes with the question, the code that answers it and the libraries.

    ``question`` must be plain JSON values; ``code`` are source files or folders of them.
    """
    digest = hashlib.sha256(json.dumps(question, sort_keys=True).encode())
    digest.update(json.dumps(versions(), sort_keys=True).encode())
    for place in code:
        files = sorted(place.rglob("*.py")) if place.is_dir() else [place]
        for file in files:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:32]


def fetch(kind: str, key: str, compute: Callable[[], xr.DataTree]) -> tuple[xr.DataTree, Path]:
    """The stored result ``kind``/``key``, computed and stored first if it is not there.

    A file that cannot be read (another program's, or cut short by a full disk) is computed
    again.  Whoever asks for a result that is being computed, in this process or another, waits
    for it; if that other process dies, the system lets go of its lock and the waiter computes.
    Returns the result, in memory, and its file.
    """
    path = cache_dir() / kind / f"{key}.nc"
    if (tree := _stored(path)) is not None:
        return tree, path
    with _alone(kind, key):
        # It may have been put there while this waited.
        if (tree := _stored(path)) is None:
            tree = compute()
            write_atomically(path, lambda file: tree.to_netcdf(file, engine="netcdf4"))
    return tree, path


def _stored(path: Path) -> xr.DataTree | None:
    """The result in ``path``, in memory; None if it is not there or is damaged."""
    if not path.is_file():
        return None
    try:
        with xr.open_datatree(path, engine="netcdf4") as tree:
            tree.load()
        with suppress(OSError):  # somebody else's folder
            path.touch()  # so that what a run used can be told from the rest
        return tree
    except Exception:  # whatever a damaged file makes the reader stumble over
        return None


@contextmanager
def _alone(kind: str, key: str) -> Iterator[None]:
    """Hold the lock of one result; its empty file stays, because removing it would be a race."""
    lock = cache_dir() / "locks" / f"{kind}-{key}"
    lock.parent.mkdir(parents=True, exist_ok=True)
    # Each asker has a lock of its own, so that threads of one process wait for each other, too.
    held = FileLock(lock, poll_interval=0.1)
    try:
        held.acquire()
    except (NotImplementedError, OSError):  # no locks here: at worst it is computed twice
        yield
        return
    try:
        yield
    finally:
        held.release()
