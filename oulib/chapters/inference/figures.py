"""Figures about draws: ranks, funnels, forms of a model, Monte Carlo error, variational fits."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.figure import Figure

from oulib.posterior.estimate import SAMPLES
from oulib.report.style import COLOURS, plain
from oulib.report.symbols import symbol

_MARKERS = ("o", "s", "^", "D")
_ROLES = ("model", "other", "third", "accent")


def ranks(
    shares: Mapping[tuple[str, str], xr.DataArray], bands: Mapping[str, tuple[float, float]]
) -> Figure:
    """Rank histograms, a row for each fit and a column for each parameter, a line for each chain.

    ``shares`` are those of ``inference.ranks`` by (fit, parameter); ``bands`` by fit.
    """
    fits = list(dict.fromkeys(fit for fit, _ in shares))
    parameters = list(dict.fromkeys(parameter for _, parameter in shares))
    fig, axes = plt.subplots(
        len(fits),
        len(parameters),
        figsize=(7.4, 1.0 + 1.6 * len(fits)),
        sharex=True,
        sharey="row",
        squeeze=False,
    )
    palette = sns.color_palette("colorblind")
    for (fit, parameter), share in shares.items():
        ax = axes[fits.index(fit), parameters.index(parameter)]
        bins = share.sizes["bin"]
        ax.axhspan(*bands[fit], color="0.9", lw=0)
        for chain, height in enumerate(share.to_numpy()):
            ax.stairs(
                height,
                np.linspace(0, 1, bins + 1),
                baseline=None,
                color=palette[chain % len(palette)],
                lw=1.3,
                label=f"chain {chain + 1}",
            )
        if fits.index(fit) == 0:
            ax.set_title(symbol(parameter))
        if parameters.index(parameter) == 0:
            ax.set_ylabel(plain(fit))
    for ax in axes[:, 0]:  # the others of a row follow
        ax.set_ylim(0, None)
    for ax in axes[-1]:
        ax.set_xlabel("rank among all draws")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncol=min(len(labels), 6))
    return fig


def forms(table: pd.DataFrame) -> Figure:
    """R-hat and effective draws per second of several forms of a model, a dot a parameter.

    ``table`` has the columns ``form``, ``r_hat`` and ``ess_per_second``.
    """
    fig, (left, right) = plt.subplots(1, 2, figsize=(7.2, 2.8), sharey=True)
    for ax, column, label in (
        (left, "r_hat", "R-hat"),
        (right, "ess_per_second", "effective draws per second"),
    ):
        sns.stripplot(data=table, x=column, y="form", hue="form", ax=ax, size=4.5, legend=False)
        ax.set(xlabel=label, ylabel="")
    left.axvline(1.01, color=COLOURS["truth"], lw=1, ls="--")
    right.set_xscale("log")
    return fig


def funnels(
    trees: Mapping[str, xr.Dataset], *, xlabel: str, ylabel: str, most: int = 2000
) -> Figure:
    """The logarithm of a scale against something that it scales, a panel for each form.

    ``trees`` are those of ``inference.score_funnel`` or ``group_funnel``; divergent transitions
    are marked.
    """
    fig, axes = plt.subplots(
        1, len(trees), figsize=(7.4, 3.4), sharex=True, sharey=True, squeeze=False
    )
    everything = np.concatenate([t["log_scale"].to_numpy().ravel() for t in trees.values()])
    bottom, top = np.quantile(everything, [0.002, 1.0])  # the logarithm runs off below
    for ax, (form, tree) in zip(axes[0], trees.items(), strict=True):
        gap, noise, bad = (
            tree[name].transpose(*SAMPLES).to_numpy().ravel()
            for name in ("gap", "log_scale", "diverging")
        )
        bad = bad.astype(bool)
        shown = np.unique(np.linspace(0, gap.size - 1, min(most, gap.size)).astype(int))
        ax.plot(
            gap[shown], noise[shown], ".", ms=3, alpha=0.35, color=COLOURS["model"], label="draws",
        )  # fmt: skip
        if bad.any():
            ax.plot(
                gap[bad], noise[bad], "x", ms=5, color=COLOURS["truth"], label="divergent",
            )  # fmt: skip
        ax.set_title(plain(form))
        ax.set_xlabel(xlabel)
        ax.set_ylim(bottom - 0.2, top + 0.2)
    axes[0, 0].set_ylabel(ylabel)
    handles, labels = axes[0, -1].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncol=2)
    return fig


def monte_carlo_error(
    errors: pd.DataFrame, approximate: Mapping[str, pd.DataFrame] | None = None
) -> Figure:
    """Distance to a long run against the number of draws, on logarithmic scales.

    ``errors`` and those of ``approximate`` fits, by their names, are from
    ``inference.monte_carlo_error``; with the latter only the posterior mean is shown.
    """
    fig, ax = plt.subplots(figsize=(6.4, 3.5))
    columns = {"mean": "posterior mean", "quantile": "5% quantile"}
    if approximate:
        columns = {"mean": "NUTS"}
    for (column, label), role, marker in zip(columns.items(), _ROLES, _MARKERS, strict=False):
        ax.plot(errors.index, errors[column], marker, ms=5, color=COLOURS[role], label=label)
        ax.plot(
            errors.index,
            errors[f"{column}_mcse"],
            color=COLOURS[role],
            lw=1.3,
            label=f"{label}, as estimated (MCSE)",
        )
    for (form, table), role, marker in zip(
        (approximate or {}).items(), _ROLES[1:], _MARKERS[1:], strict=False
    ):
        ax.plot(
            table.index, table["mean"], f"-{marker}", ms=5, color=COLOURS[role], label=plain(form)
        )
    start = errors["mean_mcse"].iloc[0]
    at = errors.index.to_numpy(float)
    ax.plot(
        at, 0.55 * start * (at / at[0]) ** -0.5, "--", color=COLOURS["muted"], lw=1.2,
        label="slope −1/2",
    )  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel="draws, all chains together")
    ax.set_ylabel("error (posterior sds)")
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return fig


def elbo(traces: Mapping[str, np.ndarray], *, window: int = 200) -> Figure:
    """The objective of each variational fit along its steps, averaged over ``window`` of them."""
    fig, ax = plt.subplots(figsize=(6.4, 2.9))
    lowest, highest = [], []
    for (form, trace), role in zip(traces.items(), _ROLES, strict=False):
        width = max(min(window, len(trace) // 10), 1)
        smooth = trace[: len(trace) // width * width].reshape(-1, width).mean(axis=1)
        at = (np.arange(smooth.size) + 0.5) * width
        ax.plot(at, smooth, color=COLOURS[role], lw=1.4, label=plain(form))
        lowest.append(np.quantile(smooth, 0.1))
        highest.append(np.max(smooth))
    room = 0.1 * (max(highest) - min(lowest)) + 1
    ax.set_ylim(min(lowest) - room, max(highest) + room)
    ax.set(xlabel="step of the optimiser", ylabel="ELBO")
    ax.legend(loc="lower right")
    return fig


def approximations(tables: Mapping[str, pd.DataFrame], *, most: int = 24) -> Figure:
    """Ratio of sds and shift of means against NUTS, a line for each of a few parameters.

    ``tables`` are those of ``inference.against``, by form, over the same parameters; beyond
    ``most`` OUs' slopes, evenly thinned.
    """
    first = next(iter(tables.values()))
    slopes = first.index.str.startswith("beta[")
    kept = np.flatnonzero(slopes)
    if kept.size > most:
        kept = kept[np.unique(np.linspace(0, kept.size - 1, most).round().astype(int))]
    order = np.concatenate([np.flatnonzero(~slopes), kept])
    at = np.arange(order.size)[::-1]
    height = float(np.clip(0.2 * order.size + 1.3, 3.0, 7.5))
    fig, axes = plt.subplots(1, 2, figsize=(7.4, height), sharey=True)
    offsets = np.linspace(0.22, -0.22, len(tables)) if len(tables) > 1 else [0.0]
    for (form, table), role, marker, offset in zip(
        tables.items(), _ROLES, _MARKERS, offsets, strict=False
    ):
        for ax, column in zip(axes, ("sd_ratio", "shift"), strict=True):
            ax.plot(
                table[column].to_numpy()[order],
                at + offset,
                marker,
                ms=4,
                color=COLOURS[role],
                label=plain(form),
            )
    axes[0].axvline(1, color="0.6", lw=1)
    axes[1].axvline(0, color="0.6", lw=1)
    axes[0].set_xlabel("sd, as a share of NUTS's")
    axes[1].set_xlabel("shift of the mean (sds)")
    axes[0].set_yticks(at, [symbol(first.index[i]) for i in order], fontsize=8)
    axes[0].set_xlim(0, None)
    axes[0].set_ylim(-0.8, order.size - 0.2)
    for ax in axes:
        ax.grid(axis="y", color="0.93", lw=0.6)
        ax.set_axisbelow(True)
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncol=len(tables))
    return fig
