"""Figures of correlated effects and their LKJ prior."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from scipy import stats

from oulib.chapters.correlations.analysis import marginal
from oulib.report.style import COLOURS, plain
from oulib.report.symbols import symbol

_ROLES = ("other", "model", "third", "accent")
_STYLES = ("-", "--", "-.", ":")


def prior_marginals(drawn: Mapping[tuple[int, float], np.ndarray]) -> Figure:
    """Draws of one correlation (steps) and its closed form (lines), a panel a dimension.

    ``drawn`` is that of ``correlations.prior_draws``.
    """
    sizes = sorted({n for n, _ in drawn})
    etas = sorted({eta for _, eta in drawn})
    fig, axes = plt.subplots(
        1, len(sizes), figsize=(7.2, 2.9), sharex=True, sharey=True, squeeze=False
    )
    grid = np.linspace(-0.999, 0.999, 200)
    for ax, n in zip(axes[0], sizes, strict=True):
        for eta, role, style in zip(etas, _ROLES, _STYLES, strict=False):
            ax.hist(
                drawn[n, eta][:, -1, 0],
                np.linspace(-1, 1, 33),
                density=True,
                histtype="step",
                color=COLOURS[role],
                alpha=0.45,
            )
            ax.plot(grid, marginal(n, eta).pdf(grid), color=COLOURS[role], ls=style, lw=1.8)
        ax.set(title=f"$J = {n}$", xlabel="correlation", xlim=(-1, 1))
    axes[0, 0].set_ylabel("density")
    handles = [
        mpl.lines.Line2D([], [], color=COLOURS[role], ls=style, label=rf"$\eta = {eta:g}$")
        for eta, role, style in zip(etas, _ROLES, _STYLES, strict=False)
    ]
    fig.legend(handles=handles, loc="outside lower center", ncol=len(etas))
    return fig


def by_eta(
    draws: Mapping[str, np.ndarray], priors: Mapping[str, stats.rv_continuous], moves: pd.DataFrame
) -> Figure:
    """The correlation under several etas, prior and posterior, and what that did to the slopes.

    ``draws`` and ``priors`` are by the name of the prior; ``moves`` is that of
    ``correlations.moves``.
    """
    fig, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.2))
    grid = np.linspace(-0.999, 0.999, 200)
    roles = dict(zip(draws, _ROLES, strict=False))
    for (label, values), style in zip(draws.items(), _STYLES, strict=False):
        colour = COLOURS[roles[label]]
        left.plot(grid, priors[label].pdf(grid), color=colour, ls=style, lw=1, alpha=0.6)
        sns.kdeplot(x=np.ravel(values), ax=left, color=colour, ls=style, lw=2, clip=(-1, 1))
    left.set(xlabel="correlation of intercept and slope", ylabel="density", xlim=(-1, 1))
    right.axhline(0, color="0.8", lw=1)
    markers = dict(zip(draws, ("o", "s", "^", "D"), strict=False))
    for label in moves.columns.drop("alpha"):
        right.plot(
            moves["alpha"],
            moves[label],
            markers[label],
            ms=4,
            color=COLOURS[roles[label]],
            alpha=0.8,
        )
    right.set(xlabel=r"intercept $\alpha_g - \mu_\alpha$", ylabel=r"move of the slope $\beta_g$")
    handles = [
        mpl.lines.Line2D(
            [],
            [],
            color=COLOURS[roles[label]],
            ls=style,
            marker=markers[label],
            ms=4,
            label=label.replace("eta", r"$\eta$"),
        )
        for label, style in zip(draws, _STYLES, strict=False)
    ]
    fig.legend(handles=handles, loc="outside lower center", ncol=len(handles))
    return fig


def few_ous(
    draws: Mapping[str, np.ndarray],
    prior: stats.rv_continuous,
    truth: Mapping[str, float] | None = None,
) -> Figure:
    """Posteriors of the correlations of a vector of effects, a panel a pair, and their prior."""
    fig, axes = plt.subplots(
        1, len(draws), figsize=(7.2, 2.6), sharex=True, sharey=True, squeeze=False
    )
    grid = np.linspace(-0.999, 0.999, 200)
    for ax, (pair, values) in zip(axes[0], draws.items(), strict=True):
        sns.kdeplot(
            x=np.ravel(values),
            ax=ax,
            color=COLOURS["model"],
            fill=True,
            alpha=0.35,
            clip=(-1, 1),
            label="posterior",
        )
        ax.plot(grid, prior.pdf(grid), color=COLOURS["muted"], ls="--", label="prior")
        if truth and pair in truth:
            ax.axvline(truth[pair], color=COLOURS["truth"], lw=1.6, label="truth")
        ax.set(title=symbol(f"corr_ou[{pair}]"), xlabel="correlation", ylabel="", xlim=(-1, 1))
    axes[0, 0].set_ylabel("density")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncol=3)
    return fig


def trend_spreads(
    panels: Mapping[str, tuple[float, Mapping[str, Sequence[float]]]],
) -> Figure:
    """How far OUs drift apart in replicates of each model, and in the data (black line).

    ``panels`` has, by the title of a panel, the observed spread and the replicates' by model.
    """
    fig, axes = plt.subplots(1, len(panels), figsize=(7.2, 2.9), squeeze=False)
    for ax, (title, (observed, replicated)) in zip(axes[0], panels.items(), strict=True):
        top = max(observed, *(float(np.max(values)) for values in replicated.values()))
        for (model, values), role in zip(replicated.items(), ("other", "model"), strict=False):
            ax.hist(
                np.asarray(values),
                np.linspace(0, 1.05 * top, 41),
                density=True,
                histtype="stepfilled",
                color=COLOURS[role],
                edgecolor=COLOURS[role],
                alpha=0.4,
                label=plain(model),
            )
        ax.axvline(observed, color="black", lw=1.6, label="observed")
        ax.set(title=plain(title), xlabel="spread of units' trends", yticks=[])
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncol=3)
    return fig
