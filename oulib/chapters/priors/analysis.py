"""What the priors say before any data, and how far the posterior follows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import arviz as az
import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr
from pymc.stats import compute_log_likelihood, compute_log_prior

from oulib.files import PACKAGE
from oulib.model.build import build_model
from oulib.model.draws.density import thinned
from oulib.model.draws.names import HYPERPARAMETERS
from oulib.model.spec import ModelSpec
from oulib.model.survey import typical_root
from oulib.panel import Panel
from oulib.posterior.estimate import SAMPLES, Estimate, estimate, prior_distance
from oulib.posterior.predict import in_python, prior_draws, quiet, scalars
from oulib.sampling import cache
from oulib.sampling.fit import Fit

_CODE = (Path(__file__), PACKAGE / "model")
THRESHOLD = 0.05
"""A sensitivity that counts (Kallioinen et al., 2024)."""

WIDE = 3.0
"""A prior sd of the outcome beyond this many times the observed is called implausible."""

ALPHAS = (0.99, 1.01)
"""The powers at which a sensitivity is taken."""

FIELDS = {
    "mu_alpha": "mu_alpha",
    "mu_beta": "mu_beta",
    "sigma_ou": "sigma_ou",
    "chol_corr_ou": "lkj_eta",
    "sigma_site": "sigma_site",
    "chol_corr_site": "lkj_eta",
    "mu_x": "mu_x",
    "sigma_mu_x": "sigma_mu_x",
    "gamma_x": "gamma_x",
    "sigma_x": "sigma_x",
    "sigma_meas": "sigma_meas",
    "noise_share": "noise_share",
    "sigma_lam": "sigma_lam",
    "sigma_tau": "sigma_tau",
    "sigma_y": "sigma_y",
    "beta_between": "mu_beta",
    "sigma_noise_ou": "sigma_noise_ou",
    "sigma_u": "sigma_u",
    "phi_u": "phi_u",
    "nu_minus_two": "nu",
    "rho_0": "rho_0",
    "rho_x": "rho_x",
    "sigma_rho_ou": "sigma_rho",
    "sigma_rho_month": "sigma_rho",
}
"""Variables with a prior that the specification chose, and the field of ``Priors`` it stands in.

The effects of OUs, sites and months follow from these: their distribution belongs to the model.
The uniform priors of phi_lam and phi_tau are not here, for no power changes a constant.
"""

_BY_FORMULA = {
    *("mu_beta", "mu_x", "sigma_ou", "sigma_x", "sigma_meas", "sigma_y", "sigma_u"),
    "noise_share",
}
"""Those that some models sample in other coordinates: the density is that of the value itself."""


def panels(panel: Panel, spec: ModelSpec, *, draws: int = 300, seed: int = 0) -> xr.Dataset:
    """Panels drawn from the prior of ``spec`` in the OUs, months and surveys of ``panel``.

    ``productivity`` (draw, row) and ``survey`` (draw, survey_row), standardised, and the slopes
    ``beta`` (draw, ou).  Drawn by the explicit form, in which a row's outcome and its survey
    share one latent score; the integrated outcome is given the survey that was observed.

    Raises:
        UserError: the panel cannot support the model.
    """
    model = build_model(panel, spec.but(latent="explicit"))
    names = {"productivity": "row", "survey": "survey_row", "beta": "ou"}
    with quiet(), in_python():
        values = pm.draw([model[name] for name in names], draws=draws, random_seed=seed)
    return xr.Dataset(
        {
            name: (("draw", dim), np.asarray(value).reshape(draws, -1))
            for (name, dim), value in zip(names.items(), values, strict=True)
        }
    )


def typical_move(panel: Panel) -> float:
    """The sd of the observed scores around their OU's mean, standardised; 1 if none has two."""
    seen = panel.survey_rows
    ou, x = panel.rows["ou_idx"].to_numpy()[seen], panel.rows["x"].to_numpy()[seen]
    waves = np.bincount(ou)
    spare = x.size - np.count_nonzero(waves)
    if spare < 1:
        return 1.0
    means = np.bincount(ou, weights=x) / np.maximum(waves, 1)
    return float(np.sqrt(np.sum((x - means[ou]) ** 2) / spare))


def percent_of_move(panel: Panel, beta: xr.DataArray) -> xr.DataArray:
    """Per cent change of productivity that goes with a typical move of the score.

    100 (exp(s_y beta d) - 1), d of :func:`typical_move`; equation (8.1) (``eq-effect-points``).
    """
    return 100 * xr.ufuncs.expm1(panel.scale.s_y * typical_move(panel) * beta)


def features(panel: Panel, outcomes: np.ndarray) -> xr.Dataset:
    """Facts of outcomes (draw, row) on the rows of ``panel``, dims (draw).

    ``sd``; ``between``, the share of the variance that the OUs' means hold; ``months``, the same
    of the months' means; and ``largest``, the largest size of an outcome.
    """
    y = np.atleast_2d(np.asarray(outcomes, dtype=float))
    y = y - y.mean(axis=1, keepdims=True)
    total = np.sum(y**2, axis=1)

    def share(group: np.ndarray) -> np.ndarray:
        size = np.bincount(group)
        sums = np.stack([np.bincount(group, weights=one) for one in y])
        return np.sum(sums**2 / np.maximum(size, 1), axis=1) / total

    by = {name: panel.rows[f"{name}_idx"].to_numpy() for name in ("ou", "month")}
    return xr.Dataset(
        {
            "sd": ("draw", np.sqrt(total / y.shape[1])),
            "between": ("draw", share(by["ou"])),
            "months": ("draw", share(by["month"])),
            "largest": ("draw", np.abs(np.atleast_2d(outcomes)).max(axis=1)),
        }
    )


def overview(fit: Fit, *, seed: int = 0) -> pd.DataFrame:
    """Prior and posterior of every hyperparameter, labelled as in ``summary.csv``.

    Columns ``prior_sd``, ``mean``, ``sd``, ``q5``, ``q95``, ``ratio``, posterior sd over prior sd,
    and ``distance`` (:func:`oulib.posterior.estimate.prior_distance`): near 0 where the data said
    nothing.
    """
    posterior = _hyperparameters(fit.posterior)
    names = [name for name in HYPERPARAMETERS if name in fit.posterior]
    scalar = [name for name in names if fit.posterior[name].ndim == 2]
    prior = scalars(prior_draws(fit, names, seed=seed), scalar)
    rows = {}
    for label in posterior["parameter"].to_numpy():
        found = posterior.sel(parameter=label).to_numpy()
        before = float(np.std(prior[label]))
        rows[label] = {
            "prior_sd": before,
            "mean": found.mean(),
            "sd": found.std(),
            "q5": np.quantile(found, 0.05),
            "q95": np.quantile(found, 0.95),
            "ratio": found.std() / before,
            "distance": prior_distance(found, prior[label]),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("parameter")


def log_densities(fit: Fit, *, draws: int = 4000) -> xr.Dataset:
    """What power-scaling weighs draws by: ``prior`` (chain, draw, field), ``likelihood``.

    ``prior`` has the log density of each prior of :data:`FIELDS` (a field of ``Priors`` may be
    the prior of several scalars), each on the scale on which the specification writes it.
    ``likelihood`` is the sum over all observed nodes: outcomes, surveys and, with a response
    part, answers.  About ``draws`` draws; cached beside the fit.
    """

    def compute() -> xr.DataTree:
        model, posterior = fit.integrated()
        posterior = thinned(posterior, draws)
        tree = xr.DataTree.from_dict({"posterior": posterior})
        public = fit.posterior.sel(draw=posterior["draw"])
        names = [name for name in FIELDS if name in posterior and name not in _BY_FORMULA]
        common = {"extend_inferencedata": False, "progressbar": False}
        with model, quiet():
            prior = compute_log_prior(tree, var_names=names, **common)
            likelihood = compute_log_likelihood(tree, **common)
        fields: dict[str, xr.DataArray] = {}
        for name in (name for name in FIELDS if name in names or name in _BY_FORMULA & {*public}):
            if name in _BY_FORMULA:
                value = _log_prior(fit, name, public[name])
            elif name.startswith("chol_"):
                value = _log_lkj(fit, name.removeprefix("chol_"), posterior["draw"])
            else:
                value = _summed(prior[name])
            fields[FIELDS[name]] = fields.get(FIELDS[name], 0.0) + value
        by_field = xr.concat(list(fields.values()), dim=pd.Index(list(fields), name="field"))
        total = sum(_summed(values) for values in likelihood.data_vars.values())
        found = xr.Dataset({"prior": by_field, "likelihood": total})
        found = found.transpose(*SAMPLES, "field").assign_coords(draw=posterior["draw"])
        return xr.DataTree.from_dict({"log_densities": found})

    key = cache.key_of({"fit": fit.key, "draws": draws}, _CODE)
    tree, _ = cache.fetch("priors", key, compute)
    return tree["log_densities"].to_dataset()


def sensitivity(fit: Fit, *, draws: int = 4000) -> pd.DataFrame:
    """How the posterior of each hyperparameter moves with the power of priors and likelihood.

    Index labels are those of ``summary.csv``; see :func:`sensitivity_of` for the columns.  The
    priors of :data:`FIELDS` are raised to the power together, and nothing below them.
    """
    found = log_densities(fit, draws=draws)
    posterior = _hyperparameters(fit.posterior.sel(draw=found["draw"]))
    return sensitivity_of(posterior, found["prior"].sum("field"), found["likelihood"])


def sensitivity_of(
    values: xr.DataArray, prior: xr.DataArray, likelihood: xr.DataArray
) -> pd.DataFrame:
    """Power-scaling sensitivity of draws ``values`` (chain, draw, parameter).

    Columns ``prior`` and ``likelihood``, the diagnostic of Kallioinen et al. (2024) for the log
    densities of these names, (chain, draw); ``prior_shift`` and ``likelihood_shift``, by how many
    posterior sds the mean moves for a doubled power (:func:`shift`); and ``diagnosis``: ``both``
    where both matter, which may be a conflict, ``strong prior`` where only the prior does, else
    empty.
    """
    table = pd.DataFrame(index=pd.Index(values["parameter"].to_numpy(), name="parameter"))
    parts = {"prior": prior, "likelihood": likelihood}
    tree = {"posterior": values.to_dataset(name="value")}
    for name, log_density in parts.items():
        tree[f"log_{name}"] = log_density.reset_coords(drop=True).to_dataset(name=name)
    data = xr.DataTree.from_dict(tree)
    for name, log_density in parts.items():
        if _constant(log_density):  # LKJ(1), say: no power changes it
            table[name] = 0.0
            continue
        found = az.psense(data, group=name, alphas=ALPHAS)["value"]
        table[name] = found.sel(parameter=table.index.to_numpy()).to_numpy()
    for name, log_density in parts.items():
        table[f"{name}_shift"] = shift(values, log_density).to_numpy()
    strong, spoken = table["prior"] >= THRESHOLD, table["likelihood"] >= THRESHOLD
    table["diagnosis"] = np.select([strong & spoken, strong], ["both", "strong prior"], "")
    return table


def shift(values: xr.DataArray, log_density: xr.DataArray) -> xr.DataArray:
    """Posterior sds that the mean moves when the power of a part doubles, to first order.

    log 2 Cov(theta, log density) / sd(theta); equation (13.3) (``eq-power-derivative``).
    """
    centred = values - values.mean(SAMPLES)
    slope = (centred * (log_density - log_density.mean(SAMPLES))).mean(SAMPLES)
    return np.log(2) * slope / centred.std(SAMPLES)


def influence(fit: Fit, label: str = "mu_beta", *, draws: int = 4000) -> pd.DataFrame:
    """Which prior moves the posterior of ``label``: a row a field of ``Priors``, strongest first.

    Columns ``prior`` (the sensitivity to this prior alone) and ``prior_shift``.
    """
    found = log_densities(fit, draws=draws)
    posterior = _hyperparameters(fit.posterior.sel(draw=found["draw"]))
    one = posterior.sel(parameter=[label])
    rows = {
        str(field): sensitivity_of(one, found["prior"].sel(field=field), found["likelihood"]).loc[
            label, ["prior", "prior_shift"]
        ]
        for field in found["field"].to_numpy()
    }
    table = pd.DataFrame.from_dict(rows, orient="index").astype(float)
    return table.sort_values("prior", ascending=False).rename_axis("prior of")


def powered(spec: ModelSpec, field: str, alpha: float) -> ModelSpec:
    """The model with one prior raised to the power ``alpha``, which is a prior of the same family.

    A normal or half-normal of scale s becomes one of scale s / sqrt(alpha), the exponential of
    mean m one of mean m / alpha, and LKJ(eta) becomes LKJ(1 + alpha (eta - 1)); equation
    (13.4) (``eq-power-families``).

    Raises:
        ValueError: the scales are half-Student-t, whose powers have other degrees of freedom.
    """
    value = getattr(spec.priors, field)
    if field in ("sigma_ou", "sigma_site") and spec.group_scales == "half_student_t":
        raise ValueError(f"A power of the half-Student-t prior of {field} is not of its family.")
    if field == "nu":
        value = value / alpha
    elif field == "lkj_eta":
        value = 1 + alpha * (value - 1)
    else:
        value = value / np.sqrt(alpha)
    name = f"{spec.name}, {field} {value:g}"
    return spec.but(name=name, priors=replace(spec.priors, **{field: float(value)}))


def reweighted(fit: Fit, field: str, alpha: float, label: str, *, draws: int = 4000) -> float:
    """The posterior mean of ``label`` under the prior of ``field`` to the power ``alpha``.

    By Pareto-smoothed importance sampling from the draws of ``fit``: no refit.
    """
    found = log_densities(fit, draws=draws)
    posterior = _hyperparameters(fit.posterior.sel(draw=found["draw"]))
    return reweighted_mean(
        posterior.sel(parameter=label), found["prior"].sel(field=field, drop=True), alpha
    )


def reweighted_mean(values: xr.DataArray, log_density: xr.DataArray, alpha: float) -> float:
    """The mean of draws (chain, draw) with weights density ** (alpha - 1), Pareto-smoothed."""
    if _constant((alpha - 1) * log_density):
        return float(values.mean())
    log_weights = log_density.azstats.power_scale_lw(alpha=alpha, dim=list(SAMPLES))
    weights = np.exp(log_weights - log_weights.max())
    return float((weights * values).sum() / weights.sum())


def refits(base: Fit, others: dict[tuple[str, float], Fit], label: str = "mu_beta") -> pd.DataFrame:
    """The posterior of ``label`` in ``base`` and in fits with one prior at another power.

    ``others`` by field and power.  Index: what the field was set to.  Columns ``power``, ``mean``,
    ``q5``, ``q95``, ``positive`` (the probability), ``moved`` (of the mean, in sds of the base),
    ``foreseen`` (the same by :func:`reweighted`, without a refit) and ``foreseen_mean``.
    """

    def row(fit: Fit) -> dict[str, float]:
        draws = _hyperparameters(fit.posterior).sel(parameter=label)
        low, high = draws.quantile([0.05, 0.95]).to_numpy()
        return {
            "mean": float(draws.mean()),
            "q5": float(low),
            "q95": float(high),
            "positive": float((draws > 0).mean()),
        }

    first = row(base)
    sd = float(_hyperparameters(base.posterior).sel(parameter=label).std())
    table = {"as specified": {"power": 1.0, **first, "moved": 0.0, "foreseen": 0.0}}
    table["as specified"]["foreseen_mean"] = first["mean"]
    for (field, alpha), fit in others.items():
        found, foreseen = row(fit), reweighted(base, field, alpha, label)
        table[f"{field} = {getattr(fit.spec.priors, field):g}"] = {
            "power": alpha,
            **found,
            "moved": (found["mean"] - first["mean"]) / sd,
            "foreseen": (foreseen - first["mean"]) / sd,
            "foreseen_mean": foreseen,
        }
    return pd.DataFrame.from_dict(table, orient="index").rename_axis("prior")


def _hyperparameters(posterior: xr.Dataset) -> xr.DataArray:
    """Draws of the hyperparameters, (chain, draw, parameter), each scalar once."""
    order = [name for name in HYPERPARAMETERS if name in posterior]
    shape = (posterior.sizes["chain"], posterior.sizes["draw"])
    found = scalars(posterior, [name for name in order if posterior[name].ndim == 2])
    labels = sorted(found, key=lambda label: order.index(label.partition("[")[0]))
    flat = {label: found[label] for label in labels}
    return xr.DataArray(
        np.stack([values.reshape(shape) for values in flat.values()], axis=-1),
        dims=(*SAMPLES, "parameter"),
        coords={"draw": posterior["draw"], "parameter": list(flat)},
    )


def _constant(log_density: xr.DataArray) -> bool:
    return float(log_density.max() - log_density.min()) < 1e-12


def _log_prior(fit: Fit, name: str, value: xr.DataArray) -> xr.DataArray:
    """Log prior density of a (half-)normal parameter, up to a constant; (chain, draw).

    With prior scales from the design, the share s of noise has Beta(a, a) where two half-normals
    have Beta(1/2, 1/2): what their density is multiplied by is that of ``noise_share``.
    """
    spec = fit.spec
    if name == "noise_share":
        log_density = (spec.priors.noise_share - 0.5) * xr.ufuncs.log(value * (1 - value))
    else:
        scale = getattr(spec.priors, FIELDS[name])
        if name == "sigma_meas" and spec.survey_scale == "design":
            scale = scale * typical_root(fit.panel)
        if name == "sigma_ou" and spec.group_scales == "half_student_t":
            log_density = -2.5 * xr.ufuncs.log1p((value / scale) ** 2 / 4)
        else:
            log_density = -0.5 * (value / scale) ** 2
    return _summed(log_density)


def _log_lkj(fit: Fit, name: str, draw: xr.DataArray) -> xr.DataArray:
    """log LKJ density of a correlation matrix up to a constant, (eta - 1) log det R.

    PyMC's is the density of the Cholesky factor, which from three effects on has a Jacobian in
    it that no choice of eta moves.
    """
    corr = fit.posterior[name].sel(draw=draw).transpose(*SAMPLES, ...)
    log_det = np.linalg.slogdet(corr.to_numpy())[1]
    return xr.DataArray((fit.spec.priors.lkj_eta - 1) * log_det, dims=SAMPLES)


def _summed(values: xr.DataArray) -> xr.DataArray:
    """Log densities summed over all but the sample dims, without coordinates."""
    rest = [dim for dim in values.dims if dim not in SAMPLES]
    return values.sum(rest).transpose(*SAMPLES).drop_vars(list(values.coords), errors="ignore")


@dataclass(frozen=True)
class ExpectedData:
    """Panels that a prior makes beside the one that is there, by what :func:`features` has.

    ``drawn`` has nine in ten of the panels, ``own`` is the panel's; ``wide`` is the share whose sd
    is more than :data:`WIDE` times the panel's own.
    """

    drawn: Mapping[str, Estimate]
    own: Mapping[str, float]
    wide: float


def expected_data(drawn: xr.Dataset, observed: xr.Dataset, prob: float = 0.9) -> ExpectedData:
    """Panels of a prior, or of a posterior, beside the one that is there; from :func:`features`.

    Between ``low`` and ``high`` lies a share ``prob`` of the panels.
    """
    own = {str(name): float(values.item()) for name, values in observed.items()}
    return ExpectedData(
        drawn={str(name): estimate(values, prob) for name, values in drawn.items()},
        own=own,
        wide=float((drawn["sd"] > WIDE * own["sd"]).mean()),
    )


@dataclass(frozen=True)
class ExpectedEffect:
    """What a prior says of a typical move of the score, in per cent of productivity.

    ``beyond`` is the share of OUs in which it more than doubles or halves it.
    """

    effect: Estimate
    beyond: float


def expected_effect(effect: xr.DataArray) -> ExpectedEffect:
    """What a prior says of a typical move, from draws of :func:`percent_of_move`."""
    return ExpectedEffect(estimate(effect), float(((effect > 100) | (effect < -50)).mean()))


def typical_ratio(table: pd.DataFrame) -> float:
    """The median over hyperparameters of posterior sd over prior sd, from :func:`overview`."""
    return float(table["ratio"].median())
