"""Computed results as one file for others: what a run used, packed, and put into their cache.

A result is found by a key that holds the code and the libraries that it was computed with
(:mod:`oulib.sampling.cache`).  With others it would lie there and never be found, so it is refused.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from oulib.errors import UserError
from oulib.files import write_atomically
from oulib.sampling import cache

ABOUT = "about.json"
BULKY = ("log_likelihood",)
"""Kinds of results that take more room than time: they follow from draws without a compiler."""

_LAG = 1.0  # seconds by which the clock of a file system may be behind
_RESULT = re.compile(r"[a-z_]+/[0-9a-f]{32}\.nc")


def used_since(moment: float) -> list[Path]:
    """The files of results that were computed or read since ``moment``, seconds of the epoch.

    Left out are :data:`BULKY` ones.
    """
    found = [file for file in cache.cache_dir().glob("*/*.nc") if file.parent.name not in BULKY]
    return sorted(file for file in found if file.stat().st_mtime >= moment - _LAG)


def pack(results: Iterable[Path], file: Path) -> Path:
    """Write results of this machine's cache into ``file``, a ZIP archive; returns it."""

    def put(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(ABOUT, json.dumps(cache.made_with(), indent=2) + "\n")
            for result in results:
                archive.write(result, f"{result.parent.name}/{result.name}")

    return write_atomically(file, put)


def unpack(file: Path) -> int:
    """Put what :func:`pack` wrote into this machine's cache; returns how many results it has.

    Raises:
        UserError: this is no such file or a damaged one, or its results were computed with another
            version of the code or of a library; nothing was written.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            if ABOUT not in names:
                raise UserError(f"{file}: these are no results of `oulib teach --fits`.")
            _refuse_others(file, json.loads(archive.read(ABOUT)))
            names.remove(ABOUT)
            if wrong := [name for name in names if not _RESULT.fullmatch(name)]:
                raise UserError(f"{file}: {wrong[0]!r} is no result. Ask for the file again.")
            if damaged := archive.testzip():
                raise UserError(f"{file}: {damaged} is damaged. Ask for the file again.")
            for name in names:
                put = partial(_put, archive.read(name))
                write_atomically(cache.cache_dir() / name, put)
    except OSError as error:
        raise UserError(f"{file}: {error.strerror or error}.") from error
    except (zipfile.BadZipFile, ValueError) as error:
        raise UserError(f"{file}: this is no ZIP archive, or a damaged one.") from error
    return len(names)


def _put(content: bytes, path: Path) -> None:
    path.write_bytes(content)


def _refuse_others(file: Path, theirs: object) -> None:
    ours = cache.made_with()
    if not isinstance(theirs, dict):
        raise UserError(f"{file}: these are no results of `oulib teach --fits`.")
    differ = [
        f"{name} {theirs.get(name, 'none')} (here {here})"
        for name, here in ours.items()
        if theirs.get(name) != here
    ]
    if differ:
        raise UserError(
            f"{file}: computed with {', '.join(differ)}, so no chapter would find these results "
            "here. Install what they were made with, or do without: chapters then compute them."
        )
