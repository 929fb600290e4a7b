"""Covariates of the outcome: many coefficients, and the priors that keep them from overfitting."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

from oulib.errors import UserError
from oulib.panel import Panel
from oulib.spec import ModelSpec

SLAB_DF = 4.0
"""Degrees of freedom of the Student-t slab that bounds the horseshoe's large coefficients."""


def add(panel: Panel, spec: ModelSpec) -> TensorVariable | None:
    """Add ``coef[covariate]`` (spec 8) to the current PyMC model; returns each row's sum.

    None without covariates.

    Raises:
        UserError: the spec asks for covariates and the panel has none.
    """
    if spec.covariates == "none":
        return None
    if not panel.covariates:
        raise UserError(
            f"The model {spec.name} has covariates ({spec.covariates}), and the panel has none. "
            "Name the columns of the file when it is read, or fit a model without covariates."
        )
    model = pm.modelcontext(None)
    model.add_coords({"covariate": panel.covariates})
    prior = {"wide": _wide, "ridge": _ridge, "ard": _ard, "horseshoe": _horseshoe}
    coef = prior[spec.covariates](panel, spec)
    z = pm.Data("covariates", panel.rows["covariates"].to_numpy(), dims=("row", "covariate"))
    return z @ coef


def _wide(panel: Panel, spec: ModelSpec) -> TensorVariable:
    return pm.Normal("coef", 0.0, spec.priors.wide, dims="covariate")


def _ridge(panel: Panel, spec: ModelSpec) -> TensorVariable:
    return pm.Normal("coef", 0.0, spec.priors.ridge, dims="covariate")


def _ard(panel: Panel, spec: ModelSpec) -> TensorVariable:
    """Automatic relevance determination: an sd for each coefficient (MacKay, 1996)."""
    sigma = pm.HalfNormal("sigma_coef", spec.priors.ard, dims="covariate")
    return pm.Deterministic("coef", sigma * pm.Normal("z_coef", dims="covariate"), dims="covariate")


def _horseshoe(panel: Panel, spec: ModelSpec) -> TensorVariable:
    """The regularised horseshoe of Piironen and Vehtari (2017).

    A global scale pulls all coefficients to zero, half-Cauchy local scales let a few escape, and
    a slab keeps those that do of a plausible size.
    """
    c2 = pm.InverseGamma("slab2", SLAB_DF / 2, SLAB_DF / 2 * spec.priors.slab**2)
    # Data, for it depends on how many rows there are: a compiled model serves other panels, too.
    scale = pm.Data("horseshoe_scale", global_scale(panel, spec))
    tau = pm.HalfCauchy("sigma_coef", scale)
    local = pm.HalfCauchy("local_coef", 1.0, dims="covariate")
    shrunk = pt.sqrt(c2 * local**2 / (c2 + tau**2 * local**2))
    z = pm.Normal("z_coef", dims="covariate")
    return pm.Deterministic("coef", z * tau * shrunk, dims="covariate")


def global_scale(panel: Panel, spec: ModelSpec) -> float:
    """Where the horseshoe's global scale is put, from how many coefficients should matter.

    p0 / (D - p0) sigma / sqrt(n), with the prior scale of the outcome's noise as sigma.

    Raises:
        UserError: as many coefficients are expected to matter as there are.
    """
    number, relevant = len(panel.covariates), spec.priors.relevant
    if not 0 < relevant < number:
        raise UserError(
            f"The horseshoe expects {relevant:g} covariates to matter, of {number}. Set the prior "
            f"'relevant' above 0 and below {number}, or use the ridge prior."
        )
    rows = int(np.isfinite(panel.rows["y"].to_numpy()).sum())
    return relevant / (number - relevant) * spec.priors.sigma_y / np.sqrt(rows)
