"""Figures about what months know of each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from oulib.report.style import COLOURS, month_bands, plain


def neighbours(means: np.ndarray, months: Sequence[str]) -> Figure:
    """Mean outcomes of months over time, and each against that of the month before.

    ``means``, (month), is NaN where a month of the calendar has no row.
    """
    fig, (left, right) = plt.subplots(1, 2, figsize=(7.2, 2.9), width_ratios=(1.8, 1))
    for ax in (left, right):
        ax.axhline(np.nanmean(means), color="0.8", lw=1)
    left.plot(means, ".-", ms=5, lw=1, color=COLOURS["model"])
    step = max(len(months) // 5, 1)
    at = range(0, len(months), step)
    left.set_xticks(at, [months[i] for i in at], rotation=30)
    left.set_ylabel("mean outcome $y'$ (sd)")
    left.set_title("month by month")
    right.axvline(np.nanmean(means), color="0.8", lw=1)
    right.plot(means[:-1], means[1:], "o", ms=4, alpha=0.7, color=COLOURS["model"])
    right.set_xlabel("the month before (sd)")
    right.set_title("a month and its neighbour")
    return fig


def common_movement(
    movement: Mapping[str, xr.DataArray], seen: np.ndarray, truth: np.ndarray | None = None
) -> Figure:
    """The score's common movement over months under several models, a panel each.

    Args:
        movement: draws (chain, draw, month) by the title of their panel.
        seen: whether some OU had a survey in the month, (month); marked at the foot.
        truth: the true movement, (month), where it is known.
    """
    fig, axes = plt.subplots(
        len(movement), 1, figsize=(7.2, 2.3 * len(movement)), sharex=True, sharey=True
    )
    for ax, (title, draws) in zip(np.atleast_1d(axes), movement.items(), strict=True):
        month_bands(ax, draws, truth)
        ax.plot(
            np.flatnonzero(seen),
            np.zeros(int(seen.sum())),
            "^",
            ms=6,
            color="black",
            transform=ax.get_xaxis_transform(),
            clip_on=False,
            label="month with surveys",
        )
        ax.set_ylabel(r"$\gamma_x \tau_t$ (sd)")
        ax.set_title(plain(title))
    handles, labels = ax.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncol=len(labels))
    return fig
