"""Refits with rows left out: exact leave-one-out, months ahead, OUs that were never seen.

ArviZ knows how to add up the parts; here it is told how to leave rows out and to fit the rest.
A refit is a fit like any other: seeded, cached, and sampled by a compiled model that served before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import arviz as az
import numpy as np
import xarray as xr

from oulib.compare import log_likelihood, loo
from oulib.density import model_sums, row_density
from oulib.fit import Fit, Sampling, fit
from oulib.panel import Panel


def outcome_density(result: Fit, panel: Panel, rows: np.ndarray) -> xr.DataArray:
    """log p(y_i | x'_i, R_i, theta) of any ``rows`` of ``panel``, dims (chain, draw, row).

    ``panel`` may have rows that ``result`` was not fitted to; its labels must be the same.
    """
    found = replace(result, panel=panel)
    outcome, _ = model_sums(row_density(found, result.posterior, rows), step=result.spec.step)
    return outcome.transpose("chain", "draw", "row")


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

    def sel_observations(self, idx: Any) -> tuple[Panel, np.ndarray]:
        return self.leave(idx)

    def sample(self, modified_observed_data: Panel) -> Fit:
        return fit(modified_observed_data, self.full.spec, self.sampling, progress=False)

    def get_inference_data(self, fitted_model: Fit) -> xr.DataTree:
        self.current = fitted_model
        return fitted_model.tree

    def log_likelihood__i(self, excluded_obs: np.ndarray, idata__i: xr.DataTree) -> xr.DataArray:
        return self.collect(outcome_density(self.current, self.full.panel, excluded_obs))


def exact_loo(full: Fit, *, sampling: Sampling | None = None, most: int = 10) -> az.ELPDData:
    """PSIS-LOO with exact refits of the rows whose Pareto k is too high.

    Only the outcome of such a row is left out; its survey stays, as in :func:`oulib.compare.loo`.
    With more than ``most`` of them the worst are refitted and the others left as they are.
    """
    approximate = loo(full)
    k = np.sort(approximate.pareto_k.to_numpy())[::-1]
    threshold = max(float(approximate.good_k), float(k[most]) if k.size > most else 0.0)

    def leave(idx: Any) -> tuple[Panel, np.ndarray]:
        row = np.atleast_1d(np.asarray(idx["row"] if isinstance(idx, dict) else idx))
        return full.panel.without_outcome(row), row

    refit = _Refit(
        full,
        sampling or full.sampling,
        log_likelihood(full),
        leave,
        lambda density: density.squeeze("row", drop=True),
    )
    return az.reloo(refit, loo_orig=approximate, k_threshold=threshold, pointwise=True)


def months_ahead(full: Fit, *, months: int = 6, sampling: Sampling | None = None) -> az.ELPDData:
    """Leave-future-out: each of the last ``months`` months predicted from all the months before.

    Everything from the month on is left out, surveys and responses, too.  A month's value is the
    joint log density of its rows given their own surveys: the OUs share the month's effect, which
    is itself predicted.
    """
    panel = full.panel
    month = panel.rows["month_idx"].to_numpy()

    def by_month(density: xr.DataArray) -> xr.DataArray:
        index = xr.DataArray(month[density["row"].to_numpy()], dims="row", name="month")
        return density.drop_vars("row").groupby(index).sum("row")

    def leave(idx: np.ndarray) -> tuple[Panel, np.ndarray]:
        out = np.isin(month, places[idx])
        return panel.keep(np.flatnonzero(~out)), np.flatnonzero(out)

    values = by_month(log_likelihood(full).assign_coords(row=np.arange(month.size)))
    places = values["month"].to_numpy()  # months that have rows
    refit = _Refit(full, sampling or full.sampling, values, leave, by_month)
    return az.lfo_cv(
        refit.idata_orig,
        refit,
        min_observations=places.size - months,
        forecast_horizon=1,
        time_dim="month",
        method="exact",
        pointwise=True,
    )


def new_ous(full: Fit, *, folds: int = 4, sampling: Sampling | None = None) -> az.ELPDData:
    """K-fold over OUs: the outcomes of OUs that the fit has not seen, of its sites or not.

    Every fold leaves out about as many OUs of each site.  An OU's value is the sum over its rows
    of log p(y_i | x'_i), its intercept, slope and mean score drawn from the population (and its
    site).
    """
    panel = full.panel
    ou = panel.rows["ou_idx"].to_numpy()
    rng = np.random.default_rng(full.sampling.seed)
    order = np.lexsort((rng.random(len(panel.ous)), panel.site_idx))  # by site, shuffled within
    fold = np.empty(order.size, dtype=int)
    fold[order] = np.arange(order.size) % folds + 1

    def leave(idx: np.ndarray) -> tuple[Panel, np.ndarray]:
        out = np.isin(ou, idx)
        return panel.keep(np.flatnonzero(~out)), np.flatnonzero(out)

    def by_ou(density: xr.DataArray) -> xr.DataArray:
        """Row by row: log means over the draws do not add up as joint densities would."""
        predictive = density
        index = xr.DataArray(ou[density["row"].to_numpy()], dims="row", name="ou")
        total = xr.apply_ufunc(
            lambda v: (
                np.logaddexp.reduce(v.reshape(-1, v.shape[-1]), axis=0) - np.log(v[..., 0].size)
            ),
            predictive,
            input_core_dims=[["chain", "draw", "row"]],
            output_core_dims=[["row"]],
        )
        total = total.groupby(index).sum("row")
        return total.expand_dims(chain=1, draw=1)

    values = by_ou(log_likelihood(full).assign_coords(row=np.arange(ou.size)))
    refit = _Refit(full, sampling or full.sampling, values, leave, by_ou)
    return az.loo_kfold(refit.idata_orig, refit, folds=fold, pointwise=True)
