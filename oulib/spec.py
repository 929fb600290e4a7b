"""What a model is made of: a frozen value of switches and priors, with no data in it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

Latent = Literal["integrated", "explicit", "explicit_informed"]
Geometry = Literal["level", "noncentred"]
Outcome = Literal["gaussian", "student_t"]
Months = Literal["iid", "ar1"]
GroupScales = Literal["half_normal", "half_student_t"]
Tau = Literal["identified", "signed", "free_scale"]
Covariates = Literal["none", "wide", "ridge", "ard", "horseshoe"]


@dataclass(frozen=True, kw_only=True)
class Priors:
    """Prior scales, on the standardised scale; the specification's values are the defaults.

    Each is the standard deviation of a normal or the scale of a half-normal distribution, except
    ``gamma_x_fixed``, the size of the survey's month effects where it is not learned;
    ``lkj_eta``, the concentration of the LKJ prior on correlations; and ``nu``, the mean of the
    exponential part of the degrees of freedom, which are 2 + Exponential.  ``relevant``, the
    number of covariates expected to matter, and ``slab``, the scale of those that do, belong to
    the horseshoe.
    """

    mu_alpha: float = 1.0
    mu_beta: float = 0.5
    sigma_ou: float = 1.0
    lkj_eta: float = 2.0
    mu_x: float = 1.0
    sigma_mu_x: float = 1.0
    sigma_x: float = 1.0
    sigma_meas: float = 1.0
    sigma_y: float = 0.5
    gamma_x_fixed: float = 0.2
    gamma_x: float = 0.3
    sigma_lam: float = 1.0
    sigma_tau: float = 1.0
    sigma_site: float = 1.0
    nu: float = 15.0
    rho_0: float = 1.0
    rho_x: float = 1.0
    sigma_rho: float = 0.5
    wide: float = 1.0
    ridge: float = 0.1
    ard: float = 0.5
    relevant: float = 3.0
    slab: float = 1.0


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """One model of the ladder, as a value.

    Attributes:
        name: what the model is called in tables, files and on the command line.
        outcome: ``"gaussian"`` noise, or ``"student_t"`` with learned degrees of freedom.
        months: independent month effects, or ``"ar1"``, which also learns the size gamma_x of
            the survey's.
        sites: whether OUs are pooled within sites and sites within the population.
        response: whether answering a planned survey may depend on the latent score (MNAR).
        tau: with AR(1) months, ``"identified"`` gives tau unit marginal sd and gamma_x a
            half-normal prior; ``"signed"`` (gamma_x normal) and ``"free_scale"`` (that, and
            tau's innovation sd learned) are the specification's literal forms, which leave a
            symmetry in and cannot pass the gate.
        trend: whether OUs also differ in a linear trend over time, a third correlated effect
            ``trend[ou]`` per standard deviation of time; the trend they share is in ``lam``.
        correlated: whether an OU's effects are correlated (LKJ) or independent.
        covariates: the prior of the coefficients ``coef[covariate]`` of the panel's covariates,
            or ``"none"`` to leave them out: ``"wide"`` hardly shrinks; ``"ridge"`` is normal with
            a small sd; ``"ard"`` learns an sd for each; ``"horseshoe"``, regularised, expects a
            few to matter and the others not.
        group_scales: prior family of the scales of OU and site effects; the half-Student-t has
            four degrees of freedom.
        step: distance between the quadrature nodes of a row's latent score, in widths of the
            row's integrand, where there is no closed form.
        latent: how the latent score x* is treated.  ``"integrated"`` sums it out of the
            likelihood; ``"explicit"`` samples it row by row as the specification writes it;
            ``"explicit_informed"`` samples it around what the row's own survey says.
        geometry: coordinates of the OU effects.  ``"level"`` samples an OU's expected outcome at
            its own mean score, centred, and its slope non-centred; ``"noncentred"`` is the
            specification's ``z @ L.T``.  The prior is the same.
        priors: prior scales.
    """

    name: str = "baseline"
    outcome: Outcome = "gaussian"
    months: Months = "iid"
    sites: bool = False
    response: bool = False
    tau: Tau = "identified"
    trend: bool = False
    correlated: bool = True
    covariates: Covariates = "none"
    group_scales: GroupScales = "half_normal"
    step: float = 0.9
    latent: Latent = "integrated"
    geometry: Geometry = "level"
    priors: Priors = field(default_factory=Priors)

    def but(self, **changes: Any) -> ModelSpec:
        """A copy with some switches changed: ``BASELINE.but(latent="explicit")``."""
        return replace(self, **changes)

    @property
    def closed_form(self) -> bool:
        """Whether a row's density has its latent score integrated out in closed form."""
        return self.outcome == "gaussian" and not self.response

    def to_dict(self) -> dict[str, Any]:
        """The switches and priors as plain values, for a cache key or a file."""
        return asdict(self)


BASELINE = ModelSpec()
STUDENT_T = BASELINE.but(name="student_t", outcome="student_t")
AR1 = STUDENT_T.but(name="ar1", months="ar1")
SITE = AR1.but(name="site", sites=True)
UPGRADED = SITE.but(name="upgraded", response=True)

LADDER: tuple[ModelSpec, ...] = (BASELINE, STUDENT_T, AR1, SITE, UPGRADED)
"""The models in the order of the book, each one upgrade above the one before."""

MODELS: dict[str, ModelSpec] = {spec.name: spec for spec in LADDER}
"""The named models, as the command line knows them."""
