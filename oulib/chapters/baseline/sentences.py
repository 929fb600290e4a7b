"""Sentences of the chapter on the baseline: slopes of units, alone and in the model."""

from __future__ import annotations

from oulib.chapters.baseline.analysis import Drawn, Scatter
from oulib.report.text import count, interval, number

ENOUGH = 3
"""Of fewer units' slopes it makes no sense to show a population."""


def alone(found: Scatter, units: int) -> str:
    """How many of ``units`` units have a slope of their own, and how much these say."""
    if found.units < ENOUGH:
        return (
            f"Only {found.units} of {count(units, 'unit')} had three surveys that differ, so there "
            "are no slopes of single units to compare."
        )
    which = "All units have" if found.units == units else f"{found.units} of {units:,} units have"
    return (
        f"{which} a slope of their own. These slopes run from {interval(found.low, found.high)}; "
        f"their 90% intervals reach {number(found.half)} to either side in the median, and "
        f"{found.holds_zero} of {found.units} hold zero."
    )


def drawn(found: Drawn) -> str:
    """What the model made of the slopes of single regressions."""
    own, model = found.ranges
    text = (
        f"Alone, the slopes run from {interval(*own)}; in the model those of the same units run "
        f"from {interval(*model)}, around a population mean of {number(found.mean)}."
    )
    if found.without:
        text += (
            f" {count(found.without, 'unit has', 'units have')} too few surveys for a regression, "
            "and a slope in the model all the same."
        )
    return text
