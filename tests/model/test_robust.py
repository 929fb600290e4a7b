"""The switches for real panels, against dense normal distributions and other closed forms."""

from __future__ import annotations

import itertools

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
import xarray as xr
from conftest import gradient
from scipy import optimize, stats

from oulib import (
    BASELINE,
    LADDER,
    ROBUST,
    UPGRADED,
    Fit,
    ModelSpec,
    Panel,
    Priors,
    Sampling,
    UserError,
    build_model,
    check,
    fit,
    read_panel,
    recover_latent,
    simulate,
)
from oulib.chapters.priors.analysis import log_densities
from oulib.model import kalman, kalman_kernel
from oulib.model.deviations import complete, steps
from oulib.model.draws.density import expectations, row_density
from oulib.model.groups import rough_slopes
from oulib.model.months import Along, add_ar1, centred_ar1_logp
from oulib.model.noise import centring, month_means, residual_scales
from oulib.model.survey import typical_root
from oulib.posterior.checks import summarise
from oulib.posterior.compare import outcome_density
from oulib.posterior.latent import conditional
from oulib.posterior.predict import new_ous, replicate

pytestmark = pytest.mark.filterwarnings("ignore:Numba will use object mode")

PRIORS = Priors(
    mu_alpha=0.3, mu_beta=0.3, sigma_ou=0.3, sigma_mu_x=0.5, sigma_x=0.5, noise_share=2.0
)
STRAYING = {
    "robust": ROBUST,
    "independent months": ROBUST.but(months="iid"),
    "sites": ROBUST.but(sites=True),
    "total slope, one noise": ROBUST.but(slope="total", noise="common"),
    "score in the noise": ROBUST.but(score="latent", slope="total"),
    "all months": ROBUST.but(movement="all_months", survey_scale="unit", correlated=False),
}


def with_gaps() -> Panel:
    """A small panel in which some OUs lack months, one outcome is unseen, and one OU has no row."""
    whole = simulate("upgraded", n_ou=5, n_site=2, n_month=9, wave_every=3, seed=5)
    keep = np.random.default_rng(1).random(whole.rows.sizes["row"]) < 0.8
    keep[whole.rows["ou_idx"].to_numpy() == 3] = False
    return whole.select_rows(np.flatnonzero(keep)).without_outcome(np.array([4]))


@pytest.fixture(scope="module")
def panel() -> Panel:
    return with_gaps()


# --- the filter


def dense_covariance(month: np.ndarray, phi: float, q: float, v: np.ndarray) -> np.ndarray:
    lag = np.abs(np.subtract.outer(month, month))
    return q / (1 - phi**2) * phi**lag + np.diag(v)


@pytest.fixture
def series() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    ou = np.repeat([0, 1, 2], [5, 1, 4])
    month = np.array([0, 1, 4, 5, 9, 3, 0, 2, 3, 4])
    first = np.concatenate([[True], ou[1:] != ou[:-1]])
    gap = np.where(first, 1.0, np.diff(month, prepend=0))
    v = rng.uniform(0.1, 1, 10)
    return {
        "ou": ou,
        "month": month,
        "first": first,
        "gap": gap,
        "v": v,
        "z": rng.normal(size=(10, 3)),
    }


@pytest.mark.parametrize("phi", [0.7, 0.99, 0.0, -0.4])
def test_whitened_columns_are_those_of_the_dense_covariance(series: dict, phi: float) -> None:
    s = series
    out, log_f = kalman_kernel.whiten(s["z"], s["first"], s["gap"], phi, 0.4, s["v"])
    for g in range(3):
        of = s["ou"] == g
        covariance = dense_covariance(s["month"][of], phi, 0.4, s["v"][of])
        expected = np.linalg.solve(np.linalg.cholesky(covariance), s["z"][of])
        np.testing.assert_allclose(out[of], expected, atol=1e-10)
        assert log_f[of].sum() == pytest.approx(np.linalg.slogdet(covariance)[1], abs=1e-10)


def test_no_noise_at_all_is_allowed(series: dict) -> None:
    s = series
    out, log_f = kalman_kernel.whiten(s["z"], s["first"], s["gap"], 0.8, 0.4, 0 * s["v"])
    assert np.isfinite(out).all()
    assert np.isfinite(log_f).all()


def test_derivatives_of_the_filter(series: dict) -> None:
    s, rng = series, np.random.default_rng(1)
    weights, log_weights = rng.normal(size=(10, 3)), rng.normal(size=10)

    def total(flat: np.ndarray) -> float:
        z, v = flat[:30].reshape(10, 3), flat[30:40]
        out, log_f = kalman_kernel.whiten(z, s["first"], s["gap"], flat[40], flat[41], v)
        return float((weights * out).sum() + log_weights @ log_f)

    at = np.concatenate([s["z"].ravel(), s["v"], [0.7, 0.4]])
    g_z, g_phi, g_q, g_v = kalman_kernel.pull_back(
        s["z"], s["first"], s["gap"], 0.7, 0.4, s["v"], weights, log_weights
    )
    expected = optimize.approx_fprime(at, total, 1e-7)
    np.testing.assert_allclose([*g_z.ravel(), *g_v, g_phi, g_q], expected, atol=2e-5)


def test_the_operation_hands_its_derivatives_on(series: dict) -> None:
    s = series
    z, phi, q, v = pt.dmatrix(), pt.dscalar(), pt.dscalar(), pt.dvector()
    out, log_f = kalman.whiten(z, pt.constant(s["first"]), pt.constant(s["gap"]), phi, q, v)
    gradients = pt.grad(pt.sum(out**2) + pt.sum(log_f), [z, phi, q, v])
    for mode in ("FAST_COMPILE", "NUMBA"):
        found = pytensor.function([z, phi, q, v], [out, *gradients], mode=mode)
        value, *slopes = found(s["z"], 0.7, 0.4, s["v"])
        expected = kalman_kernel.pull_back(
            s["z"], s["first"], s["gap"], 0.7, 0.4, s["v"], 2 * value, np.ones(10)
        )
        for one, other in zip(slopes, expected, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-10)


def test_what_the_other_rows_say_of_a_deviation(series: dict) -> None:
    s, v = series, series["v"].copy()
    v[2] = np.inf  # a row of which nothing is known
    z = s["z"][:, 0]
    mean, var = kalman_kernel.others(
        z[None], s["first"], s["gap"], np.array([0.7]), np.array([0.4]), v[None]
    )
    stationary = 0.4 / (1 - 0.7**2)
    for i in range(10):
        given = np.flatnonzero((s["ou"] == s["ou"][i]) & np.isfinite(v))
        given = given[given != i]
        lag = np.abs(s["month"][given] - s["month"][i])
        with_u = stationary * 0.7**lag
        covariance = dense_covariance(s["month"][given], 0.7, 0.4, v[given])
        solved = np.linalg.solve(covariance, np.column_stack([z[given], with_u]))
        assert mean[0, i] == pytest.approx(with_u @ solved[:, 0], abs=1e-10)
        assert var[0, i] == pytest.approx(stationary - with_u @ solved[:, 1], abs=1e-10)


# --- the model


def prior_of(panel: Panel, spec: ModelSpec, draws: int = 2) -> tuple[pm.Model, xr.Dataset]:
    with build_model(panel, spec.but(priors=PRIORS)) as model:
        prior = pm.sample_prior_predictive(draws, random_seed=3)["prior"].to_dataset()
    return model, prior


def dense_outcome(panel: Panel, spec: ModelSpec, p: xr.Dataset, g: int) -> tuple:
    """Mean and covariance of the outcomes of OU ``g`` that are seen, and their rows."""
    rows = panel.rows
    at = np.flatnonzero((rows["ou_idx"].to_numpy() == g) & np.isfinite(rows["y"].to_numpy()))
    month, x = rows["month_idx"].to_numpy()[at], rows["x"].to_numpy()[at]
    seen, n = rows["observed"].to_numpy()[at], rows["respondents"].to_numpy()[at]
    gamma = float(p["gamma_x"]) if "gamma_x" in p else 0.2
    mu_x = float(p["mu_x_ou"][g])
    prior_mean = mu_x + gamma * p["tau"].to_numpy()[month]
    sx2, noise = float(p["sigma_x"]) ** 2, float(p["sigma_meas"]) ** 2 / np.maximum(n, 1)
    weight = np.where(seen, sx2 / (sx2 + noise), 0.0)
    m = prior_mean + weight * np.where(seen, x - prior_mean, 0.0)
    var = sx2 * (1 - weight)
    factor = float(p["noise_ou"][g]) if "noise_ou" in p else 1.0
    covariance = factor**2 * dense_covariance(
        month, float(p["phi_u"]), float(p["sigma_u"]) ** 2, np.full(at.size, p["sigma_y"] ** 2)
    )
    mean = p["lam"].to_numpy()[month] + 0.0
    if spec.slope == "within":
        m = m - prior_mean
        mean = mean + float(p["beta_between"]) * mu_x
    if spec.score == "latent":
        beta = float(p["beta"][g])
        return mean + float(p["alpha"][g]) + beta * m, covariance + beta**2 * np.diag(var), at
    sd, corr = p["sigma_ou"].to_numpy(), np.eye(2)
    if "corr_ou" in p:
        corr = p["corr_ou"].to_numpy()
    effects = np.array([float(p["mu_alpha"]), float(p["mu_beta"])])
    if spec.sites:
        s = panel.site_idx[g]
        effects = effects + np.array([float(p["alpha_site"][s]), float(p["beta_site"][s])])
    design = np.column_stack([np.ones(at.size), m])
    spread = design @ (np.outer(sd, sd) * corr) @ design.T
    return mean + design @ effects, covariance + spread, at


@pytest.mark.parametrize("name", STRAYING)
def test_an_ous_outcomes_are_one_normal_vector(panel: Panel, name: str) -> None:
    spec = STRAYING[name]
    model, prior = prior_of(panel, spec)
    with model:
        found = pm.compute_log_likelihood(
            xr.DataTree.from_dict({"posterior": prior}), progressbar=False
        )["log_likelihood"]["productivity"].isel(chain=0)
    seen = np.flatnonzero(np.isfinite(panel.rows["y"].to_numpy()))
    y = panel.rows["y"].to_numpy()
    for draw, g in itertools.product(range(2), (0, 1, 2, 4)):
        mean, covariance, at = dense_outcome(panel, spec, prior.isel(chain=0, draw=draw), g)
        values = found.isel(draw=draw).to_numpy()[np.searchsorted(seen, at)]
        law = stats.multivariate_normal(mean, covariance)
        assert values.sum() == pytest.approx(law.logpdf(y[at]), abs=1e-7)
        # Every row's value is its density given the OU's rows before it.
        shorter = stats.multivariate_normal(mean[:-1], covariance[:-1, :-1])
        assert values[:-1].sum() == pytest.approx(shorter.logpdf(y[at][:-1]), abs=1e-7)


@pytest.mark.parametrize("name", ["robust", "sites", "all months"])
def test_effects_are_drawn_from_their_conditional(panel: Panel, name: str) -> None:
    spec = STRAYING[name].but(priors=PRIORS)
    _, prior = prior_of(panel, spec, draws=1)
    many = xr.concat([prior] * 1500, dim="draw").assign_coords(draw=np.arange(1500))
    drawn = complete(panel, spec, many, seed=2)
    p = prior.isel(chain=0, draw=0)
    sd = p["sigma_ou"].to_numpy()
    corr = p["corr_ou"].to_numpy() if "corr_ou" in p else np.eye(2)
    c = np.outer(sd, sd) * corr
    for g in range(5):
        mean, covariance, at = dense_outcome(panel, spec, p, g)
        effects = np.array([float(p["mu_alpha"]), float(p["mu_beta"])])
        if spec.sites:
            s = panel.site_idx[g]
            effects = effects + np.array([float(p["alpha_site"][s]), float(p["beta_site"][s])])
        # The design once more, from the change of the mean with the population's slope.
        moved = dense_outcome(panel, spec, p.assign(mu_beta=p["mu_beta"] + 1), g)[0] - mean
        design = np.column_stack([np.ones(at.size), moved])
        gain = c @ design.T @ np.linalg.pinv(covariance) if at.size else np.zeros((2, 0))
        expected = effects + gain @ (panel.rows["y"].to_numpy()[at] - mean)
        spread = c - gain @ design @ c
        values = np.stack([drawn[k].isel(chain=0, ou=g).to_numpy() for k in ("alpha", "beta")])
        error = np.sqrt(np.diag(spread) / 1500)
        assert np.all(np.abs(values.mean(axis=1) - expected) < 5 * error + 1e-9)
        np.testing.assert_allclose(np.cov(values), spread, atol=0.2 * np.diag(spread).max())


def test_completed_draws_have_the_dims_of_others(panel: Panel) -> None:
    spec = ROBUST.but(priors=PRIORS)
    _, prior = prior_of(panel, spec, draws=3)
    drawn = complete(panel, spec, prior, seed=1)
    assert drawn["beta"].dims == ("chain", "draw", "ou")
    xr.testing.assert_identical(drawn, complete(panel, spec, prior, seed=1))
    assert complete(panel, BASELINE, prior, seed=1) is prior


@pytest.mark.parametrize("name", ["robust", "score in the noise"])
def test_leaving_one_outcome_out_of_a_dependent_series(panel: Panel, name: str) -> None:
    spec = STRAYING[name].but(priors=PRIORS)
    _, prior = prior_of(panel, spec)
    posterior = complete(panel, spec, prior, seed=1)
    result = Fit(panel, spec, Sampling(), xr.DataTree.from_dict({"posterior": posterior}), "key")
    found = outcome_density(result, panel, np.arange(panel.rows.sizes["row"])).isel(chain=0, draw=1)
    p = posterior.isel(chain=0, draw=1)
    given = spec.but(score="latent") if spec.score == "latent" else spec
    y = panel.rows["y"].to_numpy()
    for g in (0, 1, 2, 4):
        if spec.score == "expected":  # effects are known here: no spread, and their own values
            known = p.assign(
                mu_alpha=p["alpha"][g], mu_beta=p["beta"][g], sigma_ou=0 * p["sigma_ou"]
            )
        else:
            known = p
        mean, covariance, at = dense_outcome(panel, given, known, g)
        for k, i in enumerate(at):
            rest = np.delete(np.arange(at.size), k)
            solved = np.linalg.solve(covariance[np.ix_(rest, rest)], covariance[rest, k])
            centre = mean[k] + solved @ (y[at][rest] - mean[rest])
            sd = np.sqrt(covariance[k, k] - solved @ covariance[rest, k])
            expected = stats.norm.logpdf(y[i], centre, sd)
            assert float(found.sel(row=i)) == pytest.approx(expected, abs=1e-7)


def test_rows_that_the_fit_has_not_seen_do_not_count() -> None:
    whole = simulate("upgraded", n_ou=4, n_site=2, n_month=8, wave_every=2, seed=5)
    month = whole.rows["month_idx"].to_numpy()
    part = whole.select_rows(np.flatnonzero(month < 6))
    spec = ROBUST.but(priors=PRIORS)
    _, prior = prior_of(part, spec)
    posterior = complete(part, spec, prior, seed=1)
    result = Fit(part, spec, Sampling(), xr.DataTree.from_dict({"posterior": posterior}), "key")
    late = np.flatnonzero(month == 7)
    r = row_density(result, posterior, late, whole)
    changed = whole.rows["y"].copy()
    changed[{"row": month == 6}] = 99.0
    other = Panel(**{**vars(whole), "rows": whole.rows.assign(y=changed)})
    xr.testing.assert_allclose(r.intercept, row_density(result, posterior, late, other).intercept)
    # Two steps from the last outcome seen: less than the stationary variance, more than one step.
    stationary = posterior["sigma_u"] ** 2 / (1 - posterior["phi_u"] ** 2)
    noise = posterior["sigma_y"] ** 2
    factor = posterior["noise_ou"].isel(
        ou=xr.DataArray(whole.rows["ou_idx"].to_numpy()[late], dims="row")
    )
    beyond = (r.sigma / factor) ** 2 - noise
    assert bool((beyond <= stationary + 1e-9).all())
    assert bool((beyond >= posterior["sigma_u"] ** 2 - 1e-9).all())


@pytest.mark.parametrize("spec", [BASELINE, UPGRADED], ids=lambda spec: spec.name)
def test_noise_by_ou_is_a_scale_of_the_outcome(spec: ModelSpec) -> None:
    """log p of y under a factor k is that of the model with sigma_y k, OU by OU."""
    panel = simulate("upgraded", n_ou=4, n_site=2, n_month=8, wave_every=2, seed=5)
    by_ou = spec.but(noise="by_ou", priors=PRIORS)
    with build_model(panel, by_ou):
        prior = pm.sample_prior_predictive(1, random_seed=4)["prior"].to_dataset()
        prior["sigma_y"][:] = 0.4
        found = pm.compute_log_likelihood(
            xr.DataTree.from_dict({"posterior": prior}), progressbar=False
        )["log_likelihood"]["productivity"]
    # A draw for each OU, whose factor scales all rows.
    scaled = prior.isel(draw=[0] * 4).assign_coords(draw=range(4))
    factor = prior["noise_ou"].isel(draw=0, drop=True).to_numpy()
    scaled["sigma_y"] = scaled["sigma_y"] * factor
    with build_model(panel, spec.but(priors=PRIORS)):
        expected = pm.compute_log_likelihood(
            xr.DataTree.from_dict({"posterior": scaled}), progressbar=False
        )["log_likelihood"]["productivity"]
    ou = panel.rows["ou_idx"].to_numpy()
    reference_densities = expected.to_numpy()[:, ou, np.arange(ou.size)]
    np.testing.assert_allclose(found[:, 0], reference_densities, atol=1e-4)


def test_movement_only_where_surveys_were_taken(panel: Panel) -> None:
    surveyed = np.isin(panel.months, panel.waves)
    for months in ("iid", "ar1"):
        model = build_model(panel, ROBUST.but(months=months))
        tau = pm.draw(model["tau"], draws=200, random_seed=1)
        assert np.all(tau[:, ~surveyed] == 0)
        np.testing.assert_allclose(tau.sum(axis=1), 0, atol=1e-9)
        assert np.all(tau[:, surveyed].std(axis=0) > 0.3)


def test_movement_is_the_same_however_it_is_centred(panel: Panel) -> None:
    """Its covariance is that of centred independent effects of unit variance."""
    model = build_model(panel, ROBUST)
    at = np.flatnonzero(np.isin(panel.months, panel.waves))
    for c in (0.0, 0.7):
        model["tau_centring"].set_value(c)
        tau = pm.draw(model["tau"], draws=6000, random_seed=1)
        np.testing.assert_allclose(np.cov(tau[:, at].T), np.eye(at.size) - 1 / at.size, atol=0.06)


def test_a_single_wave_has_no_movement() -> None:
    panel = simulate("baseline", n_ou=6, n_site=2, n_month=8, wave_every=8, seed=1)
    for months in ("iid", "ar1"):
        model = build_model(panel, ROBUST.but(months=months))
        assert not pm.draw(model["tau"]).any()
        slopes = gradient(model, model.initial_point())
        assert all(np.isfinite(each).all() for each in slopes)


@pytest.mark.parametrize("phi", [0.0, 0.6, 0.95])
def test_coordinates_of_months_are_a_change_of_variables(phi: float) -> None:
    months, scale = 6, 0.3
    centre = np.random.default_rng(2).normal(size=months)
    coords = {"month": range(months)}
    with pm.Model(coords=coords) as model:
        where = Along(pt.constant(centre), pt.constant(phi), pt.constant(scale))
        lam = add_ar1("lam", phi=pt.constant(0.5), sigma=pt.constant(0.4), along=where)
    transform, inputs = model.rvs_to_transforms[lam], lam.owner.inputs
    e = pt.dvector()
    backward = pytensor.function([e], transform.backward(e, *inputs))
    value = np.random.default_rng(1).normal(size=months - 1)
    path = backward(value)
    assert path.sum() == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(
        transform.forward(pt.constant(path), *inputs).eval(), value, atol=1e-9
    )
    # The Jacobian in an orthonormal basis of paths that sum to zero.
    basis = np.linalg.svd(np.eye(months) - 1 / months)[0][:, : months - 1]
    jacobian = np.array([backward(value + step) - path for step in np.eye(months - 1)]).T
    expected = np.linalg.slogdet(basis.T @ jacobian)[1]
    found = transform.log_jac_det(pt.constant(value), *inputs).eval()
    assert float(found) == pytest.approx(expected, abs=1e-9)
    # And the model's density is the path's, times that.
    point = {"lam_along__": value}
    density = centred_ar1_logp(pt.constant(path), pt.constant(0.5), pt.constant(0.4)).eval()
    assert model.compile_logp()(point) == pytest.approx(float(density) + expected, abs=1e-6)


def test_polar_coordinates_are_two_half_normals(panel: Panel) -> None:
    spec = BASELINE.but(survey_scale="design", priors=Priors(sigma_x=0.7, sigma_meas=1.3))
    model = build_model(panel, spec)
    sigma_x, sigma_meas = pm.draw(
        [model["sigma_x"], model["sigma_meas"]], draws=4000, random_seed=1
    )
    root = typical_root(panel)
    n = panel.rows["respondents"].to_numpy()[panel.survey_rows]
    assert root == pytest.approx(np.sqrt(np.median(n)))
    assert stats.kstest(sigma_x, stats.halfnorm(scale=0.7).cdf).pvalue > 0.01
    assert stats.kstest(sigma_meas, stats.halfnorm(scale=1.3 * root).cdf).pvalue > 0.01
    assert abs(stats.spearmanr(sigma_x, sigma_meas).statistic) < 0.05


def test_coordinates_of_slopes_leave_the_prior_alone(panel: Panel) -> None:
    prior = Priors(mu_beta=0.4, sigma_ou=0.8)
    model = build_model(panel, ROBUST.but(priors=prior))
    mu, sigma, share, phi, u, y = pm.draw(
        [model[k] for k in ("mu_beta", "sigma_ou", "noise_share", "phi_u", "sigma_u", "sigma_y")],
        draws=4000,
        random_seed=1,
    )
    assert stats.kstest(mu, stats.norm(0, 0.4).cdf).pvalue > 0.01
    assert stats.kstest(phi, stats.beta(4, 1).cdf).pvalue > 0.01
    for values, scale in ((sigma[:, 0], 0.8), (sigma[:, 1], 0.8), (u, 0.5), (y, 0.5)):
        assert stats.kstest(values, stats.halfnorm(scale=scale).cdf).pvalue > 0.01
    assert abs(stats.spearmanr(mu, share).statistic) < 0.05


def test_facts_that_choose_coordinates() -> None:
    panel = simulate("baseline", n_ou=40, n_month=24, wave_every=3, seed=3)
    scale, changes = residual_scales(panel)
    assert scale.shape == changes.shape == (40,)
    assert np.all(changes == 23)
    assert 0 <= centring(panel) < 0.7  # all OUs are as noisy as each other
    means, error = month_means(panel)
    assert np.corrcoef(means, panel.truth["lam"])[0, 1] > 0.98
    assert 0 < error < 0.5
    slope, pooled, single = rough_slopes(panel)
    assert 0.05 < slope < 0.6
    assert pooled < 0.1 < 5 * pooled < single


# --- what goes with what


def test_nonsense_is_refused_all_at_once(panel: Panel) -> None:
    with pytest.raises(UserError, match="Gaussian outcome.*response part.*trends") as error:
        build_model(panel, UPGRADED.but(deviations=True, trend=True, noise="by_ou"))
    assert "upgraded cannot be built" in str(error.value)
    with pytest.raises(UserError, match="no explicit form"):
        build_model(panel, BASELINE.but(score="expected", latent="explicit"))


SWITCHES = {
    "noise": ("common", "by_ou"),
    "score": ("latent", "expected"),
    "slope": ("total", "within"),
    "movement": ("all_months", "survey_months"),
    "deviations": (False, True),
    "survey_scale": ("unit", "design"),
}


@pytest.mark.parametrize("latent", ["integrated", "explicit"])
@pytest.mark.parametrize(
    "spec", [*LADDER, BASELINE.but(months="ar1")], ids=lambda s: s.name + s.months
)
def test_what_is_not_refused_builds(spec: ModelSpec, latent: str) -> None:
    panel = simulate("upgraded", n_ou=4, n_site=2, n_month=8, wave_every=2, seed=5)
    built = 0
    for places in itertools.product((0, 1), repeat=len(SWITCHES)):
        switches = {name: SWITCHES[name][k] for name, k in zip(SWITCHES, places, strict=True)}
        chosen = spec.but(latent=latent, **switches)
        # Half of them, which have all settings of any three switches that go together.
        if chosen.problems() or sum(places) % 2:
            continue
        names = build_model(panel, chosen).named_vars
        assert ("noise_ou" in names) == (chosen.noise == "by_ou")
        assert ("beta_between" in names) == (chosen.slope == "within")
        assert ("phi_u" in names) == chosen.deviations
        built += 1
    assert built >= 8


@pytest.mark.parametrize(
    "spec",
    [
        ROBUST.but(sites=True, covariates="ridge", correlated=False),
        UPGRADED.but(noise="by_ou", slope="within", survey_scale="design", latent="explicit"),
    ],
    ids=["robust", "explicit"],
)
def test_gradients_are_finite(spec: ModelSpec) -> None:
    panel = simulate("upgraded", n_ou=4, n_site=2, n_month=8, wave_every=2, seed=5, coef=(0.3, 0.0))
    model = build_model(panel, spec)
    rng, start = np.random.default_rng(0), model.initial_point()
    point = {name: value + 0.2 * rng.standard_normal(value.shape) for name, value in start.items()}
    assert all(np.isfinite(each).all() for each in gradient(model, point))


# --- sampled


@pytest.fixture(scope="module")
def straying() -> tuple[Panel, Fit]:
    """A panel whose OUs stray and differ in noise, and ROBUST's short fit to it."""
    rng = np.random.default_rng(7)
    panel = simulate(
        "baseline",
        n_ou=30,
        n_site=3,
        n_month=24,
        wave_every=2,
        seed=11,
        parameters={"sigma_y": 0.1, "mu_beta": 0.4},
    )
    frame = panel.to_frame()
    factor = np.exp(rng.normal(0, 0.5, 30))
    u = np.empty((30, 24))
    u[:, 0] = rng.normal(0, 0.2 / np.sqrt(1 - 0.81), 30)
    for t in range(1, 24):
        u[:, t] = 0.9 * u[:, t - 1] + rng.normal(0, 0.2, 30)
    frame["productivity"] *= np.exp(0.3 * (factor[:, None] * u).ravel())
    changed = Panel.from_frame(frame.assign(month=frame["month"].astype("datetime64[s]")))
    return changed, fit(changed, ROBUST, Sampling(draws=400, tune=500, chains=2), progress=False)


def test_robust_finds_what_was_put_in(straying: tuple[Panel, Fit]) -> None:
    panel, result = straying
    verdict = check(result)
    assert {c.name for c in verdict.failed} <= {"r_hat", "ess_bulk", "ess_tail"}  # short
    assert next(c.value for c in verdict.checks if c.name == "r_hat") < 1.05
    table = summarise(result)
    unit = 0.3 / panel.scale.s_y
    within = 0.25 / panel.scale.s_x
    truth = {"phi_u": 0.9, "sigma_u": 0.2 * unit, "mu_beta": 0.4 * unit / within}
    for name, value in truth.items():
        row = table.loc[name]
        assert abs(row["mean"] - value) < 3.5 * row["sd"], name
    assert table.loc["sigma_noise_ou", "mean"] == pytest.approx(0.5, abs=0.2)


def test_a_robust_fit_serves_what_comes_after(straying: tuple[Panel, Fit]) -> None:
    panel, result = straying
    replicates = replicate(result, draws=50)
    assert replicates["productivity"].dims == ("sample", "row")
    assert replicates["survey"].sizes["survey_row"] == panel.survey_rows.size
    spread = replicates["productivity"].std("sample").mean()
    assert 0.3 < float(spread) / panel.rows["y"].to_numpy().std() < 1.5
    # The outcome says nothing of a score that it sees the expectation of.
    xr.testing.assert_allclose(conditional(result), conditional(result, outcome=False))
    assert recover_latent(result, draws=20)["row"].size == panel.rows.sizes["row"]
    assert set(new_ous(result, np.array([0]), draws=10)) == {
        *("alpha", "beta", "mu_x_ou", "noise_ou")
    }
    expected = expectations(result, result.posterior, panel.survey_rows[:3])
    assert np.isfinite(expected.intercept).all()


def test_a_state_panel_is_read_as_any_other(tmp_path: object) -> None:
    from oulib.panel.munnell import states

    file = tmp_path / "states.csv"
    states().panel.to_frame().to_csv(file, index=False)
    assert read_panel(file).fingerprint == states().panel.fingerprint


def test_steps_count_the_months_that_are_missing(panel: Panel) -> None:
    first, gap = steps(panel)
    seen = np.isfinite(panel.rows["y"].to_numpy())
    month = panel.rows["month_idx"].to_numpy()[seen]
    assert first.sum() == 4
    np.testing.assert_array_equal(gap[~first], np.diff(month)[~first[1:]])


@pytest.mark.filterwarnings("ignore:Numba will use object mode")
def test_power_scaling_knows_every_prior_of_robust(straying: tuple[Panel, Fit]) -> None:
    """Also of what is sampled in other coordinates; both slopes share one field."""
    _, result = straying
    found = log_densities(result, draws=50)["prior"]
    assert set(found["field"].to_numpy()) == {
        *("mu_alpha", "mu_beta", "sigma_ou", "lkj_eta", "mu_x", "sigma_mu_x", "gamma_x"),
        *("sigma_x", "sigma_meas", "noise_share", "sigma_lam"),
        *("sigma_y", "sigma_u", "phi_u", "sigma_noise_ou"),
    }
    p, scale = result.posterior.sel(draw=found["draw"]), result.spec.priors
    for field, reference_densities in {
        "mu_beta": -0.5 * (p["mu_beta"] ** 2 + p["beta_between"] ** 2) / scale.mu_beta**2,
        "sigma_u": -0.5 * (p["sigma_u"] / scale.sigma_u) ** 2,
        "phi_u": (scale.phi_u - 1) * np.log(p["phi_u"]),
    }.items():
        gap = found.sel(field=field) - reference_densities
        assert float(gap.max() - gap.min()) < 1e-8, field
