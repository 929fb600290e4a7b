"""Trends, independence, prior families and covariates compose with every model of the ladder."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from conftest import RICH, gradient
from scipy import stats

from oulib import LADDER, Fit, ModelSpec, Panel, Sampling, build_model, fit, simulate
from oulib.errors import UserError
from oulib.model.covariates import global_scale
from oulib.model.draws.density import expectations, row_density
from oulib.model.groups import effect_names, slope_centring, time, trend_centring
from oulib.model.spec import BASELINE, STUDENT_T, Priors
from oulib.posterior.predict import new_ous, regenerate, replicate, scalars

COEF = (0.4, 0.0, -0.3, 0.0, 0.0)

TOGETHER = [
    {"trend": True, "covariates": "horseshoe", "group_scales": "half_student_t"},
    {"correlated": False, "covariates": "ridge", "priors": Priors(lkj_eta=4.0)},
    {"trend": True, "correlated": False, "covariates": "ard"},
]
"""Every switch with every other somewhere."""


@pytest.fixture(scope="module")
def rich() -> Panel:
    """A tiny panel of the upgraded recipe with trends and five covariates."""
    size = {"n_ou": 6, "n_site": 2, "n_month": 12, "wave_every": 3}
    return simulate("upgraded", **size, seed=1, sigma_trend=0.3, coef=COEF)


def near_the_start(model: pm.Model, seed: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    start = model.initial_point()
    return {name: value + 0.3 * rng.standard_normal(value.shape) for name, value in start.items()}


def evaluated(model: pm.Model, names: list[str], point: dict[str, np.ndarray]) -> dict[str, Any]:
    """Values of named variables at a point of the sampler's space."""
    outputs = model.replace_rvs_by_values([model[name] for name in names])
    function = model.compile_fn(outputs, inputs=model.value_vars, on_unused_input="ignore")
    return dict(zip(names, function(point), strict=True))


@pytest.mark.parametrize("latent", ["integrated", "explicit"])
@pytest.mark.parametrize("spec", LADDER, ids=lambda spec: spec.name)
def test_every_combination_builds(rich: Panel, spec: ModelSpec, latent: str) -> None:
    # Every pair of settings of two switches somewhere.
    priors = ("none", "wide", "ridge", "ard", "horseshoe")
    for (place, prior), trend in itertools.product(enumerate(priors), (False, True)):
        correlated, wide = trend == (place % 2 == 0), trend == (place % 3 == 0)
        scales = "half_student_t" if wide else "half_normal"
        switches = {"trend": trend, "correlated": correlated, "group_scales": scales}
        model = build_model(rich, spec.but(latent=latent, covariates=prior, **switches))
        assert ("trend" in model.named_vars) == trend
        assert ("corr_ou" in model.named_vars) == correlated
        assert ("coef" in model.named_vars) == (prior != "none")


# Both forms of every model, and with each all that is switched on together somewhere.
@pytest.mark.parametrize(
    ("spec", "latent", "switches"),
    [
        (spec, latent, TOGETHER[(place + turn + form) % 3])
        for place, spec in enumerate(LADDER)
        for form, latent in enumerate(("integrated", "explicit"))
        for turn in range(2 - form)
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_gradients_are_finite(
    rich: Panel, spec: ModelSpec, latent: str, switches: dict[str, Any]
) -> None:
    model = build_model(rich, spec.but(latent=latent, **switches))
    slopes = gradient(model, near_the_start(model))
    assert all(np.isfinite(each).all() for each in slopes)


@pytest.fixture(scope="module")
def richly_fitted(rich: Panel) -> Fit:
    """A short fit of a model with answers, trends and covariates."""
    return fit(rich, RICH, Sampling(draws=40, tune=60, chains=2, seed=1))


def test_a_short_fit_of_everything_can_be_used(rich: Panel, richly_fitted: Fit) -> None:
    p = richly_fitted.posterior
    assert p["trend"].dims == ("chain", "draw", "ou")
    assert p["coef"].dims == ("chain", "draw", "covariate")
    assert p["corr_ou"].shape[-2:] == (3, 3)
    replicates = replicate(richly_fitted, draws=20)
    assert np.isfinite(replicates["productivity"]).all()
    assert np.isfinite(regenerate(richly_fitted, draws=20)["productivity"]).all()
    assert set(new_ous(richly_fitted, np.array([0, -1]))) >= {"alpha", "beta", "trend"}
    assert "corr_ou[alpha, trend]" in scalars(p, [])


@pytest.mark.parametrize("spec", [BASELINE, STUDENT_T], ids=lambda spec: spec.name)
def test_explicit_forms_take_a_few_steps(rich: Panel, spec: ModelSpec) -> None:
    with build_model(rich, spec.but(latent="explicit", **TOGETHER[2])), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = pm.sample(
            draws=3,
            tune=5,
            chains=1,
            random_seed=1,
            progressbar=False,
            compute_convergence_checks=False,
            nuts={"max_treedepth": 2},
        )
    for name in ("alpha", "trend", "coef", "x_star"):
        assert np.isfinite(tree["posterior"][name].to_numpy()).all()


def test_expected_outcomes_are_the_sum_of_their_parts(rich: Panel, richly_fitted: Fit) -> None:
    p = richly_fitted.posterior.isel(chain=[0], draw=[7])
    rows = np.arange(rich.rows.sizes["row"])
    found = expectations(richly_fitted, p, rows).intercept.squeeze().to_numpy()
    one = p.isel(chain=0, draw=0)
    frame = rich.to_frame()
    z = frame[list(rich.covariates)]
    z = ((z - z.mean()) / z.std(ddof=0)).to_numpy()
    clock = np.arange(12) - 5.5
    clock = clock / np.sqrt(np.mean(clock**2))
    for row, (ou, month) in enumerate(zip(frame["ou"], frame["month"], strict=True)):
        reference_densities = (
            one["alpha"].sel(ou=ou)
            + one["trend"].sel(ou=ou) * clock[rich.months.index(month)]
            + one["lam"].sel(month=month)
            + z[row] @ one["coef"].to_numpy()
        )
        assert found[row] == pytest.approx(float(reference_densities), abs=1e-12)


def test_the_models_row_densities_are_those_in_numpy(rich: Panel) -> None:
    spec = BASELINE.but(trend=True, covariates="wide")
    model = build_model(rich, spec)
    point = near_the_start(model)
    names = ["alpha", "beta", "trend", "coef", "lam", "tau", "mu_x_ou"]
    names += ["sigma_x", "sigma_meas", "sigma_y"]
    found = evaluated(model, names, point)
    dims = model.named_vars_to_dims
    posterior = xr.Dataset(
        {
            name: (("chain", "draw", *dims.get(name, ())), np.asarray(value)[None, None])
            for name, value in found.items()
        },
        coords={dim: list(model.coords[dim]) for dim in ("ou", "month", "covariate")},
    )
    rows = np.arange(rich.rows.sizes["row"])
    some = Fit.__new__(Fit)
    object.__setattr__(some, "panel", rich)
    object.__setattr__(some, "spec", spec)
    r = row_density(some, posterior, rows)
    mean, sd = r.intercept + r.beta * r.mean, np.sqrt(found["sigma_y"] ** 2 + r.beta**2 * r.var)
    expected = stats.norm.logpdf(r.y, mean.squeeze(), sd.squeeze())
    logp = model.compile_logp(vars=[model["productivity"]], sum=False)
    np.testing.assert_allclose(np.ravel(logp(point)[0]), np.ravel(expected), rtol=1e-9)


@pytest.mark.parametrize("correlated", [True, False])
def test_sampling_at_the_level_leaves_the_prior_of_three_effects_alone(
    rich: Panel, correlated: bool
) -> None:
    spec = BASELINE.but(trend=True, covariates="ridge", correlated=correlated)
    model = build_model(rich, spec)
    point = near_the_start(model, seed=3)
    names = [*effect_names(spec), "sigma_ou", "mu_alpha", "mu_beta"]
    names += ["corr_ou"] if correlated else []
    found = evaluated(model, names, point)
    effects = np.column_stack([found[name] for name in effect_names(spec)])
    corr = found["corr_ou"] if correlated else np.eye(3)
    scale = np.diag(found["sigma_ou"])
    prior = stats.multivariate_normal(
        [found["mu_alpha"], found["mu_beta"], 0.0], scale @ corr @ scale
    )
    coordinates = [model["beta_raw"], model["level_ou"], model["trend_raw"]]
    logp = model.compile_logp(vars=coordinates, sum=False)(point)
    # d(beta, alpha, trend) / d(beta_raw, level, trend_raw) is triangular.
    own = found["sigma_ou"][2] * np.sqrt(np.linalg.det(corr) / np.linalg.det(corr[:2, :2]))
    jacobian = (1 - slope_centring(rich)) * np.log(found["sigma_ou"][1])
    jacobian += (1 - trend_centring(rich)) * np.log(own)
    expected = prior.logpdf(effects) + jacobian
    np.testing.assert_allclose(sum(np.asarray(part) for part in logp), expected, rtol=1e-8)


def test_the_horseshoe_expects_as_many_to_matter_as_it_was_told(rich: Panel) -> None:
    panel = simulate("baseline", n_ou=10, n_site=2, n_month=20, seed=1, coef=(0.0,) * 25)
    for relevant in (1.0, 3.0, 10.0):
        spec = BASELINE.but(covariates="horseshoe", priors=Priors(relevant=relevant))
        tau = global_scale(panel, spec)
        # Piironen and Vehtari (2017), equation 3.12: E[m_eff | tau] for half-Cauchy local scales.
        a = tau * np.sqrt(200) / spec.priors.sigma_y
        assert 25 * a / (1 + a) == pytest.approx(relevant)
        local = np.abs(stats.cauchy.rvs(size=400_000, random_state=1))
        kept = 1 - 1 / (1 + (a * local) ** 2)
        assert 25 * kept.mean() == pytest.approx(relevant, rel=0.02)


def test_the_horseshoe_is_a_slab_for_large_scales_and_shrinks_the_small(rich: Panel) -> None:
    model = build_model(rich, BASELINE.but(covariates="horseshoe"))
    names = ["coef", "slab2", "sigma_coef", "local_coef", "z_coef"]
    v = evaluated(model, names, near_the_start(model))
    lam2 = v["local_coef"] ** 2
    expected = v["z_coef"] / np.sqrt(1 / v["slab2"] + 1 / (v["sigma_coef"] ** 2 * lam2))
    np.testing.assert_allclose(v["coef"], expected * 1.0, rtol=1e-9)


def test_time_is_standardised_on_the_calendar(rich: Panel) -> None:
    assert time(rich).mean() == pytest.approx(0)
    assert time(rich).std() == pytest.approx(1)
    assert (np.diff(time(rich)) > 0).all()


def test_what_makes_no_sense_is_refused(rich: Panel) -> None:
    bare = rich.without_covariates()
    with pytest.raises(UserError, match="has covariates .*and the panel has none"):
        build_model(bare, BASELINE.but(covariates="ridge"))
    with pytest.raises(UserError, match="above 0 and below 5"):
        build_model(rich, BASELINE.but(covariates="horseshoe", priors=Priors(relevant=5)))


def test_the_truth_of_trends_and_coefficients_is_on_the_panels_scale(rich: Panel) -> None:
    """The rows' outcome less everything in the truth is the noise, whatever the units."""
    t = rich.truth
    rows = rich.rows
    ou, month = rows["ou_idx"].to_numpy(), rows["month_idx"].to_numpy()
    mean = t["alpha"].to_numpy()[ou] + t["lam"].to_numpy()[month]
    mean = mean + t["beta"].to_numpy()[ou] * t["x_star"].to_numpy()
    mean = mean + t["trend"].to_numpy()[ou] * time(rich)[month]
    mean = mean + rows["covariates"].to_numpy() @ t["coef"].to_numpy()
    left = (rows["y"].to_numpy() - mean) / float(t["sigma_y"])
    bare = simulate("upgraded", n_ou=6, n_site=2, n_month=12, wave_every=3, seed=1)
    b = bare.truth
    plain = b["alpha"].to_numpy()[ou] + b["lam"].to_numpy()[month]
    plain = plain + b["beta"].to_numpy()[ou] * b["x_star"].to_numpy()
    np.testing.assert_allclose(
        left, (bare.rows["y"].to_numpy() - plain) / float(b["sigma_y"]), atol=1e-4
    )
    assert replace(rich, truth=None).fingerprint != bare.fingerprint


def test_trends_are_centred_where_they_are_clear() -> None:
    size = {"n_ou": 20, "n_site": 2, "n_month": 36, "wave_every": 3}
    none = trend_centring(simulate("baseline", **size, seed=2))
    clear = trend_centring(simulate("baseline", **size, seed=1, sigma_trend=0.5))
    assert (none < 0.3).all()
    assert (clear > 0.8).all()


def test_slopes_are_centred_where_surveys_tell_them_apart() -> None:
    panel = simulate("baseline", n_ou=12, n_site=2, n_month=24, wave_every=2, seed=2)
    ou, x = (panel.rows[name].to_numpy() for name in ("ou_idx", "x"))
    noise = np.random.default_rng(1).standard_normal(ou.size)

    def centring(slopes: np.ndarray) -> np.ndarray:
        y = np.nan_to_num(slopes[ou] * x) + 0.3 * noise
        return slope_centring(replace(panel, rows=panel.rows.assign(y=("row", y))))

    assert (centring(np.full(12, 0.5)) < 0.3).all()
    assert (centring(np.linspace(-1, 1, 12)) > 0.7).all()
    once = simulate("baseline", n_ou=3, n_site=2, n_month=6, wave_every=6, seed=1)
    np.testing.assert_array_equal(slope_centring(once), 0)


def test_slopes_that_differ_between_sites_alone_are_not_centred_within_them() -> None:
    panel = simulate("baseline", n_ou=12, n_site=2, n_month=24, wave_every=2, seed=2)
    ou, x = (panel.rows[name].to_numpy() for name in ("ou_idx", "x"))
    slope = np.where(panel.site_idx == 0, -0.8, 0.8)
    y = np.nan_to_num(slope[ou] * x) + 0.3 * np.random.default_rng(1).standard_normal(ou.size)
    panel = replace(panel, rows=panel.rows.assign(y=("row", y)))
    assert (slope_centring(panel) > 0.7).all()
    assert (slope_centring(panel, sites=True) < 0.1).all()


def test_slopes_that_surveys_alone_tell_are_not_centred() -> None:
    """Surveys may leave the scale of slopes at 0, where a centred chain would stay."""
    panel = simulate("baseline", n_ou=30, n_month=30, wave_every=2, seed=103)
    assert slope_centring(panel).max() > 0
    for score, centred in (("latent", slope_centring(panel)), ("expected", np.zeros(30))):
        found = build_model(panel, BASELINE.but(score=score))["beta_centring"].get_value()
        np.testing.assert_array_equal(found, centred)
