"""Figures of one fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.figure import Figure

from oulib.panel import Panel
from oulib.plots.style import COLOURS, month_axis, month_bands, plain


def posterior_against_prior(
    posterior: Mapping[str, np.ndarray],
    prior: Mapping[str, np.ndarray],
    truth: Mapping[str, np.ndarray] | None = None,
) -> Figure:
    """Small densities of scalars: prior behind, posterior in front, truth where there is one."""
    columns = 4
    rows = -(-len(posterior) // columns)
    fig, axes = plt.subplots(rows, columns, figsize=(7.4, 1.75 * rows), squeeze=False)
    for ax, (name, draws) in zip(axes.flat, posterior.items(), strict=False):
        sns.kdeplot(x=draws, ax=ax, color=COLOURS["model"], fill=True, alpha=0.35, lw=1.4, cut=0)
        low, high = np.quantile(draws, [0.001, 0.999])
        wide = high - low
        if name in prior:
            sns.kdeplot(x=prior[name], ax=ax, color=COLOURS["muted"], lw=1.2, ls="--", cut=0)
        ax.set_xlim(low - 0.6 * wide, high + 0.6 * wide)
        if truth and name in truth:
            ax.axvline(float(truth[name][0]), color=COLOURS["truth"], lw=1.6)
        ax.set(title=plain(name), yticks=[], ylabel="", xlabel="")
        ax.spines["left"].set_visible(False)
    for ax in axes.flat[len(posterior) :]:
        ax.set_axis_off()
    handles = [
        mpl.lines.Line2D([], [], color=COLOURS["model"], lw=3, alpha=0.6, label="posterior"),
        mpl.lines.Line2D([], [], color=COLOURS["muted"], ls="--", label="prior"),
    ]
    if truth:
        handles.append(mpl.lines.Line2D([], [], color=COLOURS["truth"], label="truth"))
    fig.legend(handles=handles, loc="outside lower center", ncol=3)
    return fig


def traces(
    draws: Mapping[str, xr.DataArray],
    ranks: Mapping[str, xr.DataArray],
    band: tuple[float, float],
) -> Figure:
    """What chains did: a row a scalar, its draws (chain, draw) on the left, ranks on the right.

    ``ranks`` are those of ``inference.ranks``, and ``band`` is where nine in ten of their bars lie
    if chains tell the same.
    """
    fig, axes = plt.subplots(
        len(draws), 2, figsize=(7.4, 0.5 + 1.5 * len(draws)), squeeze=False, sharex="col"
    )
    palette = sns.color_palette("colorblind")
    for (left, right), (label, values) in zip(axes, draws.items(), strict=True):
        right.axhspan(*band, color="0.9", lw=0)
        step = max(values.sizes["draw"] // 500, 1)
        at = np.arange(0, values.sizes["draw"], step)
        chains = values.transpose("chain", "draw").to_numpy()[:, ::step]
        for chain, (line, height) in enumerate(zip(chains, ranks[label].to_numpy(), strict=True)):
            colour = palette[chain % len(palette)]
            left.plot(at, line, color=colour, lw=0.7, alpha=0.8, label=f"chain {chain + 1}")
            edges = np.linspace(0, 1, height.size + 1)
            right.stairs(height, edges, baseline=None, color=colour, lw=1.3)
        left.set_ylabel(plain(label))
        right.set_ylim(0, None)
    axes[-1, 0].set_xlabel("draw")
    axes[-1, 1].set_xlabel("rank among all draws")
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncol=6)
    return fig


def forest(
    mean: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    labels: Sequence[str],
    *,
    xlabel: str,
    truth: np.ndarray | None = None,
    centre: float | None = None,
    most: int = 60,
) -> Figure:
    """Intervals sorted by their mean; beyond ``most``, evenly thinned along the order."""
    order = np.argsort(mean)
    if order.size > most:
        order = order[np.unique(np.linspace(0, order.size - 1, most).round().astype(int))]
    at = np.arange(order.size)
    fig, ax = plt.subplots(figsize=(6.4, float(np.clip(0.16 * order.size + 0.8, 2.2, 9.5))))
    ax.axvline(0, color="0.8", lw=1)
    if centre is not None:
        ax.axvline(centre, color=COLOURS["model"], lw=1, ls=":", label="population mean")
    ax.hlines(at, low[order], high[order], color=COLOURS["model"], lw=1.4, alpha=0.7)
    ax.plot(mean[order], at, "o", ms=3.5, color=COLOURS["model"], label="posterior, 90%")
    if truth is not None:
        ax.plot(truth[order], at, "x", ms=4.5, color=COLOURS["truth"], label="truth")
    ax.set_yticks(at, [plain(labels[i]) for i in order], fontsize=7)
    ax.set_ylim(-1, order.size)
    ax.set_xlabel(xlabel)
    ax.legend(loc="lower right")
    return fig


def month_effects(effect: xr.DataArray, *, ylabel: str, truth: np.ndarray | None = None) -> Figure:
    """Month effects over time: posterior mean, 50% and 90% bands, truth where there is one."""
    fig, ax = plt.subplots(figsize=(7.2, 2.9))
    month_bands(ax, effect, truth)
    ax.set_ylabel(ylabel)
    ax.legend(ncol=4, loc="best")
    return fig


def collapse(
    n: np.ndarray,
    sd: np.ndarray,
    curve_n: np.ndarray,
    survey_only: np.ndarray,
    closed_form: np.ndarray,
    unobserved_sd: float,
) -> Figure:
    """Posterior sd of x* against respondents: sampled rows and two closed-form curves."""
    fig, ax = plt.subplots(figsize=(6.4, 3.6))
    ax.plot(n, sd, ".", color=COLOURS["model"], ms=5, alpha=0.6, label="rows, x* sampled")
    ax.plot(
        curve_n, closed_form, color=COLOURS["other"], lw=2, label="closed form, survey and outcome"
    )
    ax.plot(
        curve_n,
        survey_only,
        color=COLOURS["third"],
        lw=1.6,
        ls="--",
        label=r"measurement error alone, $\sigma_{meas}/\sqrt{n}$",
    )
    ax.axhline(unobserved_sd, color=COLOURS["muted"], ls=":", label="months without a survey")
    ax.set_xscale("log")
    ax.set_ylim(0, max(1.25 * unobserved_sd, 1.1 * float(np.max(sd))))
    ax.set_xlabel("respondents $n$")
    ax.set_ylabel("posterior sd of $x^*$")
    ax.xaxis.set_major_formatter(mpl.ticker.ScalarFormatter())
    ax.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    ax.legend()
    return fig


def forms(table: pd.DataFrame) -> Figure:
    """R-hat and effective draws per second of several forms of a model, a dot a parameter.

    ``table`` has the columns ``form``, ``r_hat`` and ``ess_per_second``.
    """
    fig, (left, right) = plt.subplots(1, 2, figsize=(7.2, 2.8), sharey=True)
    for ax, column, label in (
        (left, "r_hat", r"$\hat R$"),
        (right, "ess_per_second", "effective draws per second"),
    ):
        sns.stripplot(data=table, x=column, y="form", hue="form", ax=ax, size=4.5, legend=False)
        ax.set(xlabel=label, ylabel="")
    left.axvline(1.01, color=COLOURS["truth"], lw=1, ls="--")
    right.set_xscale("log")
    return fig


def outcome_replicates(y: np.ndarray, replicates: np.ndarray) -> Figure:
    """Histogram of the outcome on a log scale against replicates; ``replicates`` (sample, row)."""
    fig, ax = plt.subplots(figsize=(6.4, 3.2))
    edges = np.linspace(*np.quantile(np.append(y, replicates.ravel()), [0, 1]), 60)
    middle = (edges[1:] + edges[:-1]) / 2
    counts = np.array([np.histogram(draw, edges)[0] for draw in replicates])
    low, high = np.quantile(counts, [0.05, 0.95], axis=0)
    ax.fill_between(
        middle,
        low + 0.5,
        high + 0.5,
        step="mid",
        color=COLOURS["model"],
        alpha=0.3,
        lw=0,
        label="90% of replicates",
    )
    ax.step(
        middle,
        np.histogram(y, edges)[0] + 0.5,
        where="mid",
        color="black",
        lw=1.2,
        label="observed",
    )
    ax.set_yscale("log")
    ax.set_xlabel("outcome $y'$ (sd)")
    ax.set_ylabel("rows + ½")
    ax.legend()
    return fig


def outcome_bands(panel: Panel, replicates: np.ndarray) -> Figure:
    """Each month's mean outcome against the 90% band of its replicates."""
    fig, ax = plt.subplots(figsize=(7.2, 2.9))
    month = panel.rows["month_idx"].to_numpy()
    count = np.bincount(month, minlength=len(panel.months)).astype(float)
    count[count == 0] = np.nan

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(month, weights=values, minlength=len(panel.months)) / count

    rep = np.array([mean(draw) for draw in replicates])
    at = np.arange(len(panel.months))
    band = np.full((2, at.size), np.nan)
    seen = ~np.isnan(count)
    band[:, seen] = np.quantile(rep[:, seen], [0.05, 0.95], axis=0)
    ax.fill_between(at, *band, color=COLOURS["model"], alpha=0.3, lw=0, label="90% of replicates")
    ax.plot(at, mean(panel.rows["y"].to_numpy()), "k.", ms=5, label="observed mean")
    ax.set_ylabel("mean outcome (sd)")
    month_axis(ax, panel.months)
    ax.legend(ncol=2)
    return fig


def latent_path(
    panel: Panel, ou: int, paths: xr.DataArray, truth: np.ndarray | None = None
) -> Figure:
    """The latent score of one OU between its surveys; ``paths`` (chain, draw, row) of its rows."""
    rows = paths["row"].to_numpy()
    at = panel.rows["month_idx"].to_numpy()[rows]
    q = paths.quantile([0.05, 0.5, 0.95], dim=("chain", "draw")).to_numpy()
    fig, ax = plt.subplots(figsize=(7.2, 3.0))
    ax.fill_between(at, q[0], q[2], color=COLOURS["model"], alpha=0.25, lw=0, label="90%")
    ax.plot(at, q[1], color=COLOURS["model"], label="posterior median of $x^*$")
    x = panel.rows["x"].to_numpy()[rows]
    ax.plot(at, x, "o", ms=5, color="black", label="survey $x'$")
    if truth is not None:
        ax.plot(at, truth[rows], "x", ms=4.5, color=COLOURS["truth"], label="true $x^*$")
    ax.set_ylabel("score (sd)")
    ax.set_title(plain(panel.ous[ou]))
    month_axis(ax, panel.months)
    ax.legend(ncol=4, fontsize=8)
    return fig
