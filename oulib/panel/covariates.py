"""Columns beyond a panel's own: what may be in them, and how a model sees them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from oulib.panel.cells import numbers, plain, values
from oulib.panel.problem import Problem, quoted

MOST_VALUES = 30
"""A category with more values than this is a label rather than something to compare by."""


def coded(frame: pd.DataFrame) -> xr.DataArray:
    """Covariates as a model uses them, (row, covariate).

    A number is standardised over the rows.  A category becomes a column for each value but the
    most frequent, with which they are compared: 1 or 0, less its mean, so that a coefficient is
    the difference between the two and intercepts stay those of an average row.
    """
    columns: dict[str, np.ndarray] = {}
    for name in frame:
        given = frame[name]
        if pd.api.types.is_numeric_dtype(given):
            value = given.to_numpy(dtype=float)
            columns[str(name)] = (value - value.mean()) / value.std()
            continue
        _, *others = (
            given.value_counts(sort=False)
            .sort_index()
            .sort_values(ascending=False, kind="stable")
            .index
        )
        for other in sorted(map(str, others)):
            is_other = (given == other).to_numpy(dtype=float)
            columns[f"{name}={other}"] = is_other - is_other.mean()
    table = np.column_stack(list(columns.values()))
    table.setflags(write=False)
    return xr.DataArray(table, dims=("row", "covariate"), coords={"covariate": list(columns)})


def read(
    names: Sequence[str], cells: Mapping[str, pd.Series]
) -> tuple[pd.DataFrame, list[Problem]]:
    """The columns ``names`` of a file, as numbers or as text, and what is wrong with them.

    ``cells`` are the file's columns as text, by the name that is asked for.  A column is numeric
    if all its cells are numbers.
    """
    found: dict[str, pd.Series] = {}
    problems: list[Problem] = []
    for name in names:
        text = values(cells[name])
        missing = text.index[text.isna()].tolist()
        problems += [
            Problem(
                row,
                name,
                None,
                "a covariate is missing here",
                "Fill it in, remove the row, or leave the covariate out: none is ever guessed.",
            )
            for row in missing
        ]
        number = numbers(text)
        numeric = bool(number[text.notna()].notna().all())
        found[name] = number if numeric else text
        if missing:
            continue
        problems += _unusable(name, found[name], numeric)
    return pd.DataFrame(found), problems


def _unusable(name: str, column: pd.Series, numeric: bool) -> list[Problem]:
    """What is wrong with a column of which no cell is missing."""
    kinds = column.nunique()
    constant = kinds < 2 or (numeric and not np.ptp(column.to_numpy()) > 0)
    if constant:
        message, advice = "the same value in every row", "It can explain nothing: leave it out."
    elif numeric and not np.isfinite(column).all():
        message, advice = "a value is infinite", "Correct it, or leave the covariate out."
    elif not numeric and kinds > MOST_VALUES:
        odd = column[numbers(column).isna()]
        message = f"{kinds} different values, so it is a label and not a category"
        advice = f"A category may have {MOST_VALUES}."
        if len(odd) <= len(column) / 2:
            listed = ", ".join(quoted(value) for value in odd.unique()[:3])
            message = f"{len(odd)} of {len(column)} cells are not numbers ({listed})"
            advice = "Correct them, or leave the covariate out."
    else:
        return []
    return [Problem(None, name, None, message, advice, "covariate")]


def locate(
    header: Sequence[str], wanted: Sequence[str], taken: Mapping[int, str]
) -> tuple[dict[str, int], list[Problem]]:
    """Where in a file's ``header`` the covariates ``wanted`` stand, and which do not.

    ``taken`` are the places of the panel's own columns.
    """
    compared = list(map(plain, header))
    places: dict[str, int] = {}
    problems = []
    for name in dict.fromkeys(wanted):
        found = [place for place, one in enumerate(compared) if one == plain(name)]
        if len(found) == 1 and found[0] not in taken:
            places[name] = found[0]
            continue
        if not found:
            near = difflib.get_close_matches(plain(name), compared, n=1)
            message = "there is no such column to be a covariate"
            advice = (
                f"Do you mean {quoted(header[compared.index(near[0])])}?"
                if near
                else "Check its name."
            )
        elif len(found) > 1:
            message = "there is more than one such column"
            advice = "Remove or rename all but one."
        else:
            message = f"it is the panel's {taken[found[0]]} and cannot be a covariate, too"
            advice = "Leave it out of the covariates."
        problems.append(Problem(None, name, None, message, advice, f"covariate {name}"))
    return places, problems
