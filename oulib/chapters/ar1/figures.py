"""Figures about what months know of each other."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from oulib.report.style import month_bands, plain


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
