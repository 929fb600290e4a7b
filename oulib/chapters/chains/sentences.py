"""What diagnostics say of chains, in words."""

from __future__ import annotations

from oulib.chapters.chains.analysis import Diagnosis, Funnel
from oulib.report.text import count, number, percent, told_apart
from oulib.sampling.diagnostics import Thresholds


def diagnosis(found: Diagnosis) -> str:
    """R-hat and effective draws, each with what the gate asks for."""
    r_hat, limit = told_apart(found.r_hat, Thresholds().r_hat)
    verdict = "within" if found.agree else "above"
    text = (
        f"R-hat is {r_hat}, {verdict} the limit of {limit}. The {found.draws:,} draws are worth "
        f"{number(found.ess_bulk, 0)} independent ones for the middle of the distribution (bulk "
        f"ESS) and {number(found.ess_tail, 0)} for its 5% and 95% quantiles (tail ESS); the gate "
        f"asks for {number(found.least, 0)} of each"
    )
    return f"{text}, and gets them." if found.enough else f"{text}, and does not get them."


def neck(found: Funnel) -> str:
    """How much of the funnel's neck was visited, and whether anything warned."""
    text = (
        f"Of the draws {percent(found.in_neck)} lie in the lowest tenth of the scale's "
        "distribution, where a tenth should lie. "
    )
    if not found.diverged:
        return text + "No transition diverged."
    return text + f"{count(found.diverged, 'transition')} diverged."
