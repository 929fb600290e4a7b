# ruff: noqa: F401 - what the package offers
"""How anything is said or drawn: sentences, figures and grades of evidence that chapters share.

Every sentence is Markdown, derived from a panel or a fit: true of whatever was fitted.  Names from
the data pass through :func:`name`, so that no label can become markup.  Every figure is one
function, in one style; nothing is estimated here.  Alternative texts belong to the notebook cells
(``mystnb.image.alt``), where the page builder looks for them.  The banner, and how a chapter uses
all this, is :mod:`oulib.report.chapter`.
"""

from oulib.report.figures import (
    by_chain,
    forest,
    latent_path,
    month_effects,
    outcome_bands,
    outcome_replicates,
    posterior_against_prior,
    replicated_statistic,
    slopes_of_two,
    traces,
)
from oulib.report.sentences import (
    CHECK_NAMES,
    asked_in_part,
    coverages,
    failures,
    gain,
    learnt,
    length,
    lesson,
    loo,
    names_of_checks,
    nothing_passed,
    of_a_part,
    ou_slopes,
    passed,
    population_slope,
    recovered,
    reliability,
    same_model,
    setting,
    settled,
    so_far,
    source_of_findings,
    tail_check,
    truth_series,
    verdicts_in_words,
    withheld,
)
from oulib.report.style import (
    COLOURS,
    by_month,
    month_axis,
    plain,
    use_style,
)
from oulib.report.symbols import symbol
from oulib.report.text import (
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
