"""Slopes by least squares, which take a survey for the score: what one would do first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from scipy import stats

from oulib.panel.panel import Panel


@dataclass(frozen=True)
class Slope:
    """A slope by least squares, its cluster-robust standard error and the rows it rests on."""

    value: float
    se: float
    rows: int
    clusters: int

    def interval(self, level: float = 0.9) -> tuple[float, float]:
        """The central interval by Student's t on one degree of freedom fewer than clusters.

        Not finite where the standard error is not, or where there are fewer than two clusters.
        """
        t = stats.t.ppf(0.5 + level / 2, self.clusters - 1) if self.clusters > 1 else np.inf
        return float(self.value - t * self.se), float(self.value + t * self.se)


def least_squares(
    y: np.ndarray, x: np.ndarray, effects: Sequence[np.ndarray], cluster: np.ndarray
) -> Slope:
    """The slope of ``y`` on ``x`` beside fixed ``effects``, in closed form.

    Args:
        y: outcomes, (row).
        x: scores, (row).
        effects: for each kind of fixed effect, the group of every row, whole numbers.
        cluster: groups of rows whose errors may be related (OUs).

    Returns:
        By the theorem of Frisch and Waugh: the residuals of ``y`` on those of ``x``, each from a
        regression on the effects.  The variance is the sandwich over clusters, times G / (G - 1).
        NaN where ``x`` does not move beside the effects.
    """
    places = [np.unique(group, return_inverse=True)[1] for group in effects]
    first, *others = sorted(places, key=np.max, reverse=True)  # the most groups by their means
    dummies = [(place[:, None] == np.arange(1, place.max() + 1)).astype(float) for place in others]
    columns = np.column_stack([y, x, *dummies])
    means = np.zeros((first.max() + 1, columns.shape[1]))
    np.add.at(means, first, columns)
    columns -= (means / np.bincount(first)[:, None])[first]
    both, design = columns[:, :2], columns[:, 2:]
    both = both - design @ (np.linalg.pinv(design.T @ design) @ (design.T @ both))
    y_left, x_left = both.T
    total = float(x_left @ x_left)
    if total < 1e-9 * max(float(np.var(x)) * len(x), 1e-12):
        return Slope(float("nan"), float("nan"), len(x), len(np.unique(cluster)))
    value = float(x_left @ y_left) / total
    _, place = np.unique(cluster, return_inverse=True)
    by_cluster = np.bincount(place, weights=x_left * (y_left - value * x_left))
    size = by_cluster.size
    spread = float(np.sum(by_cluster**2)) * size / max(size - 1, 1)
    return Slope(value, float(np.sqrt(spread)) / total, len(x), size)


def survey_months(panel: Panel) -> xr.Dataset:
    """Outcome ``y``, score ``x`` and ``ou`` (its index) of the rows with both, (row).

    ``y_mean`` and ``x_mean``, (row), are the means over these rows of the row's own OU.
    """
    rows, seen = panel.rows, panel.survey_rows
    at = seen[np.isfinite(rows["y"].to_numpy()[seen])]
    ou = rows["ou_idx"].to_numpy()[at]
    found = {"ou": ("row", ou)}
    count = np.maximum(np.bincount(ou), 1)
    for name in ("y", "x"):
        values = rows[name].to_numpy()[at]
        found[name] = ("row", values)
        found[f"{name}_mean"] = ("row", (np.bincount(ou, weights=values) / count)[ou])
    return xr.Dataset(found)


@dataclass(frozen=True)
class ThreeSlopes:
    """The slope of outcomes on surveys over all rows, within OUs and between them."""

    pooled: Slope
    within: Slope
    between: Slope

    @property
    def apart(self) -> float:
        """Between less within, in standard errors of the difference, taken as unrelated."""
        return (self.between.value - self.within.value) / np.hypot(self.between.se, self.within.se)


def three_slopes(panel: Panel) -> ThreeSlopes:
    """Slopes over the rows with a survey: of all of them, of departures from OUs' means, of means.

    Between OUs each counts once, whatever the number of its surveys.  A slope is NaN where its
    score does not move.
    """
    rows = survey_months(panel)
    y, x, ou = (rows[name].to_numpy() for name in ("y", "x", "ou"))
    one = np.zeros(len(y), dtype=int)
    _, first = np.unique(ou, return_index=True)
    few = len(first) < 3  # a line through two means leaves nothing over to judge it by
    means = [rows[name].to_numpy()[first] for name in ("y_mean", "x_mean")]
    between = least_squares(means[0], means[1], (one[first],), ou[first])
    return ThreeSlopes(
        pooled=least_squares(y, x, (one,), ou),
        within=least_squares(y, x, (ou,), ou),
        between=replace(between, se=np.nan) if few else between,
    )
