"""What a panel shows before any model: the facts that the first chapter tells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from oulib.panel import Panel


@dataclass(frozen=True)
class Overview:
    """Counts of a panel: ``rows`` of ``cells`` possible ones, surveys and waves."""

    ous: int
    sites: int
    months: int
    rows: int
    cells: int
    surveys: int
    ous_without_survey: int
    scheduled: int | None
    answered: int | None
    unscheduled_surveys: int | None
    waves_per_ou: tuple[int, int]
    respondents: tuple[int, int, int]


def overview(panel: Panel) -> Overview:
    """The counts of ``panel``; schedule counts are None where the schedule is not known."""
    rows = panel.rows
    observed = rows["observed"].to_numpy()
    waves = np.bincount(rows["ou_idx"].to_numpy()[observed], minlength=len(panel.ous))
    n = rows["respondents"].to_numpy()[observed]
    planned = rows["scheduled"].to_numpy() if panel.has_schedule else None
    return Overview(
        ous=len(panel.ous),
        sites=len(panel.sites),
        months=len(panel.months),
        rows=rows.sizes["row"],
        cells=len(panel.ous) * len(panel.months),
        surveys=int(observed.sum()),
        ous_without_survey=int((waves == 0).sum()),
        scheduled=None if planned is None else int(planned.sum()),
        answered=None if planned is None else int((planned & observed).sum()),
        unscheduled_surveys=None if planned is None else int((observed & ~planned).sum()),
        waves_per_ou=(int(waves.min()), int(waves.max())),
        respondents=(int(n.min()), int(np.median(n)), int(n.max())),
    )


def residuals(panel: Panel, y: np.ndarray | None = None) -> np.ndarray:
    """Outcome without OU and month means, by row: what a model of both is left to explain.

    Two-way means are removed alternately until they settle, so an unbalanced panel is fine.
    ``y`` replaces the panel's own outcome, by a replicate for example.
    """
    ou, month = panel.rows["ou_idx"].to_numpy(), panel.rows["month_idx"].to_numpy()
    left = panel.rows["y"].to_numpy() if y is None else y
    for _ in range(50):
        before = left
        for group in (ou, month):
            count = np.maximum(np.bincount(group), 1)
            left = left - (np.bincount(group, weights=left) / count)[group]
        if np.max(np.abs(left - before)) < 1e-10:
            break
    return left


@dataclass(frozen=True)
class Tails:
    """How often residuals lie beyond three robust sds, and how often normal ones would."""

    beyond: int
    rows: int
    expected: float
    share_of_normal: float

    @property
    def heavy(self) -> bool:
        """More than normal noise produces once in a thousand panels of this size."""
        return stats.binom.sf(self.beyond - 1, self.rows, self.share_of_normal) < 1e-3


def tails(panel: Panel, y: np.ndarray | None = None) -> Tails:
    """Count the residuals beyond three robust standard deviations (scaled median deviation)."""
    left = residuals(panel, y)
    share = float(2 * stats.norm.sf(3))
    scale = stats.median_abs_deviation(left, scale="normal")
    return Tails(int((np.abs(left) > 3 * scale).sum()), left.size, share * left.size, share)


def month_means(panel: Panel, y: np.ndarray | None = None) -> np.ndarray:
    """Mean outcome of every month of the calendar, NaN where a month has no row.

    ``y`` replaces the panel's own outcome, by a replicate for example.
    """
    values = panel.rows["y"].to_numpy() if y is None else y
    mean = pd.Series(values).groupby(panel.rows["month_idx"].to_numpy()).mean()
    return mean.reindex(range(len(panel.months))).to_numpy()


def month_autocorrelation(panel: Panel, y: np.ndarray | None = None) -> float:
    """Lag-one autocorrelation of :func:`month_means`; pairs with a month without rows are skipped.

    ``y`` replaces the panel's own outcome, by a replicate for example.
    """
    return float(pd.Series(month_means(panel, y)).autocorr(1))


def ou_means(panel: Panel, y: np.ndarray | None = None) -> np.ndarray:
    """Mean outcome of every OU, in the order of ``panel.ous``; ``y`` replaces the panel's own."""
    ou = panel.rows["ou_idx"].to_numpy()
    return np.bincount(ou, weights=panel.rows["y"].to_numpy() if y is None else y) / np.bincount(ou)


def site_share(panel: Panel, y: np.ndarray | None = None) -> float:
    """Share of the variance between OUs' mean outcomes that lies between sites, 0 to 1.

    The one-way random-effects estimate, so that unrelated sites come out near 0.  NaN where no
    site has two OUs or there is only one site.  ``y`` replaces the panel's own outcome, by a
    replicate for example.
    """
    mean = ou_means(panel, y)
    groups = [mean[panel.site_idx == s] for s in range(len(panel.sites))]
    g, k = len(mean), len(groups)
    if k < 2 or g <= k:
        return float("nan")
    within = sum(((values - values.mean()) ** 2).sum() for values in groups) / (g - k)
    between = sum(v.size * (v.mean() - mean.mean()) ** 2 for v in groups) / (k - 1)
    size = (g - sum(v.size**2 for v in groups) / g) / (k - 1)
    variance = max((between - within) / size, 0.0)
    return float(variance / (variance + within)) if variance + within > 0 else float("nan")


def response_by_outcome(panel: Panel, bins: int = 5) -> pd.DataFrame:
    """Response rate of scheduled rows by how well the row's outcome did for its month.

    Rows are cut into ``bins`` groups of equal size by y less its month's mean.  Columns
    ``outcome`` (mean of the group), ``rate``, ``q5``, ``q95`` (Jeffreys interval), ``rows``.
    Empty without a schedule.
    """
    rows = panel.scheduled_rows
    if rows.size < bins:
        return pd.DataFrame(columns=["outcome", "rate", "q5", "q95", "rows"], dtype=float)
    y, month = panel.rows["y"].to_numpy(), panel.rows["month_idx"].to_numpy()
    count = np.maximum(np.bincount(month), 1)
    relative = (y - (np.bincount(month, weights=y) / count)[month])[rows]
    answered = panel.rows["observed"].to_numpy()[rows]
    table = pd.DataFrame({"outcome": relative, "answered": answered})
    group = table.groupby(pd.qcut(relative, bins, labels=False, duplicates="drop"))
    yes, total = group["answered"].sum(), group["answered"].size()
    low, high = (stats.beta.ppf(q, yes + 0.5, total - yes + 0.5) for q in (0.05, 0.95))
    return pd.DataFrame(
        {
            "outcome": group["outcome"].mean(),
            "rate": yes / total,
            # As usual at the ends, where all or none answered, the interval is closed there.
            "q5": np.where(yes == 0, 0.0, low),
            "q95": np.where(yes == total, 1.0, high),
            "rows": total,
        }
    )


def unanswered_rows(panel: Panel) -> np.ndarray:
    """Positions of the rows with a planned survey that nobody answered, in row order."""
    return np.setdiff1d(panel.scheduled_rows, panel.survey_rows)


def response_by_wave(panel: Panel, answered: np.ndarray | None = None) -> np.ndarray:
    """Share of the planned rows that answered in each of ``panel.waves``.

    ``answered``, by row, replaces what was observed, by a replicate for example.
    """
    rows = panel.scheduled_rows
    given = panel.rows["observed"].to_numpy() if answered is None else answered
    wave = np.searchsorted(panel.waves, panel.rows["month"].to_numpy()[rows].astype(str))
    planned = np.bincount(wave, minlength=len(panel.waves))
    return np.bincount(wave, weights=given[rows], minlength=len(panel.waves)) / planned


def response_gap(
    panel: Panel, y: np.ndarray | None = None, answered: np.ndarray | None = None
) -> float:
    """How much better answered planned rows did than unanswered ones, in sds of the outcome.

    Both are taken without OU and month means (:func:`residuals`); medians, so that an outlier
    does not decide.  NaN where all answered or none.  ``y`` and ``answered``, by row, replace
    what was observed.
    """
    rows = panel.scheduled_rows
    left = residuals(panel, y)[rows]
    given = (panel.rows["observed"].to_numpy() if answered is None else answered)[rows]
    if given.all() or not given.any():
        return float("nan")
    return float(np.median(left[given]) - np.median(left[~given]))


def excess_kurtosis(panel: Panel, y: np.ndarray | None = None) -> float:
    """Excess kurtosis of :func:`residuals`: 0 for a normal distribution, large for outliers."""
    return float(stats.kurtosis(residuals(panel, y)))


def outcome_by_ou(panel: Panel, replicates: np.ndarray) -> tuple[xr.Dataset, xr.Dataset]:
    """``mean`` and ``sd`` of each OU's outcome, (ou,), and of its replicates, (sample, ou).

    ``replicates`` are outcomes, (sample, row).
    """
    ou = xr.DataArray(panel.rows["ou_idx"].to_numpy(), dims="row", name="ou")

    def moments(values: np.ndarray) -> xr.Dataset:
        y = xr.DataArray(values, dims=("sample", "row")[-values.ndim :])
        by_ou = y.groupby(ou)
        return xr.Dataset({"mean": by_ou.mean(), "sd": by_ou.std()})

    return moments(panel.rows["y"].to_numpy()), moments(np.asarray(replicates))
