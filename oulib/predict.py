"""Replicated data from the posterior."""

from __future__ import annotations

import numpy as np
import pymc as pm
import xarray as xr

from oulib.fit import Fit


def replicate(fit: Fit, *, draws: int = 400, seed: int = 0) -> xr.Dataset:
    """Replicates of ``productivity`` (sample, row) and ``survey`` (sample, survey_row).

    Both are on the standardised scale; a row's outcome is replicated given its own survey, the
    quantity that LOO scores.  ``draws`` posterior draws are taken at even distance.
    """
    total = fit.posterior.sizes["chain"] * fit.posterior.sizes["draw"]
    step = max(total // draws, 1)
    thinned = fit.posterior.isel(draw=slice(None, None, step))
    with fit.model():
        tree = pm.sample_posterior_predictive(
            xr.DataTree.from_dict({"posterior": thinned}),
            var_names=["productivity", "survey"],
            random_seed=seed,
            progressbar=False,
        )
    replicates = tree["posterior_predictive"].to_dataset()
    return replicates.stack(sample=("chain", "draw")).transpose("sample", ...)


def coverage(replicates: xr.DataArray, observed: np.ndarray, prob: float = 0.9) -> float:
    """Share of ``observed`` inside the central ``prob`` interval of its replicates."""
    tail = (1 - prob) / 2
    low, high = (replicates.quantile(q, dim="sample").to_numpy() for q in (tail, 1 - tail))
    return float(np.mean((observed >= low) & (observed <= high)))
