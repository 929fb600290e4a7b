"""What a cell of text can mean, and what to say of one that means nothing."""

from __future__ import annotations

import calendar
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

NUMBER = r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[iI]nf(?:inity)?)"
# The year comes first: 03/04/2024 is March to some and April to others.
MONTH = re.compile(
    r"([0-9]{4})([-/.])([0-9]{1,2})(?:\2([0-9]{1,2})(?:[T ]([0-9]{1,2}):[0-9]{2}[0-9:.+Z-]*)?)?"
)
QUARTER = re.compile(r"([0-9]{4})[ -]?[Qq]([1-4])|[Qq]([1-4])[ /-]?([0-9]{4})")
COMPACT_DATE = re.compile(r"((?:19|20)[0-9]{2})(0[1-9]|1[0-2])([0-3][0-9])")
STATA_MONTH = re.compile(r"([0-9]{4})[mM](1[0-2]|0?[1-9])")
NAMED_MONTH = re.compile(
    r"(?:([^\W\d_]{3,9})\.?[ -]([0-9]{4}))|(?:([0-9]{4})[ -]([^\W\d_]{3,9})\.?)"
)
YEAR_LAST = re.compile(r"([0-9]{1,2})([-/.])([0-9]{1,2})\2([0-9]{4})(?:[T ]0{1,2}:00[0:.]*)?")
_SEVERAL = 4  # months of a year, of dates that are the first of each
MONTH_NAMES = {
    name: number
    for number in range(1, 13)
    for name in (calendar.month_name[number].casefold(), calendar.month_abbr[number].casefold())
} | {
    **{"sept": 9, "januar": 1, "februar": 2, "märz": 3, "mär": 3, "mrz": 3, "mai": 5},
    **{"juni": 6, "juli": 7, "oktober": 10, "okt": 10, "dezember": 12, "dez": 12},
}
"""English and German names, of which no two mean different months."""
# At this hour of a month's last day it is the next month somewhere: the easternmost zones are
# fourteen hours ahead of UTC.
NEXT_MONTH_FROM = 10
TRUTHS = {"true": True, "yes": True, "1": True, "1.0": True}
TRUTHS |= {"false": False, "no": False, "0": False, "0.0": False}
MISSING = {"", "na", "n/a", "#n/a", "<na>", "nan", "null", "none", "-", "–", "—", "."}
YEARS = range(1800, 2200)
"""Years that a table may be about: 230101 is no month of the year 2301."""
# White space as Unicode has it, and three marks of no width that come along when text is copied.
WHITE = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\u200b\u2060\ufeff"


def plain(name: str) -> str:
    """A name as names are compared: without case, outer white space and ways to write accents."""
    return unicodedata.normalize("NFC", name.strip(WHITE)).casefold()


def labels(text: pd.Series) -> pd.Series:
    """Names without white space around them; only an empty one is missing, ``NA`` is a name."""
    text = text.str.strip(WHITE).str.normalize("NFC")
    return text.mask(text == "")


def values(text: pd.Series) -> pd.Series:
    """Cells without white space around them; missing where one says that it is."""
    text = text.str.strip(WHITE)
    return text.mask(text.str.lower().isin(MISSING))


def words_for_nothing(text: pd.Series) -> dict[str, int]:
    """The words that :func:`values` takes for an empty cell, and how often each is written."""
    text = text.str.strip(WHITE)
    words = text[text.str.lower().isin(MISSING - {""})]
    return {str(word): int(times) for word, times in words.value_counts().items()}


def numbers(text: pd.Series) -> pd.Series:
    """The numbers in ``text``; NaN where it is missing or not a number."""
    return text.where(text.str.fullmatch(NUMBER, na=False)).astype(float)


def months(text: pd.Series) -> pd.Series:
    """The first of each month in ``text``; NaT where it is missing or not a month."""
    return text.map({one: _month(one) for one in text.dropna().unique()}).astype("datetime64[us]")


@dataclass(frozen=True)
class Certain:
    """Cells whose reading is certain, written as the rest of the package reads them.

    ``remarks`` say what was read as what; a cell that is not certain is left as it was.
    ``commas``: whether decimal commas were read.
    """

    text: pd.Series
    remarks: tuple[str, ...] = ()
    commas: bool = False


def certain_months(text: pd.Series) -> Certain:
    """Months written in other ways, as ``2023-01``, where there is one way to read them."""
    cells = [str(cell) for cell in text.dropna().unique()]
    found: dict[str, str] = {}
    remarks = []
    quarters = {cell: match for cell in cells if (match := QUARTER.fullmatch(cell))}
    if quarters and len(quarters) == len(cells):  # among months it would not be one
        for cell, match in quarters.items():
            year, quarter = (match[1], match[2]) if match[1] else (match[4], match[3])
            found[cell] = f"{year}-{3 * int(quarter) - 2:02}"
        remarks.append(f"Quarters are read as their first months: {_example(found)}.")
    for cell in cells:
        if month := _in_words(cell):
            found[cell] = month
    if spelt := {cell: month for cell, month in found.items() if cell not in quarters}:
        remarks.append(f"Months are read from other ways to write them: {_example(spelt)}.")
    if last := _year_last(cells):
        found |= last
        remarks.append(f"Dates are read with the year last: {_example(last)}.")
    if any(re.fullmatch(r"[0-9]{4}\.10", cell) for cell in cells):  # so they are no numbers
        found |= {cell: f"{cell[:4]}-01" for cell in cells if re.fullmatch(r"[0-9]{4}\.1", cell)}
    return Certain(text.replace(found) if found else text, tuple(remarks))


def _in_words(cell: str) -> str | None:
    """The month of a date without separators, of Stata's form, or with the month's name."""
    if (match := COMPACT_DATE.fullmatch(cell)) and 1 <= int(match[3]) <= _days(match[1], match[2]):
        return f"{match[1]}-{match[2]}"
    if match := STATA_MONTH.fullmatch(cell):
        return f"{match[1]}-{int(match[2]):02}"
    if match := NAMED_MONTH.fullmatch(cell):
        word, year = (match[1], match[2]) if match[1] else (match[4], match[3])
        if number := MONTH_NAMES.get(word.casefold()):
            return f"{year}-{number:02}"
    return None


def _year_last(cells: list[str]) -> dict[str, str]:
    """Months of ``31.03.2023`` and the like, if the column as a whole says which is the day.

    It does where one of the two numbers is above 12, where points separate them (nobody writes
    the month first then), and where one is 1 throughout and the other takes several values: the
    first of each month.  The second of January in some years may as well be the first of February.
    """
    matches = {cell: match for cell in cells if (match := YEAR_LAST.fullmatch(cell))}
    if not matches or len(matches) < len(cells):
        return {}
    first, second = ([int(match[i]) for match in matches.values()] for i in (1, 3))
    points = all(match[2] == "." for match in matches.values())
    if max(first) > 12 or max(second) > 12:
        day_first = max(first) > 12
    elif points:
        day_first = True
    elif {1} in (set(first), set(second)) and len({*first, *second}) >= _SEVERAL:
        day_first = set(first) == {1}
    else:
        return {}
    found = {}
    for cell, match in matches.items():
        day, month = (match[1], match[3]) if day_first else (match[3], match[1])
        if not (1 <= int(month) <= 12 and 1 <= int(day) <= _days(match[4], month)):
            return {}
        found[cell] = f"{match[4]}-{int(month):02}"
    return found


def _days(year: str, month: str) -> int:
    """How many days the month has; none, if there is no such month."""
    if not (int(year) and 1 <= int(month) <= 12):
        return 0
    return calendar.monthrange(int(year), int(month))[1]


def certain_numbers(text: pd.Series, delimiter: str | None) -> Certain:
    """Numbers with decimal commas, with points, where the comma cannot be anything else.

    That is in a file whose cells are not separated by commas, and in a column where some comma
    has other than three digits after it, or points group the digits before it.
    """
    text, minus = _minus(text)
    if delimiter in (None, ","):
        return Certain(text, minus)
    cells = text.dropna()
    plain = cells.str.fullmatch(r"[+-]?[0-9]+(?:,[0-9]+)?")
    grouped = cells.str.fullmatch(r"[+-]?[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]+")
    shows = cells.str.fullmatch(r"[+-]?[0-9]+,(?:[0-9]{1,2}|[0-9]{4,})") | grouped
    if not (plain | grouped).all() or not shows.any():
        return Certain(text, minus)
    read = text.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
    example = str(cells[shows].iloc[0])
    value = read[cells.index[shows][0]]
    remark = f"Commas of the column {{}} are read as decimal points: {example} as {value}."
    return Certain(read, (*minus, remark), commas=True)


def _minus(text: pd.Series) -> tuple[pd.Series, tuple[str, ...]]:
    """Cells with the minus sign of typesetters as programs write it."""
    typeset = text.str.fullmatch(r"\u2212[0-9.,]+", na=False)
    if not typeset.any():
        return text, ()
    remark = "Minus signs of the column {} are read as such, though they are no hyphens."
    return text.mask(typeset, text.str.replace("\u2212", "-")), (remark,)


def grouped_by_points(text: pd.Series, *, commas: bool, counts: bool = False) -> pd.Series:
    """Whether each cell may have a point between thousands, where a decimal point is not certain.

    Args:
        text: the cells of a column.
        commas: whether other columns of the file have decimal commas.
        counts: whether the column counts people, of whom there are no thousandths.
    """
    cells = text.dropna()
    points = cells[cells.str.contains(".", regex=False)]
    three = points.str.fullmatch(r"[+-]?[1-9][0-9]{0,2}\.[0-9]{3}")
    if not len(points) or not three.all():
        return pd.Series(False, index=text.index)
    fixed = len(points) == len(cells) and points.str.endswith(".000").all()
    suspect = not fixed if counts else commas
    return pd.Series(suspect & text.index.isin(points.index), index=text.index)


def _example(found: dict[str, str]) -> str:
    cell, month = next(iter(found.items()))
    more = f" (and {len(found) - 1} others)" if len(found) > 1 else ""
    return f"{cell} as {month}{more}"


def truths(text: pd.Series) -> pd.Series:
    """The truth values in ``text``; missing where it is missing or not one."""
    return text.str.lower().map(TRUTHS)


def number_advice(otherwise: str) -> Callable[[str], str]:
    """Advice on a cell that is not a number; ``otherwise`` where nothing can be guessed."""

    def advice(cell: str) -> str:
        cell = cell.strip(WHITE)
        if re.fullmatch(r"[+-]?[0-9]{1,3},[0-9]{3}", cell):
            point, plain = cell.replace(",", "."), cell.replace(",", "")
            return f"Write {point} if the comma is a decimal comma, {plain} if it is not."
        if re.fullmatch(r"[+-]?[0-9]*,[0-9]+", cell):
            return f"Write a decimal point instead of the comma: {cell.replace(',', '.')}."
        if re.fullmatch(r"[+-]?[0-9]{1,3}([,'’ \u00a0\u202f][0-9]{3})+(\.[0-9]+)?", cell):
            return f"Write it without separators: {re.sub('[^0-9.+-]', '', cell)}."
        if re.fullmatch(r"[+-]?[0-9]{1,3}(['’ \u00a0\u202f][0-9]{3})+,[0-9]+", cell):
            plain = re.sub("[^0-9,+-]", "", cell).replace(",", ".")
            return f"Write it without separators, and with a decimal point: {plain}."
        if re.fullmatch(r"[+-]?[0-9]{1,3}(\.[0-9]{3}){2,}", cell):
            return f"Write it without separators: {cell.replace('.', '')}."
        if cell.startswith("#"):
            return "The spreadsheet's formula failed here: mend it."
        if re.fullmatch(r"[+-]?[0-9.,]+\s*%", cell):
            return "Write the number without the percent sign, in the same unit as the others."
        if SUPPRESSED.fullmatch(cell):
            return f"{_SUPPRESSED} {otherwise}"
        return otherwise

    return advice


SUPPRESSED = re.compile(r"[<>≤≥]\s*=?\s*[0-9]+|\*+|\.{2,}|[-–—]+|[xXcC]")
_SUPPRESSED = "It looks suppressed, as small groups are."


def count_advice(cell: str) -> str:
    """Advice on a cell that is no number of respondents."""
    cell = cell.strip(WHITE)
    if re.fullmatch(r"[0-9.,]+\s*%", cell) or re.fullmatch(r"0?[.,][0-9]+", cell):
        return (
            "It looks like a share of those who were asked, and a count is wanted: multiply it by "
            "how many were asked, and round."
        )
    if SUPPRESSED.fullmatch(cell):
        return (
            f"{_SUPPRESSED} How many answered says how far the score is to be trusted: write a "
            "number that may stand for it (5 for <10), or empty both this cell and the score."
        )
    return number_advice("Write how many answered; 0 or nothing if there was no survey.")(cell)


def month_advice(cell: str) -> str:
    """Advice on a cell that is not a month."""
    cell = cell.strip(WHITE)
    if match := re.fullmatch(r"([0-9]{1,2})[-/.]([0-9]{1,2})[-/.]([0-9]{4})", cell):
        first, second, year = map(int, match.groups())
        readings = dict.fromkeys(f"{year}-{m:02}" for m in (second, first) if 1 <= m <= 12)
        if readings:
            return f"It may mean {' or '.join(readings)}: write the year first."
    if re.fullmatch(r"[0-9]{4}[.,]1", cell):
        return (
            f"It may mean {cell[:4]}-01 or, as a number drops the last 0, {cell[:4]}-10: export "
            f"months as text, such as {cell[:4]}-10, or as dates."
        )
    if (match := MONTH.fullmatch(cell)) and match[5] and _month_of_tomorrow(match):
        return (
            "By its time of day it may be midnight of the next month in another time zone: write "
            "the date without the time."
        )
    if QUARTER.fullmatch(cell):
        return (
            "Quarters and months stand in one column here: write the same for all; a quarter may "
            "be written as its first month."
        )
    if re.fullmatch(r"[0-9]{4}-?[Ww][0-9]{1,2}", cell):
        return "It looks like a week: sum or average weeks to months, 2024-03."
    if re.fullmatch(r"0?[1-9]|1[0-2]", cell) or cell.casefold() in MONTH_NAMES:
        return "The year is missing: write both, such as 2024-03."
    if re.fullmatch(r"[0-9]{2,3}", cell):
        year, month = divmod(int(cell), 12)
        return (
            f"If it is a month as Stata counts them, it is {1960 + year}-{month + 1:02}: export "
            "months as text."
        )
    if re.fullmatch(r"[0-9]{5}", cell):
        return "It looks like a date that Excel shows as a number: format the column as a date."
    if (match := MONTH.fullmatch(cell)) and int(match[1]) not in YEARS:
        return f"Is it a month of the year {match[1]}? Write it as 2024-03."
    match = re.fullmatch(r"([0-9]{4})(0[1-9]|1[0-2])", cell)
    if match and int(match[1]) in YEARS:
        return f"Put a hyphen between year and month: {match[1]}-{match[2]}."
    if re.fullmatch(r"[0-9]{6}", cell):
        return "If the century is missing, write the year whole: 2023-01-01 for 230101."
    return "Write year and month, such as 2024-03; a full date such as 2024-03-31 will do."


def _month(cell: str) -> datetime | None:
    if not (match := MONTH.fullmatch(cell)):
        return None
    year, separator, month, day, _ = match.groups(default="1")
    if int(year) not in YEARS:
        return None
    if separator == "." and match[3] == "1" and match[4] is None:
        return None  # October, if it has been a number
    try:
        found = datetime(int(year), int(month), int(day)).replace(day=1)
    except ValueError:  # there is no such day
        return None
    return None if _month_of_tomorrow(match) else found


def _month_of_tomorrow(match: re.Match[str]) -> bool:
    """Whether a date with its time of day may be midnight of the next month somewhere else."""
    year, _, month, day, hour = match.groups(default="0")
    last = int(day) == _days(year, month)
    return last and int(hour) >= NEXT_MONTH_FROM
