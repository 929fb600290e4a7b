"""What a model says of the US states: slopes, departures, noise, years between waves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import beta

from oulib.panel.munnell import Thinned
from oulib.posterior.effects import raw_effect
from oulib.posterior.estimate import (
    SAMPLES,
    DrawByDraw,
    Estimate,
    draw_by_draw,
    estimate,
)
from oulib.sampling.fit import Fit


@dataclass(frozen=True)
class Rates:
    """Unemployment rates of all states and years, in per cent: their range and their mean."""

    number: int
    low: float
    high: float
    mean: float


def rates(data: Thinned) -> Rates:
    """The rates of the whole panel, before any was taken away."""
    rate = data.whole.rows["survey"].to_numpy()
    return Rates(rate.size, float(rate.min()), float(rate.max()), float(rate.mean()))


@dataclass(frozen=True)
class Named:
    """States to follow by name: the ``lowest`` and the ``highest`` output per job on average.

    And of the others the one whose unemployment ``moved`` most.
    """

    lowest: str
    highest: str
    moved: str


def named(data: Thinned) -> Named:
    """Which states to follow by name, from the whole panel."""
    rows = data.whole.rows
    of_state = rows["ou"].to_numpy()
    output, rate = (pd.Series(rows[name].to_numpy()) for name in ("productivity", "survey"))
    level = output.groupby(of_state).mean()
    lowest, highest = level.idxmin(), level.idxmax()
    moved = rate.groupby(of_state).std().drop([lowest, highest]).idxmax()
    return Named(str(lowest), str(highest), str(moved))


@dataclass(frozen=True)
class SlopeOfStates:
    """Per cent of output per job that goes with one percentage point more of unemployment.

    ``percent`` is the posterior mean, ``low`` and ``high`` are the ends of the slope's 90%
    interval; ``positive`` is the probability of a positive slope.
    """

    percent: float
    low: float
    high: float
    positive: float


def _slope(fit: Fit, draws: xr.DataArray) -> SlopeOfStates:
    low, high = raw_effect(fit, draws.quantile([0.05, 0.95])).to_numpy()
    mean, positive = float(raw_effect(fit, draws).mean()), float((draws > 0).mean())
    return SlopeOfStates(mean, float(low), float(high), positive)


def within_states(fit: Fit) -> SlopeOfStates:
    """The average slope within states."""
    return _slope(fit, fit.posterior["mu_beta"])


@dataclass(frozen=True)
class BetweenStates:
    """The ``slope`` on the mean scores of ``states`` states.

    ``larger`` is the probability that it is larger than the average slope within states.
    """

    states: int
    slope: SlopeOfStates
    larger: float


def between_states(fit: Fit) -> BetweenStates:
    """The slope on the states' mean scores, beside that within."""
    between, within = fit.posterior["beta_between"], fit.posterior["mu_beta"]
    larger = float((between > within).mean())
    return BetweenStates(fit.posterior.sizes["ou"], _slope(fit, between), larger)


@dataclass(frozen=True)
class Departures:
    """How a state's outcome strays from what is expected of it, over ``years`` years.

    ``phi`` is the autocorrelation from year to year; ``share`` of the residual variance is that of
    what lasts, the posterior mean.
    """

    phi: Estimate
    share: float
    years: int


def departures(fit: Fit) -> Departures:
    """How long a state's outcome stays away from what is expected of it."""
    p = fit.posterior
    lasting = p["sigma_u"] ** 2 / (1 - p["phi_u"] ** 2)
    share = float((lasting / (lasting + p["sigma_y"] ** 2)).mean())
    return Departures(estimate(p["phi_u"]), share, len(fit.panel.months))


@dataclass(frozen=True)
class ScoreShare:
    """The share of a rate's variance within a state that is score, from 0 to 1, and its ``sd``.

    Its prior has nine tenths from ``prior_low`` to ``prior_high``, and the sd ``prior_sd``.
    """

    share: Estimate
    sd: float
    prior_low: float
    prior_high: float
    prior_sd: float


def score_share(fit: Fit) -> ScoreShare:
    """What share of a rate's variance, around the common movement, the model calls score."""
    p, a = fit.posterior, fit.spec.priors.noise_share
    share = p["sigma_x"] ** 2 / (p["sigma_x"] ** 2 + p["sigma_meas"] ** 2)
    low, high = map(float, beta.ppf([0.05, 0.95], a, a))
    prior_sd = float(1 / np.sqrt(4 * (2 * a + 1)))
    return ScoreShare(estimate(share), float(share.std()), low, high, prior_sd)


@dataclass(frozen=True)
class Scales:
    """Residual scales of states, as multiples of that of a typical one.

    The ``calmest`` and the ``wildest`` state with the means of their scales, and the ``ratio`` of
    the two; the states whose 90% interval lies ``above`` 1, the wildest first, and ``below`` it,
    the calmest first; and the divisions with the largest and the smallest geometric mean.
    """

    calmest: tuple[str, float]
    wildest: tuple[str, float]
    ratio: Estimate
    above: tuple[str, ...]
    below: tuple[str, ...]
    largest: tuple[str, float]
    smallest: tuple[str, float]


def scales(noise: xr.DataArray, division: Mapping[str, str]) -> Scales:
    """Which states and divisions are the unruliest.

    ``noise`` are draws of ``noise_ou`` (chain, draw, ou); ``division`` is a state's, by label.
    """
    mean = noise.mean(SAMPLES)
    order = mean["ou"].to_numpy()[np.argsort(mean.to_numpy())]
    calm, wild = order[0], order[-1]
    wilder, calmer = (noise.quantile(q, SAMPLES).to_series() for q in (0.05, 0.95))
    wilder, calmer = wilder[order[::-1]], calmer[order]
    of_ou = ("ou", [division[str(ou)] for ou in noise["ou"].to_numpy()])
    log = xr.ufuncs.log(noise).assign_coords(division=of_ou)
    by = np.exp(log.groupby("division").mean("ou").mean(SAMPLES).to_series())
    top, bottom = by.idxmax(), by.idxmin()
    return Scales(
        calmest=(str(calm), float(mean.sel(ou=calm))),
        wildest=(str(wild), float(mean.sel(ou=wild))),
        ratio=estimate(noise.sel(ou=wild) / noise.sel(ou=calm)),
        above=tuple(map(str, wilder[wilder > 1].index)),
        below=tuple(map(str, calmer[calmer < 1].index)),
        largest=(str(top), float(by[top])),
        smallest=(str(bottom), float(by[bottom])),
    )


@dataclass(frozen=True)
class PathBetween:
    """The probability that the common movement's autocorrelation is ``positive``.

    ``steps`` are the years from each wave to the next.
    """

    positive: float
    steps: tuple[int, ...]


def path_between(fit: Fit) -> PathBetween:
    """What waves some years apart say of the common movement's autocorrelation."""
    months = list(fit.panel.months)
    steps = np.diff([months.index(wave) for wave in fit.panel.waves])
    return PathBetween(float((fit.posterior["phi_tau"] > 0).mean()), tuple(map(int, steps)))


@dataclass(frozen=True)
class Lasting:
    """The correlation of a state's departures at successive kept rates, ``years`` apart."""

    years: float
    correlation: DrawByDraw


def lasting(found: xr.Dataset) -> Lasting:
    """Whether a state's departures in the score last, from ``missing.persistence``."""
    return Lasting(found.attrs["steps"], draw_by_draw(found["observed"], found["replicated"]))
