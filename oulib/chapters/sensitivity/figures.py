"""Figures of what a conclusion hangs on."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from oulib.chapters.sensitivity import silence
from oulib.chapters.sensitivity.analysis import SURE
from oulib.report.moving import Moving, moving
from oulib.report.style import COLOURS, plain
from oulib.report.symbols import symbol
from oulib.report.text import number


def over_grid(
    table: pd.DataFrame,
    refits: pd.DataFrame | None = None,
    *,
    xlabel: str,
    learned: tuple[float, float] | None = None,
) -> Figure:
    """A slope and the probability of its sign against what an assumption is set to.

    ``table`` is that of ``sensitivity.given_value`` or ``silence.shifted``; ``refits`` of
    ``sensitivity.over_grid``; ``learned`` is the 90% interval of the posterior where the model
    learns it, and where ``table`` has ``support`` that is drawn, too.
    """
    fig, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.2))
    left.axhline(0, color="0.8", lw=1)
    left.fill_between(
        table.index, table["q5"], table["q95"], color=COLOURS["model"], alpha=0.2, lw=0
    )
    left.plot(table.index, table["mean"], color=COLOURS["model"], label="foreseen")
    right.plot(table.index, table["positive"], color=COLOURS["model"], label="positive slope")
    if refits is not None:
        left.errorbar(
            refits.index,
            refits["mean"],
            yerr=[refits["mean"] - refits["q5"], refits["q95"] - refits["mean"]],
            fmt="o",
            ms=5,
            lw=1.5,
            capsize=3,
            color=COLOURS["other"],
            label="fitted",
        )
        right.plot(refits.index, refits["positive"], "o", ms=5, color=COLOURS["other"])
        left.legend()
    if "support" in table:
        right.plot(
            table.index,
            table["support"],
            color=COLOURS["truth"],
            ls="--",
            label="data, to the best",
        )
        right.legend()
    right.axhline(0.5, color="0.8", lw=1)
    for level in (SURE, 1 - SURE):
        right.axhline(level, color=COLOURS["muted"], ls=":", lw=1.2)
    name = "probability of a positive slope"
    right.set(ylim=(-0.03, 1.03), ylabel="probability" if "support" in table else name)
    left.set_ylabel("mean slope")
    for ax in (left, right):
        ax.set_xlabel(xlabel)
        if learned is not None:
            ax.axvspan(*learned, color=COLOURS["accent"], alpha=0.12, lw=0)
    return fig


def shifts(given: silence.Shifts, *, most: int = 250) -> Moving:
    """Scores and outcomes of planned months; what moves are the scores that nobody saw.

    Beyond ``most`` answered or silent months they are evenly thinned; the lines are of all of them.
    The still picture has the shifts at either end of the table, and none.
    """
    kept = np.sort(np.concatenate([_some(which, most) for which in (~given.silent, given.silent)]))
    grid = given.table.index.to_numpy()
    none = int(np.abs(grid).argmin())
    top = 1.05 * float(np.abs(given.outcome[kept]).max())
    far = max(abs(float(grid[0])), abs(float(grid[-1]))) * given.silent[kept]
    reach = 1.05 * float((np.abs(given.score[kept]) + far).max())
    fig, axes = plt.subplots(1, 3, figsize=(7.4, 3.0), sharex=True, sharey=True)
    for ax, place in zip(axes, (0, none, grid.size - 1), strict=True):
        delta, quiet = float(grid[place]), given.silent[kept]
        score = given.score[kept] + delta * quiet
        for which, marker, role, label in (
            (~quiet, ".", "model", "answered"),
            (quiet, "x", "other", "silent"),
        ):
            ax.plot(
                score[which], given.outcome[kept][which], marker, ms=4,
                color=COLOURS[role], alpha=0.6, label=label,
            )  # fmt: skip
        ends = np.array([-reach, reach])
        height, slope = silence.line(given, delta)
        ax.plot(ends, given.slope * given.scale * ends, color="0.35", lw=1, ls="--", label="a kind")
        ax.plot(ends, height + slope * ends, color=COLOURS["truth"], lw=1.8, label="all planned")
        ax.set(title=rf"$\delta$ = {number(delta, 1)}", xlim=ends, ylim=(-top, top))
    axes[0].set_ylabel("outcome (sd)")
    axes[1].set_xlabel("score (sd of its own movement)")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncol=4)
    columns = ("mean", "q5", "q95", "positive")
    data = {
        "score": given.score[kept],
        "outcome": given.outcome[kept],
        "silent": [bool(one) for one in given.silent[kept]],
        "shifts": grid,
        "none": none,
        "within": given.slope * given.scale,
        "lines": [silence.line(given, float(delta)) for delta in grid],
        "apart": given.middles,
        **{name: given.table[name].to_numpy() for name in columns},
        "ends": (reach, top),
    }
    slopes = given.table.iloc[[0, none, -1]]["mean"]
    told = [f"{number(slope)} at {number(delta, 1)}" for delta, slope in slopes.items()]
    alt = (
        "Three scatter plots of outcomes against scores of planned months. From one to the next "
        "the silent months move to the right at the same height, and the answered ones stay. The "
        f"slope over all of them is {told[0]}, {told[1]} and {told[2]} standard deviations."
    )
    return moving("shifts", data, fig, alt=alt)


def _some(which: np.ndarray, most: int) -> np.ndarray:
    """At most so many of the places where ``which``, at even distance."""
    at = np.flatnonzero(which)
    return at[np.unique(np.linspace(0, at.size - 1, min(at.size, most)).round().astype(int))]


def uncertain(table: pd.DataFrame, nearest: float) -> Figure:
    """How far parameters in doubt lie from their priors; below ``nearest`` they are the prior."""
    at = np.arange(len(table))[::-1]
    led = (table["distance"] < nearest).to_numpy()
    fig, ax = plt.subplots(figsize=(6.4, 0.32 * len(table) + 1.2))
    far = table["distance"].to_numpy()
    ax.hlines(at, 0, far, color="0.8", lw=2)
    ax.plot(far[~led], at[~led], "o", color=COLOURS["model"], label="the data told")
    ax.plot(far[led], at[led], "D", color=COLOURS["other"], label="mostly the prior")
    ax.axvline(nearest, color=COLOURS["muted"], ls=":", lw=1.2)
    ax.set_yticks(at, [symbol(label) for label in table.index])
    ax.set(xlabel="distance from the prior, in its sds", xlim=(0, 1.05 * max(far.max(), nearest)))
    fig.legend(loc="outside upper center", ncol=2)
    return fig


def slopes(table: pd.DataFrame, *, truth: float | None = None, xlabel: str) -> Figure:
    """Slopes with their 90% intervals, one below the other: ``mean``, ``q5``, ``q95``."""
    return _forest({"": table}, truth=truth, xlabel=xlabel)


def estimators(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Slopes by estimator, a panel side by side for each of ``tables``, by title."""
    return _forest(tables, truth=None, xlabel="slope, standardised")


def _forest(tables: Mapping[str, pd.DataFrame], *, truth: float | None, xlabel: str) -> Figure:
    labels = list(dict.fromkeys(label for table in tables.values() for label in table.index))
    fig, axes = plt.subplots(
        1,
        len(tables),
        figsize=(7.4, 0.4 * len(labels) + 1.2),
        sharey=True,
        squeeze=False,
    )
    for ax, (title, table) in zip(axes[0], tables.items(), strict=True):
        at = np.array([labels.index(label) for label in table.index])
        ax.axvline(0, color="0.8", lw=1)
        if truth is not None:
            ax.axvline(truth, color=COLOURS["truth"], ls="--", lw=1.2, label="truth")
            ax.legend()
        ax.hlines(at, table["q5"], table["q95"], color=COLOURS["model"], lw=2.5, alpha=0.5)
        ax.plot(table["mean"], at, "o", ms=5, color=COLOURS["model"])
        ax.set(xlabel=xlabel, title=plain(title))
    axes[0, 0].set_yticks(range(len(labels)), [plain(label) for label in labels])
    axes[0, 0].set_ylim(len(labels) - 0.5, -0.5)
    return fig


def attenuation(table: pd.DataFrame) -> Figure:
    """What measurement noise leaves of a slope, by respondents."""
    fig, ax = plt.subplots(figsize=(6.4, 3.2))
    ax.axhline(1, color="0.8", lw=1)
    ax.plot(table.index, table["expected"], color=COLOURS["muted"], label="expected")
    for column, colour, marker, label in (
        ("naive", "other", "o", "surveys as they are"),
        ("calibrated", "model", "s", "calibrated"),
    ):
        ax.errorbar(
            table.index,
            table[column],
            yerr=1.645 * table[f"{column}_se"],
            fmt=marker,
            ms=5,
            capsize=3,
            color=COLOURS[colour],
            label=label,
        )
    ax.set_xscale("log")
    ax.set_xticks(table.index, [f"{n:g}" for n in table.index])
    ax.xaxis.set_minor_locator(plt.NullLocator())
    ax.set(
        xlabel="respondents of a survey", ylabel="slope over that on true scores", ylim=(0, None)
    )
    ax.legend()
    return fig
