"""Sentences about two levels of pooling: sites, their OUs, and OUs without a history."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from oulib.chapters.sites.analysis import Newcomer
from oulib.posterior.estimate import Above, Replicated, UnderTwo
from oulib.report.evidence import evidence, mostly_prior
from oulib.report.text import interval, number, percent, probability

NOUNS = {"alpha": "intercepts", "beta": "slopes"}


def where_to(table: pd.DataFrame) -> str:
    """Where OUs are drawn to with one level and with two, from ``pooling.shrinkage``."""
    sentences = []
    for name, row in table.iterrows():
        nearer = row["to_site_two"] < row["to_site_one"]
        text = (
            f"On average the units' {NOUNS[name]} lie {number(row['to_site_one'], 3)} from their "
            f"site's mean with one level and {number(row['to_site_two'], 3)} with two, and "
            f"{number(row['to_mean_one'], 3)} and {number(row['to_mean_two'], 3)} from the "
            f"population's mean: the second level draws them "
            f"{'closer to' if nearer else 'no closer to'} their site. "
        )
        change = row["sd_two"] / row["sd_one"] - 1
        text += (
            f"Their posterior standard deviation averages {number(row['sd_one'], 3)} with one "
            f"level and {number(row['sd_two'], 3)} with two"
        )
        text += ", hardly a difference." if abs(change) < 0.02 else f" ({_change(change)})."
        if "error_one" in table:
            change = row["error_two"] / row["error_one"] - 1
            text += (
                f" Against the truth, the root mean squared error is {number(row['error_one'], 3)} "
                f"with one level and {number(row['error_two'], 3)} with two"
            )
            text += ", hardly a difference." if abs(change) < 0.02 else f" ({_change(change)})."
        sentences.append(text)
    return "\n\n".join(sentences)


def between(name: str, found: Above) -> str:
    """How much of the OUs' variance lies between sites, and what the data had to do with it.

    ``name`` is ``alpha`` or ``beta``.
    """
    after, before = found.scalar.after, found.scalar.before
    p, p_0 = found.after, found.before
    noun = NOUNS[name]
    text = (
        f"About {percent(after.median)} of the variance of the units' {noun} lies between sites "
        f"(posterior median; 90% interval {percent(after.low)} to {percent(after.high)}). "
        f"Before the data that interval was {percent(before.low)} to {percent(before.high)}"
    )
    narrower = (after.high - after.low) / (before.high - before.low)
    text += (
        ": what is said here is mostly the prior. "
        if mostly_prior(found.scalar.distance)
        else f"; it is now {percent(narrower)} as wide. "
    )
    if p < 0.05:
        claim = evidence(1 - p, f"that sites hardly differ in their {noun}")
    else:
        # The prior alone is nine tenths sure: no weak indications for so little more.
        claim = evidence(p if p > 0.95 else 0.0, f"that sites differ in their {noun}")
    return text + (
        f"{claim}: the probability that at least {percent(found.at)} of the variance lies between "
        f"them is {probability(p)}, and was {probability(p_0)} before the data."
    )


def newcomer(found: Mapping[str, Newcomer]) -> str:
    """How much the site says about an OU without a history, by effect."""
    sentences = []
    for name, noun in (("alpha", "intercept"), ("beta", "slope")):
        known, without = found[name].known, found[name].one_level
        change = known / without - 1
        if change < -0.05:
            gain = f"knowing the site removes {percent(-change)} of the uncertainty"
        elif change > 0.05:
            gain = (
                f"it is {percent(change)} wider in a known site, because the model with two levels "
                "also admits how little is known of the sites"
            )
        else:
            gain = "knowing the site says next to nothing"
        sentences.append(
            f"The predictive standard deviation of the {noun} of a unit without a history is "
            f"{number(known)} in a known site, on average, and {number(without)} in the model with "
            f"one level: {gain}. In a site that the panel does not have it is "
            f"{number(found[name].elsewhere)}."
        )
    return "\n\n".join(sentences)


def site_check(observed: float, replicated: Mapping[str, Replicated]) -> str:
    """Whether sites as different as the panel's are ordinary under each model.

    ``observed`` is the share of the variance between OUs' mean outcomes that lies between sites,
    ``replicated`` the same in panels of other OUs, by what the model is called.
    """
    if not np.isfinite(observed):
        return "The panel has too few units a site for this check."
    text = f"{percent(observed)} of the variance of the units' mean outcomes lies between sites. "
    for model, found in replicated.items():
        p = found.as_high
        text += (
            f"In panels of other units made by the model with {model} the share is "
            f"{percent(found.low)} to {percent(found.high)} nine times in ten; "
        )
        if p < 0.05:
            text += (
                f"sites as different as these arise with probability {probability(p)}: they "
                "surprise it. "
            )
        elif found.as_low < 0.05:
            text += "sites as alike as these surprise it. "
        else:
            text += f"sites like these are ordinary (probability {probability(p)} of more). "
    return text.strip()


def scale_priors(found: UnderTwo) -> str:
    """What another family of priors does to the site scales."""
    sentences = []
    for effect, noun in NOUNS.items():
        parts = [
            f"{number(scale.mean)} (90% interval {interval(scale.low, scale.high)}) under the "
            f"{prior} prior"
            for prior, scale in found.estimates[effect].items()
        ]
        sentences.append(f"The site scale of the {noun} is " + " and ".join(parts) + ".")
    claim = (
        "the choice of the prior does not matter here"
        if found.apart < 0.25
        else "the choice of the prior shows, as it does where sites are few"
    )
    return " ".join(sentences) + (
        f" The means differ by {number(found.apart)} posterior standard deviations at most: "
        f"{claim}."
    )


def _change(share: float) -> str:
    return f"{percent(abs(share))} {'less' if share < 0 else 'more'}"
