"""The findings: readings, tables and sentences at both of their outcomes."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from oulib import UPGRADED, chapters, effects, report, simulate
from oulib.chapters.findings import sentences as findings
from oulib.chapters.findings.analysis import outside_band, spread_of_slopes
from oulib.panel import describe
from oulib.posterior import predict
from oulib.posterior.checks import Verdict
from oulib.posterior.effects import (
    SlopesOfOus,
    by_model,
    manager_table,
    readings,
    typical_move,
)
from oulib.posterior.estimate import update
from oulib.sampling.diagnostics import Check


def rows(**columns: list[float]) -> pd.DataFrame:
    return pd.DataFrame(columns, index=["(mean)", *"ABCDE"][: len(next(iter(columns.values())))])


def test_readings_name_sign_and_size_apart() -> None:
    table = rows(
        prob_positive=[0.99, 0.95, 0.02, 0.97, 0.04, 0.6],
        prob_relevant=[0.95, 0.95, 0.92, 0.50, 0.60, 0.4],
        prob_up=[0.95, 0.91, 0.0, 0.50, 0.02, 0.3],
        prob_down=[0.0, 0.04, 0.92, 0.0, 0.58, 0.1],
    )
    assert readings(table).tolist() == ["up", "up", "down", "leaning up", "leaning down", "open"]
    sure = {"prob_positive": [0.9999], "prob_relevant": [0.01], "prob_up": [0.01]}
    assert readings(rows(**sure, prob_down=[0.0])).tolist() == ["too small to matter"]


def test_sign_and_size_are_sure_together() -> None:
    """Positive with probability 0.9 and relevant with 0.9: both at once with 0.8."""
    apart = {"prob_positive": [0.9], "prob_relevant": [0.9], "prob_up": [0.8], "prob_down": [0.1]}
    assert readings(rows(**apart)).tolist() == ["leaning up"]


def test_sentence_of_readings_counts_ous_and_not_the_population() -> None:
    found = pd.Series(["up", "up", "open", "too small to matter"], index=["(mean)", "A", "B", "C"])
    text = findings.readings(found)
    assert "Of 3 units, 1 read up and 0 down" in text
    assert "little evidence" not in text
    assert "little evidence of an effect that matters" in findings.readings(found.iloc[2:])


@pytest.mark.parametrize(
    ("positive", "says"),
    [
        (0.999, "strong evidence that it is positive"),
        (0.004, "strong evidence that it is negative"),
        (0.96, "There is evidence that it is positive"),
        (0.10, "weak indications that it is negative"),
        (0.5, "Its sign is not settled"),
    ],
)
def test_signs(positive: float, says: str) -> None:
    assert says in findings.sign(positive, "it")


@pytest.mark.parametrize(
    ("relevant", "says"), [(0.97, "very probable"), (0.03, "too small to matter"), (0.5, "open")]
)
def test_average_effect(relevant: float, says: str) -> None:
    table = pd.DataFrame(
        {
            "percent": [2.0],
            "percent_q5": [1.0],
            "percent_q95": [3.0],
            "prob_positive": [0.99],
            "prob_relevant": [relevant],
        },
        index=["(mean)"],
    )
    text = findings.average_effect(table, 0.1, 1.0)
    assert "productivity 2.0% higher (90% interval 1.0 to 3.0%)" in text
    assert says in text


def test_correlation_says_when_it_is_the_prior() -> None:
    rng = np.random.default_rng(0)
    prior = rng.uniform(-1, 1, 4000)
    assert "mostly the prior" in findings.correlation(update(prior, prior), "the units")
    sharp = rng.normal(0.6, 0.05, 4000)
    text = findings.correlation(update(sharp, prior), "the units")
    assert "mostly the prior" not in text
    assert "strong evidence that it is positive" in text


def slopes_with(spread: float, mean: float) -> SimpleNamespace:
    rng = np.random.default_rng(0)
    mu = mean + 0.01 * rng.normal(size=(2, 200))
    beta = mu[..., None] + spread * np.array([-1.0, 1.0])
    posterior = {"mu_beta": (("chain", "draw"), mu), "beta": (("chain", "draw", "ou"), beta)}
    panel = SimpleNamespace(scale=SimpleNamespace(s_y=0.3, s_x=0.6))
    return SimpleNamespace(posterior=xr.Dataset(posterior), panel=panel)


def test_the_spread_of_slopes() -> None:
    found = spread_of_slopes(slopes_with(0.2, 0.1), points=0.4)
    ends = [100 * np.expm1(0.5 * 0.4 * (0.1 + at)) for at in (-0.2, 0.2)]
    assert found.percent.mean == pytest.approx(np.std(ends), rel=0.01)
    assert found.sd.mean == pytest.approx(0.2)
    assert found.ratio.median == pytest.approx(2, rel=0.05)
    text = findings.spread_of_slopes(found)
    assert "the effect of 0.40 points varies with a standard deviation of 4.1 percentage" in text
    assert "Units differ a good deal" in text
    small = findings.spread_of_slopes(spread_of_slopes(slopes_with(0.02, 0.3), 0.4))
    assert "what holds on average holds for most units" in small
    open_ = findings.spread_of_slopes(spread_of_slopes(slopes_with(0.1, 0.2), 0.4))
    assert "cannot be said with confidence" in open_


def test_sites_are_compared_by_their_effects() -> None:
    ends = {"percent_q5": [1.0, 0.5, -1.0], "percent_q95": [3.0, 4.5, 2.0]}
    text = findings.sites(rows(percent=[2.0, 2.5, 0.5], **ends), 0.2)
    assert "The effect of 0.20 points on a site's units ranges from 0.5% in B to 2.5% in A" in text
    assert "these two intervals overlap" in text
    assert text.endswith("clear of zero for A.")


def test_calibration_by_respondents() -> None:
    table = pd.DataFrame(
        {
            "n": [5.0, 20.0],
            "rows": [100, 100],
            "coverage": [0.9, 0.91],
            "expected_low": [0.85, 0.85],
            "expected_high": [0.95, 0.95],
            "width": [3.0, 2.0],
        }
    )
    good = findings.survey_calibration(table)
    assert "narrow from 3.00 at 5 respondents to 2.00 at 20" in good
    assert "the role of n right" in good
    bad = findings.survey_calibration(table.assign(coverage=[0.7, 0.91]))
    assert "Around 5 respondents too few scores lie inside (70%" in bad
    assert "do not narrow" in findings.survey_calibration(table.assign(width=[2.0, 2.0]))


def test_calibration_table_of_a_model_that_is_right(fitted) -> None:
    replicates = predict.replicate(fitted, draws=400)
    table = predict.survey_calibration(fitted, replicates["survey"], groups=3)
    assert table["rows"].sum() == fitted.panel.survey_rows.size
    assert table["n"].is_monotonic_increasing
    assert (table["coverage"] >= table["expected_low"] - 0.05).all()


def test_spread_by_ou_sees_ous_that_differ_in_noise() -> None:
    rng = np.random.default_rng(1)
    sd = ("sample", "ou"), np.sqrt(rng.chisquare(30, (400, 40)) / 30)
    replicated = xr.Dataset({"sd": sd})
    same = xr.Dataset({"sd": ("ou", np.sqrt(rng.chisquare(30, 40) / 30))})
    found = outside_band(same, replicated)
    low, high = (replicated["sd"].quantile(q, "sample") for q in (0.05, 0.95))
    assert found.ous == 40
    assert found.outside == int(((same["sd"] < low) | (same["sd"] > high)).sum())
    assert "about as many as should" in findings.by_ou(outside_band(same, replicated))
    assert "differ in how noisy they are" in findings.by_ou(
        outside_band(same * np.repeat([0.5, 1.5], 20), replicated)
    )


def test_outcome_by_ou_is_pandas() -> None:
    panel = simulate("baseline", n_ou=5, n_site=2, n_month=8, seed=2)
    y = panel.rows["y"].to_numpy()
    observed, replicated = describe.outcome_by_ou(panel, np.array([y, 2 * y]))
    by_ou = pd.Series(y).groupby(panel.rows["ou_idx"].to_numpy())
    for moment, expected in {"mean": by_ou.mean(), "sd": by_ou.std(ddof=0)}.items():
        np.testing.assert_allclose(observed[moment], expected)
        np.testing.assert_allclose(
            replicated[moment].transpose("sample", "ou"), [expected, 2 * expected]
        )


def test_table_to_hand_on(fitted) -> None:
    move = typical_move(fitted)
    sigma = fitted.panel.scale.s_x * float(fitted.posterior["sigma_x"].mean())
    assert move == pytest.approx(sigma, rel=0.06)
    table = manager_table(fitted, relevant=1.0, points=move)
    assert table.index[0] == "(mean)"
    assert table["change_percent"].iloc[1:].is_monotonic_decreasing
    assert table["surveys"].iloc[0] == table["surveys"].iloc[1:].sum()
    assert set(table.index[1:]) == set(fitted.panel.ous)
    whole = effects(fitted, relevant=1.0, points=move).loc[table.index]
    np.testing.assert_allclose(table["low_90"], whole["percent_q5"])


def test_where_findings_come_from(fitted) -> None:
    missing = Verdict(model="site", checks=(), inapplicable="one site")
    check = Check(name="persistence", value=0.0, threshold=0.005, passed=False)
    bent = Verdict(model="ar1", checks=(), adequacy=(check,))
    stuck = Verdict(model="student_t", checks=(replace(check, name="r_hat"),))
    text = report.source_of_findings(fitted, [missing, bent, stuck])
    assert "*baseline*, the first, in a fixed order" in text
    assert "site does not apply" in text
    assert "ar1 was sampled, but does not describe this panel (months that hang together)" in text
    assert "student&#95;t failed its sampler's checks" in text
    assert "the first that is asked" in report.source_of_findings(fitted, [])
    nothing = report.nothing_passed([missing, bent])
    assert "nothing is concluded" in nothing
    assert "months that hang together" in nothing


def test_a_model_of_missing_surveys_needs_a_reason_and_says_it(fitted) -> None:
    supposing = replace(fitted, spec=UPGRADED)
    text = report.source_of_findings(supposing, [], "the unhappy *never* answer")
    assert "&#42;never&#42;" in text
    assert "twin" in text


def test_what_each_model_would_conclude(fitted) -> None:
    check = Check(name="tails", value=0.0, threshold=0.005, passed=False)
    verdicts = (
        Verdict(model="baseline", checks=()),
        Verdict(model="other", checks=(), adequacy=(check,)),
        Verdict(model="none", checks=(check,)),
    )
    far = fitted.posterior.assign(mu_beta=fitted.posterior["mu_beta"] + 5.0)
    other = SimpleNamespace(posterior=far, panel=fitted.panel)
    fits = (fitted, other, None)
    table = by_model({v.model: (fit, v) for fit, v in zip(fits, verdicts, strict=True)})
    assert table["adequate"].tolist() == [True, False, False]
    assert table["failed"].tolist() == [(), ("tails",), ("tails",)]
    assert np.isnan(table.loc["none", "percent"])
    own = effects(fitted).loc["(mean)"]
    np.testing.assert_allclose(table.loc["baseline", "percent_q95"], own["percent_q95"])
    assert "other lies outside baseline's" in findings.under_each_model(table, "baseline")
    assert "none of these figures" in findings.under_each_model(table, None)
    within = table.iloc[[0, 0]].set_axis(["baseline", "twin"])
    assert "all inside baseline's" in findings.under_each_model(within, "baseline")
    assert "Only baseline was sampled" in findings.under_each_model(table.iloc[:1], "baseline")
    given_up = table.iloc[2:].assign(part=28)
    assert "first held against 28 units" in findings.under_each_model(given_up, None)
    assert set(report.verdicts_in_words(given_up)["sampled"]) == {"not asked"}
    assert "nothing to compare" in findings.under_each_model(table.iloc[2:], None)


def test_figures_of_the_findings(fitted) -> None:
    p, panel = fitted.posterior, fitted.panel
    chapters.findings.figures.intercepts_and_slopes(
        p["alpha"],
        p["beta"],
        {"units": p["corr_ou"].sel(effect="alpha", effect_bis="beta").values.ravel()},
    )
    y = panel.rows["y"].to_numpy()
    fig = chapters.findings.figures.outcome_by_ou(
        *describe.outcome_by_ou(panel, np.array([y, y + 0.1, y - 0.1]))
    )
    assert len(fig.axes) == 2
    plt.close("all")


def test_what_is_said_of_ous_says_how_many_of_them_will_be_wrong() -> None:
    found = SlopesOfOus(
        ous=4, above=2, below=1, wrong=0.09, largest="c", percent=-5.0, low=-9.0, high=-1.0
    )
    text = report.ou_slopes(found)
    assert "above zero for 2 of 4 units and below zero for 1." in text
    assert "0.1 of these 3 would have the other sign" in text
    assert "belongs to c" in text
    assert "By their own" not in report.ou_slopes(replace(found, above=1, below=0))
