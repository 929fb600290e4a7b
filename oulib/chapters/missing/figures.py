"""Figures of scores that were never seen."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from oulib.chapters.missing import band
from oulib.chapters.missing.analysis import KINDS
from oulib.report.moving import Moving, moving
from oulib.report.style import COLOURS, month_axis, plain
from oulib.report.text import count, number

_90 = 1.6448536269514722  # sds of a normal on either side that hold 90% of it


def collapse(table: pd.DataFrame) -> Figure:
    """Drawn sds of x* against the closed forms, by respondents: ``missing.closed_forms``."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.3))
    seen = table[table["n"] > 0].sort_values("n")
    left.plot(seen["n"], seen["drawn"], ".", ms=5, alpha=0.5, color=COLOURS["model"], label="drawn")
    for column, colour, style, label in (
        ("total", "other", "-", "exact"),
        ("plug_in", "third", "--", "posterior means put in"),
        ("survey", "accent", "-.", r"survey alone, $\sigma_{\mathrm{meas}}/\sqrt{n}$"),
    ):
        line = seen.groupby("n")[column].mean()
        left.plot(line.index, line, style, color=COLOURS[colour], lw=1.8, label=label)
    if len(seen) < len(table):
        unseen = table.loc[table["n"] == 0, "drawn"].mean()
        left.axhline(unseen, color=COLOURS["muted"], ls=":", label="no survey")
    left.set_xscale("log")
    left.xaxis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:g}"))
    left.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    left.set(xlabel="respondents $n$", ylabel="posterior sd of $x^*$", ylim=(0, None))
    left.legend(fontsize=8)
    span = [table[["total", "drawn"]].min().min(), table[["total", "drawn"]].max().max()]
    right.plot(span, span, color="0.8", lw=1)
    for is_seen, colour, label in ((True, "model", "survey"), (False, "accent", "no survey")):
        part = table[(table["n"] > 0) == is_seen]
        right.plot(
            part["total"], part["drawn"], ".", ms=4, alpha=0.4, color=COLOURS[colour], label=label
        )
    right.set(xlabel="exact sd", ylabel="drawn sd")
    right.legend(fontsize=8)
    return fig


def bridges(table: pd.DataFrame) -> Figure:
    """The sd of the common movement over months and the bridge between waves."""
    fig, ax = plt.subplots(figsize=(7.2, 3.1))
    at = np.arange(len(table))
    ax.axhline(
        table["stationary"].iloc[0], color=COLOURS["muted"], ls=":", label="without any wave"
    )
    ax.plot(at, table["sd"], "o-", ms=3.5, lw=1, color=COLOURS["model"], label="posterior")
    ax.plot(at, table["bridge"], color=COLOURS["other"], lw=1.8, label="bridge, closed form")
    gap = table["distance"].to_numpy() > 0
    ax.plot(
        at[gap],
        table["rest"].to_numpy()[gap],
        "x",
        ms=5,
        color=COLOURS["other"],
        label="what waves leave, posterior",
    )
    ax.plot(
        at[~gap],
        np.zeros(int((~gap).sum())),
        "^",
        ms=6,
        color="black",
        transform=ax.get_xaxis_transform(),
        clip_on=False,
        label="wave",
    )
    ax.set_ylabel(r"sd of $\gamma_x \tau_t$")
    ax.set_ylim(0, None)
    month_axis(ax, list(table.index))
    handles, labels = ax.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncol=3)
    return fig


def by_distance(tables: Mapping[str, pd.DataFrame], floors: Mapping[str, float]) -> Figure:
    """The sd of unseen scores by distance to a wave, with and without the row's outcome.

    ``tables`` and ``floors`` are those of ``missing.by_distance`` and ``missing.floor`` by model.
    """
    fig, axes = plt.subplots(1, len(tables), figsize=(7.4, 3.2), sharey=True, squeeze=False)
    for ax, (model, table) in zip(axes[0], tables.items(), strict=True):
        at = table.index.to_numpy()
        for column, colour, label in (
            ("sd_alone", "model", "without its outcome"),
            ("sd", "other", "with it"),
            ("common", "third", "common movement alone"),
        ):
            ax.plot(at, table[column], "o-", ms=4, color=COLOURS[colour], label=label)
        ax.axhline(floors[model], color=COLOURS["muted"], ls=":", label=r"floor, $\sigma_x$")
        ax.set(xlabel="steps to the nearest wave", ylim=(0, None), title=plain(model))
        ax.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
    axes[0, 0].set_ylabel("posterior sd")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncol=4)
    return fig


def feedback(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """The share of variance that outcomes take away from unseen scores against the slope's size.

    ``tables`` are those of ``missing.feedback`` by title.
    """
    fig, axes = plt.subplots(1, len(tables), figsize=(7.4, 3.2), sharey=True, squeeze=False)
    for ax, (title, table) in zip(axes[0], tables.items(), strict=True):
        ax.plot(table["beta"], table["taken"], "o", ms=4, color=COLOURS["model"], label="posterior")
        ax.plot(table["beta"], table["closed"], "x", ms=5, color=COLOURS["other"], label="formula")
        ax.set(xlabel=r"size of the slope $\beta_g$", title=plain(title))
        ax.set_xlim(0, None)
    top = max(float(table[["taken", "closed"]].max().max()) for table in tables.values())
    axes[0, 0].set_ylim(0, 1.1 * top)
    axes[0, 0].set_ylabel("share of the variance taken away")
    axes[0, 0].legend()
    return fig


def coverage(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Coverage of true scores by kind of row and distance: ``missing.covered``, by title."""
    groups = list(dict.fromkeys(place for table in tables.values() for place in table.index))
    groups.sort(key=lambda place: (KINDS.index(place[0]), place[1]))
    fig, axes = plt.subplots(
        1, len(tables), figsize=(7.4, 0.3 * len(groups) + 1.5), sharey=True, squeeze=False
    )
    for ax, (title, table) in zip(axes[0], tables.items(), strict=True):
        at = np.array([groups.index(place) for place in table.index])
        ax.axvline(0.9, color="0.8", lw=1)
        ax.hlines(
            at,
            table["expected_low"],
            table["expected_high"],
            color=COLOURS["muted"],
            lw=5,
            alpha=0.4,
        )
        ax.plot(table["coverage"], at, "o", ms=5, color=COLOURS["model"])
        ax.set(xlabel="coverage of 90% intervals", title=plain(title))
    labels = [f"{kind}, {d if d < 4 else '4+'}" for kind, d in groups]
    axes[0, 0].set_yticks(range(len(groups)), labels, fontsize=8)
    axes[0, 0].invert_yaxis()
    return fig


def hidden(found: xr.Dataset, forecast: str, *, most: int = 80) -> Figure:
    """Hidden scores and their predictive intervals by ``forecast``, in order of the forecast.

    ``found`` is that of ``missing.found_again``; beyond ``most`` rows, evenly thinned.
    """
    one = found.sel(forecast=forecast)
    order = np.argsort(one["mean"].to_numpy())
    if order.size > most:
        order = order[np.unique(np.linspace(0, order.size - 1, most).round().astype(int))]
    at, one = np.arange(order.size), one.isel(row=order)
    fig, ax = plt.subplots(figsize=(7.2, 3.0))
    inside = ((one["low"] <= one["observed"]) & (one["observed"] <= one["high"])).to_numpy()
    ax.vlines(at, one["low"], one["high"], color=COLOURS["model"], lw=2, alpha=0.4, label="90%")
    ax.plot(at, one["mean"], "_", ms=6, color=COLOURS["model"], label="prediction")
    x = one["observed"].to_numpy()
    ax.plot(at[inside], x[inside], "o", ms=4, color="black", label="hidden score")
    ax.plot(at[~inside], x[~inside], "o", ms=4, mfc="white", color="black", label="outside")
    ax.set(ylabel="score $x'$ (sd)", xlabel="hidden surveys, in order of the prediction", xticks=[])
    handles, labels = ax.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncol=4)
    return fig


def bends(found: xr.Dataset) -> Figure:
    """Binned residuals of the outcome against the score, and their replicates."""
    fig, ax = plt.subplots(figsize=(6.4, 3.2))
    at = found["score"].to_numpy()
    low, high = found["replicated"].quantile([0.05, 0.95], "sample").to_numpy()
    ax.axhline(0, color="0.8", lw=1)
    ax.fill_between(
        at, low, high, color=COLOURS["model"], alpha=0.3, lw=0, label="90% of replicates"
    )
    q = found["observed"].quantile([0.05, 0.5, 0.95], "sample").to_numpy()
    ax.errorbar(at, q[1], yerr=[q[1] - q[0], q[2] - q[1]], fmt="ko", ms=4, lw=1, label="observed")
    ax.set_xlabel("score less the unit's own mean (sd), without the outcome's help")
    ax.set_ylabel("median residual (sd)")
    handles, labels = ax.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncol=2)
    return fig


def one_unit(made: band.Unit, *, spacing: int = 6, respondents: int = 10) -> Moving:
    """The band of one unit's score; what moves are its surveys, their size and the slope.

    ``spacing`` (a survey every so many months) and ``respondents`` are those of the still picture.
    """
    given, size = made.scales, made.score.size
    seen = band.every(spacing, size)
    found = band.known(made, seen, respondents, given.beta)
    at = np.arange(1, size + 1)
    before = _90 * float(np.hypot(given.sigma_mu_x, given.sigma_x))
    bottom = min(made.score.min(), given.mu_x - before) - 0.5 * given.sigma_x
    top = max(made.score.max(), given.mu_x + before) + 0.5 * given.sigma_x
    fig, ax = plt.subplots(figsize=(7.2, 3.0))
    low, high = (found.mean + side * _90 * found.sd for side in (-1, 1))
    ax.fill_between(at, low, high, color=COLOURS["model"], alpha=0.25, lw=0, label="90%")
    ax.plot(at, found.mean, color=COLOURS["model"], label="mean of $x^*$")
    ax.plot(at[seen], made.surveys(respondents)[seen], "o", ms=5, color="black", label="survey")
    ax.plot(at, made.score, "x", ms=4.5, color=COLOURS["truth"], label="true $x^*$")
    ax.set(xlabel="month", ylabel="score (sd)", xlim=(0.4, size + 0.6))
    ax.set_ylim(bottom, top)
    fig.legend(loc="outside upper center", ncol=4)
    data = {
        "scales": {name: value for name, value in vars(given).items() if name != "beta"},
        "beta": given.beta,
        "score": made.score,
        "surveyed": made.surveyed,
        "outcome": made.outcome,
        "spacing": spacing,
        "respondents": respondents,
        "ends": (bottom, top),
    }
    without = f", and {number(found.sd[~seen].max())} between them" if not seen.all() else ""
    alt = (
        f"The band of one unit's score over {size} months with "
        f"{count(int(seen.sum()), 'survey')}: its standard deviation is "
        f"{number(found.sd[seen].min())} in months with a survey{without}."
    )
    return moving("band", data, fig, alt=alt)
