"""Intercepts and slopes of OUs, correlated and pooled over one level or, with sites, two."""

from __future__ import annotations

from dataclasses import dataclass

import pymc as pm
from pymc.distributions.transforms import CholeskyCorrTransform
from pytensor.tensor import TensorVariable

from oulib.errors import UserError
from oulib.panel import Panel
from oulib.spec import ModelSpec

EFFECTS = ("alpha", "beta")
"""The varying effects, in the order of ``sigma_ou[effect]`` and ``corr_ou``."""


class _CholeskyCorr(CholeskyCorrTransform):
    # PyMC reads a variable's name back from "name_transform__" and assumes that the transform's
    # name has no underscore; its own "cholesky_corr" makes compute_log_likelihood fail.
    name = "choleskycorr"


@dataclass(frozen=True)
class Effects:
    """Total effects of each OU: population plus site plus OU, arrays over ``ou``."""

    alpha: TensorVariable
    beta: TensorVariable


def add(panel: Panel, spec: ModelSpec, *, mu_x_ou: TensorVariable) -> Effects:
    """Add ``alpha[ou]`` and ``beta[ou]`` (spec 1.1, with sites 2.1) to the current PyMC model.

    Raises:
        UserError: a site level was asked for and the panel has a single site.
    """
    model = pm.modelcontext(None)
    model.add_coords({"effect": EFFECTS, "effect_bis": EFFECTS})
    mean_alpha = pm.Normal("mu_alpha", 0.0, spec.priors.mu_alpha)
    mean_beta = pm.Normal("mu_beta", 0.0, spec.priors.mu_beta)
    if spec.sites:
        if len(panel.sites) < 2:
            raise UserError(
                f"The model {spec.name} has a site level, and the panel has one site. "
                "Fit a model without it."
            )
        alpha_site, beta_site = _sites(spec)
        site = pm.Data("site_idx", panel.site_idx, dims="ou")
        mean_alpha, mean_beta = mean_alpha + alpha_site[site], mean_beta + beta_site[site]
    sigma = _scales("sigma_ou", spec, spec.priors.sigma_ou)
    build = {"level": _level, "noncentred": _noncentred}[spec.geometry]
    alpha, beta = build(spec, mean_alpha, mean_beta, sigma, mu_x_ou)
    return Effects(
        alpha=pm.Deterministic("alpha", alpha, dims="ou"),
        beta=pm.Deterministic("beta", beta, dims="ou"),
    )


def _scales(name: str, spec: ModelSpec, scale: float) -> TensorVariable:
    if spec.group_scales == "half_student_t":
        return pm.HalfStudentT(name, nu=4, sigma=scale, dims="effect")
    return pm.HalfNormal(name, sigma=scale, dims="effect")


def _correlation(level: str, spec: ModelSpec, *, reverse: bool = False) -> TensorVariable:
    """Cholesky factor of the correlation matrix ``corr_<level>`` under its LKJ prior.

    ``reverse`` factorises the effects from last to first; the LKJ density does not mind.
    """
    size = len(EFFECTS)
    chol = pm.LKJCorr(
        f"chol_corr_{level}",
        n=size,
        eta=spec.priors.lkj_eta,
        default_transform=_CholeskyCorr(n=size, upper=False),
    )
    order = slice(None, None, -1 if reverse else 1)
    # Sums of a few products: a matrix product would call on BLAS for a two by two matrix.
    corr = (chol[:, None, :] * chol[None, :, :]).sum(axis=-1)
    pm.Deterministic(f"corr_{level}", corr[order, order], dims=("effect", "effect_bis"))
    return chol


def _correlated(
    level: str, spec: ModelSpec, sigma: TensorVariable, dim: str
) -> tuple[TensorVariable, TensorVariable]:
    """Mean-zero correlated pairs by the specification's transform, z @ L.T.

    ``z`` has one group a row, so z @ L.T has rows with covariance L @ L.T; z @ L would not.
    """
    z = pm.Normal(f"z_{level}", dims=(dim, "effect"))
    factor = sigma[:, None] * _correlation(level, spec)
    pairs = z @ factor.T
    return pairs[:, 0], pairs[:, 1]


def _sites(spec: ModelSpec) -> tuple[TensorVariable, TensorVariable]:
    """Site effects ``alpha_site[site]`` and ``beta_site[site]``, non-centred: sites are few."""
    sigma = _scales("sigma_site", spec, spec.priors.sigma_site)
    alpha, beta = _correlated("site", spec, sigma, "site")
    return (
        pm.Deterministic("alpha_site", alpha, dims="site"),
        pm.Deterministic("beta_site", beta, dims="site"),
    )


def _noncentred(
    spec: ModelSpec,
    mean_alpha: TensorVariable,
    mean_beta: TensorVariable,
    sigma: TensorVariable,
    mu_x_ou: TensorVariable,
) -> tuple[TensorVariable, TensorVariable]:
    """The specification's coordinates for the OU effects."""
    alpha, beta = _correlated("ou", spec, sigma, "ou")
    return mean_alpha + alpha, mean_beta + beta


def _level(
    spec: ModelSpec,
    mean_alpha: TensorVariable,
    mean_beta: TensorVariable,
    sigma: TensorVariable,
    mu_x_ou: TensorVariable,
) -> tuple[TensorVariable, TensorVariable]:
    """The same prior, sampled where the data are: level centred, slope non-centred.

    An OU's level, alpha + beta * mu_x_ou, is what months of outcomes pin down; its intercept
    and slope alone slide along a ridge.  The map from level to intercept is a shift, so its
    Jacobian is one and the prior is untouched.
    """
    z = pm.Normal("z_beta", dims="ou")
    chol = _correlation("ou", spec, reverse=True)  # beta first, then alpha given beta
    beta = mean_beta + sigma[1] * z
    level = pm.Normal(
        "level_ou",
        mu=mean_alpha + sigma[0] * chol[1, 0] * z + beta * mu_x_ou,
        sigma=sigma[0] * chol[1, 1],
        dims="ou",
    )
    return level - beta * mu_x_ou, beta
