"""The book's figure style, and what its figures share."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
import xarray as xr
from IPython import get_ipython
from IPython.core.pylabtools import select_figure_formats
from matplotlib.figure import Figure

from oulib.panel import Panel
from oulib.posterior.estimate import SAMPLES
from oulib.report import fonts

COLOURS = dict(
    zip(
        ("model", "other", "third", "truth", "accent", "muted"),
        (*(sns.color_palette("colorblind")[i] for i in (0, 1, 2, 3, 4)), "0.55"),
        strict=True,
    )
)
"""Colours by role, from a palette that the colour-blind can tell apart."""


def use_style() -> None:
    """Set the book's figure style for the running session, whatever the user's own settings are."""
    mpl.style.use("default")
    sns.set_theme(style="ticks", palette="colorblind")
    mpl.rcParams.update(
        {
            "font.family": ["sans-serif", *fonts.families()],
            "figure.dpi": 110,
            "figure.figsize": (7.2, 3.6),
            "figure.constrained_layout.use": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "font.size": 10,
            "axes.titlesize": 10,
            "axes.labelsize": 10,
            "legend.frameon": False,
            "legend.fontsize": 9,
            "savefig.facecolor": "white",
        }
    )
    _draw_sharply()


SHARPER = 2
"""So many dots of a figure's file stand for one of the page, for screens that show them all."""


def sharp_png(fig: Figure) -> tuple[bytes, int]:
    """``fig`` as a PNG with more dots, and the width in which a page shall show it; closes it."""
    buffer = BytesIO()
    fig.savefig(buffer, format="png", dpi=SHARPER * fig.dpi)
    plt.close(fig)
    return buffer.getvalue(), round(fig.get_figwidth() * fig.dpi)


def _draw_sharply() -> None:
    """Let the notebook that runs draw figures with more dots, and show them as large as before."""
    if (shell := get_ipython()) is None:
        return
    # Of both, one is of use: whether the backend for notebooks is there yet is not for sure.
    shell.config.InlineBackend.figure_formats = {"retina"}
    select_figure_formats(shell, {"retina"}, bbox_inches="tight")


def plain(label: str) -> str:
    """A name from the data as text for matplotlib, which would read dollars as mathematics."""
    return plain_all([label])[0]


_WIDEST = 28
"""So wide a name is shown in a figure, in letters."""


def shortened(labels: Sequence[str]) -> list[str]:
    """Names cut in the middle where they are long, and apart where they differ.

    Of long names that would look the same, what they have in common at the beginning is left out.
    """
    names = [str(label) for label in labels]
    most = [_WIDEST * len(one) // max(fonts.width(one), 1) for one in names]
    short = [
        one if len(one) <= length else f"{one[: length // 2]}…{one[1 + length // 2 - length :]}"
        for one, length in zip(names, most, strict=True)
    ]
    for same in {one for one in short if short.count(one) > 1}:
        group = [at for at, one in enumerate(short) if one == same]
        letters = zip(*(names[at] for at in group), strict=False)
        common = next((at for at, these in enumerate(letters) if len({*these}) > 1), 0)
        for at in group:
            rest = names[at][max(common - 4, 0) :]
            short[at] = f"{names[at][:4]}…{rest[: most[at] - 5]}"
    return short


def plain_all(labels: Sequence[str]) -> list[str]:
    """:func:`plain` of several names, which stay apart."""
    shown = shortened([fonts.drawable(str(label)) for label in labels])
    return [label.replace("$", r"\$") for label in shown]


def month_axis(ax: plt.Axes, months: Sequence[str]) -> None:
    """Label about eight months of the calendar grid on the x axis."""
    step = max(len(months) // 8, 1)
    ax.set_xticks(range(0, len(months), step), [months[i] for i in range(0, len(months), step)])
    ax.tick_params(axis="x", rotation=30)
    ax.set_xlim(-0.6, len(months) - 0.4)


def month_bands(ax: plt.Axes, draws: xr.DataArray, truth: np.ndarray | None = None) -> None:
    """Draw a path over months on ``ax``: posterior median, 50% and 90% bands, the truth if known.

    ``draws`` is (chain, draw, month), ``truth`` (month).
    """
    months = [str(m) for m in draws["month"].to_numpy()]
    at = np.arange(len(months))
    q = draws.quantile([0.05, 0.25, 0.5, 0.75, 0.95], dim=SAMPLES).to_numpy()
    ax.axhline(0, color="0.8", lw=1)
    ax.fill_between(at, q[0], q[4], color=COLOURS["model"], alpha=0.2, lw=0, label="90%")
    ax.fill_between(at, q[1], q[3], color=COLOURS["model"], alpha=0.35, lw=0, label="50%")
    ax.plot(at, q[2], color=COLOURS["model"], label="median")
    if truth is not None:
        ax.plot(at, truth, "x", ms=5, color=COLOURS["truth"], label="truth")
    month_axis(ax, months)


def by_month(panel: Panel, values: np.ndarray) -> np.ndarray:
    """``values`` of rows on the (ou, month) grid, NaN where a row is missing."""
    grid = np.full((len(panel.ous), len(panel.months)), np.nan)
    grid[panel.rows["ou_idx"].to_numpy(), panel.rows["month_idx"].to_numpy()] = values
    return grid
