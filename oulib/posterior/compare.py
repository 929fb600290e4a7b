"""Comparing models by leaving out one outcome at a time."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr

from oulib.errors import UserError
from oulib.files import PACKAGE
from oulib.model.draws.density import RowDensity, all_rows, log_outcome, row_density, thinned
from oulib.panel import Panel
from oulib.posterior.estimate import SAMPLES
from oulib.sampling import cache
from oulib.sampling.fit import Fit

_CODE = (Path(__file__), PACKAGE / "model")
_BY_ROW = ("elpd_i", "pareto_k")
_TOTALS = ("elpd", "se", "p", "n_samples", "n_data_points", "good_k", "warning")


def log_likelihood(fit: Fit) -> xr.DataArray:
    """log p(y_i | x'_i, R_i, theta) for every draw, dims (chain, draw, row), cached beside the fit.

    The latent score is always integrated out, for explicit fits too: a row's own sampled x* has
    already seen y_i, and conditioning on it would score the model on its memory.
    """

    def compute() -> xr.DataTree:
        values = outcome_density(fit, fit.panel, all_rows(fit, None))
        return xr.DataTree.from_dict({"log_likelihood": values.to_dataset(name="productivity")})

    key = cache.key_of({"draws": fit.digest}, _CODE)
    tree, _ = cache.fetch("log_likelihood", key, compute)
    found = tree["log_likelihood"]["productivity"]
    assert isinstance(found, xr.DataArray)  # a tree may have branches of that name, too
    return found


def outcome_density(result: Fit, panel: Panel, rows: np.ndarray) -> xr.DataArray:
    """log p(y_i | x'_i, R_i, theta) of any ``rows`` of ``panel``, dims (chain, draw, row).

    ``panel`` may have rows that ``result`` was not fitted to; its labels must be the same.  This is
    the model's node ``productivity`` without the need to compile a model for it; for a normal
    outcome without a response part, equation (2.9) (``eq-integrated``).  With deviations it is
    given the OU's other outcomes, too, as leaving out one of a dependent series wants it (Bürkner,
    Gabry and Vehtari, 2021).
    """
    return log_outcome(result, result.posterior, np.asarray(rows), panel)


@lru_cache(maxsize=32)
def loo(fit: Fit) -> az.ELPDData:
    """PSIS-LOO of the outcome: the expected log density of y_i left out alone, pointwise.

    It is kept beside the fit.
    """

    def compute() -> xr.DataTree:
        found = psis_loo(fit, log_likelihood(fit))
        rows = xr.Dataset({name: found[name] for name in _BY_ROW})
        return xr.DataTree(rows.assign({name: found[name] for name in _TOTALS}))

    tree, _ = cache.fetch("loo", cache.key_of({"draws": fit.digest}, _CODE), compute)
    rows = {name: tree[name] for name in _BY_ROW}
    return az.ELPDDataLOO(**rows, **{name: tree[name].item() for name in _TOTALS}, scale="log")


def psis_loo(fit: Fit, values: xr.DataArray) -> az.ELPDData:
    """PSIS-LOO of any pointwise log densities ``values`` (chain, draw, row) at draws of ``fit``."""
    with warnings.catch_warnings():
        # Rows with a high Pareto k are counted in the table, not announced on standard error.
        warnings.filterwarnings("ignore", message="Estimated shape parameter of Pareto")
        result = az.loo(_scored(fit, values), var_name="productivity", pointwise=True)
    result.log_weights = None  # as large as the draws themselves, and not used again
    return result


def _scored(fit: Fit, values: xr.DataArray, **more: xr.DataArray) -> xr.DataTree:
    """The tree that ArviZ wants: ``values`` and the posterior draws that they belong to."""
    groups = {"log_likelihood": values, **more}
    tree = {name: array.to_dataset(name="productivity") for name, array in groups.items()}
    return xr.DataTree.from_dict({"posterior": fit.posterior.sel(draw=values["draw"]), **tree})


def compare(fits: Sequence[Fit]) -> pd.DataFrame:
    """A row a model, best first: ``elpd``, ``p`` and their differences with standard errors.

    Raises:
        UserError: the fits are not about the same rows and outcomes, so that the sums of their
            pointwise densities cannot be compared.
    """
    outcomes = {fit.spec.name: _outcome(fit) for fit in fits}
    if len(outcomes) < len(fits):
        raise UserError("Two of the models to compare have the same name; rename one of them.")
    if len(set(outcomes.values())) > 1:
        raise UserError(
            "These fits cannot be compared, for they are not about the same outcomes: "
            + ", ".join(f"{name} ({digest[:8]})" for name, digest in outcomes.items())
            + ". Fit every model to the same panel."
        )
    results = {fit.spec.name: loo(fit) for fit in fits}
    if len(results) == 1:
        ((name, only),) = results.items()
        table = pd.DataFrame({"elpd": [only.elpd], "se": [only.se], "p": [only.p]}, index=[name])
        table = table.assign(rank=0, elpd_diff=0.0, dse=0.0)
    else:
        table = az.compare(results, round_to="none")
    table["worst_k"] = [float(np.max(results[name].pareto_k)) for name in table.index]
    table["k_too_high"] = [
        int(np.sum(results[n].pareto_k > results[n].good_k)) for n in table.index
    ]
    columns = ["rank", "elpd", "se", "p", "elpd_diff", "dse", "worst_k", "k_too_high"]
    return table[columns].rename_axis("model")


@dataclass(frozen=True)
class Difference:
    """How much better ``upper`` predicts than ``lower``: a sum over places and its standard error.

    A place is what was left out: a row, a month, an OU.  ``doubtful`` counts those for which the
    Pareto k of either says that its part of the sum is not to be trusted.
    """

    lower: str
    upper: str
    elpd: float
    se: float
    places: int
    doubtful: int = 0

    @property
    def clear(self) -> bool:
        """Beyond twice its standard error, and beyond 4, below which the error is not trusted."""
        return abs(self.elpd) > max(2 * self.se, 4.0)


def difference(
    lower: str, upper: str, lower_elpd: az.ELPDData, upper_elpd: az.ELPDData
) -> Difference:
    """The difference of two sums of log densities over the same places (Sivula et al., 2020)."""
    gap = np.ravel(upper_elpd.elpd_i.to_numpy()) - np.ravel(lower_elpd.elpd_i.to_numpy())
    error = float(np.sqrt(gap.size) * gap.std())
    return Difference(
        lower, upper, float(gap.sum()), error, gap.size, _doubtful(lower_elpd, upper_elpd)
    )


def _doubtful(*found: az.ELPDData) -> int:
    """Places at which the Pareto k of any is too high; those of refits have none."""
    high = [
        np.ravel(each.pareto_k.to_numpy()) > each.good_k
        for each in found
        if each.pareto_k is not None
    ]
    return int(np.any(high, axis=0).sum()) if high else 0


def steps(fits: Sequence[Fit]) -> list[Difference]:
    """LOO's difference between each fit and the one before it, in the order given."""
    return [
        difference(lower.spec.name, upper.spec.name, loo(lower), loo(upper))
        for lower, upper in pairwise(fits)
    ]


def waic(fit: Fit) -> pd.Series:
    """WAIC of the outcome; see :func:`waic_of`."""
    return waic_of(log_likelihood(fit)).rename(fit.spec.name)


def waic_of(values: xr.DataArray) -> pd.Series:
    """WAIC on the scale of the log density: ``elpd``, ``se``, ``p``, ``unstable``.

    The log of the mean density less the posterior variance of the log density, row by row
    (Watanabe, 2010); equation (7.5) (``eq-waic``).  ``unstable`` counts the rows where that
    variance exceeds 0.4, beyond which the estimate is not to be trusted (Vehtari, Gelman and
    Gabry, 2017).
    """
    size = values.sizes["chain"] * values.sizes["draw"]
    top = values.max(SAMPLES)
    mean = top + np.log(xr.ufuncs.exp(values - top).sum(SAMPLES)) - np.log(size)
    spread = values.var(SAMPLES, ddof=1)
    row = (mean - spread).to_numpy()
    return pd.Series(
        {
            "elpd": row.sum(),
            "se": np.sqrt(row.size) * row.std(),
            "p": float(spread.sum()),
            "unstable": int((spread > 0.4).sum()),
        }
    )


def conditional_log_likelihood(fit: Fit, x_star: xr.DataArray) -> xr.DataArray:
    """log p(y_i | x*_i, theta) at each row's own sampled score: what not to compare models by.

    ``x_star`` (chain, draw, row) are draws of :func:`oulib.recover_latent`, thinned or not.  The
    score of a row has seen the outcome that it is asked to predict.
    """
    posterior = fit.posterior.sel(draw=x_star["draw"])
    density = row_density(fit, posterior, all_rows(fit, None)).log_outcome(x_star)
    return density.transpose(*SAMPLES, "row")


def share_of_score(fit: Fit) -> np.ndarray:
    """The share of a row's variance that its own score brings, the mean over the draws; (row).

    beta_g^2 s_i^2 / (sigma_y^2 + beta_g^2 s_i^2), s_i the sd of x*_i given the row's survey, and
    with a Student-t outcome its scale in the place of sigma_y; equation (7.9) (``eq-share``).
    """
    r = _rows(fit)
    return (r.loading**2 * r.var / r.spread).mean(SAMPLES).to_numpy()


def influence(fit: Fit) -> pd.DataFrame:
    """A row a row of the panel, the highest Pareto k first.

    Columns ``ou``, ``month``, ``survey`` (whether one was seen), ``k``, ``residual`` (from the
    posterior mean of the row, in units of its scale) and ``elpd`` (the log density of the outcome
    left out); the index is the position of the row in the panel.
    """
    result, r, rows = loo(fit), _rows(fit), fit.panel.rows
    mean = (r.intercept + r.beta * r.mean).mean(SAMPLES)
    scale = np.sqrt(r.spread.mean(SAMPLES))
    table = pd.DataFrame(
        {
            "ou": rows["ou"].to_numpy(),
            "month": rows["month"].to_numpy(),
            "survey": rows["observed"].to_numpy(),
            "k": result.pareto_k.to_numpy(),
            "residual": ((r.y - mean) / scale).to_numpy(),
            "elpd": result.elpd_i.to_numpy(),
        }
    )
    return table.rename_axis("row").sort_values("k", ascending=False)


def loo_pit(fit: Fit, replicates: xr.DataArray) -> np.ndarray:
    """The probability that a left-out outcome falls below the one observed; (row).

    Uniform between 0 and 1 if the model is calibrated.  ``replicates`` (sample, row) are those of
    the outcome by :func:`oulib.posterior.predict.replicate`, at some of the fit's draws.
    """
    drawn = replicates.unstack("sample").transpose(*SAMPLES, "row")
    values = log_likelihood(fit).sel(draw=drawn["draw"])
    observed = xr.DataArray(
        fit.panel.rows["y"].to_numpy(), dims="row", coords={"row": drawn["row"]}
    )
    tree = _scored(fit, values, posterior_predictive=drawn, observed_data=observed)
    return az.loo_pit(tree, var_names="productivity")["productivity"].to_numpy()


def _rows(fit: Fit) -> RowDensity:
    return row_density(fit, thinned(fit.posterior, 1000), all_rows(fit, None))


def _outcome(fit: Fit) -> str:
    """A digest of which rows were scored and what their outcomes are."""
    rows = fit.panel.rows
    digest = hashlib.sha256(np.ascontiguousarray(rows["y"].to_numpy()).tobytes())
    digest.update("\x1f".join(fit.panel.ous + fit.panel.months).encode())
    for name in ("ou_idx", "month_idx"):
        digest.update(np.ascontiguousarray(rows[name].to_numpy()).tobytes())
    return digest.hexdigest()
