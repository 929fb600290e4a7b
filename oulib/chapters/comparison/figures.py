"""Figures about which model predicts better, and what was predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from oulib.report.style import COLOURS, plain


def elpd(table: pd.DataFrame) -> Figure:
    """ArviZ's comparison: each model's difference from the best, with its standard error."""
    drawn = az.plot_compare(
        table.rename(index=plain),
        backend="matplotlib",
        visuals={
            "title": False,
            "point_estimate": {"color": COLOURS["model"]},
            "error_bar": {"color": COLOURS["model"]},
            "ref_line": {"color": COLOURS["muted"]},
            "similar_line": {"color": COLOURS["other"]},
        },
        figure_kwargs={"figsize": (6.4, 0.45 * len(table) + 1.0), "figsize_units": "inches"},
    )
    fig = drawn.viz["figure"].item()
    ax = fig.axes[0]
    ax.set_xlabel("elpd, difference from the best (higher is better)", fontsize=10)
    ax.tick_params(labelsize=9)
    ax.set_ylim(0.4, len(table) + 0.6)
    return fig


def pareto_k(tables: Mapping[str, pd.DataFrame], good_k: float) -> Figure:
    """Pareto k of every row under each model, a panel each; outliers are marked.

    The tables are those of :func:`oulib.posterior.compare.influence`.
    """
    fig, axes = plt.subplots(
        len(tables), 1, figsize=(7.2, 2.1 * len(tables) + 0.4), sharex=True, sharey=True
    )
    for ax, (model, table) in zip(np.atleast_1d(axes), tables.items(), strict=True):
        far = table["residual"].abs() > 3
        ax.axhline(0, color="0.85", lw=1)
        ax.axhline(good_k, color=COLOURS["truth"], lw=1, ls="--", label="too high above")
        ax.plot(table.index[~far], table["k"][~far], ".", ms=3, color=COLOURS["muted"])
        label = "more than 3 scales from the mean"
        ax.plot(table.index[far], table["k"][far], "o", ms=4, color=COLOURS["model"], label=label)
        ax.set_title(plain(model))
        ax.set_ylabel(r"Pareto $\hat k$")
    np.atleast_1d(axes)[-1].set_xlabel("row of the panel (by unit, then month)")
    handles, labels = np.atleast_1d(axes)[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncol=2)
    return fig


def calibration(pits: Mapping[str, np.ndarray], band: float) -> Figure:
    """Distribution functions of LOO-PIT values less that of a uniform, with a 95% band."""
    fig, ax = plt.subplots(figsize=(6.4, 3.2))
    ax.axhspan(-band, band, color="0.9", lw=0, label="95% if calibrated")
    ax.axhline(0, color="0.7", lw=1)
    colours = (COLOURS["other"], COLOURS["model"])
    for (model, pit), colour in zip(pits.items(), colours, strict=False):
        at = np.sort(pit)
        ax.plot(at, np.arange(1, at.size + 1) / at.size - at, color=colour, label=plain(model))
    ax.set_xlim(0, 1)
    ax.set_xlabel("LOO-PIT")
    ax.set_ylabel("share below, less expected")
    ax.legend()
    return fig


def trap(share: np.ndarray, conditional: np.ndarray, honest: np.ndarray) -> Figure:
    """Pareto k of every row against the share of its variance that its own score brings."""
    fig, ax = plt.subplots(figsize=(6.4, 3.6))
    line = np.array([0.0, 1.0])
    ax.plot(line, line, color="black", lw=1, label="in theory, normal outcome")
    ax.axhline(0.7, color=COLOURS["truth"], lw=1, ls="--", label="too high above")
    ax.plot(share, honest, ".", ms=3, color=COLOURS["muted"], label="score integrated out")
    label = "at the row's own sampled score"
    ax.plot(share, conditional, ".", ms=3, color=COLOURS["other"], label=label)
    ax.set_xlim(0, min(1.0, 1.15 * float(share.max())))
    ax.set_xlabel("share of the row's variance owed to its score")
    ax.set_ylabel(r"Pareto $\hat k$")
    fig.legend(loc="outside upper center", ncol=2, markerscale=3)
    return fig


def months_ahead(forecasts: Mapping[str, pd.DataFrame], gap: pd.Series, *, gain: str) -> Figure:
    """Means of months as predicted from those before, above; the difference in elpd below.

    The tables are those of :func:`oulib.posterior.leaveout.forecasts`; ``gap`` has a value a month,
    and ``gain`` says what it is.
    """
    fig, (top, bottom) = plt.subplots(2, 1, figsize=(7.2, 4.6), sharex=True, height_ratios=(3, 2))
    at = np.arange(gap.size)
    colours = (COLOURS["other"], COLOURS["model"])
    for (model, table), colour, shift in zip(
        forecasts.items(), colours, (-0.12, 0.12), strict=True
    ):
        err = [table["q50"] - table["q5"], table["q95"] - table["q50"]]
        where = at + shift
        top.errorbar(where, table["q50"], yerr=err, fmt="o", ms=4, color=colour, label=plain(model))
    top.plot(at, table["observed"], "kx", ms=6, label="observed")
    top.set_ylabel("mean outcome (sd)")
    fig.legend(*top.get_legend_handles_labels(), loc="outside upper center", ncol=3)
    _stems(bottom, gap.to_numpy())
    bottom.set_ylabel(gain)
    bottom.set_xticks(at, [plain(str(label)) for label in gap.index], rotation=30)
    return fig


def by_ou(gap: pd.Series, sites: Sequence[str], *, gain: str) -> Figure:
    """The difference in elpd of every OU, OUs in the order of their sites."""
    order = np.lexsort((np.asarray(gap.index), np.asarray(sites)))
    of = np.asarray(sites)[order]
    fig, ax = plt.subplots(figsize=(7.2, 2.9))
    _stems(ax, gap.to_numpy()[order])
    starts = np.flatnonzero(np.append(True, of[1:] != of[:-1]))
    for start in starts[1:]:
        ax.axvline(start - 0.5, color="0.85", lw=1, zorder=0)
    ends = np.append(starts[1:], of.size)
    if starts.size <= 12:
        ax.set_xticks((starts + ends - 1) / 2, [plain(of[s]) for s in starts], rotation=30)
    else:
        ax.set_xticks([])
    ax.set_xlabel("units, by site")
    ax.set_ylabel(gain)
    return fig


def _stems(ax: plt.Axes, values: np.ndarray) -> None:
    """Values as stems from zero, in two colours by their sign."""
    at = np.arange(values.size)
    ax.axhline(0, color="0.6", lw=1)
    for sign, colour in ((values >= 0, COLOURS["model"]), (values < 0, COLOURS["other"])):
        ax.vlines(at[sign], 0, values[sign], color=colour, lw=1.6)
        ax.plot(at[sign], values[sign], "o", ms=4, color=colour)
    ax.set_xlim(-0.6, values.size - 0.4)
