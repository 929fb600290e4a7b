"""Figures of slopes that were bent without any survey."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from oulib.report.style import COLOURS, plain

_LINES = ("-", "--", "-.", ":")
_MARKERS = ("o", "s", "^", "D", "v", "P")


def noise_profile(beta: np.ndarray, profiles: Mapping[str, np.ndarray]) -> Figure:
    """Log densities of residuals without surveys against the slope: ``analysis.noise_profile``."""
    fig, ax = plt.subplots(figsize=(6.4, 3.1))
    for i, (label, log) in enumerate(profiles.items()):
        role = ("model", "other", "third", "accent")[i % 4]
        ax.plot(beta, log, ls=_LINES[i % 4], lw=1.8, color=COLOURS[role], label=plain(label))
    ax.axvline(0, color="0.8", lw=1, zorder=0)
    ax.set(xlabel=r"slope $\beta_g$", ylabel="log density (largest = 0)", ylim=(-8, 0.5))
    fig.legend(loc="outside upper center", ncol=3)
    return fig


def signs(shares: Mapping[str, np.ndarray], order: np.ndarray | None = None) -> Figure:
    """Probability of a positive slope by chain and OU, a panel a fit.

    ``shares`` are (chain, ou) by title, from ``analysis.positive``; ``order`` of the OUs.
    """
    fig, axes = plt.subplots(
        len(shares), 1, figsize=(7.2, 0.6 + 0.95 * len(shares)), sharex=True, squeeze=False
    )
    for ax, (title, share) in zip(axes[:, 0], shares.items(), strict=True):
        shown = share if order is None else share[:, order]
        image = ax.imshow(shown, vmin=0, vmax=1, cmap="PuOr", aspect="auto")
        ax.set_yticks(range(len(shown)), [str(i + 1) for i in range(len(shown))], fontsize=8)
        ax.set_title(plain(title), loc="left", fontsize=9)
        ax.set_ylabel("chain", fontsize=8)
        for spine in ax.spines.values():
            spine.set_visible(False)
    axes[-1, 0].set_xticks([])
    axes[-1, 0].set_xlabel("unit, in the order of true slopes" if order is not None else "unit")
    fig.colorbar(image, ax=axes[:, 0], label=r"share of draws with $\beta_g > 0$", pad=0.01)
    return fig


def fingerprints(
    noise: pd.DataFrame, factor: pd.DataFrame, curve: tuple[np.ndarray, np.ndarray]
) -> Figure:
    """What bent slopes follow: the OUs' noise on one panel, their loadings on the other.

    Tables of ``analysis.fingerprint``; ``curve`` holds factors of noise and the sizes of slope that
    ``analysis.slope_from_noise`` gives them.
    """
    fig, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.4))
    palette = [c for c in sns.color_palette("colorblind") if c != COLOURS["truth"]]
    for ax, table, x, y in (
        (left, noise, "noise_ou", "size"),
        (right, factor, "loading", "slope"),
    ):
        for i, (chain, part) in enumerate(table.groupby("chain")):
            ax.plot(
                part[x],
                part[y],
                _MARKERS[i % len(_MARKERS)],
                ms=4,
                alpha=0.6,
                color=palette[i % len(palette)],
                label=f"chain {chain + 1}",
            )
    left.plot(*curve, color="black", lw=1.5, label="noise alone, formula")
    by_ou = noise.groupby("ou").first()
    left.plot(
        by_ou["noise_ou"], by_ou["true"].abs(), "x", ms=5, color=COLOURS["truth"], label="truth"
    )
    left.set(xlabel="noise of the unit (factor)", ylabel=r"size of $\beta_g$", xscale="log")
    left.xaxis.set_major_locator(mpl.ticker.LogLocator(base=2))
    left.xaxis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:g}"))
    left.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    by_ou = factor.groupby("ou").first()
    right.plot(by_ou["loading"], by_ou["true"], "x", ms=5, color=COLOURS["truth"])
    right.axhline(0, color="0.8", lw=1, zorder=0)
    right.set(xlabel="how the unit feels the months (factor)", ylabel=r"mean of $\beta_g$")
    handles, labels = left.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncol=6, fontsize=8)
    return fig


def intervals(panels: Mapping[str, tuple[pd.DataFrame, np.ndarray]]) -> Figure:
    """True slopes and 90% intervals, a panel a fit, in the order of the true slopes.

    ``panels`` hold, by title, the rows of ``checks.summarise`` for the slopes and the truth.
    """
    fig, axes = plt.subplots(
        1, len(panels), figsize=(7.4, 3.2), sharex=True, sharey=True, squeeze=False
    )
    for ax, (title, (table, truth)) in zip(axes[0], panels.items(), strict=True):
        order = np.argsort(truth)
        t, true, at = table.iloc[order], truth[order], np.arange(order.size)
        inside = (t["q5"].to_numpy() <= true) & (true <= t["q95"].to_numpy())
        ax.axhline(0, color="0.8", lw=1)
        ax.vlines(at, t["q5"], t["q95"], color=COLOURS["model"], lw=1.4, alpha=0.7, label="90%")
        ax.plot(at[inside], true[inside], "x", ms=4.5, color=COLOURS["truth"], label="truth inside")
        ax.plot(at[~inside], true[~inside], "D", ms=4.5, mfc="none", color="black", label="outside")
        ax.set(title=plain(title), xticks=[], xlabel="unit, in the order of the true slopes")
    axes[0, 0].set_ylabel(r"slope $\beta_g$")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncol=3)
    return fig
