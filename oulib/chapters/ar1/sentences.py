"""Sentences about what months know of each other."""

from __future__ import annotations

import numpy as np

from oulib.chapters.ar1.analysis import Gaps, Movement, Sides, Spread
from oulib.posterior.estimate import Replicated, Update
from oulib.report.evidence import evidence, mostly_prior
from oulib.report.text import count, interval, name, number, percent


def persistent(symbol: str, what: str, found: Update) -> str:
    """Whether an autocorrelation speaks of persistence, of alternation or of neither.

    Args:
        symbol: the parameter in Markdown.
        what: what persists, as the subject of a sentence: ``the outcome's months``.
        found: the autocorrelation.
    """
    low, middle, high = found.after.low, found.after.median, found.after.high
    text = (
        f"{symbol} has a posterior median of {number(middle)} (90% interval "
        f"{interval(low, high)}). "
    )
    if mostly_prior(found.distance):
        return text + (
            f"That is mostly the prior: there is little evidence of persistence in {what}, and "
            "little against it."
        )
    positive = found.after.positive
    persistence = f"of persistence in {what}"
    if positive < 0.5:
        return f"{text}{evidence(1 - positive, f'that {what} alternate', persistence)}."
    text += evidence(positive, persistence)
    if positive <= 0.85:
        return text + (", and the interval has room for much of it." if high > 0.5 else ".")
    half = np.log(0.5) / np.log(np.clip(middle, 1e-6, 1 - 1e-6))
    return f"{text}: at the median half of a deviation is left after {number(half, 1)} months."


def scale_of_months(found: Spread) -> str:
    """How large the outcome's month effects are, where the iid model fixes their sd at one."""
    months, low, high = found.months, found.sd.low, found.sd.high
    text = (
        f"Over the {months} months of this panel $\\lambda_t$ has a standard deviation of "
        f"{number(found.sd.median)} (90% interval {interval(low, high)}); independent months of "
        f"the baseline would have {interval(found.least, found.most)} over as many months. "
    )
    if high < found.least:
        return text + "Months differ less than the baseline takes for granted."
    if low > found.most:
        return text + "Months differ more than the baseline takes for granted."
    return text + "The two are compatible."


def size_of_movement(found: Movement) -> str:
    """How large the score's common movement is over the panel, against what was fixed before."""
    size, moves = found.size.after, found.spread.sd
    least, most = found.spread.least, found.spread.most
    text = (
        rf"$\gamma_x$ has a posterior median of {number(size.median)} "
        f"(90% interval {interval(size.low, size.high)}). "
        f"Over this panel's months the score's common movement has a standard deviation of "
        f"{number(moves.median)} ({interval(moves.low, moves.high)}); independent months times "
        f"{number(found.fixed, 1)} would have {interval(least, most)}. "
    )
    if mostly_prior(found.size.distance):
        return text + "The data add little: what is said about its size is mostly the prior."
    if moves.high < least:
        return text + "The score has less of a common movement than was assumed."
    if moves.low > most:
        return text + "The score has more of a common movement than was assumed."
    return text + "What was fixed before is compatible with the data."


def one_sign(found: Sides, r_hat: float) -> str:
    """What happens to the signed gamma_x: chains that pick a sign each, or do not."""
    text = (
        rf"With a signed $\gamma_x$ its R-hat is {number(r_hat)}: the mean is positive in "
        f"{found.above} of {count(found.chains, 'chain')} and negative in {found.below}. "
    )
    if found.above and found.below and found.settled:
        return text + (
            "Each mode is the other's mirror image, so nothing in the data can decide, and more "
            "draws would not help."
        )
    if found.settled == found.chains:
        return text + (
            "By chance all chains took the same sign this time; the mirror image exists all the "
            "same, and other starting points would find it."
        )
    return text + (
        "The chains cross between the two mirror images, which they can where the movement is "
        "close to zero."
    )


def between_waves(iid: Gaps, ar1: Gaps) -> str:
    """How well the score's common movement is known in months without any survey, by two models."""
    if iid.months == 0:
        return "Every month has surveys from some unit: there is no gap for the months to bridge."
    text = (
        f"In the {count(iid.months, 'month')} without any survey the common movement has a mean "
        f"posterior standard deviation of {number(iid.sd, 3)} with independent months and of "
        f"{number(ar1.sd, 3)} with AR(1). The first model assumes the size of the movement and the "
        "second learns it, so the share of its variance that is known compares better: "
        f"{percent(iid.known)} and {percent(ar1.known)}. "
    )
    if np.isfinite(iid.error):
        text += (
            f"Against the truth the posterior means err by {number(iid.error, 3)} and "
            f"{number(ar1.error, 3)} there (root mean square). "
        )
    if ar1.known > iid.known + 0.1:
        return text + "The months next to a gap say something about the months in it."
    if ar1.known < iid.known - 0.1:
        return text + "AR(1) claims to know less about the gaps than independent months did."
    return text + "There is little evidence that persistence helps to bridge the gaps."


def autocorrelation_check(model: str, found: Replicated) -> str:
    """Whether months drawn anew from a model are as autocorrelated as the months observed."""
    if not found.known:
        return "There are too few consecutive months to compare their autocorrelation."
    text = (
        f"The monthly means have a lag-one autocorrelation of {number(found.observed)}; months "
        f"drawn anew from {name(model)} have {interval(found.low, found.high)} (90%). "
    )
    if found.as_high < 0.01:
        return text + "The model does not expect months to be this much alike."
    if found.as_low < 0.01:
        return text + "The model expects months to be more alike than they are."
    return text + "Months like these are ordinary under the model."
