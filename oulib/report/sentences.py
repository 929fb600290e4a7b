"""Sentences about one fit: its gate, its slopes, what it learnt, how it predicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

import numpy as np
import pandas as pd
import xarray as xr

from oulib.posterior.adequacy import MOVED
from oulib.posterior.agreement import Agreement
from oulib.posterior.checks import ADEQUACY, Verdict, labels_in
from oulib.posterior.compare import Difference
from oulib.posterior.effects import Slope, SlopesOfOus
from oulib.posterior.estimate import Estimate, Recovery, Replicated
from oulib.posterior.latent import Reliability
from oulib.posterior.predict import Coverage
from oulib.report.evidence import evidence_of_sign, mostly_prior
from oulib.report.text import (
    count,
    interval,
    name,
    names,
    number,
    percent,
    power_of_ten,
    probability,
    told_apart,
)
from oulib.sampling.diagnostics import Check
from oulib.sampling.fit import Fit, Sampling
from oulib.sampling.looks import Look

CHECK_NAMES = {
    "r_hat": "R-hat",
    "ess_bulk": "bulk ESS",
    "ess_tail": "tail ESS",
    "divergences": "divergences",
    "bfmi": "BFMI",
    "tree_depth": "saturated trees",
    "quadrature": "quadrature error",
    "signs": "probability of a sign that no chain visits",
    "mcse": "Monte Carlo error",
    "persistence": "months that hang together",
    "noise": "unequal noise of units",
    "factor": "a second common movement",
    "tails": "outliers",
    "drift": "levels that move",
    "surveyed": "unequal noise where surveys are",
    "slopes": "surveys against a unit's slope",
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
                text += f" {count(len(ous), 'unit is', 'units are')} affected: {names(ous)}."
        sentences.append(f"{text} {check.advice}")
    return sentences


def passed(verdict: Verdict) -> str:
    """What it means that every check passed, and how many of the model's could not be made."""
    if not verdict.adequacy:
        return (
            "Every check passed, and they are those of the sampler: the panel has too little for "
            "any check of whether the model describes it."
        )
    asked = {check.name for check in verdict.adequacy}
    left = [CHECK_NAMES[name_] for name_ in ADEQUACY if name_ not in asked]
    text = "Every check passed: the chains agree, and nothing was found that could bend the slopes."
    return text + (f" Not checked: {', '.join(left)}." if left else "")


def of_a_part(verdict: Verdict) -> str:
    """Why a model was given up that cannot describe a part of the panel."""
    return (
        f"It {_of_a_part(verdict)}: nothing that it replicates for them is as extreme as the data. "
        "So it was not fitted to the whole panel."
    )


def _of_a_part(verdict: Verdict) -> str:
    return (
        f"cannot describe {count(verdict.part, 'unit')} of the panel, chosen at random "
        f"({names_of_checks(verdict)})"
    )


def verdicts_in_words(table: pd.DataFrame) -> pd.DataFrame:
    """What became of models, as a table shows it: ``sampled``, ``adequate`` and ``failed``.

    ``table`` has a row a model, with those three (the last one names of checks) and ``part``, as
    :func:`oulib.posterior.effects.by_model` gives them.
    """
    whole = table["part"] == 0
    said = {key: table[key].map({True: "yes", False: "no"}) for key in ("sampled", "adequate")}
    return pd.DataFrame(
        {
            "sampled": said["sampled"].where(whole, "not asked"),
            "adequate": said["adequate"].where(table["sampled"] | ~whole, "not asked"),
            "failed": [", ".join(CHECK_NAMES[one] for one in failed) for failed in table["failed"]],
        },
        index=table.index,
    )


def asked_in_part(table: pd.DataFrame) -> str:
    """Which models were given up on a part of the panel; empty if none was; ``table`` as above."""
    part = table[table["part"] > 0]
    if part.empty:
        return ""
    them, were = ("it", "was") if len(part) == 1 else ("they", "were")
    return (
        f"{names(part.index)} {were} first held against "
        f"{count(int(part['part'].iloc[0]), 'unit')}, chosen at random; {them} cannot describe "
        f"those, so {them} {were} not fitted to the whole panel."
    )


def _against_replicates(check: Check) -> str:
    return f"{_as_extreme(check.value)} of what the model replicates is as extreme as the data."


def _moved(check: Check) -> str:
    if not np.isfinite(check.value):
        return "not known."
    value, threshold = told_apart(check.value, check.threshold)
    return (
        f"these slopes and those by surveys alone differ by {value} posterior standard deviations "
        f"of the latter (root mean square over units); where a model is right, by less than "
        f"{threshold} as a rule."
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
    text, before = f"Draws per chain: {_steps(first)}.", first[0]
    for looks in later:
        if looks[0].both > before.both:
            text += (
                " Where surveys hardly tell the two signs of a slope apart, chains do not cross "
                "from one to the other, so they were drawn again with both signs as one in "
                f"{count(looks[0].both, 'unit')}: {_steps(looks)}."
            )
        elif looks[0].max_depth > before.max_depth:
            text += (
                f" Trajectories were cut short at {2**before.max_depth:,} steps, so chains were "
                f"drawn again with up to {2 ** looks[0].max_depth:,}: {_steps(looks)}."
            )
        else:
            text += (
                " Shorter steps may follow the density where trajectories diverge, so chains were "
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
            steps.append(f"{look.draws:,} were stuck at one sign of a slope")
        elif look.failed:
            short = ", ".join(CHECK_NAMES[one] for one in look.failed)
            steps.append(f"{look.draws:,} fell short ({short})")
        else:
            steps.append(f"{look.draws:,} were enough")
    end = {"in vain": ", and more of the same chains could not help", "more": ", the most tried"}
    return f"{', '.join(steps)}{end.get(looks[-1].outcome, '')}"


def population_slope(found: Slope) -> str:
    """The average slope on both scales, and how sure its sign is."""
    beta, effect = found.beta, found.percent
    claim = evidence_of_sign(beta.positive, "that the association is {}", "the association")
    side = "higher" if effect.mean >= 0 else "lower"
    points = f"{found.points:g} {'point' if found.points == 1 else 'points'}"
    return (
        f"Where its survey score is {points} higher, a typical move, the average unit's "
        f"productivity is {number(abs(effect.mean), 1)}% {side} (90% interval "
        f"{interval(effect.low, effect.high, 1)}%); on the standardised scale μ_β is "
        f"{number(beta.mean)} ({interval(beta.low, beta.high)}). "
        f"{claim}: its probability of being positive is {probability(beta.positive)}."
    ).replace("μ_β", r"$\mu_\beta$")


def ou_slopes(found: SlopesOfOus, points: float = 1.0) -> str:
    """How much slopes differ between OUs; effects are those of ``points`` more raw points."""
    clear = found.above + found.below
    text = (
        f"The 90% interval of the slope lies above zero for {found.above} of "
        f"{count(found.ous, 'unit')} and below zero for {found.below}. "
    )
    if clear == 0:
        return text + "No single unit's slope can be told apart from zero."
    if clear > 1:
        text += (
            f"By their own probabilities, {number(found.wrong, 1)} of these {clear} would have the "
            "other sign on average. "
        )
    of = "one point more" if points == 1 else f"{number(points, 2)} points more"
    return text + (
        f"The largest, in either direction, belongs to {name(found.largest)}: "
        f"{number(found.percent, 1)}% for {of} "
        f"(90% interval {interval(found.low, found.high, 1)}%)."
    )


def learnt(distances: Mapping[str, float]) -> str:
    """Which parameters the data moved little, from ``estimate.prior_distances``."""
    led = [label for label, distance in distances.items() if mostly_prior(distance)]
    if not led:
        return "Every parameter shown has left its prior clearly behind: the data have spoken."
    return (
        f"For {names(led, 8)} the posterior lies nearly where the prior does: what is said about "
        f"{'it' if len(led) == 1 else 'them'} is mostly the prior."
    )


def recovered(found: Recovery, what: str) -> str:
    """How many true values lie in their 90% intervals, and whether that number is plausible."""
    text = f"{found.inside} of {found.of} true {what} lie inside their 90% intervals"
    if found.of and found.chance < 0.05:
        return text + ", fewer than chance would explain if the model were right."
    return text + ", about as many as should."


def tail_check(found: Replicated) -> str:
    """Whether the outliers of the outcome are ordinary under the model.

    The statistic is the excess kurtosis of residuals from OU and month means.
    """
    text = (
        f"Once unit and month means are taken off, the outcome has an excess kurtosis of "
        f"{number(found.observed)}; replicates from the fitted model have one of "
        f"{interval(found.low, found.high)} (90% of them). "
    )
    if found.as_high < 0.01:
        return text + "The model does not produce outliers like these: they surprise it."
    if found.as_high > 0.99:
        return text + "The model's tails are heavier than the data's."
    return text + "Outliers like these are ordinary under the model."


def coverages(outcome: Coverage, survey: Coverage) -> str:
    """Coverage of 90% predictive intervals, both observed nodes."""

    def said(found: Coverage) -> str:
        band = f"{percent(found.low)} to {percent(found.high)} of the model's own replicates"
        if found.share > found.high:
            return f"{band}; more than that is no surprise for rows that the fit has seen"
        return f"{band}; " + (
            "they are too narrow" if found.share < found.low else "that is as it should be"
        )

    return (
        f"The 90% predictive intervals hold {percent(outcome.share)} of the outcomes "
        f"({said(outcome)}) and {percent(survey.share)} of the survey scores ({said(survey)})."
    )


def reliability(found: Reliability) -> str:
    """How much of the variance of an observed score is the score and not the sampling of it."""
    share = found.share
    return (
        f"At the median of {number(found.respondents, 0)} respondents a survey's reliability is "
        f"{number(share.mean)} (90% interval {interval(share.low, share.high)}): that share of its "
        "variance is the score; the rest depends on who happened to answer."
    )


def loo(table: pd.DataFrame, model: str, rows: int) -> str:
    """The expected log density of a left-out outcome, the effective parameters, the weak spots."""
    row = table.loc[model]
    text = (
        f"Each predicted without itself, the outcomes have a log density of "
        f"{number(row['elpd'], 0)} in sum (standard error {number(row['se'], 0)}); the model uses "
        f"about {number(row['p'], 0)} effective parameters for {rows:,} rows. "
    )
    bad = int(row["k_too_high"])
    if bad == 0:
        return text + "No row has a Pareto k that would make the estimate doubtful."
    return text + (
        f"For {count(bad, 'row')} the Pareto k is too high (up to {number(row['worst_k'])}), so "
        "the sum is somewhat doubtful: such rows are outliers that the model did not expect."
    )


def gain(step: Difference) -> str:
    """What one model brought over another in log density, or that they tie."""
    amount = f"{number(abs(step.elpd), 1)} (standard error {number(step.se, 1)})"
    if not step.clear:
        small = abs(step.elpd) > 2 * step.se
        why = "is too small for its error to be trusted" if small else "may be chance"
        return f"{name(step.upper)} and {name(step.lower)} tie: a difference of {amount} {why}."
    verb = "better" if step.elpd > 0 else "worse"
    if step.doubtful:
        return (
            f"{name(step.upper)} seems to predict {verb} than {name(step.lower)}, by {amount}; but "
            f"for {count(step.doubtful, 'row')} the Pareto k is too high, so the sum cannot be "
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
    """What replaces conclusions where the gate was not passed."""
    if not verdict.model:
        return "*Withheld: no model holds the licence to be interpreted on this panel.*"
    if verdict.inapplicable or verdict.part:
        return f"*Left out: the {name(verdict.model)} model was not fitted to this panel.*"
    return f"*Withheld: the {name(verdict.model)} model failed its checks on this panel.*"


def lesson(verdict: Verdict) -> str:
    """What replaces conclusions about slopes that something else may have bent."""
    why = names_of_checks(verdict)
    return (
        f"*No conclusion about slopes: the {name(verdict.model)} model was sampled, but it does "
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


def source_of_findings(chosen: Fit, before: Sequence[Verdict], mnar_reason: str = "") -> str:
    """Which model the findings come from, and why not from one that was asked before it."""
    text = f"What follows comes from the model *{name(chosen.spec.name)}*, "
    if chosen.spec.response:
        text += (
            "which supposes that surveys are missing because of what they would have said. The "
            f"reason given for that: {name(mnar_reason)}. No fit can tell the model from its twin, "
            "which supposes that they are not, so both stand in the table below."
        )
    elif before:
        text += "the first, in a fixed order, that holds the whole licence."
    else:
        text += "the first that is asked; it holds the whole licence."
    for verdict in before:
        text += f" The model {name(verdict.model)} {_why_not(verdict)}."
    return text


def _why_not(verdict: Verdict) -> str:
    if verdict.inapplicable:
        return "does not apply to this panel"
    if verdict.part:
        return _of_a_part(verdict)
    if not verdict.sampled:
        return "failed its sampler's checks"
    return f"was sampled, but does not describe this panel ({names_of_checks(verdict)})"


def nothing_passed(verdicts: Sequence[Verdict]) -> str:
    """What a findings page says where no model may be interpreted."""
    text = (
        f"Of the {len(verdicts)} models that were asked none holds the whole licence on this "
        "panel, so nothing is concluded from it here."
    )
    for verdict in verdicts:
        text += f" The model {name(verdict.model)} {_why_not(verdict)}."
    return text


def setting(sampling: Sampling) -> str:
    """How a page was computed; its parameter cell shows the defaults only."""
    first, last = sampling.lengths[0], sampling.lengths[-1]
    draws = (
        f"{last:,} draws" if first == last else f"{first:,} to {last:,} draws, as many as it takes,"
    )
    return (
        f"This page was computed with {count(sampling.chains, 'chain')} of {draws} "
        f"after {sampling.tune:,} of warm-up, and the seed {sampling.seed}."
    )


def settled(label: str, found: Estimate, r_hat: float, truth: float | None = None) -> str:
    """What a slope is once its chains agree, or that they do not; against the truth if known."""
    text = (
        f"Here R-hat of {label} is {number(r_hat)}, its posterior mean {number(found.mean)} and "
        f"its 90% interval {interval(found.low, found.high)}"
    )
    if truth is not None:
        where = "inside" if found.low <= truth <= found.high else "outside"
        text += f"; the true value, {number(truth)}, lies {where} it"
    if r_hat > 1.01:
        return text + ". These chains do not agree either."
    return text + ". The chains agree."


def same_model(found: Agreement) -> str:
    """Whether a model typed in plain PyMC is the one that was fitted."""
    rows = (
        f"At the last draws of {count(found.points, 'chain')} the log densities of "
        f"{count(found.rows, 'row')} under the two models differ by at most "
        f"{power_of_ten(found.density)}"
    )
    priors = (
        f"In {found.draws:,} draws from each prior, the quantity that differs most is "
        f"`{found.furthest}`, by a Kolmogorov-Smirnov distance of {number(found.distance)}; "
        f"between two sets of draws from one prior, the largest distance exceeds "
        f"{number(found.allowed)} less than once in a thousand times"
    )
    if found.same:
        return f"Nothing tells the two apart. {rows}. {priors}."
    wrong = []
    if not found.density <= found.tolerance:
        wrong.append(f"{rows}, and should by no more than {power_of_ten(found.tolerance)}.")
    if found.distance > found.allowed:
        wrong.append(f"{priors}.")
    return f"**These are two models.** {' '.join(wrong)}"
