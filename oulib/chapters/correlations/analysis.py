"""Correlated effects: the LKJ prior by itself, what it does to slopes, and a third effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr
from scipy import stats

from oulib.model.groups import TREND, time
from oulib.panel import Panel
from oulib.posterior.estimate import SAMPLES, prior_distance
from oulib.sampling.fit import Fit

RELEVANT = 0.1
"""A scale of trends, per sd of time, below which OUs are said to hardly drift apart."""


def prior_draws(
    sizes: Sequence[int], etas: Sequence[float], *, draws: int = 4000, seed: int = 0
) -> dict[tuple[int, float], np.ndarray]:
    """Correlation matrices (draws, n, n) from PyMC's LKJ prior, by dimension n and eta.

    PyMC's distribution is one of Cholesky factors with rows of unit length; the matrix is their
    product with their own transpose.
    """
    places = [(n, float(eta)) for n in sizes for eta in etas]
    factors = pm.draw(
        [pm.LKJCorr.dist(n=n, eta=eta, size=(draws,)) for n, eta in places],
        random_seed=seed,
        mode="FAST_COMPILE",
    )
    return {
        place: factor @ factor.swapaxes(-1, -2)
        for place, factor in zip(places, factors, strict=True)
    }


def marginal(n: int, eta: float) -> stats.rv_continuous:
    """The prior of one off-diagonal correlation, a Beta stretched to (-1, 1).

    Equation (9.2) (``eq-lkj-marginal``), Lewandowski, Kurowicka and Joe (2009).
    """
    a = eta + (n - 2) / 2
    return stats.beta(a, a, loc=-1, scale=2)


def mean_determinant(n: int, eta: float) -> float:
    """The prior mean of the determinant of the n by n correlation matrix.

    Equation (9.5) (``eq-lkj-determinant``): the determinant is the product of 1 - p^2 over the
    n (n - 1) / 2 partial correlations p of a vine, which are independent Betas on (-1, 1), those
    given j - 1 others with the shape a_j = eta + (n - 1 - j) / 2.
    """
    j = np.arange(1, n)
    a = eta + (n - 1 - j) / 2
    return float(np.prod((2 * a / (2 * a + 1)) ** (n - j)))


def prior_table(
    drawn: Mapping[tuple[int, float], np.ndarray], *, large: float = 0.5
) -> pd.DataFrame:
    """What prior draws say beside the closed forms: a row for each dimension and eta.

    Columns ``sd`` of one correlation, ``large``, the probability that it exceeds ``large`` in
    size, and ``determinant``, the mean of the matrix's determinant; each followed by its closed
    form with the suffix ``_exact``.
    """
    rows = []
    for (n, eta), matrices in drawn.items():
        one, exact = matrices[:, -1, 0], marginal(n, eta)
        rows.append(
            {
                "n": n,
                "eta": eta,
                "sd": one.std(),
                "sd_exact": exact.std(),
                "large": np.mean(np.abs(one) > large),
                "large_exact": 2 * exact.sf(large),
                "determinant": np.linalg.det(matrices).mean(),
                "determinant_exact": mean_determinant(n, eta),
            }
        )
    return pd.DataFrame(rows)


def transposes(
    sigma: np.ndarray, corr: np.ndarray, *, draws: int = 200_000, seed: int = 0
) -> pd.DataFrame:
    """Covariances of ``z @ L.T`` and ``z @ L`` for rows z of standard normals.

    ``sigma`` (n) and ``corr`` (n, n) make the covariance L @ L.T that is wanted.  A row for each
    pair of effects; columns ``wanted`` (L L^T), ``z @ L.T`` and ``z @ L`` as simulated, and
    ``L.T L``, what the last one is.
    """
    sigma = np.asarray(sigma, dtype=float)
    factor = np.linalg.cholesky(sigma[:, None] * np.asarray(corr) * sigma)
    z = np.random.default_rng(seed).standard_normal((draws, sigma.size))
    found = {
        "wanted": factor @ factor.T,
        "z @ L.T": np.cov((z @ factor.T).T),
        "z @ L": np.cov((z @ factor).T),
        "L.T @ L": factor.T @ factor,
    }
    row, column = np.tril_indices(sigma.size)
    index = [f"({i + 1}, {j + 1})" for i, j in zip(row, column, strict=True)]
    return pd.DataFrame({name: matrix[row, column] for name, matrix in found.items()}, index=index)


def moves(fits: Mapping[str, Fit], reference: str) -> pd.DataFrame:
    """How far each OU's slope moves from the ``reference`` among ``fits``.

    Index ``ou``; ``alpha`` is the posterior mean of the OU's intercept less the population's, by
    the reference; for every other fit a column with the difference of the slopes' posterior
    means, on the standardised scale.
    """
    one = fits[reference]
    centre = (one.posterior["alpha"] - one.posterior["mu_alpha"]).mean(SAMPLES)
    table = {"alpha": centre.to_numpy()}
    before = one.posterior["beta"].mean(SAMPLES)
    for name, fit in fits.items():
        if name != reference:
            table[name] = (fit.posterior["beta"].mean(SAMPLES) - before).to_numpy()
    return pd.DataFrame(table, index=pd.Index(one.panel.ous, name="ou"))


def sensitivity(fits: Mapping[str, Fit], reference: str) -> pd.DataFrame:
    """What a prior does to the correlation of slopes with intercepts and to the slopes.

    A row a fit.  ``corr``, ``corr_q5``, ``corr_q95``: posterior of the correlation, 0 with
    independent effects; ``per_sd``: the slope that an OU gains for every sd of its intercept,
    the posterior mean of corr times sigma_ou[beta], equation (9.3) (``eq-borrowed``); ``spread``:
    sd over OUs of the slopes' posterior means; ``sd``: mean posterior sd of a slope; ``moved``
    and ``moved_most``: mean and largest distance of a slope from the reference's, in the
    reference's posterior sds, and ``most``, the OU it belongs to; ``error``, the root mean
    squared error of the slopes where there is a truth.
    """
    one = fits[reference]
    sd = one.posterior["beta"].std(SAMPLES).to_numpy()
    before = one.posterior["beta"].mean(SAMPLES).to_numpy()
    rows = {}
    for name, fit in fits.items():
        p = fit.posterior
        beta = p["beta"].mean(SAMPLES).to_numpy()
        corr = correlation(fit)
        moved = np.abs(beta - before) / sd
        rows[name] = {
            "corr": float(corr.mean()),
            "corr_q5": float(corr.quantile(0.05)),
            "corr_q95": float(corr.quantile(0.95)),
            "per_sd": float((corr * p["sigma_ou"].sel(effect="beta")).mean()),
            "spread": beta.std(),
            "sd": float(p["beta"].std(SAMPLES).mean()),
            "moved": moved.mean(),
            "moved_most": moved.max(),
            "most": fit.panel.ous[int(moved.argmax())],
        }
        truth = fit.panel.truth
        if truth is not None and "beta" in truth:
            rows[name]["error"] = np.sqrt(np.mean((beta - truth["beta"].to_numpy()) ** 2))
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("prior")


def correlation(fit: Fit, one: str = "alpha", other: str = "beta") -> xr.DataArray:
    """Draws (chain, draw) of the correlation between two effects of an OU; 0 if independent."""
    p = fit.posterior
    if not fit.spec.correlated:
        return xr.zeros_like(p["mu_beta"])
    return p["corr_ou"].sel(effect=one, effect_bis=other, drop=True)


_GRID = (np.arange(2000) + 0.5) / 2000  # quantiles that stand for a distribution


def pairs(fit: Fit) -> pd.DataFrame:
    """Every correlation of an OU's effects beside its prior, from a fit with ``corr_ou``.

    A row a pair; columns ``mean``, ``sd``, ``q5``, ``q95`` of the posterior, ``prior_sd`` and
    ``prior_q95`` in closed form (the prior is symmetric), ``distance``
    (:func:`oulib.posterior.estimate.prior_distance`) and, where there is a truth, ``truth``.
    """
    effects = [str(effect) for effect in fit.posterior["effect"].to_numpy()]
    prior = marginal(len(effects), fit.spec.priors.lkj_eta)
    truth = fit.panel.truth
    rows = {}
    for place, other in enumerate(effects):
        for one in effects[:place]:
            draws = correlation(fit, one, other)
            row = {
                "mean": float(draws.mean()),
                "sd": float(draws.std()),
                "q5": float(draws.quantile(0.05)),
                "q95": float(draws.quantile(0.95)),
                "prior_sd": float(prior.std()),
                "distance": prior_distance(draws, prior.ppf(_GRID)),
                "prior_q95": float(prior.ppf(0.95)),
            }
            if (
                truth is not None
                and "corr_ou" in truth
                and {one, other} <= set(truth["effect"].to_numpy())
            ):
                row["truth"] = float(truth["corr_ou"].sel(effect=one, effect_bis=other))
            rows[f"{one}, {other}"] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("pair")


@dataclass(frozen=True)
class Few:
    """How much of its prior each correlation has left, where OUs are few; by pair.

    ``left`` is the posterior sd over that of the prior, ``distance`` how far the posterior lies
    from it in sds of the prior.  The 90% intervals are ``width`` wide on average, of the 2 that
    there are, and ``inside`` of them hold the truth; None where it is not known.
    """

    left: Mapping[str, float]
    distance: Mapping[str, float]
    width: float
    inside: int | None


def few(table: pd.DataFrame) -> Few:
    """What is left of the priors of correlations, from :func:`pairs`."""
    inside = None
    if "truth" in table:
        inside = int(((table["truth"] >= table["q5"]) & (table["truth"] <= table["q95"])).sum())
    return Few(
        left=(table["sd"] / table["prior_sd"]).to_dict(),
        distance=table["distance"].to_dict(),
        width=float((table["q95"] - table["q5"]).mean()),
        inside=inside,
    )


def trend_scale(tree: xr.Dataset) -> np.ndarray:
    """Draws of sigma_ou[trend], flat: the sd of the OUs' trends per sd of time."""
    return np.ravel(tree["sigma_ou"].sel(effect=TREND).to_numpy())


def trend_spread(panel: Panel, y: np.ndarray) -> np.ndarray:
    """How much OUs' outcomes drift apart: the sd over OUs of their least-squares trends.

    ``y`` is (..., row), on the standardised scale.  Month means are taken away first, and each
    OU's trend is per standard deviation of time, over the months that it has.  OUs with fewer
    than three rows are left out; (...).
    """
    ou, month = (panel.rows[name].to_numpy() for name in ("ou_idx", "month_idx"))
    y = np.asarray(y, dtype=float)
    y = y - _mean_of(y, month, len(panel.months))[..., month]
    at = time(panel)[month]
    at = at - _mean_of(at, ou, len(panel.ous))[ou]
    squares = np.bincount(ou, at**2, minlength=len(panel.ous))
    usable = (np.bincount(ou, minlength=len(panel.ous)) >= 3) & (squares > 0)
    slopes = _sum_of(y * at, ou, len(panel.ous))[..., usable] / squares[usable]
    return slopes.std(axis=-1)


def _sum_of(values: np.ndarray, group: np.ndarray, size: int) -> np.ndarray:
    """Sums of ``values`` (..., row) by group, (..., group)."""
    flat = values.reshape(-1, values.shape[-1])
    sums = np.array([np.bincount(group, row, minlength=size) for row in flat])
    return sums.reshape(*values.shape[:-1], size)


def _mean_of(values: np.ndarray, group: np.ndarray, size: int) -> np.ndarray:
    counts = np.bincount(group, minlength=size)
    return _sum_of(values, group, size) / np.maximum(counts, 1)
