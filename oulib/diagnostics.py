"""Whether chains have settled: what a table of draws and the sampler's statistics say of it.

It needs draws and no fit, for it also decides how long to sample (:mod:`oulib.looks`); the gate of
a finished fit is :mod:`oulib.checks`.
"""

from __future__ import annotations

from dataclasses import dataclass

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr

from oulib.model.groups import EFFECTS, TREND
from oulib.spec import ModelSpec

NAMES = (
    *("mu_alpha", "mu_beta", "sigma_ou", "corr_ou", "sigma_site", "corr_site"),
    *("alpha", "beta", "trend", "alpha_site", "beta_site", "trend_site"),
    *("coef", "sigma_coef"),
    *("lam", "phi_lam", "sigma_lam", "tau", "phi_tau", "gamma_x"),
    *("mu_x", "sigma_mu_x", "mu_x_ou", "sigma_x", "sigma_meas", "sigma_y", "nu"),
    *("beta_between", "noise_ou", "sigma_noise_ou", "phi_u", "sigma_u"),
    *("rho_0", "rho_x", "rho_ou", "sigma_rho_ou", "rho_month", "sigma_rho_month", "x_star"),
)
"""The public names of posterior variables; the others are coordinates of the sampler."""

HYPERPARAMETERS = (
    *("mu_alpha", "mu_beta", "sigma_ou", "corr_ou", "sigma_site", "corr_site"),
    *("phi_lam", "sigma_lam", "phi_tau", "gamma_x", "mu_x", "sigma_mu_x"),
    *("sigma_x", "sigma_meas", "sigma_y", "nu"),
    *("beta_between", "sigma_noise_ou", "phi_u", "sigma_u"),
    *("rho_0", "rho_x", "sigma_rho_ou", "sigma_rho_month"),
)
"""The names whose number does not grow with OUs, sites, months or rows."""


_EFFECTS = (*EFFECTS, TREND)
REDUNDANT = [
    f"corr_{level}[{row}, {column}]"
    for level in ("ou", "site")
    for place, row in enumerate(_EFFECTS)
    for column in _EFFECTS[: place + 1]
]
"""Labels of a correlation matrix that repeat another, or are 1 and have no diagnostics."""


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """What a fit must reach; the R-hat and ESS levels are those of Vehtari et al. (2021)."""

    r_hat: float = 1.01
    ess_per_chain: float = 100.0
    bfmi: float = 0.3
    quadrature: float = 1e-3


@dataclass(frozen=True, kw_only=True)
class Check:
    """One diagnostic: its value, the threshold it is held to, where it is worst, what to try."""

    name: str
    value: float
    threshold: float
    passed: bool
    where: tuple[str, ...] = ()
    advice: str = ""


def summary(posterior: xr.Dataset) -> pd.DataFrame:
    """A row per scalar of the posterior under its public name.

    Index labels spell the place out (``alpha[OU-07]``, ``lam[2024-03]``); columns are ``mean``,
    ``sd``, ``mcse_mean``, ``q5``, ``q95``, ``ess_bulk``, ``ess_tail`` and ``r_hat``.
    """
    drawn = posterior[[name for name in NAMES if name in posterior]]
    # A correlation matrix's diagonal is constant: its R-hat is 0 / 0, and is left blank.
    with np.errstate(invalid="ignore"):
        table = az.summary(drawn, ci_prob=0.9, ci_kind="eti", round_to="none", kind="all")
        # ArviZ's own tail ESS is that of other quantiles than the two reported here.
        tail = az.ess(drawn, method="tail", prob=(0.05, 0.95))
    table = table.rename(columns={"eti90_lb": "q5", "eti90_ub": "q95"})
    table["ess_tail"] = np.concatenate([np.ravel(tail[name].to_numpy()) for name in drawn])
    columns = ["mean", "sd", "mcse_mean", "q5", "q95", "ess_bulk", "ess_tail", "r_hat"]
    return table[columns].astype(float).rename_axis("parameter")


def constants(posterior: xr.Dataset, spec: ModelSpec) -> list[str]:
    """Labels of what the model does not learn, and of what repeats another.

    The former are a ``rho_x`` that was set to a number, and the score's movement in months without
    surveys, which may be set to zero.
    """
    constant = [*REDUNDANT] if spec.rho_x is None else [*REDUNDANT, "rho_x"]
    if spec.movement == "all_months":
        return constant
    still = (posterior["tau"] == 0).all(("chain", "draw"))
    return constant + [f"tau[{month}]" for month in still["month"].to_numpy()[still.to_numpy()]]


def diagnose(
    table: pd.DataFrame, stats: xr.Dataset, *, max_depth: int, limit: Thresholds
) -> tuple[Check, ...]:
    """R-hat and effective sizes over the rows of ``table``, the rest over the chains.

    Args:
        table: of :func:`summary`, without :func:`constants`.
        stats: the sampler's statistics, (chain, draw).
        max_depth: a trajectory has at most 2 ** max_depth steps.
        limit: what the draws must reach.
    """
    ess = limit.ess_per_chain * stats.sizes["chain"]
    # Draws that are not numbers, or never moved, have no diagnostics: they fail every one.
    sound = np.isfinite(table[["mean", "sd", "r_hat"]]).all(axis="columns")
    saturated = _saturated(stats, max_depth)
    with np.errstate(invalid="ignore"):
        bfmi = np.nan_to_num(np.atleast_1d(az.bfmi(stats)["energy"]))  # 0 / 0: it never moved
    return (
        _over_scalars(
            "r_hat",
            table["r_hat"].where(sound, np.inf),
            limit.r_hat,
            largest=True,
            advice="The chains disagree. Look at the traces of the parameters named: two modes "
            "call for another model, slow drift for more draws.",
        ),
        _over_scalars(
            "ess_bulk",
            table["ess_bulk"].where(sound, 0.0),
            ess,
            largest=False,
            advice="Too few effective draws for the posterior mean. Raise draws, or simplify.",
        ),
        _over_scalars(
            "ess_tail",
            table["ess_tail"].where(sound, 0.0),
            ess,
            largest=False,
            advice="Too few effective draws for the 90% intervals. Raise draws.",
        ),
        Check(
            name="divergences",
            value=float(stats["diverging"].sum()),
            threshold=0.0,
            passed=not bool(stats["diverging"].any()),
            advice="The sampler met a curvature it cannot follow, so part of the posterior may "
            "be missing. Raise target_accept; if they stay, change the model's coordinates.",
        ),
        Check(
            name="bfmi",
            value=float(bfmi.min()),
            threshold=limit.bfmi,
            passed=bool(bfmi.min() >= limit.bfmi),
            where=tuple(f"chain {i}" for i in np.flatnonzero(bfmi < limit.bfmi)),
            advice="Energy moves slowly between draws, a sign of heavy tails in the posterior.",
        ),
        Check(
            name="tree_depth",
            value=float(saturated.sum()),
            threshold=0.0,
            passed=not bool(saturated.any()),
            advice="Trajectories were cut short at the largest tree. Raise tune first.",
        ),
    )


def _saturated(stats: xr.Dataset, max_depth: int) -> xr.DataArray:
    """Which trajectories were cut short at the largest tree, under each sampler's own name."""
    for name in ("maxdepth_reached", "reached_max_treedepth"):
        if name in stats:
            return stats[name]
    return stats["tree_depth"] >= max_depth


def _over_scalars(
    name: str, values: pd.Series, threshold: float, *, largest: bool, advice: str
) -> Check:
    """A check of the worst scalar; ``where`` names those beyond the threshold, worst first."""
    beyond = values[values > threshold] if largest else values[values < threshold]
    worst = values.max() if largest else values.min()
    return Check(
        name=name,
        value=float(worst),
        threshold=threshold,
        passed=beyond.empty,
        where=tuple(beyond.sort_values(ascending=not largest).index),
        advice=advice,
    )
