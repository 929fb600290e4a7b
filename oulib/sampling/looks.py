"""How long to sample: the lengths at which chains are looked at, and when they are long enough.

Chains of :data:`LENGTHS` draws are held to the gate's own limits, and to a Monte Carlo error below
:data:`MCSE` of each posterior's standard deviation.  They end at the first length that suffices, at
the first at which more of the same chains could not help, or at the last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd
import xarray as xr

from oulib.model.draws.names import constants
from oulib.model.spec import ModelSpec
from oulib.sampling.diagnostics import Thresholds, diagnose, summary

AUTO: Final = "auto"
"""In the place of a number of draws: as many as it takes."""

LENGTHS = (500, 1000, 2000, 4000)
"""Draws a chain at which chains are looked at."""

MCSE = 0.05
"""Largest Monte Carlo error of a posterior mean, in standard deviations of that posterior."""

SLACK = 4.0
"""Effective draws may turn out to grow this many times as fast as draws, before it is in vain."""

LASTING = ("divergences", "tree_depth")
"""Checks that count what must not happen at all: more draws only add to the count."""

Outcome = Literal["enough", "more", "in vain", "caught"]


@dataclass(frozen=True, kw_only=True)
class Look:
    """What chains of ``draws`` draws were like: each check's worst value, and which failed.

    ``outcome`` is that they are enough, that more are wanted (also at the last length, where no
    more are drawn), that more draws of the same chains could not pass the gate, or that they are
    caught in the signs of slopes (:mod:`oulib.model.draws.mirror`).  ``both`` is the number of OUs
    of which both signs were sampled as one, ``target_accept`` the acceptance that steps were made
    for, and a trajectory had at most 2 ** ``max_depth`` of them.
    """

    draws: int
    values: dict[str, float]
    failed: tuple[str, ...]
    outcome: Outcome
    both: int = 0
    target_accept: float = 0.9
    max_depth: int = 10

    @property
    def diverged(self) -> bool:
        """Whether trajectories diverged: shorter steps may follow the density there."""
        return "divergences" in self.failed

    @property
    def cut(self) -> bool:
        """Whether trajectories were cut short."""
        return "tree_depth" in self.failed

    @property
    def disagree(self) -> bool:
        """Whether more draws are in vain because chains do not tell the same, and for that alone.

        Some of them may be caught in places that they cannot leave.
        """
        return (
            self.outcome == "in vain"
            and "r_hat" in self.failed
            and not set(LASTING) & {*self.failed}
        )


def look(posterior: xr.Dataset, stats: xr.Dataset, spec: ModelSpec, *, max_depth: int = 10) -> Look:
    """Look at the draws so far; all chains have the same number of them.

    Args:
        posterior: the draws, (chain, draw, ...).
        stats: the sampler's statistics, (chain, draw).
        spec: the model.
        max_depth: a trajectory has at most 2 ** max_depth steps.
    """
    table = summary(posterior)
    table = table[~table.index.isin(constants(posterior, spec))]
    checks = diagnose(table, stats, max_depth=max_depth, limit=Thresholds())
    values = {check.name: check.value for check in checks} | {"mcse": monte_carlo_error(table)}
    failed = [check.name for check in checks if not check.passed]
    if not values["mcse"] <= MCSE:
        failed.append("mcse")
    needed = next(check.threshold for check in checks if check.name == "ess_bulk")
    draws = stats.sizes["draw"]
    outcome: Outcome = "more" if failed else "enough"
    if set(failed) & set(LASTING) or out_of_reach(values["ess_bulk"], draws, needed):
        outcome = "in vain"
    return Look(draws=draws, values=values, failed=tuple(failed), outcome=outcome)


def monte_carlo_error(table: pd.DataFrame) -> float:
    """The largest Monte Carlo error of a mean in ``table``, in sds; infinite if one has none."""
    error = (table["mcse_mean"] / table["sd"]).to_numpy()
    return float(np.where(np.isfinite(error), error, np.inf).max(initial=0.0))


def out_of_reach(ess: float, draws: int, needed: float) -> bool:
    """Whether ``ess`` effective draws of ``draws`` a chain leave no hope for the last length.

    Effective draws grow with draws, once chains have met.  At the first length they may not have:
    no judgement then.
    """
    if draws < LENGTHS[1]:
        return False
    return SLACK * ess * LENGTHS[-1] / draws < needed
