"""How forms of the baseline differ: how fast they are, and how far their posteriors are apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from oulib.panel import Panel
from oulib.posterior.estimate import SAMPLES, Estimate, estimate
from oulib.sampling.fit import Fit


def slowest(table: pd.DataFrame) -> dict[str, float]:
    """Effective draws a second of the slowest hyperparameter, by form.

    ``table`` has a row a hyperparameter and form, with ``form`` and ``ess_per_second``.
    """
    found = table.groupby("form", sort=False)["ess_per_second"].min()
    return {str(form): float(speed) for form, speed in found.items()}


@dataclass(frozen=True)
class MeansApart:
    """How far the posterior means of ``parameters`` parameters are apart in two fits.

    ``sds`` is the largest difference in posterior sds of the first; in Monte Carlo standard errors
    the median is ``errors``, and the largest ``worst``, of the parameter ``where``.
    """

    parameters: int
    sds: float
    errors: float
    where: str
    worst: float


def means_apart(one: pd.DataFrame, other: pd.DataFrame) -> MeansApart:
    """How far means are apart, from two tables of ``checks.summarise``."""
    both = one.join(other, how="inner", suffixes=("_a", "_b"))
    error = np.hypot(both["mcse_mean_a"], both["mcse_mean_b"])
    gap = ((both["mean_a"] - both["mean_b"]).abs() / error).where(error > 0).dropna()
    sds = ((both["mean_a"] - both["mean_b"]).abs() / both["sd_a"]).loc[gap.index]
    return MeansApart(
        parameters=len(gap),
        sds=float(sds.max()),
        errors=float(gap.median()),
        where=str(gap.idxmax()),
        worst=float(gap.max()),
    )


def ratio(sampled: np.ndarray, closed: np.ndarray) -> Estimate:
    """Sampled sds of x* over those of the closed form, over the rows: median, and nine in ten."""
    return estimate(sampled / closed)


# --- what pooling does


@dataclass(frozen=True)
class Alone:
    """Slopes of units that were estimated one by one, in their order; arrays are (unit).

    ``slope`` is in sds of the outcome for one of the score, ``se`` its standard error.
    """

    names: tuple[str, ...]
    slope: np.ndarray
    se: np.ndarray

    @property
    def typical(self) -> float:
        """The median standard error, 0 without units."""
        return float(np.median(self.se)) if self.se.size else 0.0


def alone(panel: Panel) -> Alone:
    """Each unit's slope by least squares over its months with a survey, each month less its mean.

    A unit needs three surveys that differ.  The residual variance is one for all units, as in the
    baseline: three surveys say hardly anything of a variance.
    """
    rows = panel.rows
    y, x = (rows[name].to_numpy() for name in ("y", "x"))
    month, ou = (rows[name].to_numpy() for name in ("month_idx", "ou_idx"))
    seen = np.isfinite(y)
    size = len(panel.months)
    total = np.bincount(month[seen], weights=y[seen], minlength=size)
    level = total / np.maximum(np.bincount(month[seen], minlength=size), 1)
    both = seen & rows["observed"].to_numpy()
    names, slopes, squares, left, spare = [], [], [], 0.0, 0
    for place, label in enumerate(panel.ous):
        own = both & (ou == place)
        if own.sum() < 3 or np.ptp(x[own]) == 0:
            continue
        score, outcome = x[own] - x[own].mean(), (y - level[month])[own]
        names.append(str(label))
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
