"""OU intercepts and slopes, correlated and partially pooled."""

from __future__ import annotations

from dataclasses import dataclass

import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.transforms import CholeskyCorrTransform
from pytensor.tensor import TensorVariable

from oulib.spec import ModelSpec

EFFECTS = ("alpha", "beta")
"""The varying effects, in the order of ``sigma_ou[effect]`` and ``corr_ou``."""


class _CholeskyCorr(CholeskyCorrTransform):
    # PyMC reads a variable's name back from "name_transform__" and assumes that the transform's
    # name has no underscore; its own "cholesky_corr" makes compute_log_likelihood fail.
    name = "choleskycorr"


@dataclass(frozen=True)
class Effects:
    """Total effects of each OU: population plus group, arrays over ``ou``."""

    alpha: TensorVariable
    beta: TensorVariable


def add(spec: ModelSpec, *, mu_x_ou: TensorVariable) -> Effects:
    """Add ``alpha[ou]`` and ``beta[ou]`` (spec 1.1) to the current PyMC model."""
    model = pm.modelcontext(None)
    model.add_coords({"effect": EFFECTS, "effect_bis": EFFECTS})
    mu_alpha = pm.Normal("mu_alpha", 0.0, spec.priors.mu_alpha)
    mu_beta = pm.Normal("mu_beta", 0.0, spec.priors.mu_beta)
    sigma = pm.HalfNormal("sigma_ou", sigma=spec.priors.sigma_ou, dims="effect")
    build = {"level": _level, "noncentred": _noncentred}[spec.geometry]
    alpha, beta = build(spec, mu_alpha, mu_beta, sigma, mu_x_ou)
    return Effects(
        alpha=pm.Deterministic("alpha", alpha, dims="ou"),
        beta=pm.Deterministic("beta", beta, dims="ou"),
    )


def _correlation(spec: ModelSpec, *, reverse: bool = False) -> TensorVariable:
    """Cholesky factor of the correlation matrix ``corr_ou`` under its LKJ prior.

    ``reverse`` factorises the effects from last to first; the LKJ density does not mind.
    """
    size = len(EFFECTS)
    chol = pm.LKJCorr(
        "chol_corr_ou",
        n=size,
        eta=spec.priors.lkj_eta,
        default_transform=_CholeskyCorr(n=size, upper=False),
    )
    order = slice(None, None, -1 if reverse else 1)
    # Sums of a few products: a matrix product would call on BLAS for a two by two matrix.
    corr = (chol[:, None, :] * chol[None, :, :]).sum(axis=-1)
    pm.Deterministic("corr_ou", corr[order, order], dims=("effect", "effect_bis"))
    return chol


def _noncentred(
    spec: ModelSpec,
    mu_alpha: TensorVariable,
    mu_beta: TensorVariable,
    sigma: TensorVariable,
    mu_x_ou: TensorVariable,
) -> tuple[TensorVariable, TensorVariable]:
    """The specification's form: rows of standard normals times the transposed factor.

    ``z`` has one OU a row, so z @ L.T has rows with covariance L @ L.T; z @ L would not.
    """
    z = pm.Normal("z_ou", dims=("ou", "effect"))
    factor = sigma[:, None] * _correlation(spec)
    effects = pt.stack([mu_alpha, mu_beta]) + z @ factor.T
    return effects[:, 0], effects[:, 1]


def _level(
    spec: ModelSpec,
    mu_alpha: TensorVariable,
    mu_beta: TensorVariable,
    sigma: TensorVariable,
    mu_x_ou: TensorVariable,
) -> tuple[TensorVariable, TensorVariable]:
    """The same prior, sampled where the data are: level centred, slope non-centred.

    An OU's level, alpha + beta * mu_x_ou, is what months of outcomes pin down; its intercept
    and slope alone slide along a ridge.  The map from level to intercept is a shift, so its
    Jacobian is one and the prior is untouched.
    """
    z = pm.Normal("z_beta", dims="ou")
    chol = _correlation(spec, reverse=True)  # beta first, then alpha given beta
    beta = mu_beta + sigma[1] * z
    level = pm.Normal(
        "level_ou",
        mu=mu_alpha + sigma[0] * chol[1, 0] * z + beta * mu_x_ou,
        sigma=sigma[0] * chol[1, 1],
        dims="ou",
    )
    return level - beta * mu_x_ou, beta
