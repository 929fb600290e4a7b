"""How slopes and noise differ between OUs."""

from __future__ import annotations

from dataclasses import dataclass

import xarray as xr
from scipy.stats import binom

from oulib.posterior.effects import raw_effect
from oulib.posterior.estimate import Estimate, estimate
from oulib.sampling.fit import Fit


@dataclass(frozen=True)
class SpreadOfSlopes:
    """How slopes differ between a panel's OUs.

    ``percent`` is the sd of their effects for ``points`` more of the raw score, in percentage
    points; ``sd`` that of the slopes, and ``ratio`` its ratio to the average slope in size.
    """

    points: float
    percent: Estimate
    sd: Estimate
    ratio: Estimate


def spread_of_slopes(fit: Fit, points: float) -> SpreadOfSlopes:
    """How much OUs differ in their slopes; effects are those of ``points`` more raw points."""
    beta = fit.posterior["beta"]
    percent, sd = raw_effect(fit, points * beta).std("ou"), beta.std("ou")
    ratio = sd / abs(fit.posterior["mu_beta"])
    return SpreadOfSlopes(points, estimate(percent), estimate(sd), estimate(ratio))


@dataclass(frozen=True)
class OutsideBand:
    """For ``outside`` of ``ous`` OUs the sd of the outcome is outside the 90% band of replicates.

    ``chance`` is the probability of so many, or more, if each were with probability 0.1.
    """

    ous: int
    outside: int
    chance: float


def outside_band(observed: xr.Dataset, replicated: xr.Dataset) -> OutsideBand:
    """Whether OUs are as noisy as the model believes; from ``describe.outcome_by_ou``."""
    low, high = (replicated["sd"].quantile(q, dim="sample") for q in (0.05, 0.95))
    outside = int(((observed["sd"] < low) | (observed["sd"] > high)).sum())
    ous = observed["sd"].size
    return OutsideBand(ous, outside, float(binom.sf(outside - 1, ous, 0.1)))
