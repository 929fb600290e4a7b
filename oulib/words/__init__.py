"""Sentences about a panel or a fit, derived from it: true of whatever was fitted.

Every function returns Markdown.  Names from the data pass through :func:`name`, so that no
label can become markup.  A file a subject: a chapter's own sentences stand in a file of its own.
"""

from oulib.words.fit import (
    CHECK_NAMES,
    agreement,
    collapse,
    coverages,
    failures,
    forms,
    loo,
    mostly_prior,
    ou_slopes,
    population_slope,
    recovered,
    reliability,
    tail_check,
    truth_series,
    withheld,
)
from oulib.words.panel import persistence, response, schedule, setting, sites, size, surveys, tails
from oulib.words.text import (
    count,
    interval,
    lines,
    name,
    names,
    number,
    percent,
    probability,
    versions,
)

__all__ = [
    "CHECK_NAMES",
    "agreement",
    "collapse",
    "count",
    "coverages",
    "failures",
    "forms",
    "interval",
    "lines",
    "loo",
    "mostly_prior",
    "name",
    "names",
    "number",
    "ou_slopes",
    "percent",
    "persistence",
    "population_slope",
    "probability",
    "recovered",
    "reliability",
    "response",
    "schedule",
    "setting",
    "sites",
    "size",
    "surveys",
    "tail_check",
    "tails",
    "truth_series",
    "versions",
    "withheld",
]
