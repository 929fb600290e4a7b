"""Reading, validating and holding a panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from oulib.panel.panel import Panel, Standardisation
from oulib.panel.problem import PanelError, Problem
from oulib.panel.table import read_table

__all__ = ["Panel", "PanelError", "Problem", "Standardisation", "read_panel"]


def read_panel(
    path: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    covariates: Sequence[str] = (),
) -> Panel:
    """Read and validate a panel file (CSV, Parquet or Excel).

    Args:
        path: a file with a row for each OU and month and the columns ``ou, site, month,
            productivity, survey, respondents`` and, if it is known, ``scheduled``.
        columns: the file's own names of columns, such as ``{"survey": "engagement"}``.
        covariates: further columns that may explain the outcome: numbers or categories, none
            missing.

    Raises:
        PanelError: with every problem of the file at once.
    """
    name = Path(Path(path).name.removesuffix(".gz")).stem
    frame = read_table(path, columns=columns, covariates=covariates)
    return Panel.from_frame(frame, covariates=tuple(dict.fromkeys(covariates)), name=name)
