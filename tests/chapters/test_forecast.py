"""Months to come and new OUs: against dense normal distributions, and in real refits."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from conftest import SMALL, frame_of, one_draw

from oulib import (
    AR1,
    BASELINE,
    ROBUST,
    SITE,
    STUDENT_T,
    Fit,
    Panel,
    UserError,
    chapters,
    fit,
    simulate,
)
from oulib.chapters.next_survey import forecast
from oulib.model.groups import time
from oulib.posterior import leaveout

# Our distributions' draws are NumPy code, which Numba leaves to Python and says so; without a C
# compiler PyTensor says that it fuses fewer loops.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Numba will use object mode"),
    pytest.mark.filterwarnings("ignore:Loop fusion failed"),
]


@pytest.fixture(scope="module")
def gappy() -> Panel:
    """4 OUs over 8 months; one misses months in between, one its last two."""
    whole = simulate("baseline", n_ou=4, n_site=2, n_month=8, wave_every=3, seed=4)
    frame = frame_of(whole)
    own = [frame.index[frame["ou"] == ou] for ou in whole.ous]
    return Panel.from_frame(frame.drop(index=[own[1][3], own[1][4], own[2][6], own[2][7]]))


# --- months that go on


@pytest.mark.parametrize("phi", [0.85, 0.0, -0.5])
def test_a_centred_path_goes_on_as_a_dense_normal_says(phi: float) -> None:
    """Condition the future less the mean of the past on the past less its mean."""
    length, steps, sigma, n = 7, 3, 0.4, 200_000
    lag = np.abs(np.subtract.outer(np.arange(length + steps), np.arange(length + steps)))
    covariance = sigma**2 / (1 - phi**2) * np.sign(phi) ** lag * np.abs(phi) ** lag
    take = np.eye(length + steps)
    take[:, :length] -= 1 / length
    covariance = take @ covariance @ take.T
    path = np.random.default_rng(0).normal(size=length)
    path -= path.mean()
    past, future = slice(0, length - 1), slice(length, None)  # the last value follows
    weights = np.linalg.solve(covariance[past, past], covariance[past, future]).T
    mean = weights @ path[past]
    spread = covariance[future, future] - weights @ covariance[past, future]
    drawn = forecast.continued(
        np.tile(path, (n, 1)),
        np.full(n, phi),
        np.full(n, sigma),
        steps,
        np.random.default_rng(1),
    )
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.01)
    np.testing.assert_allclose(np.cov(drawn.T), spread, atol=0.01)


def test_deviations_are_carried_forward_from_an_ous_own_history(gappy: Panel) -> None:
    """Means and covariances of the paths against each OU's dense normal distribution."""
    spec = BASELINE.but(
        name="carried", deviations=True, score="expected", noise="by_ou", slope="within"
    )
    known = {"phi_u": 0.8, "sigma_u": 0.3, "sigma_y": 0.25}
    made = one_draw(gappy, spec, 20_000, **known)
    p = made.posterior.isel(chain=0, draw=0)
    steps, length = 3, len(gappy.months)
    y = forecast.months_ahead(made, steps, draws=None, seed=1)["y"].isel(chain=0)
    assert y["month"].to_numpy().tolist() == ["2022-09", "2022-10", "2022-11"]
    rows = gappy.rows
    for g, ou in enumerate(gappy.ous):
        own = np.flatnonzero(rows["ou_idx"].to_numpy() == g)
        month = rows["month_idx"].to_numpy()[own]
        at = np.concatenate([month, length + np.arange(steps)])
        lag = np.abs(np.subtract.outer(at, at))
        covariance = 0.3**2 / (1 - 0.8**2) * 0.8**lag + 0.25**2 * np.eye(at.size)
        covariance *= float(p["noise_ou"][g]) ** 2
        seen = rows["observed"].to_numpy()[own]
        n = np.where(seen, rows["respondents"].to_numpy()[own], 0)
        x = np.where(seen, rows["x"].to_numpy()[own], 0.0)
        expected = float(p["mu_x_ou"][g]) + 0.2 * p["tau"].to_numpy()[month]
        s2, v = float(p["sigma_x"]) ** 2, float(p["sigma_meas"]) ** 2
        departure = np.where(n > 0, s2 / (s2 + v / np.maximum(n, 1)) * (x - expected), 0.0)
        level = float(p["alpha"][g] + p["beta_between"] * p["mu_x_ou"][g])
        left = rows["y"].to_numpy()[own] - level - p["lam"].to_numpy()[month]
        left = left - float(p["beta"][g]) * departure
        k = own.size
        weights = np.linalg.solve(covariance[:k, :k], covariance[:k, k:]).T
        spread = covariance[k:, k:] - weights @ covariance[:k, k:]
        # The months' effects are independent around a mean known to 1 / sqrt(T).
        spread = spread + np.eye(steps) + 1 / length
        drawn = y.sel(ou=ou).to_numpy()
        error = np.sqrt(np.diag(spread) / len(drawn))
        assert (np.abs(drawn.mean(axis=0) - level - weights @ left) < 4.5 * error).all()
        np.testing.assert_allclose(np.cov(drawn.T), spread, rtol=0.06, atol=0.06 * spread.max())


def test_trends_and_raw_units(gappy: Panel) -> None:
    """Without noise a forecast is level and trend; productivity is the raw scale of it."""
    spec = AR1.but(name="trends", trend=True)
    nothing = dict.fromkeys(("sigma_y", "sigma_x", "sigma_lam", "lam", "beta"), 1e-12)
    made = one_draw(gappy, spec, 5, **nothing, phi_lam=0.3)
    p = made.posterior.isel(chain=0, draw=0)
    found = forecast.months_ahead(made, 4)
    y = found["y"].isel(chain=0, draw=2)
    at = time(gappy)
    later = at[-1] + (at[1] - at[0]) * np.arange(1, 5)
    expected = p["alpha"].to_numpy()[:, None] + p["trend"].to_numpy()[:, None] * later
    np.testing.assert_allclose(y.to_numpy(), expected, atol=1e-6)
    np.testing.assert_allclose(
        found["productivity"], gappy.scale.productivity(found["y"].to_numpy())
    )


def test_heavy_tails_and_scores_are_in_the_interval(gappy: Panel) -> None:
    made = one_draw(gappy, STUDENT_T, 40_000, nu=8.0, sigma_y=0.5, sigma_x=0.7, beta=0.6, lam=0.0)
    y = forecast.months_ahead(made, 1, draws=None)["y"].isel(chain=0, month=0, ou=0)
    variance = 0.25 * 8 / 6 + 0.6**2 * 0.49 + (1 + 1 / 8) * (1 + 0.6**2 * 0.2**2)
    assert float(y.var()) == pytest.approx(variance, rel=0.03)


def test_months_without_outcomes_are_months_to_come(gappy: Panel) -> None:
    """A panel with its last months left out is forecast from there, with the fit's own months."""
    kept = gappy.select_rows(np.flatnonzero(gappy.rows["month_idx"].to_numpy() < 6))
    quiet = dict.fromkeys(("sigma_y", "sigma_x", "beta"), 1e-12)
    made = one_draw(kept, BASELINE, 3, **quiet)
    y = forecast.months_ahead(made, 3)["y"]
    assert y["month"].to_numpy().tolist() == ["2022-07", "2022-08", "2022-09"]
    p = made.posterior.isel(chain=0, draw=0)
    level = p["alpha"].to_numpy()[:, None] + p["lam"].to_numpy()[6:8]
    np.testing.assert_allclose(y.isel(chain=0, draw=0, month=[0, 1]), level, atol=1e-6)
    with pytest.raises(UserError, match="1 or more"):
        forecast.months_ahead(made, 0)


def test_labels_go_on_at_the_calendars_step() -> None:
    assert forecast._later(("2020-07", "2020-10"), 3) == ("2021-01", "2021-04", "2021-07")
    assert forecast._later(("1985-01", "1986-01"), 1) == ("1987-01",)


def test_covariates_stay_as_they_were(gappy: Panel) -> None:
    panel = simulate("baseline", n_ou=4, n_month=6, n_site=2, wave_every=2, coef=[0.5, 0.2], seed=1)
    quiet = dict.fromkeys(("sigma_y", "sigma_x", "beta", "alpha"), 1e-12)
    made = one_draw(panel, BASELINE.but(name="c", covariates="wide"), 2, **quiet)
    y = forecast.months_ahead(made, 2)["y"].isel(chain=0, draw=0)
    last = panel.rows["covariates"].to_numpy()[5::6]
    coef = made.posterior["coef"].isel(chain=0, draw=0).to_numpy()
    between = y.to_numpy() - y.to_numpy()[:1]  # the months' effects are the same for all
    np.testing.assert_allclose(between[:, 1], (last - last[:1]) @ coef, atol=1e-6)


# --- OUs without a history


def test_a_new_ous_variance_is_the_sum_of_its_parts(gappy: Panel) -> None:
    """Three terms of ``eq-unseen``, the months' effects and a noise scale that is drawn, too."""
    spec = BASELINE.but(
        name="new", deviations=True, score="expected", noise="by_ou", slope="within"
    )
    known = {"phi_u": 0.8, "sigma_u": 0.3, "sigma_y": 0.25, "sigma_noise_ou": 0.3}
    known |= {"sigma_mu_x": 1e-9, "sigma_ou": 0.7}
    made = one_draw(gappy, spec, 40_000, **known)
    y = forecast.new_ou(made, 2, draws=None)["y"].isel(chain=0, ou=0)
    factor = np.exp(2 * 0.3**2)  # mean square of a log-normal scale
    stray = 0.3**2 / (1 - 0.8**2)
    months = 1 + 1 / 8
    expected = 0.49 + factor * (stray + 0.25**2) + months
    assert float(y.isel(month=0).var()) == pytest.approx(expected, rel=0.03)
    covariance = np.cov(y.to_numpy().T)[0, 1]
    assert covariance == pytest.approx(0.49 + factor * 0.8 * stray + 1 / 8, rel=0.05)


def test_a_known_site_narrows_a_new_ou(gappy: Panel) -> None:
    made = one_draw(gappy, SITE, 4000, sigma_site=1.5, sigma_ou=0.2, sigma_x=0.1)
    found = forecast.new_ou(made, 2, sites=(None, gappy.sites[1]), draws=None)
    shown = forecast.widths(forecast.months_ahead(made, 2, draws=None), found)
    assert list(shown.columns) == ["with history", "unknown site", gappy.sites[1]]
    assert (shown["unknown site"] > 1.2 * shown[gappy.sites[1]]).all()
    assert (shown[gappy.sites[1]] > shown["with history"]).all()
    with pytest.raises(UserError, match="no site Nowhere"):
        forecast.new_ou(made, 2, sites=("Nowhere",))
    text = chapters.next_survey.sentences.new_ou_width("site", forecast.new_ou_widths(shown))
    assert "Knowing the site narrows it" in text
    first = forecast.new_ou_widths(shown)
    assert first.month == shown.index[0]
    assert (first.own, first.unknown) == tuple(shown.iloc[0, :2])
    assert first.known == first.new[gappy.sites[1]] == shown.iloc[0, 2]
    flat = shown.assign(**{"unknown site": 1.0, gappy.sites[1]: 1.0, "with history": 1.0})
    text = chapters.next_survey.sentences.new_ou_width("site", forecast.new_ou_widths(flat))
    assert "hardly narrows" in text
    assert "next to nothing" in text
    quantiles = forecast.table(found)
    assert (quantiles.diff(axis=1).iloc[:, 1:] > 0).all(axis=None)


# --- whether it came


def test_coverage_knows_what_values_share() -> None:
    rng = np.random.default_rng(0)
    shared, own = rng.normal(size=(4000, 1)), rng.normal(size=(4000, 50))
    narrow = forecast.coverage([(own, own[7])], seed=1)
    wide = forecast.coverage([(3 * shared + own, (3 * shared + own)[7])], seed=1)
    gap = {name: t["expected_high"] - t["expected_low"] for name, t in (("n", narrow), ("w", wide))}
    assert (gap["w"] > 2 * gap["n"]).all()
    # Independent values: the share is binomial.
    assert narrow.loc[0.9, "expected_low"] == pytest.approx(0.79, abs=0.031)
    assert narrow.loc[0.5, "expected_high"] == pytest.approx(0.66, abs=0.021)
    inside = (np.abs(own[7]) < 1.645).mean()
    assert narrow.loc[0.9, "coverage"] == pytest.approx(inside, abs=0.041)
    two = forecast.coverage([(own, own[7]), (own, np.full(50, 99.0))])
    assert two.loc[0.9, "coverage"] == pytest.approx(narrow.loc[0.9, "coverage"] / 2)
    assert two.loc[0.9, "values"] == 100


def test_the_naive_forecast_by_hand(gappy: Panel) -> None:
    ou, month, y = (gappy.rows[name].to_numpy() for name in ("ou_idx", "month_idx", "y"))
    out = np.flatnonzero(month >= 6)
    found = forecast.naive(gappy, out, 6)
    for row in out:
        past = np.flatnonzero((ou == ou[row]) & (month < 6))
        change = np.diff(y[past]) / np.sqrt(np.diff(month[past]))
        assert found.loc[row, "mean"] == y[past[-1]]
        steps = month[row] - month[past[-1]]
        assert found.loc[row, "sd"] == pytest.approx(np.sqrt(np.mean(change**2) * steps))
    assert forecast.naive(gappy, out, 0).isna().all(axis=None)


@pytest.fixture(scope="module")
def little() -> Panel:
    return simulate("baseline", n_ou=9, n_site=3, n_month=9, wave_every=2, seed=6)


@pytest.fixture(scope="module")
def full(little: Panel) -> Fit:
    return fit(little, BASELINE, SMALL)


def test_forecasts_of_months_left_out(little: Panel, full: Fit) -> None:
    ahead = leaveout.months_ahead(full, months=3, sampling=SMALL)
    found = forecast.check_ahead(full, ahead, draws=600, seed=1)
    assert found.rows.groupby("step").size().to_dict() == {1: 27, 2: 18, 3: 9}
    assert found.coverage.loc[(1, 0.9), "values"] == 27
    assert found.coverage.loc[(2, 0.5), "values"] == 18
    inside = found.rows["observed"].between(found.rows["q5"], found.rows["q95"])
    first = inside[found.rows["step"] == 1]
    assert found.coverage.loc[(1, 0.9), "coverage"] == pytest.approx(first.mean())
    assert 0.6 < inside.mean() <= 1.0  # the data follow the model
    # What came is no part of the forecast.
    rows = little.rows.assign(y=little.rows["y"] + (little.rows["month_idx"] >= 6) * 5.0)
    moved = replace(full, panel=replace(little, rows=rows))
    other = forecast.check_ahead(moved, ahead, draws=600, seed=1)
    for q in ("q5", "q25", "q50", "q75", "q95"):
        np.testing.assert_array_equal(found.rows[q], other.rows[q])
    assert other.coverage.loc[(1, 0.9), "coverage"] < 0.2
    scores = forecast.against_naive(found.rows)
    gain = found.rows["naive_crps"] - found.rows["crps"]
    assert scores.loc[0, "gain"] == pytest.approx(gain.mean())
    by_ou = gain.groupby(found.rows["ou"]).mean()
    assert scores.loc[0, "gain_se"] == pytest.approx(by_ou.std() / 3)
    assert scores.loc[1, "months"] == 3
    assert scores.loc[0, "months"] == 6
    assert "of 27 rows" in chapters.next_survey.sentences.calibrated(
        "baseline", found.coverage.loc[1], "rows"
    )
    assert "too narrow" in chapters.next_survey.sentences.calibrated(
        "baseline", other.coverage.loc[1], "rows"
    )
    assert "baseline" in chapters.next_survey.sentences.against_naive("baseline", scores)
    steps = found.coverage
    names = [f"{s} ahead" for s in steps.index.levels[0]]
    labelled = steps.set_axis(steps.index.set_levels(names, level=0))
    for figure in (
        chapters.next_survey.figures.coverage({"baseline": labelled}),
        chapters.next_survey.figures.against_naive({"baseline": scores}),
        chapters.next_survey.figures.ahead(
            little, forecast.months_ahead(full, 4), list(little.ous[:3])
        ),
    ):
        figure.canvas.draw()
    plt.close("all")


def test_ous_that_no_fit_has_seen(little: Panel, full: Fit) -> None:
    unseen = leaveout.new_ous(full, folds=3, sampling=SMALL)
    found = forecast.check_new_ous(full, unseen, draws=600, seed=2)
    ous, share = found["ous"], found["coverage"]
    assert sorted(ous.index) == sorted(little.ous)
    assert ous.groupby("fold").size().to_dict() == {1: 3, 2: 3, 3: 3}
    mean = little.rows["y"].groupby(little.rows["ou"]).mean().to_series()
    np.testing.assert_allclose(ous["observed"], mean[ous.index])
    assert share.loc[("rows", 0.9), "values"] == 81
    assert share.loc[("mean level", 0.9), "values"] == 9
    # A level that was not seen is about as uncertain as levels differ.
    p = full.posterior
    spread = float(np.sqrt(p["sigma_ou"].sel(effect="alpha") ** 2).mean())
    width = (ous["q95"] - ous["q5"]).mean()
    assert 0.7 * 3.29 * spread < width < 2.5 * 3.29 * spread
    seen = forecast.months_ahead(full, 1)["y"].quantile([0.05, 0.95], ("chain", "draw"))
    assert float(seen.diff("quantile").mean()) > 0
    chapters.next_survey.figures.new_ous(ous, most=5).canvas.draw()
    plt.close("all")


# --- sentences


def shares(coverage: float, values: int = 100) -> pd.DataFrame:
    row = {"values": values, "coverage": coverage, "expected_low": 0.8, "expected_high": 0.95}
    return pd.DataFrame({0.5: row | {"coverage": 0.85}, 0.9: row}).T


def test_calibration_in_words() -> None:
    say = chapters.next_survey.sentences.calibrated
    assert "are calibrated as far" in say("robust", shares(0.9), "rows")
    assert "too narrow" in say("robust", shares(0.5), "rows")
    assert "wider than they need be" in say("robust", shares(0.99), "rows")
    mixed = shares(0.5)
    mixed.loc[0.5, "coverage"] = 0.99
    assert "shape is wrong" in say("robust", mixed, "rows")
    assert "too few" in say("robust", shares(0.9, values=4), "rows")
    assert "<" not in say("<b>", shares(0.9), "rows")


def score(gain: float, se: float, better: int) -> pd.DataFrame:
    row = {"crps": 0.4, "naive": 0.4 + gain, "gain": gain, "gain_se": se, "months": 6}
    row |= {"better": better, "coverage": 0.9, "naive_coverage": 0.8}
    later = row | {"crps": 0.5, "naive": 0.7 + gain, "gain": 0.2 + gain}
    return pd.DataFrame.from_dict({0: row, 1: row, 2: later}, orient="index")


@pytest.mark.parametrize(
    ("gain", "se", "better", "said"),
    [
        (0.1, 0.01, 6, "robust beats the last value"),
        (0.1, 0.01, 2, "does not beat"),
        (0.1, 0.2, 6, "does not beat"),
        (-0.1, 0.01, 0, "it loses"),
        (0.1, np.nan, 6, "does not beat"),
    ],
)
def test_the_naive_forecast_in_words(gain: float, se: float, better: int, said: str) -> None:
    assert said in chapters.next_survey.sentences.against_naive("robust", score(gain, se, better))


def test_distance_in_words() -> None:
    table = score(0.1, 0.01, 6)
    assert "advantage grows" in chapters.next_survey.sentences.steps_ahead("robust", table)
    table.loc[2, "gain"] = -1.0
    assert "does not gain" in chapters.next_survey.sentences.steps_ahead("robust", table)
    assert "one step ahead only" in chapters.next_survey.sentences.steps_ahead(
        "robust", table.loc[:1]
    )


def test_robust_forecasts_from_its_own_parameters(gappy: Panel) -> None:
    """All switches together: nothing but the fit's own draws is needed, and nothing is NaN."""
    # Where the deviation is what is not known, for it is what spreads.
    scales = {"sigma_y": 0.1, "sigma_lam": 0.05, "phi_lam": 0.3, "noise_ou": 1.0}
    made = one_draw(gappy, ROBUST, 200, phi_u=0.9, sigma_u=0.2, **scales)
    found = forecast.months_ahead(made, 5)
    assert np.isfinite(found["y"]).all()
    sd = found["y"].std(("chain", "draw")).mean("ou").to_numpy()
    assert sd[-1] > sd[0]
    assert np.isfinite(forecast.new_ou(made, 5)["y"]).all()
