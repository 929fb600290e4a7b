"""Scalars in a few numbers: what draws say of one, and of a statistic beside its replicates.

Sentences and figures take these and estimate nothing themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from oulib.model.draws.names import SAMPLES as SAMPLES  # as every room calls them


@dataclass(frozen=True)
class Estimate:
    """A scalar's posterior, in the scalar's own unit.

    ``low`` and ``high`` bound an interval with equal tails, of 90% if nothing else is said;
    ``positive`` is the probability that the scalar is above zero.
    """

    mean: float
    median: float
    low: float
    high: float
    positive: float


def estimate(draws: np.ndarray | xr.DataArray, prob: float = 0.9) -> Estimate:
    """What ``draws`` of one scalar, of any dims, say of it; ``prob`` lies in the interval."""
    values = np.asarray(draws, dtype=float)
    tail = round((1 - prob) / 2, 12)  # 0.05, and not what floating point makes of it
    low, median, high = np.quantile(values, [tail, 0.5, 1 - tail])
    return Estimate(
        mean=float(values.mean()),
        median=float(median),
        low=float(low),
        high=float(high),
        positive=float((values > 0).mean()),
    )


def estimates(draws: xr.DataArray, dim: str) -> dict[str, Estimate]:
    """:func:`estimate` at each place of ``dim``, by its label."""
    return {str(label): estimate(draws.sel({dim: label})) for label in draws[dim].to_numpy()}


def prior_distance(posterior: np.ndarray | xr.DataArray, prior: np.ndarray | xr.DataArray) -> float:
    """How far the draws of a posterior lie from its prior's, in sds of the prior.

    The Wasserstein distance: how far a draw of one has to be moved, on average, for all to become
    draws of the other.  A posterior four fifths as wide as a normal prior, in the same place, is at
    0.16, and so is one as wide that has moved by that much.  Infinite where the prior has no width.
    """
    one, other = np.ravel(posterior), np.ravel(prior)
    width = float(np.std(other))
    return float(stats.wasserstein_distance(one, other)) / width if width > 0 else np.inf


def prior_distances(
    posterior: Mapping[str, np.ndarray], prior: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """:func:`prior_distance` of each scalar of ``posterior``, from draws of both by label."""
    return {label: prior_distance(draws, prior[label]) for label, draws in posterior.items()}


@dataclass(frozen=True)
class Update:
    """What data did to a scalar: its posterior beside its prior.

    ``distance`` is :func:`prior_distance`, in sds of the prior.
    """

    after: Estimate
    before: Estimate
    distance: float


def update(posterior: np.ndarray | xr.DataArray, prior: np.ndarray | xr.DataArray) -> Update:
    """What data did to a scalar, from draws of both distributions."""
    return Update(estimate(posterior), estimate(prior), prior_distance(posterior, prior))


@dataclass(frozen=True)
class Above:
    """A scalar beside its prior, and the probabilities that it is larger than ``at``.

    ``before`` the data and ``after`` them.
    """

    scalar: Update
    at: float
    before: float
    after: float


def above(
    posterior: np.ndarray | xr.DataArray, prior: np.ndarray | xr.DataArray, at: float
) -> Above:
    """How probable it is that a scalar is larger than ``at``, from draws of both distributions."""
    before, after = (float((np.asarray(draws) > at).mean()) for draws in (prior, posterior))
    return Above(update(posterior, prior), at, before, after)


@dataclass(frozen=True)
class UnderTwo:
    """Scalars under two priors: ``estimates`` by their label and by the name of the prior.

    The means are ``apart`` by so many posterior sds, under the first prior, at most.
    """

    estimates: Mapping[str, Mapping[str, Estimate]]
    apart: float


def under_two(draws: Mapping[str, xr.DataArray], dim: str) -> UnderTwo:
    """The scalars along ``dim`` under two priors, from draws by the prior's name."""
    first, second = draws.values()
    apart = abs(first.mean(SAMPLES) - second.mean(SAMPLES)) / first.std(SAMPLES)
    by_prior = {prior: estimates(values, dim) for prior, values in draws.items()}
    labels = map(str, first[dim].to_numpy())
    return UnderTwo(
        {label: {prior: each[label] for prior, each in by_prior.items()} for label in labels},
        float(apart.max()),
    )


@dataclass(frozen=True)
class Replicated:
    """A statistic of the data beside the same of replicates, in the statistic's own unit.

    Nine in ten of the replicates lie from ``low`` to ``high``; ``as_high`` and ``as_low`` are the
    shares of them that are at least, and at most, what was ``observed``.  NaN where there are none.
    """

    observed: float
    low: float
    high: float
    as_high: float
    as_low: float

    @property
    def known(self) -> bool:
        """Whether the data and at least one replicate have the statistic."""
        return bool(np.isfinite(self.observed) and np.isfinite(self.low))


def against_replicates(observed: float, replicated: Iterable[float]) -> Replicated:
    """``observed`` beside its replicates; those in which it is not defined are left out."""
    values = np.asarray([*replicated], dtype=float)
    values = values[np.isfinite(values)]
    if values.size == 0:
        return Replicated(float(observed), np.nan, np.nan, np.nan, np.nan)
    low, high = np.quantile(values, [0.05, 0.95])
    return Replicated(
        observed=float(observed),
        low=float(low),
        high=float(high),
        # Both have the replicates that equal the data: a share of 0 is quite common.
        as_high=float((values >= observed).mean()),
        as_low=float((values <= observed).mean()),
    )


@dataclass(frozen=True)
class DrawByDraw:
    """A statistic of the data that hangs on parameters, beside that of one replicate a draw.

    ``as_high`` is the share of draws in which the replicate's is at least that of the data.
    """

    observed: Estimate
    replicated: Estimate
    as_high: float


def draw_by_draw(observed: xr.DataArray, replicated: xr.DataArray) -> DrawByDraw:
    """A statistic at posterior draws and in the replicates made at them, (sample) both."""
    one, other = observed.to_numpy(), replicated.to_numpy()
    return DrawByDraw(estimate(one), estimate(other), float(np.mean(other >= one)))


@dataclass(frozen=True)
class Recovery:
    """How many of ``of`` true values lie in their 90% intervals.

    ``chance`` is the probability of so few, or fewer, if each interval held its own with
    probability 0.9.
    """

    inside: int
    of: int
    chance: float


def recovery(summary: pd.DataFrame, truth: pd.Series) -> Recovery:
    """How many true values their intervals hold, of the labels that both have.

    ``summary`` has the columns ``q5`` and ``q95``, as that of
    :func:`oulib.posterior.checks.summarise`.
    """
    both = summary.join(truth.rename("truth"), how="inner")
    inside = int(((both["truth"] >= both["q5"]) & (both["truth"] <= both["q95"])).sum())
    return Recovery(inside, len(both), float(stats.binom.cdf(inside, len(both), 0.9)))
