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
    text = (
        f"Over {len(found)} models that were sampled the "
        f"average effect runs from {number(found['percent'].min(), 1)}% to "
        f"{number(found['percent'].max(), 1)}%"
    )
    if chosen is None:
        return f"{text}; none of them holds the licence, so none of these figures is a conclusion."
    own = found.loc[chosen]
    outside = found.index[
        (found["percent"] < own["percent_q5"]) | (found["percent"] > own["percent_q95"])
    ]
    if len(outside) == 0:
        return f"{text}, all inside the 90% interval of {name(chosen)}."
    verb = "lies" if len(outside) == 1 else "lie"
    return f"{text}; {names(outside)} {verb} outside the 90% interval of {name(chosen)}."


def sign(positive: float, what: str) -> str:
    """How sure the sign of something is, from the probability that it is positive."""
    claim = evidence_of_sign(positive, f"that {what} is {{}}", what)
    return f"{claim} (probability of a positive one {probability(positive)})."


def average_effect(table: pd.DataFrame, points: float, relevant: float) -> str:
    """The population's effect of ``points`` more of the raw score, and whether it matters."""
    row = table.loc["(mean)"]
    text = (
        f"For the average unit, {number(points, 2)} more points of the survey score go with a "
        "change "
        f"of productivity of {number(row['percent'], 1)}% (90% interval "
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
        f"Of {count(len(ous), 'unit')}, {of('up')} have a positive effect that matters with "
        f"probability 0.9 or more, and {of('down')} a negative one"
    )
    rest = (
        f"for {of('leaning up', 'leaning down')} only the sign is that sure, for "
        f"{of('too small to matter')} the effect is probably too small to matter, and "
        f"{of('open')} are open"
    )
    text = f"{clear}; {rest}."
    if of("up", "down") == 0:
        text += " There is little evidence of an effect that matters in any single unit."
    return text


def spread_of_slopes(found: SpreadOfSlopes) -> str:
    """Whether OUs differ in their slopes, against the population mean."""
    text = (
        f"The slopes of this panel's units have a standard deviation of {number(found.sd.mean)} "
        f"(90% interval {interval(found.sd.low, found.sd.high)}). "
    )
    if found.ratio.low > 0.5:
        return text + "Units differ a good deal: the average is no guide to a single one."
    if found.ratio.high < 0.5:
        return text + (
            "That is small beside the average: what holds on average holds for most units."
        )
    return text + "How much that is beside the average cannot be said with confidence."


def correlation(found: Update, level: str) -> str:
    """Whether strong groups respond more: the correlation of intercept and slope."""
    after = found.after
    text = (
        f"Among {level} the correlation of intercept and slope is {number(after.mean)} "
        f"(90% interval {interval(after.low, after.high)}). "
    )
    text += sign(after.positive, "it")
    if mostly_prior(found.distance):
        text += " The draws lie nearly where the prior has them, so this is mostly the prior."
    return text


def sites(table: pd.DataFrame) -> str:
    """Which sites' mean slopes can be told from the population's or from zero."""
    rows = table.drop(index="(mean)")
    clear = rows.index[(rows["beta_q5"] > 0) | (rows["beta_q95"] < 0)]
    top, bottom = rows["beta"].idxmax(), rows["beta"].idxmin()
    text = (
        f"The mean slope of a site's units runs from {number(rows.loc[bottom, 'beta'])} in "
        f"{name(bottom)} to {number(rows.loc[top, 'beta'])} in {name(top)}"
    )
    overlap = rows.loc[bottom, "beta_q95"] > rows.loc[top, "beta_q5"]
    text += (
        "; even these two intervals overlap, so the order of the sites is not to be relied on. "
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
        else "The intervals do not narrow as respondents increase, so the surveys' own noise is a "
        "small part of what they do not agree on. "
    )
    if off.empty:
        return text + (
            "In every group of surveys by size about as many scores lie inside as should: the "
            "measurement model has the role of n right."
        )
    worst = off.iloc[(off["coverage"] - 0.9).abs().argmax()]
    side = "too few" if worst["coverage"] < worst["expected_low"] else "too many"
    return text + (
        f"Around {worst['n']:.0f} respondents {side} scores lie inside "
        f"({percent(worst['coverage'])} where 90% should), so noise that falls as one over n "
        "is not the whole story."
    )


def by_ou(found: OutsideBand) -> str:
    """Whether OUs are as noisy as the model believes."""
    text = (
        f"For {found.outside} of {count(found.ous, 'unit')} the standard deviation of the outcome "
        "lies outside the 90% band of its replicates"
    )
    if found.chance < 0.01:
        return text + (
            ", more than chance explains: units differ in how noisy they are, and a model with one "
            "noise scale bends their slopes to say so."
        )
    return text + ", about as many as should."


def chosen_ous(panel_names: Sequence[str], why: Sequence[str]) -> str:
    """Which OUs are shown and why."""
    return (
        "Shown are "
        + "; ".join(f"{name(ou)}, {reason}" for ou, reason in zip(panel_names, why, strict=True))
        + "."
    )
