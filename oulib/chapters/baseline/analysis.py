"""Slopes of units alone and in the model, what pooling does, and a slope's two signs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oulib.model.survey import given_survey
from oulib.panel import Panel, describe
from oulib.posterior.estimate import SAMPLES
from oulib.sampling.fit import Fit

# --- a slope's two signs


@dataclass(frozen=True)
class MadeUnit:
    """A unit made for a demonstration, its scales known and its mean score 0.

    ``y`` and ``x`` are its outcomes and what surveys would say in each month, (month); ``order`` is
    that in which months get a survey, (month).  ``slope`` is the true one; the scales are those of
    the baseline, and ``respondents`` are those of a survey.
    """

    y: np.ndarray
    x: np.ndarray
    order: np.ndarray
    slope: float
    sigma_x: float
    sigma_y: float
    sigma_meas: float
    respondents: int


def made_unit(*, slope: float = 0.5, months: int = 36, seed: int = 8) -> MadeUnit:
    """A unit whose surveys are good and whose outcomes vary about as much as its slope makes them.

    Sds: 0.8 of the score between months, 0.5 of the outcome given the score, 1.5 of an answer.
    With the default seed several surveys settle the sign; with others it takes one, or a dozen.
    """
    sigma_x, sigma_y, sigma_meas, respondents = 0.8, 0.5, 1.5, 20
    rng = np.random.default_rng(seed)
    score = sigma_x * rng.standard_normal(months)
    return MadeUnit(
        y=slope * score + sigma_y * rng.standard_normal(months),
        x=score + sigma_meas / np.sqrt(respondents) * rng.standard_normal(months),
        order=rng.permutation(months),
        slope=slope,
        sigma_x=sigma_x,
        sigma_y=sigma_y,
        sigma_meas=sigma_meas,
        respondents=respondents,
    )


@dataclass(frozen=True)
class SignDensities:
    """Densities of a slope, (surveys, grid), with the first so many of a unit's surveys.

    ``positive`` is the probability that it is positive, and ``valley`` how high the lowest place
    between two peaks is, as a share of the lower of them; NaN where there is one peak, (surveys).
    """

    grid: np.ndarray
    surveys: np.ndarray
    density: np.ndarray
    positive: np.ndarray
    valley: np.ndarray
    slope: float


def sign_densities(unit: MadeUnit, most: int = 12) -> SignDensities:
    """The posterior density of the unit's slope with 0 to ``most`` surveys, everything else known.

    But for the unit's level, of which nothing is: it is integrated out.  Before the data the slope
    is standard normal, so that neither sign is favoured.  Equation (2.9) (``eq-integrated``).
    """
    grid = np.linspace(-1.5, 1.5, 301)
    surveys = np.arange(most + 1)
    density = np.array([_slope_density(unit, int(k), grid) for k in surveys])
    step = grid[1] - grid[0]
    positive = (density[:, grid > 0].sum(axis=1) + density[:, grid.size // 2] / 2) * step
    return SignDensities(
        grid=grid,
        surveys=surveys,
        density=density,
        positive=positive,
        valley=np.array([_valley(line) for line in density]),
        slope=unit.slope,
    )


def _slope_density(unit: MadeUnit, surveys: int, grid: np.ndarray) -> np.ndarray:
    """The density over an even grid of slopes, (grid)."""
    n = np.zeros(unit.y.size)
    n[unit.order[:surveys]] = unit.respondents
    mean, var = given_survey(0.0, unit.sigma_x, unit.sigma_meas, n, unit.x)
    beta = grid[:, None]
    precision = 1 / (unit.sigma_y**2 + beta**2 * var)
    left = unit.y - beta * mean
    level = (precision * left).sum(axis=1, keepdims=True) / precision.sum(axis=1, keepdims=True)
    log = (
        (np.log(precision) - precision * (left - level) ** 2).sum(axis=1)
        - np.log(precision.sum(axis=1))  # of the level, which nobody knows
        - grid**2
    ) / 2
    density = np.exp(log - log.max())
    return density / (density.sum() * (grid[1] - grid[0]))


def _valley(density: np.ndarray) -> float:
    """How high the lowest place between two peaks is, as a share of the lower one; NaN if none."""
    middle = density[1:-1]
    peaks = np.flatnonzero((middle > density[:-2]) & (middle >= density[2:])) + 1
    if peaks.size < 2:
        return np.nan
    first, last = peaks[0], peaks[-1]
    return float(density[first : last + 1].min() / min(density[first], density[last]))


# --- what pooling does

HALF_90 = 1.6448536269514722
"""Sds of a normal on either side of its mean that hold 90% of it."""


@dataclass(frozen=True)
class Alone:
    """Slopes of units that were estimated one by one, in their order; arrays are (unit).

    ``slope`` is in sds of the outcome for one of the score, ``se`` its standard error, ``surveys``
    the months that it comes from.
    """

    names: tuple[str, ...]
    slope: np.ndarray
    se: np.ndarray
    surveys: np.ndarray

    @property
    def typical(self) -> float:
        """The median standard error, 0 without units."""
        return float(np.median(self.se)) if self.se.size else 0.0


def alone(panel: Panel) -> Alone:
    """Each unit's slope by least squares over its months with a survey, each month less its mean.

    Equation (2.1) (``eq-alone``).  A unit needs three surveys that differ.  The residual variance
    is one for all units, as in the baseline: three surveys say hardly anything of a variance.
    """
    rows = panel.rows
    y, x = (rows[name].to_numpy() for name in ("y", "x"))
    month, ou = (rows[name].to_numpy() for name in ("month_idx", "ou_idx"))
    level = describe.month_means(panel)
    both = np.isfinite(y) & rows["observed"].to_numpy()
    names, slopes, squares, surveys, left, spare = [], [], [], [], 0.0, 0
    for place, label in enumerate(panel.ous):
        own = both & (ou == place)
        if own.sum() < 3 or np.ptp(x[own]) == 0:
            continue
        score, outcome = x[own] - x[own].mean(), (y - level[month])[own]
        names.append(str(label))
        surveys.append(int(own.sum()))
        squares.append(score @ score)
        slopes.append(score @ outcome / squares[-1])
        left += float(np.sum((outcome - outcome.mean() - slopes[-1] * score) ** 2))
        spare += int(own.sum()) - 2
    order = np.argsort(slopes)
    noise = np.sqrt(left / spare) if spare else 0.0
    return Alone(
        names=tuple(names[at] for at in order),
        slope=np.array(slopes, dtype=float)[order],
        se=noise / np.sqrt(np.array(squares, dtype=float)[order]),
        surveys=np.array(surveys, dtype=int)[order],
    )


@dataclass(frozen=True)
class Scatter:
    """How slopes of ``units`` units scatter that were estimated one by one.

    ``holds_zero`` of their 90% intervals hold zero; ``half`` is half the width of such an interval
    in the median; the estimates run from ``low`` to ``high``.
    """

    units: int
    holds_zero: int
    half: float
    low: float
    high: float


def scatter(found: Alone) -> Scatter:
    """How the slopes scatter; NaN where there are none."""
    half = HALF_90 * found.se
    some = found.slope.size > 0
    return Scatter(
        units=found.slope.size,
        holds_zero=int((np.abs(found.slope) < half).sum()),
        half=float(np.median(half)) if some else np.nan,
        low=float(found.slope.min()) if some else np.nan,
        high=float(found.slope.max()) if some else np.nan,
    )


@dataclass(frozen=True)
class Drawn:
    """Slopes of units by their own regressions and by the model, (unit), few surveys first.

    ``own`` is NaN for a unit that has no slope of its own; ``mean`` is that of the population.
    """

    names: tuple[str, ...]
    surveys: np.ndarray
    own: np.ndarray
    model: np.ndarray
    mean: float

    @property
    def without(self) -> int:
        """How many units have no slope of their own."""
        return int(np.isnan(self.own).sum())

    @property
    def ranges(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """From where to where slopes of single regressions run, and the model's of those units."""
        known = ~np.isnan(self.own)
        own, model = self.own[known], self.model[known]
        return (float(own.min()), float(own.max())), (float(model.min()), float(model.max()))


def drawn(found: Alone, fit: Fit) -> Drawn:
    """Where the model draws the slopes to, from posterior means."""
    panel = fit.panel
    model = fit.posterior["beta"].mean(SAMPLES).to_numpy()
    by_name = dict(zip(found.names, found.slope, strict=True))
    own = np.array([by_name.get(str(label), np.nan) for label in panel.ous])
    seen = panel.rows["observed"].to_numpy()
    ou = panel.rows["ou_idx"].to_numpy()[seen]
    surveys = np.bincount(ou, minlength=len(panel.ous))
    order = np.lexsort((np.where(np.isnan(own), model, own), surveys))
    return Drawn(
        names=tuple(str(panel.ous[at]) for at in order),
        surveys=surveys[order],
        own=own[order],
        model=model[order],
        mean=float(fit.posterior["mu_beta"].mean(SAMPLES)),
    )


@dataclass(frozen=True)
class Pooled:
    """Slopes given how much they differ: their mean, and of each unit estimate and sd, (unit)."""

    mean: float
    slope: np.ndarray
    sd: np.ndarray


def pooled(found: Alone, tau: float) -> Pooled:
    """What is known of slopes that are drawn with sd ``tau`` around a mean of which nothing is.

    At ``tau = 0`` all are the mean, weighted by precision; at infinity each is its own estimate.
    """
    if np.isinf(tau):
        return Pooled(float(found.slope.mean()), found.slope, found.se)
    precision = 1 / (found.se**2 + tau**2)
    mean = float(precision @ found.slope / precision.sum())
    drawn = found.se**2 * precision
    return Pooled(
        mean=mean,
        slope=drawn * mean + (1 - drawn) * found.slope,
        sd=np.sqrt((1 - drawn) * found.se**2 + drawn**2 / precision.sum()),
    )


def slope_sd(fit: Fit) -> float:
    """Posterior mean of the sd of slopes between units, in sds of the outcome for one of score."""
    return float(fit.posterior["sigma_ou"].sel(effect="beta").mean(SAMPLES))
