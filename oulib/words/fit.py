"""Sentences about one fit: its gate, its slopes, what it learnt, how it predicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import binom

from oulib.adequacy import MOVED
from oulib.checks import ADEQUACY, Verdict, labels_in
from oulib.compare import Difference
from oulib.diagnostics import Check
from oulib.fit import Fit
from oulib.looks import Look
from oulib.predict import Coverage
from oulib.words.evidence import evidence_of_sign, mostly_prior
from oulib.words.text import count, interval, name, names, number, percent, probability, told_apart

CHECK_NAMES = {
    "r_hat": "R-hat",
    "ess_bulk": "bulk ESS",
    "ess_tail": "tail ESS",
    "divergences": "divergences",
    "bfmi": "BFMI",
    "tree_depth": "saturated trees",
    "quadrature": "quadrature error",
    "signs": "probability of a sign that chains do not go to",
    "mcse": "Monte Carlo error",
    "persistence": "months that hang together",
    "noise": "unequal noise of OUs",
    "factor": "a second common movement",
    "tails": "outliers",
    "drift": "levels that move",
    "surveyed": "unequal noise where surveys are",
    "slopes": "surveys against an OU's slope",
    "average": "surveys against the average slope",
    "moved": "slopes that surveys alone do not give",
}


def failures(verdict: Verdict) -> list[str]:
    """A sentence for each check that failed: how far, where (which OUs), what to try."""
    sentences = []
    for check in verdict.failed:
        if check.name in ADEQUACY:
            said = _moved(check) if check.name == MOVED else _against_replicates(check)
            text = f"**{CHECK_NAMES[check.name]}**: {said}"
            if check.where:
                text += f" Farthest off: {names(check.where, 4)}."
            sentences.append(f"{text} {check.advice}")
            continue
        bound = "at least" if check.name in ("ess_bulk", "ess_tail", "bfmi") else "at most"
        value, threshold = told_apart(check.value, check.threshold)
        text = (
            f"**{CHECK_NAMES.get(check.name, check.name)}** is {value}, and should be {bound} "
            f"{threshold}."
        )
        if check.where:
            text += f" Worst in {names(check.where, 4)}."
            ous = labels_in(check.where, ("alpha", "beta", "mu_x_ou", "rho_ou"))
            if ous:
                text += f" {count(len(ous), 'OU is', 'OUs are')} affected: {names(ous)}."
        sentences.append(f"{text} {check.advice}")
    return sentences


def passed(verdict: Verdict) -> str:
    """What it means that every check passed, and how many of the model's could not be made."""
    if not verdict.adequacy:
        return (
            "It was sampled: every check passed. The panel has too little for any check of whether "
            "the model describes it."
        )
    asked = {check.name for check in verdict.adequacy}
    left = [CHECK_NAMES[name_] for name_ in ADEQUACY if name_ not in asked]
    text = "It was sampled, and nothing was found that could bend its slopes: every check passed."
    return text + (f" Not asked of it: {', '.join(left)}." if left else "")


def _against_replicates(check: Check) -> str:
    return f"{_as_extreme(check.value)} of what the model replicates is as extreme as the data."


def _moved(check: Check) -> str:
    if not np.isfinite(check.value):
        return "not known."
    value, threshold = told_apart(check.value, check.threshold)
    return (
        f"the two differ by {value} posterior sds of the latter (root mean square over OUs), and "
        f"by less than {threshold}, as a rule, where a model is right."
    )


def _as_extreme(share: float) -> str:
    return "nothing" if share == 0 else percent(share)


def length(verdict: Verdict) -> str:
    """How many draws a chain has, and, where that was not given, how it was found."""
    if not verdict.looks:
        return f"Each chain has {count(verdict.draws, 'draw')}."
    first, *later = [
        list(group)
        for _, group in groupby(
            verdict.looks, key=lambda one: (one.both, one.target_accept, one.max_depth)
        )
    ]
    text, before = f"Draws a chain: {_steps(first)}.", first[0]
    for looks in later:
        if looks[0].both > before.both:
            text += (
                " Chains do not cross from one sign of a slope to the other where surveys hardly "
                "tell the two apart, so they were drawn again with both signs as one in "
                f"{count(looks[0].both, 'OU')}: {_steps(looks)}."
            )
        elif looks[0].max_depth > before.max_depth:
            text += (
                f" Trajectories were cut short at {2**before.max_depth:,} steps, so chains were "
                f"drawn again with up to {2 ** looks[0].max_depth:,}: {_steps(looks)}."
            )
        else:
            text += (
                " Where trajectories diverge, shorter steps may follow the density, so chains were "
                f"drawn again for a target acceptance of {looks[0].target_accept:.2f}: "
                f"{_steps(looks)}."
            )
        before = looks[0]
    return text


def _steps(looks: Sequence[Look]) -> str:
    """The lengths that were tried, and what each fell short of."""
    steps = []
    for look in looks:
        if look.outcome == "caught":
            steps.append(f"{look.draws:,} were caught in the signs of slopes")
        elif look.failed:
            short = ", ".join(CHECK_NAMES[one] for one in look.failed)
            steps.append(f"{look.draws:,} fell short ({short})")
        else:
            steps.append(f"{look.draws:,} were enough")
    end = {"in vain": ", and more of the same chains could not help", "more": ", the most tried"}
    return f"{', '.join(steps)}{end.get(looks[-1].outcome, '')}"


def population_slope(fit: Fit) -> str:
    """The average slope on both scales, and how sure its sign is."""
    beta = fit.posterior["mu_beta"]
    effect = 100 * np.expm1(fit.panel.scale.s_y / fit.panel.scale.s_x * beta)
    low, high = (float(effect.quantile(q)) for q in (0.05, 0.95))
    positive = float((beta > 0).mean())
    claim = evidence_of_sign(positive, "that the association is {}", "the association")
    return (
        f"For the average OU, one more point of the raw survey score goes with "
        f"{number(float(effect.mean()), 1)}% change of productivity (90% interval "
        f"{interval(low, high, 1)}%); on the standardised scale μ_β is "
        f"{number(float(beta.mean()))} ({interval(*map(float, beta.quantile([0.05, 0.95])))}). "
        f"{claim}: the probability of a positive one is {probability(positive)}."
    ).replace("μ_β", r"$\mu_\beta$")


def ou_slopes(table: pd.DataFrame, points: float = 1.0) -> str:
    """How much slopes differ between OUs, from :func:`oulib.effects.effects`."""
    ous = table.drop(index="(mean)")
    up, down = int((ous["beta_q5"] > 0).sum()), int((ous["beta_q95"] < 0).sum())
    text = (
        f"The 90% interval of the slope lies above zero for {up} of {count(len(ous), 'OU')} and "
        f"below zero for {down}. "
    )
    if up + down == 0:
        return text + "No single OU's slope can be told from zero."
    sure = ous["prob_positive"].clip(lower=1 - ous["prob_positive"])
    wrong = float((1 - sure[(ous["beta_q5"] > 0) | (ous["beta_q95"] < 0)]).sum())
    if up + down > 1:
        text += (
            f"By their own probabilities {number(wrong, 1)} of these {up + down} would have the "
            "other sign. "
        )
    top = ous["beta"].abs().idxmax()
    row = ous.loc[top]
    of = "one point" if points == 1 else f"{number(points, 2)} points"
    return text + (
        f"The largest in size belongs to {name(top)}: {number(row['percent'], 1)}% for {of} "
        f"(90% interval {interval(row['percent_q5'], row['percent_q95'], 1)}%)."
    )


def learnt(posterior: Mapping[str, np.ndarray], prior: Mapping[str, np.ndarray]) -> str:
    """Which parameters the data moved little, from draws of both by label."""
    led = [label for label in posterior if mostly_prior(posterior[label], prior[label])]
    if not led:
        return (
            "For every parameter shown the posterior is clearly narrower than its prior: "
            "the data have spoken."
        )
    return (
        f"For {names(led, 8)} the posterior lies nearly where the prior does: what is said about "
        f"{'it' if len(led) == 1 else 'them'} is mostly the prior."
    )


def recovered(summary: pd.DataFrame, truth: pd.Series, what: str) -> str:
    """How many true values lie in their 90% intervals, and whether that number is plausible."""
    both = summary.join(truth.rename("truth"), how="inner")
    inside = int(((both["truth"] >= both["q5"]) & (both["truth"] <= both["q95"])).sum())
    text = f"{inside} of {len(both)} true {what} lie inside their 90% intervals"
    if len(both) and binom.cdf(inside, len(both), 0.9) < 0.05:
        return text + ", fewer than chance explains if the model were right."
    return text + ", about as many as should."


def tail_check(observed: float, replicated: Sequence[float]) -> str:
    """Whether the outliers of the outcome are ordinary under the model.

    The statistic is the excess kurtosis of residuals from OU and month means, of the data and of
    each replicate.
    """
    p = float(np.mean(np.asarray(replicated) >= observed))
    text = (
        f"Without OU and month means the outcome has an excess kurtosis of {number(observed)}; "
        f"replicates from the fitted model have "
        f"{interval(*np.quantile(replicated, [0.05, 0.95]))} (90%). "
    )
    if p < 0.01:
        return text + "The model does not produce outliers like these: they surprise it."
    if p > 0.99:
        return text + "The model's tails are heavier than the data's."
    return text + "Outliers like these are ordinary under the model."


def coverages(outcome: Coverage, survey: Coverage) -> str:
    """Coverage of 90% predictive intervals, both observed nodes."""

    def said(found: Coverage) -> str:
        band = f"{percent(found.low)} to {percent(found.high)} of what it replicates"
        if found.share > found.high:
            return f"{band}: more than that, as it may be for rows that the fit has seen"
        return f"{band}: " + ("too narrow" if found.share < found.low else "as many as should")

    return (
        f"The 90% predictive intervals hold {percent(outcome.share)} of the outcomes "
        f"({said(outcome)}) and {percent(survey.share)} of the survey scores ({said(survey)})."
    )


def reliability(fit: Fit) -> str:
    """How much of the variance of an observed score is the score and not the sampling of it."""
    p, panel = fit.posterior, fit.panel
    n = float(np.median(panel.rows["respondents"].to_numpy()[panel.survey_rows]))
    signal = p["sigma_x"] ** 2 + p["sigma_mu_x"] ** 2
    share = signal / (signal + p["sigma_meas"] ** 2 / max(n, 1))
    low, high = (float(share.quantile(q)) for q in (0.05, 0.95))
    return (
        f"With the median of {number(n, 0)} respondents a survey's reliability is "
        f"{number(float(share.mean()))} (90% interval {interval(low, high)}): that share of its "
        "variance is the score, the rest is who happened to answer."
    )


def loo(table: pd.DataFrame, model: str, rows: int) -> str:
    """The expected log density of a left-out outcome, the effective parameters, the weak spots."""
    row = table.loc[model]
    text = (
        f"Left out one at a time, outcomes have an expected log density of "
        f"{number(row['elpd'], 0)} (standard error {number(row['se'], 0)}) in sum; the model "
        f"spends about "
        f"{number(row['p'], 0)} effective parameters on {rows:,} rows. "
    )
    bad = int(row["k_too_high"])
    if bad == 0:
        return text + "No row has a Pareto k that would make the estimate doubtful."
    return text + (
        f"For {count(bad, 'row')} the Pareto k is too high (up to {number(row['worst_k'])}), so "
        "the sum is somewhat doubtful: such rows are outliers that the model did not expect."
    )


def forms(table: pd.DataFrame, verdicts: dict[str, Verdict]) -> str:
    """Which forms of a model passed the gate, and the smallest effective draws per second."""
    sentences = []
    smallest = table.groupby("form", sort=False)["ess_per_second"].min()
    for form, verdict in verdicts.items():
        outcome = "passes the gate"
        if not verdict.sampled:
            failed = [CHECK_NAMES.get(c.name, c.name) for c in verdict.failed]
            outcome = f"fails the gate ({', '.join(failed)})"
        sentences.append(
            f"The {form} form {outcome}, with {number(smallest[form], 0)} effective draws a "
            "second for its slowest hyperparameter."
        )
    return " ".join(sentences)


def agreement(one: pd.DataFrame, other: pd.DataFrame) -> str:
    """The largest difference of posterior means between two fits, in Monte Carlo errors."""
    both = one.join(other, how="inner", suffixes=("_a", "_b"))
    error = np.hypot(both["mcse_mean_a"], both["mcse_mean_b"])
    gap = ((both["mean_a"] - both["mean_b"]).abs() / error).where(error > 0).dropna()
    sds = ((both["mean_a"] - both["mean_b"]).abs() / both["sd_a"]).loc[gap.index]
    return (
        f"Over {len(gap)} parameters the two posteriors' means differ by "
        f"{number(float(sds.max()), 2)} posterior standard deviations at most, and by "
        f"{number(float(gap.median()), 1)} Monte Carlo standard errors in the median "
        f"({name(gap.idxmax())} differs most, by {number(float(gap.max()), 1)})."
    )


def collapse(form: str, sampled: np.ndarray, closed: np.ndarray) -> str:
    """How well sampled posterior sds of x* follow the closed form, as a ratio."""
    ratio = sampled / closed
    return (
        f"For the {form} scores the ratio of the sampled standard deviation to the closed form "
        f"has a median of {number(float(np.median(ratio)))} and lies between "
        f"{interval(*np.quantile(ratio, [0.05, 0.95]))} for 90% of the rows; what exceeds one is "
        "the uncertainty of the parameters."
    )


def gain(step: Difference) -> str:
    """What one model brought over another in log density, or that they tie."""
    amount = f"{number(abs(step.elpd), 1)} (standard error {number(step.se, 1)})"
    if not step.clear:
        return (
            f"{name(step.upper)} and {name(step.lower)} tie: the difference of {amount} is within "
            "what chance explains."
        )
    verb = "better" if step.elpd > 0 else "worse"
    if step.doubtful:
        return (
            f"{name(step.upper)} seems to predict {verb} than {name(step.lower)}, by {amount}; but "
            f"for {count(step.doubtful, 'row')} the Pareto k is too high, so the sum is not to be "
            "relied on."
        )
    return f"{name(step.upper)} predicts {verb} than {name(step.lower)}, by {amount}."


def so_far(steps: Sequence[Difference], failed: Sequence[str]) -> str:
    """What each step of the ladder brought in LOO, and which models are not in the table."""
    sentences = [gain(step) for step in steps]
    if failed:
        sentences.append(
            f"{names(failed)} did not pass the gate on this panel, and "
            f"{'is' if len(failed) == 1 else 'are'} not compared."
        )
    return " ".join(sentences) or "There is nothing to compare yet."


def withheld(verdict: Verdict) -> str:
    """What stands in the place of conclusions when the gate was not passed."""
    if not verdict.model:
        return "*Withheld: no model holds the licence to be interpreted on this panel.*"
    if verdict.inapplicable:
        return f"*Left out: the {name(verdict.model)} model was not fitted to this panel.*"
    return f"*Withheld: the {name(verdict.model)} model failed its checks on this panel.*"


def lesson(verdict: Verdict) -> str:
    """What stands in the place of conclusions about slopes that something else may have bent."""
    why = names_of_checks(verdict)
    return (
        f"*No conclusion about slopes: the {name(verdict.model)} model was sampled, and does "
        f"not describe this panel ({why}). What is shown of it is a lesson about the model.*"
    )


def names_of_checks(verdict: Verdict) -> str:
    """The checks that failed, by what they are called."""
    return ", ".join(CHECK_NAMES.get(check.name, check.name) for check in verdict.failed)


def truth_series(truth: xr.Dataset, names_: Iterable[str]) -> pd.Series:
    """True values of the named variables, labelled as ``checks.summarise`` labels them."""
    values = {}
    for variable in names_:
        if variable not in truth:
            continue
        array = truth[variable]
        if array.ndim == 0:
            values[variable] = float(array)
            continue
        for place in np.ndindex(*array.shape):
            labels = [
                str(array[dim].to_numpy()[i]) if dim in array.coords else str(i)
                for dim, i in zip(array.dims, place, strict=True)
            ]
            values[f"{variable}[{', '.join(labels)}]"] = float(array.to_numpy()[place])
    return pd.Series(values, dtype=float)
