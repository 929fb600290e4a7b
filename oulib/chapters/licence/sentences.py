"""Sentences about what the licence lets through, on panels whose slopes are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from oulib.chapters.licence.analysis import Seeds, Signs
from oulib.report.sentences import CHECK_NAMES
from oulib.report.text import count, names, percent

INGREDIENTS = {
    "clean": "as the baseline has it",
    "persistence": "months that hang together",
    "noise": "unequal noise of units",
    "trend": "trends of units",
    "factor": "a second common movement",
    "tails": "outliers",
    "nonresponse": "silence by the score",
    "shift": "a level that shifts once",
    "curve": "a bend in the score",
}
"""What a kind of panels has."""

STRENGTHS = {"1": "weak", "2": "moderate", "3": "strong"}

FOLLOWING = "clean"
"""The kind of panels that follow the model."""

LOW = 0.85
"""Coverage of 90% intervals below which a kind is named."""


def kind(name: str) -> str:
    """What to call a kind: its ingredient and how strong it is."""
    strength = STRENGTHS.get(name[-1], "")
    found = INGREDIENTS.get(name.rstrip("123"), name)
    return f"{found}, {strength}" if strength else found


def measured(table: pd.DataFrame, models: Sequence[str]) -> str:
    """What was made: kinds, panels of each, models in the order in which they are asked.

    ``table`` is that of ``licence.summary``, here and below.
    """
    number = table["panels"]
    each = count(int(number.min()), "panel")
    if number.min() < number.max():
        each = f"{number.min()} to {number.max()} panels"
    order = models[0] if len(models) < 2 else f"{models[0]}, and where it may not, {models[1]}"
    return (
        f"{each[0].upper()}{each[1:]} of each of {count(len(number), 'kind')} were fitted. "
        f"Conclusions come from {order}."
    )


def following(table: pd.DataFrame) -> str:
    """Of panels that follow the model: how often nothing is concluded."""
    row = table.loc[FOLLOWING]
    none = int(row["panels"] - row["concluded"])
    return (
        f"Of {count(int(row['panels']), 'panel')} that follow the model, {none} "
        f"{'is' if none == 1 else 'are'} left without a conclusion. The 90% intervals of the "
        f"others hold {percent(row['coverage_concluded'])} of the true slopes."
    )


def overall(found: Signs) -> str:
    """Wrong signs over all kinds, by the chains alone and of conclusions."""
    alone, said = found.alone, found.said
    strong = _share(said, "strong", "strong_wrong")
    return (
        f"By the chains alone, {alone['wrong']:,} of {alone['stated']:,} signs that {found.first} "
        f"would have stated with a probability above 0.95 are wrong ({_share(alone)}). Of those "
        f"that are concluded, it is {said['wrong']:,} of {said['stated']:,} ({_share(said)}); "
        f"their own probabilities lead one to expect {said['expected']:.0f}. With a probability "
        f"above 0.99 it is {said['strong_wrong']:,} of {said['strong']:,} ({strong})."
    )


def _share(found: Mapping[str, float], of: str = "stated", wrong: str = "wrong") -> str:
    return f"{100 * found[wrong] / found[of]:.1f}%" if found[of] else "none"


def short(table: pd.DataFrame, error: float) -> str:
    """The kinds of which conclusions cover too little, or of which there are none.

    ``error`` is the standard error of a kind's coverage, NaN where it is not known.
    """
    low = table.index[table["coverage_concluded"] < LOW]
    none = table.index[table["concluded"] == 0]
    parts = []
    if low.size:
        each = [
            f"{kind(name)} ({100 * table.loc[name, 'coverage_concluded']:.1f}%)" for name in low
        ]
        parts.append(
            f"In these kinds, intervals of conclusions hold less than {percent(LOW)} of the true "
            f"slopes: {'; '.join(each)}."
        )
    else:
        least = float(table["coverage_concluded"].min())
        parts.append(
            f"In no kind do intervals of conclusions hold less than {percent(LOW)} of the true "
            f"slopes (the least is {percent(least)})."
        )
    if np.isfinite(error):
        parts.append(
            f"With so few panels of a kind, such a share is known to within {percent(error)} (its "
            "standard error, averaged over kinds)."
        )
    if none.size:
        parts.append(f"Nothing is ever concluded from these: {names([kind(n) for n in none], 9)}.")
    return " ".join(parts)


def seeds(found: Seeds) -> str:
    """How the baseline fares on panels like the default one, whose seed was chosen."""
    every = found.sampled == found.panels
    text = (
        "This panel was chosen. Of the seeds from 1 upwards it has the first with which the "
        "baseline passed the sampler's half of the gate; with the sampler of that time it failed "
        "on 17 of the seeds 1 to 20, because outliers gave slopes two signs. Today's chains "
        f"settle on {'all' if every else found.sampled} of those {found.panels} panels. "
    )
    if found.licensed == found.panels:
        return text + "On all of them the baseline describes the data, too."
    if found.licensed:
        text += f"On {found.licensed} of them the baseline describes the data, too; on the others "
    else:
        text += "On none of them does the baseline describe the data: "
    check, times = next(iter(found.failed.items()))
    text += (
        f"what it most often has no place for is {CHECK_NAMES[check]} (on {count(times, 'panel')})."
    )
    if found.ous:
        text += (
            f" Its 90% intervals hold {percent(found.covered / found.ous)} of the true slopes, and "
            f"{found.wrong} of the {found.stated} signs that it would state are wrong."
        )
        if found.covered < LOW * found.ous:
            text += " Chains that settle promise nothing about the model."
    return text
