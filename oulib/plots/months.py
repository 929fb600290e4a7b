"""Figures about what months know of each other."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from oulib.plots.style import COLOURS, month_axis, plain


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
        months = [str(m) for m in draws["month"].to_numpy()]
        at = np.arange(len(months))
        q = draws.quantile([0.05, 0.25, 0.5, 0.75, 0.95], dim=("chain", "draw")).to_numpy()
        ax.axhline(0, color="0.8", lw=1)
        ax.fill_between(at, q[0], q[4], color=COLOURS["model"], alpha=0.2, lw=0, label="90%")
        ax.fill_between(at, q[1], q[3], color=COLOURS["model"], alpha=0.35, lw=0, label="50%")
        ax.plot(at, q[2], color=COLOURS["model"], label="median")
        if truth is not None:
            ax.plot(at, truth, "x", ms=5, color=COLOURS["truth"], label="truth")
        ax.plot(
            at[seen],
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
        month_axis(ax, months)
    handles, labels = ax.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncol=len(labels))
    return fig
