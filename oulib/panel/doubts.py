"""What may be a mistake in a panel that can be read: a person decides, so it is only said."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from oulib.panel.problem import quoted

TOTALS = re.compile(
    r"(grand |over)?(total|totals|sum|all|everyone|everything)( .*)?|.* totals?|overall"
    r"|gesamt.*|.*summe|insgesamt|alle|ensemble|totale|totaal|toutes?|tous|todos|todas",
)
"""Names that whatever adds up the OUs is given, in lower case."""
LOOK_ALIKES = str.maketrans(
    "асеорхуіјѕԁԛԝ" + "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο" + "АВЕКМНОРСТУХІЈЅ",
    "aceopxyijsdqw" + "ABEZHIKMNOPTYXo" + "ABEKMHOPCTYXIJS",
)
"""Cyrillic and Greek letters that are drawn as Latin ones."""
UNIT = 300.0
"""Outcomes further than this factor from the OU's median are of another unit, probably."""
RESCALED = 4.0
"""Scores of a month this many times those of another are on another scale, probably."""
CODES = (-999, -99, -9, -1, 0, 9, 99, 999, 9999)
"""What is written for no answer."""
FEWEST_SCORES = 8
"""With fewer scores nothing is said of which are apart."""
FAR = 30.0
"""Scores this many interquartile ranges from the median are codes rather than scores."""
RATE = re.compile(r"rate|ratio|share|percent|quote|anteil|prozent|%", re.IGNORECASE)


@dataclass(frozen=True)
class Doubt:
    """Something to look at: ``kind`` for programs, ``message`` for people."""

    kind: str
    message: str

    def __str__(self) -> str:
        return self.message


def find_doubts(frame: pd.DataFrame, names: Mapping[str, str]) -> tuple[Doubt, ...]:
    """Everything in a clean frame that may be a mistake.

    ``frame`` is that of :func:`oulib.panel.table.read_table`, ``names`` the file's own names of
    its columns.
    """
    return tuple(
        Doubt(kind, message)
        for kind, found in (
            ("names", _alike(frame, names)),
            ("total", _totals(frame)),
            ("unit", _units(frame, names)),
            ("scale", _scales(frame, names)),
            ("code", _codes(frame, names)),
            ("share", _shares(frame, names)),
        )
        for message in found
    )


def _alike(frame: pd.DataFrame, names: Mapping[str, str]) -> Iterator[str]:
    """Names that differ only by case, spaces, dashes or letters that look alike."""
    for column in ("ou", "site"):
        kinds: dict[str, list[str]] = {}
        for name in sorted(frame[column].unique()):
            kinds.setdefault(_look(name), []).append(name)
        for same in kinds.values():
            if len(same) > 1:
                listed = ", ".join(map(quoted, same))
                yield (
                    f"In the column {quoted(names[column])} these names differ only by case, "
                    f"spaces, dashes or letters that look alike, and count as {len(same)}: "
                    f"{listed}."
                )


def _look(name: str) -> str:
    same = unicodedata.normalize("NFKC", name).translate(LOOK_ALIKES).casefold()
    same = re.sub(r"[\u2010-\u2015\u2212_]", "-", same)
    return re.sub(r"\s+|[\u200b-\u200f\u00ad]", "", same)


def _totals(frame: pd.DataFrame) -> Iterator[str]:
    """OUs that are the sum or the mean of the others, by their names or their numbers."""
    table = frame.pivot(index="month", columns="ou", values="productivity")
    whole = table[table.notna().all(axis=1)].to_numpy()
    added: dict[str, str] = {}
    if whole.shape[0] >= 3 and whole.shape[1] > 3:
        others = whole.sum(axis=1, keepdims=True) - whole
        for word, made in (("sum", others), ("mean", others / (whole.shape[1] - 1))):
            same = np.isclose(whole, made, rtol=5e-4).all(axis=0)
            added |= {str(ou): word for ou in table.columns[same]}
    for ou in map(str, table.columns):
        if ou in added:
            word = added[ou]
            yield f"The outcome of the OU {quoted(ou)} is the {word} of all others in each month."
        elif TOTALS.fullmatch(ou.strip().casefold()):
            yield (
                f"The OU {quoted(ou)} sounds like the total of the others: if it is, leave its "
                "rows out, or every OU counts twice."
            )


def _units(frame: pd.DataFrame, names: Mapping[str, str]) -> Iterator[str]:
    """Outcomes that are some hundred times another of the same OU."""
    log = np.log(frame["productivity"])
    apart = log - log.groupby(frame["ou"]).transform("median")
    far = frame[apart.abs() > np.log(UNIT)]
    if len(far):
        first = far.iloc[0]
        more = f" and {len(far) - 1} more" if len(far) > 1 else ""
        yield (
            f"In the column {quoted(names['productivity'])} {first['productivity']:g} (OU "
            f"{quoted(first['ou'])}, {first['month']:%Y-%m}){more} is more than {UNIT:g} times "
            "larger or smaller than what is usual for the OU: another unit, or a decimal mark?"
        )


def _scales(frame: pd.DataFrame, names: Mapping[str, str]) -> Iterator[str]:
    """Scores that are on one scale in some months, or OUs, and on another in others."""
    seen = frame[frame["survey"] > 0]
    for by, label in (("month", "months"), ("ou", "OUs")):
        middle = seen.groupby(by)["survey"].median()
        if len(middle) < 2:
            continue
        low, high = middle.idxmin(), middle.idxmax()
        if middle[high] <= RESCALED * middle[low]:
            continue
        # Two scales leave a gap between them; scores that merely vary do not.
        ordered = np.sort(middle.to_numpy())
        if (ordered[1:] / ordered[:-1]).max() < RESCALED / 2:
            continue
        one, other = (f"{at:%Y-%m}" if by == "month" else quoted(str(at)) for at in (low, high))
        yield (
            f"The scores in the column {quoted(names['survey'])} seem to be on different scales: "
            f"the median is {middle[low]:g} in {one} and {middle[high]:g} in {other} ({label} "
            "compared). Bring them to one scale."
        )
        return


def _codes(frame: pd.DataFrame, names: Mapping[str, str]) -> Iterator[str]:
    """Scores that may be codes for no answer: usual ones, apart from all others, or any far off."""
    score = frame["survey"].dropna()
    if len(score) < FEWEST_SCORES:
        return
    usual = score.isin(CODES)
    rest = score[~usual]
    apart = pd.Series(False, index=score.index)
    if len(rest) > 1:
        width = rest.max() - rest.min()
        apart = usual & ((score < rest.min() - width) | (score > rest.max() + width))
    low, middle, high = np.quantile(score, [0.25, 0.5, 0.75])
    spread = max(high - low, 1e-3 * abs(middle), 1e-12)
    far = score[apart | ((score - middle).abs() > FAR * spread)]
    if len(far):
        listed = ", ".join(f"{value:g}" for value in sorted(set(far))[:3])
        yield (
            f"In the column {quoted(names['survey'])} {len(far)} of {len(score)} scores lie far "
            f"from all others ({listed}): codes for no answer? Empty such cells."
        )


def _shares(frame: pd.DataFrame, names: Mapping[str, str]) -> Iterator[str]:
    """Respondents that are shares of those who were asked, or the answer to whether any did."""
    counts = frame["respondents"][frame["survey"].notna()]
    column = quoted(names["respondents"])
    if counts.max() <= 1:
        yield f"In the column {column} no survey has more than 1 respondent: is it a yes or no?"
    elif RATE.search(names["respondents"]) and counts.max() <= 100:
        yield (
            f"The column {column} sounds like a rate, and holds nothing above 100: how many people "
            "answered is wanted, and not which share of them."
        )
