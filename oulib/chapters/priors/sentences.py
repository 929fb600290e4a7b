"""Sentences about priors: what data they expect, what the posterior owes to them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from oulib.chapters.priors.analysis import WIDE, ExpectedData, ExpectedEffect
from oulib.panel import Panel
from oulib.report.evidence import PRIOR_MOVE, evidence_of_sign
from oulib.report.text import count, interval, name, names, number, percent, probability

FIELDS = {
    "mu_alpha": "the mean intercept",
    "mu_beta": "the mean slope",
    "sigma_ou": "the units' scales",
    "sigma_site": "the sites' scales",
    "lkj_eta": "the correlations",
    "mu_x": "the mean score",
    "sigma_mu_x": "the spread of the units' mean scores",
    "gamma_x": "the score's common movement",
    "sigma_x": "the spread of scores within a unit",
    "sigma_meas": "the measurement noise",
    "noise_share": "the share of noise in a survey",
    "sigma_lam": "the months' innovations",
    "sigma_tau": "the innovations of the score's common movement",
    "sigma_y": "the outcome's noise",
    "sigma_noise_ou": "how units differ in noise",
    "sigma_u": "the innovations of the deviations",
    "phi_u": "the persistence of the deviations",
    "nu": "the degrees of freedom",
    "rho_0": "the level of the response logit",
    "rho_x": "the response's slope",
    "sigma_rho": "the scales of the response's effects",
}
"""What each prior is about, in words, by its field of ``Priors``."""


def units(panel: Panel) -> str:
    """What one standard deviation of the outcome is in the units of the file."""
    factor = float(np.exp(panel.scale.s_y))
    return (
        f"One standard deviation of log productivity is {number(panel.scale.s_y)} on this panel, "
        f"so a row one standard deviation above another has {number(factor)} times its "
        f"productivity, and one that is {number(WIDE, 0)} above, {number(factor**WIDE)} times."
    )


def expected_data(model: str, found: ExpectedData, s_y: float) -> str:
    """How panels from the prior of ``model`` compare with the one that is there.

    ``s_y`` is the sd of log productivity, which a standardised outcome is in units of.
    """
    sd, own, wide = found.drawn["sd"], found.own["sd"], found.wide
    text = (
        f"In panels drawn from the prior of {name(model)} the outcome has a median standard "
        f"deviation of {number(sd.median, 1)} ({interval(sd.low, sd.high, 1)} nine times in ten); "
        f"the panel's is {number(own, 1)}. "
    )
    if wide > 0.05:
        text += (
            f"{percent(wide)} of them vary at least {number(WIDE, 0)} times as much, which no "
            "panel on this scale can: the prior is wider than it need be, and leaves the data to "
            "decide. "
        )
    elif sd.low > own:
        text += "Hardly any varies as little as the panel does. "
    else:
        text += (
            f"Hardly any vary {number(WIDE, 0)} times as much as it does: the prior is on the "
            "scale of the data. "
        )
    largest = found.drawn["largest"].high
    factor = s_y * largest
    times = f"{np.exp(factor):,.0f}" if factor < 20 else f"$10^{{{factor / np.log(10):.0f}}}$"
    text += (
        f"In one of twenty, the most extreme outcome is more than {number(largest, 0)} standard "
        f"deviations out, a factor of {times} in productivity; the panel's is "
        f"{number(found.own['largest'], 1)} out. "
    )
    inside = []
    for key, what in (("between", "units"), ("months", "months")):
        drawn, value = found.drawn[key], found.own[key]
        verdict = "inside" if drawn.low <= value <= drawn.high else "outside"
        inside.append(
            f"the share of the variance between {what} is {percent(drawn.low)} to "
            f"{percent(drawn.high)}, and the panel's {percent(value)} lies {verdict}"
        )
    return text + "Nine times in ten " + "; ".join(inside) + "."


def expected_effect(model: str, found: ExpectedEffect, move: float) -> str:
    """What the prior says of a typical move of the score; ``move`` in raw points."""
    low, high, beyond = found.effect.low, found.effect.high, found.beyond
    text = (
        f"A typical move of a unit's score ({number(move)} points) goes, in the prior of "
        f"{name(model)}, with a change of productivity of {interval(low, high, 0)}% (90%), with "
        "either sign as likely. "
    )
    if beyond > 0.01:
        return text + (
            f"In {percent(beyond)} of units it doubles or halves productivity, which nobody who "
            "has seen an organisation would expect."
        )
    return text + "A doubling or halving of productivity is all but excluded."


def overview(table: pd.DataFrame, ratio: float) -> str:
    """What the data told of, and what not, from :func:`analysis.overview`.

    ``ratio`` is the median of the posterior sds over those of the prior.
    """
    led = table.index[table["distance"] < PRIOR_MOVE]
    best = table["ratio"].idxmin()
    text = (
        f"Over {count(len(table), 'hyperparameter')}, the posterior standard deviation is "
        f"{percent(ratio)} of the prior's in the median; the smallest share is that of "
        f"{name(best)}, {percent(float(table.loc[best, 'ratio']))}. "
    )
    if len(led) == 0:
        return text + "None is mostly the prior."
    return text + (
        f"{names(led, 8)} {'is' if len(led) == 1 else 'are'} mostly the prior: the posterior lies "
        "nearly where the prior does."
    )


def sensitivity(table: pd.DataFrame, threshold: float) -> str:
    """Which posteriors follow their prior's power, from :func:`analysis.sensitivity`."""
    moved = table[table["prior"] >= threshold].sort_values("prior", ascending=False)
    if moved.empty:
        return (
            f"No hyperparameter has a prior sensitivity of {number(threshold)} or more: a prior "
            "somewhat stronger or weaker would have led to nearly the same posteriors."
        )
    text = (
        f"For {names(moved.index, 8)} the sensitivity to the prior is {number(threshold)} or more, "
        f"at most {number(float(moved['prior'].max()))}. "
    )
    alone = moved.index[moved["likelihood"] < threshold]
    both = moved.drop(index=alone)
    opposed = both.index[both["prior_shift"] * both["likelihood_shift"] < 0]
    together = both.index.difference(opposed, sort=False)
    if len(alone):
        text += (
            f"The likelihood hardly moves {names(alone, 8)}: the prior is strong, or the data are "
            "silent. "
        )
    if len(opposed):
        text += (
            f"For {names(opposed, 8)} the likelihood pulls the mean the other way, so the "
            "posterior is a compromise between the two. "
        )
    if len(together):
        text += (
            f"For {names(together, 8)} both pull the mean the same way, which does not show that "
            "they agree on more than the direction. "
        )
    most = moved.index[0]
    size = float(table.loc[most, "prior_shift"])
    return text + (
        f"{name(most)} moves most: with all priors twice as strong its mean would be "
        f"{number(abs(size))} posterior standard deviations {'higher' if size > 0 else 'lower'}, "
        "to first order."
    )


def slope(table: pd.DataFrame, threshold: float) -> str:
    """Whether the average slope is among what the priors move; ``table`` as before."""
    row = table.loc["mu_beta"]
    size = float(row["prior_shift"])
    text = f"The sensitivity of $\\mu_\\beta$ to the priors is {number(float(row['prior']), 3)}, "
    if row["prior"] < threshold:
        return text + (
            f"below {number(threshold)}: the average slope does not hang on how strong they are."
        )
    return text + (
        f"not below {number(threshold)}: twice as strong, they would move its mean by "
        f"{number(size)} posterior standard deviations. The refits below show how much that "
        "matters."
    )


def influence(table: pd.DataFrame, threshold: float) -> str:
    """Which prior moves the average slope most, from :func:`analysis.influence`."""
    first, second = table.index[:2]
    row = table.iloc[0]
    text = (
        f"The prior that moves $\\mu_\\beta$ most is that of {FIELDS[first]} (sensitivity "
        f"{number(float(row['prior']), 3)}), then that of {FIELDS[second]} "
        f"({number(float(table.iloc[1]['prior']), 3)}). "
    )
    if row["prior"] < threshold:
        return text + f"All are below {number(threshold)}."
    above = len(table[table["prior"] >= threshold])
    verb = "reaches" if above == 1 else "reach"
    return text + f"Of {count(len(table), 'prior')} {above} {verb} {number(threshold)}."


def refits(table: pd.DataFrame) -> str:
    """Whether the conclusion on the average slope survives other priors.

    ``table`` is that of :func:`analysis.refits`.
    """
    claim, what = "that the association is {}", "the association"
    said = [evidence_of_sign(p, claim, what) for p in table["positive"]]
    others = table.iloc[1:]
    worst = others["moved"].abs().idxmax()
    moved = abs(float(others.loc[worst, "moved"]))
    text = (
        f"Over the {len(others)} other priors the mean of $\\mu_\\beta$ moves by "
        f"{number(moved)} posterior standard deviations at most (with {name(worst)}), and the "
    )
    low, high = (probability(p) for p in (table["positive"].min(), table["positive"].max()))
    if low == high:
        text += f"probability of a positive slope is {low} under each. "
    else:
        text += f"probability of a positive slope ranges from {low} to {high}. "
    changed = [label for label, words in zip(table.index, said, strict=True) if words != said[0]]
    if not changed:
        text += f"The conclusion stays the same under all of them: {_lower(said[0])}."
    else:
        text += f"As specified, {_lower(said[0])}. The wording would change with {names(changed)}"
        text += (
            ", though the posterior has moved little: the probability is near one of the grades."
            if moved < 0.25
            else ": the conclusion depends on the prior."
        )
    miss = float((others["moved"] - others["foreseen"]).abs().max())
    verdict = "the two agree" if miss < 0.1 else "they do not agree well, and the refits are right"
    return (
        f"{text} Reweighting the draws of the one fit foresaw the moves of the mean to within "
        f"{number(miss)} posterior standard deviations: {verdict}."
    )


def narrowed(prior: ExpectedData, posterior: ExpectedData) -> str:
    """Whether the fitted model makes panels like this one, where the prior made any.

    Both with the ranges of 95 in 100 panels.
    """
    labels = {
        "sd": "standard deviation",
        "between": "share between units",
        "months": "share between months",
        "largest": "largest outcome",
    }
    odd, widths = [], []
    for key in labels:
        after, before = posterior.drawn[key], prior.drawn[key]
        widths.append((after.high - after.low) / (before.high - before.low))
        if not after.low <= posterior.own[key] <= after.high:
            odd.append(labels[key])
    text = (
        "The 95% ranges of the four statistics in panels made by the fitted model are "
        f"{percent(min(widths))} to {percent(max(widths))} as wide as in panels made by its prior. "
    )
    if not odd:
        return text + "The panel's own values lie inside all of them."
    where = "lies outside its range" if len(odd) == 1 else "lie outside their ranges"
    return text + f"The panel's {' and its '.join(odd)} {where}."


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]
