"""Figures about heavy tails: chains that disagree, weights of rows, models set side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.figure import Figure

from oulib.plots.style import COLOURS, plain

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


def quadrature_errors(
    loading: np.ndarray, errors: Mapping[str, np.ndarray], threshold: float
) -> Figure:
    """Error of a row's log density by how strongly the outcome depends on the score.

    ``errors`` are arrays over ``loading`` by the name of the rule; ``threshold`` is the gate's.
    """
    fig, ax = plt.subplots(figsize=(6.4, 3.2))
    for i, (rule, error) in enumerate(errors.items()):
        ax.plot(loading, np.maximum(error, 1e-12), ls=_LINES[i % len(_LINES)], lw=1.8, label=rule)
    ax.axhline(threshold, color=COLOURS["muted"], lw=1)
    ax.annotate(
        "the gate's limit", (loading[0], threshold), xytext=(2, 3), textcoords="offset points",
        color="0.4", fontsize=8,
    )  # fmt: skip
    ax.set_yscale("log")
    ax.set_xlabel(r"spread of $\beta x^*$ in units of $\sigma_y$")
    ax.set_ylabel("largest error of a log density")
    ax.legend()
    return fig


def slopes_of_two(
    lower: pd.DataFrame,
    upper: pd.DataFrame,
    models: tuple[str, str],
    truth: np.ndarray | None = None,
) -> Figure:
    """Slopes of OUs under two models with 90% intervals, in the order of the second's means.

    Tables of :func:`oulib.effects.effects`; ``truth`` is an array over the same OUs.
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
    ax.set_xlabel(f"OU ({order.size}, in the order of their slopes)")
    ax.set_ylabel(r"slope $\beta_g$")
    fig.legend(loc="outside upper center", ncol=3)
    return fig


def row_weights(residual: np.ndarray, weight: np.ndarray, nu: float) -> Figure:
    """Weight of every row against its residual, and the weight that a known residual would have.

    ``nu`` is the posterior mean of the degrees of freedom, for the curve.
    """
    fig, ax = plt.subplots(figsize=(6.4, 3.2))
    edge = 1.05 * float(np.max(np.abs(residual)))
    z = np.linspace(-edge, edge, 300)
    ax.plot(z, (nu + 1) / (nu + z**2), color=COLOURS["other"], lw=1.5, label=r"at mean $\nu$")
    ax.plot(residual, weight, ".", ms=4, alpha=0.6, color=COLOURS["model"], label="rows")
    ax.axhline(1, color=COLOURS["muted"], ls="--", lw=1, label="normal noise")
    ax.set_ylim(0, None)
    ax.set_xlabel(r"residual (units of $\sigma_y$)")
    ax.set_ylabel("weight")
    ax.legend()
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
            edges,
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
