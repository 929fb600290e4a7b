"""How forms of one model differ: how fast they are, and how far their posteriors are apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from oulib.posterior.checks import hyperparameters
from oulib.sampling.fit import Fit


def speeds(forms: Mapping[str, Fit]) -> pd.DataFrame:
    """A row a hyperparameter and ``form``: ``r_hat``, ``ess_per_second`` of sampling."""
    parts = []
    for form, result in forms.items():
        rows = hyperparameters(result)
        per_second = rows["ess_bulk"] / result.seconds["sample"]
        parts.append(rows[["r_hat"]].assign(form=form, ess_per_second=per_second))
    return pd.concat(parts)


def slowest(table: pd.DataFrame) -> dict[str, float]:
    """Effective draws a second of the slowest hyperparameter, by form.

    ``table`` is that of :func:`speeds`.
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
