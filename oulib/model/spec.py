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
Noise = Literal["common", "by_ou"]
Score = Literal["latent", "expected"]
Slope = Literal["total", "within"]
Movement = Literal["all_months", "survey_months"]
SurveyScale = Literal["unit", "design"]


@dataclass(frozen=True, kw_only=True)
class Priors:
    """Prior scales, on the standardised scale; the specification's values are the defaults.

    Each is the standard deviation of a normal or the scale of a half-normal distribution, except
    ``gamma_x_fixed``, the size of the survey's month effects where it is not learned;
    ``lkj_eta``, the concentration of the LKJ prior on correlations; and ``nu``, the mean of the
    exponential part of the degrees of freedom, which are 2 + Exponential.  ``relevant``, the
    number of covariates expected to matter, and ``slab``, the scale of those that do, belong to
    the horseshoe.  ``phi_u`` is a of the Beta(a, 1) prior of the deviations' autocorrelation.
    ``noise_share``, with prior scales from the design, is a of the Beta(a, a) prior of the share of
    noise in a typical survey's variance within an OU; 0.5 leaves ``sigma_x`` and ``sigma_meas``
    half-normal.
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
    sigma_u: float = 0.5
    phi_u: float = 4.0
    sigma_noise_ou: float = 0.5
    noise_share: float = 0.5


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
        noise: whether OUs share one residual scale, or each has its own, ``noise_ou[ou]`` times
            ``sigma_y``, log-normal and pooled (``"by_ou"``).
        score: what the outcome's mean follows: the latent score itself, whose uncertainty then
            adds beta_g^2 var(x*) to a row's variance, or its expectation given the surveys
            (``"expected"``, regression calibration), which keeps that term out.
        slope: what beta_g multiplies.  ``"total"``: the score, so that differences between OUs
            and common movements of the score speak of it, too.  ``"within"``: the OU's own
            departure from them, x* - mu_x,g - gamma_x tau_t; OUs' mean scores get a coefficient
            ``beta_between`` of their own, the common movement is left to ``lam``, and ``alpha[ou]``
            is the outcome at the OU's own mean score (Mundlak, 1978).
        movement: whether the score's common movement ``tau`` is a path over all months, or a free
            effect of each month with surveys (``"survey_months"``), and zero in the others.
        deviations: whether an OU strays from its expected outcome for months on end, by a
            stationary AR(1) of its own (``phi_u``, innovations ``sigma_u``), summed out.
        survey_scale: the unit of the prior scale of ``sigma_meas``: the sd of scores, or that
            times the root of the median number of respondents (``"design"``).
        group_scales: prior family of the scales of OU and site effects; the half-Student-t has
            four degrees of freedom.
        rho_x: how strongly answering depends on the score: learned (None), or set to a number, for
            a question of what would follow if it were that.
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
    noise: Noise = "common"
    score: Score = "latent"
    slope: Slope = "total"
    movement: Movement = "all_months"
    deviations: bool = False
    survey_scale: SurveyScale = "unit"
    group_scales: GroupScales = "half_normal"
    rho_x: float | None = None
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

    @property
    def effects_summed_out(self) -> bool:
        """Whether OU effects are summed out of the likelihood and drawn after sampling."""
        return self.deviations and self.score == "expected"

    def problems(self) -> tuple[str, ...]:
        """Why these switches cannot stand together, a sentence each; empty if they can."""
        found = []
        if self.rho_x is not None and not self.response:
            found.append("a fixed rho_x is the slope of a response part, and there is none")
        if self.score == "expected":
            if self.latent != "integrated":
                found.append(
                    "score='expected' has no explicit form, for no latent score enters the outcome"
                )
            if self.response:
                found.append(
                    "score='expected' has no response part, for whether a survey was answered "
                    "would change the expectation"
                )
        if self.deviations:
            if self.latent != "integrated":
                found.append("deviations are only ever summed out, so latent must be 'integrated'")
            if self.outcome != "gaussian":
                found.append(
                    "deviations need a Gaussian outcome, for the filter that sums them out is "
                    "exact for nothing else; noise='by_ou' bends to unruly OUs instead"
                )
            if self.response:
                found.append("deviations do not go with a response part")
            if self.trend:
                found.append("deviations do not go with trends, which they absorb")
        return tuple(found)

    def structure(self) -> dict[str, Any]:
        """The switches that decide on a model's graph, without the numbers that are its data."""
        fixed = None if self.rho_x is None else 0.0
        return {**self.to_dict(), "name": None, "priors": None, "rho_x": fixed}

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

ROBUST = BASELINE.but(
    name="robust",
    months="ar1",
    noise="by_ou",
    score="expected",
    slope="within",
    movement="survey_months",
    deviations=True,
    survey_scale="design",
    priors=Priors(noise_share=2.0),
)
"""For real panels: what lets the outcome bend a slope without any survey is closed or modelled."""

CONCLUDING: tuple[ModelSpec, ...] = (SITE, AR1, STUDENT_T, BASELINE, ROBUST)
"""The models that conclusions may come from, in the order in which they are asked.

``UPGRADED`` is not among them: what it says rests on how surveys go missing, which no fit can tell.
"""

MODELS: dict[str, ModelSpec] = {spec.name: spec for spec in (*LADDER, ROBUST)}
"""The named models, as the command line knows them."""
