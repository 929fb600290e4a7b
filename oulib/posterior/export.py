"""A fit on disk, for other programs: the draws, a table of parameters, the gate's verdict."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from oulib.files import folder_aside, make_folder, room_for
from oulib.posterior.checks import Verdict, summarise
from oulib.sampling.fit import Fit

FILES = {"fit.nc", "summary.csv", "verdict.json"}


def write(fit: Fit, verdict: Verdict, folder: Path) -> tuple[Path, ...]:
    """Write :data:`FILES` into ``folder``, all of them or none; returns them.

    They are written aside and the folder is put in place when it is whole; a folder of an earlier
    fit is replaced.
    """
    folder = folder.resolve()
    make_folder(folder.parent)
    with folder_aside(folder) as aside, room_for(folder):
        whole = aside / "whole"
        whole.mkdir()
        fit.tree.to_netcdf(whole / "fit.nc", engine="netcdf4")
        summarise(fit).to_csv(whole / "summary.csv")
        text = json.dumps(_plain(verdict.to_dict()), indent=2, allow_nan=False)
        (whole / "verdict.json").write_text(text + "\n", encoding="utf-8")
        if folder.exists():
            folder.rename(aside / "replaced")
        whole.rename(folder)
    return tuple(folder / name for name in sorted(FILES))


def _plain(value: Any) -> Any:
    """``value`` as JSON can hold it, which knows no infinity: such a number becomes a text."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
