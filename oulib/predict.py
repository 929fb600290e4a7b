"""Replicated data from the posterior."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr
from scipy import stats

from oulib.fit import Fit


def replicate(fit: Fit, *, draws: int = 400, seed: int = 0, anew: Sequence[str] = ()) -> xr.Dataset:
    """Replicates of ``productivity`` (sample, row) and ``survey`` (sample, survey_row).

    Both are on the standardised scale; a row's outcome is replicated given its own survey, the
    quantity that LOO scores.  ``draws`` posterior draws are taken at even distance.  Variables
    named in ``anew``, ``lam`` for example, are drawn again from their distribution given the
    hyperparameters: other months like these, and not the same months once more.
    """
    model, posterior = fit.integrated()
    step = max(posterior.sizes["chain"] * posterior.sizes["draw"] // draws, 1)
    thinned = posterior.isel(draw=slice(None, None, step))
    with model, _quiet():
        tree = pm.sample_posterior_predictive(
            xr.DataTree.from_dict({"posterior": thinned}),
            var_names=[*anew, "productivity", "survey"],
            random_seed=seed,
            progressbar=False,
        )
    replicates = tree["posterior_predictive"].to_dataset()
    return replicates.stack(sample=("chain", "draw")).transpose("sample", ...)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep PyMC and Numba from announcing what they do: a notebook would show it as an output.

    Numba says that it leaves a distribution of ours, whose draws are NumPy code, to Python.
    """
    logger = logging.getLogger("pymc")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Numba will use object mode")
            yield
    finally:
        logger.setLevel(level)


def coverage(replicates: xr.DataArray, observed: np.ndarray, prob: float = 0.9) -> float:
    """Share of ``observed`` inside the central ``prob`` interval of its replicates."""
    tail = (1 - prob) / 2
    low, high = (replicates.quantile(q, dim="sample").to_numpy() for q in (tail, 1 - tail))
    return float(np.mean((observed >= low) & (observed <= high)))


def survey_calibration(
    fit: Fit, replicates: xr.DataArray, *, groups: int = 4, prob: float = 0.9
) -> pd.DataFrame:
    """How predictive intervals of survey scores fit the data, by number of respondents.

    ``replicates`` are those of ``survey``, (sample, survey_row).  The rows with a survey are cut
    into groups of about equal size by n.  Columns: ``n`` (median), ``rows``, ``coverage`` of the
    central ``prob`` intervals, ``expected_low`` and ``expected_high`` (where the coverage of a
    calibrated model lies nine times in ten), ``width`` (mean, in sds of the score).
    """
    panel = fit.panel
    x = panel.rows["x"].to_numpy()[panel.survey_rows]
    n = panel.rows["respondents"].to_numpy()[panel.survey_rows]
    tail = (1 - prob) / 2
    low, high = (replicates.quantile(q, dim="sample").to_numpy() for q in (tail, 1 - tail))
    rows = pd.DataFrame({"n": n, "inside": (x >= low) & (x <= high), "width": high - low})
    group = rows.groupby(pd.qcut(n, groups, labels=False, duplicates="drop"))
    size = group.size()
    return pd.DataFrame(
        {
            "n": group["n"].median(),
            "rows": size,
            "coverage": group["inside"].mean(),
            "expected_low": stats.binom.ppf(0.05, size, prob) / size,
            "expected_high": stats.binom.ppf(0.95, size, prob) / size,
            "width": group["width"].mean(),
        }
    ).reset_index(drop=True)


def prior_draws(fit: Fit, names: Sequence[str], *, draws: int = 4000, seed: int = 0) -> xr.Dataset:
    """Draws of the named variables from the prior of ``fit``'s model, dims (draw, ...)."""
    model, _ = fit.integrated()
    with _quiet():
        values = pm.draw([model[name] for name in names], draws=draws, random_seed=seed)
    return xr.Dataset(
        {
            name: (("draw", *model.named_vars_to_dims.get(name, ())), np.asarray(value))
            for name, value in zip(names, values, strict=True)
        },
        coords={"effect": list(model.coords["effect"]), "effect_bis": list(model.coords["effect"])},
    )


def scalars(tree: xr.Dataset, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The named scalars, and the group scales and correlations, as flat arrays by label.

    ``tree`` is a posterior, prior draws or a truth; a truth gives arrays of length one.
    """
    picked = {name: tree[name] for name in names if name in tree}
    for level in ("ou", "site"):
        if f"sigma_{level}" in tree:
            for effect in tree["effect"].to_numpy():
                picked[f"sigma_{level}[{effect}]"] = tree[f"sigma_{level}"].sel(effect=effect)
        if f"corr_{level}" in tree:
            pair = tree[f"corr_{level}"].sel(effect="alpha", effect_bis="beta")
            picked[f"corr_{level}[alpha, beta]"] = pair
    return {label: np.ravel(values.to_numpy()) for label, values in picked.items()}
