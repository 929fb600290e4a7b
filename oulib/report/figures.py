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
from oulib.posterior.estimate import SAMPLES
from oulib.report.style import COLOURS, month_axis, month_bands, plain, plain_all
from oulib.report.symbols import symbol


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
        ax.set(title=symbol(name), yticks=[], ylabel="", xlabel="")
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
        chains = values.transpose(*SAMPLES).to_numpy()[:, ::step]
        for chain, (line, height) in enumerate(zip(chains, ranks[label].to_numpy(), strict=True)):
            colour = palette[chain % len(palette)]
            left.plot(at, line, color=colour, lw=0.7, alpha=0.8, label=f"chain {chain + 1}")
            edges = np.linspace(0, 1, height.size + 1)
            right.stairs(height, edges, baseline=None, color=colour, lw=1.3)
        left.set_ylabel(symbol(label))
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
    shown = plain_all(labels)
    ax.set_yticks(at, [shown[i] for i in order], fontsize=7)
    ax.set_ylim(-1, order.size)
    ax.set_xlabel(xlabel)
    fig.legend(loc="outside upper center", ncol=3)
    return fig


def month_effects(effect: xr.DataArray, *, ylabel: str, truth: np.ndarray | None = None) -> Figure:
    """Month effects over time: posterior mean, 50% and 90% bands, truth where there is one."""
    fig, ax = plt.subplots(figsize=(7.2, 2.9))
    month_bands(ax, effect, truth)
    ax.set_ylabel(ylabel)
    ax.legend(ncol=4, loc="best")
    return fig


def outcome_replicates(y: np.ndarray, replicates: np.ndarray) -> Figure:
    """Histogram of the outcome on a log scale against replicates; ``replicates`` (sample, row)."""
    fig, ax = plt.subplots(figsize=(6.4, 3.2))
    first, last = np.quantile(np.append(y, replicates.ravel()), [0, 1])
    edges = np.linspace(first, last, 60)
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
    q = paths.quantile([0.05, 0.5, 0.95], dim=SAMPLES).to_numpy()
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


_LINES = ("-", "--", "-.", ":")


def by_chain(
    draws: Mapping[str, xr.DataArray], *, xlabel: str, truth: float | None = None
) -> Figure:
    """Posterior densities of a parameter, a line for each chain and a panel for each fit.

    ``draws`` are (chain, draw) by the title of their panel.
    """
    fig, axes = plt.subplots(
        1, len(draws), figsize=(7.4, 2.9), sharex=True, sharey=True, squeeze=False
    )
    palette = [c for c in sns.color_palette("colorblind") if c != COLOURS["truth"]]
    for ax, (title, values) in zip(axes[0], draws.items(), strict=True):
        for i, chain in enumerate(values.to_numpy()):
            sns.kdeplot(
                x=chain,
                ax=ax,
                color=palette[i % len(palette)],
                ls=_LINES[i % len(_LINES)],
                lw=1.6,
                label=f"chain {i + 1}",
            )
        ax.axvline(0, color="0.8", lw=1, zorder=0)
        if truth is not None:
            ax.axvline(truth, color=COLOURS["truth"], lw=1.4, label="truth")
        ax.set(title=plain(title), xlabel=xlabel, ylabel="density")
    axes[0, 0].set_yticks([])
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncol=min(len(labels), 6))
    return fig


def slopes_of_two(
    lower: pd.DataFrame,
    upper: pd.DataFrame,
    models: tuple[str, str],
    truth: np.ndarray | None = None,
) -> Figure:
    """Slopes of OUs under two models with 90% intervals, in the order of the second's means.

    Tables of :func:`oulib.posterior.effects.effects`; ``truth`` is an array over the same OUs.
    """
    tables = [table.drop(index="(mean)") for table in (lower, upper)]
    order = np.argsort(tables[1]["beta"].to_numpy())
    fig, ax = plt.subplots(figsize=(7.2, 3.6))
    ax.axhline(0, color="0.8", lw=1)
    at = np.arange(order.size)
    for table, model, role, shift in zip(
        tables, models, ("other", "model"), (-0.18, 0.18), strict=True
    ):
        t = table.iloc[order]
        ax.vlines(at + shift, t["beta_q5"], t["beta_q95"], color=COLOURS[role], lw=1.3, alpha=0.7)
        marker = "s" if role == "other" else "o"
        ax.plot(
            at + shift, t["beta"], marker, ms=3, color=COLOURS[role], label=f"{plain(model)}, 90%"
        )
    if truth is not None:
        ax.plot(at, truth[order], "x", ms=4.5, color=COLOURS["truth"], label="truth")
    ax.set_xticks([])
    ax.set_xlabel(f"unit ({order.size}, in the order of their slopes)")
    ax.set_ylabel(r"slope $\beta_g$")
    fig.legend(loc="outside upper center", ncol=3)
    return fig


def replicated_statistic(
    replicated: Mapping[str, Sequence[float]], observed: float, *, xlabel: str
) -> Figure:
    """Distribution of a statistic over the replicates of each model, and its observed value."""
    fig, ax = plt.subplots(figsize=(6.4, 3.0))
    values = np.concatenate([np.asarray(v, dtype=float) for v in replicated.values()])
    low, high = np.quantile(np.append(values, observed), [0, 1])
    if np.all(values == np.round(values)):  # counts: every bar holds as many of them
        width = max(np.ceil((high - low) / 40), 1.0)
        edges = np.arange(low - 0.5, high + width + 0.5, width)
    else:
        edges = np.linspace(low, high, 40)
    for (model, draws), role, hatch in zip(
        replicated.items(), ("other", "model", "third"), ("", "///", ".."), strict=False
    ):
        ax.hist(
            draws,
            edges,  # type: ignore[arg-type]  # Matplotlib takes arrays, too
            histtype="stepfilled",
            alpha=0.45,
            color=COLOURS[role],
            hatch=hatch,
            edgecolor=COLOURS[role],
            label=f"replicates, {plain(model)}",
        )
    ax.axvline(observed, color="black", lw=1.8, label="observed")
    ax.set(xlabel=xlabel, yticks=[])
    ax.spines["left"].set_visible(False)
    ax.legend()
    return fig
