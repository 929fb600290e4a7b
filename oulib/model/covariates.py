"""Covariates of the outcome: many coefficients, and the priors that keep them from overfitting."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

from oulib.errors import UserError
from oulib.model.spec import ModelSpec
from oulib.panel import Panel

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
    a slab keeps those that do of a plausible size.  The prior is the paper's; the coordinates
    are not, for its non-centred ones diverge (:func:`_informed`).
    """
    c2 = pm.InverseGamma("slab2", SLAB_DF / 2, SLAB_DF / 2 * spec.priors.slab**2)
    # Data, for it depends on how many rows there are: a compiled model serves other panels, too.
    scale = pm.Data("horseshoe_scale", global_scale(panel, spec))
    s0 = pm.HalfCauchy("sigma_coef", scale)
    local = pm.HalfCauchy("local_coef", 1.0, dims="covariate")
    free = s0**2 * local**2
    return _informed(panel, pt.sqrt(c2 * free / (c2 + free)))


def _informed(panel: Panel, scale: TensorVariable) -> TensorVariable:
    """``coef`` ~ N(0, scale^2), in coordinates that follow what the data can tell.

    Non-centred, coef = scale z, a coefficient that the data pin down makes a curved ridge of its
    scale and its z, where the sampler diverges; centred, one that they say nothing of makes a
    funnel.  Were the other parameters known, data with estimate b and information I (1 / variance)
    would give coef the mean s^2 I b / (1 + s^2 I) and the variance s^2 / (1 + s^2 I).  What is
    sampled is the distance from that mean, in those standard deviations.  It is a linear map of
    z, so the prior is the same whatever b and I are; without information it is z.
    """
    estimate, information = rough(panel)
    b = pm.Data("rough_coef", estimate, dims="covariate")
    known = pm.Data("rough_information", information, dims="covariate")
    root = pt.sqrt(1 + scale**2 * known)
    shift = scale * known * b / root
    u = pm.Normal("u_coef", -shift, root, dims="covariate")
    z = pm.Deterministic("z_coef", (u + shift) / root, dims="covariate")
    return pm.Deterministic("coef", scale * z, dims="covariate")


def rough(panel: Panel) -> tuple[np.ndarray, np.ndarray]:
    """A first estimate of each coefficient and its information, by least squares.

    OU and month means are taken off first, and the score is left in the noise; coefficients have
    unit normal priors, so that covariates which move together, or do not move, do no harm.  What
    is returned only chooses coordinates.
    """
    y = panel.rows["y"].to_numpy()
    seen = np.isfinite(y)
    table = np.column_stack([y, panel.rows["covariates"].to_numpy()])[seen]
    places = [panel.rows[name].to_numpy()[seen] for name in ("ou_idx", "month_idx")]
    for place in places * 3:  # exact at once where every OU has every month
        count = np.maximum(np.bincount(place), 1)
        for column in table.T:
            column -= (np.bincount(place, weights=column) / count)[place]
    y, z = table[:, 0], table[:, 1:]
    spent = sum(len(np.unique(place)) for place in places) + z.shape[1]
    noise = max(float(y @ y) / max(len(y) - spent, 1), 1e-6)
    for _ in range(3):
        covariance = np.linalg.inv(z.T @ z / noise + np.eye(z.shape[1]))
        estimate = covariance @ (z.T @ y) / noise
        noise = max(float(np.sum((y - z @ estimate) ** 2)) / max(len(y) - spent, 1), 1e-6)
    return estimate, np.maximum(1 / np.diag(covariance) - 1, 0.0)


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
