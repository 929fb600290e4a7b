"""What is set by hand, against densities by hand; estimators against their formulas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from conftest import RICH
from scipy import stats

from oulib import (
    BASELINE,
    SITE,
    STUDENT_T,
    UPGRADED,
    Fit,
    ModelSpec,
    Panel,
    Sampling,
    UserError,
    build_model,
    chapters,
    check,
    fit,
    simulate,
)
from oulib.chapters.sensitivity import analysis as sensitivity
from oulib.chapters.sensitivity import silence
from oulib.model.draws.density import row_density
from oulib.panel import regression
from oulib.posterior.checks import hyperparameters
from oulib.posterior.estimate import estimate
from oulib.sampling.compiled import model_key
from oulib.sampling.fit import fit_key


@pytest.fixture(scope="module")
def asked() -> Panel:
    """Six OUs, a wave every second month, some of them unanswered."""
    size = {"n_ou": 6, "n_site": 2, "n_month": 12, "wave_every": 2}
    return simulate("upgraded", **size, seed=3)


@pytest.fixture(scope="module")
def silent(asked: Panel) -> np.ndarray:
    rows = asked.rows
    found = rows["scheduled"].to_numpy() & ~rows["observed"].to_numpy()
    assert 3 <= found.sum() < rows.sizes["row"] / 3
    return found


def near_the_start(model: pm.Model) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    start = model.initial_point()
    return {name: value + 0.3 * rng.standard_normal(value.shape) for name, value in start.items()}


def values_at(model: pm.Model, names: list[str], point: dict[str, np.ndarray]) -> dict[str, Any]:
    outputs = model.replace_rvs_by_values([model[name] for name in names])
    function = model.compile_fn(outputs, inputs=model.value_vars, on_unused_input="ignore")
    return {k: np.asarray(v) for k, v in zip(names, function(point), strict=True)}


def rows_of(model: pm.Model, node: str, point: dict[str, np.ndarray]) -> np.ndarray:
    return np.ravel(model.compile_logp(vars=[model[node]], sum=False)(point)[0])


def posterior_of(model: pm.Model, found: Mapping[str, np.ndarray]) -> xr.Dataset:
    """Values under the public names as a posterior of one draw."""
    dims = model.named_vars_to_dims
    return xr.Dataset(
        {
            name: (("chain", "draw", *dims.get(name, ())), value[None, None])
            for name, value in found.items()
        },
        coords={dim: list(model.coords[dim]) for dim in ("ou", "month")},
    )


def unsampled(asked: Panel, spec: ModelSpec, posterior: xr.Dataset) -> Fit:
    tree = xr.DataTree.from_dict({"posterior": posterior})
    return Fit(panel=asked, spec=spec, sampling=Sampling(), tree=tree, key="")


# --- a shift of unseen scores


def patterns(kappa: float, delta: float) -> tuple[Fit, np.ndarray, dict[str, float]]:
    """A panel whose silent months have outcomes ``kappa`` higher, and scores ``delta`` sds.

    Answered months have one line; scores of silent ones are drawn from that line's, given their
    outcome, and moved.  The fit is a posterior at the true parameters, and the scores are given.
    """
    rng = np.random.default_rng(2)
    ous, months = 250, 40
    ou, month = np.repeat(np.arange(ous), months), np.tile(np.arange(months), ous)
    silent = rng.random(ou.size) < rng.beta(3, 4, ous)[ou]
    slope, sd, noise = 0.5, 0.7, 0.5
    x = sd * rng.standard_normal(ou.size)
    y = slope * x + noise * rng.standard_normal(ou.size) + kappa * silent
    weight = slope * sd**2 / (slope**2 * sd**2 + noise**2)
    left = sd * noise / np.sqrt(slope**2 * sd**2 + noise**2)
    moved = weight * y + left * rng.standard_normal(ou.size) + delta * sd
    x = np.where(silent, moved, x)
    level, lam, mean = rng.normal(size=ous), rng.normal(size=months), rng.normal(size=ous)
    frame = pd.DataFrame(
        {
            "ou": [f"OU-{g:03}" for g in ou],
            "site": "one",
            "month": pd.date_range("2020-01", periods=months, freq="MS")[month],
            "productivity": np.exp(y + level[ou] + lam[month] + slope * mean[ou]),
            "survey": np.where(silent, np.nan, x + mean[ou]),
            "respondents": np.where(silent, 0, 10**6),
            "scheduled": True,
        }
    )
    panel = Panel.from_frame(frame)
    s_y, s_x, m_x = panel.scale.s_y, panel.scale.s_x, panel.scale.m_x
    true = {
        "alpha": ("ou", (level + slope * m_x - panel.scale.m_y) / s_y),
        "beta": ("ou", np.full(ous, slope * s_x / s_y)),
        "lam": ("month", lam / s_y), "tau": ("month", np.zeros(months)),
        "mu_x_ou": ("ou", (mean - m_x) / s_x), "mu_beta": slope * s_x / s_y,
        "sigma_x": sd / s_x, "sigma_meas": 1e-3, "sigma_y": noise / s_y,
    }  # fmt: skip
    values = xr.Dataset(true, coords={"ou": [*panel.ous], "month": [*panel.months]})
    posterior = values.expand_dims(chain=2, draw=50)
    return unsampled(panel, BASELINE, posterior), (x + mean[ou]) / s_x, {"d": weight * kappa / sd}


@pytest.mark.parametrize(("kappa", "delta"), [(0.0, 0.0), (0.0, -1.0), (-0.3, -1.0), (-0.3, 1.5)])
def test_a_shift_against_least_squares_on_all_scores(kappa: float, delta: float) -> None:
    """The slope over all planned months is what a regression on the silent scores, too, finds."""
    made, x, known = patterns(kappa, delta)
    rows = made.panel.rows
    groups = [rows[name].to_numpy() for name in ("ou_idx", "month_idx")]
    found = silence.silence(made, seed=1)
    expected = regression.least_squares(rows["y"].to_numpy(), x, groups, groups[0])
    draws = silence.given_shift(made, found, delta)
    assert float(draws.mean()) == pytest.approx(expected.value, abs=3 * expected.se + 0.004)
    kappa_found = float(found["outcome"].mean()) * made.panel.scale.s_y
    assert kappa_found == pytest.approx(kappa, abs=0.03)
    assert float(found["score"].mean()) == pytest.approx(known["d"], abs=0.04)
    chance = 0.61 / np.sqrt(rows.sizes["row"] * float(found["rarity"].mean()))  # of a mean
    assert float(found["outcome"].std()) * made.panel.scale.s_y == pytest.approx(chance, rel=0.3)


def test_a_shift_is_a_question_that_no_fit_answers(asked: Panel) -> None:
    """Silent outcomes like the others': flatter either way, and the sign is never lost."""
    made, _, _ = patterns(0.0, 0.0)
    table = silence.shifted(made, silence.silence(made), [-2.0, -1.0, 0.0, 1.0, 2.0])
    slope = float(made.posterior["mu_beta"].mean())
    assert table.loc[0.0, "mean"] == pytest.approx(slope, rel=0.01)
    assert (table["mean"] > 0).all()
    assert table["mean"].idxmax() == 0.0
    assert table.loc[2.0, "mean"] == pytest.approx(table.loc[-2.0, "mean"], abs=0.08 * slope)
    chapters.sensitivity.figures.over_grid(table, xlabel="delta")
    assert "posterior standard deviations" in chapters.sensitivity.sentences.span(
        sensitivity.span(table)
    )
    said = chapters.sensitivity.sentences.silent(10, 4, silence.compared(silence.silence(made)))
    assert "as probable as before" in said
    with pytest.raises(TypeError, match="delta"):
        BASELINE.but(delta=1.0)


@pytest.mark.parametrize("delta", [-1.0, 0.0, 1.0])
def test_silent_months_slide_and_the_line_is_that_of_least_squares(delta: float) -> None:
    made, _, _ = patterns(-0.3, 0.0)
    rows, p = made.panel.rows, made.posterior.isel(chain=0, draw=0)
    found = silence.silence(made, seed=1)
    given = silence.shifts(made, found, silence.shifted(made, found, [-1.0, 0.0, 1.0]))
    seen = rows["observed"].to_numpy()
    np.testing.assert_array_equal(given.silent, ~seen)
    ou, month = (rows[name].to_numpy() for name in ("ou_idx", "month_idx"))
    own = (rows["x"].to_numpy() - p["mu_x_ou"].to_numpy()[ou]) / float(p["sigma_x"])
    np.testing.assert_allclose(given.score[seen], own[seen], atol=0.02)  # surveys without noise
    left = rows["y"].to_numpy() - p["alpha"].to_numpy()[ou] - p["lam"].to_numpy()[month]
    left -= (p["beta"] * p["mu_x_ou"]).to_numpy()[ou]
    np.testing.assert_allclose(given.outcome, left, atol=1e-9)
    slope, height = np.polyfit(given.score + delta * given.silent, given.outcome, 1)
    found_height, found_slope = silence.line(given, delta)
    assert found_slope == pytest.approx(slope, abs=0.03)
    assert found_height == pytest.approx(height, abs=0.03)
    assert "silent months beside" in chapters.sensitivity.sentences.sliding(given)


def test_whole_waves_that_are_silent_say_nothing(asked: Panel) -> None:
    made, _, _ = patterns(-0.3, 0.0)
    rows = made.panel.rows
    odd = rows["month_idx"].to_numpy() % 2 == 1
    whole = rows.assign(observed=("row", odd), survey=rows["survey"].where(odd))
    other = replace(made, panel=replace(made.panel, rows=whole))
    found = silence.silence(other)
    assert (found["outcome"] == 0).all()
    table = silence.shifted(other, found, [-1.0, 0.0, 1.0])
    np.testing.assert_allclose(table["mean"], table.loc[0.0, "mean"])
    assert "Whole units or whole months" in chapters.sensitivity.sentences.silent(
        10, 4, silence.compared(found)
    )


# --- a fixed slope of the response


def test_answers_that_tell_nothing_leave_the_outcome_alone(asked: Panel) -> None:
    """With rho_x = 0 outcome and surveys have the densities of the model without a response."""
    with_it, without = build_model(asked, UPGRADED.but(rho_x=0.0)), build_model(asked, SITE)
    point = near_the_start(with_it)
    shared = {v.name: point[v.name] for v in without.value_vars}
    for node in ("productivity", "survey"):
        one, other = rows_of(with_it, node, point), rows_of(without, node, shared)
        np.testing.assert_allclose(one, other, atol=1e-6)
    v = values_at(with_it, ["rho_0", "rho_ou", "rho_month"], point)
    rows = asked.scheduled_rows
    wave = np.searchsorted(asked.waves, asked.rows["month"].to_numpy()[rows])
    logit = v["rho_0"] + v["rho_ou"][asked.rows["ou_idx"].to_numpy()[rows]] + v["rho_month"][wave]
    sign = np.where(asked.rows["observed"].to_numpy()[rows], 1, -1)
    expected = -np.logaddexp(0, -sign * logit)
    np.testing.assert_allclose(rows_of(with_it, "responded", point), expected, atol=1e-6)


def test_a_fixed_slope_is_the_learned_model_at_that_slope(asked: Panel) -> None:
    fixed, learned = build_model(asked, UPGRADED.but(rho_x=1.7)), build_model(asked, UPGRADED)
    point = near_the_start(learned)
    point["rho_x"] = np.array(1.7)
    rest = {v.name: point[v.name] for v in fixed.value_vars}
    assert set(point) - set(rest) == {"rho_x"}
    for node in ("productivity", "survey", "responded"):
        np.testing.assert_allclose(
            rows_of(fixed, node, rest), rows_of(learned, node, point), atol=1e-12
        )


def test_a_slope_without_a_response_part_is_refused(asked: Panel) -> None:
    with pytest.raises(UserError, match="there is none"):
        build_model(asked, BASELINE.but(rho_x=0.0))


# --- sampled


WITHIN = BASELINE.but(slope="within")
"""One compiled model serves all that is sampled here."""


@pytest.fixture(scope="module")
def short() -> Sampling:
    return Sampling(draws=60, tune=100, chains=2, seed=1)


def test_a_grid_is_compiled_once_and_kept_apart() -> None:
    size = {"n_ou": 6, "n_site": 2, "n_month": 12, "wave_every": 2}
    panel = simulate("upgraded", **size, seed=3, coef=(0.3, 0.0, 0.0, 0.0))
    short = Sampling(draws=30, tune=60, chains=2, seed=1, max_depth=6)
    one, two = (fit(panel, RICH.but(rho_x=rho), short) for rho in (0.0, -1.5))
    keys = {model_key(build_model(panel, each.spec), each.spec) for each in (one, two)}
    assert len(keys) == 1
    assert one.key != two.key
    for sampled, value in ((one, 0.0), (two, -1.5)):
        assert (sampled.posterior["rho_x"] == value).all()
        assert sampled.posterior["rho_x"].dims == ("chain", "draw")
        r_hat = next(c for c in check(sampled).checks if c.name == "r_hat")
        assert np.isfinite(r_hat.value)  # a constant would fail it
        assert "rho_x" not in hyperparameters(sampled).index
    density = row_density(two, two.posterior.isel(draw=[0]), panel.scheduled_rows)
    assert (density.log_response(density.mean) < 0).all()


def test_keys_know_what_is_set(asked: Panel) -> None:
    keys = {
        fit_key(asked, spec, Sampling())
        for spec in (
            SITE,
            *(UPGRADED.but(rho_x=r) for r in (None, 0.0, 1.0)),
        )
    }
    assert len(keys) == 4


# --- what needs no refit


def normal_fit(mean: np.ndarray, cov: np.ndarray, asked: Panel) -> Fit:
    draws = np.random.default_rng(0).multivariate_normal(mean, cov, size=(4, 5000))
    names = ("mu_beta", "rho_x", "sigma_x")
    values = {name: (("chain", "draw"), draws[..., i]) for i, name in enumerate(names)}
    return unsampled(asked, UPGRADED, xr.Dataset(values))


def test_a_set_value_is_the_conditional_of_a_normal_posterior(asked: Panel) -> None:
    mean = np.array([0.3, 1.0, 0.7])
    cov = np.array([[0.01, -0.02, 0], [-0.02, 0.09, 0], [0, 0, 1e-6]])
    table = sensitivity.given_value(normal_fit(mean, cov, asked), [2.0, -1.0, 0.0])
    assert list(table.index) == [-1.0, 0.0, 2.0]
    for value, row in table.iterrows():
        expected = 0.3 + cov[0, 1] / cov[1, 1] * (value - 1.0)
        sd = np.sqrt(cov[0, 0] - cov[0, 1] ** 2 / cov[1, 1])
        assert row["mean"] == pytest.approx(expected, abs=0.01)
        assert row["sd"] == pytest.approx(sd, rel=0.03)
        assert row["positive"] == pytest.approx(stats.norm.cdf(expected / sd), abs=0.01)
    told = stats.norm.pdf(table.index, 1.0, 0.3) / stats.norm.pdf(table.index, 0.0, 1.0)
    np.testing.assert_allclose(table["support"], told / told.max(), rtol=0.2, atol=1e-6)
    assert "most probable" in chapters.sensitivity.sentences.support(table, "it")
    for least, said in ((0.0, "a hundredth"), (0.02, "50 times less"), (0.5, "hardly speak")):
        assert said in chapters.sensitivity.sentences.support(
            table.assign(support=[1.0, least, 1.0]), "it"
        )
    move = float(f"{asked.scale.s_x * 0.7:.2g}")
    percent = 100 * np.expm1(asked.scale.s_y / asked.scale.s_x * move * table["mean"])
    np.testing.assert_allclose(table["percent"], percent, rtol=0.02)


def grid(**positive: float) -> pd.DataFrame:
    values = {float(k.lstrip("v").replace("m", "-")): p for k, p in positive.items()}
    table = pd.DataFrame({"positive": pd.Series(values)}).rename_axis("delta")
    return table.assign(mean=table["positive"] - 0.5, sd=0.1, q5=-0.1, q95=0.4, percent=1.0)


def test_the_tipping_point_is_interpolated_and_the_nearest() -> None:
    table = grid(vm2=0.5, vm1=0.94, v0=0.98, v1=0.86, v2=0.2)
    found = sensitivity.tipping(table)
    assert found.at == pytest.approx((0.98 - 0.9) / (0.98 - 0.86))
    assert (found.least, found.where, found.positive) == (0.2, 2.0, True)
    assert "tipping point" in chapters.sensitivity.sentences.tipping(found, table, "it")
    never = sensitivity.tipping(grid(vm1=0.95, v0=0.98, v1=0.97))
    assert never.at is None
    assert never.known
    assert "Nowhere" in chapters.sensitivity.sentences.tipping(
        never, grid(vm1=0.95, v0=0.98, v1=0.97), "it"
    )
    down = sensitivity.tipping(grid(vm1=0.3, v0=0.02, v1=0.01))
    assert not down.positive
    assert down.at == pytest.approx(-(0.98 - 0.9) / 0.28)
    unknown = sensitivity.tipping(grid(vm1=0.99, v0=0.7, v1=0.2))
    assert unknown.at is None
    assert not unknown.known
    assert "no sign to lose" in chapters.sensitivity.sentences.tipping(
        unknown, grid(v0=0.7, v1=0.2), "it"
    )


def test_without_response_is_the_ladders_model_where_it_is_one() -> None:
    assert sensitivity.without_response(UPGRADED) is SITE
    assert sensitivity.without_response(UPGRADED.but(rho_x=1.0)) is SITE
    assert sensitivity.without_response(STUDENT_T) is STUDENT_T
    other = sensitivity.without_response(UPGRADED.but(name="mine", slope="within"))
    assert not other.response
    assert other.name == "mine without response"


# --- placebo


def test_a_placebo_moves_surveys_within_ous(asked: Panel) -> None:
    moved = sensitivity.placebo(asked)
    one, two = asked.to_frame(), moved.to_frame()
    unchanged = ["ou", "month", "productivity", "scheduled"]
    pd.testing.assert_frame_equal(one[unchanged], two[unchanged])
    for ou, frame in one.groupby("ou"):
        before, after = (
            f.loc[f["ou"].eq(ou) & f["survey"].notna(), ["month", "survey", "respondents"]]
            for f in (one, two)
        )
        assert list(before["month"]) == list(after["month"]), frame
        np.testing.assert_array_equal(after["survey"], np.roll(before["survey"], 1))
        np.testing.assert_array_equal(after["respondents"], np.roll(before["respondents"], 1))
    assert moved.fingerprint != asked.fingerprint
    assert moved.truth is None
    assert moved.waves == asked.waves


def test_a_lone_survey_is_taken_away(awkward: Panel) -> None:
    frame = awkward.to_frame().assign(month=lambda f: pd.to_datetime(f["month"]))
    at = frame.index[frame["ou"].eq("OU-3") & frame["survey"].notna()]
    frame.loc[at[1:], ["survey", "respondents"]] = np.nan, 0
    moved = sensitivity.placebo(Panel.from_frame(frame)).rows
    gone = moved.isel(row=at[0])
    assert not gone["observed"]
    assert np.isnan(gone["x"])
    assert gone["respondents"] == 0
    assert int(moved["observed"].sum()) == 3
    assert sensitivity.remainder(Panel.from_frame(frame)) == pytest.approx(-1 / 2)


def test_what_a_placebo_leaves() -> None:
    """Least squares within OUs keeps the share of the formula, of the other sign."""
    quiet = {"sigma_ou": (0.5, 0.01), "gamma_x": 0.0, "sigma_y": 0.1, "sigma_meas": 0.5}
    ratios, shares = [], []
    for seed in range(4):
        size = {"n_ou": 150, "n_site": 3, "n_month": 24, "wave_every": 6}
        made = simulate("baseline", **size, seed=seed, parameters=quiet)
        slopes = []
        for one in (made, sensitivity.placebo(made)):
            at = one.survey_rows
            names = ("y", "x", "ou_idx", "month_idx")
            y, x, ou, month = (one.rows[k].to_numpy()[at] for k in names)
            slopes.append(regression.least_squares(y, x, (ou, month), ou).value)
        ratios.append(slopes[1] / slopes[0])
        shares.append(sensitivity.remainder(made))
    assert np.mean(shares) < -0.25
    assert np.mean(ratios) == pytest.approx(np.mean(shares), abs=0.06)


# --- regressions


def test_attenuation_is_undone_by_calibration() -> None:
    table = sensitivity.attenuation_by_respondents((3, 30), panels=4, seed=2)
    assert (abs(table["naive"] - table["expected"]) < 3 * table["naive_se"] + 0.03).all()
    assert (abs(table["calibrated"] - 1) < 3 * table["calibrated_se"] + 0.03).all()
    assert table.loc[3, "naive"] < 0.5 < table.loc[30, "naive"]
    chapters.sensitivity.figures.attenuation(table)
    assert "respondents" in chapters.sensitivity.sentences.recovered(table)


def test_estimates_of_a_fit(fitted: Fit) -> None:
    table = sensitivity.estimates(fitted.panel, fitted)
    assert list(table.index) == [
        *(sensitivity.TRUE, sensitivity.COMPLETE, sensitivity.CALIBRATED),
        *(sensitivity.OU_MEAN, sensitivity.LAST, sensitivity.LATENT),
    ]
    assert table.loc[sensitivity.COMPLETE, "rows"] == fitted.panel.survey_rows.size
    assert table.loc[sensitivity.LATENT, "mean"] == float(fitted.posterior["mu_beta"].mean())
    # A linear map of all scores by the same reliability would scale the slope by it.
    left = float(sensitivity.expected_attenuation(fitted).mean())
    ratio = table.loc[sensitivity.COMPLETE, "mean"] / table.loc[sensitivity.CALIBRATED, "mean"]
    assert ratio == pytest.approx(left, abs=0.1)
    text = chapters.sensitivity.sentences.estimators(
        table, estimate(sensitivity.expected_attenuation(fitted))
    )
    assert "true scores" in text
    assert "latent model" in text
    chapters.sensitivity.figures.estimators(
        {"this panel": table, "other": table.drop(sensitivity.TRUE)}
    )


def test_parameters_in_doubt(fitted: Fit) -> None:
    table = sensitivity.uncertain(fitted)
    assert set(table.index) == {"sigma_x", "sigma_meas", "corr_ou[alpha, beta]"}
    text = chapters.sensitivity.sentences.uncertain(table.assign(distance=[0.7, 0.1, 0.6]))
    assert "mostly the prior" in text
    assert "None of these" in chapters.sensitivity.sentences.uncertain(table.assign(distance=0.8))
    chapters.sensitivity.figures.uncertain(table, 0.16)


# --- within and between, and the sentences


def test_within_and_between_against_their_draws(asked: Panel, short: Sampling) -> None:
    total, within = fit(asked, BASELINE, short), fit(asked, WITHIN, short)
    table = sensitivity.forms(total, within)
    p = within.posterior
    gap = (p["beta_between"] - p["mu_beta"]).to_numpy()
    assert table.loc["between less within", "mean"] == pytest.approx(gap.mean())
    assert table.loc["between less within", "positive"] == pytest.approx((gap > 0).mean())
    assert table.loc["total", "mean"] == pytest.approx(float(total.posterior["mu_beta"].mean()))
    chapters.sensitivity.figures.slopes(table, xlabel="slope")
    text = chapters.sensitivity.sentences.forms(sensitivity.forms(total, within, points=0.4), 0.4)
    assert "Their difference" in text
    assert "a score 0.40 points higher" in text


def row(mean: float, half: float, positive: float) -> pd.Series:
    return pd.Series(
        {"mean": mean, "sd": half / 1.6, "q5": mean - half, "q95": mean + half}
        | {"positive": positive, "percent": 1.0}
    )


@pytest.mark.parametrize(
    ("after", "share", "said"),
    [
        (row(-0.03, 0.1, 0.3), -0.1, "placebo is passed"),
        (row(0.25, 0.1, 0.99), -0.1, "owes something to it"),
        (row(0.1, 0.4, 0.7), -0.1, "cannot tell the"),
        (row(0.0, 0.1, 0.5), -0.8, "says little"),
        (row(0.0, 0.1, 0.5), float("nan"), "nothing could be moved"),
    ],
)
def test_placebo_sentences(after: pd.Series, share: float, said: str) -> None:
    assert said in chapters.sensitivity.sentences.placebo(row(0.3, 0.1, 1.0), after, share, 40)


def test_facts_of_grids_and_of_silence() -> None:
    found = sensitivity.span(pd.DataFrame({"mean": [0.1, 0.4, 0.2], "sd": [0.1, 0.2, 0.3]}))
    assert (found.moved, found.sds) == pytest.approx((0.3, 1.5))
    draws = xr.DataArray([[-0.1, 0.2, 0.3]], dims=("chain", "draw"))
    one = silence.compared(xr.Dataset({"outcome": draws, "score": 2 * draws, "rarity": 0 * draws}))
    assert not one.possible
    assert (one.outcome.median, one.score) == pytest.approx((0.2, 0.8 / 3))


def test_the_conclusion_counts_variants() -> None:
    table = pd.DataFrame([row(0.3, 0.1, 0.99), row(0.3, 0.1, 0.95)], index=["as it is", "delta −1"])
    assert "at least 0.9" in chapters.sensitivity.sentences.conclusion(table, "site")
    lost = pd.concat([table, row(0.1, 0.3, 0.7).to_frame("delta 1").T])
    assert "do not keep" in chapters.sensitivity.sentences.conclusion(
        pd.concat([lost, row(0.1, 0.3, 0.6).to_frame("delta 2").T]), "site"
    )
    open_ = pd.DataFrame([row(0.0, 0.3, 0.6), row(0.3, 0.1, 0.97)], index=["as it is", "other"])
    assert "1 would know a sign" in chapters.sensitivity.sentences.conclusion(open_, "site")
    assert "Nothing could be varied" in chapters.sensitivity.sentences.conclusion(
        table.iloc[:1], "site"
    )


@pytest.mark.parametrize(("prior", "said"), [(0.01, "does not hang"), (0.2, "−0.40 posterior")])
def test_the_power_of_priors(prior: float, said: str) -> None:
    table = pd.DataFrame({"prior": [prior], "prior_shift": [-0.4]}, index=["mu_beta"])
    assert said in chapters.sensitivity.sentences.prior_power(table, 0.05)


def test_reasons_why_a_part_is_left_out() -> None:
    assert "does not say" in chapters.sensitivity.sentences.no_response("site", schedule=False)
    assert "no response part" in chapters.sensitivity.sentences.no_response("site", schedule=True)
    assert "nothing to shift" in chapters.sensitivity.sentences.no_shift(40, 0, schedule=True)
    assert "planned" in chapters.sensitivity.sentences.no_shift(0, 0, schedule=False)
    assert "no model passed" in chapters.sensitivity.sentences.questioned(None, []).lower()
