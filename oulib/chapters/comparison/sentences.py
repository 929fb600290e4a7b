"""Sentences about which model predicts better, and what was predicted."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from oulib.chapters.comparison.analysis import (
    HIGH_K,
    Calibration,
    Forecasts,
    Refits,
    Trap,
    WeakRows,
    Wins,
    band,
)
from oulib.posterior.checks import Verdict
from oulib.posterior.compare import Difference
from oulib.posterior.leaveout import LeftOut
from oulib.report.sentences import CHECK_NAMES, gain
from oulib.report.text import count, interval, name, names, number, percent


def compared(verdicts: Mapping[str, Verdict]) -> str:
    """Which models are compared, and why the others are not."""
    passed = [label for label, verdict in verdicts.items() if verdict.sampled]
    sentences = []
    if passed:
        verb = "passes its checks and is" if len(passed) == 1 else "pass their checks and are"
        sentences.append(f"{names(passed)} {verb} compared.")
    for label, verdict in verdicts.items():
        if verdict.inapplicable:
            sentences.append(f"{name(label)} does not apply to this panel.")
        elif not verdict.sampled:
            failed = [CHECK_NAMES.get(check.name, check.name) for check in verdict.failed]
            sentences.append(
                f"{name(label)} failed ({', '.join(failed)}) and is left out: draws that do not "
                "represent a posterior say nothing about how well it predicts."
            )
    return " ".join(sentences)


def beside_waic(table: pd.DataFrame) -> str:
    """Whether WAIC says the same as LOO; ``table`` has ``elpd``, ``waic`` and ``unstable``."""
    gap = (table["waic"] - table["elpd"]).abs()
    text = (
        f"WAIC and LOO differ by {number(gap.max(), 1)} at most (for {name(gap.idxmax())})"
        if len(table) > 1
        else f"WAIC and LOO differ by {number(gap.max(), 1)}"
    )
    if len(table) > 1:
        same = table["elpd"].rank().equals(table["waic"].rank())
        text += f" and put the models in {'the same order' if same else 'different orders'}"
    shaky = int(table["unstable"].max())
    if shaky == 0:
        return f"{text}. WAIC warns about no row."
    return (
        f"{text}. WAIC warns about up to {count(shaky, 'row')}, whose log density varies too much "
        "over the posterior; LOO's Pareto k tells which rows are in doubt, and how bad it is."
    )


def weak_rows(model: str, found: WeakRows) -> str:
    """What the rows with the highest Pareto k are: outliers, or something else."""
    if found.high:
        text = (
            f"For {name(model)} the Pareto k of {count(found.high, 'row')} of {found.rows:,} is "
            f"above {number(found.good_k)}; the highest is {number(found.worst)}. "
        )
    else:
        text = (
            f"For {name(model)} no Pareto k is above {number(found.good_k)}; the highest is "
            f"{number(found.worst)}. "
        )
    one = found.shown == 1
    which = "That row lies" if one else f"The {found.shown} rows with the highest k lie"
    text += (
        f"{which} {number(found.typical, 1)} scales {'' if one else '(the median) '}from where the "
        f"model puts {'it' if one else 'them'}; the median over all rows is "
        f"{number(found.usual, 1)}"
    )
    if found.typical > 3 * found.usual:
        them = "It is an outlier" if one else "They are outliers"
        whose = "its outcome" if one else "their outcomes"
        return f"{text}. {them}: without {whose} the posterior would move."
    them = "It is no outlier" if one else "They are no outliers"
    return (
        f"{text}. {them}: the influence comes from {'its' if one else 'their'} place in the panel."
    )


def refitted(model: str, found: Refits | None) -> str:
    """How far exact refits of the rows with the highest Pareto k are from the approximation."""
    if found is None:
        return f"For {name(model)} no row was refitted."
    text = (
        f"{name(model)} was refitted without each of the {count(found.rows, 'outcome')} with the "
        f"highest Pareto k ({interval(found.low_k, found.high_k)}). The exact log densities "
        f"differ from the approximate ones by {number(found.most)} at most, and by "
        f"{number(found.total)} in sum"
    )
    if abs(found.total) < 1:
        text += ": the approximation holds where it was most in doubt."
    else:
        text += (
            f", so the model's elpd is {number(found.exact, 1)} and not "
            f"{number(found.approximate, 1)}."
        )
    if found.left > 0:
        text += f" {count(found.left, 'row')} more with too high a k kept the approximation."
    return text


def cost(*results: LeftOut) -> str:
    """What refits cost, and what it took until what is read off them might be."""
    refits = sum(len(result.refits) for result in results)
    seconds = sum(result.seconds for result in results)
    longer = sum(result.lengthened for result in results)
    text = (
        f"{count(refits, 'refit')} took {number(seconds, 0)} s of compiling and sampling when "
        "they were first computed. Each is held to the gate by the one thing that is read off it, "
        "the log density of what it has not seen"
    )
    if longer == 0:
        return text + "."
    return text + f"; {count(longer, 'of them was', 'of them were')} drawn longer until it passed."


def calibrated(model: str, found: Calibration) -> str:
    """Whether left-out outcomes fall where the model expects them, from their LOO-PIT."""
    middle, outer = found.middle, found.outer
    text = (
        f"Of the outcomes left out, {name(model)} has {percent(middle)} in the middle half of "
        f"their predictive distributions and {number(100 * outer, 1)}% in the outermost 1%. "
    )
    if found.distance <= band(found.rows):
        return text + "Over all rows that is as uniform as chance allows: the model is calibrated."
    half = 2 * np.sqrt(0.25 / found.rows)
    if middle > 0.5 + half:
        kind = "its predictions are too wide for most rows"
        if outer > 0.02:
            kind += " and too narrow for the outliers, which is what made them wide"
    elif middle < 0.5 - half:
        kind = "its predictions are too narrow"
    else:
        kind = f"outcomes lie {'below' if found.average < 0.5 else 'above'} where it expects them"
    return text + f"The model is not calibrated: {kind}."


def trap(model: str, found: Trap) -> str:
    """What conditioning on a row's own sampled score does to LOO and WAIC."""
    honest, other = found.honest, found.conditional
    text = (
        f"Scored at each row's own score, {name(model)} seems to have "
        f"{number(other.parameters, 0)} effective parameters for {found.rows:,} rows, where it has "
        f"{number(honest.parameters, 0)}. The median Pareto k is {number(other.k)} instead of "
        f"{number(honest.k)}, and k is above {HIGH_K} in {percent(other.high)} of the rows instead "
        f"of {percent(honest.high)}. WAIC rises by {number(found.waic, 0)}, although no unseen "
        "outcome is predicted any better. "
    )
    if other.parameters > 2 * honest.parameters:
        return text + "The scores remember their outcomes, and that is counted as skill."
    return text + (
        "On this panel the damage is small, because a row's score brings little of its variance."
    )


def ahead(step: Difference, found: Wins, what: str = "month") -> str:
    """Which of two models predicts better what was left out whole, and how consistently.

    ``what`` is what was left out: a month, an OU.
    """
    places = count(found.places, what)
    text = f"{gain(step)} {name(step.upper)} is ahead in {found.ahead} of {places}."
    if found.places < 10:
        text += f" With only {places} the standard error is itself a rough guess."
    return text


def forecast_widths(found: Mapping[str, Forecasts]) -> str:
    """How wide the forecasts of the months' means are, and how many means they hold; by model."""
    sentences = [
        f"{name(model)} predicts a month's mean with a standard deviation of {number(one.sd)}, and "
        f"its 90% intervals hold {one.inside} of {one.months}"
        for model, one in found.items()
    ]
    return "; ".join(sentences) + "."
