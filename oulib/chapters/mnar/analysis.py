"""What a response part changes, and its missing-at-random twin, which fits as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy import special

from oulib.model.draws.density import RowDensity, row_density, thinned
from oulib.posterior.checks import summarise
from oulib.posterior.estimate import SAMPLES, Estimate, estimate, prior_distance
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
    log_outcome = xr.ufuncs.logaddexp(log_refused, log_answered)
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


@dataclass(frozen=True)
class Dependence:
    """How answering depends on the score.

    ``rho`` is the coefficient of the score, per sd, on the logit of an answer, ``distance`` how far
    it lies from its prior in sds of that, and ``truth`` its true value, where that is known.  In an
    average OU and wave a survey is answered with probability ``below`` where the score is one sd
    under the observed surveys' mean, and ``above`` where it is one over it.
    """

    rho: Estimate
    distance: float
    below: float
    above: float
    truth: float | None


def dependence(fit: Fit) -> Dependence:
    """How answering depends on the score, in a model with a response part."""
    p, truth = fit.posterior, fit.panel.truth
    prior = fit.spec.priors.rho_x * special.ndtri((np.arange(2000) + 0.5) / 2000)
    below, above = (
        float((1 / (1 + np.exp(-(p["rho_0"] + p["rho_x"] * x)))).mean()) for x in (-1.0, 1.0)
    )
    return Dependence(
        rho=estimate(p["rho_x"]),
        distance=prior_distance(p["rho_x"], prior),
        below=below,
        above=above,
        truth=float(truth["rho_x"]) if truth is not None and "rho_x" in truth else None,
    )


@dataclass(frozen=True)
class Scores:
    """The scores of ``rows`` rows under one model, in sds of the score.

    ``average`` is their mean over the rows, ``truth`` the true one; ``error`` is the root mean
    squared error of the posterior means, row by row.  NaN where no truth is known.
    """

    rows: int
    average: Estimate
    truth: float
    error: float


def scores(draws: xr.DataArray, truth: np.ndarray | None = None) -> Scores:
    """What draws (chain, draw, row) say of scores; ``truth`` has those of the same rows."""
    found = draws.sizes["row"], estimate(draws.mean("row"))
    if truth is None:
        return Scores(*found, np.nan, np.nan)
    off = draws.mean(SAMPLES).to_numpy() - truth
    return Scores(*found, float(truth.mean()), float(np.sqrt(np.mean(off**2))))


@dataclass(frozen=True)
class StoriesApart:
    """The largest difference of two stories' log densities over ``rows`` rows and ``draws`` draws.

    Of what was observed, in nats.
    """

    rows: int
    draws: int
    most: float


def stories_apart(observed: xr.DataArray) -> StoriesApart:
    """How far two stories' log densities are apart, dims ``story``, samples and ``row``."""
    gap = abs(observed.sel(story="mnar") - observed.sel(story="mar"))
    samples = observed.sizes["chain"] * observed.sizes["draw"]
    return StoriesApart(observed.sizes["row"], samples, float(gap.max()))


@dataclass(frozen=True)
class Twins:
    """The mean of the unanswered scores under two stories, their difference, and the truth.

    In sds of the score; ``gap`` is that of mnar less that of mar, ``truth`` None where not known.
    """

    mnar: float
    mar: float
    gap: Estimate
    truth: float | None


def twins(mnar: xr.DataArray, mar: xr.DataArray, truth: np.ndarray | None = None) -> Twins:
    """What two stories say of the unanswered scores; draws (chain, draw, row)."""
    return Twins(
        mnar=float(mnar.mean()),
        mar=float(mar.mean()),
        gap=estimate(mnar.mean("row") - mar.mean("row")),
        truth=None if truth is None else float(truth.mean()),
    )


@dataclass(frozen=True)
class AllPlanned:
    """The mean score of those who answered, and of all planned rows under two stories.

    In sds of the score; ``silent`` is the share of planned rows without an answer.
    """

    silent: float
    answered: Estimate
    mnar: Estimate
    mar: Estimate


def all_planned(mnar: xr.DataArray, mar: xr.DataArray, answered: xr.DataArray) -> AllPlanned:
    """The mean score over all planned rows.

    ``mnar`` and ``mar`` are draws in the unanswered rows, ``answered`` in the answered ones, all
    (chain, draw, row).
    """
    n, m = mnar.sizes["row"], answered.sizes["row"]
    seen = answered.mean("row")
    whole = [(n * story.mean("row") + m * seen) / (n + m) for story in (mnar, mar)]
    return AllPlanned(n / (n + m), *(estimate(mean) for mean in (seen, *whole)))


@dataclass(frozen=True)
class ResponseRate:
    """The response rate, averaged over ``waves`` waves, and its 90% band in replicates.

    The rates of ``inside`` waves lie in their own bands.
    """

    waves: int
    rate: float
    low: float
    high: float
    inside: int


def response_rate(observed: np.ndarray, replicates: np.ndarray) -> ResponseRate:
    """Rates of waves (wave) beside the same in replicates (sample, wave)."""
    low, high = np.quantile(replicates, [0.05, 0.95], axis=0)
    inside = int(((observed >= low) & (observed <= high)).sum())
    low, high = map(float, np.quantile(replicates.mean(axis=1), [0.05, 0.95]))
    return ResponseRate(observed.size, float(observed.mean()), low, high, inside)
