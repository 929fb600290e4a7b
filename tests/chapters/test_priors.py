"""Priors: power-scaling against closed forms, densities by hand, figures and sentences."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from scipy import stats

from oulib import (
    BASELINE,
    ROBUST,
    STUDENT_T,
    UPGRADED,
    Fit,
    Panel,
    Priors,
    Sampling,
    build_model,
    chapters,
    simulate,
)
from oulib.chapters.priors import analysis as priors
from oulib.errors import UserError
from oulib.model.draws.density import all_rows, row_density
from oulib.model.survey import typical_root
from oulib.posterior.checks import hyperparameters
from oulib.posterior.compare import log_likelihood, outcome_density

# A normal mean with a normal prior: estimate, its standard error, the prior's sd.
ESTIMATE, ERROR, TAU = 1.5, 0.6, 0.8
K = ERROR**2 / TAU**2


def mean_at(alpha: float) -> float:
    """The posterior mean where the prior has the power ``alpha``."""
    return ESTIMATE / (1 + alpha * K)


@pytest.fixture(scope="module")
def toy() -> SimpleNamespace:
    """Exact draws of the posterior, and the log densities of both parts at them."""
    sd = ERROR / np.sqrt(1 + K)
    # Quantiles in the place of random draws: no Monte Carlo error.  In the order of a permutation,
    # or every chain would be a slope.
    size = 8000
    order = np.random.default_rng(0).permutation(size)
    values = stats.norm.ppf((np.arange(size) + 0.5) / size, mean_at(1.0), sd)[order]

    def draws(flat: np.ndarray) -> xr.DataArray:
        return xr.DataArray(flat.reshape(4, -1), dims=("chain", "draw"))

    theta = draws(values)
    return SimpleNamespace(
        theta=theta.expand_dims(parameter=["theta"]).transpose("chain", "draw", "parameter"),
        prior=draws(stats.norm.logpdf(values, 0, TAU)),
        likelihood=draws(stats.norm.logpdf(ESTIMATE, values, ERROR)),
        sd=sd,
    )


def test_shift_is_the_derivative_of_the_posterior_mean(toy: SimpleNamespace) -> None:
    found = float(priors.shift(toy.theta, toy.prior).item())
    step = 1e-4
    derivative = (mean_at(2**step) - mean_at(2**-step)) / (2 * step)
    assert found * toy.sd == pytest.approx(derivative, rel=0.01)
    # The likelihood's power is the inverse of the prior's, as far as the mean goes.
    other = float(priors.shift(toy.theta, toy.likelihood).item())
    assert other * toy.sd == pytest.approx(-derivative, rel=0.01)


@pytest.mark.parametrize("alpha", [0.25, 0.5, 2.0])
def test_reweighted_mean_is_that_of_the_powered_prior(toy: SimpleNamespace, alpha: float) -> None:
    found = priors.reweighted_mean(toy.theta.isel(parameter=0), toy.prior, alpha)
    assert found == pytest.approx(mean_at(alpha), abs=0.02 * toy.sd)


def test_sensitivity_of_a_normal_mean(toy: SimpleNamespace) -> None:
    table = priors.sensitivity_of(toy.theta, toy.prior, toy.likelihood)
    row = table.loc["theta"]
    assert row["prior_shift"] < 0 < row["likelihood_shift"]
    # The distance of Kallioinen et al. on a dense grid, from the exact distribution functions.
    grid = np.linspace(-4, 6, 200_001)

    def cdf(alpha: float) -> np.ndarray:
        sd = 1 / np.sqrt(1 / ERROR**2 + alpha / TAU**2)
        return stats.norm.cdf(grid, mean_at(alpha), sd)

    def one_sided(p: np.ndarray, q: np.ndarray) -> float:
        def part(a: np.ndarray, b: np.ndarray) -> float:
            ratio = np.log2(np.where(a > 0, a, 1) / np.where(a > 0, (a + b) / 2, 1))
            return np.trapezoid(a * ratio + (b - a) / (2 * np.log(2)), grid)

        return np.sqrt(max(part(p, q) + part(q, p), 0) / np.trapezoid(p + q, grid))

    def distance(alpha: float) -> float:
        p, q = cdf(1.0), cdf(alpha)
        # ArviZ's integral ends at the extreme draws, and so does this.
        inside = (p > 0.5 / 8000) & (p < 1 - 0.5 / 8000)
        p, q = np.where(inside, p, 0), np.where(inside, q, 0)
        r, s = np.where(inside, 1 - p, 0), np.where(inside, 1 - q, 0)
        return max(one_sided(p, q), one_sided(r, s))

    low, high = priors.ALPHAS
    expected = (-distance(low) / np.log2(low) + distance(high) / np.log2(high)) / 2
    assert row["prior"] == pytest.approx(expected, rel=0.05)
    assert row["diagnosis"] == "both"


def test_sensitivity_of_what_only_the_prior_moves(toy: SimpleNamespace) -> None:
    """A flat likelihood moves nothing, a flat prior neither."""
    flat = xr.zeros_like(toy.prior)
    silent = priors.sensitivity_of(toy.theta, toy.prior, flat).loc["theta"]
    assert silent["diagnosis"] == "strong prior"
    assert silent["likelihood"] == pytest.approx(0, abs=1e-3)
    assert silent["likelihood_shift"] == 0
    spoken = priors.sensitivity_of(toy.theta, flat, toy.likelihood).loc["theta"]
    assert spoken["diagnosis"] == ""


@pytest.mark.parametrize("alpha", [0.25, 4.0])
def test_powered_priors_are_powers(alpha: float) -> None:
    """Log densities of the changed priors differ from alpha times the old ones by a constant."""
    old = STUDENT_T.priors

    def new(field: str) -> float:
        return getattr(priors.powered(STUDENT_T, field, alpha).priors, field)

    x = np.linspace(0.1, 0.9, 5)
    pairs = [
        (
            stats.norm.logpdf(x, 0, old.mu_beta),
            stats.norm.logpdf(x, 0, new("mu_beta")),
        ),
        (
            stats.halfnorm.logpdf(x, 0, old.sigma_y),
            stats.halfnorm.logpdf(x, 0, new("sigma_y")),
        ),
        (stats.expon.logpdf(x, 0, old.nu), stats.expon.logpdf(x, 0, new("nu"))),
        ((old.lkj_eta - 1) * np.log(1 - x**2), (new("lkj_eta") - 1) * np.log(1 - x**2)),
    ]
    for before, after in pairs:
        assert np.ptp(after - alpha * before) < 1e-10
    spec = priors.powered(STUDENT_T, "mu_beta", alpha)
    assert spec.name != STUDENT_T.name
    assert spec.but(name=STUDENT_T.name, priors=old) == STUDENT_T


def test_a_power_of_a_half_student_t_is_none() -> None:
    with pytest.raises(ValueError, match="half-Student-t"):
        priors.powered(BASELINE.but(group_scales="half_student_t"), "sigma_ou", 2.0)


def test_densities_of_a_fit_by_hand(fitted: Fit) -> None:
    found = priors.log_densities(fitted, draws=100)
    p, panel = fitted.posterior.sel(draw=found["draw"]), fitted.panel
    scale = fitted.spec.priors

    def differs_by_a_constant(field: str, reference_densities: xr.DataArray) -> None:
        gap = found["prior"].sel(field=field) - reference_densities
        assert float(gap.max() - gap.min()) < 1e-8, field

    differs_by_a_constant("mu_beta", -0.5 * (p["mu_beta"] / scale.mu_beta) ** 2)
    differs_by_a_constant("sigma_meas", -0.5 * (p["sigma_meas"] / scale.sigma_meas) ** 2)
    differs_by_a_constant("sigma_ou", -0.5 * (p["sigma_ou"] ** 2).sum("effect") / scale.sigma_ou**2)
    rho = p["corr_ou"].sel(effect="alpha", effect_bis="beta")
    differs_by_a_constant("lkj_eta", (scale.lkj_eta - 1) * np.log(1 - rho**2))
    assert set(found["field"].to_numpy()) == {
        *("mu_alpha", "mu_beta", "sigma_ou", "lkj_eta", "mu_x", "sigma_mu_x"),
        *("sigma_x", "sigma_meas", "sigma_y"),
    }

    # The likelihood is that of the outcomes and of the surveys.
    outcomes = log_likelihood(fitted).sel(draw=found["draw"]).sum("row")
    expected = outcomes + surveys(panel, p, scale.gamma_x_fixed)
    np.testing.assert_allclose(found["likelihood"], expected, rtol=1e-9)


def test_density_of_polar_scales_is_that_of_the_scales(fitted: Fit) -> None:
    """Change of variables: a = r sqrt(1 - s), b = r sqrt(s), |J| = r / (2 sqrt(s (1 - s)))."""
    rng = np.random.default_rng(3)
    r, s = rng.uniform(0.2, 2, size=(1, 50)), rng.uniform(0.05, 0.95, size=(1, 50))
    spec = ROBUST.but(priors=Priors(sigma_x=0.8, sigma_meas=0.6, noise_share=2.0))
    made = replace(fitted, spec=spec)
    root = typical_root(fitted.panel)
    values = {
        "sigma_x": 0.8 * r * np.sqrt(1 - s),
        "sigma_meas": 0.6 * root * r * np.sqrt(s),
        "noise_share": s,
    }
    found = sum(
        priors._log_prior(made, name, xr.DataArray(value, dims=("chain", "draw")))
        for name, value in values.items()
    )
    polar = stats.rayleigh.logpdf(r) + stats.beta.logpdf(s, 2, 2)
    gap = found.to_numpy() - (polar - np.log(r / (2 * np.sqrt(s * (1 - s)))))
    assert np.ptp(gap) < 1e-10


def surveys(panel: Panel, p: xr.Dataset, gamma_x: float | xr.DataArray) -> xr.DataArray:
    """The log density of all surveys by hand."""
    rows = panel.rows.isel(row=panel.survey_rows)
    ou = xr.DataArray(rows["ou_idx"].to_numpy(), dims="i")
    month = xr.DataArray(rows["month_idx"].to_numpy(), dims="i")
    n = np.maximum(rows["respondents"].to_numpy(), 1)
    mean = p["mu_x_ou"].isel(ou=ou) + gamma_x * p["tau"].isel(month=month)
    var = p["sigma_x"] ** 2 + p["sigma_meas"] ** 2 * xr.DataArray(1 / n, dims="i")
    x = xr.DataArray(rows["x"].to_numpy(), dims="i")
    return (-0.5 * ((x - mean) ** 2 / var + np.log(2 * np.pi * var))).sum("i")


@pytest.mark.filterwarnings("ignore:Numba will use object mode")
def test_likelihood_of_the_upgraded_model_by_hand(small: Panel) -> None:
    """Draws of its prior in the place of a fit: outcomes, surveys and answers all count."""
    model = build_model(small, UPGRADED)
    names = [v.name for v in (*model.free_RVs, *model.deterministics)]
    drawn = pm.draw([model[name] for name in names], draws=6, random_seed=3)
    dims = {name: model.named_vars_to_dims.get(name, ()) for name in names}
    dims |= {f"chol_corr_{level}": ("effect", "effect_bis") for level in ("ou", "site")}
    p = xr.Dataset(
        {
            name: (("chain", "draw", *dims[name]), np.asarray(values)[None])
            for name, values in zip(names, drawn, strict=True)
        },
        coords={dim: list(labels) for dim, labels in model.coords.items() if labels},
    ).assign_coords(chain=[0], draw=np.arange(6))
    tree = xr.DataTree.from_dict({"posterior": p})
    fit = Fit(panel=small, spec=UPGRADED, sampling=Sampling(), tree=tree, key="of the prior")
    found = priors.log_densities(fit)

    r = row_density(fit, p, small.scheduled_rows)
    t = xr.DataArray(np.linspace(-9, 9, 2001), dims="t")
    weight = np.exp(-0.5 * t**2) / np.exp(-0.5 * t**2).sum()
    chance = np.exp(r.log_response(r.mean + np.sqrt(r.var) * t))
    answers = np.log((weight * chance).sum("t")).sum("row")
    outcomes = outcome_density(fit, small, all_rows(fit, None)).sum("row")
    expected = outcomes + answers + surveys(small, p, p["gamma_x"])
    np.testing.assert_allclose(found["likelihood"], expected, rtol=1e-5)
    assert {"gamma_x", "sigma_lam", "sigma_site", "nu", "rho_x", "sigma_rho"} <= set(
        found["field"].to_numpy()
    )


def test_tables_of_a_fit(fitted: Fit) -> None:
    labels = list(hyperparameters(fitted).index)
    table = priors.sensitivity(fitted, draws=1000)
    assert sorted(table.index) == sorted(labels)
    assert np.isfinite(table.drop(columns="diagnosis").to_numpy()).all()
    influence = priors.influence(fitted, draws=1000)
    assert influence["prior"].is_monotonic_decreasing
    # One at a time, the shifts of independent priors add up to that of all together.
    assert influence["prior_shift"].sum() == pytest.approx(
        table.loc["mu_beta", "prior_shift"], abs=1e-8
    )
    overview = priors.overview(fitted)
    assert sorted(overview.index) == sorted(labels)
    assert overview.loc["mu_beta", "prior_sd"] == pytest.approx(0.5, rel=0.05)
    half_normal = np.sqrt(1 - 2 / np.pi)
    assert overview.loc["sigma_ou[alpha]", "prior_sd"] == pytest.approx(half_normal, rel=0.08)


def test_refits_in_a_table(fitted: Fit) -> None:
    """Without refits here: the same draws moved by hand, and the same prior."""
    moved = fitted.posterior.assign(mu_beta=fitted.posterior["mu_beta"] + 0.1)
    spec = priors.powered(fitted.spec, "mu_beta", 1.0)
    other = SimpleNamespace(posterior=moved, spec=spec)
    table = priors.refits(fitted, {("mu_beta", 1.0): other})
    sd = float(fitted.posterior["mu_beta"].std())
    assert table.loc["mu_beta = 0.5", "moved"] == pytest.approx(0.1 / sd)
    # Power one changes nothing; what is left is that the weighed draws are thinned.
    assert table.loc["mu_beta = 0.5", "foreseen"] == pytest.approx(0, abs=0.1)
    assert len(chapters.priors.figures.refits(table).axes[0].get_yticks()) == 2
    plt.close("all")


@pytest.fixture(scope="module")
def small() -> Panel:
    return simulate("upgraded", n_ou=6, n_site=2, n_month=8, wave_every=2, seed=2)


def test_features_by_hand(small: Panel) -> None:
    rng = np.random.default_rng(0)
    y = 3 + rng.normal(size=(2, small.rows.sizes["row"]))
    found = priors.features(small, y)
    frame = pd.DataFrame({"y": y[1], "ou": small.rows["ou_idx"], "month": small.rows["month_idx"]})
    assert float(found["sd"][1]) == pytest.approx(frame["y"].std(ddof=0))
    assert float(found["largest"][1]) == pytest.approx(frame["y"].abs().max())
    for group, key in (("ou", "between"), ("month", "months")):
        means = frame.groupby(group)["y"].transform("mean")
        share = means.var(ddof=0) / frame["y"].var(ddof=0)
        assert float(found[key][1]) == pytest.approx(share)
    assert float(priors.features(small, small.rows["y"].to_numpy())["sd"].item()) == pytest.approx(
        1
    )


def test_panels_from_the_prior(small: Panel) -> None:
    """The survey's variance is that of its parts, and each outcome goes with its own survey."""
    sharp = BASELINE.but(priors=priors.powered(BASELINE, "sigma_meas", 1e8).priors)
    drawn = priors.panels(small, sharp, draws=2000, seed=1)
    assert drawn["productivity"].shape == (2000, small.rows.sizes["row"])
    # mu_x, sigma_mu_x, sigma_x have a variance of one each; tau's share is 0.04 (1 - 1 / months).
    expected = 3 + 0.04 * (1 - 1 / len(small.months))
    assert float(drawn["survey"].var("draw").mean()) == pytest.approx(expected, rel=0.1)
    y = drawn["productivity"].isel(row=small.survey_rows).to_numpy()
    x = drawn["survey"].to_numpy()
    beta = drawn["beta"].to_numpy()[:, small.rows["ou_idx"].to_numpy()[small.survey_rows]]
    # Without noise the survey is the score: the outcome is beta times it, and more.
    with_own = np.mean(y * beta * x) / np.mean((beta * x) ** 2)
    assert with_own == pytest.approx(1.0, abs=0.1)


def test_the_prior_of_a_model_that_does_not_apply(small: Panel) -> None:
    frame = small.to_frame().drop(columns="scheduled")
    without = Panel.from_frame(frame.assign(month=pd.to_datetime(frame["month"])))
    with pytest.raises(UserError, match="scheduled"):
        priors.panels(without, UPGRADED, draws=2)


def test_a_typical_move(small: Panel) -> None:
    seen = small.survey_rows
    frame = pd.DataFrame(
        {"ou": small.rows["ou_idx"].to_numpy()[seen], "x": small.rows["x"].to_numpy()[seen]}
    )
    left = frame["x"] - frame.groupby("ou")["x"].transform("mean")
    expected = np.sqrt((left**2).sum() / (len(frame) - frame["ou"].nunique()))
    assert priors.typical_move(small) == pytest.approx(expected)
    beta = xr.DataArray([0.0, 0.5])
    percent = priors.percent_of_move(small, beta)
    assert float(percent[0]) == 0
    raw = small.scale.s_y / small.scale.s_x * 0.5 * expected * small.scale.s_x
    assert float(percent[1]) == pytest.approx(100 * (np.exp(raw) - 1))
    assert priors.typical_move(small.select_rows(seen[:1])) == 1.0


def facts(sd: float, *, spread: float = 0.5) -> xr.Dataset:
    rng = np.random.default_rng(0)
    return xr.Dataset(
        {
            "sd": ("draw", sd * np.exp(0.1 * rng.normal(size=200))),
            "largest": ("draw", 4 * sd + rng.random(200)),
            "between": ("draw", rng.uniform(0.5 - spread, 0.5 + spread, 200)),
            "months": ("draw", rng.uniform(0.5 - spread, 0.5 + spread, 200)),
        }
    )


OBSERVED = xr.Dataset(
    {key: ("draw", [v]) for key, v in (("sd", 1.0), ("largest", 4.5), ("between", 0.5))}
).assign(months=("draw", [0.4]))


def test_expected_data_in_words(small: Panel) -> None:
    text = chapters.priors.sentences.expected_data(
        "base_line", priors.expected_data(facts(5.0), OBSERVED), small.scale.s_y
    )
    assert "base&#95;line" in text
    assert "wider than it need be" in text
    assert "lies inside" in text
    ordinary = chapters.priors.sentences.expected_data(
        "m", priors.expected_data(facts(1.0, spread=0.01), OBSERVED), small.scale.s_y
    )
    assert "on the scale of the data" in ordinary
    assert "lies outside" in ordinary
    assert "varies as little" in chapters.priors.sentences.expected_data(
        "m", priors.expected_data(facts(2.0), OBSERVED), small.scale.s_y
    )
    assert "standard deviation" in chapters.priors.sentences.units(small)


def test_expected_effects_in_words() -> None:
    wild = xr.DataArray([-60.0, 120.0, 0.0, 10.0])
    assert "nobody who" in chapters.priors.sentences.expected_effect(
        "m", priors.expected_effect(wild), 0.3
    )
    tame = xr.DataArray([-6.0, 12.0, 0.0, 10.0])
    assert "all but excluded" in chapters.priors.sentences.expected_effect(
        "m", priors.expected_effect(tame), 0.3
    )


def test_overview_in_words() -> None:
    table = pd.DataFrame(
        {"ratio": [0.2, 0.95], "distance": [0.9, 0.05]}, index=["mu_beta", "corr_ou[alpha, beta]"]
    )
    text = chapters.priors.sentences.overview(table, priors.typical_ratio(table))
    assert "beta&#93; is mostly the prior" in text
    assert "None is mostly the prior" in chapters.priors.sentences.overview(table.iloc[:1], 0.2)


def sensitivities() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "prior": [0.01, 0.2, 0.1, 0.06],
            "likelihood": [0.3, 0.01, 0.3, 0.3],
            "prior_shift": [0.0, -0.5, 0.3, -0.2],
            "likelihood_shift": [0.5, 0.0, -0.4, -0.3],
        },
        index=["mu_beta", "silent", "torn", "joint"],
    )


def test_sensitivity_in_words() -> None:
    table = sensitivities()
    text = chapters.priors.sentences.sensitivity(table, 0.05)
    assert "hardly moves silent" in text
    assert "For torn the likelihood pulls the mean the other way" in text
    assert "For joint both pull the mean the same way" in text
    assert "0.50 posterior standard deviations lower" in text
    assert "No hyperparameter" in chapters.priors.sentences.sensitivity(table.iloc[:1], 0.05)
    assert "does not hang" in chapters.priors.sentences.slope(table, 0.05)
    assert "not below" in chapters.priors.sentences.slope(table.assign(prior=0.2), 0.05)


def test_influence_in_words() -> None:
    table = pd.DataFrame({"prior": [0.08, 0.01]}, index=["sigma_meas", "mu_beta"])
    text = chapters.priors.sentences.influence(table, 0.05)
    assert "the measurement noise" in text
    assert "Of 2 priors 1 reaches" in text
    assert "All are below" in chapters.priors.sentences.influence(table / 10, 0.05)
    assert set(priors.FIELDS.values()) == set(chapters.priors.sentences.FIELDS)


def refitted(positive: list[float], moved: float, foreseen: float) -> pd.DataFrame:
    index = ["as specified", "mu_beta = 0.25"]
    return pd.DataFrame(
        {"positive": positive, "moved": [0, moved], "foreseen": [0, foreseen]}, index=index
    )


def test_refits_in_words() -> None:
    same = chapters.priors.sentences.refits(refitted([0.999, 0.998], 0.05, 0.04))
    assert "stays the same under all of them: there is strong evidence" in same
    assert "the two agree" in same
    assert "is above 0.99 under each" in same
    other = chapters.priors.sentences.refits(refitted([0.97, 0.6], 1.2, 0.8))
    assert "depends on the prior" in other
    assert "ranges from 0.60 to 0.97" in other
    assert "they do not agree well" in other
    assert "near one of the grades" in chapters.priors.sentences.refits(
        refitted([0.951, 0.949], 0.1, 0.1)
    )


def test_narrowed_in_words() -> None:
    def say(*both: xr.Dataset) -> str:
        found = (priors.expected_data(drawn, OBSERVED, prob=0.95) for drawn in both)
        return chapters.priors.sentences.narrowed(*found)

    text = say(facts(3.0), facts(1.0, spread=0.2))
    assert "inside all of them" in text
    text = say(facts(3.0), facts(3.0, spread=0.01))
    assert "The panel's standard deviation" in text
    assert "outside" in text


def test_facts_of_panels_from_a_prior() -> None:
    drawn = facts(5.0)
    found = priors.expected_data(drawn, OBSERVED)
    assert found.own == {"sd": 1.0, "largest": 4.5, "between": 0.5, "months": 0.4}
    assert found.wide == float((drawn["sd"] > 3).mean())
    low, high = map(float, drawn["largest"].quantile([0.025, 0.975]))
    wider = priors.expected_data(drawn, OBSERVED, prob=0.95).drawn["largest"]
    assert (wider.low, wider.high) == pytest.approx((low, high))
    effect = priors.expected_effect(xr.DataArray([-60.0, 120.0, 0.0, 10.0]))
    assert (effect.beyond, effect.effect.median) == (0.5, 5.0)
    assert priors.typical_ratio(pd.DataFrame({"ratio": [0.2, 0.3, 0.9]})) == 0.3


def test_figures_are_drawn() -> None:
    drawn = {"baseline": facts(2.0), "upgraded": facts(3.0)}
    rng = np.random.default_rng(0)
    effects = {name: xr.DataArray(100 * rng.normal(size=500)) for name in drawn}
    fig = chapters.priors.figures.features(drawn, OBSERVED, effects)
    assert [bool(ax.lines) for ax in fig.axes] == [True, True, True, False]
    assert "typical move" in fig.axes[3].get_xlabel()
    assert "months" in chapters.priors.figures.features(drawn, OBSERVED).axes[3].get_xlabel()
    fig = chapters.priors.figures.sensitivity(sensitivities(), 0.05)
    assert fig.axes[0].get_yticklabels()[-1].get_text() == "silent"
    fig.canvas.draw()
    plt.close("all")
