"""Sentences about scores that were never seen: how well they are known, and from what."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from oulib.chapters.missing.analysis import KINDS, LAST, OU_MEAN, WITH, WITHOUT
from oulib.report.evidence import surprise
from oulib.report.text import count, interval, name, number, percent, probability

FEW = 10
"""Fewer hidden surveys than this are not judged by."""


def inventory(table: pd.DataFrame) -> str:
    """How many rows of each kind there are, and how far from a survey, from ``distances``."""
    size = table["kind"].value_counts()
    parts = []
    for kind, text in zip(
        KINDS,
        ("have a survey", "had one planned that nobody answered", "have none"),
        strict=True,
    ):
        if kind in size:
            parts.append(f"{size[kind]:,} {text}")
    unseen = table[table["kind"] != KINDS[0]]
    text = f"Of {count(len(table), 'row')}, {_and(parts)}. "
    if unseen.empty:
        return text + "There is no missing score on this panel."
    never = int(np.isinf(unseen["to_own"]).sum())
    own = unseen["to_own"][np.isfinite(unseen["to_own"])]
    text += (
        f"A row without one is {number(unseen['to_wave'].mean(), 1)} steps of the calendar from "
        f"the nearest month in which any OU had a survey, on average, and at most "
        f"{number(unseen['to_wave'].max(), 0)}"
    )
    if len(own):
        text += f"; from the nearest survey of its own OU {number(own.mean(), 1)}"
    text += ". "
    if never:
        text += f"{count(never, 'row belongs', 'rows belong')} to OUs that never had a survey."
    return text.strip()


def collapse(table: pd.DataFrame) -> str:
    """Closed forms of the sd of x* against draws, from ``closed_forms``, by kind of row."""
    sentences = []
    for seen, what in ((True, "with a survey"), (False, "without one")):
        part = table[(table["n"] > 0) == seen]
        if part.empty:
            continue
        exact, plug = (part["drawn"] / part[column] for column in ("total", "plug_in"))
        inside = 1 - (part["within"] ** 2).sum() / (part["total"] ** 2).sum()
        sentences.append(
            f"In months {what} the drawn standard deviation is "
            f"{number(part['drawn'].mean(), 3)} on average. "
            f"Its ratio to the exact one lies in {_range(exact)} for 90% of the rows; "
            f"to the one with the posterior means put in, in {_range(plug)}. "
            f"{percent(inside)} of the variance is uncertainty of the parameters."
        )
    return "\n\n".join(sentences)


def bridges(table: pd.DataFrame) -> str:
    """How far neighbouring waves bridge a gap, from ``missing.bridges``."""
    gap = table[table["distance"] > 0]
    if gap.empty:
        return "Every month is a wave: there is no gap to bridge."
    known = 1 - (gap["bridge"] ** 2).mean() / (gap["stationary"] ** 2).mean()
    told = 1 - (gap["rest"] ** 2).mean() / (gap["bridge"] ** 2).mean()
    text = (
        f"In the {count(len(gap), 'month')} between waves, two waves known without error would "
        f"tell {percent(max(known, 0.0))} of the variance of the common movement (equation for "
        f"the bridge, averaged over the posterior). What they leave has a standard deviation of "
        f"{_rms(gap['bridge'], 3)} in closed form and of {_rms(gap['rest'], 3)} in the posterior: "
    )
    if told > 0.1:
        text += f"the months' own outcomes told {percent(told)} of it. "
    elif told < -0.1:
        text += "it is more, because outcomes pull months away from what their neighbours expect. "
    else:
        text += "the months' own outcomes tell next to nothing beyond it. "
    text += f"The movement itself has a posterior standard deviation of {_rms(gap['sd'], 3)} there"
    if _rms_of(gap["sd"]) > _rms_of(gap["bridge"]):
        return text + ": the waves are not known without error, which comes on top of the bridge."
    return text + ", less than the bridge leaves: the outcomes and the months' zero sum had a say."


def by_distance(table: pd.DataFrame, floor: float) -> str:
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
            text += f": distance adds {percent(grown)} to what is not known of it"
        else:
            text += ": there is little evidence that distance matters"
    text += ". "
    alone = _rms_of(np.repeat(table["sd_alone"], table["rows"].astype(int)))
    text += (
        f"A whole score without its own outcome is known to {number(alone, 3)} on average; the "
        f"floor is {number(floor, 3)}. "
    )
    share = float((table["rows"] * table["sd_alone"] ** 2).sum() / table["rows"].sum())
    return text + (
        f"{percent(min(floor**2 / share, 1.0))} of the variance of an unseen score is the OU's own "
        "deviation in that month, which no other month can tell."
    )


def sources(found: pd.Series) -> str:
    """Where knowledge of unseen scores comes from, from ``missing.sources``."""
    population, alone, both = (number(np.sqrt(found[k])) for k in ("population", "alone", "both"))
    text = (
        f"A score of which nothing is known has a standard deviation of {population}; the OU's "
        f"surveys and the months bring it to {alone}, the row's own outcome to {both}. "
    )
    share = found["share"]
    if not np.isfinite(share) or share < 0:
        return text + "Taken together, next to nothing is known of unseen scores."
    text += f"Of the variance that is explained at all, {percent(min(share, 1.0))} is the outcome's"
    if share > 0.5:
        return text + ": most of what is known of such a score is its own outcome, read backwards."
    if share > 0.1:
        return text + ", read backwards; the rest is the OU and the month."
    return text + ": hardly anything of what is known of unseen scores comes from the outcome."


def feedback(table: pd.DataFrame, *, exact: bool) -> str:
    """How much outcomes add against the slopes' size, from ``missing.feedback``."""
    if table.empty:
        return "No OU has a month without a survey."
    gap = (table["taken"] - table["closed"]).abs()
    top, low = table["beta"].idxmax(), table["beta"].idxmin()
    text = (
        f"The outcome takes away {percent(table.loc[low, 'taken'])} of the variance of an unseen "
        f"score in the OU with the flattest slope and {percent(table.loc[top, 'taken'])} in the "
        f"one with the steepest; it moves the score by {number(_rms_of(table['shift']))} standard "
        "deviations (root mean square). "
    )
    if exact:
        return text + (
            f"From the closed form these shares differ by {number(gap.max(), 4)} at most."
        )
    return text + (
        f"The formula that counts a heavy-tailed outcome by its Fisher information is off by "
        f"{number(gap.mean(), 3)} on average."
    )


def coverage(table: pd.DataFrame, panel: str) -> str:
    """Whether true scores lie in their intervals, from ``missing.covered``; about ``panel``."""
    total = float((table["coverage"] * table["rows"]).sum() / table["rows"].sum())
    text = f"In {panel} {percent(total)} of the true scores lie inside their 90% intervals. "
    low = table[table["coverage"] < table["expected_low"]]
    high = table[table["coverage"] > table["expected_high"]]
    if low.empty and high.empty:
        return text + "No group of rows is covered more or less often than chance allows."
    for part, word in ((low, "less"), (high, "more")):
        if len(part):
            groups = [f"{kind} at distance {_distance(d)}" for kind, d in part.index]
            text += f"Covered {word} often than independent rows would be: {_and(groups)}. "
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


def outcome_helps(found: xr.Dataset) -> str:
    """Whether a hidden survey is predicted better when the row's outcome is looked at."""
    gain = (found["crps"].sel(forecast=WITHOUT) - found["crps"].sel(forecast=WITH)).to_numpy()
    if gain.size < FEW:
        return "There are too few hidden surveys to say whether the outcome helps to find them."
    mean, se = gain.mean(), gain.std(ddof=1) / np.sqrt(gain.size)
    text = (
        f"Looking at the row's outcome lowers the CRPS by {number(mean, 3)} (standard error "
        f"{number(se, 3)}): "
    )
    if mean > 2 * se:
        return text + "scores that nobody saw are found better with it than without."
    if mean < -2 * se:
        return text + "it misleads, and the outcome's part of the model deserves suspicion."
    return text + "there is little evidence that it helps."


def straight(found: xr.Dataset) -> str:
    """Whether the line that links score and outcome is straight, from ``missing.bends``."""
    if found.sizes["bin"] < 4:
        return "There are too few surveys to see whether the line is straight."
    one, other = found["curvature"].to_numpy(), found["curvature_replicated"].to_numpy()
    p = float(np.mean(other >= one))
    low, high = np.quantile(other, [0.05, 0.95])
    text = (
        f"The curvature of the residuals is {number(one.mean(), 3)} on average, and "
        f"{interval(low, high, 3)} in 90% of the replicates; a replicate curves more upwards with "
        f"probability {probability(p)}. "
    )
    return text + surprise(
        p,
        "The line bends upwards: high and low scores go with more than it says.",
        "The line bends downwards: high and low scores go with less than it says.",
        "There is little evidence against a straight line.",
    )


def levels(found: xr.Dataset) -> str:
    """Whether OUs with high scores have high intercepts, from ``missing.levels``."""
    one, other = found["observed"].to_numpy(), found["replicated"].to_numpy()
    p = float(np.mean(other >= one))
    text = (
        f"Over the OUs, intercepts and mean scores have a correlation of {number(one.mean())} "
        f"(90% interval {interval(*np.quantile(one, [0.05, 0.95]))}); as many unrelated OUs have "
        f"{interval(*np.quantile(other, [0.05, 0.95]))} in nine cases of ten. "
    )
    return text + surprise(
        p,
        "OUs with higher scores do better than their slopes say.",
        "OUs with higher scores do worse than their slopes say.",
        "There is little evidence that the two are related.",
    )


def _gain(mean: float, se: float, label: str) -> str:
    amount = f"{number(abs(mean), 3)} (standard error {number(se, 3)})"
    if abs(mean) <= 2 * se or not np.isfinite(se):
        return f"The {label}, and that rule tie: the difference of {amount} is within chance."
    return f"The {label}, is {'better' if mean > 0 else 'worse'} than that rule by {amount}."


def _distance(distance: int) -> str:
    return f"{distance} or more" if distance >= 4 else f"{distance}"


def _rms_of(values: pd.Series | np.ndarray) -> float:
    return float(np.sqrt((values**2).mean()))


def _rms(values: pd.Series, digits: int) -> str:
    return number(_rms_of(values), digits)


def _range(values: pd.Series) -> str:
    return interval(*np.quantile(values, [0.05, 0.95]))


def _and(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
