"""Forms of the baseline side by side: facts from tables made by hand, and their sentences."""

from __future__ import annotations

import html
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from oulib.chapters.baseline import analysis, sentences
from oulib.panel import Panel
from oulib.posterior.checks import Check, Verdict


def test_a_form_is_as_fast_as_its_slowest_parameter() -> None:
    speeds = pd.DataFrame(
        {"form": ["b", "b", "a", "a"], "ess_per_second": [30.4, 20.0, 7.0, 500.0]}
    )
    found = analysis.slowest(speeds)
    assert found == {"b": 20.0, "a": 7.0}
    failed = Check(name="r_hat", value=1.7, threshold=1.01, passed=False)
    text = sentences.forms(found, {"a": Verdict("a", ()), "b": Verdict("b", (failed,))})
    assert text == (
        "The a form passes the gate, with 7 effective draws a second for its slowest "
        "hyperparameter. The b form fails the gate (R-hat), with 20 effective draws a second for "
        "its slowest hyperparameter."
    )


def test_means_are_apart_in_sds_and_in_errors() -> None:
    labels = ["a", "b_1", "c"]
    one = pd.DataFrame({"mean": [0.0, 1.0, 2.0], "sd": 0.5, "mcse_mean": [0.03, 0.3, 0.0]})
    other = pd.DataFrame({"mean": [0.1, 1.5, 9.0], "sd": 0.5, "mcse_mean": [0.04, 0.4, 0.0]})
    found = analysis.means_apart(one.set_axis(labels), other.set_axis(labels))
    assert found.parameters == 2  # c has no error to count in
    assert (found.where, found.worst) == ("a", pytest.approx(2.0))
    assert (found.sds, found.errors) == pytest.approx((1.0, 1.5))
    text = html.unescape(sentences.agreement(found))
    assert text == (
        "Over 2 parameters the two posteriors' means differ by 1.00 posterior standard deviations "
        "at most, and by 1.5 Monte Carlo standard errors in the median (a differs most, by 2.0)."
    )


def test_sds_beside_the_closed_form() -> None:
    found = analysis.ratio(np.linspace(1.0, 2.0, 101), np.ones(101))
    assert (found.median, found.low, found.high) == pytest.approx((1.5, 1.05, 1.95))
    text = sentences.collapse("recovered", found)
    assert "has a median of 1.50 and lies from 1.05 to 1.95 for 90% of the rows" in text


@pytest.mark.parametrize("surveys", [0, 1, 3])
def test_the_density_of_a_slope_is_that_of_all_data_together(surveys: int) -> None:
    """Scores, level and noise as one normal vector with a dense covariance, a slope at a time."""
    unit = analysis.made_unit(months=12, seed=3)
    found = analysis.sign_densities(unit, 3)
    size, seen = unit.y.size, unit.order[:surveys]
    pick = np.eye(size)[seen]
    answers = unit.sigma_meas**2 / unit.respondents * np.eye(surveys)
    of_x = unit.sigma_x**2 * np.eye(size)
    data = np.concatenate([unit.y, unit.x[seen]])
    places = np.arange(50, 260, 10)
    log = []
    for beta in found.grid[places]:
        of_y = beta**2 * of_x + unit.sigma_y**2 * np.eye(size) + 1e6  # a level that may be any
        both = beta * of_x @ pick.T
        cov = np.block([[of_y, both], [both.T, pick @ of_x @ pick.T + answers]])
        log.append(stats.multivariate_normal(cov=cov).logpdf(data) - beta**2 / 2)
    wanted = np.exp(log - np.max(log))
    made = found.density[surveys, places]
    np.testing.assert_allclose(made / made.sum(), wanted / wanted.sum(), atol=1e-5)
    step = found.grid[1] - found.grid[0]
    assert found.density[surveys].sum() * step == pytest.approx(1)


def test_without_surveys_a_slope_has_two_signs_and_with_many_one() -> None:
    found = analysis.sign_densities(analysis.made_unit())
    np.testing.assert_allclose(found.density[0], found.density[0][::-1], rtol=1e-9)
    assert found.positive[0] == pytest.approx(0.5)
    assert found.valley[0] < 0.5
    assert found.positive[-1] > 0.95
    assert np.isnan(found.valley[-1])
    assert np.all((found.positive > 0) & (found.positive < 1))


def test_a_unit_alone_is_a_regression_with_a_level_and_a_slope_for_each(panel: Panel) -> None:
    """One regression with dummies; of a unit whose surveys are too few nothing is said."""
    few = panel.survey_rows[panel.rows["ou_idx"].to_numpy()[panel.survey_rows] == 3][2:]
    observed = panel.rows["observed"].to_numpy().copy()
    observed[few] = False
    panel = replace(panel, rows=panel.rows.assign(observed=("row", observed)))
    found = analysis.alone(panel)
    frame = panel.rows[["ou", "y", "x", "month_idx"]].to_dataframe().reset_index(drop=True)
    frame["y"] -= frame.groupby("month_idx")["y"].transform("mean")
    frame = frame[observed & (frame["ou"] != panel.ous[3])]
    level = pd.get_dummies(frame["ou"]).astype(float)
    design = pd.concat([level, level.mul(frame["x"], axis=0)], axis=1).to_numpy()
    wanted, squares, *_ = np.linalg.lstsq(design, frame["y"].to_numpy(), rcond=None)
    size = level.shape[1]
    variance = squares[0] / (len(frame) - 2 * size) * np.linalg.inv(design.T @ design)
    table = pd.DataFrame(
        {"slope": wanted[size:], "se": np.sqrt(variance.diagonal()[size:])}, index=level.columns
    ).sort_values("slope")
    assert size == len(panel.ous) - 1
    assert found.names == tuple(table.index)
    np.testing.assert_allclose(found.slope, table["slope"], rtol=1e-9)
    np.testing.assert_allclose(found.se, table["se"], rtol=1e-9)
    assert found.typical == pytest.approx(table["se"].median())
    assert "11 of 12 units have a slope" in sentences.alone(found, 12)


@pytest.mark.parametrize("tau", [0.0, 0.2, 3.0])
def test_pooled_slopes_are_a_normal_vector_given_another(tau: float) -> None:
    """The joint covariance of slopes and estimates, written out, with a mean that may be any."""
    found = analysis.Alone(("a", "b", "c"), np.array([-0.2, 0.3, 1.1]), np.array([0.1, 0.3, 0.6]))
    prior = 1e4 * np.ones((3, 3)) + tau**2 * np.eye(3)
    gain = prior @ np.linalg.inv(prior + np.diag(found.se**2))
    left = prior - gain @ prior
    made = analysis.pooled(found, tau)
    np.testing.assert_allclose(made.slope, gain @ found.slope, atol=1e-4)
    np.testing.assert_allclose(made.sd, np.sqrt(left.diagonal()), atol=1e-4)
    apart = analysis.pooled(found, np.inf)
    np.testing.assert_array_equal(apart.slope, found.slope)
    np.testing.assert_array_equal(apart.sd, found.se)


def test_nothing_is_pooled_where_nobody_has_a_slope(panel: Panel) -> None:
    seen = panel.rows["observed"].copy(data=np.zeros(panel.rows.sizes["row"], dtype=bool))
    found = analysis.alone(replace(panel, rows=panel.rows.assign(observed=seen)))
    assert found.names == ()
    assert found.typical == 0
    assert "no slopes of single units" in sentences.alone(found, 12)
