"""Chains made on purpose, good and bad, and what their diagnostics say of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy import stats
from scipy.signal import lfilter

from oulib.posterior.estimate import SAMPLES
from oulib.sampling.diagnostics import Thresholds, of_scalars

CHAINS, DRAWS = 4, 1000


def _slow(rng: np.random.Generator, phi: float, draws: int) -> np.ndarray:
    """Stationary chains with mean 0, sd 1 and autocorrelation ``phi``, (chain, draw)."""
    noise = rng.standard_normal((CHAINS, draws))
    noise[:, 1:] *= np.sqrt(1 - phi**2)
    return np.asarray(lfilter([1], [1, -phi], noise))


def _draws(values: np.ndarray) -> xr.DataArray:
    return xr.DataArray(values, dims=SAMPLES)


def mixing(draws: int = DRAWS, seed: int = 1) -> xr.DataArray:
    """Chains that sample one distribution, each draw a little like the one before."""
    return _draws(_slow(np.random.default_rng(seed), 0.3, draws))


def elsewhere(draws: int = DRAWS, seed: int = 2) -> xr.DataArray:
    """The same, but the last chain samples another place, two standard deviations away."""
    values = _slow(np.random.default_rng(seed), 0.3, draws)
    values[-1] += 2.0
    return _draws(values)


def drifting(draws: int = DRAWS, seed: int = 3) -> xr.DataArray:
    """Chains of the right distribution that take long to cross it."""
    return _draws(_slow(np.random.default_rng(seed), 0.98, draws))


@dataclass(frozen=True)
class Diagnosis:
    """What a table of draws says of one scalar: ``draws`` of all ``chains`` together."""

    chains: int
    draws: int
    r_hat: float
    ess_bulk: float
    ess_tail: float

    @property
    def least(self) -> float:
        """The effective draws that the gate asks for."""
        return Thresholds().ess_per_chain * self.chains

    @property
    def agree(self) -> bool:
        """Whether R-hat passes the gate."""
        return self.r_hat <= Thresholds().r_hat

    @property
    def enough(self) -> bool:
        """Whether both effective sample sizes do."""
        return min(self.ess_bulk, self.ess_tail) >= self.least


def diagnose(draws: xr.DataArray) -> Diagnosis:
    """The book's own diagnostics of one scalar, (chain, draw)."""
    row = of_scalars(draws.rename("x")).iloc[0]
    return Diagnosis(
        chains=draws.sizes["chain"],
        draws=draws.size,
        r_hat=float(row["r_hat"]),
        ess_bulk=float(row["ess_bulk"]),
        ess_tail=float(row["ess_tail"]),
    )


# --- a funnel


SD = 1.5
"""Of the logarithm of the funnel's scale, which is normal around 0."""


@dataclass(frozen=True)
class Funnel:
    """A scale and one of the effects that it scales, as a sampler draws them, (chain, draw).

    ``log_scale`` is normal with sd :data:`SD`; an effect is normal with that scale as its sd.
    """

    log_scale: xr.DataArray
    effect: xr.DataArray
    diverging: xr.DataArray

    @property
    def in_neck(self) -> float:
        """The share of draws in the lowest tenth of the scale's distribution."""
        return float((self.log_scale < SD * stats.norm.ppf(0.1)).mean())

    @property
    def diverged(self) -> int:
        """How many transitions diverged."""
        return int(self.diverging.sum())


def by_deviates(draws: int = DRAWS, seed: int = 4) -> Funnel:
    """The funnel drawn exactly: standard normal deviates that are scaled afterwards."""
    rng = np.random.default_rng(seed)
    log_scale = SD * rng.standard_normal((CHAINS, draws))
    effect = np.exp(log_scale) * rng.standard_normal((CHAINS, draws))
    return Funnel(_draws(log_scale), _draws(effect), _draws(np.zeros_like(effect, dtype=bool)))


def by_leapfrog(
    draws: int = DRAWS,
    *,
    effects: int = 9,
    step: float = 0.3,
    steps: int = 15,
    warm_up: int = 200,
    seed: int = 4,
) -> Funnel:
    """The funnel by Hamiltonian Monte Carlo on the effects themselves, with one step size.

    ``steps`` leapfrog steps of size ``step`` a draw; a transition diverges where the energy is off
    by more than 1000, as in Stan.
    """
    rng = np.random.default_rng(seed)
    v = SD / 2 * rng.standard_normal(CHAINS)
    at = np.column_stack([v, np.exp(v)[:, None] * rng.standard_normal((CHAINS, effects))])
    kept = np.empty((2, CHAINS, draws))
    diverging = np.zeros((CHAINS, draws), dtype=bool)
    for draw in range(-warm_up, draws):
        momentum = rng.standard_normal(at.shape)
        with np.errstate(all="ignore"):  # a path that goes astray leaves the numbers there are
            end, last = _leapfrog(at, momentum, step, steps)
            gain = (
                log_density(end)
                - log_density(at)
                - ((last**2).sum(axis=1) - (momentum**2).sum(axis=1)) / 2
            )
            gain = np.where(np.isfinite(gain), gain, -np.inf)
        taken = np.log(rng.random(CHAINS)) < gain
        at = np.where(taken[:, None], end, at)
        if draw >= 0:
            kept[:, :, draw] = at[:, :2].T
            diverging[:, draw] = gain < -1000
    return Funnel(_draws(kept[0]), _draws(kept[1]), _draws(diverging))


def log_density(at: np.ndarray) -> np.ndarray:
    """Of places in the funnel (chain, 1 + effect), the logarithm of the scale first."""
    v, x = at[:, 0], at[:, 1:]
    return -((v / SD) ** 2) / 2 - x.shape[1] * v - (x**2).sum(axis=1) * np.exp(-2 * v) / 2


def gradient(at: np.ndarray) -> np.ndarray:
    """Of :func:`log_density`, (chain, 1 + effect)."""
    v, x = at[:, 0], at[:, 1:]
    over = np.exp(-2 * v)
    of_scale = -v / SD**2 - x.shape[1] + (x**2).sum(axis=1) * over
    return np.column_stack([of_scale, -x * over[:, None]])


def _leapfrog(
    at: np.ndarray, momentum: np.ndarray, step: float, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Where a path of so many steps ends, and its momentum there."""
    momentum = momentum + step / 2 * gradient(at)
    for number in range(steps):
        at = at + step * momentum
        momentum = momentum + (step if number < steps - 1 else step / 2) * gradient(at)
    return at, momentum
