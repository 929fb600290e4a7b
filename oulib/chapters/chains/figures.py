"""Pictures of chains made on purpose."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from oulib.chapters.chains.analysis import Funnel
from oulib.posterior.ranks import rank_band, ranks
from oulib.report.figures import traces
from oulib.report.style import COLOURS, plain


def chains(draws: xr.DataArray, label: str = "a parameter") -> Figure:
    """The draws of one scalar by chain, and histograms of their ranks; ``draws`` (chain, draw)."""
    band = rank_band(draws.sizes["chain"], draws.sizes["draw"])
    return traces({label: draws}, {label: ranks(draws)}, band)


def funnels(found: Mapping[str, Funnel]) -> Figure:
    """The logarithm of a scale against one effect, a panel each; crosses are divergent."""
    fig, axes = plt.subplots(1, len(found), figsize=(7.4, 3.2), sharex=True, sharey=True)
    for ax, (title, one) in zip(np.atleast_1d(axes), found.items(), strict=True):
        scale, effect, bad = (
            values.to_numpy().ravel() for values in (one.log_scale, one.effect, one.diverging)
        )
        ax.plot(effect, scale, ".", ms=2.5, alpha=0.35, color=COLOURS["model"], label="draws")
        ax.plot(effect[bad], scale[bad], "x", ms=5, color=COLOURS["truth"], label="divergent")
        ax.set(title=plain(title), xlabel="effect", xlim=(-12, 12))
    np.atleast_1d(axes)[0].set_ylabel("log of the scale")
    handles, labels = np.atleast_1d(axes)[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncol=2)
    return fig
