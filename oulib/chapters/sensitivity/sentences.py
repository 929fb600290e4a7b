"""Sentences about what a conclusion hangs on that the data cannot check."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from oulib.chapters.sensitivity.analysis import (
    CALIBRATED,
    COMPLETE,
    LAST,
    LATENT,
    OU_MEAN,
    SURE,
    TRUE,
    Span,
    Tipping,
)
from oulib.chapters.sensitivity.silence import Compared, Shifts
from oulib.posterior.checks import Verdict
from oulib.posterior.estimate import Estimate
from oulib.report.evidence import PRIOR_MOVE, evidence, evidence_of_sign
from oulib.report.text import count, interval, name, names, number, percent, probability


def questioned(model: str | None, above: Sequence[Verdict]) -> str:
    """Which model is questioned, and which ones could not be; None where none passed."""
    failed = [verdict.model for verdict in above if not verdict.inapplicable]
    other = [verdict.model for verdict in above if verdict.inapplicable]
    text = ""
    if model is None:
        text += "No model passed its checks on this panel, so there is nothing to question."
    else:
        text += f"The model in question is {name(model)}."
    if failed:
        verb = "fails its" if len(failed) == 1 else "fail their"
        text += f" {names(failed)} {verb} checks on this panel."
    if other:
        text += f" {names(other)} {'does' if len(other) == 1 else 'do'} not apply to it."
    return text


def no_response(model: str, *, schedule: bool) -> str:
    """Why the slope of a response part cannot be varied."""
    if not schedule:
        return (
            "The panel does not say which surveys were planned. Nobody knows who did not answer, "
            "so what hangs on their reasons cannot be asked."
        )
    return (
        f"The model {name(model)} has no response part, so there is no $\\rho_x$ to vary. "
        "The shift below asks the same question in another way."
    )


def no_shift(planned: int, unanswered: int, *, schedule: bool) -> str:
    """Why the scores behind unanswered surveys cannot be shifted."""
    if not schedule:
        return "Without a column of planned surveys no row is known to be an unanswered one."
    return (
        f"Of {count(planned, 'planned survey')} {count(unanswered, 'was', 'were')} not answered: "
        "there is nothing to shift."
    )


def silent(planned: int, unanswered: int, found: Compared) -> str:
    """How many rows a shift moves, and what is known of them."""
    text = (
        f"Of {count(planned, 'planned survey')} {count(unanswered, 'was', 'were')} not answered. "
    )
    if not found.possible:
        return text + (
            "Whole units or whole months are silent, so there is no answered month to compare them "
            "with, and a shift changes nothing within units and months."
        )
    outcome, score = found.outcome, found.score
    differ = evidence_of_sign(outcome.positive, "that the difference is {}", "the difference")
    text += (
        f"Within units and months, outcomes of silent months lie {number(abs(outcome.mean))} "
        f"standard deviations {'above' if outcome.mean > 0 else 'below'} those of answered ones "
        f"(90% interval of the difference {interval(outcome.low, outcome.high)}). {differ}. "
        "That much is in the data. "
    )
    return text + (
        f"From it the model infers that silent scores lie {number(abs(score))} standard deviations "
        f"{'above' if score > 0 else 'below'} the others, if all else is as it assumes. A shift is "
        "added to that and is not in the data: whatever it is, what was observed is as probable as "
        "before."
    )


def sliding(given: Shifts) -> str:
    """How many months of either kind a figure has, and which it is."""
    answered, quiet = given.months
    return (
        f"{{numref}}`fig-shifted-scores` has {count(quiet, 'silent month')} beside "
        f"{count(answered, 'answered one')}, or an even selection of them where "
        "there are many."
    )


def support(table: pd.DataFrame, what: str) -> str:
    """What the data say of each value, from ``sensitivity.given_value``; ``what`` is Markdown."""
    best, least = (
        number(float(v), 1) for v in (table["support"].idxmax(), table["support"].idxmin())
    )
    share = float(table["support"].min())
    text = f"Of these values the data are most probable at {what} = {best}, and at {least} "
    if share > 0.05:
        return text + f"{number(1 / share, 1)} times less so: they hardly speak of it."
    less = "less than a hundredth as probable"  # two normal tails tell how far out, and no more
    if share > 0.01:
        less = f"{number(1 / share, 0)} times less so"
    return text + (
        f"{less}. They say so by way of the shapes that the model assumes for scores and outcomes, "
        "and cannot show these to be right where nobody answered."
    )


def tipping(point: Tipping, table: pd.DataFrame, what: str) -> str:
    """Where the sign of the mean slope is lost as ``what`` moves away from its reference.

    ``table`` is that of :func:`analysis.over_grid`; ``what`` is Markdown.
    """
    first, last = table.iloc[0], table.iloc[-1]
    text = (
        f"With {what} = {number(point.low, 1)}, a typical move of the score goes with a change of "
        f"{number(first['percent'], 1)}% in productivity, and with {what} = "
        f"{number(point.high, 1)} with one of {number(last['percent'], 1)}%; the mean slope is "
        f"{number(first['mean'], 3)} (90% interval {interval(first['q5'], first['q95'])}) and "
        f"{number(last['mean'], 3)} ({interval(last['q5'], last['q95'])}). "
    )
    sign = "positive" if point.positive else "negative"
    if not point.known:
        return text + (
            f"At {number(point.reference, 0)} the probability of a {sign} slope is "
            f"{probability(point.prob)}, less than {point.sure:.1f}: there is no sign to lose."
        )
    if point.at is None:
        return text + (
            f"Nowhere in this range does the probability of a {sign} slope fall below "
            f"{point.sure:.1f}; it is lowest, {probability(point.least)}, at "
            f"{number(point.where, 1)}."
        )
    return text + (
        f"The probability of a {sign} slope falls below {point.sure:.1f} at {what} = "
        f"{number(point.at, 2)}: that is the tipping point."
    )


def span(found: Span) -> str:
    """How far the mean slope moves over a grid, against its own uncertainty."""
    share = found.sds
    text = (
        f"Over the grid the mean slope moves by {number(found.moved, 3)}, {number(share, 1)} of "
        "its posterior standard deviations: "
    )
    if share < 0.25:
        return text + "what cannot be checked here hardly matters for it."
    if share < 1:
        return text + "less than the data leave open in any case."
    return text + "more than the data leave open. The assumption is part of the conclusion."


def foreseen(table: pd.DataFrame, refits: pd.DataFrame) -> str:
    """How far refits are from what the posterior foresaw at the same values."""
    both = refits.index.intersection(table.index)
    if both.empty:
        return "No value was refitted."
    gap = (refits.loc[both, "mean"] - table.loc[both, "mean"]) / refits.loc[both, "sd"]
    worst = gap.abs().idxmax()
    text = (
        f"Fitted at {names([number(v, 1) for v in both])}, the mean slope differs from what the "
        f"one posterior foresaw by at most {number(abs(float(gap[worst])), 2)} posterior standard "
        "deviations: "
    )
    if abs(gap[worst]) < 0.25:
        return text + "the line without refits may be trusted."
    return text + "where the two differ, the refit counts."


def uncertain(table: pd.DataFrame) -> str:
    """Which of the parameters in doubt are mostly the prior, from ``sensitivity.uncertain``."""
    led = table.index[table["distance"] < PRIOR_MOVE]
    told = table.index[table["distance"] >= PRIOR_MOVE]
    if not len(led):
        return (
            "None of these is mostly the prior. The closest to its prior is "
            f"{name(table['distance'].idxmin())}, {number(float(table['distance'].min()))} of the "
            "prior's standard deviations away."
        )
    verb = "is" if len(led) == 1 else "are"
    text = f"{names(led, 8)} {verb} mostly the prior. "
    if len(told):
        text += f"The data speak of {names(told, 8)}."
    else:
        text += "The data speak of none of these."
    return text.strip()


def prior_power(table: pd.DataFrame, threshold: float) -> str:
    """Whether the mean slope follows the power of the priors, from ``priors.sensitivity``."""
    row = table.loc["mu_beta"]
    text = (
        f"The sensitivity of the mean slope to all priors together is "
        f"{number(float(row['prior']), 3)}"
    )
    if row["prior"] < threshold:
        return text + (
            f", below {number(threshold)}: the mean slope does not hang on what is mostly the "
            "prior."
        )
    return text + (
        f", not below {number(threshold)}: if the priors were twice as strong, its mean would move "
        f"by {number(float(row['prior_shift']))} posterior standard deviations, to first order."
    )


def forms(table: pd.DataFrame, points: float) -> str:
    """Whether the slope differs within and between OUs, from ``sensitivity.forms``."""

    def said(label: str) -> str:
        row = table.loc[label]
        ends = interval(row["percent_q5"], row["percent_q95"], 1)
        return f"{number(row['percent'], 1)}% ({ends}%)"

    text = (
        f"With one slope for all differences of the score, a score {number(points, 2)} points "
        f"higher goes with a change of {said('total')} in productivity. Within units the change is "
        f"{said('within')}, between them {said('between')}. "
    )
    row = table.loc["between less within"]
    positive = float(row["positive"])
    better = "better" if positive >= 0.5 else "worse"
    claim = evidence(
        max(positive, 1 - positive),
        f"that units with higher scores do {better} than movements within units suggest",
        "that the two differ",
    )
    text += (
        f"Their difference, as a slope, is {number(row['mean'], 3)} "
        f"({interval(row['q5'], row['q95'])}). "
        f"{claim}: the probability is {probability(max(positive, 1 - positive))}. "
    )
    lies = table.loc["within", "q5"] <= table.loc["total", "mean"] <= table.loc["within", "q95"]
    if lies:
        return text + "The one slope lies inside the interval of the slope within units."
    return text + (
        "The one slope lies outside the interval of the slope within units: it does not describe "
        "what happens within a unit."
    )


def placebo(before: pd.Series, after: pd.Series, share: float, surveys: int) -> str:
    """Whether the slope within OUs vanishes when surveys are moved; ``share`` is expected.

    ``before`` and ``after`` are of ``sensitivity.standing``, ``share`` of
    ``sensitivity.remainder``.
    """
    expected = share * before["mean"]
    text = (
        f"With its {count(surveys, 'survey')} moved, the slope within units is "
        f"{number(after['mean'], 3)} ({interval(after['q5'], after['q95'])}), where it was "
        f"{number(before['mean'], 3)}. "
    )
    if not np.isfinite(share):
        return text + "No unit has two surveys, so nothing could be moved."
    text += (
        f"If all of that slope comes from the months of the surveys, {number(expected, 3)} should "
        "be left. "
    )
    if share < -0.4:
        return text + (
            "Units have so few surveys that moving them reverses the slope instead of removing it: "
            "the placebo says little here."
        )
    if not after["q5"] <= expected <= after["q95"]:
        return text + (
            "What is left differs from that. It does not come from the months in which surveys "
            "were taken, and the slope owes something to it."
        )
    if after["q5"] <= before["mean"] <= after["q95"]:
        return text + (
            "That is inside the interval, and so is the slope before: the placebo cannot tell the "
            "two apart."
        )
    return text + "That is inside the interval, and the slope before is not: the placebo is passed."


def estimators(table: pd.DataFrame, attenuation: float | Estimate) -> str:
    """What each estimator makes of the slope, from ``sensitivity.estimates``.

    ``attenuation`` is the share that noise is expected to leave, as known as the noise is.
    """
    if isinstance(attenuation, Estimate):
        left = f"{number(attenuation.mean)} ({interval(attenuation.low, attenuation.high)})"
    else:
        left = number(attenuation)
    raw, fixed = table.loc[COMPLETE], table.loc[CALIBRATED]
    text = (
        f"A regression on the {count(int(raw['rows']), 'survey')} as they are finds "
        f"{number(raw['mean'], 3)} (standard error {number(raw['se'], 3)}), and on calibrated "
        f"scores {number(fixed['mean'], 3)} ({number(fixed['se'], 3)}). "
    )
    if abs(fixed["mean"]) > 2 * fixed["se"]:
        text += f"The first is {number(raw['mean'] / fixed['mean'])} of the second; "
    else:
        text += "Neither can be told apart from zero, so their ratio says little; "
    text += f"the reliability of the surveys lets one expect {left}. "
    if TRUE in table.index:
        text += (
            f"On the true scores of the same rows, the regression finds "
            f"{number(table.loc[TRUE, 'mean'], 3)}. "
        )
    text += (
        f"Unit means carried to all months give {number(table.loc[OU_MEAN, 'mean'], 3)} "
        f"({number(table.loc[OU_MEAN, 'se'], 3)}), last surveys carried forward "
        f"{number(table.loc[LAST, 'mean'], 3)} ({number(table.loc[LAST, 'se'], 3)}). "
    )
    if LATENT in table.index:
        own = table.loc[LATENT]
        gap = abs(own["mean"] - fixed["mean"])
        both = float(np.hypot(own["se"], fixed["se"]))
        text += (
            f"The latent model's mean slope is {number(own['mean'], 3)} (posterior standard "
            f"deviation {number(own['se'], 3)}), "
        )
        text += (
            "which agrees with the calibrated regression."
            if gap < both
            else "which differs from the calibrated regression: the two ask different questions."
        )
    return text.strip()


def recovered(table: pd.DataFrame) -> str:
    """How attenuation follows the number of respondents, by ``attenuation_by_respondents``."""
    first, last = table.iloc[0], table.iloc[-1]
    off = (table["naive"] - table["expected"]).abs().max()
    return (
        f"With {number(float(table.index[0]), 0)} respondents, the surveys leave "
        f"{percent(first['naive'])} of the slope; with {number(float(table.index[-1]), 0)}, "
        f"{percent(last['naive'])}. The reliability predicts these shares to within {number(off)}. "
        f"Calibration brings them to between {percent(float(table['calibrated'].min()))} and "
        f"{percent(float(table['calibrated'].max()))}."
    )


def conclusion(table: pd.DataFrame, model: str) -> str:
    """What the sign of the mean slope hangs on: the whole chapter in a few sentences.

    ``table`` has a row for every variant that may be said, the first being the model as it is,
    and the columns of ``sensitivity.standing``.
    """
    first = table.iloc[0]
    positive = float(first["positive"])
    claim = evidence_of_sign(positive, "that the mean slope is {}", "the mean slope")
    text = f"By the model {name(model)} as it is, {claim[0].lower()}{claim[1:]}. "
    effect = (
        f"A typical move of the score goes with a change of "
        f"{number(float(first['percent']), 1)}% in productivity. "
    )
    text = effect + text
    others = table.iloc[1:]
    if others.empty:
        return text + "Nothing could be varied on this panel."
    prob = others["positive"] if positive >= 0.5 else 1 - others["positive"]
    if max(positive, 1 - positive) < SURE:
        known = others[np.maximum(others["positive"], 1 - others["positive"]) >= SURE]
        return text + (
            f"Of {count(len(others), 'variant')}, {len(known)} would know a sign. A sign that is "
            "known only under a variant belongs to that variant."
        )
    lost = list(prob.index[prob < SURE])
    if not lost:
        return text + (
            f"Under each of the {count(len(others), 'variant')} of this chapter that sign has a "
            f"probability of at least {SURE:.1f}; the lowest is {probability(float(prob.min()))}, "
            f"under {name(prob.idxmin())}."
        )
    return text + (
        f"Of {count(len(others), 'variant')}, {len(lost)} "
        f"{'does' if len(lost) == 1 else 'do'} not keep that sign with a probability of "
        f"{SURE:.1f}: {names(lost)}. What is said of the slope supposes that "
        f"{'this is' if len(lost) == 1 else 'these are'} not how things are."
    )
