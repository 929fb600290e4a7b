"""Sentences of the findings: what the slopes amount to, and how far to trust them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from oulib.chapters.findings.analysis import OutsideBand, SpreadOfSlopes
from oulib.posterior.estimate import Update
from oulib.report.evidence import evidence_of_sign, mostly_prior, relevance
from oulib.report.sentences import asked_in_part
from oulib.report.text import count, interval, name, names, number, percent, probability


def under_each_model(table: pd.DataFrame, chosen: str | None) -> str:
    """How far the average slope depends on the model; from ``effects.by_model``."""
    found = table[table["sampled"]]
    if len(found) < 2:
        who = f"Only {name(found.index[0])} was" if len(found) else "No model was"
        return f"{who} sampled, so there is nothing to compare. {asked_in_part(table)}".rstrip()
    low, high = found["percent"].min(), found["percent"].max()
    text = (
        f"Over the {len(found)} models that were sampled, the average effect ranges "
        f"from {number(low, 1)}% to {number(high, 1)}%"
    )
    if chosen is None:
        return f"{text}. None of them holds the licence, so none of these figures is a conclusion."
    own = found.loc[chosen]
    outside = found.index[
        (found["percent"] < own["percent_q5"]) | (found["percent"] > own["percent_q95"])
    ]
    if len(outside) == 0:
        return f"{text}, all inside {name(chosen)}'s 90% interval."
    verb = "lies" if len(outside) == 1 else "lie"
    return f"{text}; {names(outside)} {verb} outside {name(chosen)}'s 90% interval."


def sign(positive: float, what: str) -> str:
    """How sure the sign of something is, from the probability that it is positive."""
    claim = evidence_of_sign(positive, f"that {what} is {{}}", what)
    return f"{claim} (probability of being positive: {probability(positive)})."


def average_effect(table: pd.DataFrame, points: float, relevant: float) -> str:
    """The population's effect of ``points`` more of the raw score, and whether it matters."""
    row = table.loc["(mean)"]
    text = (
        f"For the average unit, a survey score {number(points, 2)} points higher goes with "
        f"productivity {number(abs(row['percent']), 1)}% "
        f"{'higher' if row['percent'] > 0 else 'lower'} (90% interval "
        f"{interval(row['percent_q5'], row['percent_q95'], 1)}%). "
    )
    text += sign(float(row["prob_positive"]), "the average association")
    return f"{text} {relevance(float(row['prob_relevant']), number(relevant, 1))}"


def readings(found: pd.Series) -> str:
    """How many OUs have an effect that matters, by direction; from ``effects.readings``."""
    ous = found.drop(index="(mean)", errors="ignore")
    tally = ous.value_counts()

    def of(*kinds: str) -> int:
        return int(sum(tally.get(kind, 0) for kind in kinds))

    clear = (
        f"Of {count(len(ous), 'unit')}, {of('up')} read up and {of('down')} down: an effect that "
        "matters has that sign with a probability of 0.9 or more"
    )
    rest = (
        f"For {of('leaning up', 'leaning down')} only the sign is that sure, for "
        f"{of('too small to matter')} the effect is probably too small to matter, and "
        f"{of('open')} are open"
    )
    text = f"{clear}. {rest}."
    if of("up", "down") == 0:
        text += " There is little evidence of an effect that matters in any single unit."
    return text


def spread_of_slopes(found: SpreadOfSlopes) -> str:
    """Whether OUs differ in their slopes, against the population mean."""
    text = (
        f"From unit to unit the effect of {number(found.points, 2)} points varies with a standard "
        f"deviation of {number(found.percent.mean, 1)} percentage points (90% interval "
        f"{interval(found.percent.low, found.percent.high, 1)}); on the standardised scale, slopes "
        f"vary with one of {number(found.sd.mean)} ({interval(found.sd.low, found.sd.high)}). "
    )
    if found.ratio.low > 0.5:
        return text + "Units differ a good deal: the average is no guide to a single one."
    if found.ratio.high < 0.5:
        return text + (
            "That is small beside the average: what holds on average holds for most units."
        )
    return text + "Whether that is much beside the average cannot be said with confidence."


def correlation(found: Update, level: str) -> str:
    """Whether strong groups respond more: the correlation of intercept and slope."""
    after = found.after
    text = (
        f"Among {level} the correlation of intercept and slope is {number(after.mean)} "
        f"(90% interval {interval(after.low, after.high)}). "
    )
    text += sign(after.positive, "it")
    if mostly_prior(found.distance):
        text += " The posterior lies nearly where the prior does, so this is mostly the prior."
    return text


def sites(table: pd.DataFrame, points: float) -> str:
    """Which sites' effects of ``points`` more raw points can be told from another or from zero."""
    rows = table.drop(index="(mean)")
    clear = rows.index[(rows["percent_q5"] > 0) | (rows["percent_q95"] < 0)]
    top, bottom = rows["percent"].idxmax(), rows["percent"].idxmin()
    text = (
        f"The effect of {number(points, 2)} points on a site's units ranges from "
        f"{number(rows.loc[bottom, 'percent'], 1)}% in {name(bottom)} to "
        f"{number(rows.loc[top, 'percent'], 1)}% in {name(top)}"
    )
    overlap = rows.loc[bottom, "percent_q95"] > rows.loc[top, "percent_q5"]
    text += (
        "; even these two intervals overlap, so do not rely on the order of the sites. "
        if overlap
        else "; their intervals do not overlap. "
    )
    if len(clear) == 0:
        return text + "No site's interval is clear of zero."
    return text + f"The interval is clear of zero for {names(clear)}."


def survey_calibration(table: pd.DataFrame) -> str:
    """Whether predictive intervals of surveys hold what they promise, at every n."""
    off = table[
        (table["coverage"] < table["expected_low"]) | (table["coverage"] > table["expected_high"])
    ]
    text = (
        f"The intervals narrow from {number(table['width'].iloc[0])} at {table['n'].iloc[0]:.0f} "
        f"respondents to {number(table['width'].iloc[-1])} at {table['n'].iloc[-1]:.0f}. "
        if table["width"].iloc[-1] < table["width"].iloc[0]
        else "The intervals do not narrow as respondents increase: the noise of single answers "
        "must be a small part of what makes surveys differ. "
    )
    if off.empty:
        return text + (
            "In every group of surveys, small or large, about as many scores lie inside as should: "
            "the measurement model has the role of n right."
        )
    worst = off.iloc[(off["coverage"] - 0.9).abs().argmax()]
    side = "too few" if worst["coverage"] < worst["expected_low"] else "too many"
    return text + (
        f"Around {worst['n']:.0f} respondents {side} scores lie inside "
        f"({percent(worst['coverage'])} instead of 90%), so noise that falls as one over n is not "
        "the whole story."
    )


def by_ou(found: OutsideBand) -> str:
    """Whether OUs are as noisy as the model believes."""
    text = (
        f"For {found.outside} of {count(found.ous, 'unit')} the standard deviation of the outcome "
        "lies outside the 90% band of its replicates"
    )
    if found.chance < 0.01:
        return text + (
            ", more than chance would explain. Units differ in how noisy they are, and a model "
            "with one noise scale bends their slopes to fit that."
        )
    return text + ", about as many as should."


def chosen_ous(panel_names: Sequence[str], why: Sequence[str]) -> str:
    """Which OUs are shown and why."""
    return (
        "Shown are "
        + "; ".join(f"{name(ou)}, {reason}" for ou, reason in zip(panel_names, why, strict=True))
        + "."
    )
