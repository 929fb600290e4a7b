"""Simulated panels on disk: the panel file and, beside it, the truth it was made from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import xarray as xr

from oulib.errors import UserError
from oulib.files import write_atomically
from oulib.panel import Panel, read_panel


def write(panel: Panel, path: Path) -> tuple[Path, ...]:
    """Write ``panel`` as CSV and its truth, if it has one, beside it; returns the files."""
    path = Path(path)
    write_atomically(path, panel.to_frame().to_csv(index=False))
    if panel.truth is None:
        return (path,)
    text = json.dumps(panel.truth.to_dict(), indent=None, separators=(",", ":"))
    write_atomically(truth_path(path), text + "\n")
    return (path, truth_path(path))


def write_copy(panel: Panel, path: Path) -> None:
    """:func:`write`, with the remarks on the panel's own file, which a copy would not raise."""
    write(panel, path)
    if panel.remarks:
        write_atomically(notes_path(path), json.dumps(panel.remarks))


def truth_path(path: Path) -> Path:
    """Where the truth of the panel file ``path`` is kept: ``panel.truth.json``."""
    return Path(path).with_suffix(".truth.json")


def notes_path(path: Path) -> Path:
    """Where a copy of a panel keeps the remarks on its file: ``panel.oulib-notes.json``."""
    return Path(path).with_suffix(".oulib-notes.json")


def load(
    path: Path,
    *,
    columns: Mapping[str, str] | None = None,
    covariates: Sequence[str] = (),
    sheet: str | None = None,
) -> Panel:
    """Read the panel file ``path`` and, where it was simulated, the truth beside it.

    A truth that belongs to another panel is refused: an overlay of the wrong truth would look
    like a wrong model.
    """
    panel = read_panel(path, columns=columns, covariates=covariates, sheet=sheet)
    if (notes := notes_path(path)).is_file():
        panel = replace(panel, remarks=tuple(json.loads(notes.read_text(encoding="utf-8"))))
    beside = truth_path(path)
    if not beside.is_file():
        return panel
    try:
        truth = xr.Dataset.from_dict(json.loads(beside.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{beside} is not a truth file that oulib wrote ({error}).") from error
    if truth.attrs.get("fingerprint") != panel.without_covariates().fingerprint:
        raise UserError(
            f"{beside} is not the truth of {path}: the panel was changed after it was simulated. "
            "Move the truth file away to use the panel without it."
        )
    return replace(panel, truth=truth)
