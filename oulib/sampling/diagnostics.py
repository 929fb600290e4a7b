"""Whether chains have settled: what a table of draws and the sampler's statistics say of it.

It needs draws and no fit, for it also decides how long to sample (:mod:`oulib.sampling.looks`); the
gate of a finished fit is :mod:`oulib.posterior.checks`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr
from scipy.fft import irfft, rfft
from scipy.special import ndtri
from scipy.stats import rankdata

from oulib.model.draws.names import COORDINATES, NAMES


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """What a fit must reach; the R-hat and ESS levels are those of Vehtari et al. (2021).

    ``signs`` is the largest probability of a slope's sign that chains do not go to: with more, a
    sign could not be stated with evidence.
    """

    r_hat: float = 1.01
    ess_per_chain: float = 100.0
    bfmi: float = 0.3
    quadrature: float = 1e-3
    signs: float = 0.05


@dataclass(frozen=True, kw_only=True)
class Check:
    """One diagnostic: its value, the threshold it is held to, where it is worst, what to try."""

    name: str
    value: float
    threshold: float
    passed: bool
    where: tuple[str, ...] = ()
    advice: str = ""


def summary(posterior: xr.Dataset) -> pd.DataFrame:
    """A row per scalar of the posterior under its public name, and per scalar that has none.

    Index labels spell the place out (``alpha[OU-07]``, ``lam[2024-03]``); columns are ``mean``,
    ``sd``, ``mcse_mean``, ``q5``, ``q95``, ``ess_bulk``, ``ess_tail`` (of those two quantiles) and
    ``r_hat``.  The numbers are ArviZ's, which goes through the scalars one by one; here many are
    worked out together.
    """
    names = [name for name in NAMES if name in posterior]
    names += [str(name) for name in posterior if name not in (*NAMES, *COORDINATES)]
    return pd.concat([of_scalars(posterior[name]) for name in names]).rename_axis("parameter")


def of_scalars(draws: xr.DataArray) -> pd.DataFrame:
    """The rows of :func:`summary` of one variable, (chain, draw, ...)."""
    places = [dim for dim in draws.dims if dim not in ("chain", "draw")]
    values = draws.transpose("chain", "draw", *places).to_numpy()
    labels = [str(draws.name)]
    if places:
        index = product(*(draws[dim].to_numpy() for dim in places))
        labels = [f"{draws.name}[{', '.join(map(str, place))}]" for place in index]
    values = values.reshape(*values.shape[:2], len(labels)).astype(float)
    parts = [
        _columns(values[..., start : start + _TOGETHER])
        for start in range(0, len(labels), _TOGETHER)
    ]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return pd.DataFrame(columns, index=labels)


_TOGETHER = 64  # scalars worked out together: what bounds the memory that transforms take


def _columns(values: np.ndarray) -> dict[str, np.ndarray]:
    """Statistics of scalars from their draws, (chain, draw, scalar); each (scalar).

    Draws that are not all finite have no diagnostics, and a single chain no R-hat.  Those of a
    constant have none either, and as many effective draws as draws.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        halves = _halves(values)
        ranked, folded = _normalised(halves), _normalised(_folded(halves))
        unsound = np.where(np.isfinite(values).all(axis=(0, 1)), 0.0, np.nan)
        alone = np.nan if len(values) < 2 else 0.0
        q5, q95 = np.quantile(values, [0.05, 0.95], axis=(0, 1))
        tails = [effective(_halves((values <= q).astype(float))) for q in (q5, q95)]
        sd = values.std(axis=(0, 1), ddof=1)
        return {
            "mean": values.mean(axis=(0, 1)),
            "sd": sd,
            "mcse_mean": sd / np.sqrt(effective(halves)) + unsound,
            "q5": q5,
            "q95": q95,
            "ess_bulk": effective(ranked) + unsound,
            "ess_tail": np.minimum(*tails) + unsound,
            "r_hat": np.fmax(spread(ranked), spread(folded)) + unsound + alone,
        }


def _halves(values: np.ndarray) -> np.ndarray:
    """Each chain as two, its first and its second half, without the middle draw if there is one."""
    half = values.shape[1] // 2
    return np.concatenate([values[:, :half], values[:, -half:]])


def _folded(values: np.ndarray) -> np.ndarray:
    """Distances from the median, which tell chains of unequal width."""
    return np.abs(values - np.median(values, axis=(0, 1)))


def _normalised(values: np.ndarray) -> np.ndarray:
    """Normal scores of the ranks over all chains."""
    flat = values.reshape(-1, values.shape[-1])
    scores = ndtri((rankdata(flat, axis=0) - 0.375) / (len(flat) + 0.25))
    return scores.reshape(values.shape)


def spread(values: np.ndarray) -> np.ndarray:
    """R-hat: the spread of all chains over that within each, (scalar)."""
    draws = values.shape[1]
    between = draws * values.mean(axis=1).var(axis=0, ddof=1)
    within = values.var(axis=1, ddof=1).mean(axis=0)
    return np.sqrt((between / within + draws - 1) / draws)


def effective(values: np.ndarray) -> np.ndarray:
    """Effective number of draws for the mean of ``values``, (chain, draw, scalar); (scalar).

    Autocorrelations are summed in pairs for as long as the pairs are positive, and never let grow
    (Geyer's initial monotone sequence; Vehtari et al., 2021, after Stan).
    """
    chains, draws, scalars = values.shape
    spectrum = rfft(values - values.mean(axis=1, keepdims=True), 2 * draws, axis=1)
    covariance = irfft(np.abs(spectrum) ** 2, 2 * draws, axis=1)[:, :draws].mean(axis=0) / draws
    within = covariance[0] * draws / (draws - 1)
    total = covariance[0] + (values.mean(axis=1).var(axis=0, ddof=1) if chains > 1 else 0.0)
    rho = 1 - (within - covariance) / total
    rho[0] = 1.0
    pairs = rho[: draws // 2 * 2].reshape(-1, 2, scalars).sum(axis=1)[: max((draws - 1) // 2, 1)]
    ends = pairs <= 0
    ends[-1] = True
    end = ends.argmax(axis=0)
    counted = np.arange(len(pairs))[:, None] < end
    monotone = np.where(counted, np.minimum.accumulate(pairs, axis=0), 0.0)
    # Of the pair that ends the sum, the first is counted once, if it is positive (or the pair is).
    last = np.take_along_axis(rho, 2 * end[None], axis=0)[0]
    sound = (last > 0) | (np.take_along_axis(pairs, end[None], axis=0)[0] >= 0)
    last = np.where(sound, last, 0.0)
    size = chains * draws
    time = np.maximum(2 * monotone.sum(axis=0) + last - 1, 1 / np.log10(size))
    constant = np.ptp(values, axis=(0, 1)) < np.finfo(float).resolution
    return np.where(constant, size, size / time)


def diagnose(
    table: pd.DataFrame, stats: xr.Dataset, *, max_depth: int, limit: Thresholds
) -> tuple[Check, ...]:
    """R-hat and effective sizes over the rows of ``table``, the rest over the chains.

    Args:
        table: of :func:`summary`, without :func:`constants`.
        stats: the sampler's statistics, (chain, draw).
        max_depth: a trajectory has at most 2 ** max_depth steps.
        limit: what the draws must reach.
    """
    ess = limit.ess_per_chain * stats.sizes["chain"]
    # Draws that are not numbers, or never moved, have no diagnostics: they fail every one.
    sound = np.isfinite(table[["mean", "sd", "r_hat"]]).all(axis="columns")
    saturated = _saturated(stats, max_depth)
    with np.errstate(invalid="ignore"):
        bfmi = np.nan_to_num(np.atleast_1d(az.bfmi(stats)["energy"]))  # 0 / 0: it never moved
    return (
        _over_scalars(
            "r_hat",
            table["r_hat"].where(sound, np.inf),
            limit.r_hat,
            largest=True,
            advice="The chains disagree. Look at the traces of the parameters named: two modes "
            "call for another model, slow drift for more draws.",
        ),
        _over_scalars(
            "ess_bulk",
            table["ess_bulk"].where(sound, 0.0),
            ess,
            largest=False,
            advice="Too few effective draws for the posterior mean. Raise draws, or simplify.",
        ),
        _over_scalars(
            "ess_tail",
            table["ess_tail"].where(sound, 0.0),
            ess,
            largest=False,
            advice="Too few effective draws for the 90% intervals. Raise draws.",
        ),
        Check(
            name="divergences",
            value=float(stats["diverging"].sum()),
            threshold=0.0,
            passed=not bool(stats["diverging"].any()),
            advice="The sampler met a curvature it cannot follow, so part of the posterior may "
            "be missing. Raise target_accept; if they stay, change the model's coordinates.",
        ),
        Check(
            name="bfmi",
            value=float(bfmi.min()),
            threshold=limit.bfmi,
            passed=bool(bfmi.min() >= limit.bfmi),
            where=tuple(f"chain {i}" for i in np.flatnonzero(bfmi < limit.bfmi)),
            advice="Energy moves slowly between draws, a sign of heavy tails in the posterior.",
        ),
        Check(
            name="tree_depth",
            value=float(saturated.sum()),
            threshold=0.0,
            passed=not bool(saturated.any()),
            advice="Trajectories were cut short at the largest tree. Raise tune first.",
        ),
    )


def _saturated(stats: xr.Dataset, max_depth: int) -> xr.DataArray:
    """Which trajectories were cut short at the largest tree, under each sampler's own name."""
    for name in ("maxdepth_reached", "reached_max_treedepth"):
        if name in stats:
            return stats[name]
    return stats["tree_depth"] >= max_depth


def _over_scalars(
    name: str, values: pd.Series, threshold: float, *, largest: bool, advice: str
) -> Check:
    """A check of the worst scalar; ``where`` names those beyond the threshold, worst first."""
    beyond = values[values > threshold] if largest else values[values < threshold]
    worst = values.max() if largest else values.min()
    return Check(
        name=name,
        value=float(worst),
        threshold=threshold,
        passed=beyond.empty,
        where=tuple(beyond.sort_values(ascending=not largest).index),
        advice=advice,
    )
