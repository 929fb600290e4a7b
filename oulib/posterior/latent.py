"""The latent score after sampling: exact draws from its conditional distribution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from oulib.model.draws.density import (
    CHUNK,
    RowDensity,
    all_rows,
    movement_size,
    row_density,
    thinned,
)
from oulib.posterior.estimate import SAMPLES, Estimate, estimate
from oulib.sampling.fit import Fit

_NODES = 225
_REACH = 8.0  # sds of the score given its survey
_NEGLIGIBLE = np.log(1e-10)  # densities that are so much lower are left out
_CLOSED, _ROUNDS = 0.5, 5  # a grid of which less is used is narrowed, so many times at most


def conditional(
    fit: Fit, *, outcome: bool = True, rows: np.ndarray | None = None, draws: int | None = None
) -> xr.Dataset:
    """Mean and sd of x*_i given each posterior draw of the parameters, and the data of row i.

    Args:
        fit: a fit; ``latent="explicit"`` ones work too, their parameters suffice.
        outcome: condition on y_i as well as on the row's survey; without, what the survey and
            the hierarchy alone say (but still under parameters that have seen all the data).
        rows: positions of the rows wanted; all by default.
        draws: thin the posterior to about so many draws.

    Returns:
        Dataset with ``mean`` and ``sd``, dims (chain, draw, row).  Equations (2.8)
        (``eq-given-survey``) and (2.10) (``eq-recovered``).

    Raises:
        ValueError: conditioning on the outcome has no closed form for this model.
    """
    if outcome and not fit.spec.closed_form:
        raise ValueError(
            f"x* given the outcome is not normal in the model {fit.spec.name}: "
            "use recover_latent and summarise its draws."
        )
    r = row_density(fit, thinned(fit.posterior, draws), all_rows(fit, rows))
    mean, var = r.mean, r.var
    if outcome:
        seen = np.isfinite(r.y)  # an outcome that was left out says nothing of the score
        mean = mean + (var * r.loading / r.spread * r.residual).where(seen, 0.0)
        var = var * (r.sigma**2 / r.spread).where(seen, 1.0)
    mean, var = xr.broadcast(mean, var)
    return xr.Dataset({"mean": mean, "sd": np.sqrt(var)}).transpose(*SAMPLES, "row")


def recover_latent(
    fit: Fit,
    *,
    rows: np.ndarray | None = None,
    draws: int | None = None,
    seed: int = 0,
    twin: bool = False,
) -> xr.DataArray:
    """Draws of ``x_star`` (chain, draw, row), one for each posterior draw of the parameters.

    Given the parameters the rows are independent, so drawing from each row's conditional
    distribution completes a joint posterior draw.  Normal models draw from the closed form;
    with a Student-t outcome or a response term, the distribution function is summed over a grid
    and inverted.  An explicit fit has sampled the scores already.

    Args:
        fit: the fit.
        rows: positions of the rows wanted; all by default.
        draws: thin the posterior to about so many draws; all by default.
        seed: of the draws.
        twin: of a model with a response part, the missing-at-random twin's scores: in planned
            rows without an answer x* is drawn given y_i as if the row had answered, and its
            score were lost; equation (6.4) (``eq-twin``).

    Raises:
        ValueError: a twin was asked for, and the model has no response part that is integrated; or
            the model has deviations and a latent score, of which rows are not independent.
    """
    chosen = all_rows(fit, rows)
    sampled = fit.spec.latent != "integrated"
    if twin and (sampled or not fit.spec.response):
        raise ValueError(f"The model {fit.spec.name} has no twin to draw scores from.")
    if sampled:
        return thinned(fit.posterior, draws)["x_star"].isel(row=chosen)
    if fit.spec.deviations and fit.spec.score == "latent":
        raise ValueError(
            f"In the model {fit.spec.name} a unit's scores hang together through its deviations: "
            "they cannot be drawn row by row. Use conditional for each row's own mean and sd."
        )
    rng = np.random.default_rng(seed)
    if fit.spec.closed_form:
        given = conditional(fit, rows=chosen, draws=draws)
        z = rng.standard_normal(given["mean"].shape)
        return (given["mean"] + given["sd"] * z).rename("x_star")
    posterior = thinned(fit.posterior, draws)
    size = posterior.sizes["chain"] * posterior.sizes["draw"] * _NODES
    step = max(CHUNK // size, 1)
    parts = []
    for i in range(0, chosen.size, step):
        r = row_density(fit, posterior, chosen[i : i + step])
        parts.append(_draw_from_grid(r.answered() if twin else r, rng))
    return xr.concat(parts, dim="row").rename("x_star")


def own_grid(r: RowDensity, size: int) -> tuple[xr.DataArray, xr.DataArray]:
    """Where each row's score lies given its data: places, and log densities up to a constant.

    Both are (chain, draw, row, node), at even distances in each row, the places in sds of the score
    given its survey.  An outcome that tells much of the score leaves it far less wide than the
    survey does: the grid closes in until its width is that of what is left.
    """
    mean, var = (each.transpose(*SAMPLES, "row") for each in xr.broadcast(r.mean, r.var))
    unit = xr.DataArray(np.linspace(0.0, 1.0, size), dims="node")
    low, high = xr.full_like(mean, -_REACH), xr.full_like(mean, _REACH)
    for _ in range(_ROUNDS):
        at = low + (high - low) * unit
        x = mean + np.sqrt(var) * at
        told = r.log_outcome(x).where(np.isfinite(r.y), 0.0)
        log_density = told + r.log_response(x) - 0.5 * at**2
        log_density = log_density.transpose(*SAMPLES, "row", "node")
        some = log_density > log_density.max("node") + _NEGLIGIBLE
        step = (high - low) / (size - 1)
        first, last = some.argmax("node"), size - 1 - some[..., ::-1].argmax("node")
        nearer = low + (first - 1) * step, low + (last + 1) * step
        closed = (last - first + 2) / (size - 1)
        if not bool((closed < _CLOSED).any()):
            break
        low, high = (edge.clip(-_REACH, _REACH) for edge in nearer)
    return at.transpose(*SAMPLES, "row", "node"), log_density


def _draw_from_grid(r: RowDensity, rng: np.random.Generator) -> xr.DataArray:
    """One draw of x* a row and posterior draw, by inverting its distribution function."""
    at, log_density = own_grid(r, _NODES)
    grid, values = at.to_numpy(), log_density.to_numpy()
    density = np.exp(values - values.max(axis=-1, keepdims=True))
    cells = 0.5 * (density[..., 1:] + density[..., :-1])
    below = np.cumsum(cells, axis=-1)
    target = rng.random(below.shape[:-1])[..., None] * below[..., -1:]
    cell = np.minimum((below < target).sum(axis=-1), cells.shape[-1] - 1)[..., None]
    reached = np.take_along_axis(below, cell, -1) - np.take_along_axis(cells, cell, -1)
    share = (target - reached) / np.take_along_axis(cells, cell, -1)
    # Within a cell the density is linear: invert that, not a flat cell.
    low, high = np.take_along_axis(density, cell, -1), np.take_along_axis(density, cell + 1, -1)
    root = np.sqrt(low**2 + share * (high**2 - low**2))
    within = np.where(
        np.isclose(low, high), share, (root - low) / np.where(high == low, 1, high - low)
    )
    left, right = np.take_along_axis(grid, cell, -1), np.take_along_axis(grid, cell + 1, -1)
    z = left + np.clip(within, 0, 1) * (right - left)
    mean, var = xr.broadcast(r.mean, r.var)
    mean, var = (a.transpose(*SAMPLES, "row") for a in (mean, var))
    return mean + np.sqrt(var) * z[..., 0]


def common_movement(fit: Fit) -> xr.DataArray:
    """gamma_x tau_t, the score's common movement over months, (chain, draw, month)."""
    return (movement_size(fit, fit.posterior) * fit.posterior["tau"]).rename("common_movement")


def row_weights(fit: Fit, *, draws: int = 200, seed: int = 0) -> xr.Dataset:
    """How much each row counts under a Student-t outcome; dim ``row``.

    A Student-t row is a normal one whose precision is multiplied by a weight of its own, drawn
    from Gamma(nu/2, nu/2).  Given its residual z, in units of sigma_y, the weight's expectation is
    (nu + 1)/(nu + z^2): ``weight`` is its posterior mean and ``residual`` that of z, both at
    recovered scores.  A normal outcome gives every row the weight 1.  Equation (3.2)
    (``eq-weight``).
    """
    posterior = thinned(fit.posterior, draws)
    x_star = recover_latent(fit, draws=draws, seed=seed)
    r = row_density(fit, posterior, all_rows(fit, None))
    z = (r.residual - r.loading * (x_star - r.mean)) / r.sigma
    weight = (posterior["nu"] + 1) / (posterior["nu"] + z**2)
    return xr.Dataset({"weight": weight, "residual": z}).mean(SAMPLES)


def outlying(fit: Fit, weights: xr.Dataset, most: int = 8) -> pd.DataFrame:
    """The rows with the smallest of :func:`row_weights`, a row each, smallest first.

    Index ``row`` (position); columns ``OU``, ``month``, ``outcome`` (standardised), ``residual``
    (units of sigma_y) and ``weight``.
    """
    rows = np.argsort(weights["weight"].to_numpy(), kind="stable")[:most]
    data = fit.panel.rows.isel(row=rows)
    return pd.DataFrame(
        {
            "unit": data["ou"].to_numpy(),
            "month": data["month"].to_numpy(),
            "outcome": data["y"].to_numpy(),
            "residual": weights["residual"].to_numpy()[rows],
            "weight": weights["weight"].to_numpy()[rows],
        },
        index=pd.Index(rows, name="row"),
    )


def pull(fit: Fit, rows: np.ndarray, *, draws: int = 400, seed: int = 0) -> np.ndarray:
    """How far its own outcome moves the score of each of ``rows``, in sds of the score.

    The posterior mean of x* given the row's survey and outcome, less that without the outcome.
    """
    survey_alone = conditional(fit, outcome=False, rows=rows, draws=draws)["mean"]
    moved = recover_latent(fit, rows=rows, draws=draws, seed=seed) - survey_alone
    return moved.mean(SAMPLES).to_numpy()


@dataclass(frozen=True)
class Reliability:
    """The share of the variance of an observed score that is the score, from 0 to 1.

    That of a survey with ``respondents``, the median of the panel's surveys.
    """

    respondents: float
    share: Estimate


def reliability(fit: Fit) -> Reliability:
    """How much of an observed score's variance, over OUs and months, is not sampling error."""
    p, panel = fit.posterior, fit.panel
    n = float(np.median(panel.rows["respondents"].to_numpy()[panel.survey_rows]))
    signal = p["sigma_x"] ** 2 + p["sigma_mu_x"] ** 2
    return Reliability(n, estimate(signal / (signal + p["sigma_meas"] ** 2 / max(n, 1))))
