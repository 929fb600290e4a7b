"""What a cell of text can mean, and what to say of one that means nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

import pandas as pd

NUMBER = r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[iI]nf(?:inity)?)"
# The year comes first: 03/04/2024 is March to some and April to others.
MONTH = re.compile(
    r"([0-9]{4})([-/.])([0-9]{1,2})(?:\2([0-9]{1,2})(?:[T ][0-9]{1,2}:[0-9]{2}[0-9:.+Z-]*)?)?"
)
TRUTHS = {"true": True, "yes": True, "1": True, "1.0": True}
TRUTHS |= {"false": False, "no": False, "0": False, "0.0": False}
MISSING = {"", "na", "n/a", "#n/a", "<na>", "nan", "null", "none"}
# White space as Unicode has it, and three marks of no width that come along when text is copied.
WHITE = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\u200b\u2060\ufeff"


def labels(text: pd.Series) -> pd.Series:
    """Names without white space around them; only an empty one is missing, ``NA`` is a name."""
    text = text.str.strip(WHITE).str.normalize("NFC")
    return text.mask(text == "")


def values(text: pd.Series) -> pd.Series:
    """Cells without white space around them; missing where one says that it is."""
    text = text.str.strip(WHITE)
    return text.mask(text.str.lower().isin(MISSING))


def numbers(text: pd.Series) -> pd.Series:
    """The numbers in ``text``; NaN where it is missing or not a number."""
    return text.where(text.str.fullmatch(NUMBER, na=False)).astype(float)


def months(text: pd.Series) -> pd.Series:
    """The first of each month in ``text``; NaT where it is missing or not a month."""
    return text.map({one: _month(one) for one in text.dropna().unique()}).astype("datetime64[us]")


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
        if re.fullmatch(r"[+-]?[0-9]{1,3}([,' \u00a0\u202f][0-9]{3})+(\.[0-9]+)?", cell):
            return f"Write it without separators: {re.sub('[^0-9.+-]', '', cell)}."
        if cell.startswith("#"):
            return "The spreadsheet's formula failed here: mend it."
        if re.fullmatch(r"[+-]?[0-9.]+\s*%", cell):
            return "Write the number without the percent sign."
        return otherwise

    return advice


def month_advice(cell: str) -> str:
    """Advice on a cell that is not a month."""
    cell = cell.strip(WHITE)
    if match := re.fullmatch(r"([0-9]{1,2})[-/.]([0-9]{1,2})[-/.]([0-9]{4})", cell):
        first, second, year = map(int, match.groups())
        readings = dict.fromkeys(f"{year}-{m:02}" for m in (second, first) if 1 <= m <= 12)
        if readings:
            return f"It may mean {' or '.join(readings)}: write the year first."
    if re.fullmatch(r"[0-9]{5}", cell):
        return "It looks like a date that Excel shows as a number: format the column as a date."
    if match := re.fullmatch(r"([0-9]{4})(0[1-9]|1[0-2])", cell):
        return f"Put a hyphen between year and month: {match[1]}-{match[2]}."
    return "Write year and month, such as 2024-03; a full date such as 2024-03-31 will do."


def _month(cell: str) -> datetime | None:
    if not (match := MONTH.fullmatch(cell)):
        return None
    year, _, month, day = match.groups(default="1")
    try:
        return datetime(int(year), int(month), int(day)).replace(day=1)
    except ValueError:  # there is no such day
        return None
