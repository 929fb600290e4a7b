"""Sentences about what draws are draws of: ranks, Monte Carlo error, variational fits."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from oulib.chapters.inference.analysis import Divergences, Held, Precision, Sds
from oulib.chapters.inference.forms import MeansApart
from oulib.posterior.checks import Verdict
from oulib.report.sentences import CHECK_NAMES
from oulib.report.text import count, name, number, percent, told_apart

K_LIMIT = 0.7
"""Pareto k above which an approximation cannot stand for the posterior."""

GROUPS = {
    "sigma_ou": "the scales of the units' effects",
    "corr_ou": "the correlation of intercepts and slopes",
    "mu_beta": "the average slope",
    "sigma_y": "the noise of the outcome",
    "beta": "the units' slopes",
}
"""The variables whose standard deviations are said in words, in this order."""


def signs(verdict: Verdict, what: str) -> str:
    """What a fit's diagnostics look like, whether it passed or not."""
    if verdict.sampled:
        values = {check.name: check for check in verdict.checks}
        r_hat, _ = told_apart(values["r_hat"].value, values["r_hat"].threshold)
        return (
            f"{what}: no check failed. The largest R-hat is {r_hat}, the smallest bulk ESS "
            f"{number(values['ess_bulk'].value, 0)}, the smallest tail ESS "
            f"{number(values['ess_tail'].value, 0)}; there are no divergences, and the smallest "
            f"BFMI is {number(values['bfmi'].value)}."
        )
    failed, well = list[str](), list[str]()
    for check in verdict.checks:
        label = CHECK_NAMES.get(check.name, check.name)
        value, threshold = told_apart(check.value, check.threshold)
        if check.name.startswith("ess"):
            value = number(check.value, 0)
        (well if check.passed else failed).append(f"{label} {value} (limit {threshold})")
    text = f"{what}: it fails on {_listed(failed)}"
    return text + (f", and passes on {_listed(well)}." if well else ".")


def ranks(outside: Mapping[str, float]) -> str:
    """How many bars of the rank plots lie outside the band, shares by what was plotted."""
    parts = [f"{percent(share)} ({what})" for what, share in outside.items()]
    return (
        "With independent draws about a tenth of the bars would lie outside the band; here it is "
        f"{_listed(parts)}."
    )


def divergences(found: Divergences) -> str:
    """Where the transitions diverged, and what part of the posterior was hardly visited."""
    if not found.diverging:
        text = "No transition diverged in this run."
    else:
        text = (
            f"{count(found.diverging, 'transition')} of {found.transitions:,} diverged, "
            f"{percent(found.below)} of them in the lower half of the run's draws of the scale"
        )
        text += (
            ", where the funnel is narrow."
            if found.below > 0.6
            else ": they do not sit in the neck alone."
        )
    text += (
        f" The lowest tenth of the scale's posterior, by the better form, received "
        f"{percent(found.visited)} of this run's draws"
    )
    if found.visited < 0.07:
        return text + ": part of the posterior is missing from it."
    if found.visited > 0.13:
        return text + ": too many, because the run was stuck there."
    return text + ", about its share."


def forms(slowest: Mapping[str, float], verdicts: Mapping[str, Verdict]) -> str:
    """Which forms of a model passed the gate, and the smallest effective draws per second."""
    sentences = []
    for form, verdict in verdicts.items():
        outcome = "was sampled properly"
        if not verdict.sampled:
            failed = [CHECK_NAMES.get(c.name, c.name) for c in verdict.failed]
            outcome = f"fails the gate ({', '.join(failed)})"
        speed = slowest[form]
        shown = number(speed, 0) if speed >= 10 else f"{speed:.1g}"
        sentences.append(
            f"The {form} form {outcome}; its slowest hyperparameter gets {shown} effective draws a "
            "second."
        )
    return " ".join(sentences)


def agreement(found: MeansApart) -> str:
    """The largest difference of posterior means between two fits, in Monte Carlo errors."""
    return (
        f"The posterior means of {count(found.parameters, 'parameter')} differ between the two "
        f"forms by at most {number(found.sds)} posterior standard deviations. The median "
        f"difference is {number(found.errors, 1)} Monte Carlo standard errors, the largest "
        f"{number(found.worst, 1)}, in {name(found.where)}."
    )


def falling(errors: pd.DataFrame, powers: Mapping[str, float]) -> str:
    """How Monte Carlo error falls with draws, from ``monte_carlo_error`` and ``exponent``."""
    first, last = errors.index[0], errors.index[-1]
    parts = []
    for column, what in (("mean", "posterior mean"), ("quantile", "5% quantile")):
        parts.append(
            f"that of the {what} from {number(errors[column].iloc[0], 3)} to "
            f"{number(errors[column].iloc[-1], 3)} posterior standard deviations "
            f"(power {number(powers[column])})"
        )
    text = (
        f"From {first:,} to {last:,} draws the typical distance to the reference run falls: "
        f"{parts[0]}, {parts[1]}. "
    )
    usual = all(abs(powers[column] + 0.5) < 0.15 for column in ("mean", "quantile"))
    text += (
        "That is the square root that theory promises, within the noise of a single run. "
        if usual
        else "That is not the power of −0.5 that theory promises; a single run is noisy, and short "
        "prefixes may still remember where the chains began. "
    )
    ratio = errors["mean"] / errors["mean_mcse"]
    low, high = float(ratio.min()), float(ratio.max())
    return text + (
        f"For the mean the distance found is {number(low)} to {number(high)} times the error that "
        "the draws themselves announce."
    )


def precision(found: Precision) -> str:
    """The Monte Carlo error of posterior means beside the posterior's own width."""
    text = (
        f"Over {count(found.parameters, 'parameter')} the Monte Carlo standard error of the mean "
        f"is {percent(found.median)} of the posterior standard deviation in the median and "
        f"{percent(found.most)} at most (for {name(found.where)}): "
    )
    if found.most < 0.05:
        return text + "two digits of every mean can be trusted."
    return text + "the first digit of some means is still moving; more draws would settle it."


def sds(found: Sds, form: str) -> str:
    """Which standard deviations a variational fit gets wrong, those of :data:`GROUPS` in words."""
    parts = []
    for group, what in GROUPS.items():
        if group not in found.groups:
            continue
        ratio = found.groups[group].by_label
        values = list(ratio.values())
        if len(values) == 1:
            parts.append(f"{what} {number(values[0])}")
        elif len(values) == 2:
            pair = [f"{number(v)} for {name(p)}" for p, v in ratio.items()]
            parts.append(f"{what} {' and '.join(pair)}")
        else:
            parts.append(
                f"{what} {number(found.groups[group].median)} in the median "
                f"({number(min(values))} to {number(max(values))})"
            )
    text = (
        f"The {form} fit's standard deviations, as a share of those by NUTS, are: "
        f"{'; '.join(parts)}. "
        f"Of {count(found.parameters, 'parameter')}, {found.low} have a standard deviation more "
        f"than a tenth too small and {found.high} one more than a tenth too large; the smallest "
        f"share is {number(found.least)}, for {name(found.where)}. "
    )
    return text + (
        f"Its means are off by {number(found.shift)} standard deviations "
        f"in the median and by {number(found.most_shift)} at most, for {name(found.shifted)}."
    )


def held(found: Held, form: str) -> str:
    """What the approximation's nominal 90% intervals hold: of the posterior, and of the truth."""
    text = (
        f"The {form} fit's 90% intervals hold {percent(found.mean)} of the "
        f"posterior on average over all parameters, {percent(found.least)} for "
        f"{name(found.where)}, where it is worst, and {percent(found.slopes)} for the slopes of "
        "the units. "
    )
    if found.least < 0.8:
        text += "An interval that calls itself 90% and is not is worse than none. "
    else:
        text += "None of them is far from what it claims. "
    of, every = found.true_slopes, found.true
    if of is None or every is None:
        return text.strip()
    return text + (
        f"Of the {of.of} true slopes {of.approximate} lie inside its intervals and "
        f"{of.nuts} inside those by NUTS; of all {every.of} true values "
        f"{every.approximate} and {every.nuts}. One panel cannot "
        "tell a coverage of 90% from one of 80% by counting; the share of the posterior can."
    )


def trusted(ks: Mapping[str, float]) -> str:
    """Whether importance weights would have warned of each approximation, Pareto k by form."""
    parts = [f"{number(k)} for the {form} fit" for form, k in ks.items()]
    bad = [form for form, k in ks.items() if not k <= K_LIMIT]
    text = f"Pareto k is {_listed(parts)}. "
    if not bad:
        return text + f"None is above {K_LIMIT}: reweighted, each could stand for the posterior."
    return text + (
        f"Above {K_LIMIT} an approximation cannot even be repaired by reweighting its draws, which "
        f"rules out the {_listed(bad)} fit{'s' if len(bad) > 1 else ''}."
    )


def floor(errors: pd.DataFrame, approximate: pd.DataFrame) -> str:
    """That more draws of an approximation do not help, from two ``monte_carlo_error`` tables."""
    last, stuck = float(errors["mean"].iloc[-1]), float(approximate["mean"].iloc[-1])
    text = (
        f"At {errors.index[-1]:,} draws the means by NUTS are typically {number(last, 3)} "
        "posterior standard deviations from the reference, and the approximation's "
        f"{number(stuck, 3)} at {approximate.index[-1]:,}"
    )
    if stuck > 3 * last:
        return text + ". That is not Monte Carlo error, and no number of draws will remove it."
    return text + ": here the approximation's own error hardly shows beside that of its draws."


def replicates(coverage: Mapping[str, float]) -> str:
    """How well replicates by each fit cover the outcomes, shares of 90% intervals by fit."""
    parts = [f"{percent(share)} by {form}" for form, share in coverage.items()]
    text = f"Of the outcomes the 90% predictive intervals hold {_listed(parts)}. "
    if max(coverage.values()) - min(coverage.values()) < 0.03:
        return text + (
            "The check sees no difference: a row's own noise hides what the intervals of the "
            "parameters get wrong."
        )
    return text + "Here the difference between the fits reaches the data."


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
