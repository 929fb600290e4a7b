"""Which model predicts better: rows that move posteriors, exact refits, calibration, memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from arviz import ELPDData

from oulib.posterior.leaveout import LeftOut

HIGH_K = 0.7
"""Pareto k above which an approximation is not to be relied on, whatever the number of draws."""


@dataclass(frozen=True)
class WeakRows:
    """The rows of which the posterior depends most, by their Pareto k.

    Of ``rows`` rows, ``high`` have a k above ``good_k``; the highest is ``worst``.  The ``shown``
    rows with the highest k lie ``typical`` scales from where the model puts them, in the median,
    all rows ``usual``.
    """

    rows: int
    good_k: float
    high: int
    worst: float
    shown: int
    typical: float
    usual: float


def weak_rows(table: pd.DataFrame, good_k: float, most: int = 10) -> WeakRows:
    """What the rows with the highest Pareto k are like.

    ``table`` is that of :func:`oulib.posterior.compare.influence`, the highest k first; where no k
    is above ``good_k``, the first ``most`` are looked at.
    """
    high = int((table["k"] > good_k).sum())
    shown = table.iloc[: high or most]
    return WeakRows(
        rows=len(table),
        good_k=good_k,
        high=high,
        worst=float(table["k"].max()),
        shown=len(shown),
        typical=float(shown["residual"].abs().median()),
        usual=float(table["residual"].abs().median()),
    )


@dataclass(frozen=True)
class Refits:
    """How far exact log densities of ``rows`` rows are from approximate ones, in nats.

    The k of these rows was between ``low_k`` and ``high_k``; the largest difference is ``most`` in
    size, the sum ``total``.  ``exact`` and ``approximate`` are the elpd of all rows; ``left`` rows
    with a k too high were not refitted.
    """

    rows: int
    low_k: float
    high_k: float
    most: float
    total: float
    exact: float
    approximate: float
    left: int


def refits(before: ELPDData, after: LeftOut) -> Refits | None:
    """How far refits are from the approximation ``before``; None where no row was refitted."""
    k = before.pareto_k.to_numpy()
    done = np.flatnonzero((after.elpd.pareto_k.to_numpy() == 0) & (k != 0))
    if done.size == 0:
        return None
    gap = (after.elpd.elpd_i - before.elpd_i).to_numpy()[done]
    return Refits(
        rows=done.size,
        low_k=float(k[done].min()),
        high_k=float(k[done].max()),
        most=float(np.abs(gap).max()),
        total=float(gap.sum()),
        exact=float(after.elpd.elpd),
        approximate=float(before.elpd),
        left=int((k > before.good_k).sum()) - int((k[done] > before.good_k).sum()),
    )


@dataclass(frozen=True)
class Calibration:
    """Where ``rows`` outcomes fall in their predictive distributions, when left out.

    The shares in the ``middle`` half and in the ``outer`` 1%; the ``average`` place, from 0 to 1;
    and the largest ``distance`` of their distribution function from a uniform one.
    """

    rows: int
    middle: float
    outer: float
    average: float
    distance: float


def calibration(pit: np.ndarray) -> Calibration:
    """Whether outcomes fall where a model expects them, from their LOO-PIT (row)."""
    at = np.sort(pit)
    n = at.size
    steps = np.arange(1, n + 1) / n
    return Calibration(
        rows=n,
        middle=float(np.mean((pit > 0.25) & (pit < 0.75))),
        outer=float(np.mean((pit < 0.005) | (pit > 0.995))),
        average=float(np.mean(pit)),
        distance=float(max(np.max(steps - at), np.max(at - steps + 1 / n))),
    )


def band(n: int) -> float:
    """How far the distribution function of ``n`` uniform values strays in 95% of the cases."""
    return 1.358 / np.sqrt(n)


@dataclass(frozen=True)
class Scored:
    """A PSIS-LOO: effective ``parameters``, the median Pareto ``k``, the share above HIGH_K."""

    parameters: float
    k: float
    high: float


@dataclass(frozen=True)
class Trap:
    """What conditioning on a row's own sampled score does to LOO and WAIC, of ``rows`` rows.

    ``waic`` is by how much WAIC rises, in nats.
    """

    rows: int
    honest: Scored
    conditional: Scored
    waic: float


def trap(honest: ELPDData, conditional: ELPDData, waics: tuple[float, float]) -> Trap:
    """What conditioning does; ``waics`` are the honest WAIC and that of conditional densities."""

    def scored(found: ELPDData) -> Scored:
        k = found.pareto_k.to_numpy()
        return Scored(float(found.p), float(np.median(k)), float(np.mean(k > HIGH_K)))

    rows = honest.n_data_points
    return Trap(rows, scored(honest), scored(conditional), waics[1] - waics[0])


@dataclass(frozen=True)
class Wins:
    """In how many of ``places`` months, or OUs, one model is ``ahead`` of another."""

    ahead: int
    places: int


def wins(gap: pd.Series) -> Wins:
    """In how many places one model is ahead, from a difference of log densities a place."""
    return Wins(int((gap > 0).sum()), gap.size)


@dataclass(frozen=True)
class Forecasts:
    """Of ``months`` mean outcomes ``inside`` lie in their 90% intervals; ``sd`` is the median."""

    months: int
    inside: int
    sd: float


def forecasts(table: pd.DataFrame) -> Forecasts:
    """How wide forecasts of months' means are, from :func:`oulib.posterior.leaveout.forecasts`."""
    inside = int(table["observed"].between(table["q5"], table["q95"]).sum())
    return Forecasts(len(table), inside, float(table["sd"].median()))
