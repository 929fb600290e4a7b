"""Figures of the chapter on the baseline: its forms, signs of slopes, what pooling does."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from oulib.chapters.baseline import analysis
from oulib.chapters.baseline.analysis import Alone, SignDensities
from oulib.report.moving import Moving, moving
from oulib.report.style import COLOURS
from oulib.report.text import count, number, percent

_90 = 1.6448536269514722  # sds of a normal on either side that hold 90% of it


def collapse(
    n: np.ndarray,
    sd: np.ndarray,
    curve_n: np.ndarray,
    survey_only: np.ndarray,
    closed_form: np.ndarray,
    unobserved_sd: float,
) -> Figure:
    """Posterior sd of x* against respondents: sampled rows and two closed-form curves."""
    fig, ax = plt.subplots(figsize=(6.4, 3.6))
    ax.plot(n, sd, ".", color=COLOURS["model"], ms=5, alpha=0.6, label="rows, x* sampled")
    ax.plot(
        curve_n, closed_form, color=COLOURS["other"], lw=2, label="closed form, survey and outcome"
    )
    ax.plot(
        curve_n,
        survey_only,
        color=COLOURS["third"],
        lw=1.6,
        ls="--",
        label=r"measurement error alone, $\sigma_{\mathrm{meas}}/\sqrt{n}$",
    )
    ax.axhline(unobserved_sd, color=COLOURS["muted"], ls=":", label="months without a survey")
    ax.set_xscale("log")
    ax.set_ylim(0, max(1.25 * unobserved_sd, 1.1 * float(np.max(sd))))
    ax.set_xlabel("respondents $n$")
    ax.set_ylabel("posterior sd of $x^*$")
    ax.xaxis.set_major_formatter(mpl.ticker.ScalarFormatter())
    ax.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    ax.legend()
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
        low, high = (slope[kept] + side * _90 * sd[kept] for side in (-1, 1))
        ax.vlines(at + shift, low, high, color=COLOURS[role], lw=1.2, alpha=0.7)
        ax.plot(at + shift, slope[kept], marker, ms=3.5, color=COLOURS[role], label=label)
    room = _90 * found.typical
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
