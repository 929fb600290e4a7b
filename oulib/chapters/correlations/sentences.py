"""Sentences about correlated effects: what the LKJ prior moved, and whether OUs have trends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from oulib.chapters.correlations.analysis import Few
from oulib.posterior.checks import Verdict
from oulib.posterior.estimate import Above, Estimate, Replicated, UnderTwo
from oulib.report.evidence import evidence, evidence_of_sign, mostly_prior
from oulib.report.sentences import CHECK_NAMES
from oulib.report.text import count, interval, name, number, percent, probability

NOUNS = {"alpha": "intercepts", "beta": "slopes", "trend": "trends"}
NOTICED = 0.25
"""A move of this many posterior standard deviations is where a prior begins to show."""


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


def correlation(found: Estimate) -> str:
    """The sign of the correlation between an OU's intercept and its slope."""
    claim = evidence_of_sign(
        found.positive,
        "that intercepts and slopes are {}ly correlated",
        "the correlation of intercepts and slopes",
    )
    return (
        f"The correlation of intercepts and slopes has a posterior mean of "
        f"{number(found.mean)} (90% interval {interval(found.low, found.high)}). {claim}: the "
        f"probability of a positive one is {probability(found.positive)}."
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
        text += "The data decide it, whatever the eta."
    text += (
        f"\n\nFor each standard deviation of its intercept, a unit's slope gains "
        f"{number(first['per_sd'], 3)} under {name(table.index[0])} and "
        f"{number(last['per_sd'], 3)} under {name(table.index[-1])}. "
    )
    return text + _moved(table.drop(index=reference)) + _error(table, reference)


def independent(table: pd.DataFrame, reference: str, other: str) -> str:
    """What leaving the correlation out does to the slopes; rows as in :func:`by_eta`."""
    one, two = table.loc[reference], table.loc[other]
    change = two["sd"] / one["sd"] - 1
    text = (
        f"With independent effects the posterior standard deviations of the slopes average "
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
        return f"{text}: a few units notice, the others do not."
    return f"{text}: what is said about single units is partly the prior."


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


def scales(found: UnderTwo) -> str:
    """What another family of priors does to the OUs' scales, by effect."""
    sentences = []
    for effect, under in found.estimates.items():
        parts = [
            f"{number(scale.mean)} (90% interval {interval(scale.low, scale.high)}) under the "
            f"{prior} prior"
            for prior, scale in under.items()
        ]
        sentences.append(f"The scale of the units' {NOUNS[effect]} is {_and(parts)}.")
    first, second = next(iter(found.estimates.values()))
    claim = (
        f"the choice between {first} and {second} does not matter here"
        if found.apart < NOTICED
        else f"the choice between {first} and {second} shows"
    )
    return " ".join(sentences) + (
        f" The means differ by {number(found.apart)} posterior standard deviations at most: "
        f"{claim}."
    )


def few(found: Few, ous: int) -> str:
    """How much of each correlation's prior is left."""
    parts = [f"{percent(share)} ({pair})" for pair, share in found.left.items()]
    led = len([pair for pair, distance in found.distance.items() if mostly_prior(distance)])
    text = (
        f"With {count(ous, 'unit')} the posterior standard deviations of the "
        f"{count(len(parts), 'correlation')} are {_and(parts)} of the prior's. "
    )
    if led == len(parts):
        text += "All of them are mostly the prior."
    elif led:
        text += f"{led} of them {'is' if led == 1 else 'are'} mostly the prior."
    else:
        text += "The data have moved or narrowed every one of them."
    if found.inside is not None:
        text += (
            f" The 90% intervals hold {found.inside} of {len(parts)} true correlations; they are "
            f"{number(found.width)} wide on average, out of a possible 2."
        )
    return text


def trends(found: Above) -> str:
    """Whether OUs drift apart, by the scale of their trends and a size of it that would matter."""
    after, before, p = found.scalar.after, found.scalar.before, found.after
    text = (
        f"The units' own trends have a scale of {number(after.median)} per standard deviation of "
        f"time (posterior median; 90% interval {interval(after.low, after.high)}; before the data "
        f"{interval(before.low, before.high)}). "
    )
    if p < 0.05:
        claim = evidence(1 - p, "that units hardly drift apart")
    else:
        # The prior alone is nine tenths sure: no weak indications for so little more.
        claim = evidence(p if p > 0.95 else 0.0, "that units have trends of their own")
    return text + (
        f"{claim}: the probability of a scale above {number(found.at, 1)} is {probability(p)}; "
        f"before the data it was {probability(found.before)}."
    )


def trend_check(observed: float, replicated: Mapping[str, Replicated], where: str) -> str:
    """Whether the spread of OUs' trends is ordinary under each model; ``where`` names the panel."""
    text = (
        f"In {where}, the least-squares trends of the units have a standard deviation of "
        f"{number(observed, 3)}. "
    )
    sentences = []
    for model, found in replicated.items():
        ordinary = (
            f"Nine in ten replicates of the model {name(model)} have "
            f"{interval(found.low, found.high, 3)}"
        )
        if found.as_high < 0.05:
            sentences.append(f"{ordinary}: units drift further apart than it expects.")
        elif found.as_high > 0.95:
            sentences.append(f"{ordinary}: units stay closer together than it expects.")
        else:
            sentences.append(f"{ordinary}: it produces units that drift apart like this.")
    return text + " ".join(sentences)


def _and(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
