"""The latent score after sampling: exact draws from its conditional distribution."""

from __future__ import annotations

import numpy as np
import xarray as xr

from oulib.fit import Fit
from oulib.model.survey import given_survey, respondents, scores


def conditional(fit: Fit, *, outcome: bool = True, rows: np.ndarray | None = None) -> xr.Dataset:
    """Mean and sd of x*_i given each posterior draw of the parameters, and the data of row i.

    Args:
        fit: a fit; ``latent="explicit"`` ones work too, their parameters suffice.
        outcome: condition on y_i as well as on the row's survey; without, what the survey and
            the hierarchy alone say (but still under parameters that have seen all the data).
        rows: positions of the rows wanted; all by default.

    Returns:
        Dataset with ``mean`` and ``sd``, dims (chain, draw, row).  Equations (2.8)
        (``eq-given-survey``) and (2.10) (``eq-recovered``).
    """
    chosen = np.arange(fit.panel.rows.sizes["row"]) if rows is None else np.asarray(rows)
    data = fit.panel.rows.isel(row=chosen)
    posterior = fit.posterior

    def by_row(values: np.ndarray) -> xr.DataArray:
        return xr.DataArray(values, dims="row", coords={"row": chosen})

    ou, month = by_row(data["ou_idx"].to_numpy()), by_row(data["month_idx"].to_numpy())
    prior_mean = posterior["mu_x_ou"].isel(ou=ou) + fit.spec.priors.gamma_x * posterior["tau"].isel(
        month=month
    )
    mean, var = given_survey(
        prior_mean.drop_vars(["ou", "month"]),
        posterior["sigma_x"],
        posterior["sigma_meas"],
        by_row(respondents(fit.panel)[chosen]),
        by_row(scores(fit.panel)[chosen]),
    )
    if outcome:
        beta = posterior["beta"].isel(ou=ou).drop_vars("ou")
        intercept = posterior["alpha"].isel(ou=ou).drop_vars("ou")
        intercept = intercept + posterior["lam"].isel(month=month).drop_vars("month")
        spread = posterior["sigma_y"] ** 2 + beta**2 * var
        residual = by_row(data["y"].to_numpy()) - intercept - beta * mean
        mean = mean + var * beta / spread * residual
        var = var * (posterior["sigma_y"] ** 2 / spread)
    return xr.Dataset({"mean": mean, "sd": np.sqrt(var)}).transpose("chain", "draw", "row")


def recover_latent(fit: Fit, *, rows: np.ndarray | None = None, seed: int = 0) -> xr.DataArray:
    """Draws of ``x_star`` (chain, draw, row), one for each posterior draw of the parameters.

    Exact: given the parameters the rows are independent, so drawing from each row's conditional
    distribution completes a joint posterior draw.  An explicit fit has sampled them already.
    """
    if "x_star" in fit.posterior:
        sampled = fit.posterior["x_star"]
        return sampled if rows is None else sampled.isel(row=rows)
    given = conditional(fit, rows=rows)
    z = np.random.default_rng(seed).standard_normal(given["mean"].shape)
    return (given["mean"] + given["sd"] * z).rename("x_star")


def collapse_curve(fit: Fit, n: np.ndarray) -> xr.Dataset:
    """How the posterior sd of x* should fall with the number of respondents ``n``.

    Root mean variances over draws and OUs of three closed forms, dim ``n``: ``measurement``
    (sigma_meas / sqrt(n), the limit), ``survey`` (with the hierarchy) and ``both`` (with the
    outcome, too); n = 0 is a month without a survey.
    """
    n = xr.DataArray(np.asarray(n, dtype=float), dims="n", coords={"n": n})
    p = fit.posterior
    _, var = given_survey(0.0, p["sigma_x"], p["sigma_meas"], n, 0.0)
    both = var * p["sigma_y"] ** 2 / (p["sigma_y"] ** 2 + p["beta"] ** 2 * var)
    noise = p["sigma_meas"] ** 2 / n.where(n > 0)
    return xr.Dataset(
        {
            "measurement": np.sqrt(noise.mean(("chain", "draw"))),
            "survey": np.sqrt(var.mean(("chain", "draw"))),
            "both": np.sqrt(both.mean(("chain", "draw", "ou"))),
        }
    )


def closed_form_sd(fit: Fit, rows: np.ndarray) -> np.ndarray:
    """Root mean conditional variance of x* over the posterior draws, for the given rows."""
    return np.sqrt((conditional(fit, rows=rows)["sd"] ** 2).mean(("chain", "draw"))).to_numpy()
