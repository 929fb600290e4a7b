"""Slopes bent without a survey: closed forms, what panels have, what fits came to, sentences."""

from __future__ import annotations

import warnings
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from scipy import optimize, stats

from oulib import BASELINE, ROBUST, Fit, Panel, build_model, chapters, simulate
from oulib.chapters.misspecification import analysis as misspecification
from oulib.chapters.misspecification.analysis import FACTOR, NOISE, PERSISTENCE, Outcome
from oulib.posterior.checks import summarise

SIZE = {"n_ou": 24, "n_site": 4, "n_month": 30, "wave_every": 6, "seed": 1}


# --- closed forms


@pytest.mark.parametrize("scale", [0.2, 0.5, 1.4])
def test_profile_against_scipy_and_its_maximum(scale: float) -> None:
    """Residuals of exactly that root mean square, their normal density summed, and maximised."""
    rng, sigma_y, sigma_x = np.random.default_rng(0), 0.35, 0.7
    r = rng.standard_normal(40)
    r *= scale / np.sqrt(np.mean(r**2))
    beta = np.linspace(-3, 3, 601)
    log = np.array(
        [stats.norm.logpdf(r, 0, np.sqrt(sigma_y**2 + b**2 * sigma_x**2)).sum() for b in beta]
    )
    found = misspecification.noise_profile(beta, scale, r.size, sigma_y, sigma_x)
    np.testing.assert_allclose(found, log - log.max(), atol=1e-9)
    np.testing.assert_allclose(found, found[::-1], atol=1e-9)  # it knows no sign
    best = optimize.minimize_scalar(
        lambda b: -stats.norm.logpdf(r, 0, np.sqrt(sigma_y**2 + b**2 * sigma_x**2)).sum(),
        bounds=(0, 5),
        method="bounded",
        options={"xatol": 1e-8},
    ).x
    assert misspecification.slope_from_noise(scale, sigma_y, sigma_x) == pytest.approx(
        best, abs=1e-4
    )


@pytest.mark.parametrize("phi", [0.9, 0.0])
@pytest.mark.parametrize("corr", [0.4, 1.0])
def test_series_density_by_the_filter_and_by_the_dense_covariance(phi: float, corr: float) -> None:
    rng, month = np.random.default_rng(2), np.array([0, 1, 2, 5, 6, 9, 10, 11])
    sd = np.array([0.5, 0.2])
    series = misspecification.Series(
        left=rng.standard_normal(8),
        x=rng.standard_normal(8),
        month=month,
        factor=1.7,
        phi=phi,
        sigma_u=0.3,
        sigma_y=0.2,
        effects=np.outer(sd, sd) * np.array([[1, corr], [corr, 1]]),
    )
    dense = misspecification.log_density_dense(series)
    assert misspecification.log_density_filtered(series) == pytest.approx(dense, abs=1e-9)
    other = replace(series, sigma_u=0.31)
    assert misspecification.log_density_filtered(other) != pytest.approx(dense, abs=1e-4)


# --- what a panel has


def test_residuals_are_those_of_a_regression_on_dummies() -> None:
    panel = simulate("baseline", n_ou=5, n_site=2, n_month=8, wave_every=2, seed=3)
    keep = np.setdiff1d(np.arange(40), [0, 1, 7, 19, 20, 38])
    panel = replace(panel, rows=panel.rows.isel(row=keep))
    ou, month, y = (panel.rows[name].to_numpy() for name in ("ou_idx", "month_idx", "y"))
    design = np.hstack([np.eye(5)[ou], np.eye(8)[month]])
    fitted = design @ np.linalg.lstsq(design, y, rcond=None)[0]
    left = misspecification.residuals(panel)
    np.testing.assert_allclose(left[ou, month], y - fitted, atol=1e-6)
    assert np.isnan(left).sum() == 6


def test_statistics_by_hand() -> None:
    left = np.array([[1.0, -1.0, 1.0, -1.0], [2.0, 2.0, -2.0, -2.0], [np.nan, 0.5, -0.5, np.nan]])
    assert misspecification.spread_of_scales(left) == pytest.approx(np.std(np.log([1, 2, 0.5])))
    one = np.array([1, -1, 1, 2, 2, -2, 0.5])
    other = np.array([-1, 1, -1, 2, -2, -2, -0.5])
    expected = one @ other / np.sqrt((one @ one) * (other @ other))
    assert misspecification.persistence(left) == pytest.approx(expected)
    assert misspecification.persistence(left[:, ::2]) != 0
    assert misspecification.persistence(np.array([[1.0, np.nan, -1.0]])) == 0
    rank_one = np.outer([1.0, -2.0, 3.0], [1.0, 0.5, -1.0])
    assert misspecification.second_factor(rank_one) == pytest.approx(1)
    assert misspecification.second_factor(np.eye(4)) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("has", "more"),
    [
        ({FACTOR}, {"sigma_loading": 0.5}),
        ({PERSISTENCE}, {"phi_u": 0.9, "sigma_u": 0.25}),
        ({FACTOR, PERSISTENCE}, {"sigma_loading": 0.5, "phi_u": 0.9, "sigma_u": 0.25}),
        (set(), {}),
    ],
    ids=["factor", "persistence", "both", "none"],
)
def test_ingredients_are_found_where_they_are(has: set[str], more: dict[str, float]) -> None:
    table = misspecification.ingredients(simulate("baseline", **SIZE, **more), times=100)
    found = set(table.index[table["present"]]) - {NOISE}  # slopes that differ make some of that
    assert found == has
    assert (table["high"] > table["chance"]).all()


def test_noise_of_ous_stands_out() -> None:
    plain = misspecification.ingredients(simulate("baseline", **SIZE), times=100).loc[NOISE]
    noisy = misspecification.ingredients(
        simulate("baseline", **SIZE, sigma_noise_ou=0.7), times=100
    )
    assert noisy.loc[NOISE, "present"]
    assert noisy.loc[NOISE, "value"] > 2 * noisy.loc[NOISE, "high"]
    assert noisy.loc[NOISE, "value"] > 2 * plain["value"]
    # Chance is that of OUs alike, whatever the panel's own differ by.
    assert noisy.loc[NOISE, "chance"] == pytest.approx(plain["chance"], rel=0.2)


def test_ingredients_of_a_panel_with_few_rows() -> None:
    panel = simulate("baseline", n_ou=3, n_site=1, n_month=3, wave_every=1, seed=1)
    panel = replace(panel, rows=panel.rows.isel(row=[0, 3, 4, 5, 8]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = misspecification.ingredients(panel, times=20)
    assert len(table) == 3


# --- fits


def test_outcome_of_a_fit(fitted: Fit) -> None:
    found, table = misspecification.outcome(fitted), summarise(fitted)
    beta = fitted.panel.truth["beta"].to_numpy()
    slopes = table.loc[[f"beta[{ou}]" for ou in fitted.panel.ous]]
    draws = fitted.posterior["beta"].transpose("ou", "chain", "draw").to_numpy().reshape(12, -1)
    low, high = np.quantile(draws, [0.05, 0.95], axis=1)
    assert found.coverage == np.mean((low <= beta) & (beta <= high))
    assert found.width == pytest.approx(np.mean(high - low), rel=1e-6)
    assert found.error == pytest.approx(np.sqrt(np.mean((draws.mean(axis=1) - beta) ** 2)))
    assert found.mean == pytest.approx(float(table.loc["mu_beta", "mean"]))
    assert found.truth == float(fitted.panel.truth["mu_beta"])
    assert (found.ous, found.opposed) == (12, 0.0)
    assert found.r_hat < 1.02
    assert table.loc[found.where, "r_hat"] == found.r_hat
    assert slopes["r_hat"].max() < 1.02
    book = misspecification.ledger({("plain", "one"): fitted, ("plain", "two"): fitted})
    assert book.loc[("plain", "two"), "width"] == found.width
    nothing_known = misspecification.outcome(
        replace(fitted, panel=replace(fitted.panel, truth=None))
    )
    assert np.isnan([nothing_known.coverage, nothing_known.error, nothing_known.truth]).all()
    assert nothing_known.width == found.width


def test_fingerprint_of_a_fit(fitted: Fit) -> None:
    table = misspecification.fingerprint(fitted)
    assert list(table.columns) == ["chain", "ou", "slope", "size", "true"]
    row = table[(table["chain"] == 2) & (table["ou"] == 5)].iloc[0]
    draws = fitted.posterior["beta"].isel(chain=2, ou=5)
    assert row["slope"] == pytest.approx(float(draws.mean()))
    assert row["size"] == pytest.approx(float(np.sqrt((draws**2).mean())))
    assert row["true"] == float(fitted.panel.truth["beta"][5])
    by_chain = misspecification.follows(table, "true")
    mean = fitted.posterior["beta"].mean("draw").transpose("chain", "ou").to_numpy()
    expected = [np.corrcoef(m, fitted.panel.truth["beta"])[0, 1] for m in mean]
    np.testing.assert_allclose(by_chain, expected)


def test_checked_statistics_of_a_fit(fitted: Fit) -> None:
    table = misspecification.checked(fitted, draws=60)
    left = misspecification.residuals(fitted.panel)
    assert table.loc[NOISE, "observed"] == pytest.approx(misspecification.spread_of_scales(left))
    assert (table["low"] < table["high"]).all()
    assert table["p"].between(0.005, 0.995).all()  # the panel is the model's own
    with_loadings = simulate("baseline", **SIZE | {"n_ou": 12, "n_month": 24}, sigma_loading=1.0)
    rows = fitted.panel.rows.assign(y=("row", with_loadings.rows["y"].to_numpy()))
    foreign = replace(fitted, panel=replace(fitted.panel, rows=rows))
    assert misspecification.checked(foreign, draws=60).loc[FACTOR, "p"] < 0.02


def test_opposed_chains() -> None:
    beta = np.ones((2, 100, 3))
    beta[1, :, 0] = -1  # one chain of each sign
    beta[1, :50, 1] = -1  # one that visits both
    draws = xr.DataArray(beta, dims=("chain", "draw", "ou"))
    np.testing.assert_array_equal(misspecification.positive(draws), [[1, 1, 1], [0, 0.5, 1]])
    np.testing.assert_array_equal(misspecification.opposed(draws), [True, False, False])


# --- switches


def test_composition_is_what_the_spec_says() -> None:
    table, reasons = misspecification.composition()
    reference_densities = {
        ("deviations = True", "Student-t outcome"): False,
        ("deviations = True", "sites"): True,
        ("score = 'expected'", "response part"): False,
        ("score = 'expected'", "Student-t outcome"): True,
        ("noise = 'by_ou'", "response part"): True,
        ("all of them", "trends"): False,
        ("all of them", "covariates"): True,
    }
    for (switch, upgrade), goes in reference_densities.items():
        assert table.loc[switch, upgrade] == goes
    assert set(reasons) == set(table.columns[~table.all()])
    only = misspecification.composition([("noise", "by_ou")])
    assert only[0].to_numpy().all()
    assert not only[1]
    text = chapters.misspecification.sentences.composes(table, reasons)
    assert "and not with Student-t outcome" in text
    assert "deviations do not go with trends" in text
    assert chapters.misspecification.sentences.composes(*only).endswith(".")


@pytest.fixture(scope="module")
def robust_model() -> pm.Model:
    return build_model(simulate("baseline", n_ou=4, n_site=2, n_month=8, wave_every=2), ROBUST)


def test_robust_is_named_in_full_with_its_own_priors(robust_model: pm.Model) -> None:
    """Every switch has a reason; the priors written are those of the model that is built."""
    table = chapters.misspecification.sentences.robust(ROBUST)
    assert list(table.index) == list(misspecification.switches())
    assert set(table.index) == set(chapters.misspecification.sentences.WHY)
    assert (
        BASELINE.but(**misspecification.switches(), name="robust", priors=ROBUST.priors) == ROBUST
    )

    def parameters(name: str) -> list[float]:
        inputs = robust_model[name].owner.inputs[2:]
        return [float(value.eval()) for value in inputs]

    written = " ".join(table["priors"])
    assert "phi_u ~ Beta({:g}, {:g})".format(*parameters("phi_u")) in written
    assert "share of noise ~ Beta({:g}, {:g})".format(*parameters("noise_share")) in written
    for name in ("sigma_noise_ou", "sigma_lam"):
        assert f"{name} ~ HalfNormal({parameters(name)[-1]:g})" in written
    assert "beta_between ~ Normal({:g}, {:g})".format(*parameters("beta_between")) in written
    with robust_model:
        drawn = pm.sample_prior_predictive(4000, var_names=["sigma_u", "sigma_y"], random_seed=1)
    for name in ("sigma_u", "sigma_y"):
        draws = drawn["prior"][name].to_numpy().ravel()
        assert f"{name} ~ HalfNormal(0.5)" in written
        assert stats.kstest(draws, stats.halfnorm(scale=0.5).cdf).pvalue > 1e-3


# --- words


def result(**changes: float) -> Outcome:
    plain = Outcome(
        sound=True,
        r_hat=1.004,
        where="mu_beta",
        divergences=0,
        opposed=0.0,
        coverage=0.9,
        width=0.5,
        error=0.15,
        mean=0.3,
        sd=0.05,
        truth=0.35,
        ous=30,
    )
    return replace(plain, **changes)


def test_words_on_ingredients() -> None:
    table = pd.DataFrame(
        {"value": [0.5, 0.1, 0.6], "chance": 0.1, "high": 0.2, "present": [True, False, True]},
        index=[NOISE, FACTOR, PERSISTENCE],
    )
    text = chapters.misspecification.sentences.ingredients(table)
    assert "units differ in how noisy they are and a unit that is above" in text
    assert "second movement" not in text
    assert "sd of the units' log residual scale 0.50, where chance gives 0.10" in text
    assert "none of the three" in chapters.misspecification.sentences.ingredients(
        table.assign(present=False)
    )
    alone = chapters.misspecification.sentences.ingredients(
        table.assign(present=[True, False, False])
    )
    assert "no reason for alarm" in alone
    assert "no reason for alarm" not in text


def test_words_on_checked_statistics() -> None:
    table = pd.DataFrame(
        {"observed": 0.5, "low": 0.4, "high": 0.6, "p": 0.5}, index=[NOISE, FACTOR, PERSISTENCE]
    )
    assert "None of them surprises" in chapters.misspecification.sentences.checked(table)
    text = chapters.misspecification.sentences.checked(table.assign(p=[0.5, 0.0, 1.0]))
    assert "The data have more of a second common movement" in text
    assert "The model makes more of persistence" in text
    assert "in no model of this book" in text
    assert "in no model" not in chapters.misspecification.sentences.checked(
        table.assign(p=[0.0, 0.5, 0.5])
    )


def test_words_on_signs() -> None:
    beta = xr.DataArray(np.ones((2, 5, 3)), dims=("chain", "draw", "ou"))
    beta[1] = -1
    chains = misspecification.by_chain(beta)
    assert chains == [1.0, -1.0]
    text = chapters.misspecification.sentences.signs(result(r_hat=1.7, opposed=0.8), chains)
    assert "1.70" in text
    assert "By chain the average slope is 1.00 and −1.00" in text
    assert "For 80% of the units one chain is sure" in text
    assert "do not agree either" in chapters.misspecification.sentences.signs(
        result(r_hat=1.2), chains
    )
    assert "The chains agree, signs included" in chapters.misspecification.sentences.signs(
        result(), chains
    )
    assert "the true" not in chapters.misspecification.sentences.signs(result(truth=np.nan), chains)


def test_words_on_paths() -> None:
    ou = np.arange(30)
    noise = np.exp(np.linspace(-1, 1, 30))
    true = np.random.default_rng(1).normal(0.3, 0.2, 30)
    table = pd.DataFrame({"chain": 0, "ou": ou, "size": noise, "noise_ou": noise, "true": true})
    assert (
        "the size of slopes follows the noise"
        in chapters.misspecification.sentences.variance_path(misspecification.variance_path(table))
    )
    by_chance = chapters.misspecification.sentences.variance_path(
        misspecification.variance_path(table.assign(size=-noise))
    )
    assert "does not follow the noise" in by_chance
    some = table.assign(size=noise + np.tile([0.0, 5.0, -2.0], 10))
    assert "may be chance" in chapters.misspecification.sentences.variance_path(
        misspecification.variance_path(some)
    )
    assert "evidence" not in by_chance  # a p value is no posterior probability
    both = chapters.misspecification.sentences.factor_path(
        np.array([0.95, -0.9]), np.array([0.1, -0.1])
    )
    assert "in some with its sign and in others against it" in both
    assert "0.95 and −0.90" in both
    none = chapters.misspecification.sentences.factor_path(
        np.array([0.1, 0.2]), np.array([0.8, 0.7])
    )
    assert "more closely than the loadings" in none
    some = chapters.misspecification.sentences.factor_path(
        np.array([0.9, 0.2]), np.array([0.3, 0.2])
    )
    assert "In some chains" in some
    neither = chapters.misspecification.sentences.factor_path(
        np.array([0.5, 0.2]), np.array([0.3, 0.3])
    )
    assert "follow neither closely" in neither


def test_words_on_repairs() -> None:
    fits = {
        ("noise", "baseline"): result(sound=False),
        ("noise", "by_ou"): result(),
        ("all", "baseline"): result(sound=False),
        ("all", "by_ou"): result(coverage=0.3),
        ("none", "baseline"): result(sound=False),
    }
    table = pd.DataFrame({key: vars(value) for key, value in fits.items()}).T.convert_dtypes()
    table.index.names = ["panel", "model"]
    text = chapters.misspecification.sentences.repairs(misspecification.repaired(table))
    assert "*noise* slopes may be read off `by_ou`, and not off `baseline`." in text
    assert "too few true slopes lie in the 90% intervals of `by_ou` (30%)" in text
    assert "*none* slopes may be read off no model." in text


def test_words_on_months_and_cost() -> None:
    def months(lower: list[Outcome], upper: list[Outcome]) -> str:
        found = (misspecification.together(results) for results in (lower, upper))
        return chapters.misspecification.sentences.independent_months(*found)

    good, bad = [result()] * 2, [result(coverage=0.5), result()]
    text = months(bad, good)
    assert "On 2 such panels together, 70% of the true slopes" in text
    assert "the intervals are too narrow" in text
    assert "with either model" in months(bad, bad)
    assert "prevent just that" in months(good, bad)
    assert "errors do" in months(good, [result(error=0.1)] * 2)
    assert "Chance could explain" in months(good, good)
    assert "did not even pass" not in months(good, good)
    assert "On 1 of the panels" in months([result(), result(sound=False)], good)
    cost = chapters.misspecification.sentences.cost
    text = cost(result(width=0.6, error=0.2), result(), "upgraded")
    assert "20% wider than under `upgraded`" in text
    assert "premium on the insurance" in text
    assert "did not prevent bias" in cost(result(coverage=0.5), result(), "upgraded")
    assert "cost nothing" in cost(result(error=0.1), result(), "upgraded")
    assert "premium is small" in cost(result(), result(), "upgraded")
    unknown = result(coverage=np.nan, truth=np.nan, error=np.nan)
    assert "true slopes" not in cost(unknown, unknown, "upgraded")


def test_words_on_the_own_panel() -> None:
    def draws(value: float) -> xr.DataArray:
        return xr.DataArray(np.full((2, 50), value), dims=("chain", "draw"))

    values = {"phi_u": 0.9, "sigma_u": 0.3, "sigma_y": 0.1, "sigma_noise_ou": 0.5}
    posterior = xr.Dataset({name: draws(v) for name, v in (values | {"beta_between": 0.2}).items()})
    text = chapters.misspecification.sentences.own(misspecification.learned(posterior))
    assert "keeps 0.90 of its size" in text
    assert "make up 98% of the variance" in text  # 0.09 / 0.19 = 0.474; 0.474 / 0.484
    assert "Most of what the specification calls noise lasts" in text
    assert "5.2 times as noisy" in text  # exp(2 * 1.645 * 0.5)
    small = chapters.misspecification.sentences.own(
        misspecification.learned(posterior.assign(sigma_u=draws(0.001)))
    )
    assert "Hardly any" in small
    assert "left to the prior" in small
    assert "keeps" not in small
    assert "A part of what" in chapters.misspecification.sentences.own(
        misspecification.learned(posterior.assign(sigma_u=draws(0.03)))
    )


def test_facts_of_fits_together() -> None:
    found = misspecification.together([result(coverage=0.5, error=0.3), result(sound=False)])
    assert (found.panels, found.stuck) == (2, 1)
    assert found.coverage == pytest.approx((0.5 + result().coverage) / 2)
    assert found.error == pytest.approx(np.sqrt((0.3**2 + result().error ** 2) / 2))
    assert result(coverage=0.3).too_few
    assert not result().too_few


# --- figures


def test_figures_draw(fitted: Fit) -> None:
    panel: Panel = fitted.panel
    table = misspecification.fingerprint(fitted)
    noisy = table.assign(noise_ou=1 + 0.1 * table["ou"], loading=1 - 0.1 * table["ou"])
    beta, grid = panel.truth["beta"].to_numpy(), np.linspace(-2, 2, 101)
    slopes = summarise(fitted).loc[[f"beta[{ou}]" for ou in panel.ous]]
    share = misspecification.positive(fitted.posterior["beta"])
    for figure in (
        chapters.misspecification.figures.noise_profile(
            grid, {"$x": misspecification.noise_profile(grid, 1.0, 20, 0.3, 0.7)}
        ),
        chapters.misspecification.figures.signs({"one": share, "two": share}, np.argsort(beta)),
        chapters.misspecification.figures.signs({"one": share}),
        chapters.misspecification.figures.fingerprints(
            noisy, noisy, (1 + grid[50:] ** 2, grid[50:])
        ),
        chapters.misspecification.figures.intervals({"one": (slopes, beta), "two": (slopes, beta)}),
    ):
        figure.canvas.draw()
        assert figure.axes
    plt.close("all")
