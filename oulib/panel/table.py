"""From a panel file to the clean frame that a panel is built from."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from oulib.panel import covariates as known
from oulib.panel.cells import (
    certain_months,
    certain_numbers,
    grouped_by_points,
    labels,
    months,
    numbers,
    plain,
    truths,
    values,
    words_for_nothing,
)
from oulib.panel.doubts import Doubt, find_doubts
from oulib.panel.problem import PanelError, Problem, quoted
from oulib.panel.raw import Source, Wanted, read_raw
from oulib.panel.rules import find_problems

__all__ = ["COLUMNS", "PanelError", "Problem", "Table", "read", "read_table"]

COLUMNS = ("ou", "site", "month", "productivity", "survey", "respondents", "scheduled")
OPTIONAL = "scheduled"
NUMBERS = ("productivity", "survey", "respondents")
ADVICE = {
    "site": "If OUs are not grouped, add a column with the same word in every row.",
    "respondents": "It says how many people stand behind each survey score.",
}


@dataclass(frozen=True)
class Table:
    """A clean frame, and what was understood of its file.

    Attributes:
        frame: as :func:`read_table` gives it.
        source: where in the file the table was found; its remarks are among ``remarks``.
        names: the file's own names of the panel's columns.
        remarks: sentences on what was read as what, where one might think otherwise.
        doubts: what may be a mistake, though a person may know better.
    """

    frame: pd.DataFrame
    source: Source
    names: Mapping[str, str]
    remarks: tuple[str, ...]
    doubts: tuple[Doubt, ...]


def read_table(
    path: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    covariates: Sequence[str] = (),
    sheet: str | None = None,
) -> pd.DataFrame:
    """Read and validate a panel file.

    Args:
        path: a CSV, Parquet or Excel file with a row for each OU and month.
        columns: the file's own names of columns, such as ``{"survey": "engagement"}``.  Case and
            white space around a name do not matter.
        covariates: columns of the file beyond those, to be kept under the names given here.
        sheet: of a workbook; the one visible sheet with such a table if None.

    Returns:
        A frame with the columns ``ou, site, month, productivity, survey, respondents``, if the
        file has it ``scheduled``, and the covariates, sorted by OU and month.  Months are
        first-of-month timestamps; ``survey`` is NaN and ``respondents`` 0 where there was no
        survey.

    Raises:
        PanelError: with every problem of the file, each with row, column, value and advice.
    """
    return read(path, columns=columns, covariates=covariates, sheet=sheet).frame


def read(
    path: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    covariates: Sequence[str] = (),
    sheet: str | None = None,
) -> Table:
    """:func:`read_table` with what was understood on the way."""
    theirs = {name: plain((columns or {}).get(name, name)) for name in COLUMNS}
    required = frozenset(theirs[name] for name in COLUMNS if name != OPTIONAL)
    others = frozenset({theirs[OPTIONAL], *map(plain, covariates)})
    raw = read_raw(Path(path), Wanted(required, others), sheet=sheet)
    places, problems = _locate(raw.header, columns or {})
    own = {place: name for name, place in places.items()}
    more, wrong = known.locate(raw.header, covariates, own)
    problems += wrong
    note = raw.note
    if problems:
        note += f"; its columns are {_listed(raw.header)}"
    problems += raw.problems
    written = pd.DataFrame({name: raw.cells[place] for name, place in places.items()})
    frame = written.apply(lambda text: (labels if text.name in ("ou", "site") else values)(text))
    names = {name: raw.header[place] for name, place in places.items()}
    frame, remarks, commas = _certain(frame, written, names, raw.source.delimiter)
    problems += _grouped(frame, names, commas)
    if not frame.empty:
        problems += find_problems(frame, written, names)
    extra, wrong = known.read(list(more), {name: raw.cells[at] for name, at in more.items()})
    problems += wrong
    if problems:
        raise PanelError(str(path), problems, note)
    clean = _typed(frame.join(extra))
    remarks = (*raw.source.remarks, *remarks)
    return Table(clean, raw.source, names, remarks, find_doubts(clean, names))


def _certain(
    frame: pd.DataFrame, written: pd.DataFrame, names: Mapping[str, str], delimiter: str | None
) -> tuple[pd.DataFrame, tuple[str, ...], set[str]]:
    """The frame with cells whose reading is certain rewritten, and what is to be said of it.

    Last, the columns of numbers with decimal commas.
    """
    remarks: list[str] = []
    commas: set[str] = set()
    frame = frame.copy()
    for name in frame:
        if name == "month":
            found = certain_months(frame[name])
        elif name in NUMBERS:
            found = certain_numbers(frame[name], delimiter)
            commas |= {str(name)} if found.commas else set()
        else:
            continue
        frame[name] = found.text
        remarks += [remark.format(quoted(names[name])) for remark in found.remarks]
    for name in ("survey", "respondents"):
        if name in written and (words := words_for_nothing(written[name])):
            listed = ", ".join(f"{quoted(word)} ({times})" for word, times in words.items())
            remarks.append(f"In the column {quoted(names[name])} these count as empty: {listed}.")
    return frame, tuple(remarks), commas


def _grouped(frame: pd.DataFrame, names: Mapping[str, str], commas: set[str]) -> list[Problem]:
    """Numbers whose point may stand between thousands."""
    problems = []
    for name in NUMBERS:
        if name not in frame or name in commas:
            continue
        counts = name == "respondents"
        found = grouped_by_points(frame[name], commas=bool(commas), counts=counts)
        for row, cell in frame.loc[found, name].items():
            other = f"{float(cell):g}" if counts else f"{cell}0"
            advice = f"Write {cell.replace('.', '')} if it is thousands, and {other} if it is not."
            message = "its point may stand between thousands or before decimals"
            problems.append(Problem(row, names[name], cell, message, advice, "grouped"))
    return problems


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.assign(
        month=months(frame["month"]),
        productivity=numbers(frame["productivity"]),
        survey=numbers(frame["survey"]),
        respondents=numbers(frame["respondents"]).fillna(0).astype("int64"),
    )
    if OPTIONAL in frame:
        frame[OPTIONAL] = truths(frame[OPTIONAL]).astype(bool)
    return frame.sort_values(["ou", "month"], ignore_index=True)


def _locate(
    header: Sequence[str], columns: Mapping[str, str]
) -> tuple[dict[str, int], list[Problem]]:
    """Where in ``header`` each of our columns is, and what stands in the way of the others."""
    problems = [
        Problem(
            None,
            None,
            None,
            f"{quoted(f'{ours}={theirs}')} names no column of a panel",
            f"{_close(ours, COLUMNS)}Write one of {', '.join(COLUMNS)} before the equals sign.",
            "unknown column",
        )
        for ours, theirs in columns.items()
        if ours not in COLUMNS
    ]
    places: dict[str, int] = {}
    absent = []
    for ours in COLUMNS:
        theirs = columns.get(ours, ours)
        found = [n for n, name in enumerate(header) if plain(name) == plain(theirs)]
        if len(found) == 1:
            places[ours] = found[0]
        elif found:
            listed = " and ".join(str(n + 1) for n in found)
            problems.append(
                Problem(
                    None,
                    theirs,
                    None,
                    f"there is more than one such column (columns {listed} of the file)",
                    "Remove or rename all but one.",
                    "duplicate column",
                )
            )
        elif ours != OPTIONAL or ours in columns:
            absent.append(ours)
    for ours, place in places.items():
        shared = [name for name, other in places.items() if other == place and name != ours]
        if shared and ours in columns:
            problems.append(
                Problem(
                    None,
                    header[place],
                    None,
                    f"it is asked to be both {ours} and {shared[0]}",
                    f"Name another column with --column {ours}=NAME.",
                    "shared column",
                )
            )
    others = [name for n, name in enumerate(header) if name and n not in places.values()]
    wide = [name for name in others if months(pd.Series([name])).notna().all()]
    if absent and len(wide) > 2:
        problems.append(
            Problem(
                None,
                None,
                None,
                f"months stand in columns ({_listed(wide, 3)})",
                "A row is wanted for each OU and month, with its productivity and survey in "
                "columns: turn the table (in Excel: Power Query, Unpivot; in pandas: melt).",
                "wide",
            )
        )
    problems += [_missing(ours, columns.get(ours, ours), others) for ours in absent]
    return places, problems


def _missing(ours: str, theirs: str, others: Sequence[str]) -> Problem:
    message = "there is no such column"
    if theirs != ours:
        message += f" for {ours}"
    near = difflib.get_close_matches(plain(theirs), list(map(plain, others)), n=1)
    if near:
        match = next(name for name in others if plain(name) == near[0])
        advice = f"If it is {quoted(match)}, add --column {shlex.quote(f'{ours}={match}')}."
    else:
        advice = f"If it has another name, add --column {ours}=NAME."
        if ours in ADVICE:
            advice += f" {ADVICE[ours]}"
    return Problem(None, theirs, None, message, advice, "missing column")


def _close(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(plain(word), known, n=1)
    return f"Do you mean {near[0]}? " if near else ""


def _listed(names: Sequence[str], most: int = 20) -> str:
    shown = ", ".join(quoted(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
