"""What priors on many coefficients do: how far each is shrunk, what is found, what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from oulib.model.covariates import SLAB_DF, global_scale
from oulib.model.draws.density import all_rows, row_density, thinned
from oulib.model.draws.generate import normal_equivalent
from oulib.model.spec import ModelSpec, Priors
from oulib.panel import Panel
from oulib.posterior.compare import loo
from oulib.posterior.estimate import SAMPLES
from oulib.sampling.fit import Fit


def some_of(panel: Panel, covariates: int) -> Panel:
    """The panel with its first so many covariates only, all of them numbers; without its truth."""
    names = list(panel.covariates[:covariates])
    frame = panel.to_frame()
    frame = frame.assign(month=pd.to_datetime(frame["month"]))
    return Panel.from_frame(frame, covariates=names, name=panel.name)


def relevant(panel: Panel) -> float:
    """How many covariates to expect to matter where nobody says: the default, or at most half."""
    return min(Priors().relevant, len(panel.covariates) / 2)


def information(fit: Fit, *, draws: int = 1000) -> xr.DataArray:
    """What the rows say about each coefficient, the others known; (chain, draw, covariate).

    The sum over rows of z_ij^2 / V_i, with V_i the variance of the outcome given everything but
    the coefficient: sigma_y^2 + beta_g^2 s_i^2, s_i the sd of x*_i given the row's survey.
    The location of a Student-t is known as well as that of a normal whose variance is
    sigma_y^2 (nu + 3) / (nu + 1), which stands in the place of sigma_y^2 then (an approximation
    once the score's variance is added).  It is n / sigma^2 of Piironen and Vehtari (2017) for
    standardised covariates and rows that are equally noisy.
    """
    posterior = thinned(fit.posterior, draws)
    rows = all_rows(fit, None)
    r = row_density(fit, posterior, rows)
    noise = (r.sigma * normal_equivalent(posterior)) ** 2
    squares = fit.panel.rows["covariates"].reset_coords(drop=True).assign_coords(row=rows) ** 2
    weight = 1 / (noise + r.loading**2 * r.var)
    return xr.dot(weight, squares, dim="row").transpose(*SAMPLES, "covariate")


def scales(fit: Fit, *, draws: int = 1000) -> xr.DataArray:
    """The prior sd of each coefficient given its hyperparameters, (chain, draw, covariate).

    Constant under the wide and ridge priors; sigma_coef under ARD; and sqrt(c^2 s_0^2 l_j^2 /
    (c^2 + s_0^2 l_j^2)) under the regularised horseshoe, equation ``eq-horseshoe``.
    """
    p, spec = thinned(fit.posterior, draws), fit.spec
    if spec.covariates in ("wide", "ridge"):
        return xr.full_like(p["coef"], getattr(spec.priors, spec.covariates))
    if spec.covariates == "ard":
        return p["sigma_coef"]
    return regularised(p["sigma_coef"], p["local_coef"], p["slab2"])


def regularised(s0: xr.DataArray, local: xr.DataArray, slab2: xr.DataArray) -> xr.DataArray:
    """s0 times the regularised local scale of the horseshoe: the prior sd of a coefficient."""
    free = (s0 * local) ** 2
    return xr.ufuncs.sqrt(slab2 * free / (slab2 + free))


def factors(scale: xr.DataArray, known: xr.DataArray) -> xr.DataArray:
    """Shrinkage factors 1 / (1 + information scale^2), equation ``eq-kappa``.

    1 where a coefficient is shrunk to zero, 0 where it is left at what the data alone say.
    """
    return 1 / (1 + known * scale**2)


def shrunk(fit: Fit, *, draws: int = 1000) -> xr.DataArray:
    """The shrinkage factor of each coefficient at posterior draws, (chain, draw, covariate)."""
    return factors(scales(fit, draws=draws), information(fit, draws=draws))


def effective(kappa: xr.DataArray) -> xr.DataArray:
    """The effective number of coefficients, sum_j (1 - kappa_j): equation ``eq-effective``."""
    return (1 - kappa).sum("covariate")


def prior_effective(fit: Fit, *, draws: int = 4000, seed: int = 0) -> np.ndarray:
    """The effective number of coefficients that the prior of ``fit`` expects; (draw).

    Hyperparameters are drawn from their priors, and the information is the mean of
    :func:`information`: what the prior says of rows as noisy as these turned out to be.
    """
    known = information(fit).mean(SAMPLES).to_numpy()
    scale = prior_scales(fit.panel, fit.spec, draws=draws, seed=seed)
    return np.sum(1 - 1 / (1 + known * scale**2), axis=1)


def prior_scales(panel: Panel, spec: ModelSpec, *, draws: int, seed: int = 0) -> np.ndarray:
    """:func:`scales` with the hyperparameters drawn from their priors, (draw, covariate)."""
    rng, priors = np.random.default_rng(seed), spec.priors
    shape = (draws, len(panel.covariates))
    if spec.covariates in ("wide", "ridge"):
        return np.full(shape, getattr(priors, spec.covariates))
    if spec.covariates == "ard":
        return np.abs(rng.normal(0, priors.ard, shape))
    s0 = global_scale(panel, spec) * np.abs(rng.standard_cauchy((draws, 1)))
    free = (s0 * np.abs(rng.standard_cauchy(shape))) ** 2
    slab2 = priors.slab**2 * SLAB_DF / rng.chisquare(SLAB_DF, (draws, 1))
    return np.sqrt(1 / (1 / slab2 + 1 / np.maximum(free, 1e-300)))


def coefficients(fit: Fit) -> pd.DataFrame:
    """A row a covariate: ``mean``, ``q5``, ``q95``, ``found``, ``kappa`` and, if known, ``true``.

    ``found`` where the 90% interval does not hold zero; ``kappa`` is the posterior mean of the
    shrinkage factor.
    """
    coef = fit.posterior["coef"]
    low, high = (coef.quantile(q, SAMPLES).to_numpy() for q in (0.05, 0.95))
    table = pd.DataFrame(
        {
            "mean": coef.mean(SAMPLES).to_numpy(),
            "q5": low,
            "q95": high,
            "found": (low > 0) | (high < 0),
            "kappa": shrunk(fit).mean(SAMPLES).to_numpy(),
        },
        index=pd.Index(fit.panel.covariates, name="covariate"),
    )
    if fit.panel.truth is not None and "coef" in fit.panel.truth:
        table["true"] = fit.panel.truth["coef"].to_numpy()
    return table


def findings(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """A row a prior: how many of the true effects it found, missed and falsely claimed.

    ``tables`` are those of :func:`coefficients`, with the truth, by what the prior is called.
    ``error_true`` and ``error_zero`` are root mean squared errors of the posterior means over the
    coefficients that are not zero and those that are, ``width`` is the mean width of a 90%
    interval, ``inside`` the share of true values in them.
    """
    rows = {}
    for prior, table in tables.items():
        true = table["true"] != 0
        off = table["mean"] - table["true"]
        rows[prior] = {
            "found": int((table["found"] & true).sum()),
            "missed": int((~table["found"] & true).sum()),
            "false claims": int((table["found"] & ~true).sum()),
            "error_true": _rms(off[true]),
            "error_zero": _rms(off[~true]),
            "width": (table["q95"] - table["q5"]).mean(),
            "inside": ((table["q5"] <= table["true"]) & (table["true"] <= table["q95"])).mean(),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("prior")


@dataclass(frozen=True)
class Zeros:
    """The ``coefficients`` that are zero, and their shrinkage factors, from 0 to 1.

    From ``low`` to ``high``, and ``mean`` on average; NaN where there are none.
    """

    coefficients: int
    low: float
    high: float
    mean: float


def zeros(table: pd.DataFrame) -> Zeros:
    """How far coefficients that are zero are shrunk, from :func:`coefficients` with the truth."""
    kappa = table.loc[table["true"] == 0, "kappa"]
    return Zeros(len(kappa), float(kappa.min()), float(kappa.max()), float(kappa.mean()))


def structure(fits: Sequence[Fit]) -> pd.DataFrame:
    """A row a model in the order given: what it spends and what it predicts.

    ``coefficients`` (their number), ``effective`` (:func:`effective`, posterior mean), ``p`` (the
    effective number of all parameters, by LOO), ``elpd`` and ``se`` (of LOO), and ``gained``, the
    elpd over the first model's.
    """
    rows = {}
    for fit in fits:
        found = loo(fit)
        some = fit.spec.covariates != "none"
        rows[fit.spec.name] = {
            "coefficients": len(fit.panel.covariates) if some else 0,
            "effective": float(effective(shrunk(fit)).mean()) if some else 0.0,
            "p": float(found.p),
            "elpd": float(found.elpd),
            "se": float(found.se),
        }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")
    return table.assign(gained=table["elpd"] - table["elpd"].iloc[0])


def _rms(values: pd.Series) -> float:
    return float(np.sqrt(np.mean(np.square(values)))) if len(values) else float("nan")
