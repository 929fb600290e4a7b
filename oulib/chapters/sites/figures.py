"""Figures of two levels of pooling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.figure import Figure

from oulib.chapters.sites.analysis import NEW_SITE, NO_SITES
from oulib.report.style import COLOURS, plain, plain_all

LABELS = {"alpha": r"intercept $\alpha_g$", "beta": r"slope $\beta_g$"}


def means_by_site(means: np.ndarray, sites: Sequence[str], *, most: int = 24) -> Figure:
    """Mean outcomes of OUs, a dot each, by site; sites are in the order of their own means.

    ``means`` and ``sites`` are of OUs, in one order.  Beyond ``most`` sites, evenly thinned along
    their order.
    """
    of_site = pd.Series(means).groupby(np.asarray(sites, dtype=object)).mean().sort_values()
    if len(of_site) > most:
        of_site = of_site.iloc[
            np.unique(np.linspace(0, len(of_site) - 1, most).round().astype(int))
        ]
    fig, ax = plt.subplots(figsize=(7.2, 3.2))
    ax.axhline(np.mean(means), color=COLOURS["muted"], lw=1, ls=":", label="mean of all units")
    for at, (site, mean) in enumerate(of_site.items()):
        here = np.asarray(sites, dtype=object) == site
        ax.hlines(
            mean, at - 0.35, at + 0.35, color=COLOURS["third"], lw=2,
            label="mean of a site" if at == 0 else "_",
        )  # fmt: skip
        ax.plot(
            np.full(here.sum(), at), means[here], "o", ms=4.5, alpha=0.7, color=COLOURS["model"],
            label="a unit" if at == 0 else "_",
        )  # fmt: skip
    ax.set_xticks(
        range(len(of_site)), plain_all(list(of_site.index)), rotation=30, ha="right", fontsize=8
    )
    ax.set_ylabel("mean outcome $y'$ (sd)")
    fig.legend(loc="outside upper center", ncol=3)
    return fig


def two_levels(table: pd.DataFrame, *, most: int = 72) -> Figure:
    """OUs by site: estimates with one level and with two, their sites' means, and the truth.

    ``table`` is that of ``pooling.estimates``.  Beyond ``most`` OUs, evenly thinned along the
    order of sites.
    """
    table = table.sort_values(["site", "alpha_two"], kind="stable")
    if len(table) > most:
        table = table.iloc[np.unique(np.linspace(0, len(table) - 1, most).round().astype(int))]
    at = np.arange(len(table))
    fig, axes = plt.subplots(2, 1, figsize=(7.2, 5.6), sharex=True)
    spans = {site: at[table["site"] == site] for site in table["site"].unique()}
    for ax, (name, label) in zip(axes, LABELS.items(), strict=True):
        one, two = table[f"{name}_one"].to_numpy(), table[f"{name}_two"].to_numpy()
        mean = table[f"{name}_mean"].iloc[0]
        ax.axhline(mean, color=COLOURS["muted"], lw=1, ls=":", label="population mean")
        for i, span in enumerate(spans.values()):
            height = table[f"{name}_site"].iloc[span[0]]
            ax.hlines(
                height,
                span[0] - 0.4,
                span[-1] + 0.4,
                color=COLOURS["third"],
                lw=2,
                label="site mean" if i == 0 else None,
            )
        ax.vlines(at, one, two, color=COLOURS["model"], lw=1, alpha=0.6)
        ax.plot(at, one, "o", ms=4, mfc="white", color=COLOURS["other"], label="one level")
        ax.plot(at, two, "o", ms=4, color=COLOURS["model"], label="two levels")
        if f"{name}_true" in table:
            ax.plot(at, table[f"{name}_true"], "x", ms=4.5, color=COLOURS["truth"], label="truth")
        ax.set_ylabel(label)
    step = -(-len(spans) // 16)
    shown = list(spans.items())[::step]
    axes[1].set_xticks(
        [span.mean() for _, span in shown],
        [plain(site) for site, _ in shown],
        rotation=30,
        ha="right",
        fontsize=8,
    )
    axes[1].set_xlim(-1, len(table))
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncol=5)
    return fig


def between_sites(
    posterior: xr.DataArray, prior: xr.DataArray, truth: xr.DataArray | None = None
) -> Figure:
    """Share of the OUs' variance between sites: posterior against prior, for both effects."""
    fig, axes = plt.subplots(1, 2, figsize=(7.2, 2.7), sharey=True)
    edges = np.linspace(0, 1, 26)
    for ax, (name, title) in zip(axes, (("alpha", "intercepts"), ("beta", "slopes")), strict=True):
        for draws, colour, label, filled in (
            (prior, COLOURS["muted"], "prior", False),
            (posterior, COLOURS["model"], "posterior", True),
        ):
            ax.hist(
                np.ravel(draws.sel(effect=name).to_numpy()),
                edges,
                density=True,
                color=colour,
                label=label,
                alpha=0.45 if filled else 1,
                histtype="stepfilled" if filled else "step",
                ls="-" if filled else "--",
            )
        if truth is not None:
            value = float(truth.sel(effect=name))
            ax.axvline(value, color=COLOURS["truth"], lw=1.6, label="truth")
        ax.set(xlabel="share between sites", title=title, xlim=(0, 1))
    axes[0].set_ylabel("density")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncol=3)
    return fig


def newcomers(table: pd.DataFrame, *, truth: xr.Dataset | None = None, most: int = 24) -> Figure:
    """Predictive intervals of an OU without a history in each site, in another, and in any.

    ``table`` is that of ``pooling.newcomers``; ``truth`` marks the true means of the sites.
    """
    sites = table.drop(index=[NEW_SITE, NO_SITES])
    if len(sites) > most:
        sites = sites.iloc[np.unique(np.linspace(0, len(sites) - 1, most).round().astype(int))]
    shown = pd.concat([sites, table.loc[[NEW_SITE]]])
    at = np.arange(len(shown))[::-1]
    height = float(np.clip(0.22 * len(shown) + 1.2, 2.6, 7.0))
    fig, axes = plt.subplots(1, 2, figsize=(7.2, height), sharey=True)
    for ax, (name, label) in zip(axes, LABELS.items(), strict=True):
        low, high = table.loc[NO_SITES, [f"{name}_q5", f"{name}_q95"]]
        ax.axvspan(low, high, color=COLOURS["other"], alpha=0.18, lw=0, label="one level, any unit")
        ax.hlines(at, shown[f"{name}_q5"], shown[f"{name}_q95"], color=COLOURS["model"], lw=1.6)
        ax.plot(
            shown[f"{name}_mean"], at, "o", ms=4, color=COLOURS["model"], label="two levels, 90%"
        )
        if truth is not None and f"{name}_site" in truth:
            means = truth[f"mu_{name}"] + truth[f"{name}_site"]
            true = means.sel(site=list(sites.index)).to_numpy()
            ax.plot(true, at[:-1], "x", ms=5, color=COLOURS["truth"], label="true site mean")
        ax.set_xlabel(label)
    axes[0].set_yticks(at, [plain(site) for site in shown.index], fontsize=8)
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncol=3)
    return fig


def site_shares(observed: float, replicated: Mapping[str, Sequence[float]]) -> Figure:
    """The share between sites in replicated panels of other OUs, by model, and the observed."""
    fig, ax = plt.subplots(figsize=(6.4, 2.8))
    colours = (COLOURS["other"], COLOURS["model"])
    for (model, values), colour in zip(replicated.items(), colours, strict=False):
        sns.histplot(
            x=np.asarray(values),
            bins=np.linspace(0, 1, 31),
            stat="density",
            element="step",
            ax=ax,
            color=colour,
            alpha=0.35,
            label=model,
        )
    ax.axvline(observed, color="black", lw=1.6, label="observed")
    ax.set(xlabel="share of the variance of units' mean outcomes between sites", xlim=(0, 1))
    ax.set_ylabel("density")
    ax.legend()
    return fig
