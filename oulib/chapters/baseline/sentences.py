"""Sentences of the chapter on the baseline: its forms, and how far chains may be believed."""

from __future__ import annotations

import numpy as np
import pandas as pd

from oulib.posterior.checks import Verdict
from oulib.report.sentences import CHECK_NAMES
from oulib.report.text import interval, name, number


def forms(table: pd.DataFrame, verdicts: dict[str, Verdict]) -> str:
    """Which forms of a model passed the gate, and the smallest effective draws per second."""
    sentences = []
    smallest = table.groupby("form", sort=False)["ess_per_second"].min()
    for form, verdict in verdicts.items():
        outcome = "passes the gate"
        if not verdict.sampled:
            failed = [CHECK_NAMES.get(c.name, c.name) for c in verdict.failed]
            outcome = f"fails the gate ({', '.join(failed)})"
        sentences.append(
            f"The {form} form {outcome}, with {number(smallest[form], 0)} effective draws a "
            "second for its slowest hyperparameter."
        )
    return " ".join(sentences)


def agreement(one: pd.DataFrame, other: pd.DataFrame) -> str:
    """The largest difference of posterior means between two fits, in Monte Carlo errors."""
    both = one.join(other, how="inner", suffixes=("_a", "_b"))
    error = np.hypot(both["mcse_mean_a"], both["mcse_mean_b"])
    gap = ((both["mean_a"] - both["mean_b"]).abs() / error).where(error > 0).dropna()
    sds = ((both["mean_a"] - both["mean_b"]).abs() / both["sd_a"]).loc[gap.index]
    return (
        f"Over {len(gap)} parameters the two posteriors' means differ by "
        f"{number(float(sds.max()), 2)} posterior standard deviations at most, and by "
        f"{number(float(gap.median()), 1)} Monte Carlo standard errors in the median "
        f"({name(gap.idxmax())} differs most, by {number(float(gap.max()), 1)})."
    )


def collapse(form: str, sampled: np.ndarray, closed: np.ndarray) -> str:
    """How well sampled posterior sds of x* follow the closed form, as a ratio."""
    ratio = sampled / closed
    return (
        f"For the {form} scores the ratio of the sampled standard deviation to the closed form "
        f"has a median of {number(float(np.median(ratio)))} and lies between "
        f"{interval(*np.quantile(ratio, [0.05, 0.95]))} for 90% of the rows; what exceeds one is "
        "the uncertainty of the parameters."
    )
