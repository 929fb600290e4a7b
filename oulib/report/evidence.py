"""How strongly something may be said: the book's grades of evidence, in one place."""

from __future__ import annotations

from oulib.report.text import probability

PRIOR_SHARE = 0.8
"""A posterior wider than this share of its prior says little that the prior did not."""

PRIOR_MOVE = 0.16
"""A posterior nearer to its prior than this is the prior.

The distance is :func:`oulib.posterior.estimate.prior_distance`.
"""

_GRADES = (
    (0.99, "There is strong evidence"),
    (0.95, "There is evidence"),
    (0.85, "There are weak indications"),
)


def evidence(probability: float, claim: str, otherwise: str | None = None) -> str:
    """A claim (``that ...``, ``of ...``) as strongly as its posterior probability allows.

    Below 0.85 there is little evidence, of ``otherwise`` if given, of the claim else.  Without
    its full stop, for the figures to follow.
    """
    for least, grade in _GRADES:
        if probability > least:
            return f"{grade} {claim}"
    return f"There is little evidence {otherwise or claim}"


def evidence_of_sign(positive: float, claim: str, what: str) -> str:
    """A claim about a direction, ``{}`` in it, from the probability that the sign is positive.

    Where that is no more than 0.85 either way, that the sign of ``what`` is not settled.
    """
    direction = "positive" if positive >= 0.5 else "negative"
    sure = max(positive, 1 - positive)
    if sure <= _GRADES[-1][0]:
        return "Its sign is not settled" if what == "it" else f"The sign of {what} is not settled"
    return evidence(sure, claim.format(direction))


def relevance(p: float, size: str) -> str:
    """How probable it is that an average association amounts to ``size`` (per cent, in words)."""
    size = f"at least {size}% in either direction"
    if p >= 0.9:
        return f"A change of {size} is very probable ({probability(p)})."
    if p <= 0.1:
        return (
            f"A change of {size} is improbable ({probability(p)}): whatever its sign, the average "
            "effect is too small to matter."
        )
    return f"Whether the change is {size} is open ({probability(p)})."


def mostly_prior(distance: float) -> bool:
    """Whether a posterior at this distance from its prior lies nearly where the prior does."""
    return distance < PRIOR_MOVE


def surprise(p: float, above: str, below: str, neither: str) -> str:
    """Which of three sentences a predictive check allows, two-sided at 95 in 100.

    ``p`` is the probability that a replicate is at least what was observed.
    """
    if p < 0.025:
        return above
    return below if p > 0.975 else neither
