"""Figures of the chapter on the baseline: slopes alone and pooled, and a slope's two signs."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from oulib.chapters.baseline import analysis
from oulib.chapters.baseline.analysis import Alone, Drawn, SignDensities
from oulib.report.moving import Moving, moving
from oulib.report.style import COLOURS
from oulib.report.text import count, number, percent


def alone(found: Alone, *, most: int = 60) -> Figure:
    """Slopes of units by their own regressions with 90% intervals, few surveys first.

    Beyond ``most`` units they are evenly thinned along the order.  Long intervals run out of the
    picture.
    """
    order = np.lexsort((found.slope, found.surveys))
    order = _thinned(order, most)
    slope, half = found.slope[order], analysis.HALF_90 * found.se[order]
    at = np.arange(order.size)
    fig, ax = plt.subplots(figsize=(7.2, 3.3))
    ax.axhline(0, color="0.8", lw=1)
    one = analysis.pooled(found, 0.0).mean
    ax.axhline(one, color=COLOURS["model"], lw=1.4, ls=":", label="one slope for all")
    ax.vlines(at, slope - half, slope + half, color=COLOURS["muted"], lw=1.3)
    ax.plot(at, slope, "s", ms=3.5, color=COLOURS["muted"], label="each unit's own regression, 90%")
    room = 1.5 * analysis.HALF_90 * found.typical
    ax.set(ylabel="slope", ylim=(min(slope.min(), 0) - room, max(slope.max(), 0) + room))
    _surveys_axis(ax, found.surveys[order])
    fig.legend(loc="outside upper center", ncol=2)
    return fig


def arrows(found: Drawn, *, most: int = 60) -> Figure:
    """From each unit's own slope to the model's, few surveys first; a dot where there is no own.

    Beyond ``most`` units they are evenly thinned along the order.
    """
    kept = _thinned(np.arange(len(found.names)), most)
    own, model = found.own[kept], found.model[kept]
    at = np.arange(kept.size)
    fig, ax = plt.subplots(figsize=(7.2, 3.3))
    ax.axhline(0, color="0.8", lw=1)
    ax.axhline(found.mean, color=COLOURS["model"], lw=1.4, ls=":", label="population mean")
    ax.plot(at, own, "s", ms=3.5, color=COLOURS["muted"], label="each unit's own regression")
    ax.plot(at, model, "o", ms=3.5, color=COLOURS["model"], label="the model")
    for place in np.flatnonzero(np.isfinite(own)):
        ax.annotate(
            "",
            (at[place], model[place]),
            (at[place], own[place]),
            arrowprops={
                "arrowstyle": "->",
                "color": COLOURS["model"],
                "lw": 1.0,
                "alpha": 0.7,
                "shrinkA": 0,
                "shrinkB": 0,
            },
        )
    ax.set_ylabel("slope")
    ax.margins(y=0.08)
    _surveys_axis(ax, found.surveys[kept])
    fig.legend(loc="outside upper center", ncol=3)
    return fig


def _thinned(order: np.ndarray, most: int) -> np.ndarray:
    """Evenly ``most`` of an order, or all of it."""
    return order[
        np.unique(np.linspace(0, order.size - 1, min(order.size, most)).round().astype(int))
    ]


def _surveys_axis(ax: plt.Axes, surveys: np.ndarray) -> None:
    """Say below groups of units, sorted by their surveys, how many surveys they have."""
    ends = np.append(np.flatnonzero(np.diff(surveys)) + 1, surveys.size)
    starts = np.append(0, ends[:-1])
    middles = (starts + ends - 1) / 2
    apart = max(surveys.size / 24, 1.0)  # so far apart, labels of two digits do not touch
    last = -np.inf
    ticks, labels = [], []
    for middle, start in zip(middles, starts, strict=True):
        if middle - last >= apart:
            ticks.append(middle)
            labels.append(str(surveys[start]))
            last = middle
    for start in starts[1:]:
        ax.axvline(start - 0.5, color="0.92", lw=0.8, zorder=0)
    ax.set_xticks(ticks, labels)
    ax.tick_params(axis="x", length=0)
    ax.set_xlim(-0.8, surveys.size - 0.2)
    ax.set_xlabel(f"surveys of a unit ({surveys.size} units, those with few first)")


def two_signs(found: SignDensities) -> Moving:
    """Densities of one slope; what moves is the number of surveys.

    The still picture has four of them, from none to the most.
    """
    places = np.unique(np.linspace(0, found.surveys.size - 1, 4).round().astype(int))
    fig, axes = plt.subplots(1, places.size, figsize=(7.4, 2.5), sharex=True, sharey=True)
    for ax, place in zip(axes, places, strict=True):
        ax.axvline(0, color="0.8", lw=1)
        ax.axvline(found.slope, color=COLOURS["truth"], lw=1.4, ls=":")
        ax.fill_between(found.grid, found.density[place], color=COLOURS["model"], alpha=0.3, lw=0)
        ax.plot(found.grid, found.density[place], color=COLOURS["model"], lw=1.6)
        ax.set(
            title=f"{count(int(found.surveys[place]), 'survey')}",
            xlabel=r"slope $\beta_g$",
            yticks=[],
        )
    axes[0].set_ylabel("density")
    data = {
        "grid": found.grid,
        "surveys": found.surveys,
        "density": found.density,
        "positive": found.positive,
        "valley": found.valley,
        "slope": found.slope,
    }
    shares = [f"{percent(found.positive[place])} with {found.surveys[place]}" for place in places]
    alt = (
        "Densities of one slope with more and more surveys: without any two equal peaks, one on "
        "either side of zero. What lies above zero is "
        f"{', '.join(shares[:-1])} and {shares[-1]} surveys."
    )
    return moving("signs", data, fig, alt=alt)


def pooling(found: Alone, tau: float, *, most: int = 60) -> Moving:
    """Slopes of units alone and pooled; what moves is how much they are pooled.

    ``tau`` is the model's own sd of slopes, which the still picture shows.  Beyond ``most`` units
    they are evenly thinned along the order; all count in what is pooled.
    """
    now = analysis.pooled(found, tau)
    size = len(found.names)
    kept = np.unique(np.linspace(0, size - 1, min(size, most)).round().astype(int))
    at = np.arange(kept.size)
    fig, ax = plt.subplots(figsize=(7.2, 3.6))
    ax.axhline(0, color="0.8", lw=1)
    ax.axhline(now.mean, color=COLOURS["truth"], lw=1.4, ls=":", label="population mean")
    for slope, sd, shift, marker, role, label in (
        (found.slope, found.se, -0.15, "s", "muted", "each unit alone, 90%"),
        (now.slope, now.sd, 0.15, "o", "model", "pooled, 90%"),
    ):
        low, high = (slope[kept] + side * analysis.HALF_90 * sd[kept] for side in (-1, 1))
        ax.vlines(at + shift, low, high, color=COLOURS[role], lw=1.2, alpha=0.7)
        ax.plot(at + shift, slope[kept], marker, ms=3.5, color=COLOURS[role], label=label)
    room = analysis.HALF_90 * found.typical
    ends = np.append(found.slope, 0.0)
    ax.set(
        xticks=[],
        xlabel=f"{kept.size} units, in the order of their own estimates",
        ylabel=r"slope $\beta_g$",
        ylim=(ends.min() - room, ends.max() + room),
    )
    fig.legend(loc="outside upper center", ncol=3)
    data = {
        "names": found.names,
        "slope": found.slope,
        "se": found.se,
        "typical": found.typical,
        "own": tau,
        "kept": kept,
    }
    alt = (
        f"Slopes of {kept.size} units with 90% intervals, each unit alone and pooled with the "
        f"model's own standard deviation of slopes, {number(tau)}: the pooled ones lie closer to "
        f"their mean, {number(now.mean)}."
    )
    return moving("pooling", data, fig, alt=alt)
