"""Sentences about who does not answer a planned survey, and what that does to the rest."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import ndtri

from oulib.posterior.estimate import SAMPLES, prior_distance
from oulib.posterior.predict import Coverage
from oulib.report.evidence import evidence, mostly_prior
from oulib.report.text import count, interval, name, number, percent, probability
from oulib.sampling.fit import Fit


def depends(fit: Fit) -> str:
    """Whether answering depends on the score: rho_x, the probability of its sign, the odds."""
    rho = fit.posterior["rho_x"]
    low, high = map(float, rho.quantile([0.05, 0.95]))
    positive = float((rho > 0).mean())
    claim = evidence(
        max(positive, 1 - positive),
        f"that OUs answer {'more' if positive >= 0.5 else 'less'} often where their score is high",
        "that nonresponse depends on the score",
    )
    p = fit.posterior
    at = [(1 / (1 + np.exp(-(p["rho_0"] + rho * x)))).mean() for x in (-1.0, 1.0)]
    text = (
        rf"The coefficient of the score, $\rho_x$, is {number(float(rho.mean()))} (90% interval "
        f"{interval(low, high)}). {claim}: the probability of a positive coefficient is "
        f"{probability(positive)}. In an average OU and wave a survey is answered with probability "
        f"{probability(float(at[0]))} where the score is one standard deviation below the "
        f"observed surveys' mean, and {probability(float(at[1]))} where it is one above."
    )
    truth = fit.panel.truth
    if truth is not None and "rho_x" in truth:
        text += f" The coefficient's truth is {number(float(truth['rho_x']))}."
    prior = fit.spec.priors.rho_x * ndtri((np.arange(2000) + 0.5) / 2000)
    if mostly_prior(prior_distance(rho, prior)):
        text += " The posterior lies nearly where the prior does: this is mostly the prior."
    return text


SAME = 0.1
"""Sds of the score within which two averages are said to hardly differ: all of the interval."""


def unanswered(without: xr.DataArray, within: xr.DataArray, truth: np.ndarray | None = None) -> str:
    """The scores of the planned surveys that nobody answered, under both models.

    ``without`` and ``within`` a response part are draws of the scores, (chain, draw, row), and
    ``truth`` are the true scores of the same rows.
    """
    means = [draws.mean("row") for draws in (without, within)]
    (low, high), (low_1, high_1) = (map(float, mean.quantile([0.05, 0.95])) for mean in means)
    rows = without.sizes["row"]
    text = (
        f"In the {count(rows, 'planned row')} without an answer the score averages "
        f"{number(float(means[0].mean()))} (90% interval {interval(low, high)}) if nonresponse is "
        f"ignored, and {number(float(means[1].mean()))} ({interval(low_1, high_1)}) if it is "
        "modelled."
    )
    shift = float(means[1].mean() - means[0].mean())
    if max(abs(low_1 - low), abs(high_1 - high)) < SAME:
        text += " The response part hardly moves them."
    elif abs(shift) < SAME / 2:
        text += (
            " The response part leaves the average where it was, and changes how sure of it one "
            "may be."
        )
    else:
        text += (
            f" The response part moves them {'down' if shift < 0 else 'up'} by "
            f"{number(abs(shift))}."
        )
    if truth is None:
        return text
    bias, bias_1 = (float(mean.mean() - truth.mean()) for mean in means)
    error, error_1 = (
        float(np.sqrt(np.mean((draws.mean(SAMPLES).to_numpy() - truth) ** 2)))
        for draws in (without, within)
    )
    return text + (
        f" The truth is {number(float(truth.mean()))}: the average is off by {number(bias)} if "
        f"nonresponse is ignored, and by {number(bias_1)} if it is modelled. Row by row the root "
        f"mean squared error is {number(error)} and {number(error_1)}."
    )


def moved(table: pd.DataFrame, what: str) -> str:
    """Which parameters the response part moved, in posterior sds without it.

    ``table`` has the parameters as its index and ``mean`` and ``sd`` with the suffixes
    ``_without`` and ``_within``.
    """
    shift = (table["mean_within"] - table["mean_without"]) / table["sd_without"]
    worst = shift.abs().idxmax()
    text = (
        f"Of the {what}, {name(worst)} moves most when nonresponse is modelled, by "
        f"{number(float(shift[worst]))} posterior standard deviations"
    )
    if abs(shift[worst]) < 0.25:
        return text + ": none is bent much by ignoring it."
    if abs(shift[worst]) < 1:
        return text + ": less than its own uncertainty."
    return text + ": what is said of it hangs on whether nonresponse is modelled."


def errors(table: pd.DataFrame) -> str:
    """How far each of a few parameters is off the truth, without a response part and with it.

    ``table`` is that of :func:`moved` with a column ``truth``.
    """
    sentences = []
    for label, row in table.iterrows():
        off, off_1 = (row[f"mean_{k}"] - row["truth"] for k in ("without", "within"))
        sds, sds_1 = off / row["sd_without"], off_1 / row["sd_within"]
        sentences.append(
            f"{name(label)} is off by {number(off)} ({number(abs(sds), 1)} posterior standard "
            f"deviations) if nonresponse is ignored and by {number(off_1)} "
            f"({number(abs(sds_1), 1)}) if it is modelled."
        )
    return " ".join(sentences)


def same_fit(observed: xr.DataArray) -> str:
    """How far the two stories' densities of what was observed are apart; dim ``story``."""
    gap = float(abs(observed.sel(story="mnar") - observed.sel(story="mar")).max())
    rows, draws = observed.sizes["row"], observed.sizes["chain"] * observed.sizes["draw"]
    text = (
        f"Over {count(rows, 'unanswered row')} and {count(draws, 'posterior draw')} the log "
        f"densities of what was observed differ between the two stories by {gap:.0e} at most"
    )
    if gap < 1e-8:
        return text + ": rounding, and nothing else."
    return text + ", which is more than rounding: the sum is too coarse."


def twins(mnar: xr.DataArray, mar: xr.DataArray, truth: np.ndarray | None = None) -> str:
    """What the two stories say of the unanswered scores; draws (chain, draw, row)."""
    gap = mnar.mean("row") - mar.mean("row")
    low, high = map(float, gap.quantile([0.05, 0.95]))
    text = (
        f"If it is the score that keeps a row silent, the unanswered scores average "
        f"{number(float(mnar.mean()))}; if only what was observed does, "
        f"{number(float(mar.mean()))}. The difference is {number(float(gap.mean()))} (90% interval "
        f"{interval(low, high)})"
    )
    if max(abs(low), abs(high)) < SAME:
        text += f": within {number(SAME, 1)} of a standard deviation, so the two hardly differ."
    elif low <= 0 <= high:
        text += (
            ", which may be nothing or may not: the data leave the difference open, and no "
            "observation can decide between the two."
        )
    else:
        text += ", and no observation can decide between the two: it is the price of an assumption."
    if truth is not None:
        near = (
            "first"
            if abs(mnar.mean() - truth.mean()) < abs(mar.mean() - truth.mean())
            else ("second")
        )
        text += (
            f" The panel was simulated, so for once we know: the truth is "
            f"{number(float(truth.mean()))}, nearer to the {near}."
        )
    return text


def all_planned(mnar: xr.DataArray, mar: xr.DataArray, answered: xr.DataArray) -> str:
    """The mean score over all planned rows: those who answered alone, and under both stories.

    ``mnar`` and ``mar`` are draws in the unanswered rows, ``answered`` in the answered ones.
    """
    n, m = mnar.sizes["row"], answered.sizes["row"]
    seen = answered.mean("row")
    whole = [(n * story.mean("row") + m * seen) / (n + m) for story in (mnar, mar)]
    parts = [
        f"{number(float(mean.mean()))} ({interval(*map(float, mean.quantile([0.05, 0.95])))})"
        for mean in (seen, *whole)
    ]
    return (
        f"The mean score of those who answered is {parts[0]}. That of all planned surveys, "
        f"answered or not ({percent(n / (n + m))} were not), is {parts[1]} under the first story "
        f"and {parts[2]} under the second."
    )


def response_rate(observed: np.ndarray, replicates: np.ndarray) -> str:
    """Whether the response rates of waves and of the whole are ordinary under the model.

    ``observed`` has the rate of each wave, ``replicates`` (sample, wave) the same in replicates.
    """
    low, high = np.quantile(replicates, [0.05, 0.95], axis=0)
    inside = int(((observed >= low) & (observed <= high)).sum())
    total, low, high = observed.mean(), *np.quantile(replicates.mean(axis=1), [0.05, 0.95])
    return (
        f"The response rate is {percent(total)}, averaged over the waves; in the replicates it is "
        f"{percent(low)} to {percent(high)} nine times in ten, "
        f"{'as it should be' if low <= total <= high else 'which the data do not agree with'}. "
        f"{inside} of {count(observed.size, 'wave')} "
        f"{'lies' if inside == 1 else 'lie'} inside the 90% band of "
        f"{'its' if observed.size == 1 else 'their'} replicates."
    )


def response_gap(observed: float, replicates: np.ndarray) -> str:
    """Whether the replicates' answered rows do as much better than the unanswered ones."""
    if not np.isfinite(observed):
        return "Answered and unanswered rows cannot be compared on this panel."
    known = replicates[np.isfinite(replicates)]
    low, high = np.quantile(known, [0.05, 0.95])
    text = (
        f"Less its OU's and month's mean, the outcome of the answered rows exceeds that of the "
        f"unanswered ones by {number(observed, 3)} (difference of medians); in the replicates by "
        f"{interval(low, high, 3)} nine times in ten. "
    )
    if low <= observed <= high:
        return text + "What links response and outcome is ordinary under the model."
    return text + "The link between response and outcome surprises the model."


def outcome_coverage(found: Coverage) -> str:
    """Coverage of the outcomes' 90% predictive intervals, drawn without the rows' own surveys."""
    text = (
        f"The 90% predictive intervals of outcomes, made without the rows' own surveys, hold "
        f"{percent(found.share)} of them, and of replicates {percent(found.low)} to "
        f"{percent(found.high)}: "
    )
    if found.share > found.high:
        return text + "more than that, as it may be for rows that the fit has seen."
    return text + ("too narrow." if found.share < found.low else "as many as should.")
