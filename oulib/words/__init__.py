# ruff: noqa: F401 - what the package offers
"""Sentences about a panel or a fit, derived from it: true of whatever was fitted.

Every function returns Markdown.  Names from the data pass through :func:`name`, so that no
label can become markup.  A file a subject: a chapter's own sentences stand in a file of its own.
"""

from oulib.words import (
    comparison,
    correlations,
    covariates,
    findings,
    hijacks,
    inference,
    missing,
    nonresponse,
    operating,
    planning,
    pooling,
    priors,
    sensitivity,
    states,
)
from oulib.words.fit import (
    CHECK_NAMES,
    agreement,
    collapse,
    coverages,
    failures,
    forms,
    gain,
    learnt,
    length,
    lesson,
    loo,
    names_of_checks,
    ou_slopes,
    passed,
    population_slope,
    recovered,
    reliability,
    so_far,
    tail_check,
    truth_series,
    withheld,
)
from oulib.words.months import (
    autocorrelation_check,
    between_waves,
    one_sign,
    persistent,
    scale_of_months,
    size_of_movement,
)
from oulib.words.outliers import (
    beyond_check,
    heavy_tails,
    outlying_rows,
    pulled,
    settled,
    signs_by_chain,
    slopes_moved,
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
