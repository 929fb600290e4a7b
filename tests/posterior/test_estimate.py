"""Scalars in a few numbers, against NumPy and counts made by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from oulib import report
from oulib.posterior.effects import average_slope, slopes_of_ous
from oulib.posterior.estimate import (
    SAMPLES,
    above,
    against_replicates,
    estimate,
    estimates,
    prior_distance,
    prior_distances,
    recovery,
)
from oulib.posterior.latent import reliability


def drawn(mean: float, sd: float, seed: int = 0) -> xr.DataArray:
    rng = np.random.default_rng(seed)
    return xr.DataArray(rng.normal(mean, sd, (4, 500)), dims=SAMPLES)


def test_an_estimate_is_that_of_all_draws() -> None:
    draws = drawn(0.3, 0.5)
    found = estimate(draws)
    assert found.mean == pytest.approx(float(draws.mean()))
    assert found.median == pytest.approx(float(draws.median()))
    assert (found.low, found.high) == pytest.approx(tuple(map(float, draws.quantile([0.05, 0.95]))))
    assert found.positive == float((draws > 0).mean())
    assert estimate(draws.to_numpy().ravel()) == found
    half = estimate(draws, prob=0.5)
    assert (half.low, half.high) == pytest.approx(tuple(map(float, draws.quantile([0.25, 0.75]))))


def test_estimates_by_label() -> None:
    both = xr.concat([drawn(0, 1), drawn(2, 1, seed=1)], dim=pd.Index(["a", "b"], name="ou"))
    found = estimates(both, "ou")
    assert list(found) == ["a", "b"]
    assert found["b"] == estimate(drawn(2, 1, seed=1))


def test_a_statistic_beside_its_replicates() -> None:
    found = against_replicates(3, [1, 2, 3, 4, np.nan])
    assert found.known
    assert (found.as_high, found.as_low) == (0.5, 0.75)
    assert (found.low, found.high) == pytest.approx((1.15, 3.85))
    assert not against_replicates(np.nan, [1.0, 2.0]).known
    assert not against_replicates(1.0, [np.nan]).known


def test_true_values_in_their_intervals_are_counted() -> None:
    labels = [f"x[{i}]" for i in range(10)]
    summary = pd.DataFrame({"q5": -1.0, "q95": 1.0}, index=labels)
    truth = pd.Series([0.0] * 7 + [2.0], index=[*labels[:7], labels[7]])
    found = recovery(summary, truth)
    assert (found.inside, found.of) == (7, 8)
    assert found.chance == pytest.approx(1 - 0.9**8)


def test_distances_by_label() -> None:
    rng = np.random.default_rng(0)
    prior = {"a": rng.normal(size=500), "b": rng.normal(size=500)}
    found = prior_distances({"a": prior["a"] + 1}, prior)
    assert found == {"a": prior_distance(prior["a"] + 1, prior["a"])}
    assert found["a"] == pytest.approx(1, rel=0.1)


@pytest.fixture
def fit() -> SimpleNamespace:
    respondents = xr.DataArray([1, 4, 9, 16], dims="row")
    panel = SimpleNamespace(
        scale=SimpleNamespace(s_y=0.2, s_x=0.5),
        rows={"respondents": respondents},
        survey_rows=np.array([0, 1, 2]),
    )
    posterior = {"mu_beta": drawn(0.1, 0.05), "sigma_x": drawn(0.6, 0.01)}
    posterior |= {"sigma_mu_x": drawn(0.8, 0.01), "sigma_meas": drawn(2.0, 0.01)}
    return SimpleNamespace(panel=panel, posterior=posterior)


def test_the_average_slope_on_both_scales(fit: SimpleNamespace) -> None:
    found, beta = average_slope(fit), fit.posterior["mu_beta"]
    assert found.beta == estimate(beta)
    assert found.points == 0.3  # sd of the score: 0.6 of 0.5 points
    assert found.percent.mean == pytest.approx(float((100 * (np.exp(0.12 * beta) - 1)).mean()))
    text = report.population_slope(found)
    low, high = (report.number(value, 1) for value in (found.percent.low, found.percent.high))
    size = report.number(found.percent.mean, 1)
    move = "Where its survey score is 0.3 points higher, a typical move, the average unit's "
    assert text.startswith(f"{move}productivity is {size}% higher")
    assert f"(90% interval {low} to {high}%)" in text
    assert "evidence that the association is positive" in text


def test_reliability_is_a_share_of_variance(fit: SimpleNamespace) -> None:
    found = reliability(fit)
    assert found.respondents == 4  # of the rows with a survey
    assert found.share.mean == pytest.approx(0.5, abs=0.01)
    text = report.reliability(found)
    assert text.startswith("At the median of 4 respondents a survey's reliability is 0.50 (90%")


def test_probabilities_above_a_number_before_and_after() -> None:
    found = above(np.array([0.05, 0.2, 0.3, 0.4]), np.array([[0.05], [0.2]]), at=0.1)
    assert (found.at, found.before, found.after) == (0.1, 0.5, 0.75)
    assert found.scalar.after.median == pytest.approx(0.25)
    assert found.scalar.before.mean == pytest.approx(0.125)


def test_slopes_of_ous_about_zero() -> None:
    table = pd.DataFrame(
        {
            "beta": [0.3, 0.4, 0.2, -0.5, 0.0],
            "beta_q5": [0.1, 0.2, 0.05, -0.9, -0.2],
            "beta_q95": [0.5, 0.6, 0.35, -0.1, 0.2],
            "percent": [3.0, 4.0, 2.0, -5.0, 0.0],
            "percent_q5": [1.0, 2.0, 0.5, -9.0, -2.0],
            "percent_q95": [5.0, 6.0, 3.5, -1.0, 2.0],
            "prob_positive": [0.999, 0.98, 0.96, 0.03, 0.5],
        },
        index=["(mean)", "a", "b", "c", "d"],
    )
    found = slopes_of_ous(table)
    assert (found.ous, found.above, found.below) == (4, 2, 1)
    assert found.wrong == pytest.approx(0.02 + 0.04 + 0.03)
    assert (found.largest, found.percent, found.low, found.high) == ("c", -5.0, -9.0, -1.0)
