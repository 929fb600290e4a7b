"""Sentences about heavy tails: signs that chains disagree on, degrees of freedom, outlying rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from oulib.posterior.estimate import prior_distance
from oulib.report.evidence import evidence, mostly_prior
from oulib.report.text import count, interval, name, number, percent, probability


def signs_by_chain(label: str, draws: xr.DataArray, r_hat: float, divergences: int) -> str:
    """Whether the chains of a parameter settled on one sign each, and on different ones.

    ``label`` is Markdown that names the parameter; ``draws`` are its (chain, draw).
    """
    share = (draws > 0).mean("draw").to_numpy()
    above, below = int((share > 0.95).sum()), int((share < 0.05).sum())
    text = (
        f"For {label} R-hat is {number(r_hat)}. "
        f"{_of_chains(above, len(share))} above zero and {below} below"
    )
    mixed = len(share) - above - below
    text += f", while {mixed} visited both sides. " if mixed else ". "
    if divergences:
        text += f"There were {count(divergences, 'divergence')} as well. "
    else:
        text += "There was not one divergence. "
    if r_hat <= 1.01:
        return text + "On this run the chains agree, and nothing is wrong with this parameter."
    if above and below:
        return text + (
            "The posterior has two modes, one of each sign, and no chain could tell that the "
            "other one was there: only their disagreement shows it."
        )
    if above or below:
        return text + "Some chains stayed on one side and did not see what the others saw."
    return text + "Every chain wandered between the signs, too slowly to agree on how often."


def _of_chains(some: int, all_of_them: int) -> str:
    return f"Of {count(all_of_them, 'chain')}, {some} stayed"


def heavy_tails(nu: np.ndarray, prior: np.ndarray, at: float = 10.0) -> str:
    """Whether the degrees of freedom speak of heavy tails, by P(nu < ``at``) against its prior."""
    after, before = float(np.mean(nu < at)), float(np.mean(prior < at))
    text = (
        rf"$\nu$ has a posterior median of {number(float(np.median(nu)), 1)} (90% interval "
        f"{interval(*np.quantile(nu, [0.05, 0.95]), 1)}). The probability that it lies below "
        f"{number(at, 0)} was {probability(before)} before the data and is {probability(after)} "
        "after them. "
    )
    claim = evidence(after, "of tails heavier than normal")
    if after < 0.05:
        return f"{text}{evidence(1 - after, 'against tails much heavier than normal')}."
    if before < after <= 0.85:
        claim = "Whether the tails are heavier than normal stays open"
    if after <= 0.85 and mostly_prior(prior_distance(nu, prior)):
        claim += r"; what is said about $\nu$ is mostly the prior"
    return f"{text}{claim}."


def slopes_moved(lower: pd.DataFrame, upper: pd.DataFrame, models: tuple[str, str]) -> str:
    """How slopes and their intervals changed from one model to the next.

    Tables of :func:`oulib.posterior.effects.effects`, of the same OUs; ``models`` are their names.
    """
    one, other = (table.drop(index="(mean)") for table in (lower, upper))
    width = (other["beta_q95"] - other["beta_q5"]) / (one["beta_q95"] - one["beta_q5"])
    ratio = float(width.median())
    before, after = (name(model) for model in models)
    if abs(ratio - 1) < 0.03:
        text = f"Slopes are known about as well under {after} as under {before}. "
    else:
        text = (
            f"In the median the 90% interval of a slope is {percent(abs(ratio - 1))} "
            f"{'narrower' if ratio < 1 else 'wider'} under {after} than under {before}. "
        )
    top = (other["beta"] - one["beta"]).abs().idxmax()
    apart = (one["beta_q95"] < other["beta_q5"]) | (other["beta_q95"] < one["beta_q5"])
    text += (
        f"The slope that moved most is that of {name(top)}, from {number(one.loc[top, 'beta'])} to "
        f"{number(other.loc[top, 'beta'])}. "
    )
    if not apart.any():
        return text + "No slope moved so far that its two intervals do not overlap."
    return text + f"For {count(int(apart.sum()), 'OU')} the two intervals do not overlap."


def outlying_rows(
    weight: np.ndarray, ou: Sequence[str], month: Sequence[str], below: float = 0.5
) -> str:
    """How many rows count for less than ``below``, and whether OUs or months gather them."""
    low = np.flatnonzero(np.asarray(weight) < below)
    share = number(below, 1)
    if low.size == 0:
        return (
            f"No row has a weight below {share} (the smallest is {number(float(np.min(weight)))}): "
            "there is little evidence of single extraordinary months."
        )
    text = (
        f"{count(low.size, 'row')} ({percent(low.size / len(weight))} of all) "
        f"{'has' if low.size == 1 else 'have'} a weight below {share}; the smallest is "
        f"{number(float(np.min(weight)))}. "
    )
    gathered = [
        f"{most} of them belong to {name(label)}"
        for labels in (ou, month)
        for label, most in _gathered(np.asarray(labels, dtype=object), low)
    ]
    if not gathered:
        return text + "They are spread over OUs and months about as chance would spread them."
    return text + (
        f"{' and '.join(gathered)}, more than chance explains: that looks less like single "
        "accidents than like something the model does not have."
    )


def _gathered(labels: np.ndarray, chosen: np.ndarray) -> list[tuple[str, int]]:
    """The label that most of the ``chosen`` places have, if it has too many of them for chance."""
    kinds, kind, size = np.unique(labels.astype(str), return_inverse=True, return_counts=True)
    found = np.bincount(kind[chosen], minlength=kinds.size)
    # As if the rows were dealt at random; times the number of labels, for the most is picked.
    chance = kinds.size * stats.hypergeom.sf(found - 1, labels.size, size, chosen.size)
    top = int(np.argmin(chance))
    return [(str(kinds[top]), int(found[top]))] if chance[top] < 0.05 and found[top] > 1 else []


def pulled(rows: int, heavy: np.ndarray, normal: np.ndarray | None) -> str:
    """How far outlying outcomes move their scores, under a Student-t and under a normal outcome.

    Shifts of x* in sds of the score, for the same ``rows`` rows; ``normal`` is None where the
    normal model failed its checks.
    """
    moved = number(float(np.mean(np.abs(heavy))))
    text = (
        f"In the {count(rows, 'row')} with the smallest weights the outcome moves the recovered "
        f"score by {moved} standard deviations on average"
    )
    if normal is None:
        return text + "; the baseline failed its checks, so there is nothing to compare it with."
    ratio = float(np.mean(np.abs(heavy)) / np.mean(np.abs(normal)))
    text += f", where the baseline moves it by {number(float(np.mean(np.abs(normal))))}"
    if ratio < 0.8:
        return text + ": the Student-t does not explain an accident by a mood."
    if ratio > 1.25:
        return text + ": the Student-t believes these outcomes more than the baseline does."
    return text + ": the two treat these rows much alike."


def beyond_check(model: str, observed: int, replicated: Sequence[int]) -> str:
    """Whether a model's replicates have as many residuals beyond three robust sds as the data."""
    rep = np.asarray(replicated)
    text = (
        f"The data have {count(observed, 'residual')} beyond three robust standard deviations; "
        f"replicates from {name(model)} have {interval(*np.quantile(rep, [0.05, 0.95]), 0)} "
        "(90%). "
    )
    if np.mean(rep >= observed) < 0.01:
        return text + "Outliers like these surprise it."
    if np.mean(rep <= observed) < 0.01:
        return text + "It expects more outliers than there are."
    return text + "Outliers like these are ordinary under it."
