"""Sentences about what comes next: another survey, the next months, a new OU."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from oulib.chapters.next_survey.analysis import Design, Halving, Plan, Spent, Told
from oulib.chapters.next_survey.budget import Economy, Precision
from oulib.chapters.next_survey.forecast import NewOuWidths
from oulib.report.text import count, interval, name, number, percent, probability

FEW = 10
"""Fewer forecasts than this are not judged by."""
CLOSE = 0.15
"""Relative difference of two standard deviations that a plan can live with."""


def now(design: Design, share: float) -> str:
    """The design that the panel has, and the share of planned surveys answered."""
    return (
        f"As it is, a unit has {count(design.waves, 'wave')} planned over the panel's span, with "
        f"{_respondents(design.respondents)} in a unit of median size; {percent(share)} of the "
        "planned surveys are taken to be answered."
    )


def designs(plan: Plan) -> str:
    """What the refits found, and how far the closed form is from them."""
    table = plan.table
    best, worst = table.loc[table["sd"].idxmin()], table.loc[table["sd"].idxmax()]
    text = (
        f"Simulated and fitted, a design with {_design(worst)} leaves $\\mu_\\beta$ with a "
        f"posterior standard deviation of {number(worst['sd'], 3)}"
    )
    if len(table) > 1:
        text += f", and one with {_design(best)} leaves {number(best['sd'], 3)}"
    ratio = table["formula_sd"] / table["sd"]
    text += f". The closed form gives {interval(ratio.min(), ratio.max())} times as much"
    if (abs(ratio - 1) <= CLOSE).all():
        text += ": close enough to plan with."
    elif (ratio < 1 - CLOSE).any() and (ratio > 1 + CLOSE).any():
        text += ": it errs on both sides, so believe the refits."
    elif (ratio < 1 - CLOSE).any():
        text += ": it promises too much under some design, so believe the refits."
    else:
        text += ": it is too cautious under some design, so believe the refits."
    return text


def reliabilities(plan: Plan) -> str:
    """What more respondents do to the reliability of a survey."""
    table = plan.table.sort_values("respondents")
    low, high = table.iloc[0], table.iloc[-1]
    text = (
        f"With {_respondents(low['respondents'])} a survey's reliability is "
        f"{number(low['within'])} for changes within a unit and {number(low['reliability'])} over "
        "all"
    )
    if high["respondents"] == low["respondents"]:
        return text + "."
    return text + (
        f"; with {_respondents(high['respondents'])} it would be {number(high['within'])} and "
        f"{number(high['reliability'])}."
    )


def signs(plan: Plan, told: Told) -> str:
    """How surely the designs would tell the sign of the slope that was simulated."""
    table = plan.table
    text = f"The slope put in was {number(plan.slope, 3)}. "
    first, last = table.iloc[0], table.iloc[-1]
    text += (
        f"With {_design(first)} its posterior mean has the right sign with probability "
        f"{probability(first['formula_right'])}, and the posterior gives the right sign "
        f"{probability(first['formula_probability'])} on average, in closed form"
    )
    if len(table) > 1:
        text += (
            f"; with {_design(last)} it is {probability(last['formula_right'])} and "
            f"{probability(last['formula_probability'])}"
        )
    text += (
        f". Of all refits {percent(told.right)} have the sign right, and on average they give it "
        f"the probability {probability(told.probability)}."
    )
    top = table["formula_probability"].max()
    if top < 0.8:
        text += (
            " None of these designs would settle the sign of a slope of this size: ask first "
            "whether a slope so small matters."
        )
    elif top > 0.95:
        text += " A design among these would tell the sign of such a slope."
    else:
        text += " The best of these designs would hint at the sign, without certainty."
    return text


def halving(found: Halving) -> str:
    """Which design would halve the sd of the average slope, or that none does."""
    design = found.design
    text = (
        f"With {count(design.waves, 'wave')} and {_respondents(design.respondents)} the closed "
        f"form gives a standard deviation of {number(found.sd, 3)}. "
    )
    if found.waves is None:
        text += (
            "More waves of this size would not halve it: a wave in every month would leave "
            f"{percent(found.most_waves)} of it. "
        )
    else:
        text += f"{count(found.waves, 'wave').capitalize()} of this size would halve it. "
    if found.respondents is None:
        text += (
            "More respondents in the waves there are would not halve it: surveys without any noise "
            f"would leave {percent(found.most_respondents)} of it. "
        )
    else:
        text += (
            f"So would {_respondents(found.respondents)} a unit in the waves there are, "
            if found.waves is not None
            else f"{_respondents(found.respondents).capitalize()} a unit in the waves there are "
            "would, "
        )
        text += f"{number(found.respondents / design.respondents, 1)} times as many as now. "
    if found.everything > 0.5:
        text += (
            f"Both at once would leave {percent(found.everything)}: the rest is how units differ, "
            "which only more units average out."
        )
    elif found.waves is None and found.respondents is None:
        text += f"Only both together can, down to {percent(found.everything)} at the utmost."
    return text.strip()


def budget(given: Economy, found: Precision) -> str:
    """The panel's own design, from which a figure begins, and what it leaves unknown."""
    asked = given.waves * given.respondents * given.units
    return (
        "{numref}`fig-budget` begins with the panel's own design: "
        f"{count(given.waves, 'wave')} of {_respondents(given.respondents)} in "
        f"{count(given.units, 'unit')}, {number(asked, 0)} questionnaires in all. It leaves the "
        f"average slope with a standard deviation of {number(found.average, 3)} and a unit's own "
        f"with {number(found.unit, 3)}. The floor under the former, because units differ, is "
        f"{number(found.floor, 3)}; the reliability of a survey within its unit is "
        f"{number(found.reliability)}."
    )


def reused(found: Spent) -> str:
    """How often the refits' model was compiled, and what that took."""
    text = (
        f"{count(found.refits, 'panel')} were simulated and fitted, sampling "
        f"{number(found.sampling, 1)} seconds each. "
    )
    if found.refits < 2 or found.most_of_all < 2:
        return text.strip()
    times = "once" if found.compiled == 1 else f"{found.compiled} times"
    text += f"The model was compiled {times}, in {number(found.compiling, 1)} seconds"
    if found.compiled == found.refits:
        return text + " each."
    return text + f"; otherwise setting it up took {number(found.most, 1)} seconds at most."


# --- forecasts


def calibrated(label: str, coverage: pd.DataFrame, what: str) -> str:
    """Whether forecasts held as much as they should, from ``forecast.coverage``.

    ``coverage`` is indexed by probability; ``what`` are the things that were forecast.
    """
    total = int(coverage["values"].iloc[0])
    if total < FEW:
        return f"{name(label)}: too few to judge by ({count(total, 'forecast')} of {what})."
    parts, off = [], []
    for prob, row in coverage.iterrows():
        parts.append(
            f"{percent(row['coverage'])} inside their {percent(prob)} intervals "
            f"({percent(row['expected_low'])} to {percent(row['expected_high'])} expected)"
        )
        if row["coverage"] < row["expected_low"]:
            off.append("too narrow")
        elif row["coverage"] > row["expected_high"]:
            off.append("wider than they need be")
    text = f"{name(label)}: of {total:,} {what}, {' and '.join(parts)}. "
    if not off:
        return text + "The forecasts are calibrated as far as these can tell."
    if len(set(off)) > 1:
        return text + "The forecasts are not calibrated: their shape is wrong."
    return text + f"The forecasts are not calibrated: they are {off[0]}."


def against_naive(label: str, table: pd.DataFrame) -> str:
    """Whether the model beats the last value carried forward, from ``forecast.against_naive``."""
    if table.empty or not np.isfinite(table.loc[0, "gain"]):
        return f"{name(label)}: there is no last value to compare with."
    row = table.loc[0]
    amount = (
        f"a CRPS of {number(row['crps'], 3)} against {number(row['naive'], 3)} "
        f"(difference {number(row['gain'], 3)}, standard error over units "
        f"{number(row['gain_se'], 3)})"
    )
    months = (
        f"The model is better in {int(row['better'])} of "
        f"{count(int(row['months']), 'forecast')} of a month. "
    )
    intervals = (
        f"The 90% intervals hold {percent(row['coverage'])} of the outcomes, those of the naive "
        f"forecast {percent(row['naive_coverage'])}."
    )
    clear = np.isfinite(row["gain_se"]) and abs(row["gain"]) > 2 * row["gain_se"]
    if clear and row["gain"] > 0 and 2 * row["better"] > row["months"]:
        head = f"{name(label)} beats the last value carried forward: {amount}. "
    elif clear and row["gain"] < 0:
        head = f"{name(label)} does not beat the last value carried forward, it loses: {amount}. "
    else:
        head = f"{name(label)} does not beat the last value carried forward: {amount}. "
    return head + months + intervals


def steps_ahead(label: str, table: pd.DataFrame) -> str:
    """Whether forecasts get worse with distance, from ``forecast.against_naive``."""
    ahead = table.drop(index=0)
    if len(ahead) < 2:
        return f"{name(label)}: there is one step ahead only."
    first, last = ahead.iloc[0], ahead.iloc[-1]
    text = (
        f"{name(label)}: from one step ahead to {int(last.name)} the model's CRPS goes from "
        f"{number(first['crps'], 3)} to {number(last['crps'], 3)}, the naive forecast's from "
        f"{number(first['naive'], 3)} to {number(last['naive'], 3)}"
    )
    if last["gain"] > first["gain"]:
        return text + "; the model's advantage grows with distance, or its handicap shrinks."
    return text + "; the model does not gain with distance."


def new_ou_width(label: str, found: NewOuWidths) -> str:
    """How wide a new OU's interval is against that of an OU with history."""
    parts = [
        f"{number(width / found.own, 1)} times as wide for {_site(place)}"
        for place, width in found.new.items()
    ]
    text = (
        f"{name(label)}: in {found.month} the median unit with a history has a 90% interval of "
        f"log productivity {number(found.own)} standard deviations wide; that of a new unit is "
        f"{_and(parts)}."
    )
    if min(found.new.values()) / found.own < 1.1:
        text += (
            " For the next month a history is worth next to nothing here: the units are alike, or "
            "their past does not last."
        )
    if len(parts) > 1:
        if found.known < 0.95 * found.unknown:
            text += " Knowing the site narrows it."
        else:
            text += " Knowing the site hardly narrows it."
    return text


def no_sites(label: str) -> str:
    """That a model without a site level has one kind of new OU."""
    return (
        f"{name(label)} has no site level: to it a new unit of a known site is like one of an "
        "unknown site."
    )


def _site(label: object) -> str:
    return "an unknown site" if label == "unknown site" else f"a known site ({name(label)})"


def _respondents(n: float) -> str:
    shown = max(round(n), 1)
    return count(shown, "respondent")


def _design(row: pd.Series) -> str:
    return f"{count(int(row['waves']), 'wave')} of {_respondents(row['respondents'])}"


def _and(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
