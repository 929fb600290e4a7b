"""What a run leaves beside its pages for other programs: fits, tables, and a record of both."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import xarray as xr
from nbformat import NotebookNode

from oulib.book.notebook import GluedVerdict, downloads, verdicts
from oulib.files import write_atomically
from oulib.model.spec import MODELS
from oulib.panel import Panel
from oulib.sampling import cache
from oulib.sampling.diagnostics import summary

RECORD = "results.json"
_OURS = re.compile(r"(?:fits|tables)/[^/\\]+")


def hand_over(
    out: Path, chapters: Mapping[str, NotebookNode], panel: Panel, about: Mapping[str, Any]
) -> tuple[Path, ...]:
    """Leave ``fits/<model>.nc``, ``tables/<file>`` and :data:`RECORD` in ``out``; returns them.

    The fits are those of the named models to the run's own panel, ArviZ's DataTree as netCDF, with
    a table of parameters beside each (:func:`oulib.sampling.diagnostics.summary`); the tables are
    those that chapters offer to save.  The record has a SHA-256 of each, the chapter that it is
    from, how a fit was sampled (its seed among it) and what came of its gate, and ``about``.  What
    an earlier run left and this one has not is removed.

    Args:
        out: the run's folder.
        chapters: the executed chapters by their names, in the book's order.
        panel: the run's panel.
        about: what else is recorded: settings, versions, the file.
    """
    before = _recorded(out)
    found: dict[str, dict[str, Any]] = {}
    for chapter, notebook in chapters.items():
        for verdict in verdicts(notebook):
            own = verdict.fit and verdict.panel == panel.fingerprint
            if own and verdict.model in MODELS and f"fits/{verdict.model}.nc" not in found:
                found |= _fit(out, chapter, verdict, before)
        for name, content in downloads(notebook):
            if f"tables/{name}" not in found:  # of two of one name the first
                file = write_atomically(out / "tables" / name, partial(_put, content))
                found[f"tables/{name}"] = {"chapter": chapter, "sha256": _digest(file)}
    for name in before.keys() - found.keys():
        (out / name).unlink(missing_ok=True)
    record = {**about, "panel": panel.fingerprint, "files": found}
    written = write_atomically(out / RECORD, json.dumps(record, indent=2) + "\n")
    return (*(out / name for name in found), written)


def _fit(
    out: Path, chapter: str, verdict: GluedVerdict, before: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Put a fit and its table in place, unless they are there; nothing if the cache was emptied."""
    names = [f"fits/{verdict.model}{suffix}" for suffix in (".nc", ".csv")]
    draws, table = (out / name for name in names)
    there = before.get(names[0], {}).get("key") == verdict.fit and all(
        (out / name).is_file() and _digest(out / name) == before.get(name, {}).get("sha256")
        for name in names
    )
    if not there:
        held = cache.cache_dir() / "fits" / f"{verdict.fit}.nc"
        if not held.is_file():
            return {}
        write_atomically(draws, partial(shutil.copyfile, held))
        with xr.open_datatree(draws, engine="netcdf4") as tree:
            parameters = summary(tree["posterior"].to_dataset().load())
        write_atomically(table, parameters.to_csv())
    with xr.open_datatree(draws, engine="netcdf4") as tree:
        sampling = json.loads(tree.attrs.get("sampling", "{}"))
    about = {
        "sampling": sampling,
        "key": verdict.fit,
        "chapter": chapter,
        "sampled": verdict.sampled,
        "adequate": verdict.adequate,
    }
    return {name: {**about, "sha256": _digest(out / name)} for name in names}


def _put(content: bytes, path: Path) -> None:
    path.write_bytes(content)


def _recorded(out: Path) -> dict[str, Any]:
    """The files of an earlier run's record, by their names; empty if it cannot be read.

    What it names elsewhere is not ours to remove.
    """
    try:
        found = json.loads((out / RECORD).read_text(encoding="utf-8"))["files"]
        return {name: about for name, about in found.items() if _OURS.fullmatch(name)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
