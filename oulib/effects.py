"""What the slopes mean in the units of the data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from oulib.fit import Fit


def raw_effect(fit: Fit, beta: xr.DataArray) -> xr.DataArray:
    """Per cent change of productivity that goes with one more raw survey point.

    100 (exp((s_y / s_x) beta) - 1), for any draws of a slope; equation
    (2.11) (``eq-raw``).
    """
    scale = fit.panel.scale
    return 100 * np.expm1(scale.s_y / scale.s_x * beta)


def effects(fit: Fit, *, relevant: float = 1.0, points: float = 1.0) -> pd.DataFrame:
    """A row an OU, and one for the population mean: slope and raw-scale effect.

    Args:
        fit: the fit.
        relevant: smallest change of productivity, in per cent, that would matter in practice.
        points: the change of the raw survey score that the effect is stated for.

    Returns:
        Columns ``site``, ``beta``, ``beta_q5``, ``beta_q95``, ``percent``, ``percent_q5``,
        ``percent_q95``, ``prob_positive`` and ``prob_relevant`` (that the change is at least
        ``relevant`` per cent in either direction); index ``ou``, the population as ``(mean)``.
    """
    beta = xr.concat(
        [fit.posterior["mu_beta"].expand_dims(ou=["(mean)"]), fit.posterior["beta"]], dim="ou"
    )
    percent = raw_effect(fit, points * beta)
    draws = ("chain", "draw")

    def quantile(values: xr.DataArray, q: float) -> np.ndarray:
        return values.quantile(q, dim=draws).to_numpy()

    site = [fit.panel.sites[s] for s in fit.panel.site_idx]
    return pd.DataFrame(
        {
            "site": ["", *site],
            "beta": beta.mean(draws).to_numpy(),
            "beta_q5": quantile(beta, 0.05),
            "beta_q95": quantile(beta, 0.95),
            "percent": percent.mean(draws).to_numpy(),
            "percent_q5": quantile(percent, 0.05),
            "percent_q95": quantile(percent, 0.95),
            "prob_positive": (beta > 0).mean(draws).to_numpy(),
            "prob_relevant": (abs(percent) >= relevant).mean(draws).to_numpy(),
        },
        index=pd.Index(beta["ou"].to_numpy(), name="ou"),
    )
