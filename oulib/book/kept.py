"""Executed chapters, kept from run to run, and what each was made from.

A chapter is kept in a file named by everything that can change its outputs.  Beside it stands a
record of what that was, so that a later run can say why it executes the chapter again.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from oulib.files import write_atomically

_SHOWN = 3  # names that a reason lists; the others are counted


@dataclass(frozen=True)
class Inputs:
    """All that a chapter's outputs depend on, as plain JSON values.

    ``cells`` are digests of its code cells, ``panel`` and ``own_panel`` those of the panel and of
    the book's own, ``code`` has a digest for each definition of the package that it uses;
    ``tables`` is one of the book's tables of measurements, if it shows any.
    """

    name: str
    cells: list[str]
    panel: str
    own_panel: str
    parameters: dict[str, Any]
    versions: dict[str, str]
    code: dict[str, str]
    tables: str = ""

    @property
    def key(self) -> str:
        """Differs if anything does."""
        return digest(json.dumps(asdict(self), sort_keys=True))

    def changes_since(self, before: Inputs, numbers: Sequence[int]) -> list[str]:
        """What is not as it was ``before``; code cells are called by ``numbers``."""
        changes = []
        if self.cells != before.cells:
            changes.append(f"its code changed: {_cells(before.cells, self.cells, numbers)}")
        if names := _differing(before.code, self.code):
            # What a changed cell uses now or no longer uses is part of that change.
            changed = [name for name in names if name in before.code and name in self.code]
            if changed or self.cells == before.cells:
                changes.append(f"{_by_module(changed or names)} changed")
        if self.panel != before.panel:
            changes.append("the panel changed")
        if self.own_panel != before.own_panel:
            changes.append("the book's own panel changed")
        if self.tables != before.tables:
            changes.append("a table of measurements changed")
        for name in _differing(before.parameters, self.parameters):
            was, now = (_setting(one.parameters, name) for one in (before, self))
            changes.append(f"setting `{name}` changed from {was} to {now}")
        if names := _differing(before.versions, self.versions):
            versions = [
                f"{name} {before.versions.get(name, 'none')} -> {self.versions.get(name, 'none')}"
                for name in names
            ]
            changes.append(f"library versions changed: {_some(versions)}")
        return changes


@dataclass(frozen=True)
class Record:
    """An execution: from what, how many seconds it took, and the error if it failed."""

    inputs: Inputs
    seconds: float
    error: str | None = None


class Kept:
    """The executed chapters in a folder, and the records of those that failed.

    Args:
        folder: need not exist; nobody else writes there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._latest: dict[str, Record] = {}
        dated = ((file.stat().st_mtime_ns, file) for file in folder.glob("*.json"))
        for _, file in sorted(dated):
            if record := _read(file):
                self._latest[record.inputs.name] = record

    @property
    def seconds(self) -> dict[str, float]:
        """What each chapter took when it was executed last."""
        return {name: record.seconds for name, record in self._latest.items()}

    def file(self, inputs: Inputs) -> Path:
        """Where the chapter is kept, if it was executed from these inputs."""
        return self.folder / f"{inputs.key}.ipynb"

    def why_not(self, inputs: Inputs, numbers: Sequence[int]) -> str:
        """Why the chapter has to be executed, or nothing if it need not be."""
        if self.file(inputs).is_file():
            return ""
        last = self._latest.get(inputs.name)
        if last is None:
            return "new"
        changes = inputs.changes_since(last.inputs, numbers)
        if last.error is not None:
            changes.append("failed last time")
        return "; ".join(changes) or "what was kept of it is gone"

    def put(self, inputs: Inputs, notebook: NotebookNode, seconds: float) -> None:
        """Keep an executed chapter."""
        # In this order, so that what is kept has a record.
        self._write(Record(inputs, seconds))
        write_atomically(self.file(inputs), nbformat.writes(notebook))

    def put_failure(self, inputs: Inputs, error: str, seconds: float) -> None:
        """Remember that a chapter failed."""
        self._write(Record(inputs, seconds, error))

    def forget_all_but(self, current: Iterable[Inputs]) -> None:
        """Remove what was made from anything else."""
        keys = {inputs.key for inputs in current}
        for file in [*self.folder.glob("*.ipynb"), *self.folder.glob("*.json")]:
            if file.stem not in keys:
                file.unlink()

    def _write(self, record: Record) -> None:
        file = self.folder / f"{record.inputs.key}.json"
        write_atomically(file, json.dumps(asdict(record)))


def digest(*parts: str) -> str:
    """A name for some texts: 32 letters that differ if the texts do."""
    return hashlib.sha256("\x1e".join(parts).encode()).hexdigest()[:32]


def _read(file: Path) -> Record | None:
    """A record; None if it is damaged or another version's, which costs only the reasons."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return Record(Inputs(**found["inputs"]), float(found["seconds"]), found["error"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _cells(before: list[str], now: list[str], numbers: Sequence[int]) -> str:
    """Which code cells are new or different, by their numbers in the chapter."""
    steps = difflib.SequenceMatcher(None, before, now, autojunk=False).get_opcodes()
    fresh = [numbers[n] for kind, _, _, i, j in steps if kind != "equal" for n in range(i, j)]
    if not fresh:
        return "a cell is gone"
    return f"cell{'s' if len(fresh) > 1 else ''} {_some([str(number) for number in fresh])}"


def _differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    missing = object()
    names = dict.fromkeys([*now, *before])
    return [name for name in names if before.get(name, missing) != now.get(name, missing)]


def _by_module(names: Iterable[str]) -> str:
    """Definitions as "module (name, name)", or files as they are."""
    modules: dict[str, list[str]] = {}
    for name in names:
        module, _, inside = name.rpartition(".")
        if name.endswith(".py"):
            modules[name] = []
        else:
            modules.setdefault(module, []).append(inside)
    return _some([f"{m} ({_some(inside)})" if inside else m for m, inside in modules.items()])


def _setting(parameters: Mapping[str, Any], name: str) -> str:
    return json.dumps(parameters[name]) if name in parameters else "the chapter's own"


def _some(texts: Sequence[str]) -> str:
    """The first few of them, and how many more there are."""
    more = len(texts) - _SHOWN
    return ", ".join(texts[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
