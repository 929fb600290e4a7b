"""Figures of the chapter on the baseline: its forms."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from oulib.report.style import COLOURS


def collapse(
    n: np.ndarray,
    sd: np.ndarray,
    curve_n: np.ndarray,
    survey_only: np.ndarray,
    closed_form: np.ndarray,
    unobserved_sd: float,
) -> Figure:
    """Posterior sd of x* against respondents: sampled rows and two closed-form curves."""
    fig, ax = plt.subplots(figsize=(6.4, 3.6))
    ax.plot(n, sd, ".", color=COLOURS["model"], ms=5, alpha=0.6, label="rows, x* sampled")
    ax.plot(
        curve_n, closed_form, color=COLOURS["other"], lw=2, label="closed form, survey and outcome"
    )
    ax.plot(
        curve_n,
        survey_only,
        color=COLOURS["third"],
        lw=1.6,
        ls="--",
        label=r"measurement error alone, $\sigma_{\mathrm{meas}}/\sqrt{n}$",
    )
    ax.axhline(unobserved_sd, color=COLOURS["muted"], ls=":", label="months without a survey")
    ax.set_xscale("log")
    ax.set_ylim(0, max(1.25 * unobserved_sd, 1.1 * float(np.max(sd))))
    ax.set_xlabel("respondents $n$")
    ax.set_ylabel("posterior sd of $x^*$")
    ax.xaxis.set_major_formatter(mpl.ticker.ScalarFormatter())
    ax.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    ax.legend()
    return fig


def forms(table: pd.DataFrame) -> Figure:
    """R-hat and effective draws per second of several forms of a model, a dot a parameter.

    ``table`` has the columns ``form``, ``r_hat`` and ``ess_per_second``.
    """
    fig, (left, right) = plt.subplots(1, 2, figsize=(7.2, 2.8), sharey=True)
    for ax, column, label in (
        (left, "r_hat", "R-hat"),
        (right, "ess_per_second", "effective draws per second"),
    ):
        sns.stripplot(data=table, x=column, y="form", hue="form", ax=ax, size=4.5, legend=False)
        ax.set(xlabel=label, ylabel="")
    left.axvline(1.01, color=COLOURS["truth"], lw=1, ls="--")
    right.set_xscale("log")
    return fig
