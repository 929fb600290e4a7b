"""Refits with rows left out: exact leave-one-out, months ahead, OUs that were never seen.

ArviZ knows how to add up the parts; here it is told how to leave rows out and to fit the rest.
A refit is a fit like any other: seeded, cached, and sampled by a compiled model that served before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr

from oulib.errors import UserError
from oulib.model.draws import generate
from oulib.model.draws.density import row_density
from oulib.panel import Panel
from oulib.posterior import checks
from oulib.posterior.checks import Verdict
from oulib.posterior.compare import log_likelihood, loo, outcome_density
from oulib.posterior.estimate import SAMPLES
from oulib.sampling.fit import Fit, Sampling


@dataclass(frozen=True)
class LeftOut:
    """Log densities of what was left out, and the refits that they come from.

    ``elpd`` is ArviZ's result, a value a place (row, month or OU) in its ``elpd_i``.  What is read
    off a refit is the log density of what it has not seen, and ``verdicts`` are the gates of that
    (:func:`oulib.posterior.checks.read`); ``lengthened`` refits were too short at first, and drawn
    longer.
    """

    elpd: az.ELPDData
    refits: tuple[Fit, ...]
    verdicts: tuple[Verdict, ...] = ()
    lengthened: int = 0

    @property
    def seconds(self) -> float:
        """Seconds that compiling and sampling took when the refits were computed."""
        return sum(sum(refit.seconds.values()) for refit in self.refits)


class _Refit(az.SamplingWrapper):
    """What ArviZ asks of a model to refit it without some of its observations.

    ``leave`` turns the places that ArviZ leaves out into the panel without them and the rows to
    score; ``collect`` turns those rows' densities into one value a place.
    """

    def __init__(
        self,
        full: Fit,
        sampling: Sampling,
        values: xr.DataArray,
        leave: Callable[[Any], tuple[Panel, np.ndarray]],
        collect: Callable[[xr.DataArray], xr.DataArray],
    ) -> None:
        tree = {"posterior": full.posterior, "log_likelihood": values.to_dataset(name="y")}
        super().__init__(model=None, idata_orig=xr.DataTree.from_dict(tree))
        self.full, self.sampling, self.leave, self.collect = full, sampling, leave, collect
        self.refits: list[Fit] = []
        self.verdicts: list[Verdict] = []

    def result(self, elpd: az.ELPDData, **labels: np.ndarray) -> LeftOut:
        """What was found, places under ``labels`` instead of positions."""
        elpd.elpd_i = elpd.elpd_i.assign_coords(labels)
        longer = sum(refit.sampling != self.sampling for refit in self.refits)
        return LeftOut(elpd, tuple(self.refits), tuple(self.verdicts), longer)

    def sel_observations(self, idx: Any) -> tuple[Panel, np.ndarray]:
        panel, self.out = self.leave(idx)
        return panel, self.out

    def sample(self, modified_observed_data: Panel) -> Fit:
        def unseen(made: Fit) -> xr.DataArray:
            density = outcome_density(made, self.full.panel, self.out)
            return density.sum("row").rename("log density left out")

        made, verdict = checks.refit(modified_observed_data, self.full.spec, self.sampling, unseen)
        self.refits.append(made)
        self.verdicts.append(verdict)
        return made

    def get_inference_data(self, fitted_model: Fit) -> xr.DataTree:
        return fitted_model.tree

    def log_likelihood__i(self, excluded_obs: np.ndarray, idata__i: xr.DataTree) -> xr.DataArray:
        return self.collect(outcome_density(self.refits[-1], self.full.panel, excluded_obs))


def exact_loo(
    full: Fit,
    *,
    sampling: Sampling | None = None,
    most: int = 10,
    threshold: float | None = None,
) -> LeftOut:
    """PSIS-LOO with exact refits of the rows whose Pareto k is above ``threshold``.

    By default that is where k is too high for the number of draws.  Only the outcome of such a row
    is left out; its survey stays, as in :func:`oulib.posterior.compare.loo`.  With more than
    ``most`` of them the worst are refitted and the others left as they are.
    """
    approximate = loo(full)
    k = np.sort(approximate.pareto_k.to_numpy())[::-1]
    threshold = float(approximate.good_k) if threshold is None else threshold
    threshold = max(threshold, float(k[most])) if k.size > most else threshold

    def leave(idx: int) -> tuple[Panel, np.ndarray]:
        row = np.atleast_1d(idx)
        return full.panel.without_outcome(row), row

    refit = _Refit(
        full,
        sampling or full.sampling,
        log_likelihood(full),
        leave,
        lambda density: density.squeeze("row", drop=True),
    )
    elpd = az.reloo(refit, loo_orig=approximate, k_threshold=threshold, pointwise=True)
    return refit.result(elpd)


def months_ahead(full: Fit, *, months: int = 6, sampling: Sampling | None = None) -> LeftOut:
    """Leave-future-out: each of the last ``months`` months predicted from all the months before.

    Everything from the month on is left out, surveys and responses, too.  A month's value is the
    joint log density of its rows given their own surveys: the OUs share the month's effect, which
    is itself predicted.

    Raises:
        UserError: the panel has no month left to predict the first of them from.
    """
    panel = full.panel
    month = panel.rows["month_idx"].to_numpy()

    def by_month(density: xr.DataArray) -> xr.DataArray:
        return density.groupby(_place(density, month, "month")).sum("row")

    values = by_month(log_likelihood(full))
    places = values["month"].to_numpy()  # months that have rows
    if not 0 < months < places.size:
        raise UserError(
            f"The last {months} of {places.size} months cannot be predicted from those before; "
            f"choose between 1 and {places.size - 1}."
        )

    def leave(idx: np.ndarray) -> tuple[Panel, np.ndarray]:
        out = np.isin(month, places[idx])
        return panel.select_rows(np.flatnonzero(~out)), np.flatnonzero(out)

    refit = _Refit(full, sampling or full.sampling, values, leave, by_month)
    elpd = az.lfo_cv(
        refit.idata_orig,
        refit,
        min_observations=places.size - months,
        forecast_horizon=1,
        time_dim="month",
        method="exact",
        pointwise=True,
    )
    labels = np.array(panel.months)[places[-months:]]
    return refit.result(elpd, month=labels)


def new_ous(full: Fit, *, folds: int = 4, sampling: Sampling | None = None) -> LeftOut:
    """K-fold over OUs: the outcomes of OUs that the fit has not seen, of its sites or not.

    Every fold leaves out about as many OUs of each site.  An OU's value is the sum over its rows
    of log p(y_i | x'_i), its intercept, slope and mean score drawn from the population (and its
    site).

    Raises:
        UserError: there are not as many OUs as folds.
    """
    panel = full.panel
    ou = panel.rows["ou_idx"].to_numpy()
    if not 2 <= folds <= len(panel.ous):
        raise UserError(
            f"{len(panel.ous)} OUs cannot be left out in {folds} parts; choose between 2 and "
            f"{len(panel.ous)}."
        )

    def leave(idx: np.ndarray) -> tuple[Panel, np.ndarray]:
        out = np.isin(ou, idx)
        return panel.select_rows(np.flatnonzero(~out)), np.flatnonzero(out)

    def by_ou(density: xr.DataArray) -> xr.DataArray:
        """A sum of rows' log mean densities, which is one number: a chain of one draw."""
        total = _log_mean(density)
        total = total.groupby(_place(total, ou, "ou")).sum("row")
        return total.expand_dims(chain=1, draw=1)

    refit = _Refit(full, sampling or full.sampling, by_ou(log_likelihood(full)), leave, by_ou)
    chosen = ou_folds(panel, folds, seed=full.sampling.seed)
    elpd = az.loo_kfold(refit.idata_orig, refit, folds=chosen, pointwise=True)
    return refit.result(elpd, ou=np.array(panel.ous))


def ou_folds(panel: Panel, folds: int, *, seed: int = 0) -> np.ndarray:
    """The fold of every OU, from 1 up: dealt out site by site, sites and OUs in random order."""
    rng = np.random.default_rng(seed)
    site = rng.permutation(len(panel.sites))[panel.site_idx]
    order = np.lexsort((rng.random(len(panel.ous)), site))
    fold = np.empty(order.size, dtype=int)
    fold[order] = np.arange(order.size) % folds + 1
    return fold


def forecasts(full: Fit, ahead: LeftOut, *, seed: int = 0) -> pd.DataFrame:
    """The mean outcome of each month of :func:`months_ahead`, as predicted from those before.

    Returns:
        A row a month, columns ``q5``, ``q50``, ``q95``, ``sd`` of the prediction and
        ``observed``; the noise of the rows is in the prediction.
    """
    rng = np.random.default_rng(seed)
    label = full.panel.rows["month"].to_numpy()
    y = full.panel.rows["y"].to_numpy()
    table = {}
    for month, refit in zip(ahead.elpd.elpd_i["month"].to_numpy(), ahead.refits, strict=True):
        rows = np.flatnonzero(label == month)
        p = refit.posterior
        r = row_density(refit, p, rows, full.panel)
        centre = (r.intercept + r.beta * r.mean).transpose(*SAMPLES, "row")
        move = np.sqrt(r.var) * r.loading * rng.standard_normal(centre.shape)
        noise = generate.standard_noise(p, (rows.size,), rng)
        mean = (centre + move + r.sigma * centre.copy(data=noise)).mean("row")
        q5, q50, q95 = np.quantile(mean.to_numpy(), [0.05, 0.5, 0.95])
        table[str(month)] = {
            **{"q5": q5, "q50": q50, "q95": q95, "sd": float(mean.std())},
            "observed": y[rows].mean(),
        }
    return pd.DataFrame.from_dict(table, orient="index").rename_axis("month")


def _place(values: xr.DataArray, index: np.ndarray, name: str) -> xr.DataArray:
    """What to group ``values`` by: ``index`` of their rows, which are positions in the panel."""
    return xr.DataArray(index[values["row"].to_numpy()], dims="row", name=name)


def _log_mean(density: xr.DataArray) -> xr.DataArray:
    """The log of the mean density over the draws, dim (row)."""
    top = density.max(SAMPLES)
    return top + xr.ufuncs.log(xr.ufuncs.exp(density - top).mean(SAMPLES))
