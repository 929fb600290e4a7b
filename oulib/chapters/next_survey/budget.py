"""Waves, respondents and units against what is known of slopes, with units that are all alike.

It is :func:`oulib.chapters.next_survey.analysis.formula` with the panel's units put in as if they
were all like the typical one, so that there can be more or fewer of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oulib.chapters.next_survey import analysis
from oulib.posterior.estimate import SAMPLES
from oulib.sampling.fit import Fit

_SIZES = np.geomspace(1, 1000, 40)


@dataclass(frozen=True)
class Economy:
    """What a plan takes for the truth, at posterior means; scores and outcomes in sds of the panel.

    ``months``, ``units``, ``waves`` and ``respondents`` are the panel's own, ``answered`` the share
    of planned surveys that are.  ``slope`` is the size of the average one and ``prior`` the sd of
    its prior; ``site`` is the variance that ``sites`` sites add to it.  ``noise`` is the variance
    of an outcome given its score and the unit's other outcomes, and ``unknown`` what a whole score
    that is not known adds to it, over sigma_x^2.  ``level`` is the variance of units' levels where
    differences between units tell of the slope, else None.  Of the logarithm of a survey's
    reliability with ``sizes`` respondents, ``doubt`` is the prior variance and ``learnt`` the
    precision that the panel's surveys have added, (size).
    """

    months: int
    units: int
    waves: int
    respondents: float
    answered: float
    slope: float
    prior: float
    sigma_beta: float
    sites: int
    site: float
    sigma_x: float
    sigma_mu_x: float
    sigma_meas: float
    noise: float
    unknown: float
    level: float | None
    sizes: np.ndarray
    doubt: np.ndarray
    learnt: np.ndarray


def economy(fit: Fit) -> Economy:
    """What plans take for the truth, from a fit."""
    panel, p, spec, now = fit.panel, analysis.assumed(fit), fit.spec, analysis.current(fit.panel)
    beta, slope = _size(fit, "sigma_ou", "beta"), abs(float(p["mu_beta"].squeeze()))
    variance = analysis.row_noise(fit, np.zeros(panel.rows.sizes["row"]))
    share = np.bincount(panel.site_idx, minlength=len(panel.sites)) / len(panel.ous)
    site = _size(fit, "sigma_site", "beta") ** 2 * float(np.sum(share**2)) if spec.sites else 0.0
    known = np.array([_reliability(fit, n) for n in _SIZES])
    return Economy(
        months=len(panel.months),
        units=len(panel.ous),
        waves=now.waves,
        respondents=now.respondents,
        answered=analysis.answered(panel),
        slope=slope,
        prior=spec.priors.mu_beta,
        sigma_beta=beta,
        sites=len(panel.sites) if spec.sites else 1,
        site=site,
        sigma_x=float(p["sigma_x"].squeeze()),
        sigma_mu_x=float(p["sigma_mu_x"].squeeze()),
        sigma_meas=float(p["sigma_meas"].squeeze()),
        noise=float(1 / np.mean(1 / variance)),
        unknown=slope**2 + beta**2 if spec.score == "latent" else 0.0,
        level=_size(fit, "sigma_ou", "alpha") ** 2 if spec.slope == "total" else None,
        sizes=_SIZES,
        doubt=known[:, 0],
        learnt=known[:, 1],
    )


def _size(fit: Fit, name: str, effect: str) -> float:
    """Of the draws of an effect's sd the root mean square: variances are what pooling adds up."""
    draws = fit.posterior[name].sel(effect=effect)
    return float((draws**2).mean(SAMPLES)) ** 0.5


def _reliability(fit: Fit, respondents: float) -> tuple[float, float]:
    """Prior variance of the logarithm of a survey's reliability, and the precision learnt of it."""
    known, prior = analysis.reliability_spread(fit, respondents)
    if min(known, prior) <= 0:
        return 0.0, 0.0
    return prior, max(1 / known - 1 / prior, 0.0)


@dataclass(frozen=True)
class Precision:
    """Sds of the average slope, of a unit's slope, and of the former with endless surveys.

    ``reliability`` is that of a survey within its unit.
    """

    average: float
    unit: float
    floor: float
    reliability: float


def precision(given: Economy, waves: float, respondents: float, units: int) -> Precision:
    """What a design would leave unknown; equations ``eq-plan`` and ``eq-plan-ratio``.

    A unit's slope is known from its own surveys and from the average, in proportion to what they
    tell: the sd is that of a unit that the average is estimated from, too.
    """
    score, beta = given.sigma_x**2, given.sigma_beta**2
    total = score + given.sigma_meas**2 / respondents
    w = score / total
    surveys = given.answered * waves
    known = surveys * given.sigma_mu_x**2
    known = known / (known + total)
    spare = max(1 - known / surveys, 0.0) * (1 - 1 / units)
    told = spare * w * score * surveys / (given.noise + given.unknown * (1 - w) * score)
    own = 1 / (told + 1 / beta)  # of a unit's departure from the average
    sum_ = units * told * own / beta
    if given.level is not None:
        between = given.sigma_mu_x**2
        left = given.level + (beta + given.slope**2 * (1 - known)) * between
        sum_ += units * known * between / left * (1 - given.sites / units)
    variance = (1 / sum_ if sum_ > 0 else np.inf) + given.site
    doubt, learnt = (
        float(np.interp(np.log(respondents), np.log(given.sizes), values))
        for values in (given.doubt, given.learnt)
    )
    grown = waves * units / (given.waves * given.units)
    ratio = given.slope**2 / (1 / doubt + learnt * grown) if doubt > 0 else 0.0
    average, at_known = (
        1 / np.sqrt(1 / (variance + more) + 1 / given.prior**2) for more in (ratio, 0.0)
    )
    return Precision(
        average=float(average),
        unit=float(np.sqrt(own + (own / beta * at_known) ** 2 + ratio)),
        floor=float(np.sqrt(beta / units + given.site)),
        reliability=w,
    )
