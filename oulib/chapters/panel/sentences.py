"""Sentences about a panel before any model."""

from __future__ import annotations

import numpy as np
import pandas as pd

from oulib.panel.describe import Overview, Tails
from oulib.panel.regression import Slope, ThreeSlopes
from oulib.report.text import count, interval, number, percent


def size(o: Overview) -> str:
    """How large the panel is, and how complete."""
    text = (
        f"The panel follows {count(o.ous, 'unit')} in {count(o.sites, 'site')} over "
        f"{count(o.months, 'period')}: {count(o.rows, 'row')}"
    )
    if o.rows == o.cells:
        return text + ", one for every unit and period, with no gaps."
    return text + (
        f" of {o.cells:,} possible ones, so {percent(1 - o.rows / o.cells)} of the grid has no row."
    )


def surveys(o: Overview) -> str:
    """How often a survey was seen, and how large it was."""
    low, high = o.waves_per_ou
    waves = f"{low}" if low == high else f"{low} to {high}"
    text = (
        f"A survey score is observed in {count(o.surveys, 'row')}, {percent(o.surveys / o.rows)} "
        f"of all; a unit has {waves} of them. Each score is the mean of {o.respondents[0]:,} to "
        f"{o.respondents[2]:,} answers, {o.respondents[1]:,} in the median."
    )
    if o.ous_without_survey:
        text += (
            f" {count(o.ous_without_survey, 'unit')} never had one, and everything about "
            "their score will come from the hierarchy and from their outcomes."
        )
    return text


def schedule(o: Overview) -> str:
    """What was planned and what was answered, or that the file does not say."""
    if o.scheduled is None or o.answered is None:
        return (
            "The file has no column `scheduled`, so which months were planned waves is not known, "
            "and guessing it from what was observed would be circular. Nothing can be said here "
            "about who did not answer."
        )
    text = (
        f"A survey was planned in {count(o.scheduled, 'row')} and observed in {o.answered:,} of "
        f"them, {percent(o.answered / o.scheduled) if o.scheduled else 'none'}."
    )
    if o.unscheduled_surveys:
        text += (
            f" {count(o.unscheduled_surveys, 'survey')} came outside the schedule: they inform the "
            "measurement model, and say nothing about response."
        )
    return text


def tails(t: Tails) -> str:
    """Whether the outcome has more outliers than a normal distribution."""
    text = (
        f"Beyond three robust standard deviations lie {count(t.beyond, 'residual')} of {t.rows:,}, "
        f"where a normal distribution would put about {number(t.expected, 0)}. "
    )
    if t.heavy:
        return text + "The tails are heavier than normal, which the baseline cannot express."
    return text + "That is no clear sign of tails heavier than normal."


def persistence(autocorrelation: float) -> str:
    """Whether a month resembles the month before."""
    if not np.isfinite(autocorrelation):
        return "There are too few consecutive months to say whether they resemble each other."
    text = f"The months' mean outcomes have a lag-one autocorrelation of {number(autocorrelation)}"
    if autocorrelation > 0.4:
        return text + ": a month resembles the one before, which independent months ignore."
    if autocorrelation < -0.4:
        return text + ": months alternate, which independent months ignore."
    return text + ", so consecutive months are not clearly alike."


def sites(share: float) -> str:
    """How much of the difference between OUs lies between sites."""
    if not np.isfinite(share):
        return "The panel has too few units a site to tell sites from units."
    text = f"About {percent(share)} of the variance between units' mean outcomes lies between sites"
    if share > 0.15:
        return text + ", so units of one site are alike beyond chance."
    return text + ", little enough that sites may not matter here."


def response(table: pd.DataFrame) -> str:
    """Whether planned surveys were answered more often in good months than in bad ones."""
    if len(table) < 2:
        return "Without a schedule, or with too few planned rows, response cannot be compared."
    if (table["rate"] == 1).all():
        return "Every planned survey was answered: there is no nonresponse to explain."
    first, last = table.iloc[0], table.iloc[-1]
    text = (
        f"In the lowest group {percent(first['rate'])} of the planned surveys were answered, in "
        f"the highest {percent(last['rate'])}. "
    )
    if first["q95"] < last["q5"] or last["q95"] < first["q5"]:
        how = "well" if first["rate"] < last["rate"] else "badly"
        return text + (
            f"The intervals do not overlap: units answer more readily when they do {how}, so the "
            "missing scores may differ from those that are seen."
        )
    return text + (
        "The intervals overlap. That does not make nonresponse harmless: it may still "
        "depend on the score itself, which is what is missing."
    )


def _slope(found: Slope) -> str:
    """One slope with its interval, or why there is none."""
    if not np.isfinite(found.value):
        return "not defined, because the score does not move there"
    if not np.isfinite(found.se):
        return f"{number(found.value)}, with too few units to judge it by"
    return f"{number(found.value)} ({interval(*found.interval())})"


def three_slopes(found: ThreeSlopes) -> str:
    """The slopes over all months, within units and between them, and whether the last two agree."""
    text = (
        f"Over all months with a survey the slope is {_slope(found.pooled)}; within units it is "
        f"{_slope(found.within)}, and between units {_slope(found.between)}; intervals are 90%. "
    )
    if not np.isfinite(found.apart):
        return text
    apart = f"{number(abs(found.apart), 1)} standard errors of their difference"
    if abs(found.apart) > 2:
        return text + (
            f"The last two do not agree: they lie {apart} apart, so what tells good units from bad "
            "ones is not what tells a unit's good months from its bad ones."
        )
    return text + (
        f"The last two lie {apart} apart, which is within chance if they are equal and does not "
        "show that they are."
    )
