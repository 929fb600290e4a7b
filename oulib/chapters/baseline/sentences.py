"""Sentences of the chapter on the baseline: its forms, and how far chains may be believed."""

from __future__ import annotations

from collections.abc import Mapping

from oulib.chapters.baseline.analysis import Alone, MeansApart
from oulib.posterior.checks import Verdict
from oulib.posterior.estimate import Estimate
from oulib.report.sentences import CHECK_NAMES
from oulib.report.text import count, interval, name, number


def forms(slowest: Mapping[str, float], verdicts: Mapping[str, Verdict]) -> str:
    """Which forms of a model passed the gate, and the smallest effective draws per second."""
    sentences = []
    for form, verdict in verdicts.items():
        outcome = "passes the gate"
        if not verdict.sampled:
            failed = [CHECK_NAMES.get(c.name, c.name) for c in verdict.failed]
            outcome = f"fails the gate ({', '.join(failed)})"
        sentences.append(
            f"The {form} form {outcome}, with {number(slowest[form], 0)} effective draws a "
            "second for its slowest hyperparameter."
        )
    return " ".join(sentences)


def agreement(found: MeansApart) -> str:
    """The largest difference of posterior means between two fits, in Monte Carlo errors."""
    return (
        f"Over {found.parameters} parameters the two posteriors' means differ by "
        f"{number(found.sds, 2)} posterior standard deviations at most, and by "
        f"{number(found.errors, 1)} Monte Carlo standard errors in the median "
        f"({name(found.where)} differs most, by {number(found.worst, 1)})."
    )


def collapse(form: str, ratio: Estimate) -> str:
    """How well sampled posterior sds of x* follow the closed form, as a ratio over the rows."""
    return (
        f"For the {form} scores the ratio of the sampled standard deviation to the closed form "
        f"has a median of {number(ratio.median)} and lies from "
        f"{interval(ratio.low, ratio.high)} for 90% of the rows; what exceeds one is "
        "the uncertainty of the parameters."
    )


ENOUGH = 3
"""Of fewer units' slopes it makes no sense to show a population."""


def alone(found: Alone, units: int) -> str:
    """How many of ``units`` units have a slope of their own, and which figure pools them."""
    own = len(found.names)
    if own < ENOUGH:
        return (
            f"Only {own} of {count(units, 'unit')} had three surveys that differ, so that there "
            "are no slopes of single units to pool here."
        )
    which = "All units have" if own == units else f"{own} of {count(units, 'unit')} have"
    return (
        f"{which} a slope of their own, with a standard error of {number(found.typical)} in the "
        "median. {numref}`fig-pooling` pools them as little or as much as one likes."
    )
