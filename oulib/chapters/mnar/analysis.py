"""What a response part changes, and its missing-at-random twin, which fits as well."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from scipy import special

from oulib.posterior.checks import summarise
from oulib.posterior.estimate import SAMPLES
from oulib.sampling.density import RowDensity, row_density, thinned
from oulib.sampling.fit import Fit

_NODES = 801
_REACH = 9.0  # sds of the score beyond the outermost mean


def side_by_side(without: Fit, within: Fit, variables: Sequence[str]) -> pd.DataFrame:
    """The scalars of ``variables`` in a fit without a response part and in one with it.

    Columns ``mean_without``, ``sd_without``, ``mean_within`` and ``sd_within``; the index spells
    each place out, as in :func:`oulib.posterior.checks.summarise`.
    """
    tables = []
    for suffix, fit in (("_without", without), ("_within", within)):
        table = summarise(fit)[["mean", "sd"]]
        variable = table.index.str.partition("[").get_level_values(0)
        tables.append(table[variable.isin(variables)].add_suffix(suffix))
    return tables[0].join(tables[1], how="inner")


def stories(fit: Fit, rows: np.ndarray, *, draws: int = 16) -> xr.Dataset:
    """:func:`two_stories` of unanswered ``rows`` at about ``draws`` posterior draws.

    ``node`` has the coordinate ``x``, the places of the score, the same for all rows.
    """
    r = row_density(fit, thinned(fit.posterior, draws), rows)
    sd = np.sqrt(r.var)
    low, high = float((r.mean - _REACH * sd).min()), float((r.mean + _REACH * sd).max())
    x = np.linspace(low, high, _NODES)
    return two_stories(r, xr.DataArray(x, dims="node", coords={"x": ("node", x)}))


def two_stories(r: RowDensity, x: xr.DataArray) -> xr.Dataset:
    """Two models of planned rows that nobody answered, told apart by nothing that was observed.

    In the model the chance of an answer depends on the score.  Its twin (Molenberghs et al., 2008)
    gives the score the distribution that it has in answered rows with the same outcome,
    p(x* | y_i, R_i = 1), and leaves outcome and response the joint probability that they have;
    the chance of an answer then depends on the outcome alone, and the scores are missing at
    random.

    Args:
        r: rows that were planned and not answered.
        x: places of the score, dim ``node``, at even distances and far into both tails.

    Returns:
        For ``story`` mnar and mar: ``score``, the density of x* given what was observed, and
        ``refusal``, P(R_i = 0 | x*, y_i), both over ``node``; and ``observed``,
        log p(y_i, R_i = 0), each story's own sum over the scores.  Equations (6.4)
        (``eq-twin``) and (6.5) (``eq-twin-observed``).
    """
    mesh = float(x[1] - x[0])

    def total(terms: xr.DataArray) -> xr.DataArray:
        summed = xr.apply_ufunc(
            special.logsumexp, terms, input_core_dims=[["node"]], kwargs={"axis": -1}
        )
        return summed + np.log(mesh)

    scores = -0.5 * ((x - r.mean) ** 2 / r.var + np.log(2 * np.pi * r.var))
    with_outcome = scores + r.log_outcome(x)
    refused = with_outcome + r.log_response(x)
    answered = with_outcome + r.answered().log_response(x)
    log_refused, log_answered = total(refused), total(answered)
    log_outcome = np.logaddexp(log_refused, log_answered)
    # Each story as p(y) p(x* | y) P(R = 0 | x*, y): the distribution of the score in all rows with
    # this outcome, and the chance of silence.
    given = {"mnar": with_outcome - log_outcome, "mar": answered - log_answered}
    refusal = {"mnar": r.log_response(x), "mar": log_refused - log_outcome}
    told = []
    for story in given:
        complete = log_outcome + given[story] + refusal[story]
        observed = total(complete)
        told.append(
            xr.Dataset(
                {
                    "score": np.exp(complete - observed),
                    "refusal": np.exp(refusal[story]),
                    "observed": observed,
                }
            )
        )
    return xr.concat(told, dim=pd.Index(list(given), name="story"))


def typical(draws: xr.DataArray) -> int:
    """Position of the row whose posterior mean is the median one; draws (chain, draw, row)."""
    mean = draws.mean(SAMPLES).to_numpy()
    return int(np.argsort(mean)[mean.size // 2])
