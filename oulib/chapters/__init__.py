# ruff: noqa: F401 - what the package offers
"""One chapter's own: what it works out (``analysis``), what it draws, what it says.

A folder a chapter, named for its subject; nothing outside imports them, but for notebooks.
"""

from oulib.chapters import (
    ar1,
    baseline,
    comparison,
    correlations,
    covariates,
    findings,
    inference,
    licence,
    missing,
    misspecification,
    mnar,
    next_survey,
    panel,
    priors,
    sensitivity,
    sites,
    states,
    student_t,
    summary,
)
