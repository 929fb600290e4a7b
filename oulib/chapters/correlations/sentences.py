"""Sentences about correlated effects: what the LKJ prior moved, and whether OUs have trends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from oulib.posterior.checks import Verdict
from oulib.report.evidence import PRIOR_MOVE, evidence, evidence_of_sign
from oulib.report.sentences import CHECK_NAMES
from oulib.report.text import count, interval, name, number, percent, probability

NOUNS = {"alpha": "intercepts", "beta": "slopes", "trend": "trends"}
NOTICED = 0.25
"""A move of this many posterior standard deviations is where a prior begins to show."""
RELEVANT = 0.1
"""A scale of trends, per sd of time, below which OUs are said to hardly drift apart."""


def others(verdicts: Mapping[str, Verdict]) -> str:
    """Whether the fits beside the main one passed their checks, and which did not."""
    failed = {label: verdict for label, verdict in verdicts.items() if not verdict.sampled}
    if not failed:
        whole = "The other fit" if len(verdicts) == 1 else f"All {len(verdicts)} other fits"
        return f"{whole} passed the same checks."
    sentences = []
    for label, verdict in failed.items():
        checks = ", ".join(CHECK_NAMES.get(check.name, check.name) for check in verdict.failed)
        why = f"failed its checks ({checks})" if checks else "was not fitted"
        sentences.append(f"{name(label)} {why}; what rests on it is withheld.")
    return " ".join(sentences)


def correlation(draws: xr.DataArray) -> str:
    """The sign of the correlation between an OU's intercept and its slope."""
    positive = float((draws > 0).mean())
    low, high = (float(draws.quantile(q)) for q in (0.05, 0.95))
    claim = evidence_of_sign(
        positive,
        "that intercepts and slopes are {}ly correlated",
        "the correlation of intercepts and slopes",
    )
    return (
        f"The correlation of intercepts and slopes has a posterior mean of "
        f"{number(float(draws.mean()))} (90% interval {interval(low, high)}). {claim}: the "
        f"probability of a positive one is {probability(positive)}."
    )


def by_eta(table: pd.DataFrame, reference: str) -> str:
    """What eta does to the correlation and to the slopes, from ``correlations.sensitivity``.

    ``table`` has a row an eta, in their order.
    """
    parts = [
        f"{number(row['corr'])} ({interval(row['corr_q5'], row['corr_q95'])}) under {name(label)}"
        for label, row in table.iterrows()
    ]
    text = f"The correlation has a posterior mean (and 90% interval) of {_and(parts)}. "
    first, last = table.iloc[0], table.iloc[-1]
    half = (table.loc[reference, "corr_q95"] - table.loc[reference, "corr_q5"]) / 3.29
    gap = abs(first["corr"] - last["corr"]) / half
    if gap > NOTICED:
        text += (
            f"From the smallest eta to the largest it moves by {number(gap, 1)} of its posterior "
            "standard deviations: this panel does not overrule the prior."
        )
    else:
        text += "The data decide it, whichever eta is taken."
    text += (
        f"\n\nFor each standard deviation of its intercept an OU's slope gains "
        f"{number(first['per_sd'], 3)} under {name(table.index[0])} and "
        f"{number(last['per_sd'], 3)} under {name(table.index[-1])}. "
    )
    return text + _moved(table.drop(index=reference)) + _error(table, reference)


def independent(table: pd.DataFrame, reference: str, other: str) -> str:
    """What leaving the correlation out does to the slopes; rows as in :func:`by_eta`."""
    one, two = table.loc[reference], table.loc[other]
    change = two["sd"] / one["sd"] - 1
    text = (
        f"With independent effects a slope's posterior standard deviation averages "
        f"{number(two['sd'], 3)}, against {number(one['sd'], 3)} with correlated ones"
    )
    if abs(change) < 0.02:
        text += ", hardly a difference. "
    else:
        text += f" ({percent(abs(change))} {'more' if change > 0 else 'less'}). "
    return text + _moved(table.loc[[other]]) + _error(table.loc[[reference, other]], reference)


def _moved(table: pd.DataFrame) -> str:
    most = table["moved_most"].max()
    row = table.loc[table["moved_most"].idxmax()]
    text = (
        f"Slopes move by {number(table['moved'].max())} posterior standard deviations on average "
        f"and by {number(most)} at most (that of {name(row['most'])})"
    )
    if most < NOTICED:
        return f"{text}: no slope would be read differently."
    if table["moved"].max() < NOTICED:
        return f"{text}: a few OUs notice, the others do not."
    return f"{text}: the prior is part of what is said about single OUs."


def _error(table: pd.DataFrame, reference: str) -> str:
    if "error" not in table:
        return ""
    best, now = table["error"].idxmin(), table.loc[reference, "error"]
    errors = [f"{number(e, 3)} under {name(label)}" for label, e in table["error"].items()]
    text = f" Against the truth, the slopes' root mean squared error is {_and(errors)}"
    if table["error"].max() < 1.02 * table["error"].min():
        return f"{text}, hardly a difference."
    if best == reference:
        return f"{text}; none of the others is smaller."
    return f"{text}; {name(best)} is {percent(1 - table.loc[best, 'error'] / now)} closer here."


def scales(posteriors: Mapping[str, xr.Dataset]) -> str:
    """What another family of priors does to the OUs' scales; two posteriors by the prior's name."""
    sentences = []
    (first, one), (second, two) = posteriors.items()
    moved = {}
    for effect in map(str, one["effect"].to_numpy()):
        parts = []
        for prior, tree in posteriors.items():
            scale = tree["sigma_ou"].sel(effect=effect)
            low, high = (float(scale.quantile(q)) for q in (0.05, 0.95))
            parts.append(
                f"{number(float(scale.mean()))} (90% interval {interval(low, high)}) under the "
                f"{prior} prior"
            )
        sentences.append(f"The scale of the OUs' {NOUNS[effect]} is {_and(parts)}.")
        a, b = (tree["sigma_ou"].sel(effect=effect) for tree in (one, two))
        moved[effect] = float(abs(a.mean() - b.mean()) / a.std())
    worst = max(moved.values())
    claim = (
        f"whether {first} or {second} does not matter here"
        if worst < NOTICED
        else "the family of the prior shows"
    )
    return " ".join(sentences) + (
        f" The means differ by {number(worst)} posterior standard deviations at most: {claim}."
    )


def few(table: pd.DataFrame, ous: int) -> str:
    """How much of each correlation's prior is left, from ``correlations.pairs``."""
    left = table["sd"] / table["prior_sd"]
    parts = [f"{percent(share)} for ({pair})" for pair, share in left.items()]
    led = int((table["distance"] < PRIOR_MOVE).sum())
    text = (
        f"With {count(ous, 'OU')} the posterior standard deviations of the "
        f"{count(len(table), 'correlation')} are these shares of the prior's: {_and(parts)}. "
    )
    if led == len(table):
        text += "All of them are mostly the prior."
    elif led:
        text += f"{led} of them {'is' if led == 1 else 'are'} mostly the prior."
    else:
        text += "The data have moved or narrowed every one of them."
    if "truth" in table:
        inside = int(((table["truth"] >= table["q5"]) & (table["truth"] <= table["q95"])).sum())
        text += (
            f" The 90% intervals hold {inside} of {len(table)} true correlations, and they are "
            f"{number(float((table['q95'] - table['q5']).mean()))} wide on average, of the 2 that "
            "there are."
        )
    return text


def trends(posterior: np.ndarray, prior: np.ndarray) -> str:
    """Whether OUs drift apart, from draws of the scale of their trends."""
    low, high = np.quantile(posterior, [0.05, 0.95])
    p, before = float(np.mean(posterior > RELEVANT)), float(np.mean(prior > RELEVANT))
    text = (
        f"The OUs' own trends have a scale of {number(float(np.median(posterior)))} per standard "
        f"deviation of time (posterior median; 90% interval {interval(low, high)}; before the data "
        f"{interval(*np.quantile(prior, [0.05, 0.95]))}). "
    )
    if p < 0.05:
        claim = evidence(1 - p, "that OUs hardly drift apart")
    else:
        # The prior alone is nine tenths sure: no weak indications for so little more.
        claim = evidence(p if p > 0.95 else 0.0, "that OUs have trends of their own")
    return text + (
        f"{claim}: the probability of a scale above {number(RELEVANT, 1)} is {probability(p)}, and "
        f"was {probability(before)} before the data."
    )


def trend_check(observed: float, replicated: Mapping[str, Sequence[float]], where: str) -> str:
    """Whether the spread of OUs' trends is ordinary under each model; ``where`` names the panel."""
    text = (
        f"In {where} the least-squares trends of OUs have a standard deviation of "
        f"{number(observed, 3)}. "
    )
    sentences = []
    for model, values in replicated.items():
        p = float(np.mean(np.asarray(values) >= observed))
        low, high = np.quantile(values, [0.05, 0.95])
        ordinary = (
            f"Replicates by the model {name(model)} have {interval(low, high, 3)} nine times in ten"
        )
        if p < 0.05:
            sentences.append(f"{ordinary}: OUs that drift apart like this surprise it.")
        elif p > 0.95:
            sentences.append(f"{ordinary}: OUs that stay together like this surprise it.")
        else:
            sentences.append(f"{ordinary}: it produces OUs that drift apart like this.")
    return text + " ".join(sentences)


def _and(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
