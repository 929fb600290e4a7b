# ruff: noqa: F401 - what the package offers
"""One function a figure, in one style; nothing is estimated here.

Every function returns the matplotlib figure it drew.  Alternative texts belong to the notebook
cells (``mystnb.image.alt``), where the page builder looks for them.  A file a subject, as in
:mod:`oulib.words`.
"""

from matplotlib import pyplot as plt

from oulib.plots import (
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
from oulib.plots.fit import (
    collapse,
    forest,
    forms,
    latent_path,
    month_effects,
    outcome_bands,
    outcome_replicates,
    posterior_against_prior,
    traces,
)
from oulib.plots.months import common_movement
from oulib.plots.outliers import (
    by_chain,
    quadrature_errors,
    replicated_statistic,
    row_weights,
    slopes_of_two,
)
from oulib.plots.panel import outcome_over_time, residual_quantiles, response_rates, survey_map
from oulib.plots.style import COLOURS, by_month, month_axis, plain, use_style
