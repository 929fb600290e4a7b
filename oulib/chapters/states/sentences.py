"""Sentences about the panel of the US states: what was thinned, what the model says and predicts.

Where a function takes a table of forecasts it is that of ``missing.imputation_table``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from oulib.chapters.missing.analysis import RULES
from oulib.chapters.states.analysis import (
    BetweenStates,
    Departures,
    Lasting,
    Named,
    PathBetween,
    Rates,
    Scales,
    ScoreShare,
    SlopeOfStates,
)
from oulib.panel.munnell import Thinned
from oulib.report.evidence import PRIOR_SHARE, evidence, evidence_of_sign, surprise
from oulib.report.text import count, interval, name, names, number, percent, probability


def thinning(data: Thinned, rates: Rates) -> str:
    """What the panel is, and how many of its unemployment rates were taken away."""
    panel = data.panel
    planned = panel.scheduled_rows.size
    kept = panel.survey_rows.size
    return (
        f"The panel has {count(len(panel.ous), 'state')} in {len(panel.sites)} census divisions "
        f"and {count(len(panel.months), 'year')}, {panel.months[0][:4]} to {panel.months[-1][:4]}. "
        f"Its {rates.number:,} unemployment rates run from {number(rates.low, 1)}% to "
        f"{number(rates.high, 1)}% with a mean of {number(rates.mean, 1)}%. "
        f"Of them {planned:,} lie in years that were planned as waves, and of these "
        f"{planned - kept:,} were taken away at random: the model sees {kept:,} rates "
        f"({percent(kept / rates.number)}), and {data.hidden.size:,} are hidden from it."
    )


def named(found: Named) -> str:
    """Which states the first figure names, and why."""
    return (
        f"The figure names {name(found.lowest)} and {name(found.highest)}, where output per job is "
        f"lowest and highest on average, and of the others the state whose unemployment moved "
        f"most, {name(found.moved)}."
    )


def between_and_within(found: pd.Series) -> str:
    """Correlations of outcome and score between OUs and within them, ``munnell.correlations``."""
    between, within, less_years = found[["between", "within", "within, less years"]]
    text = (
        f"Over the states' means, output per job and unemployment have a correlation of "
        f"{number(between)}; from year to year within states {number(within)}, and "
        f"{number(less_years)} once what all states shared in a year is taken out as well. "
    )
    if np.abs([between, within, less_years]).max() < 0.1:
        return text + "None of the three is far from zero."
    if np.sign(between) != np.sign(less_years) and min(abs(between), abs(less_years)) > 0.1:
        return text + "Comparing states and following them give answers of different signs."
    if abs(abs(between) - abs(less_years)) > 0.2:
        return text + "Comparing states and following them give answers of different sizes."
    return text + "Comparing states and following them give answers that are much alike."


def within_states(found: SlopeOfStates) -> str:
    """The average slope within states, in per cent of output per job for a percentage point."""
    positive = found.positive
    claim = evidence_of_sign(positive, "that the association is {}", "the association")
    return (
        f"In a year in which unemployment stands one percentage point above what is expected of "
        f"the state and the year, output per job differs by {number(found.percent)}% in the "
        f"average state (90% interval {interval(found.low, found.high)}%). {claim} (probability "
        f"of a positive one {probability(positive)})."
    )


def between_states(found: BetweenStates) -> str:
    """The slope on the states' mean scores, and whether it is another one than that within."""
    slope, larger, positive = found.slope, found.larger, found.slope.positive
    claim = evidence_of_sign(positive, "that this association is {}", "this association")
    apart = evidence(max(larger, 1 - larger), "that the two slopes differ")
    text = (
        f"Between states, one point more of mean unemployment goes with "
        f"{number(slope.percent)}% (90% interval {interval(slope.low, slope.high)}%). "
        f"{claim} (probability of a positive one {probability(positive)}). {apart}: "
        f"that between states is the larger one with probability {probability(larger)}. "
    )
    if max(larger, 1 - larger) > 0.95:
        return text + "One slope for both would be a mixture and answer neither question."
    return (
        text
        + "That does not make them one: the interval between states rests on no more points than "
        + f"there are states, {found.states}."
    )


def departures(found: Departures) -> str:
    """How long a state's outcome stays away from what is expected of it."""
    phi, years = found.phi, found.years
    text = (
        f"A state's departures from its expected outcome have an autocorrelation of "
        f"{number(phi.mean)} from year to year (90% interval "
        f"{interval(phi.low, phi.high, 3)}) and make up {percent(found.share)} of the "
        "residual variance. "
    )
    half_life = float(np.log(0.5) / np.log(phi.mean))
    if half_life > years / 2:
        return text + (
            f"That is so close to 1 that in {years} years a departure hardly comes back: the years "
            "of a state are worth far fewer independent observations."
        )
    if phi.mean > 0.5:
        return text + f"Half of a departure is gone after {number(half_life, 1)} years."
    return text + "They do not last long."


def reliability(found: ScoreShare) -> str:
    """What share of a rate's variance within a state the model calls score, and who says so."""
    share = found.share
    text = (
        f"Within a state and around the common movement, the score makes up "
        f"{percent(share.mean)} of the variance of a rate (90% interval {percent(share.low)} to "
        f"{percent(share.high)}); the rest is error of the rate as published. "
    )
    tails = [percent(found.prior_low), percent(found.prior_high)]
    text += f"Its prior says {percent(0.5)} ({tails[0]} to {tails[1]}). "
    if found.sd > PRIOR_SHARE * found.prior_sd:
        return text + (
            "That is hardly wider: with one figure a year and no sample sizes the data show the "
            "sum of the two variances and not its parts."
        )
    return text + (
        "That is clearly wider. Rates of one figure a year show only the sum of the two variances, "
        "so the outcomes must have had something to say."
    )


def scales(found: Scales) -> str:
    """Which states and divisions are the unruliest."""
    (calm, least), (wild, most), ratio = found.calmest, found.wildest, found.ratio
    text = (
        f"Residual scales run from {number(least)} times that of a typical "
        f"state in {name(calm)} to {number(most)} times in {name(wild)}; the "
        f"ratio of the two is {number(ratio.mean, 1)} (90% interval "
        f"{interval(ratio.low, ratio.high, 1)}). "
    )
    for states, side in ((found.above, "above"), (found.below, "below")):
        if states:
            text += f"The 90% interval lies {side} 1 for {names(states, 4)}. "
    if not found.above and not found.below:
        text += "No state's interval leaves out 1. "
    (top, largest), (bottom, smallest) = found.largest, found.smallest
    return text + (
        f"By division the geometric mean is largest in {name(top)} "
        f"({number(largest)}) and smallest in {name(bottom)} "
        f"({number(smallest)})."
    )


def imputation(table: pd.DataFrame, model: str, where: str) -> str:
    """How the model's forecasts of hidden rates compare with the rules of thumb, in points."""
    own = table.loc[model]
    best = table.loc[table.index.isin(RULES), "crps"].idxmin()
    text = (
        f"{where}: of {count(int(own['rows']), 'hidden rate')} the model's 50% intervals hold "
        f"{percent(own['coverage_50'])} and its 90% intervals {percent(own['coverage_90'])}, and "
        f"its mean CRPS is {number(own['crps'], 3)} points. "
    )
    if own["coverage_90"] < 0.85:
        text += "Its intervals are too narrow: something that they leave out moves these rates. "
    for rule in RULES:
        lead, error = table.loc[rule, ["lead", "lead_se"]]
        amount = f"by {number(abs(lead), 3)} (standard error {number(error, 3)})"
        if abs(lead) <= 2 * error or not np.isfinite(error):
            what = f"the two tie: the difference of {amount[3:]} is within chance"
        else:
            what = f"the model is {'better' if lead > 0 else 'worse'} {amount}"
        best_one = ", the best rule of thumb here," if rule == best else ""
        text += (
            f"Against the {_RULE[rule]}{best_one} with {number(table.loc[rule, 'crps'], 3)} "
            f"and {percent(table.loc[rule, 'coverage_90'])} in its 90% intervals, {what}. "
        )
    other = table.loc[best]
    text += (
        f"The point forecasts of the {_RULE[best]} are off by {number(other['error'])} points "
        f"(root mean square) and those of the model by {number(own['error'])}. "
    )
    if other["coverage_50"] > own["coverage_50"] + 0.05:
        text += (
            f"The rule's 50% intervals hold {percent(other['coverage_50'])}: it knows more than it "
            "promises, and the CRPS charges for that."
        )
    return text.strip()


def movement(table: pd.DataFrame, other: str) -> str:
    """Whether the common movement in all years helps with years between surveys.

    ``table`` is against the model whose movement exists in survey years alone.
    """
    lead, error = -table.loc[other, "lead"], table.loc[other, "lead_se"]
    text = (
        f"In the years between waves, letting the common movement go on "
        f"{'raises' if lead < 0 else 'lowers'} the CRPS by {number(abs(lead), 3)} points (standard "
        f"error {number(error, 3)}): "
    )
    if lead > 2 * error:
        return text + "a path between known years is worth having, to predict rates."
    if lead < -2 * error:
        return text + "the path between known years misleads."
    return text + (
        "there is little evidence that it matters. Few years are hidden, and what one of them does "
        "to all states at once counts once."
    )


def path_between(found: PathBetween) -> str:
    """Whether waves some years apart settle the sign of the common movement's autocorrelation."""
    p, steps = found.positive, found.steps
    text = (
        f"The autocorrelation of the common movement from year to year is positive with "
        f"probability {probability(p)}. "
    )
    if max(p, 1 - p) > 0.95:
        return text + "So its sign is settled."
    if steps and all(step % 2 == 0 for step in steps):
        return text + (
            "Waves two years apart show its square, so a path that goes on and one that swings to "
            "and fro fit them equally well. The forecast of a year between is a mixture of the "
            "two, the line through the waves and its mirror image."
        )
    return text + "So its sign is open."


def lasting(found: Lasting) -> str:
    """Whether a state's departures in the score last."""
    one, other = found.correlation.observed, found.correlation.replicated
    text = (
        f"A state's departures at successive kept rates, {number(found.years, 1)} years "
        f"apart on average, have a correlation of {number(one.mean)} "
        f"(90% interval {interval(one.low, one.high)}); if they were drawn anew each year, as "
        f"the model has it, nine in ten correlations would range from "
        f"{interval(other.low, other.high)}. "
    )
    return text + surprise(
        found.correlation.as_high,
        "They last, and the model does not know it.",
        "They swing back, and the model does not know it.",
        "There is little evidence that they last.",
    )


def why(tables: Mapping[str, pd.DataFrame], rule: str, found: Lasting, blind: Sequence[str]) -> str:
    """Where the model loses to ``rule``, and why it may.

    ``blind`` are the places in ``tables`` where no state was seen in the hidden years.
    """
    lost = [
        where
        for where, table in tables.items()
        if table.loc[rule, "lead"] < -2 * table.loc[rule, "lead_se"]
    ]
    lasts = found.correlation.as_high < 0.025
    ignored = (
        "A state's departure lasts, as the check above says, and the rule reads it off the "
        "neighbouring rates, while the model draws it anew each year. "
        if lasts
        else "Lasting departures are no explanation, since the check above does not find any. "
    )
    if not lost:
        text = f"Nowhere does the model lose to the {_RULE[rule]} by more than chance allows. "
        return text + (
            "Departures last all the same, so a model that knew it would do better still."
            if lasts
            else "Departures do not last, so there is nothing more in them for it to use."
        )
    text = f"The model loses to the {_RULE[rule]} here: {names(lost)}. {ignored}"
    if set(lost) <= set(blind):
        return text + (
            "It gets away with that where other states show what the hidden year was like. Where "
            "none is seen the model has no common movement at all, and the rule at least has what "
            "lies between two known years."
        )
    return text + "Seeing other states in the hidden year does not make up for it."


def examples(chosen: Mapping[str, str]) -> str:
    """Which states are shown, and why each."""
    return "Shown are " + "; ".join(f"{name(ou)}, {reason}" for ou, reason in chosen.items()) + "."


_RULE = dict(
    zip(RULES, ("state's mean", "last value carried forward", "straight line in time"), strict=True)
)
