"""Pictures of the panel in hand."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from oulib.report.style import COLOURS, month_axis


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
