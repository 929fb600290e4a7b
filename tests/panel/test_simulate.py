"""Simulated panels: seeds, the recipes' moments, the truth on the panel's scale, the files."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from conftest import frame_of
from scipy.special import expit
from scipy.stats import kstest, norm, t

from oulib import Panel, UserError, simulate
from oulib.panel import truth
from oulib.panel.recipes import RECIPES

BOTH = pytest.mark.parametrize("recipe", ["baseline", "upgraded"])


@pytest.fixture(scope="module")
def large():
    """A panel of each recipe with enough of everything for moments."""
    size = {"n_ou": 1000, "n_site": 200, "n_month": 60, "wave_every": 3, "seed": 11}
    return {recipe: simulate(recipe, **size) for recipe in RECIPES}


def parts(panel):
    """What the rows of a simulated panel should be made of, on the panel's scale."""
    g, m = panel.rows["ou_idx"].to_numpy(), panel.rows["month_idx"].to_numpy()
    p = {name: panel.truth[name].to_numpy() for name in panel.truth}
    x_star = p["x_star"]
    return {
        "outcome_noise": panel.rows["y"].to_numpy()
        - (p["alpha"][g] + p["lam"][m] + p["beta"][g] * x_star),
        "score_noise": x_star - p["mu_x_ou"][g] - p["gamma_x"] * p["tau"][m],
        "survey_noise": (panel.rows["x"].to_numpy() - x_star)
        * np.sqrt(np.maximum(panel.rows["respondents"].to_numpy(), 1)),
    }


def autocorrelation(path):
    return np.sum(path[1:] * path[:-1]) / np.sum(path**2)


@BOTH
def test_seed(recipe):
    first, again, other = (simulate(recipe, n_ou=6, n_site=2, seed=s) for s in (3, 3, 4))
    assert first.fingerprint == again.fingerprint
    assert first.truth.identical(again.truth)
    assert first.fingerprint != other.fingerprint
    assert not first.truth["x_star"].equals(other.truth["x_star"])


@BOTH
def test_truth_reproduces_the_panel_exactly(recipe):
    """Without noise, nothing is left of y and of x' but the rounding of the file's columns."""
    quiet = {"sigma_y": 0.0, "sigma_meas": 0.0}
    panel = simulate(recipe, wave_every=3, seed=5, parameters=quiet)
    found = parts(panel)
    assert np.abs(found["outcome_noise"]).max() < 1e-4
    assert np.nanmax(np.abs(found["survey_noise"])) < 5e-3
    assert np.isfinite(found["survey_noise"]).sum() == len(panel.survey_rows)


@BOTH
def test_noise_has_the_laws_of_the_recipe(large, recipe):
    panel = large[recipe]
    found, p = parts(panel), panel.truth
    law = norm if recipe == "baseline" else t(RECIPES["upgraded"]["nu"])
    assert kstest(found["outcome_noise"] / float(p["sigma_y"]), law.cdf).pvalue > 1e-4
    assert kstest(found["score_noise"] / float(p["sigma_x"]), norm.cdf).pvalue > 1e-4
    # The surveys that were missed are missed for a reason in the upgraded recipe, but not for
    # their noise.
    survey = found["survey_noise"][panel.survey_rows] / float(p["sigma_meas"])
    assert kstest(survey, norm.cdf).pvalue > 1e-4


def test_upgraded_outcome_has_student_tails(large):
    """Far beyond what a normal would give: P(|t_4| > 6) is 0.4%."""
    z = parts(large["upgraded"])["outcome_noise"] / float(large["upgraded"].truth["sigma_y"])
    share = np.mean(np.abs(z) > 6)
    expected = 2 * t(4).sf(6)
    assert abs(share - expected) < 5 * np.sqrt(expected / len(z))
    z = parts(large["baseline"])["outcome_noise"] / float(large["baseline"].truth["sigma_y"])
    assert np.abs(z).max() < 6


@BOTH
def test_effects_have_the_truths_covariance(large, recipe):
    """Rescaled hyperparameters describe the rescaled effects: means, scales, correlation."""
    panel, p = large[recipe], large[recipe].truth
    effects = np.array([p["alpha"], p["beta"]])
    if recipe == "upgraded":
        site = np.array([p["alpha_site"], p["beta_site"]])
        check_covariance(site, [0, 0], p["sigma_site"], p["corr_site"])
        effects = effects - site[:, panel.site_idx]
    check_covariance(effects, [p["mu_alpha"], p["mu_beta"]], p["sigma_ou"], p["corr_ou"])
    mu = p["mu_x_ou"].to_numpy()
    error = float(p["sigma_mu_x"]) / np.sqrt(len(mu))
    assert abs(mu.mean() - float(p["mu_x"])) < 5 * error
    assert abs(mu.std() - float(p["sigma_mu_x"])) < 5 * error


def check_covariance(values, mean, sigma, corr):
    n, sigma, corr = values.shape[1], sigma.to_numpy(), corr.to_numpy()
    np.testing.assert_allclose(np.diag(corr), 1, atol=1e-12)
    np.testing.assert_allclose(corr, corr.T, atol=1e-12)
    assert np.all(np.abs(values.mean(axis=1) - np.array(mean, float)) < 5 * sigma / np.sqrt(n))
    np.testing.assert_allclose(values.std(axis=1), sigma, rtol=5 / np.sqrt(2 * n))
    found = np.corrcoef(values)[0, 1]
    assert abs(np.arctanh(found) - np.arctanh(corr[0, 1])) < 5 / np.sqrt(n)


@BOTH
def test_hyperparameters_move_with_the_scale(recipe):
    """The truth of the effects' prior is the recipe's own, turned into the panel's units."""
    panel = simulate(recipe, seed=2)
    p, own = panel.truth, RECIPES[recipe]
    # (4.6, 0.30) and (3.7, 0.25): productivity = exp(4.6 + 0.3 y), survey = 3.7 + 0.25 x.
    a, b = (panel.scale.m_x - 3.7) / 0.25, panel.scale.s_x / 0.25
    c, d = (panel.scale.m_y - 4.6) / 0.30, panel.scale.s_y / 0.30
    sigma = np.array(own["sigma_ou"])
    covariance = np.outer(sigma, sigma) * [[1, own["corr_ou"]], [own["corr_ou"], 1]]
    draws = np.random.default_rng(0).multivariate_normal(
        [own["mu_alpha"], own["mu_beta"]], covariance, 200_000
    )
    # y = alpha + beta x on the recipe's scale is (alpha + a beta - c) / d + (beta b / d) x'.
    moved = np.array([(draws[:, 0] + a * draws[:, 1] - c) / d, draws[:, 1] * b / d])
    mean = [float(p["mu_alpha"]), float(p["mu_beta"])]
    check_covariance(moved, mean, p["sigma_ou"], p["corr_ou"])


@BOTH
def test_months_are_centred(large, recipe):
    for name in ("lam", "tau"):
        np.testing.assert_allclose(large[recipe].truth[name].sum(), 0, atol=1e-10)


def test_baseline_months_are_independent_and_of_unit_size():
    panel = simulate("baseline", n_ou=4, n_site=1, n_month=3000, wave_every=2, seed=6)
    n, p = 3000, panel.truth
    lam = p["lam"].to_numpy() * panel.scale.s_y / 0.30
    tau = p["tau"].to_numpy() * panel.scale.s_x / 0.25
    for path in (lam, tau):
        assert abs(path.std() - 1) < 5 / np.sqrt(2 * n)
        assert abs(autocorrelation(path)) < 5 / np.sqrt(n)
        assert kstest(path, "norm").pvalue > 1e-4
    assert abs(np.corrcoef(lam, tau)[0, 1]) < 5 / np.sqrt(n)


def test_upgraded_months_are_autoregressive():
    n = 4000
    given = {"phi_lam": 0.7, "sigma_lam": 0.25, "phi_tau": -0.5}
    panel = simulate("upgraded", n_ou=4, n_site=2, n_month=n, wave_every=2, parameters=given)
    lam = panel.truth["lam"].to_numpy() * panel.scale.s_y / 0.30
    tau = panel.truth["tau"].to_numpy()
    for path, phi, innovation in ((lam, 0.7, 0.25), (tau, -0.5, np.sqrt(0.75))):
        assert abs(autocorrelation(path) - phi) < 5 * np.sqrt((1 - phi**2) / n)
        shocks = path[1:] - phi * path[:-1]
        assert abs(shocks.std() / innovation - 1) < 5 / np.sqrt(2 * n)
        assert abs(autocorrelation(shocks - shocks.mean())) < 5 / np.sqrt(n)
    assert abs(tau.std() - 1) < 0.1  # unit marginal size


def test_autoregressive_months_start_stationary():
    """Var(lam_2 - lam_1) = 2 sigma^2 / (1 + phi) from the first step on: 10, not 1 from a start
    at 0, and no wide start."""
    given = {"phi_lam": -0.8, "sigma_lam": 1.0}
    size = {"n_ou": 6, "n_site": 1, "n_month": 4, "wave_every": 1}
    panels = [simulate("upgraded", seed=s, parameters=given, **size) for s in range(300)]
    lam = np.array([p.truth["lam"].to_numpy() * p.scale.s_y / 0.30 for p in panels])
    for at in (0, 1, 2):
        found = np.mean((lam[:, at + 1] - lam[:, at]) ** 2)
        assert abs(found / 10 - 1) < 5 * np.sqrt(2 / len(lam))


def test_response_depends_on_the_score_as_the_recipe_says(large):
    """Only scheduled rows respond, at the rate that the rescaled truth gives, at every x*."""
    panel, p = large["upgraded"], large["upgraded"].truth
    at = panel.scheduled_rows
    assert np.isin(panel.survey_rows, at).all()
    g, m = panel.rows["ou_idx"].to_numpy()[at], panel.rows["month_idx"].to_numpy()[at]
    wave = {label: i for i, label in enumerate(p["wave"].to_numpy())}
    of_wave = [wave[panel.months[i]] for i in m]
    x_star = p["x_star"].to_numpy()[at]
    logit = float(p["rho_0"]) + float(p["rho_x"]) * x_star
    logit = logit + p["rho_ou"].to_numpy()[g] + p["rho_month"].to_numpy()[of_wave]
    rate, answered = expit(logit), panel.rows["observed"].to_numpy()[at]
    fifths = np.digitize(x_star, np.quantile(x_star, [0.2, 0.4, 0.6, 0.8]))
    for fifth in range(5):
        here = fifths == fifth
        error = np.sqrt(np.sum(rate[here] * (1 - rate[here])))
        assert abs(answered[here].sum() - rate[here].sum()) < 5 * error
    assert answered[fifths == 4].mean() > answered[fifths == 0].mean() + 0.3
    assert abs(p["rho_ou"].std() / float(p["sigma_rho_ou"]) - 1) < 5 / np.sqrt(2 * 1000)


def test_baseline_response_ignores_the_score(large):
    panel = large["baseline"]
    at = panel.scheduled_rows
    answered = panel.rows["observed"].to_numpy()[at]
    assert abs(answered.mean() - 0.9) < 5 * np.sqrt(0.09 / len(at))
    correlation = np.corrcoef(answered, panel.truth["x_star"].to_numpy()[at])[0, 1]
    assert abs(correlation) < 5 / np.sqrt(len(at))


def test_schedule_sites_and_respondents():
    panel = simulate(
        "baseline", n_ou=10, n_site=4, n_month=12, wave_every=5, respondents=50, seed=1
    )
    scheduled = panel.rows["scheduled"].to_numpy()
    assert set(panel.rows["month_idx"].to_numpy()[scheduled]) == {4, 9}
    assert sorted(np.bincount(panel.site_idx)) == [2, 2, 3, 3]
    n = panel.rows["respondents"].to_numpy()
    assert np.all((n > 0) == panel.rows["observed"].to_numpy())
    many = simulate("baseline", n_ou=400, n_site=1, n_month=12, respondents=50, seed=2)
    n = many.rows["respondents"].to_numpy()[many.survey_rows]
    assert 45 < np.median(n) < 55
    assert many.ous == tuple(sorted(many.ous))


@BOTH
def test_hyperparameters_drawn_from_the_prior(recipe):
    """Different for each seed, all finite, and the exact relation of panel and truth holds."""
    slopes = set()
    for seed in range(8):
        panel = simulate(recipe, n_ou=20, n_site=4, n_month=24, seed=seed, parameters="prior")
        assert all(np.isfinite(panel.truth[name]).all() for name in panel.truth)
        assert np.isfinite(panel.rows["y"]).all()
        z = parts(panel)["outcome_noise"] / float(panel.truth["sigma_y"])
        law = norm if recipe == "baseline" else t(float(panel.truth["nu"]))
        assert kstest(z, law.cdf).pvalue > 1e-4
        slopes.add(float(panel.truth["mu_beta"]))
    assert len(slopes) == 8


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_prior_draws_with_a_wide_outcome_stay_finite():
    panel = simulate("baseline", n_ou=20, n_month=24, seed=14, parameters="prior")
    assert np.isfinite(panel.rows["y"]).all()


def test_given_parameters_replace_the_recipes():
    panel = simulate("upgraded", seed=1, parameters={"nu": 30.0, "phi_lam": 0.1})
    assert float(panel.truth["nu"]) == 30
    assert float(panel.truth["phi_lam"]) == 0.1
    assert float(panel.truth["phi_tau"]) == RECIPES["upgraded"]["phi_tau"]


def test_bad_arguments_are_named_all_at_once():
    with pytest.raises(UserError) as error:
        simulate(
            "baseline",
            n_ou=1,
            n_site=7,
            n_month=2,
            wave_every=0,
            respondents=0,
            start="soon",
            parameters={"nu": 4, "colour": 1},
        )
    message = str(error.value)
    for part in ("colour, nu", "1 OUs", "7 sites", "2 months", "every 0", "0 respondents", "soon"):
        assert part in message
    with pytest.raises(UserError, match="Unknown recipe 'ar1'; the recipes are baseline, upgraded"):
        simulate("ar1")
    with pytest.raises(UserError, match="0 different survey scores"):
        simulate("baseline", parameters={"response_rate": 0.0})


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    "bad",
    [
        {"seed": -1},
        {"start": ""},
        {"respondents": float("inf")},
        {"parameters": "prio"},
        {"parameters": {"corr_ou": 2.0}},
        {"parameters": {"sigma_ou": 1.0}},
        {"parameters": {"sigma_y": -1.0}},
        {"parameters": {"sigma_y": float("nan")}},
        {"parameters": {"phi_lam": 1.0}},
    ],
    ids=str,
)
def test_impossible_values_are_refused(bad):
    with pytest.raises(UserError):
        simulate("upgraded", **bad)


@BOTH
def test_files_bring_back_panel_and_truth(tmp_path, recipe):
    panel = simulate(recipe, n_ou=30, n_site=5, seed=9)
    files = truth.write(panel, tmp_path / "deep" / "my.panel.csv")
    assert [f.name for f in files] == ["my.panel.csv", "my.panel.truth.json"]
    assert sorted(f.name for f in (tmp_path / "deep").iterdir()) == sorted(f.name for f in files)
    back = truth.load(files[0])
    assert back.fingerprint == panel.fingerprint
    xr.testing.assert_identical(back.truth, panel.truth)
    assert truth.truth_path(files[0]) == files[1]


def test_a_panel_without_truth(tmp_path, panel):
    (file,) = truth.write(replace(panel, truth=None), tmp_path / "panel.csv")
    back = truth.load(file)
    assert back.truth is None
    assert back.fingerprint == panel.fingerprint


def test_truth_of_another_panel_is_refused(tmp_path, panel):
    csv, _ = truth.write(panel, tmp_path / "panel.csv")
    frame = frame_of(panel)
    frame.loc[0, "productivity"] *= 1.01
    changed = Panel.from_frame(frame)
    csv.write_text(changed.to_frame().to_csv(index=False))
    with pytest.raises(UserError, match="not the truth of .*changed after it was simulated"):
        truth.load(csv)


@pytest.mark.parametrize("content", ["", "{", "{}", '{"attrs": {}}', "\x80"])
def test_broken_truth_is_refused(tmp_path, panel, content):
    csv, beside = truth.write(panel, tmp_path / "panel.csv")
    beside.write_bytes(content.encode("latin-1"))
    with pytest.raises(UserError, match="truth"):
        truth.load(csv)


@pytest.mark.parametrize("content", ["[]", "3", "null", '{"a": 1}'])
def test_a_truth_file_of_another_shape_is_refused(tmp_path, panel, content):
    csv, beside = truth.write(panel, tmp_path / "panel.csv")
    beside.write_text(content)
    with pytest.raises(UserError, match="truth"):
        truth.load(csv)


def test_truth_file_is_plain_json(tmp_path, panel):
    _, beside = truth.write(panel, tmp_path / "panel.csv")
    content = json.loads(beside.read_text(), parse_constant=lambda word: pytest.fail(word))
    assert content["attrs"]["recipe"] == "baseline"
    assert content["data_vars"]["alpha"]["dims"] == ["ou"]


# --- what real panels have: noise by OU, persistent deviations, loadings on the months

INGREDIENTS = {"sigma_noise_ou": 0.6, "phi_u": 0.8, "sigma_u": 0.3, "sigma_loading": 0.5}


@BOTH
def test_ingredients_leave_everything_else_as_it_was(recipe):
    """Their streams are their own: scores, surveys and effects are those of the plain panel."""
    size = {"n_ou": 20, "n_site": 4, "n_month": 18, "seed": 7}
    plain, rich = simulate(recipe, **size), simulate(recipe, **size, **INGREDIENTS)
    for name in ("survey", "respondents", "observed", "x"):
        np.testing.assert_array_equal(rich.rows[name], plain.rows[name])
    for name in ("x_star", "mu_x_ou", "sigma_x", "sigma_meas"):
        np.testing.assert_array_equal(rich.truth[name], plain.truth[name])
    ratio = plain.scale.s_y / rich.scale.s_y
    np.testing.assert_allclose(rich.truth["beta"], plain.truth["beta"] * ratio)
    assert not set(plain.truth) & {"noise_ou", "sigma_noise_ou", "phi_u", "sigma_u", "loading"}
    off = simulate(recipe, **size, **dict.fromkeys(INGREDIENTS, 0.0))
    assert off.fingerprint == plain.fingerprint
    assert off.truth.identical(plain.truth)
    # Each is drawn alike whether or not the others are asked for.
    alone = simulate(recipe, **size, sigma_noise_ou=0.6)
    np.testing.assert_array_equal(alone.truth["noise_ou"], rich.truth["noise_ou"])


def test_ingredients_are_what_their_truth_says():
    """Outcomes less their expectation: scale by OU, autocorrelation and sd on the panel's scale."""
    size = {"n_ou": 300, "n_site": 5, "n_month": 400, "wave_every": 100, "seed": 3}
    panel = simulate("baseline", **size, **INGREDIENTS)
    p = panel.truth
    np.testing.assert_allclose(np.log(p["noise_ou"]).sum(), 0, atol=1e-9)
    assert abs(np.log(p["noise_ou"]).std() / 0.6 - 1) < 5 / np.sqrt(600)
    np.testing.assert_allclose(p["loading"].mean(), 1)
    assert abs(p["loading"].std() / 0.5 - 1) < 5 / np.sqrt(600)
    g, m = panel.rows["ou_idx"].to_numpy(), panel.rows["month_idx"].to_numpy()
    a, x = (p[name].to_numpy() for name in ("loading", "x_star"))
    mean = p["alpha"].to_numpy()[g] + a[g] * p["lam"].to_numpy()[m] + p["beta"].to_numpy()[g] * x
    left = (panel.rows["y"].to_numpy() - mean) / p["noise_ou"].to_numpy()[g]
    left = left.reshape(300, 400)
    phi, q, v = float(p["phi_u"]), float(p["sigma_u"]) ** 2, float(p["sigma_y"]) ** 2
    assert phi == 0.8
    # Two tenths of the 120,000 rows are effective at this autocorrelation; 5 of their errors.
    error = 5 * np.sqrt(2 / (0.2 * left.size))
    stationary = q / (1 - phi**2)
    assert abs((left**2).mean() / (stationary + v) - 1) < error
    for lag in (1, 3):
        found = (left[:, lag:] * left[:, :-lag]).mean()
        assert abs(found / (phi**lag * stationary) - 1) < 1.5 * error
    # Deviations start where they stay: no wider, no narrower in the first month.
    assert abs((left[:, 0] ** 2).mean() / (stationary + v) - 1) < 5 * np.sqrt(2 / 300)


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        ({"sigma_noise_ou": -0.1}, "sigma_noise_ou"),
        ({"sigma_u": float("nan")}, "sigma_u"),
        ({"sigma_u": 0.3, "phi_u": 1.0}, "phi_u"),
        ({"sigma_loading": float("inf")}, "sigma_loading"),
    ],
)
def test_impossible_ingredients_are_refused(bad, named):
    with pytest.raises(UserError, match=named):
        simulate("baseline", **bad)
