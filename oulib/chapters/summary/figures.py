"""Pictures of the panel in hand."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from oulib.chapters.summary.analysis import Cover
from oulib.panel import Panel
from oulib.report.style import COLOURS, month_axis, plain


def outcome_and_score(found: xr.Dataset) -> Figure:
    """Productivity above and survey scores below over time: medians over OUs, and half of them.

    ``found`` is that of ``analysis.over_time``.
    """
    fig, axes = plt.subplots(2, 1, figsize=(7.2, 4.4), sharex=True)
    months = [str(month) for month in found["month"].to_numpy()]
    labels = {"productivity": "productivity", "survey": "survey score"}
    for ax, (name, label) in zip(axes, labels.items(), strict=True):
        low, middle, high = found[name].to_numpy()
        at = np.flatnonzero(np.isfinite(middle))
        colour = COLOURS["model"] if name == "productivity" else COLOURS["other"]
        if name == "productivity":
            ax.fill_between(at, low[at], high[at], color=colour, alpha=0.25, lw=0)
            ax.plot(at, middle[at], color=colour)
        else:  # surveys are points in time, and nothing is known between them
            ax.vlines(at, low[at], high[at], color=colour, alpha=0.5, lw=3)
            ax.plot(at, middle[at], "o", ms=4.5, color=colour)
        ax.set_ylabel(label)
    month_axis(axes[-1], months)
    return fig


def cover(panel: Panel, found: Cover) -> Figure:
    """One unit: its productivity, its score between surveys, and the one against the other."""
    fig = plt.figure(figsize=(7.4, 3.9))
    grid = fig.add_gridspec(2, 2, width_ratios=(1.9, 1))
    above = fig.add_subplot(grid[0, 0])
    below = fig.add_subplot(grid[1, 0], sharex=above)
    beside = fig.add_subplot(grid[:, 1])
    months = found.months
    at, survey = months["at"].to_numpy(), months["survey"].to_numpy()
    above.plot(at, months["productivity"], color=COLOURS["muted"], marker="o", ms=2.5, lw=1)
    above.set_ylabel("productivity")
    above.set_title(f"{plain(panel.ous[found.ou])}: what is counted every month", loc="left")
    if "score" in months:
        low, middle, high = months["score"].to_numpy()
        below.fill_between(at, low, high, color=COLOURS["model"], alpha=0.25, lw=0)
        below.plot(at, middle, color=COLOURS["model"], lw=1.5)
    below.plot(at, survey, "o", ms=5, color=COLOURS["other"])
    below.set_ylabel("score")
    below.set_title("what is asked now and then", loc="left")
    month_axis(below, panel.months)
    above.tick_params(labelbottom=False)
    beside.plot(survey, months["productivity"], "o", ms=5, color=COLOURS["other"])
    if found.line is not None:
        low, middle, high = found.line.to_numpy()
        score = found.line["score"].to_numpy()
        beside.fill_between(score, low, high, color=COLOURS["model"], alpha=0.25, lw=0)
        beside.plot(score, middle, color=COLOURS["model"], lw=2)
    beside.set_xlabel("score")
    beside.set_ylabel("productivity")
    beside.set_title("does the one go with the other?", loc="left")
    return fig
