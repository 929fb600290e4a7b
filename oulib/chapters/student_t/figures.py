"""Figures about heavy tails: chains that disagree, weights of rows, models set side by side."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from oulib.report.style import COLOURS

_LINES = ("-", "--", "-.", ":")


def quadrature_errors(
    loading: np.ndarray, errors: Mapping[str, np.ndarray], threshold: float
) -> Figure:
    """Error of a row's log density by how strongly the outcome depends on the score.

    ``errors`` are arrays over ``loading`` by the name of the rule; ``threshold`` is the gate's.
    """
    fig, ax = plt.subplots(figsize=(6.4, 3.2))
    for i, (rule, error) in enumerate(errors.items()):
        ax.plot(loading, np.maximum(error, 1e-12), ls=_LINES[i % len(_LINES)], lw=1.8, label=rule)
    ax.axhline(threshold, color=COLOURS["muted"], lw=1)
    ax.annotate(
        "the gate's limit", (loading[0], threshold), xytext=(2, 3), textcoords="offset points",
        color="0.4", fontsize=8,
    )  # fmt: skip
    ax.set_yscale("log")
    ax.set_xlabel(r"spread of $\beta x^*$ in units of $\sigma_y$")
    ax.set_ylabel("largest error of a log density")
    ax.legend()
    return fig


def row_weights(residual: np.ndarray, weight: np.ndarray, nu: float) -> Figure:
    """Weight of every row against its residual, and the weight that a known residual would have.

    ``nu`` is the posterior mean of the degrees of freedom, for the curve.
    """
    fig, ax = plt.subplots(figsize=(6.4, 3.2))
    edge = 1.05 * float(np.max(np.abs(residual)))
    z = np.linspace(-edge, edge, 300)
    ax.plot(z, (nu + 1) / (nu + z**2), color=COLOURS["other"], lw=1.5, label=r"at mean $\nu$")
    ax.plot(residual, weight, ".", ms=4, alpha=0.6, color=COLOURS["model"], label="rows")
    ax.axhline(1, color=COLOURS["muted"], ls="--", lw=1, label="normal noise")
    ax.set_ylim(0, None)
    ax.set_xlabel(r"residual (units of $\sigma_y$)")
    ax.set_ylabel("weight")
    ax.legend()
    return fig
