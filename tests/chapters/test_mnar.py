"""The missing-at-random twin against sums of its own, replicated answers, and their sentences."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from scipy import integrate, stats

from oulib import SITE, UPGRADED, Fit, Panel, Priors, Sampling, build_model, chapters, simulate
from oulib import recover_latent as recover
from oulib.chapters.mnar import analysis
from oulib.chapters.mnar.analysis import stories, typical
from oulib.model.draws.density import model_sums, row_density
from oulib.model.spec import ModelSpec
from oulib.panel.describe import response_by_wave, response_gap, unanswered_rows
from oulib.posterior.estimate import against_replicates
from oulib.posterior.predict import Coverage, _answered, regenerate

pytestmark = pytest.mark.filterwarnings("ignore:Numba will use object mode")

PRIORS = Priors(
    mu_alpha=0.3, mu_beta=0.3, sigma_ou=0.2, sigma_site=0.2, sigma_mu_x=0.5, sigma_x=0.5
)


def from_prior(panel: Panel, spec: ModelSpec, draws: int = 4) -> Fit:
    """A fit whose posterior is draws from the prior: enough for everything that follows one."""
    with build_model(panel, spec):
        prior = pm.sample_prior_predictive(draws, random_seed=2)["prior"].to_dataset()
    prior["rho_x"][:] = 1.5
    prior["rho_0"][:] = 0.3
    prior["sigma_x"][:], prior["sigma_y"][:] = 0.8, 0.4
    tree = xr.DataTree.from_dict({"posterior": prior})
    return Fit(panel=panel, spec=spec, sampling=Sampling(), tree=tree, key="prior")


@pytest.fixture(scope="module")
def panel() -> Panel:
    return simulate("upgraded", n_ou=8, n_site=2, n_month=12, wave_every=3, seed=5)


@pytest.fixture(scope="module")
def upgraded(panel: Panel) -> Fit:
    return from_prior(panel, UPGRADED.but(priors=PRIORS))


def reference_densities(
    fit: Fit, row: int, draw: int, answered: bool
) -> tuple[np.ndarray, np.ndarray]:
    """A grid of scores and log p(x*, y_i, R_i) of one unanswered row, from the specification."""
    p, rows = fit.posterior.isel(chain=0, draw=draw), fit.panel.rows
    g, t, y = (rows[k].to_numpy()[row] for k in ("ou_idx", "month_idx", "y"))
    m = float(p["mu_x_ou"][g] + p["gamma_x"] * p["tau"][t])
    x = m + float(p["sigma_x"]) * np.linspace(-10, 10, 4001)
    logit = float(p["rho_0"] + p["rho_ou"][g] + p["rho_month"].sel(wave=rows["month"].item(row)))
    logit = logit + float(p["rho_x"]) * x
    mean = float(p["alpha"][g] + p["lam"][t]) + float(p["beta"][g]) * x
    sigma = float(p["sigma_y"])
    return x, (
        stats.norm.logpdf(x, m, float(p["sigma_x"]))
        + stats.t(float(p["nu"])).logpdf((y - mean) / sigma)
        - np.log(sigma)
        - np.logaddexp(0, -logit if answered else logit)
    )


@pytest.mark.parametrize("twin", [False, True])
def test_scores_of_the_twin_are_those_of_answered_rows(upgraded: Fit, twin: bool) -> None:
    """Many draws of one posterior draw's scores, against the moments of a grid."""
    row = unanswered_rows(upgraded.panel)[:1]
    one = upgraded.posterior.isel(draw=np.zeros(4000, dtype=int))
    many = Fit(
        upgraded.panel,
        upgraded.spec,
        upgraded.sampling,
        xr.DataTree.from_dict({"posterior": one}),
        "many",
    )
    drawn = recover(many, rows=row, seed=1, twin=twin).to_numpy().ravel()
    x, log_joint = reference_densities(upgraded, int(row[0]), 0, answered=twin)
    weight = np.exp(log_joint - log_joint.max())
    weight /= weight.sum()
    mean = float(weight @ x)
    sd = float(np.sqrt(weight @ (x - mean) ** 2))
    assert drawn.mean() == pytest.approx(mean, abs=4 * sd / np.sqrt(drawn.size))
    assert drawn.std() == pytest.approx(sd, rel=0.05)


def test_the_twin_leaves_answered_rows_alone(upgraded: Fit) -> None:
    rows = np.setdiff1d(upgraded.panel.scheduled_rows, unanswered_rows(upgraded.panel))
    assert recover(upgraded, rows=rows).equals(recover(upgraded, rows=rows, twin=True))


def test_only_a_response_part_has_a_twin(upgraded: Fit) -> None:
    tree = xr.DataTree.from_dict({"posterior": upgraded.posterior.drop_vars("rho_x")})
    with pytest.raises(ValueError, match="site has no twin"):
        recover(Fit(upgraded.panel, SITE, Sampling(), tree, "site"), twin=True)


def test_two_stories_say_the_same_of_what_was_observed(upgraded: Fit) -> None:
    """Each against a grid from the specification, against the model's sum, and each other."""
    rows = unanswered_rows(upgraded.panel)[:5]
    told = stories(upgraded, rows, draws=4)
    outcome, response = model_sums(row_density(upgraded, upgraded.posterior, rows), step=0.9)
    for i, row in enumerate(rows):
        for draw in range(upgraded.posterior.sizes["draw"]):
            here = told.isel(chain=0, draw=draw, row=i)
            x, refused = reference_densities(upgraded, int(row), draw, answered=False)
            _, answered = reference_densities(upgraded, int(row), draw, answered=True)
            p0, p1 = (integrate.trapezoid(np.exp(v), x) for v in (refused, answered))
            np.testing.assert_allclose(here["observed"], np.log(p0), atol=1e-6)
            # The twin: scores as among those who answered, silence whatever the score.
            mar, mnar = here.sel(story="mar"), here.sel(story="mnar")
            np.testing.assert_allclose(mar["refusal"], p0 / (p0 + p1), atol=1e-6)
            at = here["x"].to_numpy()
            np.testing.assert_allclose(
                mar["score"], np.interp(at, x, np.exp(answered) / p1, 0, 0), atol=2e-3
            )
            np.testing.assert_allclose(
                mnar["score"], np.interp(at, x, np.exp(refused) / p0, 0, 0), atol=2e-3
            )
            assert float(mnar["refusal"][0]) > 0.99 > 0.01 > float(mnar["refusal"][-1])
    np.testing.assert_allclose(
        told["observed"].sel(story="mnar").transpose("chain", "draw", "row"),
        (outcome + response).transpose("chain", "draw", "row"),
        atol=1e-3,
    )
    text = chapters.mnar.sentences.same_fit(analysis.stories_apart(told["observed"]))
    assert "rounding, and nothing else" in text
    assert "5 unanswered rows" in text


def test_replicated_answers_follow_the_recipe(upgraded: Fit) -> None:
    """Score, outcome and answer hang together as the specification says."""
    one = upgraded.posterior.isel(draw=np.zeros(3000, dtype=int))
    tree = xr.DataTree.from_dict({"posterior": one})
    made = regenerate(
        Fit(upgraded.panel, upgraded.spec, upgraded.sampling, tree, "many"), draws=3000, seed=4
    )
    assert made["responded"].dims == ("sample", "row")
    planned = upgraded.panel.rows["scheduled"].to_numpy()
    assert not made["responded"].to_numpy()[:, ~planned].any()
    row = int(unanswered_rows(upgraded.panel)[0])
    x, refused = reference_densities(upgraded, row, 0, answered=False)
    y = upgraded.panel.rows["y"].to_numpy()[row]
    p = one.isel(chain=0, draw=0)
    g, t = (upgraded.panel.rows[k].to_numpy()[row] for k in ("ou_idx", "month_idx"))
    score = made["x_star"].to_numpy()[:, row]
    m = float(p["mu_x_ou"][g] + p["gamma_x"] * p["tau"][t])
    assert score.mean() == pytest.approx(m, abs=4 * 0.8 / np.sqrt(3000))
    assert score.std() == pytest.approx(0.8, rel=0.05)
    mean = float(p["alpha"][g] + p["lam"][t]) + float(p["beta"][g]) * score
    noise = (made["productivity"].to_numpy()[:, row] - mean) / 0.4
    assert stats.kstest(noise, stats.t(float(p["nu"])).cdf).pvalue > 1e-3
    # P(no answer) without the outcome: the same grid, the outcome's density taken out again.
    mean = float(p["alpha"][g] + p["lam"][t]) + float(p["beta"][g]) * x
    outcome = stats.t(float(p["nu"])).logpdf((y - mean) / 0.4) - np.log(0.4)
    silent = integrate.trapezoid(np.exp(refused - outcome), x)
    share = 1 - made["responded"].to_numpy()[:, row].mean()
    assert share == pytest.approx(silent, abs=4 * np.sqrt(silent * (1 - silent) / 3000))


def test_rates_and_gaps_of_a_panel(panel: Panel) -> None:
    rows = panel.rows
    planned, seen = rows["scheduled"].to_numpy(), rows["observed"].to_numpy()
    rates = response_by_wave(panel)
    for wave, rate in zip(panel.waves, rates, strict=True):
        here = planned & (rows["month"].to_numpy() == wave)
        assert rate == pytest.approx(seen[here].mean())
    np.testing.assert_array_equal(response_by_wave(panel, np.ones(seen.size, bool)), 1.0)
    assert np.isnan(response_gap(panel, answered=np.ones(seen.size, bool)))
    y = np.random.default_rng(0).normal(size=seen.size)
    better = response_gap(panel, np.where(seen, y + 5, y))
    assert better > 2 > response_gap(panel, y)
    assert not seen[unanswered_rows(panel)].any()
    assert planned[unanswered_rows(panel)].all()


def cube(mean: float, spread: float, rows: int = 3, seed: int = 0) -> xr.DataArray:
    values = mean + spread * np.random.default_rng(seed).normal(size=(2, 200, 1))
    return xr.DataArray(np.broadcast_to(values, (2, 200, rows)), dims=("chain", "draw", "row"))


def response_fit(rho: float, sd: float, truth: xr.Dataset | None = None) -> SimpleNamespace:
    draws = cube(rho, sd, 1).isel(row=0)
    return SimpleNamespace(
        posterior=xr.Dataset({"rho_x": draws, "rho_0": xr.zeros_like(draws)}),
        spec=SimpleNamespace(priors=SimpleNamespace(rho_x=1.0)),
        panel=SimpleNamespace(truth=truth),
    )


def test_dependence_in_words() -> None:
    up = chapters.mnar.sentences.depends(analysis.dependence(response_fit(1.5, 0.3)))
    assert "strong evidence that units answer more often" in up
    assert "probability 0.19" in up
    assert "0.81" in up
    known = xr.Dataset({"rho_x": 1.25})
    assert "true value is 1.25" in chapters.mnar.sentences.depends(
        analysis.dependence(response_fit(1.5, 0.3, known))
    )
    assert "true value" not in up
    assert "answer less often" in chapters.mnar.sentences.depends(
        analysis.dependence(response_fit(-1.5, 0.3))
    )
    nothing = chapters.mnar.sentences.depends(analysis.dependence(response_fit(0.0, 0.9)))
    assert "little evidence that nonresponse depends" in nothing
    assert "mostly the prior" in nothing
    assert "mostly the prior" not in up


def test_unanswered_scores_in_words() -> None:
    truth = np.full(3, -0.6)

    def say(*both: xr.DataArray, truth: np.ndarray | None = None) -> str:
        found = (analysis.scores(draws, truth) for draws in both)
        return chapters.mnar.sentences.unanswered(*found)

    text = say(cube(-0.1, 0.1), cube(-0.5, 0.1), truth=truth)
    assert "moves them down by 0.4" in text
    assert "off by 0.5" in text
    assert "3 planned rows" in text
    same = say(cube(-0.1, 0.1), cube(-0.1, 0.1))
    assert "hardly moves them" in same
    assert "truth" not in same


def sides(shift: float) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "mean_without": [0.0, 1.0],
            "sd_without": [0.1, 0.1],
            "mean_within": [shift, 1.0],
            "sd_within": [0.2, 0.1],
            "truth": [shift, 1.1],
        },
        index=["mu_x", "mu_beta"],
    )


def test_shifts_of_parameters_in_words() -> None:
    assert "depend on whether" in chapters.mnar.sentences.moved(sides(-0.3), "parameters")
    assert "mu&#95;x moves most" in chapters.mnar.sentences.moved(sides(-0.3), "parameters")
    assert "less than its own uncertainty" in chapters.mnar.sentences.moved(
        sides(0.05), "parameters"
    )
    assert "bends none" in chapters.mnar.sentences.moved(sides(0.0), "slopes")
    text = chapters.mnar.sentences.errors(sides(-0.3))
    assert "off by 0.30 (3.0 posterior" in text
    assert "by 0.00 (0.0) if it is modelled" in text


def test_twins_in_words() -> None:
    truth = np.full(3, -0.9)
    apart = chapters.mnar.sentences.twins(
        analysis.twins(cube(-0.9, 0.05), cube(-0.4, 0.05, seed=1), truth)
    )
    assert "no observation can decide" in apart
    assert "nearer to the first" in apart
    close = chapters.mnar.sentences.twins(
        analysis.twins(cube(-0.5, 0.02), cube(-0.5, 0.02, seed=1))
    )
    assert "hardly differ" in close
    assert "simulated" not in close
    # The interval holds 0, just.
    wide = chapters.mnar.sentences.twins(analysis.twins(cube(-0.3, 0.33), cube(0.0, 0.0, seed=1)))
    assert "hardly differ" not in wide
    whole = chapters.mnar.sentences.all_planned(
        analysis.all_planned(cube(-1, 0.0), cube(0, 0.0), cube(1, 0.0, rows=9))
    )
    assert "is 1.00 (1.00 to 1.00)" in whole
    assert "0.50" in whole
    assert "0.75" in whole
    assert "25% were not" in whole


def test_replicates_in_words() -> None:
    rates = np.random.default_rng(0).normal(0.6, 0.02, (300, 4))
    assert "as it should be" in chapters.mnar.sentences.response_rate(
        analysis.response_rate(np.full(4, 0.6), rates)
    )
    assert "4 of 4 waves lie" in chapters.mnar.sentences.response_rate(
        analysis.response_rate(np.full(4, 0.6), rates)
    )
    assert "does not agree" in chapters.mnar.sentences.response_rate(
        analysis.response_rate(np.full(4, 0.9), rates)
    )
    gaps = np.random.default_rng(0).normal(0.1, 0.02, 300)
    assert "ordinary" in chapters.mnar.sentences.response_gap(against_replicates(0.1, gaps))
    assert "surprises" in chapters.mnar.sentences.response_gap(against_replicates(0.3, gaps))
    assert "cannot be compared" in chapters.mnar.sentences.response_gap(
        against_replicates(float("nan"), gaps)
    )
    assert "too narrow" in chapters.mnar.sentences.outcome_coverage(Coverage(0.8, 0.87, 0.92))
    assert "as many as should" in chapters.mnar.sentences.outcome_coverage(
        Coverage(0.9, 0.87, 0.92)
    )


def test_facts_about_scores() -> None:
    found = analysis.scores(cube(-0.1, 0.0), np.array([0.0, 0.0, 0.3]))
    assert (found.rows, found.average.mean) == (3, pytest.approx(-0.1))
    assert (found.truth, found.error) == pytest.approx((0.1, np.sqrt((0.01 + 0.01 + 0.16) / 3)))
    assert np.isnan(analysis.scores(cube(-0.1, 0.0)).error)
    two = analysis.twins(cube(1.0, 0.0), cube(0.25, 0.0))
    assert (two.mnar, two.mar, two.gap.mean, two.truth) == (1.0, 0.25, 0.75, None)
    whole = analysis.all_planned(cube(-1, 0.0), cube(0, 0.0), cube(1, 0.0, rows=9))
    assert (whole.silent, whole.answered.mean) == (0.25, 1.0)
    assert (whole.mnar.mean, whole.mar.mean) == (0.5, 0.75)


def test_facts_about_answers() -> None:
    found = analysis.dependence(response_fit(1.0, 0.0))
    assert (found.below, found.above) == pytest.approx((1 / (1 + np.e), np.e / (1 + np.e)))
    assert (found.rho.mean, found.truth) == (1.0, None)
    rates = np.array([[0.5, 0.5], [0.7, 0.9]])
    rate = analysis.response_rate(np.array([0.6, 0.2]), rates)
    assert (rate.waves, rate.inside) == (2, 1)
    assert (rate.rate, rate.low, rate.high) == pytest.approx((0.4, 0.515, 0.785))


def test_the_typical_row_is_the_median_one() -> None:
    draws = xr.concat([cube(m, 0.0, 1) for m in (3.0, 1.0, 2.0)], dim="row")
    assert typical(draws) == 2


def test_replicated_surveys_are_those_that_were_answered() -> None:
    """Where high scores answer more, an observed score is higher than a score at large."""
    made = simulate(
        "upgraded", n_ou=12, n_site=3, n_month=12, wave_every=2, seed=5, parameters={"rho_x": 3.0}
    )
    true = made.truth
    spec = UPGRADED.but(sites=False, months="iid", outcome="gaussian")
    names = ["mu_x_ou", "tau", "sigma_x", "sigma_meas", "rho_0", "rho_x", "rho_ou", "rho_month"]
    posterior = true[names].expand_dims(chain=1, draw=400)
    for name in ("alpha", "beta", "lam", "sigma_y"):
        posterior[name] = true[name].expand_dims(chain=1, draw=400)
    fake = Fit(made, spec, Sampling(), xr.DataTree.from_dict({"posterior": posterior}), "")
    at = made.survey_rows
    size = xr.DataArray(np.zeros((1, 400, at.size)), dims=("chain", "draw", "survey_row"))
    drawn = _answered(fake, posterior, size, seed=1).to_numpy()[0]
    n = np.maximum(made.rows["respondents"].to_numpy()[at], 1)
    grid = np.linspace(-6, 6, 4001)
    row = made.rows.isel(row=at)
    for k in range(0, at.size, 5):
        g, t = int(row["ou_idx"][k]), int(row["month_idx"][k])
        m = float(true["mu_x_ou"][g] + spec.priors.gamma_x_fixed * true["tau"][t])
        wave = list(true["wave"].to_numpy()).index(str(row["month"].to_numpy()[k]))
        logit = float(true["rho_0"] + true["rho_ou"][g] + true["rho_month"][wave])
        weight = np.exp(-0.5 * ((grid - m) / float(true["sigma_x"])) ** 2)
        weight /= 1 + np.exp(-(logit + float(true["rho_x"]) * grid))
        mean = np.average(grid, weights=weight)
        var = np.average((grid - mean) ** 2, weights=weight) + float(true["sigma_meas"]) ** 2 / n[k]
        assert drawn[:, k].mean() == pytest.approx(mean, abs=5 * np.sqrt(var / 400))
