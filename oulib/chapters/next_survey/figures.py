"""Figures of what comes next: designs of surveys, months ahead, new OUs."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from oulib.chapters.next_survey.budget import Economy, precision
from oulib.panel import Panel
from oulib.posterior.estimate import SAMPLES
from oulib.report.moving import Moving, moving
from oulib.report.style import COLOURS, by_month, month_axis, plain
from oulib.report.text import number

_LINES = ("model", "other", "third", "accent", "muted")


def designs(curves: xr.DataArray, table: pd.DataFrame, floor: float) -> Figure:
    """The sd of mu_beta over waves, a line a number of respondents, and what refits found.

    ``curves`` is that of ``analysis.curves``, ``table`` that of ``analysis.plan``; ``floor`` is
    the sd that surveys cannot go below.
    """
    fig, ax = plt.subplots(figsize=(7.2, 3.6))
    at = curves["waves"].to_numpy()
    ends = []
    for colour, n in zip(_LINES, curves["respondents"].to_numpy(), strict=False):
        line = curves.sel(respondents=n).to_numpy()
        ax.plot(at, line, color=COLOURS[colour], lw=1.8)
        ends.append((line[-1], f"{n:,.0f} respondents", COLOURS[colour]))
        own = table[np.isclose(table["respondents"], n)]
        shift = 1.0 + 0.012 * (len(ends) - 2)
        ax.vlines(own["waves"] * shift, own["sd_low"], own["sd_high"], color=COLOURS[colour], lw=2)
        ax.plot(own["waves"] * shift, own["sd"], "o", ms=6, mec="white", color=COLOURS[colour])
    ax.axhline(floor, color=COLOURS["muted"], ls=":", lw=1.5)
    ax.annotate(
        "floor: units differ",
        (at[0], floor),
        (0, 3),
        textcoords="offset points",
        fontsize=8,
        color="0.35",
    )
    top = max(float(curves.max()), float(table["sd_high"].max())) * 1.05
    for y, label, colour in _apart(ends, 0.055 * top):
        ax.annotate(
            label,
            (at[-1], y),
            (6, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
            color=colour,
            annotation_clip=False,
        )
    ax.set_xscale("log")
    ax.set_xlim(at[0] * 0.95, at[-1] * 1.5)
    ax.xaxis.set_major_locator(mpl.ticker.FixedLocator(_ticks(at)))
    ax.xaxis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_locator(mpl.ticker.NullLocator())
    ax.set(
        xlabel="waves over the panel's span",
        ylabel=r"posterior sd of $\mu_\beta$",
        ylim=(0, top),
    )
    return fig


def budget(given: Economy) -> Moving:
    """Sds of the average slope and of a unit's; what moves is the design, and what it costs.

    The still picture has the panel's own number of respondents, and its budget.
    """
    at = np.arange(1, given.months + 1)
    own = [precision(given, float(k), given.respondents, given.units) for k in at]
    sizes = given.waves * given.respondents / at
    asked = at[sizes >= 1]
    same = [
        precision(given, float(k), given.waves * given.respondents / float(k), given.units)
        for k in asked
    ]
    now = own[given.waves - 1]
    fig, ax = plt.subplots(figsize=(7.2, 3.6))
    for what, role, label in (("average", "model", "average"), ("unit", "other", "a unit's")):
        for line, over, style, rest in (
            (own, at, "-", "as many respondents"),
            (same, asked, "--", "the same budget"),
        ):
            values = [getattr(one, what) for one in line]
            ax.plot(over, values, style, color=COLOURS[role], lw=1.8, label=f"{label}, {rest}")
        ax.plot(given.waves, getattr(now, what), "o", ms=7, mec="white", color=COLOURS[role])
    ax.axhline(now.floor, color=COLOURS["muted"], ls=":", lw=1.5, label="floor of the average")
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(mpl.ticker.FixedLocator(_ticks(at)))
    ax.xaxis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_locator(mpl.ticker.NullLocator())
    ax.set(xlabel="waves over the panel's span", ylabel="standard deviation", ylim=(0, None))
    fig.legend(loc="outside right upper", fontsize=8)
    alt = (
        "Standard deviations of the average slope and of a unit's slope, falling with the number "
        "of waves, with as many respondents as now and with as many answers in all. With "
        f"{given.waves} waves, as now, they are {number(now.average, 3)} and "
        f"{number(now.unit, 3)}."
    )
    return moving("budget", vars(given), fig, alt=alt)


def _ticks(at: np.ndarray) -> list[int]:
    """A few whole numbers, about doubling, up to the last."""
    last, found = int(at[-1]), []
    tick = int(at[0])
    while tick < 0.75 * last:
        found.append(tick)
        tick *= 2
    return [*found, last]


def _apart(ends: list[tuple], least: float) -> list[tuple]:
    """Heights of labels, moved so that no two are closer than ``least``."""
    placed: list[tuple] = []
    for y, *rest in sorted(ends, key=lambda end: end[0]):
        height = max(y, placed[-1][0] + least) if placed else y
        placed.append((height, *rest))
    return placed


def ahead(panel: Panel, found: xr.Dataset, ous: list[str], *, past: int = 24) -> Figure:
    """Raw productivity of some OUs in their last months, and their forecast: 50% and 90%.

    ``found`` is that of ``forecast.months_ahead``.
    """
    grid = by_month(panel, panel.rows["productivity"].to_numpy())
    later = list(map(str, found["month"].to_numpy()))
    old = [m for m in panel.months if m not in later][-past:]
    at = [panel.months.index(m) for m in old]
    fig, axes = plt.subplots(1, len(ous), figsize=(7.4, 3.1), squeeze=False)
    x_old, x_new = np.arange(len(old)), len(old) + np.arange(len(later))
    q = found["productivity"].quantile([0.05, 0.25, 0.5, 0.75, 0.95], SAMPLES)
    for ax, ou in zip(axes[0], ous, strict=True):
        ax.plot(x_old, grid[panel.ous.index(ou), at], "o-", ms=3, lw=1, color="0.25", label="seen")
        one = q.sel(ou=ou).transpose("quantile", "month").to_numpy()
        blue = COLOURS["model"]
        ax.fill_between(x_new, one[0], one[4], color=blue, alpha=0.2, lw=0, label="90%")
        ax.fill_between(x_new, one[1], one[3], color=blue, alpha=0.35, lw=0, label="50%")
        ax.plot(x_new, one[2], color=COLOURS["model"], lw=1.8, label="median")
        month_axis(ax, [*old, *later])
        step = max(len(old + later) // 4, 1)
        shown = range(0, len(old + later), step)
        ax.set_xticks(list(shown), [(old + later)[i] for i in shown], fontsize=8)
        ax.set_title(plain(ou))
    axes[0, 0].set_ylabel("productivity")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncol=4)
    return fig


def coverage(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Coverage of 50% and 90% intervals in groups, with where it should lie, a panel a model.

    Tables are indexed by group (a label) and probability, from ``forecast.coverage``.
    """
    groups = list(dict.fromkeys(g for table in tables.values() for g, _ in table.index))
    fig, axes = plt.subplots(
        1, len(tables), figsize=(7.4, 0.42 * len(groups) + 1.5), sharey=True, squeeze=False
    )
    for ax, (title, table) in zip(axes[0], tables.items(), strict=True):
        pairs = ((0.5, "other", "s", 0.14), (0.9, "model", "o", -0.14))
        for prob, colour, marker, shift in pairs:
            part = table.xs(prob, level=1)
            at = np.array([groups.index(g) for g in part.index]) + shift
            ax.axvline(prob, color="0.85", lw=1, zorder=0)
            ax.hlines(
                at,
                part["expected_low"],
                part["expected_high"],
                color=COLOURS[colour],
                lw=6,
                alpha=0.25,
            )
            ax.plot(
                part["coverage"],
                at,
                marker,
                ms=5,
                color=COLOURS[colour],
                label=f"{100 * prob:.0f}% intervals",
            )
        ax.set(xlabel="share inside", title=plain(title), xlim=(0, 1.02))
    axes[0, 0].set_yticks(range(len(groups)), [plain(g) for g in groups])
    axes[0, 0].invert_yaxis()
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncol=2)
    return fig


def against_naive(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """CRPS by steps ahead of models and of the last value, from ``forecast.against_naive``."""
    fig, ax = plt.subplots(figsize=(6.4, 3.2))
    markers = ("o", "^", "D")
    for place, (title, table) in enumerate(tables.items()):
        part = table.drop(index=0)
        colour = COLOURS[("model", "third", "accent")[place % 3]]
        ax.plot(
            part.index, part["crps"], marker=markers[place % 3], color=colour, label=plain(title)
        )
    ax.plot(
        part.index, part["naive"], "s--", color=COLOURS["other"], label="last value carried forward"
    )
    top = max(float(t[["crps", "naive"]].max().max()) for t in tables.values())
    ax.set(xlabel="steps ahead", ylabel="mean CRPS (sd)", ylim=(0, 1.08 * top))
    ax.set_xticks(list(part.index))
    handles, labels = ax.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncol=3)
    return fig


def new_ous(table: pd.DataFrame, *, most: int = 80) -> Figure:
    """Mean levels of OUs that no fit had seen, and their 90% intervals, in order of the level.

    ``table`` is ``forecast.check_new_ous(...)["ous"]``; beyond ``most`` OUs, evenly thinned.
    """
    table = table.sort_values("observed")
    if len(table) > most:
        table = table.iloc[np.unique(np.linspace(0, len(table) - 1, most).round().astype(int))]
    at = np.arange(len(table))
    fig, ax = plt.subplots(figsize=(7.2, 3.0))
    ax.vlines(at, table["q5"], table["q95"], color=COLOURS["model"], lw=2, alpha=0.4, label="90%")
    ax.plot(at, table["q50"], "_", ms=6, color=COLOURS["model"], label="median")
    inside = table["observed"].between(table["q5"], table["q95"]).to_numpy()
    y = table["observed"].to_numpy()
    ax.plot(at[inside], y[inside], "o", ms=4, color="black", label="mean level")
    ax.plot(at[~inside], y[~inside], "o", ms=4, mfc="white", color="black", label="outside")
    ax.set(ylabel="log productivity (sd)", xlabel="units, in order of their level", xticks=[])
    handles, labels = ax.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncol=4)
    return fig
