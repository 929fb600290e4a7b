"""The score of one made-up unit, and what is known of it with the surveys that one likes.

Everything but the unit's mean score is taken as known, so that all of it is one normal vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from oulib.posterior.estimate import SAMPLES
from oulib.sampling.fit import Fit


@dataclass(frozen=True)
class Scales:
    """Slope and sds of the baseline, in sds of the panel; the values are those of an example."""

    beta: float = 0.35
    mu_x: float = 0.0
    sigma_mu_x: float = 0.6
    sigma_x: float = 0.7
    sigma_meas: float = 1.2
    sigma_y: float = 0.35


def scales(fit: Fit) -> Scales:
    """Posterior means of the scales, with the average slope, from a fit of the baseline."""
    mean = fit.posterior.mean(SAMPLES)
    names = ("mu_x", "sigma_mu_x", "sigma_x", "sigma_meas", "sigma_y")
    return Scales(beta=float(mean["mu_beta"]), **{name: float(mean[name]) for name in names})


@dataclass(frozen=True)
class Unit:
    """A unit's true scores, (month), and standard normal noise of what could be seen of them.

    ``surveyed`` is the noise of a survey in each month and ``outcome`` that of the outcome, so that
    both can be made anew with other numbers of respondents and other slopes.
    """

    scales: Scales
    score: np.ndarray
    surveyed: np.ndarray
    outcome: np.ndarray

    def surveys(self, respondents: float) -> np.ndarray:
        """What surveys of so many respondents say in each month, (month)."""
        return self.score + self.scales.sigma_meas / np.sqrt(respondents) * self.surveyed

    def residuals(self, beta: float) -> np.ndarray:
        """Outcomes less the unit's level and the months' effects, (month)."""
        return beta * self.score + self.scales.sigma_y * self.outcome


def unit(given: Scales, *, months: int = 24, seed: int = 17) -> Unit:
    """A unit drawn by the baseline's recipe, without a common movement of the score."""
    rng = np.random.default_rng(seed)
    own = given.mu_x + given.sigma_mu_x * rng.standard_normal()
    deviation, surveyed, outcome = rng.standard_normal((3, months))
    return Unit(given, own + given.sigma_x * deviation, surveyed, outcome)


def every(spacing: int, months: int) -> np.ndarray:
    """Whether there is a survey, (month): one every ``spacing`` months, none at 0."""
    if spacing == 0:
        return np.zeros(months, dtype=bool)
    return np.arange(months) % spacing == (spacing - 1) // 2


@dataclass(frozen=True)
class Known:
    """Mean and sd of each month's score given everything seen, (month)."""

    mean: np.ndarray
    sd: np.ndarray


def known(made: Unit, seen: Sequence[bool] | np.ndarray, respondents: float, beta: float) -> Known:
    """What is known of the unit's scores, whose mean is not known, from surveys and outcomes.

    Args:
        made: the unit.
        seen: whether there is a survey, (month).
        respondents: of each survey.
        beta: the slope, which the outcomes have and the reader of them knows.
    """
    given, seen = made.scales, np.asarray(seen, dtype=bool)
    size = made.score.size
    prior = given.sigma_mu_x**2 + given.sigma_x**2 * np.eye(size)
    look = np.vstack([np.eye(size)[seen], beta * np.eye(size)])
    noise = np.full(len(look), given.sigma_y**2)
    noise[: seen.sum()] = given.sigma_meas**2 / respondents
    data = np.concatenate([made.surveys(respondents)[seen], made.residuals(beta)])
    gain = np.linalg.solve(look @ prior @ look.T + np.diag(noise), look @ prior).T
    mean = given.mu_x + gain @ (data - look @ np.full(size, given.mu_x))
    return Known(mean, np.sqrt(np.diag(prior - gain @ look @ prior)))
