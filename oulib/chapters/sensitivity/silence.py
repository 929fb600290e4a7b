"""What follows for a slope if scores that nobody saw are other than a model takes them to be.

A pattern-mixture model (Little, 1993): the distribution of what was observed, outcomes of silent
months among it, is left as it is, and the scores of silent months are moved by ``delta`` sds from
what the outcome and the model say of them.  Nothing observed depends on ``delta``.  What does is
the slope over all planned months together, answered or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr
from scipy import sparse

from oulib.chapters.sensitivity.analysis import standing
from oulib.model.draws.density import alone, expectations, thinned
from oulib.panel import Panel
from oulib.panel.describe import unanswered_rows
from oulib.posterior.adequacy import two_way
from oulib.posterior.estimate import SAMPLES, Estimate, estimate
from oulib.posterior.latent import recover_latent
from oulib.sampling.fit import Fit

_NONE = 1e-9  # silence of whole OUs or whole months only: nothing to compare it with


def planned_rows(panel: Panel) -> np.ndarray:
    """Positions of the rows with a planned survey and an outcome, in row order."""
    rows = panel.scheduled_rows
    return rows[np.isfinite(panel.rows["y"].to_numpy()[rows])]


def silence(fit: Fit, *, draws: int = 1000, seed: int = 0) -> xr.Dataset:
    """What goes with silence within OUs and months, over the planned rows, (chain, draw).

    ``outcome`` is by how much outcomes of silent months are higher than those that were answered
    of the same OU and month, in sds of the outcome, and ``score`` by how much scores are, in sds of
    the score, as the model works them out from outcomes.  ``rarity`` is the variance of silence
    within OUs and months, and ``movement`` that of scores beside it, in units of the score's own.
    OUs are weighted anew in each draw (the Bayesian bootstrap of Rubin, 1981), so that what few
    silent months leave open is in the draws, too.

    Args:
        fit: a fit of a model without a response part, to a panel with a schedule.
        draws: thin the posterior to about so many draws.
        seed: of the scores drawn and of the weights.
    """
    panel, rows = fit.panel, planned_rows(fit.panel)
    plain = alone(fit)
    posterior = thinned(fit.posterior, draws)
    expected = expectations(plain, posterior, rows)
    y = xr.DataArray(panel.rows["y"].to_numpy()[rows], dims="row", coords={"row": rows})
    sd = posterior["sigma_x"]
    departure = y - expected.intercept - expected.beta * expected.x
    moved = (recover_latent(plain, rows=rows, draws=draws, seed=seed) - expected.x) / sd
    quiet = np.isin(rows, unanswered_rows(panel)).astype(float)
    ou, month = (panel.rows[name].to_numpy()[rows] for name in ("ou_idx", "month_idx"))
    left = two_way(panel, _at(rows, quiet, panel)[None])[0]
    own = left[ou, month]
    means = np.unique(ou).size + np.unique(month).size - 1
    by_ou = sparse.csr_array((np.ones(rows.size), (ou, np.arange(rows.size))))
    samples = (posterior.sizes["chain"], posterior.sizes["draw"])
    weight = np.random.default_rng(seed).standard_exponential((*samples, by_ou.shape[0]))
    total = weight @ np.asarray(by_ou.sum(axis=1))

    def mean(values: xr.DataArray | float) -> xr.DataArray:
        """Mean over rows of silence, less its means, times ``values``."""
        product = np.broadcast_to(own * _plain(values), (*samples, rows.size))
        summed = (by_ou @ product.reshape(-1, rows.size).T).T.reshape(weight.shape)
        return xr.DataArray((weight * summed).sum(axis=-1) / total, dims=SAMPLES)

    rarity = mean(own)
    found = {
        name: (mean(values) / rarity).where(rarity > _NONE, 0.0)
        for name, values in (("outcome", departure), ("score", moved))
    }
    labels = {dim: posterior[dim] for dim in SAMPLES}
    movement = max(1 - (means + 1) / max(rows.size, 1), 0.0)
    return xr.Dataset(found | {"rarity": rarity, "movement": movement}).assign_coords(labels)


def _at(rows: np.ndarray, values: np.ndarray, panel: Panel) -> np.ndarray:
    """``values`` at ``rows`` of the panel, NaN elsewhere, (row)."""
    whole = np.full(panel.rows.sizes["row"], np.nan)
    whole[rows] = values
    return whole


def _plain(values: xr.DataArray | float) -> np.ndarray:
    if not isinstance(values, xr.DataArray):
        return np.asarray(values)
    return values.transpose(*SAMPLES, "row").to_numpy()


def given_shift(fit: Fit, found: xr.Dataset, delta: float) -> xr.DataArray:
    """Draws of the slope over all planned months, were silent scores ``delta`` sds higher.

    Two lines in one: that among months of a kind, whose slope is ``mu_beta``, and the one from
    answered months to silent ones; equation (16.2) (``eq-shift``).  ``found`` is :func:`silence` of
    the same fit.
    """
    at = {"chain": found["chain"], "draw": found["draw"]}
    slope, sd = (fit.posterior[name].sel(at) for name in ("mu_beta", "sigma_x"))
    apart, rarity = found["score"] + delta, found["rarity"]
    along = found["movement"] * slope + rarity * apart * found["outcome"] / sd
    return along / (found["movement"] + rarity * apart**2)


def shifted(fit: Fit, found: xr.Dataset, shifts: Sequence[float]) -> pd.DataFrame:
    """:func:`analysis.standing` of :func:`given_shift`, a row a shift, in order."""
    rows = {float(d): standing(fit, given_shift(fit, found, d)) for d in sorted(shifts)}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("delta")


@dataclass(frozen=True)
class Compared:
    """How silent months lie beside answered ones within OUs and months.

    By how much outcomes are higher, in sds of the outcome, and scores in sds of the score (the
    posterior mean).  Not ``possible`` where whole OUs or whole months are silent.
    """

    possible: bool
    outcome: Estimate
    score: float


def compared(found: xr.Dataset) -> Compared:
    """Silent months beside answered ones, from :func:`silence`."""
    return Compared(
        possible=bool((found["rarity"] > 0).any()) and bool((found["outcome"] != 0).any()),
        outcome=estimate(found["outcome"]),
        score=float(found["score"].mean()),
    )


@dataclass(frozen=True)
class Shifts:
    """Planned months at one draw of their scores, and the slope over all of them by shift.

    ``score`` and ``outcome`` are above what is expected of the unit and the month, in sds of the
    score's own movement and of the outcome, (row), and ``silent`` says which of them nobody
    answered.  ``scale`` is that sd of the score, ``slope`` the one among months of a kind, in sds
    of the outcome for one of the score; ``table`` is that of :func:`shifted`.
    """

    score: np.ndarray
    outcome: np.ndarray
    silent: np.ndarray
    scale: float
    slope: float
    table: pd.DataFrame

    @property
    def months(self) -> tuple[int, int]:
        """How many months were answered, and how many are silent."""
        quiet = int(self.silent.sum())
        return self.silent.size - quiet, quiet

    @property
    def middles(self) -> tuple[float, float]:
        """Mean score of answered and of silent months, NaN where there is none."""
        both = (self.score[~self.silent], self.score[self.silent])
        answered, quiet = (float(one.mean()) if one.size else np.nan for one in both)
        return answered, quiet


def shifts(fit: Fit, found: xr.Dataset, table: pd.DataFrame, *, seed: int = 0) -> Shifts:
    """What moves with a shift of silent scores, and what stays.

    Args:
        fit: as for :func:`silence`, which gave ``found``.
        found: :func:`silence` of the fit.
        table: :func:`shifted` of it.
        seed: of the scores drawn.
    """
    rows, plain = planned_rows(fit.panel), alone(fit)
    draws = {"chain": found["chain"][:1], "draw": found["draw"][:1]}
    one = replace(plain, tree=xr.DataTree.from_dict({"posterior": fit.posterior.sel(draws)}))
    expected = expectations(one, one.posterior, rows)
    score = recover_latent(one, rows=rows, seed=seed) - expected.x
    outcome = fit.panel.rows["y"].to_numpy()[rows] - _plain(
        expected.intercept + expected.beta * expected.x
    )
    mean = fit.posterior[["sigma_x", "mu_beta"]].mean(SAMPLES)
    return Shifts(
        score=(_plain(score) / float(one.posterior["sigma_x"].squeeze())).reshape(-1),
        outcome=outcome.reshape(-1),
        silent=np.isin(rows, unanswered_rows(fit.panel)),
        scale=float(mean["sigma_x"]),
        slope=float(mean["mu_beta"]),
        table=table,
    )


def line(given: Shifts, delta: float) -> tuple[float, float]:
    """Height at 0 and slope of the line over all planned months, in the units of the scatter.

    ``delta`` is one of the table; the line goes through the mean of all months.
    """
    slope = float(given.table.loc[delta, "mean"]) * given.scale
    middle = given.score.mean() + delta * given.silent.mean()
    return float(given.outcome.mean() - slope * middle), slope
