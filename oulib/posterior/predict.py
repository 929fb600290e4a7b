"""Replicated data from the posterior."""

from __future__ import annotations

import itertools
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pymc as pm
import pytensor
import xarray as xr
from scipy import special, stats

from oulib.model.draws import generate
from oulib.model.draws.density import all_rows, alone, expectations, row_density, thinned
from oulib.model.survey import respondents
from oulib.posterior.estimate import SAMPLES
from oulib.sampling.fit import Fit


def replicate(fit: Fit, *, draws: int = 400, seed: int = 0, anew: Sequence[str] = ()) -> xr.Dataset:
    """Replicates of ``productivity`` (sample, row) and ``survey`` (sample, survey_row).

    Both are on the standardised scale; a row's outcome is replicated given its own survey, the
    quantity that LOO scores, and a survey given that it was answered.  ``draws`` posterior draws
    are taken at even distance.  Variables named in ``anew``, ``lam`` for example, are drawn again
    from their distribution given the hyperparameters: other months like these, and not the same
    months once more.  A model with deviations has no distribution of a row by itself: its
    outcomes are those of the same OUs on other paths, and ``anew`` is not for it.
    """
    if fit.spec.deviations:
        return _on_other_paths(fit, draws=draws, seed=seed, anew=anew)
    model, posterior = fit.integrated()
    step = max(posterior.sizes["chain"] * posterior.sizes["draw"] // draws, 1)
    thinned = posterior.isel(draw=slice(None, None, step))
    with model, quiet(), in_python():
        tree = pm.sample_posterior_predictive(
            xr.DataTree.from_dict({"posterior": thinned}),
            var_names=["productivity", "survey"],
            sample_vars=list(anew),
            # The draws are not new data's: PyMC would ask, because the panel is data of the model.
            freeze_vars=[name for name in thinned if name not in anew],
            random_seed=seed,
            progressbar=False,
        )
    replicates = tree["posterior_predictive"].to_dataset()
    if fit.spec.response:
        kept = fit.posterior.sel(draw=thinned["draw"])  # with what follows from the parameters
        replicates["survey"] = _answered(fit, kept, replicates["survey"], seed)
    return replicates.stack(sample=SAMPLES).transpose("sample", ...)


def _on_other_paths(fit: Fit, *, draws: int, seed: int, anew: Sequence[str]) -> xr.Dataset:
    """:func:`replicate` for a model with deviations."""
    if anew:
        raise ValueError("With deviations only paths of the OUs are drawn anew.")
    p, rng = thinned(fit.posterior, draws), np.random.default_rng(seed)
    r = row_density(alone(fit), p, all_rows(fit, None))
    made = {"productivity": r.intercept + r.beta * r.mean + generate.residuals(fit, p, rng)}
    seen = fit.panel.survey_rows
    x = expectations(fit, p, seen).x.transpose(*SAMPLES, "row")
    n = xr.DataArray(respondents(fit.panel)[seen], dims="row", coords={"row": seen})
    sd = np.sqrt(p["sigma_x"] ** 2 + p["sigma_meas"] ** 2 / n)
    made["survey"] = (x + sd * rng.standard_normal(x.shape)).rename(row="survey_row")
    made["productivity"] = made["productivity"] + np.sqrt(r.loading**2 * r.var) * r.mean.copy(
        data=rng.standard_normal(r.mean.shape)
    )
    found = xr.Dataset(made).stack(sample=SAMPLES)
    return found.transpose("sample", ...)


def _answered(fit: Fit, posterior: xr.Dataset, survey: xr.DataArray, seed: int) -> xr.DataArray:
    """Replicates of ``survey`` given that it was answered, (chain, draw, survey_row).

    The observed node is p(x'_i), and whether the survey was answered is another.  A score that
    was seen was seen because it was answered: its latent score is drawn, and kept with the chance
    of an answer, before noise is added.
    """
    rng, rows = np.random.default_rng(seed), fit.panel.survey_rows
    expected = expectations(fit, posterior, rows)
    assert isinstance(expected.offset, xr.DataArray)  # a number only without a response part
    mean, offset = (
        values.transpose(*SAMPLES, "row").to_numpy() for values in (expected.x, expected.offset)
    )
    sd, slope = (
        np.broadcast_to(posterior[name].to_numpy()[..., None], mean.shape)
        for name in ("sigma_x", "rho_x")
    )
    planned = np.broadcast_to(fit.panel.rows["scheduled"].to_numpy()[rows], mean.shape)
    x = rng.normal(mean, sd)
    left = np.flatnonzero(planned)
    flat = [np.ravel(values) for values in (x, mean, sd, slope, offset)]
    while left.size:
        chance = special.expit(flat[4][left] + flat[3][left] * flat[0][left])
        left = left[rng.random(left.size) > chance]
        flat[0][left] = rng.normal(flat[1][left], flat[2][left])
    noise = posterior["sigma_meas"].to_numpy()[..., None] / np.sqrt(respondents(fit.panel)[rows])
    return survey.copy(data=flat[0].reshape(x.shape) + noise * rng.standard_normal(x.shape))


@contextmanager
def quiet() -> Iterator[None]:
    """Keep PyMC and Numba from announcing what they do: a notebook would show it as an output.

    Numba says that it leaves a distribution of ours, whose draws are NumPy code, to Python.
    """
    logger = logging.getLogger("pymc")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Numba will use object mode")
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def in_python() -> Iterator[None]:
    """Have PyTensor compile to Python, for what is called once or for some thousand draws.

    Compiling by Numba takes longer than all the calls; so does a C compiler, to which PyTensor
    hands what is inside of a loop or of a distribution unless it is told that there is none.
    """
    with pytensor.config.change_flags(mode="FAST_COMPILE", cxx=""):
        yield


def coverage(replicates: xr.DataArray, observed: np.ndarray, prob: float = 0.9) -> float:
    """Share of ``observed`` inside the central ``prob`` interval of its replicates."""
    tail = (1 - prob) / 2
    low, high = (replicates.quantile(q, dim="sample").to_numpy() for q in (tail, 1 - tail))
    return float(np.mean((observed >= low) & (observed <= high)))


@dataclass(frozen=True)
class Coverage:
    """Share of the data inside predictive intervals, and between what it is for replicates."""

    share: float
    low: float
    high: float


def covered(replicates: xr.DataArray, observed: np.ndarray, prob: float = 0.9) -> Coverage:
    """:func:`coverage` of the data, with the band of a calibrated model.

    The band is where nine in ten of the ``replicates`` (sample, ...) themselves lie, so it is as
    wide as the number of rows, and what they have in common, make it.
    """
    tail = (1 - prob) / 2
    low, high = (replicates.quantile(q, dim="sample") for q in (tail, 1 - tail))
    own = ((replicates >= low) & (replicates <= high)).transpose("sample", ...).to_numpy()
    band = np.quantile(own.reshape(len(own), -1).mean(axis=1), [0.05, 0.95])
    return Coverage(coverage(replicates, observed, prob), *map(float, band))


def survey_calibration(
    fit: Fit, replicates: xr.DataArray, *, groups: int = 4, prob: float = 0.9
) -> pd.DataFrame:
    """How predictive intervals of survey scores fit the data, by number of respondents.

    ``replicates`` are those of ``survey``, (sample, survey_row).  The rows with a survey are cut
    into groups of about equal size by n.  Columns: ``n`` (median), ``rows``, ``coverage`` of the
    central ``prob`` intervals, ``expected_low`` and ``expected_high`` (where the coverage of a
    calibrated model lies nine times in ten), ``width`` (mean, in sds of the score).
    """
    panel = fit.panel
    x = panel.rows["x"].to_numpy()[panel.survey_rows]
    n = panel.rows["respondents"].to_numpy()[panel.survey_rows]
    tail = (1 - prob) / 2
    low, high = (replicates.quantile(q, dim="sample").to_numpy() for q in (tail, 1 - tail))
    rows = pd.DataFrame({"n": n, "inside": (x >= low) & (x <= high), "width": high - low})
    group = rows.groupby(pd.qcut(n, groups, labels=False, duplicates="drop"))
    size = group.size()
    return pd.DataFrame(
        {
            "n": group["n"].median(),
            "rows": size,
            "coverage": group["inside"].mean(),
            "expected_low": stats.binom.ppf(0.05, size, prob) / size,
            "expected_high": stats.binom.ppf(0.95, size, prob) / size,
            "width": group["width"].mean(),
        }
    ).reset_index(drop=True)


def new_ous(fit: Fit, site: np.ndarray, *, draws: int | None = None, seed: int = 0) -> xr.Dataset:
    """What OUs without any history would be: ``alpha``, ``beta``, ``mu_x_ou`` and so on.

    ``site`` has the position of each new OU's site, -1 for a site of its own that the panel does
    not have.  Everything is drawn from the population and, with a site level, from the site;
    never from an OU of the panel.  Dims (chain, draw, ou); ``trend`` and ``rho_ou`` only where
    the model has those parts.
    """
    p, rng = thinned(fit.posterior, draws), np.random.default_rng(seed)
    return generate.new_ous(fit, p, site, rng)


def regenerate(fit: Fit, *, draws: int = 400, seed: int = 0) -> xr.Dataset:
    """The panel made once more by the fitted model's own recipe, (sample, row).

    Unlike :func:`replicate`, nothing of a row's data is given: its latent score ``x_star`` is
    drawn anew, and its ``productivity`` and, with a response part, its ``responded`` (False where
    no survey was planned) follow from it.  A check of who answers has to begin there, for a row's
    own survey was seen only because it was answered.
    """
    p, rng = thinned(fit.posterior, draws), np.random.default_rng(seed)
    rows = all_rows(fit, None)
    expected = expectations(fit, p, rows)
    shape = (p.sizes["chain"], p.sizes["draw"], rows.size)

    def by_row(values: np.ndarray) -> xr.DataArray:
        return xr.DataArray(values, dims=(*SAMPLES, "row"), coords={"row": rows})

    x = expected.x + p["sigma_x"] * by_row(rng.standard_normal(shape))
    y = expected.outcome(x) + generate.residuals(fit, p, rng)
    made = {"x_star": x, "productivity": y}
    if fit.spec.response:
        logit = expected.offset + p["rho_x"] * x
        planned = xr.DataArray(fit.panel.rows["scheduled"].to_numpy(), dims="row")
        chance = by_row(special.expit(logit.transpose(*SAMPLES, "row").to_numpy()))
        made["responded"] = planned & (by_row(rng.random(shape)) < chance)
    return xr.Dataset(made).stack(sample=SAMPLES).transpose("sample", "row")


def prior_draws(fit: Fit, names: Sequence[str], *, draws: int = 4000, seed: int = 0) -> xr.Dataset:
    """Draws of the named variables from the prior of ``fit``'s model, dims (draw, ...)."""
    model, _ = fit.integrated()
    return from_prior(model, names, draws=draws, seed=seed)


def from_prior(model: pm.Model, names: Sequence[str], *, draws: int, seed: int) -> xr.Dataset:
    """Draws of the named variables from the prior of ``model``, dims (draw, ...), labelled."""
    with quiet(), in_python():
        values = pm.draw([model[name] for name in names], draws=draws, random_seed=seed)
    dims = {name: model.named_vars_to_dims.get(name, ()) for name in names}
    labels = {dim: model.coords[dim] for of in dims.values() for dim in of}
    first = None if draws == 1 else slice(None)  # of one draw PyMC leaves out the dim
    return xr.Dataset(
        {
            name: (("draw", *dims[name]), np.asarray(value)[first])
            for name, value in zip(names, values, strict=True)
        },
        coords={dim: list(named) for dim, named in labels.items() if named is not None},
    )


def scalars(tree: xr.Dataset, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The named scalars, and the group scales and correlations, as flat arrays by label.

    ``tree`` is a posterior, prior draws or a truth; a truth gives arrays of length one.
    """
    picked = {name: tree[name] for name in names if name in tree}
    for level in ("ou", "site"):
        if f"sigma_{level}" in tree:
            for effect in tree["effect"].to_numpy():
                picked[f"sigma_{level}[{effect}]"] = tree[f"sigma_{level}"].sel(effect=effect)
        if f"corr_{level}" in tree:
            effects = [str(effect) for effect in tree["effect"].to_numpy()]
            for one, other in itertools.combinations(effects, 2):
                pair = tree[f"corr_{level}"].sel(effect=one, effect_bis=other)
                picked[f"corr_{level}[{one}, {other}]"] = pair
    return {label: np.ravel(values.to_numpy()) for label, values in picked.items()}
