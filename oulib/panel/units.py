"""A simulated panel's truth in the units of the finished panel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from oulib.panel import Panel
from oulib.panel.recipes import Recipe

RAW = {"m_y": 4.6, "s_y": 0.30, "m_x": 3.7, "s_x": 0.25}
"""Where the simulator's standardised scale lies in productivity and survey units."""

_DIMS = {
    **dict.fromkeys(("alpha", "beta", "trend", "mu_x_ou", "rho_ou"), ("ou",)),
    **dict.fromkeys(("noise_ou", "loading"), ("ou",)),
    "coef": ("covariate",),
    **dict.fromkeys(("alpha_site", "beta_site", "trend_site"), ("site",)),
    **dict.fromkeys(("lam", "tau"), ("month",)),
    **dict.fromkeys(("sigma_ou", "sigma_site"), ("effect",)),
    **dict.fromkeys(("corr_ou", "corr_site"), ("effect", "effect_bis")),
    "rho_month": ("wave",),
    "x_star": ("row",),
}


def on_the_panels_scale(
    truth: Mapping[str, Any], panel: Panel, recipe: Recipe, sigma_trend: float
) -> xr.Dataset:
    """The truth after the change of units that standardising the finished panel makes.

    The simulator draws x and y on its own scale; the panel's constants make of them
    (x - a) / b and (y - c) / d, and every parameter follows exactly.
    """
    a = (panel.scale.m_x - RAW["m_x"]) / RAW["s_x"]
    b = panel.scale.s_x / RAW["s_x"]
    c = (panel.scale.m_y - RAW["m_y"]) / RAW["s_y"]
    d = panel.scale.s_y / RAW["s_y"]
    t = dict(truth)
    for suffix, shift in (("", c), ("_site", 0.0)):
        if f"alpha{suffix}" in t:
            t[f"alpha{suffix}"] = (t[f"alpha{suffix}"] + a * t[f"beta{suffix}"] - shift) / d
            t[f"beta{suffix}"] = t[f"beta{suffix}"] * b / d
    t["mu_alpha"] = (t["mu_alpha"] + a * t["mu_beta"] - c) / d
    t["mu_beta"] = t["mu_beta"] * b / d
    if "coef" in t:
        # The panel's covariates are standardised, which moves their mean into the intercept.
        given = panel.to_frame()[list(panel.covariates)]
        shift = float(given.mean().to_numpy() @ t["coef"]) / d
        t["alpha"], t["mu_alpha"] = t["alpha"] + shift, t["mu_alpha"] + shift
        t["coef"] = t["coef"] * given.std(ddof=0).to_numpy() / d
    turn = np.array([[1 / d, a / d], [0, b / d]])
    for level in ("ou", "site"):
        if f"sigma_{level}" in t:
            scale = np.diag(t[f"sigma_{level}"])
            covariance = turn @ scale @ t[f"corr_{level}"] @ scale @ turn.T
            sd = np.sqrt(np.diag(covariance))
            t[f"sigma_{level}"] = sd
            t[f"corr_{level}"] = covariance / np.outer(sd, sd)
    if "trend" in t:
        t["trend"] = t["trend"] / d
        t["sigma_ou"] = np.append(t["sigma_ou"], sigma_trend / d)
        corr = np.eye(3)
        corr[:2, :2] = t["corr_ou"]
        t["corr_ou"] = corr
        if "sigma_site" in t:  # sites have no trends of their own
            t["trend_site"] = np.zeros(len(t["alpha_site"]))
            t["sigma_site"] = np.append(t["sigma_site"], 0.0)
            corr = np.eye(3)
            corr[:2, :2] = t["corr_site"]
            t["corr_site"] = corr
    for name in ("lam", "sigma_lam", "sigma_y", "sigma_u"):
        if name in t:
            t[name] = t[name] / d
    for name in ("mu_x", "mu_x_ou", "x_star"):
        t[name] = (t[name] - a) / b
    for name in ("sigma_mu_x", "sigma_x", "sigma_meas"):
        t[name] = t[name] / b
    if recipe == "baseline":
        t["tau"] = t["tau"] / b  # gamma_x is fixed there, so the unit change falls on tau
    else:
        t["gamma_x"] = t["gamma_x"] / b
        t["rho_0"] = t["rho_0"] + t["rho_x"] * a
        t["rho_x"] = t["rho_x"] * b
    return xr.Dataset({name: (_DIMS.get(name, ()), value) for name, value in t.items()})
