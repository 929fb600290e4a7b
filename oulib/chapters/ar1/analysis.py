"""What months know of each other: sizes of their effects, signs by chain, gaps between waves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy import stats

from oulib.posterior.estimate import SAMPLES, Estimate, Update, estimate, update


@dataclass(frozen=True)
class Spread:
    """How much an effect differs between the ``months`` of a panel, as a standard deviation.

    ``sd`` is that of its own path over the panel, in the unit of the effect; nine in ten of the
    sds of as many independent months, of the size that is fixed in the iid model, lie from
    ``least`` to ``most``.
    """

    months: int
    sd: Estimate
    least: float
    most: float


def spread(effect: xr.DataArray, fixed: float = 1.0) -> Spread:
    """How much ``effect`` (chain, draw, month) differs over the panel's own months.

    The sd that an AR(1) has in the long run is another thing, and larger than that of a path less
    its mean.  ``fixed`` is the size of independent months.
    """
    months = effect.sizes["month"]
    low, high = stats.chi2.ppf([0.05, 0.95], months - 1) / (months - 1)
    return Spread(
        months=months,
        sd=estimate(effect.std("month", ddof=1)),
        least=fixed * float(np.sqrt(low)),
        most=fixed * float(np.sqrt(high)),
    )


@dataclass(frozen=True)
class Movement:
    """The score's common movement: its size gamma_x, its spread, and the size ``fixed`` before."""

    size: Update
    spread: Spread
    fixed: float


def movement(posterior: xr.Dataset, prior: np.ndarray, fixed: float) -> Movement:
    """The size of the common movement, from ``gamma_x`` and ``tau`` (month) of a posterior.

    ``prior`` are draws of gamma_x; ``fixed`` is what the iid model has in its place.
    """
    gamma_x = posterior["gamma_x"]
    return Movement(update(gamma_x, prior), spread(gamma_x * posterior["tau"], fixed), fixed)


@dataclass(frozen=True)
class Sides:
    """On which side of zero the chains of a parameter are.

    Of ``chains``, ``above`` have a positive mean and ``below`` a negative one; ``settled`` have
    more than 95 in 100 of their draws on one side.
    """

    chains: int
    above: int
    below: int
    settled: int


def sides(draws: xr.DataArray) -> Sides:
    """On which side of zero chains are, from draws (chain, draw)."""
    mean = draws.mean("draw").to_numpy()
    share = (draws > 0).mean("draw").to_numpy()
    return Sides(
        chains=mean.size,
        above=int((mean > 0).sum()),
        below=int((mean < 0).sum()),
        settled=int(((share > 0.95) | (share < 0.05)).sum()),
    )


@dataclass(frozen=True)
class Gaps:
    """What one model knows of the common movement in the ``months`` without any survey.

    ``sd`` is the mean posterior sd, ``known`` is :func:`known_share`, and ``error`` the root mean
    squared error of the posterior means, NaN where there is no truth; in sds of the score.
    """

    months: int
    sd: float
    known: float
    error: float


def gaps(movement: xr.DataArray, seen: np.ndarray, truth: np.ndarray | None = None) -> Gaps:
    """What is known of the common movement between waves.

    Args:
        movement: draws of gamma_x tau_t, (chain, draw, month).
        seen: whether some OU had a survey in the month, (month).
        truth: the true movement, (month), where it is known.
    """
    gap = np.flatnonzero(~seen)
    if gap.size == 0:
        return Gaps(0, np.nan, np.nan, np.nan)
    mean = movement.mean(SAMPLES).to_numpy()
    return Gaps(
        months=gap.size,
        sd=float(movement.std(SAMPLES)[gap].mean()),
        known=known_share(movement, gap),
        error=np.nan if truth is None else float(np.sqrt(np.mean((mean - truth)[gap] ** 2))),
    )


def known_share(movement: xr.DataArray, months: np.ndarray) -> float:
    """Share of the movement's variance over some months that the posterior knows, 0 to 1.

    The mean square of the posterior means over that of the draws.
    """
    chosen = movement.isel(month=months)
    total = float((chosen**2).mean())
    return float((chosen.mean(SAMPLES) ** 2).mean()) / total if total > 0 else 0.0
