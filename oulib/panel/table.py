"""From a panel file to the clean frame that a panel is built from."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from oulib.panel import covariates as known
from oulib.panel.cells import WHITE, labels, months, numbers, truths, values
from oulib.panel.problem import PanelError, Problem, quoted
from oulib.panel.raw import read_raw
from oulib.panel.rules import find_problems

__all__ = ["COLUMNS", "PanelError", "Problem", "read_table"]

COLUMNS = ("ou", "site", "month", "productivity", "survey", "respondents", "scheduled")
OPTIONAL = "scheduled"
ADVICE = {
    "site": "If OUs are not grouped, add a column with the same word in every row.",
    "respondents": "It says how many people stand behind each survey score.",
}


def read_table(
    path: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    covariates: Sequence[str] = (),
) -> pd.DataFrame:
    """Read and validate a panel file.

    Args:
        path: a CSV, Parquet or Excel file with a row for each OU and month.
        columns: the file's own names of columns, such as ``{"survey": "engagement"}``.  Case and
            white space around a name do not matter.
        covariates: columns of the file beyond those, to be kept under the names given here.

    Returns:
        A frame with the columns ``ou, site, month, productivity, survey, respondents``, if the
        file has it ``scheduled``, and the covariates, sorted by OU and month.  Months are
        first-of-month timestamps; ``survey`` is NaN and ``respondents`` 0 where there was no
        survey.

    Raises:
        PanelError: with every problem of the file, each with row, column, value and advice.
    """
    raw = read_raw(Path(path))
    places, problems = _locate(raw.header, columns or {})
    own = {place: name for name, place in places.items()}
    others, wrong = known.locate(raw.header, list(map(_plain, raw.header)), covariates, own)
    problems += wrong
    note = raw.note
    if problems:
        note += f"; its columns are {_listed(raw.header)}"
    problems += raw.problems
    written = pd.DataFrame({name: raw.cells[place] for name, place in places.items()})
    frame = written.apply(lambda text: (labels if text.name in ("ou", "site") else values)(text))
    if not frame.empty:
        names = {name: raw.header[place] for name, place in places.items()}
        problems += find_problems(frame, written, names)
    extra, wrong = known.read(list(others), {name: raw.cells[at] for name, at in others.items()})
    problems += wrong
    if problems:
        raise PanelError(str(path), problems, note)
    return _typed(frame.join(extra))


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
        found = [n for n, name in enumerate(header) if _plain(name) == _plain(theirs)]
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
    problems += [_missing(ours, columns.get(ours, ours), others) for ours in absent]
    return places, problems


def _missing(ours: str, theirs: str, others: Sequence[str]) -> Problem:
    message = "there is no such column"
    if theirs != ours:
        message += f" for {ours}"
    near = difflib.get_close_matches(_plain(theirs), list(map(_plain, others)), n=1)
    if near:
        match = next(name for name in others if _plain(name) == near[0])
        advice = f"If it is {quoted(match)}, add --column {shlex.quote(f'{ours}={match}')}."
    else:
        advice = f"If it has another name, add --column {ours}=NAME."
        if ours in ADVICE:
            advice += f" {ADVICE[ours]}"
    return Problem(None, theirs, None, message, advice, "missing column")


def _close(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(_plain(word), known, n=1)
    return f"Do you mean {near[0]}? " if near else ""


def _plain(name: str) -> str:
    return name.strip(WHITE).casefold()


def _listed(names: Sequence[str], most: int = 20) -> str:
    shown = ", ".join(quoted(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
