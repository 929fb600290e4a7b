"""Sentences about heavy tails: signs that chains disagree on, degrees of freedom, outlying rows."""

from __future__ import annotations

from oulib.chapters.student_t.analysis import (
    LightRows,
    Pull,
    SignsByChain,
    SlopesMoved,
)
from oulib.posterior.estimate import Above, Replicated
from oulib.report.evidence import evidence, mostly_prior
from oulib.report.text import count, interval, name, number, percent, probability


def signs_by_chain(label: str, found: SignsByChain, r_hat: float, divergences: int) -> str:
    """Whether the chains of a parameter settled on one sign each, and on different ones.

    ``label`` is Markdown that names the parameter.
    """
    above, below = found.above, found.below
    text = (
        f"For {label} R-hat is {number(r_hat)}. "
        f"{_of_chains(above, found.chains)} above zero and {below} below"
    )
    mixed = found.chains - above - below
    text += f", while {mixed} visited both sides. " if mixed else ". "
    if divergences:
        text += f"There were {count(divergences, 'divergence')} as well. "
    else:
        text += "There was not one divergence. "
    if r_hat <= 1.01:
        return text + "On this run the chains agree about this parameter."
    if above and below:
        return text + (
            "The posterior has two modes, one of each sign, and no chain has seen both: only "
            "their disagreement shows that there are two."
        )
    if above or below:
        return text + "Some chains stayed on one side and did not see what the others saw."
    return text + "Every chain wandered between the signs, too slowly to agree on how often."


def _of_chains(some: int, all_of_them: int) -> str:
    return f"Of {count(all_of_them, 'chain')}, {some} stayed"


def heavy_tails(found: Above) -> str:
    """Whether the degrees of freedom, few or many, speak of heavy tails, against their prior."""
    nu, before, after = found.scalar.after, 1 - found.before, 1 - found.after
    text = (
        rf"$\nu$ has a posterior median of {number(nu.median, 1)} (90% interval "
        f"{interval(nu.low, nu.high, 1)}). The probability that it lies below "
        f"{number(found.at, 0)} was {probability(before)} before the data and is "
        f"{probability(after)} after them. "
    )
    claim = evidence(after, "of tails heavier than normal")
    if after < 0.05:
        return f"{text}{evidence(1 - after, 'against tails much heavier than normal')}."
    if before < after <= 0.85:
        claim = "Whether the tails are heavier than normal stays open"
    if after <= 0.85 and mostly_prior(found.scalar.distance):
        claim += r"; what is said about $\nu$ is mostly the prior"
    return f"{text}{claim}."


def slopes_moved(found: SlopesMoved, models: tuple[str, str]) -> str:
    """How slopes and their intervals changed from one model to the next; by the models' names."""
    ratio = found.width
    before, after = (name(model) for model in models)
    if abs(ratio - 1) < 0.03:
        text = f"Slopes are known about as well under {after} as under {before}. "
    else:
        text = (
            f"In the median the 90% interval of a slope is {percent(abs(ratio - 1))} "
            f"{'narrower' if ratio < 1 else 'wider'} under {after} than under {before}. "
        )
    text += (
        f"The slope that moved most is that of {name(found.ou)}, from {number(found.before)} to "
        f"{number(found.after)}. "
    )
    if not found.apart:
        return text + "No slope moved so far that its two intervals do not overlap."
    return text + f"For {count(found.apart, 'unit')} the two intervals do not overlap."


def outlying_rows(found: LightRows) -> str:
    """How many rows have small weights, and whether OUs or months gather them."""
    share, smallest = number(found.below, 1), number(found.smallest)
    if found.light == 0:
        return (
            f"No row has a weight below {share} (the smallest is {smallest}): "
            "there is little evidence of single extraordinary months."
        )
    text = (
        f"{count(found.light, 'row')} ({percent(found.light / found.rows)} of all) "
        f"{'has' if found.light == 1 else 'have'} a weight below {share}; the smallest is "
        f"{smallest}. "
    )
    gathered = [f"{most} of them belong to {name(label)}" for label, most in found.gathered]
    if not gathered:
        return text + "They are spread over units and months about as chance would spread them."
    return text + (
        f"{' and '.join(gathered)}, more than chance explains: that points to something "
        "that the model lacks rather than to single accidents."
    )


def pulled(found: Pull) -> str:
    """How far outlying outcomes move their scores, under a Student-t and under a normal outcome."""
    text = (
        f"In the {count(found.rows, 'row')} with the smallest weights the outcome moves the "
        f"recovered score by {number(found.heavy)} standard deviations on average"
    )
    if found.normal is None:
        return text + "; the baseline failed its checks, so there is nothing to compare it with."
    ratio = found.heavy / found.normal
    text += f", where the baseline moves it by {number(found.normal)}"
    if ratio < 0.8:
        return text + ": the Student-t does not explain an accident by a mood."
    if ratio > 1.25:
        return text + ": the Student-t believes these outcomes more than the baseline does."
    return text + ": the two treat these rows much alike."


def beyond_check(model: str, found: Replicated) -> str:
    """Whether a model's replicates have as many residuals beyond three robust sds as the data."""
    text = (
        f"The data have {count(int(found.observed), 'residual')} beyond three robust standard "
        f"deviations; replicates from {name(model)} have {interval(found.low, found.high, 0)} "
        "(90%). "
    )
    if found.as_high < 0.01:
        return text + "Outliers like these surprise it."
    if found.as_low < 0.01:
        return text + "It expects more outliers than there are."
    return text + "Outliers like these are ordinary under it."
