"""Figures of what the licence lets through, on panels whose slopes are known."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from oulib.report.style import COLOURS


def kinds(table: pd.DataFrame, names: dict[str, str], level: float = 0.9) -> Figure:
    """Coverage by kind, by the chains alone and of conclusions, and how often there is one.

    ``table`` is that of ``operating.summary``; ``names`` says what to call its kinds; ``level`` is
    what a calibrated interval would cover.
    """
    at = np.arange(len(table))[::-1]
    fig, (left, right) = plt.subplots(
        1, 2, figsize=(7.4, 0.22 * len(table) + 1.2), sharey=True, width_ratios=[3, 2]
    )
    left.axvline(level, color=COLOURS["muted"], ls=":", lw=1.2)
    before, after = (table[name].to_numpy() for name in ("coverage", "coverage_concluded"))
    left.hlines(at, before, after, color="0.8", lw=1.5)
    left.plot(before, at, "o", mfc="none", color=COLOURS["other"], label="chains agree")
    left.plot(after, at, "o", color=COLOURS["model"], label="concluded")
    left.set(
        xlabel="coverage of 90% intervals",
        xlim=(min(0.3, np.nanmin(before) - 0.05), 1.02),
    )
    left.set_yticks(at, [names.get(str(kind), str(kind)) for kind in table.index])
    left.legend(loc="lower left")
    share = (table["concluded"] / table["panels"]).to_numpy()
    right.barh(at, share, height=0.6, color=COLOURS["model"], alpha=0.6)
    right.set(xlabel="share concluded", xlim=(0, 1))
    right.tick_params(axis="y", length=0)
    return fig
