"""Figures of what priors expect, and of how far posteriors follow them."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from oulib.report.style import COLOURS, plain
from oulib.report.symbols import symbol

_ROLES = ("muted", "other", "model")


def features(
    drawn: Mapping[str, xr.Dataset],
    observed: xr.Dataset,
    effects: Mapping[str, xr.DataArray] | None = None,
) -> Figure:
    """Facts of panels drawn from each of some distributions, and of the panel itself.

    ``drawn`` and ``observed`` are from ``priors.features``.  With ``effects`` (per cent change
    that goes with a typical move) in the place of the share between months.
    """
    fig, axes = plt.subplots(2, 2, figsize=(7.2, 4.8))
    shown = {
        "sd": ("standard deviation of the outcome", "log"),
        "largest": ("largest size of an outcome", "log"),
        "between": ("share of the variance between units", "linear"),
    }
    if effects is None:
        shown["months"] = ("share of the variance between months", "linear")
    for ax, (key, (label, scale)) in zip(axes.flat, shown.items(), strict=False):
        sets = {name: np.ravel(values[key].to_numpy()) for name, values in drawn.items()}
        own = float(observed[key].item())
        _histograms(ax, sets, scale, own, label)
    if effects is not None:
        sets = {name: np.ravel(values.to_numpy()) for name, values in effects.items()}
        low, high = np.quantile(np.concatenate(list(sets.values())), [0.01, 0.99])
        _histograms(
            axes.flat[3],
            {name: values[(values >= low) & (values <= high)] for name, values in sets.items()},
            "linear",
            None,
            "change with a typical move, %",
        )
    handles, labels = axes.flat[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncol=len(labels))
    return fig


def _histograms(
    ax: plt.Axes,
    sets: Mapping[str, np.ndarray],
    scale: str,
    observed: float | None,
    label: str,
) -> None:
    every = np.concatenate(list(sets.values()))
    ends = [every.min(), every.max()]
    if observed is not None:
        ends = [min(ends[0], observed), max(ends[1], observed)]
    if scale == "log":
        edges = np.geomspace(ends[0] / 1.05, ends[1] * 1.05, 31)
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(plt.LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.xaxis.set_major_formatter(plt.FuncFormatter(lambda value, _: f"{value:g}"))
        ax.xaxis.set_minor_locator(plt.NullLocator())
    else:
        edges = np.linspace(ends[0], ends[1] + 1e-9, 31)
    for (name, values), role in zip(sets.items(), _ROLES[-len(sets) :], strict=True):
        ax.hist(
            values,
            edges,  # type: ignore[arg-type]  # Matplotlib takes arrays, too
            weights=np.full(values.size, 1 / values.size),
            histtype="stepfilled",
            alpha=0.4,
            color=COLOURS[role],
            label=plain(name),
        )
    if observed is not None:
        ax.axvline(observed, color="black", lw=1.6, label="observed")
    ax.set(xlabel=label, yticks=[])
    ax.spines["left"].set_visible(False)


def sensitivity(table: pd.DataFrame, threshold: float) -> Figure:
    """Sensitivity of each hyperparameter to the power of the priors and of the likelihood."""
    shown = table.sort_values("prior")
    at = np.arange(len(shown))
    fig, ax = plt.subplots(figsize=(6.6, float(np.clip(0.26 * len(shown) + 1.1, 2.6, 8.0))))
    # On a logarithmic axis nothing can be zero.
    prior, likelihood = (shown[c].clip(lower=1e-3) for c in ("prior", "likelihood"))
    ax.hlines(at, np.minimum(prior, likelihood), np.maximum(prior, likelihood), color="0.8", lw=1)
    ax.plot(prior, at, "o", color=COLOURS["model"], label="to the priors")
    ax.plot(likelihood, at, "s", mfc="white", color=COLOURS["other"], label="to the likelihood")
    ax.axvline(threshold, color=COLOURS["muted"], ls="--", lw=1.2, label=f"{threshold:g}")
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(plt.FuncFormatter(lambda value, _: f"{value:g}"))
    ax.set_yticks(at, [symbol(label) for label in shown.index], fontsize=9)
    ax.set_xlabel("sensitivity")
    fig.legend(loc="outside upper center", ncol=3)
    return fig


def refits(table: pd.DataFrame) -> Figure:
    """The average slope under each prior: mean, 90% interval, and the mean that was foreseen."""
    at = np.arange(len(table))[::-1]
    fig, ax = plt.subplots(figsize=(6.6, 0.36 * len(table) + 1.2))
    ax.axvline(0, color="0.8", lw=1)
    ax.hlines(at, table["q5"], table["q95"], color=COLOURS["model"], lw=1.6)
    ax.plot(table["mean"], at, "o", color=COLOURS["model"], label="refit, 90%")
    ax.plot(
        table["foreseen_mean"][1:],
        at[1:],
        "x",
        color=COLOURS["other"],
        ms=7,
        label="foreseen, reweighted",
    )
    set_to = [label.partition(" = ") for label in table.index]
    ax.set_yticks(at, [f"{symbol(field)}{sign}{value}" for field, sign, value in set_to])
    ax.set_xlabel(r"average slope $\mu_\beta$")
    fig.legend(loc="outside upper center", ncol=2)
    return fig
