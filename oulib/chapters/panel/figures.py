"""Figures of a panel before any model."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure
from scipy import stats

from oulib.panel import Panel
from oulib.panel.regression import Slope, ThreeSlopes
from oulib.report.style import COLOURS, by_month, month_axis


def question(rows: xr.Dataset, slopes: ThreeSlopes) -> Figure:
    """Outcome against score three ways: all months with a survey, within units, between units.

    ``rows`` and ``slopes`` are of :mod:`oulib.panel.regression`.
    """
    y, x, y_mean, x_mean, ou = (
        rows[name].to_numpy() for name in ("y", "x", "y_mean", "x_mean", "ou")
    )
    _, first = np.unique(ou, return_index=True)
    views = {
        "all months": (x, y, slopes.pooled),
        "within units": (x - x_mean, y - y_mean, slopes.within),
        "between units": (x_mean[first], y_mean[first], slopes.between),
    }
    xlabels = ("score $x'$ (sd)", "less the unit's mean (sd)", "unit's mean score (sd)")
    fig, axes = plt.subplots(1, 3, figsize=(7.2, 3.0), sharex=True, sharey=True)
    for ax, (title, (score, outcome, slope)), label in zip(
        axes, views.items(), xlabels, strict=True
    ):
        size = float(np.clip(2500 / max(len(score), 1), 3, 22))
        ax.scatter(score, outcome, s=size, color=COLOURS["muted"], alpha=0.6, lw=0)
        _line(ax, score, outcome, slope)
        ax.set_title(title, loc="left")
        ax.set_xlabel(label)
    axes[0].set_ylabel("outcome $y'$ (sd)")
    return fig


def _line(ax: plt.Axes, x: np.ndarray, y: np.ndarray, slope: Slope) -> None:
    """A line of that slope through the middle of the points, with its 90% band."""
    if not np.isfinite(slope.value):
        return
    middle = x.mean()
    at = np.linspace(x.min(), x.max(), 50)
    ax.plot(at, y.mean() + slope.value * (at - middle), color=COLOURS["model"], lw=2)
    if np.isfinite(slope.se):
        ends = np.array([y.mean() + one * (at - middle) for one in slope.interval()])
        ax.fill_between(at, *ends, color=COLOURS["model"], alpha=0.25, lw=0)


def outcome_over_time(panel: Panel) -> Figure:
    """Standardised log productivity of every OU over time, with each month's median."""
    fig, ax = plt.subplots()
    grid = by_month(panel, panel.rows["y"].to_numpy())
    ax.plot(grid.T, color=COLOURS["muted"], lw=0.6, alpha=0.6)
    ax.plot([], color=COLOURS["muted"], lw=0.8, label="one unit")
    has_rows = ~np.isnan(grid).all(axis=0)
    at = np.flatnonzero(has_rows)
    ax.plot(
        at,
        np.nanmedian(grid[:, has_rows], axis=0),
        color=COLOURS["model"],
        lw=2.2,
        label="median of the month",
    )
    ax.set_ylabel("outcome $y'$ (sd)")
    month_axis(ax, panel.months)
    ax.legend(loc="upper left", ncol=2)
    return fig


def survey_map(panel: Panel) -> Figure:
    """OUs by months: where a survey was observed, planned but missing, or not planned."""
    observed = panel.rows["observed"].to_numpy()
    planned = panel.rows["scheduled"].to_numpy() if panel.has_schedule else observed
    state = np.where(observed & planned, 3, np.where(observed, 4, np.where(planned, 2, 1)))
    grid = np.nan_to_num(by_month(panel, state)).astype(int)
    shown = {
        0: ("no row", "white"),
        1: ("no survey planned" if panel.has_schedule else "no survey", "0.90"),
        2: ("planned, no answer", COLOURS["other"]),
        3: ("observed", COLOURS["model"]),
        4: ("observed, not planned", COLOURS["third"]),
    }
    fig, ax = plt.subplots(figsize=(7.2, float(np.clip(0.09 * len(panel.ous), 2.4, 7.0))))
    cmap = mpl.colors.ListedColormap([colour for _, colour in shown.values()])
    ax.pcolormesh(
        grid,
        cmap=cmap,
        vmin=-0.5,
        vmax=4.5,
        edgecolors="white",
        lw=0.3 if len(panel.ous) <= 80 else 0,
    )
    ax.set_ylabel(f"unit ({len(panel.ous)}, in the order of their names)")
    ax.set_yticks([])
    step = max(len(panel.months) // 8, 1)
    at = range(0, len(panel.months), step)
    ax.set_xticks([i + 0.5 for i in at], [panel.months[i] for i in at], rotation=30)
    present = [key for key in shown if (grid == key).any()]
    handles = [mpl.patches.Patch(fc=shown[k][1], ec="0.6", label=shown[k][0]) for k in present]
    fig.legend(handles=handles, loc="outside upper center", ncol=len(handles))
    return fig


def residual_quantiles(residuals: np.ndarray) -> Figure:
    """Normal quantile plot of residuals in units of their robust sd."""
    fig, ax = plt.subplots(figsize=(4.6, 3.8))
    scaled = np.sort(residuals) / stats.median_abs_deviation(residuals, scale="normal")
    theory = stats.norm.ppf((np.arange(scaled.size) + 0.5) / scaled.size)
    ax.plot(theory, theory, color=COLOURS["muted"], lw=1, label="if they were normal")
    ax.plot(theory, scaled, ".", ms=4, color=COLOURS["model"], label="observed")
    ax.set_xlabel("normal quantile")
    ax.set_ylabel("residual (robust sd)")
    ax.legend()
    return fig


def response_rates(table: pd.DataFrame) -> Figure:
    """Response rate of planned surveys by group of outcome, with 90% intervals."""
    fig, ax = plt.subplots(figsize=(5.4, 3.2))
    err = [table["rate"] - table["q5"], table["q95"] - table["rate"]]
    ax.errorbar(table["outcome"], table["rate"], yerr=err, fmt="o", color=COLOURS["model"])
    ax.set_xlabel("outcome less its month's mean (sd)")
    ax.set_ylabel("share that answered")
    ax.set_ylim(0, 1.02)
    return fig
