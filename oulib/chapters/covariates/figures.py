"""Figures of many coefficients under several priors."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from oulib.report.style import COLOURS, plain

TITLES = {"wide": "wide", "ridge": "ridge", "ard": "ARD", "horseshoe": "horseshoe"}
MARKS = {"ridge": ("s", "other"), "ard": ("^", "third"), "horseshoe": ("o", "model")}


def unshrunk(table: pd.DataFrame) -> Figure:
    """90% intervals of the coefficients under one prior beside the truth, from left to right.

    ``table`` is that of ``shrinkage.coefficients``, with the truth; filled where zero is outside.
    """
    at, got = np.arange(len(table)), table["found"].to_numpy()
    fig, ax = plt.subplots(figsize=(7.4, 3.0))
    ax.axhline(0, color="0.8", lw=1)
    ax.vlines(at, table["q5"], table["q95"], color=COLOURS["model"], lw=1.3, alpha=0.8)
    _means(ax, at, table["mean"].to_numpy(), got, size=4)
    ax.plot(at, table["true"], "x", ms=5, color=COLOURS["truth"], label="truth")
    ax.set_xticks(at, [plain(label) for label in table.index], rotation=90, fontsize=7)
    ax.set_ylabel("coefficient")
    fig.legend(loc="outside upper center", ncol=3)
    return fig


def _means(ax: plt.Axes, x: np.ndarray, y: np.ndarray, found: np.ndarray, size: float) -> None:
    """Dots at (x, y), filled where the interval excludes zero."""
    for which, face, label in (
        (~found, "white", "interval holds zero"),
        (found, COLOURS["model"], "interval excludes zero"),
    ):
        ax.plot(x[which], y[which], "o", ms=size, mfc=face, color=COLOURS["model"], label=label)


def coefficients(tables: Mapping[str, pd.DataFrame], *, most: int = 60) -> Figure:
    """90% intervals of every coefficient, a panel a prior, filled where zero is outside.

    ``tables`` are those of ``shrinkage.coefficients``.  Beyond ``most`` covariates, those with the
    largest means under any prior.
    """
    size = pd.concat([table["mean"].abs() for table in tables.values()], axis=1).max(axis=1)
    kept = size.index if len(size) <= most else size.index[size.rank(ascending=False) <= most]
    at = np.arange(len(kept))[::-1]
    height = float(np.clip(0.16 * len(kept) + 1.3, 2.4, 9.5))
    fig, axes = plt.subplots(
        1, len(tables), figsize=(7.4, height), sharex=True, sharey=True, squeeze=False
    )
    for ax, (prior, table) in zip(axes[0], tables.items(), strict=True):
        rows = table.loc[kept]
        got = rows["found"].to_numpy()
        ax.axvline(0, color="0.8", lw=1)
        ax.hlines(at, rows["q5"], rows["q95"], color=COLOURS["model"], lw=1.3, alpha=0.8)
        _means(ax, rows["mean"].to_numpy(), at, got, size=3.5)
        if "true" in rows:
            ax.plot(rows["true"], at, "x", ms=4.5, color=COLOURS["truth"], label="truth")
        ax.set_title(TITLES.get(prior, plain(prior)))
        ax.tick_params(axis="x", labelsize=8)
    axes[0, 0].set_yticks(at, [plain(label) for label in kept], fontsize=7)
    axes[0, 0].set_ylim(-1, len(kept))
    fig.supxlabel("coefficient (sds of the outcome per sd of the covariate)", fontsize=9)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncol=3)
    return fig


def shrinkage(tables: Mapping[str, pd.DataFrame], against: str = "wide") -> Figure:
    """Estimates and shrinkage factors of each coefficient against its hardly shrunk estimate.

    ``tables`` are those of ``shrinkage.coefficients``, with ``against`` among them.
    """
    x = tables[against]["mean"].to_numpy()
    order = np.argsort(x)
    fig, axes = plt.subplots(1, 2, figsize=(7.4, 3.5))
    low, high = min(x.min(), 0), max(x.max(), 0)
    edge = 0.05 * (high - low)
    axes[0].plot([low - edge, high + edge], [low - edge, high + edge], color="0.8", lw=1)
    for prior, table in tables.items():
        if prior == against:
            continue
        mark, colour = MARKS.get(prior, ("D", "accent"))
        style = {"ms": 4, "color": COLOURS[colour], "alpha": 0.8, "lw": 0.8}
        label = TITLES.get(prior, plain(prior))
        axes[0].plot(x[order], table["mean"].to_numpy()[order], mark, label=label, **style)
        axes[1].plot(x[order], table["kappa"].to_numpy()[order], mark, label=label, **style)
    first = tables[against]
    if "true" in first:
        real = (first["true"] != 0).to_numpy()
        for k, value in enumerate(x[real]):
            for ax in axes:
                ax.axvline(
                    value,
                    color=COLOURS["truth"],
                    lw=0.8,
                    ls=":",
                    zorder=0,
                    label="true effects" if k == 0 else None,
                )
    for ax in axes:
        ax.xaxis.set_major_locator(MaxNLocator(5))
        ax.set_xlabel(f"estimate under the {TITLES.get(against, plain(against))} prior")
    axes[0].set_ylabel("posterior mean")
    axes[1].set(ylabel=r"shrinkage factor $\kappa_j$", ylim=(-0.03, 1.03))
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncol=4)
    return fig


def effective(draws: Mapping[str, tuple[np.ndarray, np.ndarray]], most: int) -> Figure:
    """The effective number of coefficients, posterior (filled) and prior (dashed), by prior.

    ``draws`` has posterior and prior draws; ``most`` is the number of coefficients.
    """
    fig, axes = plt.subplots(1, len(draws), figsize=(7.4, 2.7), sharey=True, squeeze=False)
    edges = np.linspace(0, most, 41)
    for ax, (prior, (after, before)) in zip(axes[0], draws.items(), strict=True):
        ax.hist(
            before,
            edges,
            weights=np.full(len(before), 1 / len(before)),
            histtype="step",
            ls="--",
            color=COLOURS["muted"],
            label="prior",
        )
        ax.hist(
            after,
            edges,
            weights=np.full(len(after), 1 / len(after)),
            histtype="stepfilled",
            alpha=0.45,
            color=COLOURS["model"],
            label="posterior",
        )
        ax.set(xlabel="effective coefficients", title=TITLES.get(prior, plain(prior)))
        ax.set_xlim(0, most)
    axes[0, 0].set_ylabel("share of draws")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncol=2)
    return fig
