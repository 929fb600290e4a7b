"""Figures of what was found: slopes by site, intercepts against slopes, paths, calibration."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.figure import Figure

from oulib.panel import Panel
from oulib.posterior.estimate import SAMPLES
from oulib.report.style import COLOURS, month_axis, plain


def intercepts_and_slopes(
    alpha: xr.DataArray, beta: xr.DataArray, correlations: dict[str, np.ndarray]
) -> Figure:
    """OU intercepts against slopes with 50% intervals; beside it the density of correlations.

    ``correlations`` are draws by label: of the OU effects, of the site effects, of their prior.
    """
    fig, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.4), width_ratios=(1.3, 1))
    middle, spread = {}, {}
    for key, effect in (("x", alpha), ("y", beta)):
        q = effect.quantile([0.25, 0.5, 0.75], dim=SAMPLES).to_numpy()
        middle[key], spread[f"{key}err"] = q[1], [q[1] - q[0], q[2] - q[1]]
    left.errorbar(**middle, **spread, fmt="o", ms=3.5, lw=0.7, alpha=0.7, color=COLOURS["model"])
    left.axhline(0, color="0.8", lw=1)
    left.set(xlabel=r"intercept $\alpha_g$", ylabel=r"slope $\beta_g$")
    styles = {
        "prior": (COLOURS["muted"], "--"),
        "units": (COLOURS["model"], "-"),
        "sites": (COLOURS["other"], "-"),
    }
    for label, draws in correlations.items():
        colour, line = styles[label]
        sns.kdeplot(x=draws, ax=right, color=colour, ls=line, lw=1.6, label=label, clip=(-1, 1))
    right.axvline(0, color="0.8", lw=1)
    right.set(xlabel="correlation of intercept and slope", yticks=[], ylabel="")
    right.spines["left"].set_visible(False)
    right.legend()
    return fig


def latent_paths(
    panel: Panel, ous: Sequence[int], paths: xr.DataArray, truth: np.ndarray | None = None
) -> Figure:
    """Latent scores of some OUs between their surveys, one below the other.

    ``paths`` are draws of x*, (chain, draw, row), of all rows of those OUs.
    """
    fig, axes = plt.subplots(
        len(ous), 1, figsize=(7.2, 1.9 * len(ous) + 0.5), sharex=True, sharey=True, squeeze=False
    )
    rows = paths["row"].to_numpy()
    of = panel.rows["ou_idx"].to_numpy()[rows]
    q = paths.quantile([0.05, 0.5, 0.95], dim=SAMPLES).to_numpy()
    month, x = panel.rows["month_idx"].to_numpy()[rows], panel.rows["x"].to_numpy()[rows]
    for ax, ou in zip(axes.flat, ous, strict=True):
        own = of == ou
        at = month[own]
        band = ax.fill_between(at, q[0, own], q[2, own], color=COLOURS["model"], alpha=0.25, lw=0)
        (line,) = ax.plot(at, q[1, own], color=COLOURS["model"])
        (dots,) = ax.plot(at, x[own], "o", ms=4.5, color="black")
        shown = {"90% of $x^*$": band, "median": line, "survey $x'$": dots}
        if truth is not None:
            (cross,) = ax.plot(at, truth[rows][own], "x", ms=4.5, color=COLOURS["truth"])
            shown["true $x^*$"] = cross
        ax.set_title(plain(panel.ous[ou]), loc="left")
        ax.set_ylabel("score (sd)")
    month_axis(axes.flat[-1], panel.months)
    fig.legend(shown.values(), shown.keys(), loc="outside upper center", ncol=len(shown))
    return fig


def survey_calibration(table: pd.DataFrame, rows: pd.DataFrame) -> Figure:
    """Coverage of predictive intervals of survey scores by n, and their widths row by row.

    ``table`` is that of :func:`oulib.posterior.predict.survey_calibration`; ``rows`` has ``n``,
    ``predictive`` (half width for x') and ``latent`` (half width for x*), a row a survey.
    """
    fig, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.2))
    left.fill_between(
        table["n"],
        table["expected_low"],
        table["expected_high"],
        color=COLOURS["muted"],
        alpha=0.3,
        lw=0,
        label="if calibrated",
    )
    left.plot(table["n"], table["coverage"], "o-", color=COLOURS["model"], label="observed")
    left.axhline(0.9, color="0.6", lw=1, ls=":")
    left.set(xlabel="respondents $n$", ylabel="coverage of 90% intervals", ylim=(None, 1.01))
    left.legend(loc="lower right")
    for column, colour, label in (
        ("predictive", COLOURS["other"], "the survey $x'$, predicted"),
        ("latent", COLOURS["model"], "the score $x^*$, after the survey"),
    ):
        right.plot(rows["n"], rows[column], ".", ms=4, alpha=0.6, color=colour, label=label)
    right.set(xlabel="respondents $n$", ylabel="half width of 90% interval (sd)", ylim=(0, None))
    right.legend()
    return fig


def outcome_by_ou(observed: xr.Dataset, replicated: xr.Dataset) -> Figure:
    """Mean and sd of each OU's outcome against 90% bands of its replicates.

    Both from :func:`oulib.panel.describe.outcome_by_ou`.
    """
    low, high = (replicated.quantile(q, dim="sample") for q in (0.05, 0.95))
    fig, axes = plt.subplots(1, 2, figsize=(7.4, 3.2))
    names = {"mean": "mean", "sd": "standard deviation"}
    for ax, (moment, name) in zip(axes, names.items(), strict=True):
        order = np.argsort(observed[moment].to_numpy())
        at = np.arange(order.size)
        band = (limit[moment].to_numpy()[order] for limit in (low, high))
        ax.vlines(at, *band, color=COLOURS["model"], alpha=0.4, lw=2)
        ax.plot(at, observed[moment].to_numpy()[order], "k.", ms=4)
        ax.set(xlabel="units, in order", ylabel=f"{name} of the outcome (sd)", xticks=[])
    return fig
