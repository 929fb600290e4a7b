"""Slopes alone and pooled, against regressions and normals whose answers are known."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from oulib.chapters.baseline import analysis, figures, sentences
from oulib.panel import Panel


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
    assert list(found.surveys) == [int((frame["ou"] == name).sum()) for name in found.names]
    scatter = analysis.scatter(found)
    half = stats.norm.ppf(0.95) * table["se"]
    assert scatter.half == pytest.approx(half.median())
    assert scatter.holds_zero == int((table["slope"].abs() < half).sum())
    assert (scatter.low, scatter.high) == (found.slope[0], found.slope[-1])
    text = sentences.alone(scatter, 12)
    assert "11 of 12 units have a slope" in text
    assert f"{scatter.holds_zero} of 11 hold zero" in text
    assert "All units have" in sentences.alone(scatter, 11)


@pytest.mark.parametrize("tau", [0.0, 0.2, 3.0])
def test_pooled_slopes_are_a_normal_vector_given_another(tau: float) -> None:
    """The joint covariance of slopes and estimates, written out, with a mean that may be any."""
    found = analysis.Alone(
        ("a", "b", "c"), np.array([-0.2, 0.3, 1.1]), np.array([0.1, 0.3, 0.6]), np.array([9, 5, 3])
    )
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
    assert "no slopes of single units" in sentences.alone(analysis.scatter(found), 12)


def test_the_model_draws_slopes_from_where_they_are_alone(panel: Panel) -> None:
    """Few surveys first; a unit without a slope of its own has the model's alone."""
    found = analysis.alone(panel)
    found = replace(
        found,
        **{name: getattr(found, name)[1:] for name in ("names", "slope", "se", "surveys")},
    )
    beta = np.arange(24.0).reshape(1, 2, 12)
    posterior = xr.Dataset(
        {
            "beta": (("chain", "draw", "ou"), beta),
            "mu_beta": (("chain", "draw"), np.array([[0.2, 0.4]])),
        }
    )
    drawn = analysis.drawn(found, SimpleNamespace(panel=panel, posterior=posterior))
    assert drawn.mean == pytest.approx(0.3)
    assert sorted(drawn.names) == sorted(map(str, panel.ous))
    assert np.all(np.diff(drawn.surveys) >= 0)
    for name, surveys, own, model in zip(
        drawn.names, drawn.surveys, drawn.own, drawn.model, strict=True
    ):
        place = list(map(str, panel.ous)).index(name)
        assert model == place + 6
        rows = panel.rows["ou_idx"].to_numpy() == place
        assert surveys == panel.rows["observed"].to_numpy()[rows].sum()
        if name in found.names:
            assert own == found.slope[found.names.index(name)]
        else:
            assert np.isnan(own)
    assert drawn.without == 1
    assert drawn.ranges[0] == (found.slope.min(), found.slope.max())
    text = sentences.drawn(drawn)
    assert "around a population mean of 0.30" in text
    assert "1 unit has too few surveys" in text
    ends = figures.arrows(drawn).axes[0]
    assert len(ends.texts) == 11
    assert len(figures.arrows(drawn, most=5).axes[0].lines[2].get_xdata()) == 5
    labels = [int(label.get_text()) for label in figures.alone(found).axes[0].get_xticklabels()]
    assert labels == sorted(labels)
    assert set(labels) <= set(found.surveys)
    plt.close("all")
