"""Sentences about scores that were never seen: how well they are known, and from what."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from oulib.chapters.missing.analysis import (
    KINDS,
    LAST,
    OU_MEAN,
    WITH,
    WITHOUT,
    Bridged,
    Closed,
    Fed,
    Gain,
    Inventory,
    Unseen,
)
from oulib.chapters.missing.band import Scales
from oulib.posterior.estimate import DrawByDraw, Estimate
from oulib.report.evidence import surprise
from oulib.report.text import count, interval, name, number, percent, probability

FEW = 10
"""Fewer hidden surveys than this are not judged by."""


def inventory(found: Inventory) -> str:
    """How many rows of each kind there are, and how far from a survey."""
    size = found.kinds
    parts = []
    for kind, text in zip(
        KINDS,
        ("have a survey", "had one planned that nobody answered", "have none"),
        strict=True,
    ):
        if kind in size:
            parts.append(f"{size[kind]:,} {text}")
    text = f"Of {count(found.rows, 'row')}, {_and(parts)}. "
    if size.get(KINDS[0], 0) == found.rows:
        return text + "There is no missing score on this panel."
    text += (
        f"On average a row without one is {number(found.wave, 1)} steps of the calendar from the "
        f"nearest month in which any unit had a survey, and never more than "
        f"{number(found.farthest, 0)}"
    )
    if found.own is not None:
        text += f"; from its own unit's nearest survey it is {number(found.own, 1)}"
    text += ". "
    if found.never:
        text += (
            f"{count(found.never, 'row belongs', 'rows belong')} to units that never had a survey."
        )
    return text.strip()


def collapse(found: Mapping[bool, Closed]) -> str:
    """Closed forms of the sd of x* against draws, by whether a row has a survey."""
    sentences = [
        f"In months {'with a survey' if seen else 'without one'} the drawn standard deviation is "
        f"{number(one.drawn, 3)} on average. "
        f"In nine rows of ten its ratio to the exact one ranges from {_range(one.exact)}, and that "
        f"to the one with posterior means put in from {_range(one.plug_in)}. "
        f"Uncertainty of the parameters makes up {percent(one.parameters)} of the variance."
        for seen, one in found.items()
    ]
    return "\n\n".join(sentences)


def bridges(found: Bridged | None) -> str:
    """How far neighbouring waves bridge a gap."""
    if found is None:
        return "Every month is a wave: there is no gap to bridge."
    told = found.told
    text = (
        f"In the {count(found.months, 'month')} between waves, two waves known without error would "
        f"explain {percent(max(found.known, 0.0))} of the variance of the common movement (by the "
        f"bridge, averaged over the posterior). What they leave has a standard deviation of "
        f"{number(found.bridge, 3)} in closed form and of {number(found.rest, 3)} in the "
        "posterior: "
    )
    if told > 0.1:
        text += f"the months' own outcomes explained {percent(told)} of it. "
    elif told < -0.1:
        text += "it is more, because outcomes pull months away from what their neighbours expect. "
    else:
        text += "the months' own outcomes add next to nothing. "
    text += f"The movement itself has a posterior standard deviation of {number(found.sd, 3)} there"
    if found.sd > found.bridge:
        return text + ": the error of the waves themselves comes on top of the bridge."
    return text + ", less than the bridge leaves: outcomes and the months' zero sum had a say."


def by_distance(table: pd.DataFrame, floor: float, found: Unseen) -> str:
    """How the sd of an unseen score grows with the distance to a wave, and its floor.

    ``table`` is that of ``missing.by_distance``, ``floor`` that of ``missing.floor``.
    """
    if table.empty:
        return "Every row has a survey."
    near, far = table.iloc[0], table.iloc[-1]
    text = (
        f"The common movement is known to a standard deviation of {number(near['common'], 3)} at "
        f"distance {number(near.name, 0)}"
    )
    if len(table) > 1:
        text += f" and of {number(far['common'], 3)} at distance {number(far.name, 0)}"
        grown = far["common"] / near["common"] - 1
        if grown > 0.1:
            text += f": distance adds {percent(grown)} to what is unknown of it"
        else:
            text += ": there is little evidence that distance matters"
    text += ". "
    text += (
        f"A whole score without its own outcome is known to {number(found.sd, 3)} on average; the "
        f"floor is {number(floor, 3)}. "
    )
    return text + (
        f"{percent(min(floor**2 / found.variance, 1.0))} of the variance of an unseen score is the "
        "unit's own deviation in that month, which no other month can tell."
    )


def scales(found: Scales) -> str:
    """What the unit is made with: the posterior means of the demonstration."""
    return (
        "The unit's scales are the posterior means of the fit above: "
        f"$\\sigma_{{\\mu_x}}$ is {number(found.sigma_mu_x)}, $\\sigma_x$ {number(found.sigma_x)}, "
        f"$\\sigma_{{\\text{{meas}}}}$ {number(found.sigma_meas)} and $\\sigma_y$ "
        f"{number(found.sigma_y)}; the slope begins at the average one, {number(found.beta)}."
    )


def sources(found: pd.Series) -> str:
    """Where knowledge of unseen scores comes from, from ``missing.sources``."""
    population, alone, both = (number(np.sqrt(found[k])) for k in ("population", "alone", "both"))
    text = (
        f"A score of which nothing is known has a standard deviation of {population}; the unit's "
        f"surveys and the months bring that down to {alone}, and the row's own outcome to {both}. "
    )
    share = found["share"]
    if not np.isfinite(share) or share < 0:
        return text + "Taken together, next to nothing is known of unseen scores."
    text += f"The outcome accounts for {percent(min(share, 1.0))} of the variance that is explained"
    if share > 0.5:
        return text + ": most of what is known of such a score is its own outcome, read backwards."
    if share > 0.1:
        return text + ", read backwards; unit and month account for the rest."
    return text + ": hardly anything of what is known of unseen scores comes from the outcome."


def feedback(found: Fed | None, *, exact: bool) -> str:
    """How much outcomes add against the slopes' size."""
    if found is None:
        return "No unit has a month without a survey."
    text = (
        f"The outcome takes away {percent(found.flattest)} of the variance of an unseen "
        f"score in the unit with the flattest slope and {percent(found.steepest)} in the "
        f"one with the steepest; it moves the score by {number(found.shift)} standard "
        "deviations (root mean square). "
    )
    if exact:
        return text + (
            f"These shares differ from the closed form by {number(found.most, 4)} at most."
        )
    return text + (
        f"The formula, with the Fisher information of a heavy-tailed outcome, is off by "
        f"{number(found.off, 3)} on average."
    )


def coverage(table: pd.DataFrame, total: float, panel: str) -> str:
    """Whether true scores lie in their intervals, from ``missing.covered``; about ``panel``.

    ``total`` is the share of all of them that do.
    """
    text = f"In {panel} {percent(total)} of the true scores lie inside their 90% intervals. "
    low = table[table["coverage"] < table["expected_low"]]
    high = table[table["coverage"] > table["expected_high"]]
    if low.empty and high.empty:
        return text + "No group of rows is covered more or less often than chance allows."
    for part, word in ((low, "less"), (high, "more")):
        if len(part):
            groups = [f"{kind} at distance {_distance(d)}" for kind, d in part.index]
            text += f"Rows covered {word} often than independent ones would be: {_and(groups)}. "
    return text.strip()


def found_again(table: pd.DataFrame, hidden: int) -> str:
    """How well hidden surveys were predicted, from ``missing.score_table``."""
    text = f"{count(hidden, 'survey was', 'surveys were')} hidden and predicted. "
    for label in (WITH, WITHOUT):
        row = table.loc[label]
        text += (
            f"The {name(label)}, covers {percent(row['coverage'])} of them with 90% intervals of "
            f"mean width {number(row['width'])} and has a mean CRPS of {number(row['crps'], 3)}. "
        )
    best = table.loc[[OU_MEAN, LAST], "crps"].idxmin()
    other = table.loc[best]
    text += (
        f"The better rule of thumb, {'the ' + best}, has {number(other['crps'], 3)} and a mean "
        f"width of {number(other['width'])}. "
    )
    if hidden < FEW:
        return text + "So few surveys decide nothing."
    sentences = [
        _gain(table.loc[label, "gain"], table.loc[label, "gain_se"], label)
        for label in (WITHOUT, WITH)
    ]
    return text + " ".join(sentences)


def outcome_helps(found: Gain) -> str:
    """Whether a hidden survey is predicted better when the row's outcome is looked at."""
    if found.rows < FEW:
        return "There are too few hidden surveys to say whether the outcome helps to find them."
    mean, se = found.mean, found.error
    text = (
        f"Looking at the row's outcome {'raises' if mean < 0 else 'lowers'} the CRPS by "
        f"{number(abs(mean), 3)} (standard error {number(se, 3)}): "
    )
    if mean > 2 * se:
        return text + "scores that nobody saw are found better with it than without."
    if mean < -2 * se:
        return text + "it misleads, and the outcome's part of the model deserves suspicion."
    return text + "there is little evidence that it helps."


def straight(found: DrawByDraw | None) -> str:
    """Whether the line that links score and outcome is straight, from its curvature."""
    if found is None:
        return "There are too few surveys to see whether the line is straight."
    one, other, p = found.observed, found.replicated, found.as_high
    text = (
        f"The curvature of the residuals is {number(one.mean, 3)} on average; in nine replicates "
        f"of ten it ranges from {interval(other.low, other.high, 3)}, and a replicate curves more "
        f"upwards with probability {probability(p)}. "
    )
    return text + surprise(
        p,
        "The line bends upwards: high and low scores go with more than it says.",
        "The line bends downwards: high and low scores go with less than it says.",
        "There is little evidence against a straight line.",
    )


def levels(found: DrawByDraw) -> str:
    """Whether OUs with high scores have high intercepts, from the correlation of the two."""
    one, other = found.observed, found.replicated
    text = (
        f"Across units, intercepts and mean scores have a correlation of {number(one.mean)} "
        f"(90% interval {interval(one.low, one.high)}); among as many units in which the two are "
        f"unrelated it ranges from {interval(other.low, other.high)} in nine cases of ten. "
    )
    return text + surprise(
        found.as_high,
        "Units with higher scores do better than slopes alone explain.",
        "Units with higher scores do worse than slopes alone explain.",
        "There is little evidence that the two are related.",
    )


def _gain(mean: float, se: float, label: str) -> str:
    amount = f"{number(abs(mean), 3)} (standard error {number(se, 3)})"
    if abs(mean) <= 2 * se or not np.isfinite(se):
        return f"The {label}, and that rule tie: the difference of {amount} is within chance."
    return f"The {label}, is {'better' if mean > 0 else 'worse'} than that rule by {amount}."


def _distance(distance: int) -> str:
    return f"{distance} or more" if distance >= 4 else f"{distance}"


def _range(ratio: Estimate) -> str:
    return interval(ratio.low, ratio.high)


def _and(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
