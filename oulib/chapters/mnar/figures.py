"""Figures of who does not answer a planned survey."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
import xarray as xr
from matplotlib.figure import Figure

from oulib.panel import Panel
from oulib.posterior.estimate import SAMPLES
from oulib.report.style import COLOURS, plain


def response_curve(posterior: xr.Dataset, truth: xr.Dataset | None = None) -> Figure:
    """Chance of answering against the score, in an average OU and wave, with a 90% band."""
    x = xr.DataArray(np.linspace(-2.5, 2.5, 101), dims="x")

    def chance(p: xr.Dataset) -> xr.DataArray:
        return 1 / (1 + xr.ufuncs.exp(-(p["rho_0"] + p["rho_x"] * x)))

    q = chance(posterior).quantile([0.05, 0.5, 0.95], dim=SAMPLES).to_numpy()
    fig, ax = plt.subplots(figsize=(5.6, 3.0))
    ax.fill_between(x, q[0], q[2], color=COLOURS["model"], alpha=0.25, lw=0, label="90%")
    ax.plot(x, q[1], color=COLOURS["model"], label="median")
    if truth is not None and "rho_x" in truth:
        ax.plot(x, chance(truth), color=COLOURS["truth"], ls="--", label="truth")
    ax.set(xlabel="score $x^*$ (sd)", ylabel="chance of an answer", ylim=(0, 1))
    ax.legend()
    return fig


def unanswered(
    without: xr.DataArray, within: xr.DataArray, truth: np.ndarray | None = None
) -> Figure:
    """The unanswered scores without a response part and with it: row by row, and on average.

    Draws are (chain, draw, row) of the same rows; ``truth`` are their true scores.
    """
    fig, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.1))
    one, two = (draws.mean(SAMPLES).to_numpy() for draws in (without, within))
    ends = [min(one.min(), two.min()) - 0.1, max(one.max(), two.max()) + 0.1]
    left.plot(ends, ends, color=COLOURS["muted"], lw=1)
    left.plot(one, two, ".", ms=4, color=COLOURS["model"], alpha=0.6)
    left.set(xlabel="ignored", ylabel="modelled", title="posterior mean of $x^*$, a dot a row")
    means = {"ignored": without.mean("row"), "modelled": within.mean("row")}
    _means(right, means, truth)
    return fig


def stories(
    one_row: xr.Dataset, means: Mapping[str, xr.DataArray], truth: np.ndarray | None = None
) -> Figure:
    """A model and its missing-at-random twin: one row's chance and score, and the mean score.

    ``one_row`` is the mean of ``density.two_stories`` over draws for one row, with a coordinate
    ``x`` along ``node``; ``means`` are the draws of the unanswered rows' mean score by story.
    """
    fig, axes = plt.subplots(1, 3, figsize=(7.2, 2.9))
    shown = {"mnar": ("MNAR", COLOURS["model"], "-"), "mar": ("MAR twin", COLOURS["other"], "--")}
    x = one_row["x"].to_numpy()
    for story, (label, colour, line) in shown.items():
        row = one_row.sel(story=story)
        axes[0].plot(x, row["refusal"], color=colour, ls=line, label=label)
        axes[1].plot(x, row["score"], color=colour, ls=line)
    score = one_row["score"].max("story").to_numpy()
    seen = x[score > 1e-3 * score.max()]
    for ax in axes[:2]:
        ax.set_xlim(seen[0], seen[-1])
    axes[0].set(title="chance of no answer", xlabel="score $x^*$ (sd)", ylim=(0, 1))
    axes[1].set(title="the row's score", xlabel="score $x^*$ (sd)", yticks=[])
    _means(axes[2], means, truth, legend=False)
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncol=2)
    return fig


def _means(
    ax: plt.Axes,
    means: Mapping[str, xr.DataArray],
    truth: np.ndarray | None,
    *,
    legend: bool = True,
) -> None:
    """Densities of mean scores, in the order of colours other than the truth's."""
    colours = (
        (COLOURS["other"], COLOURS["model"])
        if legend
        else (
            COLOURS["model"],
            COLOURS["other"],
        )
    )
    for (label, draws), colour in zip(means.items(), colours, strict=False):
        sns.kdeplot(
            x=np.ravel(draws.to_numpy()),
            ax=ax,
            color=colour,
            fill=True,
            alpha=0.35,
            cut=0,
            label=label,
        )
    if truth is not None:
        ax.axvline(float(truth.mean()), color=COLOURS["truth"], lw=1.6, label="truth")
    ax.set(xlabel="score $x^*$ (sd)", ylabel="", yticks=[], title="mean of the unanswered")
    if legend:
        ax.legend(fontsize=8)


def wave_rates(panel: Panel, observed: np.ndarray, replicates: np.ndarray) -> Figure:
    """Response rate of each wave (dots) and the 90% band of its replicates, (sample, wave)."""
    low, high = np.quantile(replicates, [0.05, 0.95], axis=0)
    at = np.arange(len(panel.waves))
    fig, ax = plt.subplots(figsize=(7.2, 2.8))
    ax.vlines(at, low, high, color=COLOURS["model"], alpha=0.35, lw=7, label="90% of replicates")
    ax.plot(at, observed, "k.", ms=6, label="observed")
    step = max(len(at) // 12, 1)
    ax.set_xticks(at[::step], [plain(wave) for wave in panel.waves[::step]], rotation=30)
    ax.set(ylabel="share that answered", ylim=(0, 1.02))
    ax.legend(ncol=2, loc="lower right")
    return fig
