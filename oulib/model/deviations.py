"""OUs that stray from their expected outcome for months on end, summed out exactly.

With x* kept as its expectation xbar_gt given the surveys, an OU's series is normal given the
population's parameters:

    y_gt = alpha_g + lambda_t + beta_g xbar_gt + varsigma_g (u_gt + e_gt)

(xbar less what is expected of the OU and the month, where slopes are within OUs), u_g a stationary
AR(1), e_gt independent, (alpha_g, beta_g) normal around the mean of the site.
The filter of :mod:`oulib.model.kalman` whitens the rows; then alpha_g and beta_g are the
coefficients of an ordinary regression with a normal prior, summed out in closed form and drawn
again after sampling (:func:`draw_effects`).  Equations (14.5) (``eq-deviation``) and (14.6)
(``eq-summed``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr
from pytensor.tensor import TensorVariable

from oulib.model import kalman, kalman_kernel, summed_kernel
from oulib.model.groups import EFFECTS
from oulib.model.line import Line
from oulib.model.spec import ModelSpec
from oulib.model.survey import given_survey, respondents, scores
from oulib.panel import Panel


def parameters(
    spec: ModelSpec,
) -> tuple[tuple[TensorVariable, TensorVariable], TensorVariable]:
    """Add ``phi_u``, ``sigma_u`` and ``sigma_y``; returns the first two as a pair, and the third.

    The deviations' autocorrelation is Beta(a, 1), so that it vanishes at 0, where a deviation could
    not be told from noise.  Innovations and noise are half-normal in polar coordinates: data that
    see no persistence know the sum of the squares and not the share.
    """
    prior = spec.priors
    phi = pm.Beta("phi_u", prior.phi_u, 1.0)
    total = pm.Weibull("total_y", alpha=2.0, beta=np.sqrt(2.0))
    share = pm.Beta("deviation_share", 0.5, 0.5)
    sigma_u = pm.Deterministic("sigma_u", prior.sigma_u * total * pt.sqrt(share))
    sigma_y = pm.Deterministic("sigma_y", prior.sigma_y * total * pt.sqrt(1 - share))
    return (phi, sigma_u), sigma_y


def resemblance(
    phi: TensorVariable, sigma_u: TensorVariable, sigma_y: TensorVariable
) -> TensorVariable:
    """Correlation of an OU's residuals, deviation and noise, in successive months."""
    deviation = sigma_u**2 / (1 - phi**2)
    return phi * deviation / (deviation + sigma_y**2)


def steps(panel: Panel) -> tuple[np.ndarray, np.ndarray]:
    """Of the rows whose outcome is seen: whether each is its OU's first, and the months since."""
    seen = np.isfinite(panel.rows["y"].to_numpy())
    ou, month = (panel.rows[name].to_numpy()[seen] for name in ("ou_idx", "month_idx"))
    first = np.concatenate([[True], ou[1:] != ou[:-1]])
    gap = np.concatenate([[1.0], np.diff(month).astype(float)])
    return first, np.where(first, 1.0, gap)


def observe(
    panel: Panel,
    line: Line,
    deviation: tuple[TensorVariable, TensorVariable],
    sigma_y: TensorVariable,
    spread: tuple[TensorVariable, TensorVariable] | None,
    y: TensorVariable,
    dim: str,
) -> None:
    """Add the observed node ``productivity``: p(y_gt | y_g before t), a value a row.

    Args:
        panel: the panel.
        line: the expected outcome, at the population's mean effects if these are summed out.
        deviation: ``phi_u`` and ``sigma_u``, from :func:`parameters`.
        sigma_y: sd of the independent noise.
        spread: where OU effects are summed out, their sds (effect) and their correlation.
        y: the outcomes seen, (row).
        dim: their dim.
    """
    if spread is None:
        _by_row(panel, line, deviation, sigma_y, y, dim)
    else:
        _summed(panel, line, deviation, sigma_y, spread, y, dim)


def _by_row(
    panel: Panel,
    line: Line,
    deviation: tuple[TensorVariable, TensorVariable],
    sigma_y: TensorVariable,
    y: TensorVariable,
    dim: str,
) -> None:
    """p(y_gt | y_g before t) given the OUs' effects."""
    mean, loading = line.parts()
    factor = line.factor[line.score.rows.ou]
    variance = pt.ones_like(y) * sigma_y**2 + (loading / factor) ** 2
    first_at, gap_at = steps(panel)
    first = pm.Data("first_row", first_at, dims=dim)
    gap = pm.Data("months_since", gap_at, dims=dim)

    def logp(value: TensorVariable, mean: TensorVariable, *params: Any) -> TensorVariable:
        factor, phi, sigma_u, variance, first, gap = params
        column = ((value - mean) / factor)[:, None]
        out, log_f = kalman.whiten(column, first, gap, phi, sigma_u**2, variance)
        return -0.5 * (np.log(2 * np.pi) + log_f + out[:, 0] ** 2) - pt.log(factor)

    def draw(
        mean: np.ndarray,
        factor: np.ndarray,
        phi: np.ndarray,
        sigma_u: np.ndarray,
        variance: np.ndarray,
        first: np.ndarray,
        gap: np.ndarray,
        rng: np.random.Generator,
        size: tuple[int, ...] | None = None,
    ) -> np.ndarray:
        return mean + factor * simulate(rng, first, gap, phi, sigma_u, variance)

    pm.CustomDist(
        "productivity",
        mean, factor, *deviation, variance, first, gap,
        logp=logp,
        random=draw,
        signature="(row),(row),(),(),(row),(row),(row)->(row)",
        observed=y,
        dims=dim,
    )  # fmt: skip


def _summed(
    panel: Panel,
    line: Line,
    deviation: tuple[TensorVariable, TensorVariable],
    sigma_y: TensorVariable,
    spread: tuple[TensorVariable, TensorVariable],
    y: TensorVariable,
    dim: str,
) -> None:
    """p(y_gt | y_g before t) with OU effects summed out, each row its own slot of a history."""
    first_at, gap_at = steps(panel)
    slot_at, before_at, since_at = summed_kernel.slots(first_at, gap_at)
    slot = pm.Data("history", slot_at, dims=dim)
    before, since = pm.Data("history_before", before_at), pm.Data("history_since", since_at)
    rows = line.score.rows
    x, _ = line.score.given_survey(within=line.within)

    def logp(value: TensorVariable, x: TensorVariable, *params: TensorVariable) -> TensorVariable:
        a, b, lam, factor, phi, sigma_u, sigma_y, sd, corr, *where = params
        ou, month, slot, before, since, *extra = where
        return summed_kernel.summed(
            value - extra[0] if extra else value, ou, month, slot, x, before, since,
            a, b, lam, factor, phi, sigma_u, sigma_y, sd, corr,
        )  # fmt: skip

    def draw(
        *params: np.ndarray, rng: np.random.Generator, size: tuple[int, ...] | None = None
    ) -> np.ndarray:
        x, a, b, lam, factor, phi, sigma_u, sigma_y, sd, corr, ou, month, *rest = params
        extra = rest[3:]
        noise = simulate(rng, first_at, gap_at, phi, sigma_u, np.full(ou.shape, sigma_y**2))
        root = np.array([[1, 0], [corr, np.sqrt(1 - corr**2)]])
        effects = rng.standard_normal((a.size, 2)) @ (sd[:, None] * root).T
        mean = (a + effects[:, 0])[ou] + lam[month] + (b + effects[:, 1])[ou] * x
        return sum(extra, mean + factor[ou] * noise)

    pm.CustomDist(
        "productivity",
        *(x, line.level, line.beta, line.lam, line.factor, *deviation, sigma_y, *spread),
        *(rows.ou, rows.month, slot, before, since, *line.extras),
        logp=logp,
        random=draw,
        signature=(
            "(row),(ou),(ou),(month),(ou),(),(),(),(effect),(),"
            "(row),(row),(row),(slot),(slot)" + ",(row)" * len(line.extras) + "->(row)"
        ),
        observed=y,
        dims=dim,
    )


def simulate(
    rng: np.random.Generator,
    first: np.ndarray,
    gap: np.ndarray,
    phi: float | np.ndarray,
    sigma_u: float | np.ndarray,
    variance: np.ndarray,
) -> np.ndarray:
    """Deviations and independent noise of every row, before the OU's factor."""
    z = rng.standard_normal(first.shape)
    stationary, u = sigma_u / np.sqrt(1 - phi**2), np.empty(first.shape)
    for i in range(u.size):
        d = 0.0 if first[i] else phi ** gap[i]
        u[i] = (0.0 if first[i] else d * u[i - 1]) + stationary * np.sqrt(1 - d**2) * z[i]
    return u + np.sqrt(variance) * rng.standard_normal(first.shape)


def _given(moments: tuple, covariance: tuple) -> tuple[tuple, tuple, Any]:
    """Mean and covariance (three entries) of effects given ``moments``, and det(I + C A)."""
    a, c, d, b1, b2 = moments
    p, r, s = covariance
    size = p * s - r * r
    det = 1 + a * p + 2 * c * r + d * s + size * (a * d - c * c)
    # (C^-1 + A)^-1 = (C + det(C) adj(A)) / det(I + C A)
    v11, v12, v22 = (p + size * d) / det, (r - size * c) / det, (s + size * a) / det
    return (v11 * b1 + v12 * b2, v12 * b1 + v22 * b2), (v11, v12, v22), det


def complete(panel: Panel, spec: ModelSpec, posterior: xr.Dataset, *, seed: int) -> xr.Dataset:
    """``posterior`` with ``alpha[ou]`` and ``beta[ou]`` drawn, where they were summed out.

    Exact, given each draw of the parameters and the OU's whole series of outcomes.
    """
    if not spec.effects_summed_out:
        return posterior
    p = posterior.stack(sample=("chain", "draw")).transpose("sample", ...)
    at = np.flatnonzero(np.isfinite(panel.rows["y"].to_numpy()))
    rows = panel.rows.isel(row=at)
    ou, month = rows["ou_idx"].to_numpy(), rows["month_idx"].to_numpy()
    n, x, y = respondents(panel)[at], scores(panel)[at], rows["y"].to_numpy()
    first, gap = steps(panel)
    size, samples = len(panel.ous), p.sizes["sample"]
    value = {name: p[name].to_numpy() for name in p.data_vars}
    site = panel.site_idx
    gamma_x = value.get("gamma_x", np.full(samples, spec.priors.gamma_x_fixed))
    corr = value["corr_ou"][:, 0, 1] if "corr_ou" in value else np.zeros(samples)
    # A stream a chain, so that a chain's first draws are the same however many follow.
    shape = (p.sizes["sample"] // posterior.sizes["chain"], size, 2)
    streams = [np.random.default_rng([seed, chain]) for chain in range(posterior.sizes["chain"])]
    z = np.concatenate([stream.standard_normal(shape) for stream in streams])
    found = np.empty_like(z)
    for k in range(samples):
        effects = np.array([value["mu_alpha"][k], value["mu_beta"][k]]) + np.zeros((size, 2))
        if spec.sites:
            effects += np.column_stack([value["alpha_site"][k], value["beta_site"][k]])[site]
        expected = value["mu_x_ou"][k, ou] + gamma_x[k] * value["tau"][k, month]
        m, _ = given_survey(expected, value["sigma_x"][k], value["sigma_meas"][k], n, x)
        left = y - effects[ou, 0] - value["lam"][k, month]
        if spec.slope == "within":
            m = m - expected
            left = left - value["beta_between"][k] * value["mu_x_ou"][k, ou]
        left = left - effects[ou, 1] * m
        if "coef" in value:
            left = left - rows["covariates"].to_numpy() @ value["coef"][k]
        columns = np.stack([left, np.ones_like(left), m], axis=1)
        if "noise_ou" in value:
            columns /= value["noise_ou"][k, ou][:, None]
        out, _ = kalman_kernel.whiten(
            columns,
            first,
            gap,
            value["phi_u"][k],
            value["sigma_u"][k] ** 2,
            np.full(left.size, value["sigma_y"][k] ** 2),
        )
        found[k] = effects + _draw_effects(out, ou, value["sigma_ou"][k], corr[k], z[k])
    for place, name in enumerate(EFFECTS):
        drawn = p["mu_x_ou"].copy(data=found[..., place]).rename(name)
        posterior = posterior.assign({name: drawn.unstack("sample")})
    return posterior.transpose("chain", "draw", ...)


def _draw_effects(
    out: np.ndarray, ou: np.ndarray, sd: np.ndarray, corr: float, z: np.ndarray
) -> np.ndarray:
    """OUs' distances from their population mean effects, (ou, effect), from whitened rows."""
    e, one, m = out.T
    moments = tuple(
        np.bincount(ou, weights=values, minlength=len(z))
        for values in (one * one, one * m, m * m, one * e, m * e)
    )
    covariance = (sd[0] ** 2, corr * sd[0] * sd[1], sd[1] ** 2)
    (mean_a, mean_b), (v11, v12, v22), _ = _given(moments, covariance)
    root = np.sqrt(v11)
    tilt = v12 / np.maximum(root, 1e-300)
    rest = np.sqrt(np.maximum(v22 - tilt**2, 0.0))
    return np.stack([mean_a + root * z[:, 0], mean_b + tilt * z[:, 0] + rest * z[:, 1]], axis=1)
