"""How forms of the baseline differ: how fast they are, and how far their posteriors are apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from oulib.posterior.estimate import Estimate, estimate


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
