"""Figures of the panel of the US states: noise by state, hidden rates and their forecasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from oulib.panel.munnell import Thinned
from oulib.posterior.estimate import SAMPLES
from oulib.report.style import COLOURS, month_axis, plain

_MARKS = ("o", "s", "^", "D", "v", "P")


def panel(data: Thinned, shown: Sequence[str]) -> Figure:
    """Both columns of the whole panel over time, all OUs in grey, their mean, and some by name."""
    rows = data.whole.rows
    fig, axes = plt.subplots(1, 2, figsize=(7.4, 3.4), sharex=True)
    for ax, column, label in (
        (axes[0], "productivity", "output per job, 1,000 dollars"),
        (axes[1], "survey", "unemployment, %"),
    ):
        table = pd.crosstab(
            rows["month_idx"].to_numpy(),
            rows["ou"].to_numpy(),
            values=rows[column].to_numpy(),
            aggfunc="mean",
        )
        others = ax.plot(table.drop(columns=list(shown)), color="0.75", lw=0.7)
        others[0].set_label("other states")
        ax.plot(table.mean(axis=1), color="black", lw=2.2, label="mean of all")
        for ou, role, style in zip(
            shown, ("model", "other", "third"), ("-", "--", "-."), strict=False
        ):
            ax.plot(table[ou], color=COLOURS[role], lw=1.8, ls=style, label=plain(ou))
        ax.set_ylabel(label)
        month_axis(ax, [month[:4] for month in data.panel.months])
    axes[0].set_yscale("log")
    axes[0].yaxis.set_major_formatter("{x:g}")
    axes[0].yaxis.set_minor_formatter("{x:g}")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncol=5)
    return fig


def scales(noise: xr.DataArray, division: Mapping[str, str]) -> Figure:
    """Residual scales of OUs against that of a typical one, in order within divisions.

    ``noise`` are draws of ``noise_ou``; ``division`` is the OUs' site by label.
    """
    mean = noise.mean(SAMPLES).to_series()
    low, high = (noise.quantile(q, SAMPLES).to_series() for q in (0.05, 0.95))
    table = pd.DataFrame({"mean": mean, "low": low, "high": high})
    table["division"] = [division[str(ou)] for ou in table.index]
    table = table.sort_values(["division", "mean"])
    fig, ax = plt.subplots(figsize=(7.4, 3.4))
    at = np.arange(len(table)) + 1.5 * pd.factorize(table["division"])[0]
    ax.axhline(1, color="0.8", lw=1)
    ax.vlines(at, table["low"], table["high"], color=COLOURS["model"], lw=2, alpha=0.5)
    ax.plot(at, table["mean"], "o", ms=4, color=COLOURS["model"])
    ax.set_yscale("log")
    ticks = [t for t in (0.25, 0.5, 1, 2, 4) if table["low"].min() <= t <= table["high"].max()]
    ax.set_yticks(ticks, [f"{t:g}" for t in ticks])
    ax.yaxis.set_minor_formatter(plt.NullFormatter())
    ax.set_xticks(at, [plain(ou) for ou in table.index], fontsize=7, rotation=90)
    ax.set_ylabel("residual scale, typical state = 1")
    for title, places in table.assign(at=at).groupby("division")["at"]:
        ax.text(
            places.mean(),
            1.02,
            plain(title).replace(" ", "\n"),
            transform=ax.get_xaxis_transform(),
            ha="center",
            va="bottom",
            fontsize=7,
        )
    return fig


def paths(data: Thinned, found: xr.Dataset, ous: Sequence[str], *, model: str, rule: str) -> Figure:
    """Rates of some OUs over time: kept, hidden, the model's 90% intervals, and a rule's forecasts.

    ``found`` is that of ``missing.found_again`` on the hidden rows of ``data``.
    """
    rows = data.whole.rows
    columns = min(len(ous), 2)
    lines = -(-len(ous) // columns)
    fig, axes = plt.subplots(
        lines, columns, figsize=(7.4, 2.2 * lines + 0.6), sharex=True, squeeze=False
    )
    of_ou, month = rows["ou"].to_numpy(), rows["month_idx"].to_numpy()
    where = found["row"].to_numpy()
    raw = data.panel.scale.survey
    for ax, ou in zip(axes.flat, ous, strict=False):
        mine = np.flatnonzero(of_ou[where] == ou)
        at = month[where[mine]]
        one, other = (found.sel(forecast=label).isel(row=mine) for label in (model, rule))
        ax.vlines(
            at,
            raw(one["low"].to_numpy()),
            raw(one["high"].to_numpy()),
            color=COLOURS["model"],
            lw=5,
            alpha=0.35,
            label="model, 90%",
        )
        ax.plot(
            at,
            raw(one["mean"].to_numpy()),
            "_",
            ms=7,
            mew=2,
            color=COLOURS["model"],
            label="model, mean",
        )
        ax.plot(
            at, raw(other["mean"].to_numpy()), "x", ms=6, color=COLOURS["other"], label=plain(rule)
        )
        kept = np.setdiff1d(np.flatnonzero(of_ou == ou), where)
        ax.plot(month[kept], rows["survey"].to_numpy()[kept], "ko", ms=4.5, label="kept")
        ax.plot(
            at,
            rows["survey"].to_numpy()[where[mine]],
            "o",
            ms=4.5,
            mfc="white",
            color="black",
            label="hidden",
        )
        ax.set_title(plain(ou), loc="left")
        month_axis(ax, [label[:4] for label in data.panel.months])
    for ax in axes.flat[len(ous) :]:
        ax.set_visible(False)
    for ax in axes[:, 0]:
        ax.set_ylabel("unemployment, %")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncol=5)
    return fig


def methods(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """CRPS by forecast (left) and lead of the model over it (right); ``imputation_table`` by place.

    The leads have bars of two standard errors.  All tables are against the same model.
    """
    order = list(dict.fromkeys(label for table in tables.values() for label in table.index))
    fig, (left, right) = plt.subplots(1, 2, figsize=(7.4, 0.5 * len(order) + 1.6), sharey=True)
    colours = [COLOURS[role] for role in ("model", "other", "third", "accent", "truth", "muted")]
    right.axvline(0, color="0.8", lw=1)
    for i, (where, table) in enumerate(tables.items()):
        shift = 0.22 * (i - (len(tables) - 1) / 2)
        at = np.array([order.index(label) for label in table.index]) + shift
        style = {"marker": _MARKS[i % 6], "ms": 5, "ls": "", "color": colours[i % 6]}
        left.plot(table["crps"], at, **style, label=plain_long(where))
        rival = (table["lead_se"] > 0).to_numpy()
        right.errorbar(
            table["lead"][rival], at[rival], xerr=2 * table["lead_se"][rival], lw=1.2, **style
        )
    left.set_yticks(range(len(order)), [plain_long(label) for label in order])
    left.set_ylim(len(order) - 0.5, -0.5)
    left.set(xlabel="mean CRPS (percentage points)", xlim=(0, None))
    right.set_xlabel("lead of the model (points)")
    handles, labels = left.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncol=len(tables))
    return fig


def plain_long(label: str) -> str:
    """A label of our own, whole, with dollars disarmed."""
    return str(label).replace("$", r"\$")
