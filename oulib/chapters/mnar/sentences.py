"""Sentences about who does not answer a planned survey, and what that does to the rest."""

from __future__ import annotations

import numpy as np
import pandas as pd

from oulib.chapters.mnar.analysis import (
    AllPlanned,
    Dependence,
    ResponseRate,
    Scores,
    StoriesApart,
    Twins,
)
from oulib.posterior.estimate import Replicated
from oulib.posterior.predict import Coverage
from oulib.report.evidence import evidence, mostly_prior
from oulib.report.text import count, interval, name, number, percent, probability


def depends(found: Dependence) -> str:
    """Whether answering depends on the score: rho_x, the probability of its sign, the odds."""
    rho, positive = found.rho, found.rho.positive
    claim = evidence(
        max(positive, 1 - positive),
        f"that units answer {'more' if positive >= 0.5 else 'less'} often where their score is "
        "high",
        "that nonresponse depends on the score",
    )
    text = (
        rf"The coefficient of the score, $\rho_x$, is {number(rho.mean)} (90% interval "
        f"{interval(rho.low, rho.high)}). {claim}: the probability of a positive coefficient is "
        f"{probability(positive)}. In an average unit and wave a survey is answered with "
        "probability "
        f"{probability(found.below)} where the score is one standard deviation below the "
        f"observed surveys' mean, and {probability(found.above)} where it is one above."
    )
    if found.truth is not None:
        text += f" Its true value is {number(found.truth)}."
    if mostly_prior(found.distance):
        text += " The posterior hardly differs from the prior: this is mostly the prior."
    return text


SAME = 0.1
"""Sds of the score within which two averages are said to hardly differ: all of the interval."""


def unanswered(without: Scores, within: Scores) -> str:
    """The scores of the planned surveys that nobody answered, without a response part and with."""
    one, other = without.average, within.average
    text = (
        f"In the {count(without.rows, 'planned row')} without an answer the score averages "
        f"{number(one.mean)} (90% interval {interval(one.low, one.high)}) if nonresponse is "
        f"ignored, and {number(other.mean)} ({interval(other.low, other.high)}) if it is "
        "modelled."
    )
    shift = other.mean - one.mean
    if max(abs(other.low - one.low), abs(other.high - one.high)) < SAME:
        text += " The response part hardly moves them."
    elif abs(shift) < SAME / 2:
        text += (
            " The response part leaves the average where it was, and changes how sure of it one "
            "may be."
        )
    else:
        text += (
            f" The response part moves them {'down' if shift < 0 else 'up'} by "
            f"{number(abs(shift))}."
        )
    if not np.isfinite(without.truth):
        return text
    return text + (
        f" The truth is {number(without.truth)}: the average is off by "
        f"{number(one.mean - without.truth)} if nonresponse is ignored, and by "
        f"{number(other.mean - within.truth)} if it is modelled. Row by row the root "
        f"mean squared error is {number(without.error)} and {number(within.error)}."
    )


def moved(table: pd.DataFrame, what: str) -> str:
    """Which parameters the response part moved, in posterior sds without it.

    ``table`` has the parameters as its index and ``mean`` and ``sd`` with the suffixes
    ``_without`` and ``_within``.
    """
    shift = (table["mean_within"] - table["mean_without"]) / table["sd_without"]
    worst = shift.abs().idxmax()
    text = (
        f"Of the {what}, {name(worst)} moves most when nonresponse is modelled, by "
        f"{number(float(shift[worst]))} posterior standard deviations"
    )
    if abs(shift[worst]) < 0.25:
        return text + ": ignoring it bends none of them much."
    if abs(shift[worst]) < 1:
        return text + ": less than its own uncertainty."
    return text + ": conclusions about it depend on whether nonresponse is modelled."


def errors(table: pd.DataFrame) -> str:
    """How far each of a few parameters is off the truth, without a response part and with it.

    ``table`` is that of :func:`moved` with a column ``truth``.
    """
    sentences = []
    for label, row in table.iterrows():
        off, off_1 = (row[f"mean_{k}"] - row["truth"] for k in ("without", "within"))
        sds, sds_1 = off / row["sd_without"], off_1 / row["sd_within"]
        sentences.append(
            f"{name(label)} is off by {number(off)} ({number(abs(sds), 1)} posterior standard "
            f"deviations) if nonresponse is ignored and by {number(off_1)} "
            f"({number(abs(sds_1), 1)}) if it is modelled."
        )
    return " ".join(sentences)


def same_fit(found: StoriesApart) -> str:
    """How far the two stories' densities of what was observed are apart."""
    text = (
        f"Over {count(found.rows, 'unanswered row')} and {count(found.draws, 'posterior draw')} "
        "the log densities of what was observed differ between the two stories by "
        f"{found.most:.0e} at most"
    )
    if found.most < 1e-8:
        return text + ": rounding, and nothing else."
    return text + ", which is more than rounding: the sum is too coarse."


def twins(found: Twins) -> str:
    """What the two stories say of the unanswered scores."""
    low, high = found.gap.low, found.gap.high
    text = (
        f"If the score itself keeps a row silent, the unanswered scores average "
        f"{number(found.mnar)}; if only what was observed does, {number(found.mar)}. The "
        f"difference is {number(found.gap.mean)} (90% interval {interval(low, high)})"
    )
    if max(abs(low), abs(high)) < SAME:
        text += f": within {number(SAME, 1)} of a standard deviation, so the two hardly differ."
    elif low <= 0 <= high:
        text += (
            ", which may be nothing or may not: the data leave the difference open, and no "
            "observation can decide between the two."
        )
    else:
        text += (
            ", and no observation can decide between the two: that is the price of an assumption."
        )
    if found.truth is not None:
        first = abs(found.mnar - found.truth) < abs(found.mar - found.truth)
        text += (
            f" The panel was simulated, so for once we know: the truth is "
            f"{number(found.truth)}, nearer to the {'first' if first else 'second'}."
        )
    return text


def all_planned(found: AllPlanned) -> str:
    """The mean score over all planned rows: those who answered alone, and under both stories."""
    parts = [
        f"{number(mean.mean)} ({interval(mean.low, mean.high)})"
        for mean in (found.answered, found.mnar, found.mar)
    ]
    return (
        f"The mean score of those who answered is {parts[0]}. That of all planned surveys, "
        f"answered or not ({percent(found.silent)} were not), is {parts[1]} under the first story "
        f"and {parts[2]} under the second."
    )


def response_rate(found: ResponseRate) -> str:
    """Whether the response rates of waves and of the whole are ordinary under the model."""
    fits = found.low <= found.rate <= found.high
    return (
        f"The response rate is {percent(found.rate)}, averaged over the waves; in the replicates "
        f"it is {percent(found.low)} to {percent(found.high)} nine times in ten, "
        f"{'as it should be' if fits else 'which does not agree with the data'}. "
        f"{found.inside} of {count(found.waves, 'wave')} "
        f"{'lies' if found.inside == 1 else 'lie'} inside the 90% band of "
        f"{'its' if found.waves == 1 else 'their'} replicates."
    )


def response_gap(found: Replicated) -> str:
    """Whether the replicates' answered rows do as much better than the unanswered ones."""
    if not found.known:
        return "Answered and unanswered rows cannot be compared on this panel."
    text = (
        f"Less its unit's and month's mean, the outcome of the answered rows exceeds that of the "
        f"unanswered ones by {number(found.observed, 3)} (difference of medians); in the "
        f"replicates by {interval(found.low, found.high, 3)} nine times in ten. "
    )
    if found.low <= found.observed <= found.high:
        return text + "What links response and outcome is ordinary under the model."
    return text + "The link between response and outcome surprises the model."


def outcome_coverage(found: Coverage) -> str:
    """Coverage of the outcomes' 90% predictive intervals, drawn without the rows' own surveys."""
    text = (
        f"The 90% predictive intervals of outcomes, made without the rows' own surveys, hold "
        f"{percent(found.share)} of them, and {percent(found.low)} to {percent(found.high)} of "
        "replicated ones: "
    )
    if found.share > found.high:
        return text + "more than that, as it may be for rows that the fit has seen."
    return text + ("too narrow." if found.share < found.low else "as many as should.")
