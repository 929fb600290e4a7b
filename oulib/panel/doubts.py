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
    r"|gesamt.*|.*summe|insgesamt|alle|ensemble|totale|totaal|toutes?|tous|todos|todas"
    r"|tot|Σ|∑|σ|mean|average|avg|median|durchschnitt|mittel(wert)?|moyenne|promedio|media",
)
"""Names that whatever adds up the OUs is given, in lower case."""
LOOK_ALIKES = str.maketrans(
    "асеорхуіјѕԁԛԝ" + "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο" + "АВЕКМНОРСТУХІЈЅ",
    "aceopxyijsdqw" + "ABEZHIKMNOPTYXo" + "ABEKMHOPCTYXIJS",
)
"""Cyrillic and Greek letters that are drawn as Latin ones."""
UNIT = 50.0
"""Outcomes further than this factor from the OU's median are of another unit, probably."""
APART, TOGETHER = 30.0, 3.0
"""OUs in two groups, so many times apart and each within this factor, are in two units."""
REPEATED = 0.5
"""A larger share of surveys that repeat the one before is one survey, carried forward."""
NOBODY = (999, 9999, 99999)
"""Respondents that stand for no answer, where all others are few."""
RESCALED = 4.0
"""Scores of a month this many times those of another are on another scale, probably."""
DOUBLED = (1.5, 1.4)
"""So are scores in two groups, so many times apart and each within the latter."""
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
            ("code", _people(frame, names)),
            ("repeated", _repeated(frame, names)),
            ("share", _shares(frame, names)),
        )
        for message in found
    )


def _alike(frame: pd.DataFrame, names: Mapping[str, str]) -> Iterator[str]:
    """Names that differ only by case, spaces, dashes, zeros or letters that look alike."""
    for column in ("ou", "site"):
        kinds: dict[str, list[str]] = {}
        for name in sorted(frame[column].unique()):
            kinds.setdefault(_look(name), []).append(name)
        for same in kinds.values():
            if len(same) > 1:
                listed = ", ".join(map(quoted, same))
                yield (
                    f"In the column {quoted(names[column])} these names differ only by case, "
                    "spaces, dashes, leading zeros or letters that look alike, and count as "
                    f"{len(same)}: "
                    f"{listed}."
                )


def _look(name: str) -> str:
    same = unicodedata.normalize("NFKC", name).translate(LOOK_ALIKES).casefold()
    same = re.sub(r"[\u2010-\u2015\u2212_]", "-", same)
    return re.sub(r"\s+|[\u200b-\u200f\u00ad]|^0+(?=[0-9]+$)", "", same)


def _totals(frame: pd.DataFrame) -> Iterator[str]:
    """OUs that are the sum or the mean of others, by their names or their numbers."""
    table = frame.pivot(index="month", columns="ou", values="productivity")
    added = _added(table, "all others")
    sites = frame.groupby("site")["ou"].unique()
    if len(sites) > 1:
        for site, ous in sites.items():
            added = _added(table[ous], f"all others of the site {quoted(str(site))}") | added
    ous_of = {str(site).strip().casefold(): ous for site, ous in sites.items()}
    for ou in map(str, table.columns):
        said = ou.strip().casefold()
        if ou in added:
            yield f"The outcome of the OU {quoted(ou)} is the {added[ou]} in each month."
        elif TOTALS.fullmatch(said):
            yield (
                f"The OU {quoted(ou)} sounds like the total or the mean of the others: if it is, "
                "leave its rows out, or every OU counts twice."
            )
        elif len(ous_of.get(said, ())) > 1:
            yield (
                f"The OU {quoted(ou)} has the name of a site: if it adds up the site's OUs, leave "
                "its rows out, or they count twice."
            )


def _added(table: pd.DataFrame, others: str) -> dict[str, str]:
    """Columns that are the sum (but for rounding) or the mean of the others in every full row."""
    whole = table[table.notna().all(axis=1)].to_numpy()
    if whole.shape[0] < 3 or whole.shape[1] <= 2:
        return {}
    rest = whole.sum(axis=1, keepdims=True) - whole
    found: dict[str, str] = {}
    for word, made, error in (
        ("sum", rest, 5e-3),
        ("mean", rest / (whole.shape[1] - 1), 5e-4),
    ):
        same = np.isclose(whole, made, rtol=error).all(axis=0)
        found |= {str(ou): f"{word} of {others}" for ou in table.columns[same]}
    return found


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
            "larger or smaller than what is usual for the OU: another unit, a decimal mark, or a "
            "code for no value?"
        )
    if groups := _two_groups(np.exp(log.groupby(frame["ou"]).median()), APART, TOGETHER):
        low, high = (quoted(str(one.index[-1])) for one in groups)
        times = groups[1].iloc[0] / groups[0].iloc[-1]
        yield (
            f"In the column {quoted(names['productivity'])} {len(groups[0])} OUs (such as {low}) "
            f"and {len(groups[1])} (such as {high}) are {times:.0f} times apart, and "
            "much alike among themselves: are they in two units?"
        )


def _two_groups(
    middle: pd.Series, apart: float, together: float
) -> tuple[pd.Series, pd.Series] | None:
    """Medians as two groups with a gap of a factor between them, each within a smaller one."""
    ordered = middle.sort_values()
    ratios = (ordered / ordered.shift()).fillna(1.0).to_numpy()
    place = int(ratios.argmax())
    low, high = ordered.iloc[:place], ordered.iloc[place:]
    tight = all(len(one) > 1 and one.iloc[-1] < together * one.iloc[0] for one in (low, high))
    return (low, high) if tight and ratios[place] > apart else None


def _scales(frame: pd.DataFrame, names: Mapping[str, str]) -> Iterator[str]:
    """Scores that are on one scale in some months, or OUs, and on another in others."""
    seen = frame[frame["survey"] > 0]
    for by, label in (("month", "months"), ("ou", "OUs")):
        middle = seen.groupby(by)["survey"].median()
        if len(middle) < 2:
            continue
        low, high = middle.idxmin(), middle.idxmax()
        # Two scales leave a gap between them; scores that merely vary do not.
        ordered = np.sort(middle.to_numpy())
        gap = (ordered[1:] / ordered[:-1]).max()
        rescaled = middle[high] > RESCALED * middle[low] and gap >= RESCALED / 2
        if not rescaled and _two_groups(middle, *DOUBLED) is None:
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


def _people(frame: pd.DataFrame, names: Mapping[str, str]) -> Iterator[str]:
    """Numbers of respondents that may be codes for no answer."""
    counts = frame["respondents"][frame["survey"].notna()]
    coded = counts[counts.isin(NOBODY)]
    rest = counts[~counts.isin(NOBODY)]
    if len(coded) and len(rest) and coded.min() > 10 * rest.max():
        listed = ", ".join(map(str, sorted(set(coded))))
        yield (
            f"In the column {quoted(names['respondents'])} {len(coded)} of {len(counts)} surveys "
            f"have {listed} respondents, and the others {rest.max()} at most: a code for no answer?"
        )


def _repeated(frame: pd.DataFrame, names: Mapping[str, str]) -> Iterator[str]:
    """Surveys that repeat the one before, and scores of a month that all OUs share."""
    seen = frame[frame["survey"].notna()].sort_values(["ou", "month"])
    pairs = seen.groupby("ou")[["survey", "respondents"]]
    later = pairs.cumcount() > 0
    same = (seen[["survey", "respondents"]] == pairs.shift()).all(axis=1)
    if later.sum() >= FEWEST_SCORES and same.sum() > REPEATED * later.sum():
        yield (
            f"{same.sum()} of {len(seen)} surveys have the score and the respondents of the OU's "
            "survey before: has one survey been carried forward? Each counts as one of its own; "
            f"keep the month of the survey in {quoted(names['survey'])}, and empty the others."
        )
    months = seen.groupby("month")[["survey", "respondents"]].agg(["nunique", "size"])
    shared = months[("survey", "size")] > 2
    alike = (months[("survey", "nunique")] == 1) & (months[("respondents", "nunique")] == 1)
    if shared.sum() > 1 and alike[shared].all():
        yield (
            "In every month all OUs have the same score and as many respondents: is it one survey "
            "of all of them? It says nothing of how OUs differ."
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
