"""Sentences about what months know of each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy import stats

from oulib.posterior.estimate import SAMPLES, prior_distance
from oulib.report.evidence import evidence, mostly_prior
from oulib.report.text import count, interval, name, number, percent


def persistent(symbol: str, what: str, phi: np.ndarray, prior: np.ndarray) -> str:
    """Whether an autocorrelation speaks of persistence, of alternation or of neither.

    Args:
        symbol: the parameter in Markdown.
        what: what persists, as the subject of a sentence: ``the outcome's months``.
        phi, prior: draws of the posterior and of the prior.
    """
    low, middle, high = np.quantile(phi, [0.05, 0.5, 0.95])
    text = (
        f"{symbol} has a posterior median of {number(middle)} (90% interval "
        f"{interval(low, high)}). "
    )
    if mostly_prior(prior_distance(phi, prior)):
        return text + (
            f"That is mostly the prior: there is little evidence of persistence in {what}, and "
            "little against it."
        )
    positive = float(np.mean(phi > 0))
    persistence = f"of persistence in {what}"
    if positive < 0.5:
        return f"{text}{evidence(1 - positive, f'that {what} alternate', persistence)}."
    text += evidence(positive, persistence)
    if positive <= 0.85:
        return text + (", and the interval has room for much of it." if high > 0.5 else ".")
    half = np.log(0.5) / np.log(np.clip(middle, 1e-6, 1 - 1e-6))
    return f"{text}: at the median half of a deviation is left after {number(half, 1)} months."


def scale_of_months(lam: xr.DataArray) -> str:
    """How large the outcome's month effects are, where the iid model fixes their sd at one.

    ``lam`` (chain, draw, month) is compared over the panel's own months: the sd that an AR(1) has
    in the long run is another thing, and larger than that of a path less its mean.
    """
    months = lam.sizes["month"]
    low, middle, high = np.quantile(lam.std("month", ddof=1), [0.05, 0.5, 0.95])
    least, most = _independent(months)
    text = (
        f"Over the {months} months of this panel $\\lambda_t$ has a standard deviation of "
        f"{number(middle)} ({interval(low, high)}), where independent months were expected to have "
        f"one of 1 (for {months} months {interval(least, most)})"
    )
    if high < least:
        return text + ": months differ less than the baseline takes for granted."
    if low > most:
        return text + ": months differ more than the baseline takes for granted."
    return text + ", which is compatible with it."


def _independent(months: int) -> tuple[float, float]:
    """Where nine in ten of the sds of so many independent standard normals lie."""
    low, high = stats.chi2.ppf([0.05, 0.95], months - 1) / (months - 1)
    return float(np.sqrt(low)), float(np.sqrt(high))


def size_of_movement(posterior: xr.Dataset, prior: np.ndarray, fixed: float) -> str:
    """How large the score's common movement is over the panel, against what was fixed before.

    ``posterior`` has ``gamma_x`` and ``tau`` (month); ``prior`` are draws of the former.
    """
    gamma_x, tau = posterior["gamma_x"], posterior["tau"]
    low, middle, high = np.quantile(gamma_x, [0.05, 0.5, 0.95])
    moves = np.quantile(gamma_x * tau.std("month", ddof=1), [0.05, 0.5, 0.95])
    least, most = (fixed * each for each in _independent(tau.sizes["month"]))
    text = (
        rf"$\gamma_x$ has a posterior median of {number(middle)} ({interval(low, high)}). "
        f"Over this panel's months the score's common movement has a standard deviation of "
        f"{number(moves[1])} ({interval(moves[0], moves[2])}), where independent months times "
        f"{number(fixed, 1)} were expected to have {interval(least, most)}. "
    )
    if mostly_prior(prior_distance(gamma_x, prior)):
        return text + "The data add little: what is said about it is mostly the prior."
    if moves[2] < least:
        return text + "The score has less of a common movement than was assumed."
    if moves[0] > most:
        return text + "The score has more of a common movement than was assumed."
    return text + "What was fixed before is compatible with the data."


def one_sign(signed: xr.DataArray, r_hat: float) -> str:
    """What happens to the signed gamma_x: chains that pick a sign each, or do not."""
    side = np.sign(signed.mean("draw").to_numpy())
    share = (signed > 0).mean("draw").to_numpy()
    settled = int(((share > 0.95) | (share < 0.05)).sum())
    up, down = int((side > 0).sum()), int((side < 0).sum())
    text = (
        rf"With a signed $\gamma_x$ its R-hat is {number(r_hat)}: the mean is positive in {up} of "
        f"{count(len(side), 'chain')} and negative in {down}. "
    )
    if up and down and settled:
        return text + (
            "Each mode is the other's mirror image, so nothing in the data can decide, and more "
            "draws would not help."
        )
    if settled == len(side):
        return text + (
            "By chance all chains took the same sign this time; the mirror image is there all the "
            "same, and other starting points would find it."
        )
    return text + (
        "The chains cross between the two mirror images, which they can where the movement is "
        "close to zero."
    )


def between_waves(
    iid: xr.DataArray, ar1: xr.DataArray, seen: np.ndarray, truth: np.ndarray | None = None
) -> str:
    """How well the score's common movement is known in months without any survey.

    Args:
        iid, ar1: draws of gamma_x tau_t, (chain, draw, month), under the two models.
        seen: whether some OU had a survey in the month, (month).
        truth: the true movement, (month), where it is known.
    """
    if seen.all():
        return "Every month has surveys from some OU: there is no gap for the months to bridge."
    gap = np.flatnonzero(~seen)
    sds = [float(draws.std(SAMPLES)[gap].mean()) for draws in (iid, ar1)]
    known = [known_share(draws, gap) for draws in (iid, ar1)]
    text = (
        f"In the {count(gap.size, 'month')} without any survey the common movement has a mean "
        f"posterior standard deviation of {number(sds[0], 3)} with independent months and of "
        f"{number(sds[1], 3)} with AR(1). The first assumed how large the movement is and the "
        "second learns it, so the shares of it that are known compare better: "
        f"{percent(known[0])} and {percent(known[1])} of its variance in those months. "
    )
    if truth is not None:
        errors = [
            float(np.sqrt(np.mean((draws.mean(SAMPLES).to_numpy() - truth)[gap] ** 2)))
            for draws in (iid, ar1)
        ]
        text += (
            f"Against the truth the posterior means err by {number(errors[0], 3)} and "
            f"{number(errors[1], 3)} there (root mean square). "
        )
    if known[1] > known[0] + 0.1:
        return text + "The months next to a gap say something about the months in it."
    if known[1] < known[0] - 0.1:
        return text + "AR(1) claims to know less about the gaps than independent months did."
    return text + "There is little evidence that persistence helps to bridge the gaps."


def known_share(movement: xr.DataArray, months: np.ndarray) -> float:
    """Share of the movement's variance over some months that the posterior knows, 0 to 1.

    The mean square of the posterior means over that of the draws.
    """
    chosen = movement.isel(month=months)
    total = float((chosen**2).mean())
    return float((chosen.mean(SAMPLES) ** 2).mean()) / total if total > 0 else 0.0


def autocorrelation_check(model: str, observed: float, replicated: Sequence[float]) -> str:
    """Whether months drawn anew from a model are as autocorrelated as the months observed."""
    rep = np.asarray(replicated, dtype=float)
    rep = rep[np.isfinite(rep)]
    if not np.isfinite(observed) or rep.size == 0:
        return "There are too few consecutive months to compare their autocorrelation."
    text = (
        f"The monthly means have a lag-one autocorrelation of {number(observed)}; months drawn "
        f"anew from {name(model)} have {interval(*np.quantile(rep, [0.05, 0.95]))} (90%). "
    )
    above, below = float(np.mean(rep >= observed)), float(np.mean(rep <= observed))
    if above < 0.01:
        return text + "The model does not expect months to be so much alike."
    if below < 0.01:
        return text + "The model expects months to be more alike than they are."
    return text + "Months like these are ordinary under the model."
