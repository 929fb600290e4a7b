"""Reading, validating and holding a panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from oulib.panel.panel import Panel, Standardisation
from oulib.panel.problem import PanelError, Problem
from oulib.panel.table import read

__all__ = ["Panel", "PanelError", "Problem", "Standardisation", "read_panel"]


def read_panel(
    path: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    covariates: Sequence[str] = (),
    sheet: str | None = None,
) -> Panel:
    """Read and validate a panel file (CSV, Parquet or Excel).

    Args:
        path: a file with a row for each OU and month and the columns ``ou, site, month,
            productivity, survey, respondents`` and, if it is known, ``scheduled``.
        columns: the file's own names of columns, such as ``{"survey": "engagement"}``.
        covariates: further columns that may explain the outcome: numbers or categories, none
            missing.
        sheet: of a workbook; the one visible sheet with such a table if None.

    Raises:
        PanelError: with every problem of the file at once.
    """
    name = Path(Path(path).name.removesuffix(".gz")).stem
    table = read(path, columns=columns, covariates=covariates, sheet=sheet)
    panel = Panel.from_frame(table.frame, covariates=tuple(dict.fromkeys(covariates)), name=name)
    return replace(panel, remarks=(*table.remarks, *map(str, table.doubts)))
