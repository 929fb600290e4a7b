"""What must hold for a panel: cell by cell, row by row, and as a whole.

The cells are still text, so that a problem shows what was written; blanks are missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from oulib.panel.cells import TRUTHS, count_advice, month_advice, months, number_advice, numbers
from oulib.panel.problem import Problem, quoted

LARGEST = 1e100  # beyond it a variance overflows
MOST_RESPONDENTS = 10**9
# With fewer there is nothing to learn the size of the month effects or their persistence from.
FEWEST_MONTHS = 3
# A longer stretch of months without any row is rather a mistyped year than a pause, and the
# calendar grid would be filled with months in which nothing was seen.
LONGEST_GAP = 60


@dataclass(frozen=True)
class Rule:
    """One thing that must hold, and what to say where it does not.

    ``holds`` is given the cells of its column that are not blank or, for a rule about several
    columns, the frame; it answers for each row, or once for the whole.  A problem is reported in
    the first column.  ``message`` may be a function of the frame and the rows at fault, with an
    answer for each (one for the whole), and ``advice`` one of the cell.
    """

    columns: tuple[str, ...]
    holds: Callable[[Any], Any]
    message: str | Callable[[pd.DataFrame, Sequence[int]], list[str]]
    advice: str | Callable[[str], str]


def find_problems(
    frame: pd.DataFrame, written: pd.DataFrame, names: Mapping[str, str]
) -> list[Problem]:
    """Every problem of ``frame``; a rule that needs a column it lacks is left out.

    ``written`` is the frame before anything was stripped, and ``names`` are the file's names of
    the columns: a problem shows the file as its author knows it.
    """
    problems = []
    for rule, rows in _broken(frame):
        column = rule.columns[0]
        cells: Sequence[Any] = [None] if rows is None else written.loc[rows, column]
        if isinstance(rule.message, str):
            kind, messages = "", [rule.message] * len(cells)
        else:
            kind, messages = rule.holds.__name__, rule.message(frame, rows or [])
        places: Sequence[int | None] = rows or [None]
        for row, cell, message in zip(places, cells, messages, strict=True):
            value = cell if isinstance(cell, str) and cell else None
            advice = rule.advice if isinstance(rule.advice, str) else rule.advice(value or "")
            problems.append(Problem(row, names[column], value, message, advice, kind))
    return problems


def _broken(frame: pd.DataFrame) -> list[tuple[Rule, list[int] | None]]:
    """The rules that do not hold, with the rows at fault, or None for the file as a whole."""
    import pandera.pandas as pa  # slow to import, and only reading a file needs it

    # One case is enough for pandera's own report: the rows are taken from the check's output.
    checks = [
        (rule, pa.Check(rule.holds, name=str(number), n_failure_cases=1))
        for number, rule in enumerate(RULES)
        if set(rule.columns) <= set(frame.columns)
    ]
    schema = pa.DataFrameSchema(
        {
            name: pa.Column(
                str,
                [check for rule, check in checks if rule.columns == (name,)],
                nullable=name not in BLANKS,
            )
            for name in frame.columns
        },
        checks=[check for rule, check in checks if len(rule.columns) > 1],
    )
    try:
        schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as errors:
        return [_rule_and_rows(error) for error in errors.schema_errors]
    return []


def _rule_and_rows(error: Any) -> tuple[Rule, list[int] | None]:
    match error.reason_code.name:
        case "SERIES_CONTAINS_NULLS":
            return BLANKS[error.column_name], error.failure_cases["index"].tolist()
        case "DATAFRAME_CHECK":
            holds = error.check_output
            rows = holds.index[~holds].tolist() if isinstance(holds, pd.Series) else None
            return RULES[int(error.check.name)], rows
        case _:  # a mistake in a rule, not in the file
            raise error


def _is_number(text: pd.Series) -> pd.Series:
    return numbers(text).notna()


def _is_finite(text: pd.Series) -> pd.Series:
    return ~(numbers(text).abs() > LARGEST)


def _is_positive(text: pd.Series) -> pd.Series:
    value = numbers(text)
    return ~value.between(-LARGEST, 0)


def _is_count(text: pd.Series) -> pd.Series:
    value = numbers(text)
    return (value % 1 == 0) & value.between(0, MOST_RESPONDENTS)


def _varies(text: pd.Series) -> bool:
    """Whether there are two different numbers, or may be once all can be read."""
    value = numbers(text)
    if len(value) < 2 or value.isna().any():
        return True
    return not np.isclose(value.min(), value.max(), rtol=1e-9, atol=0)


def _has_respondents(frame: pd.DataFrame) -> pd.Series:
    nobody = frame["respondents"].isna() | (numbers(frame["respondents"]) == 0)
    return ~(frame["survey"].notna() & nobody)


def _has_survey(frame: pd.DataFrame) -> pd.Series:
    somebody = _is_count(frame["respondents"]) & (numbers(frame["respondents"]) > 0)
    return ~(frame["survey"].isna() & somebody)


def _keys(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"ou": frame["ou"], "month": months(frame["month"])})


def _is_first(frame: pd.DataFrame) -> pd.Series:
    keys = _keys(frame)
    return ~keys.duplicated() | keys.isna().any(axis="columns")


def _first(frame: pd.DataFrame, rows: Sequence[int]) -> list[str]:
    keys = _keys(frame)
    first = keys.dropna().reset_index(names="row").groupby(["ou", "month"])["row"].first()
    return [
        f"OU {quoted(ou)} already has this month in row {first[ou, month]}"
        for ou, month in keys.loc[rows].itertuples(index=False)
    ]


def _in_one_site(frame: pd.DataFrame) -> pd.Series:
    """False in the first row that puts an OU in a site other than that of its first row."""
    pairs = frame[["ou", "site"]].dropna().drop_duplicates()
    elsewhere = pairs.index[pairs.duplicated("ou")]
    return pd.Series(~frame.index.isin(elsewhere), index=frame.index)


def _other_site(frame: pd.DataFrame, rows: Sequence[int]) -> list[str]:
    placed = frame[["ou", "site"]].dropna().drop_duplicates("ou")
    first = {ou: (row, site) for row, ou, site in placed.itertuples()}
    return [
        f"OU {quoted(ou)} is in site {quoted(first[ou][1])} in row {first[ou][0]}"
        for ou in frame.loc[rows, "ou"]
    ]


def _calendar(text: pd.Series) -> tuple[pd.Series, pd.Series]:
    """The months that occur, in order, and how many months after the last one each comes."""
    month = months(text).dropna().drop_duplicates().sort_values()
    return month, (month.dt.year * 12 + month.dt.month).diff()


def _has_no_hole(text: pd.Series) -> bool:
    return not (_calendar(text)[1] > LONGEST_GAP + 1).any()


def _hole(frame: pd.DataFrame, _: Sequence[int]) -> list[str]:
    month, step = _calendar(frame["month"])
    after = step.argmax()
    before, after = month.iloc[after - 1], month.iloc[after]
    return [f"there is no row at all between {before:%Y-%m} and {after:%Y-%m}"]


def _has_months(text: pd.Series) -> bool:
    month = months(text)
    return month.isna().any() or month.nunique() >= FEWEST_MONTHS


def _month_count(frame: pd.DataFrame, _: Sequence[int]) -> list[str]:
    count = months(frame["month"]).nunique()
    return [f"only {count} different month{'s' if count > 1 else ''}"]


def _score_count(frame: pd.DataFrame, _: Sequence[int]) -> list[str]:
    count = frame["survey"].notna().sum()
    return ["only one survey score" if count else "no survey score in the whole file"]


A_NUMBER = "Write a number such as 12.5"
BLANKS = {
    column: Rule((column,), bool, message, advice)
    for column, message, advice in [
        (
            "ou",
            "no OU",
            "Name it in every row (of a pivot table, fill the names down); remove the row only if "
            "it is none of the data.",
        ),
        ("site", "no site", "Name the site that this OU belongs to."),
        ("month", "no month", "Fill it in, or remove the row."),
        (
            "productivity",
            "no productivity",
            "Fill it in, or remove the row: an OU need not have a row for every month.",
        ),
        (
            "scheduled",
            "blank",
            "Write True or False in every row; if the schedule is not known, remove the column.",
        ),
    ]
}
RULES = (
    *(
        Rule(
            (column,),
            lambda text: ~text.str.contains("\0", regex=False),
            "a name with a NUL character",
            "Remove the character.",
        )
        for column in ("ou", "site")
    ),
    Rule(
        ("ou",),
        lambda text: text.nunique() != 1,
        lambda frame, _: [f"only one OU, {quoted(frame['ou'].dropna().iloc[0])}"],
        "The models compare OUs: add the others, or check which column holds them.",
    ),
    Rule(
        ("month",),
        lambda text: months(text).notna(),
        "not clearly a month",
        month_advice,
    ),
    Rule(
        ("month",),
        _has_months,
        _month_count,
        f"The models need {FEWEST_MONTHS} at the least: fewer do not show how months differ.",
    ),
    Rule(
        ("month",),
        _has_no_hole,
        _hole,
        f"Look for a mistyped year; a gap may have up to {LONGEST_GAP} months.",
    ),
    Rule(
        ("productivity",),
        _is_number,
        "not a number",
        number_advice(f"{A_NUMBER}, or remove the row."),
    ),
    Rule(
        ("productivity",),
        _is_positive,
        "not greater than 0",
        "The models use its logarithm: correct the value, or remove the row.",
    ),
    Rule(
        ("productivity",),
        _is_finite,
        "infinite, or as good as infinite",
        "Correct the value, or remove the row.",
    ),
    Rule(
        ("productivity",),
        _varies,
        "the same value in every row",
        "There is nothing to explain: check which column holds the productivity.",
    ),
    Rule(
        ("survey",),
        _is_number,
        "not a number",
        number_advice(f"{A_NUMBER}, or leave the cell empty if there is no score."),
    ),
    Rule(
        ("survey",),
        _is_finite,
        "infinite, or as good as infinite",
        "Correct the score, or leave the cell empty if there is none.",
    ),
    Rule(
        ("survey",),
        _varies,
        "the same score in every row that has one",
        "It can explain nothing: check which column holds the survey.",
    ),
    Rule(
        ("survey",),
        lambda text: len(text) > 1,
        _score_count,
        "The models need some: add them, or check which column holds the survey.",
    ),
    Rule(
        ("respondents",),
        _is_count,
        "not a whole number of people",
        count_advice,
    ),
    Rule(
        ("respondents", "survey"),
        _has_respondents,
        "no respondents, but a survey score",
        "Write how many people answered, or empty the survey cell.",
    ),
    Rule(
        ("respondents", "survey"),
        _has_survey,
        "respondents, but no survey score",
        "Fill in the score; without one, write 0 respondents or nothing.",
    ),
    Rule(
        ("scheduled",),
        lambda text: text.str.lower().isin(TRUTHS),
        "neither true nor false",
        "Write True or False (1 and 0, yes and no will do).",
    ),
    Rule(
        ("month", "ou"),
        _is_first,
        _first,
        "Keep one row for each OU and month. If days and months are swapped in some dates (the "
        "third of January for the first of March), mend those first; sum or average what is "
        "shorter than a month.",
    ),
    Rule(
        ("site", "ou"),
        _in_one_site,
        _other_site,
        "An OU has one site: correct it, or give an OU that moved a new name from then on.",
    ),
)
