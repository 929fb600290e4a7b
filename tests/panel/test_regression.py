"""Slopes by least squares, against dummies written out and against linearmodels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from conftest import frame_of
from linearmodels.panel import BetweenOLS, PanelOLS, PooledOLS
from scipy import stats

from oulib import Panel, simulate
from oulib.chapters.panel import figures, sentences
from oulib.panel import regression
from oulib.panel.regression import Slope, ThreeSlopes, three_slopes


def test_least_squares_against_dummies() -> None:
    rng = np.random.default_rng(1)
    ou, month = rng.integers(0, 7, 90), rng.integers(0, 11, 90)
    x, y = rng.standard_normal((2, 90))
    found = regression.least_squares(y, x, (ou, month), ou)
    dummies = pd.get_dummies(pd.DataFrame({"g": ou, "t": month}).astype(str), drop_first=True)
    design = np.column_stack([x, np.ones(90), dummies.to_numpy(float)])
    coef = np.linalg.lstsq(design, y, rcond=None)[0]
    assert found.value == pytest.approx(coef[0])
    bread = np.linalg.inv(design.T @ design)
    scores = design * (y - design @ coef)[:, None]
    groups = np.stack([scores[ou == g].sum(axis=0) for g in range(7)])
    sandwich = bread @ (groups.T @ groups) @ bread * 7 / 6
    assert found.se == pytest.approx(np.sqrt(sandwich[0, 0]))
    assert np.isnan(regression.least_squares(y, 1.0 * ou, (ou, month), ou).value)


def test_an_interval_by_hand() -> None:
    found = Slope(0.4, 0.1, 60, 12)
    reach = stats.t.ppf(0.95, 11) * 0.1
    assert found.interval() == pytest.approx((0.4 - reach, 0.4 + reach))
    assert found.interval(0.5)[1] < found.interval()[1]
    assert Slope(0.4, 0.1, 5, 1).interval() == (-np.inf, np.inf)


def test_three_slopes_against_linearmodels(awkward: Panel) -> None:
    panel = simulate("upgraded", n_ou=9, n_site=3, n_month=20, wave_every=2, seed=4)
    found = three_slopes(panel)
    rows = regression.survey_months(panel).to_dataframe()
    month = panel.rows["month_idx"].to_numpy()[panel.survey_rows]
    data = rows.assign(one=1.0, month=month).set_index(["ou", "month"])
    clustered = {"cov_type": "clustered", "cluster_entity": True, "debiased": False}
    pooled = PooledOLS(data["y"], data[["one", "x"]]).fit(**clustered, group_debias=True)
    within = PanelOLS(data["y"], data[["x"]], entity_effects=True).fit(
        **clustered, group_debias=True
    )
    between = BetweenOLS(data["y"], data[["one", "x"]]).fit()
    rows_too = np.sqrt(len(rows) / (len(rows) - 1))  # theirs has a factor (n - 1) / n besides
    for ours, theirs in ((found.pooled, pooled), (found.within, within)):
        assert ours.value == pytest.approx(theirs.params["x"])
        assert ours.se == pytest.approx(theirs.std_errors["x"] * rows_too)
        assert (ours.rows, ours.clusters) == (len(rows), 9)
    assert found.between.value == pytest.approx(between.params["x"])
    assert found.between.rows == 9


def test_slopes_that_two_groups_have_apart() -> None:
    """Between OUs the score goes with more outcome, within them with less."""
    rng = np.random.default_rng(3)
    frame = frame_of(simulate("baseline", n_ou=8, n_site=2, n_month=24, wave_every=1, seed=1))
    level = frame["ou"].astype("category").cat.codes.to_numpy() * 1.0
    move = rng.normal(0, 1, len(frame))
    frame["survey"], frame["respondents"] = 3 + level + move, 50
    frame["productivity"] = np.exp(0.5 * level - 0.2 * move + rng.normal(0, 0.1, len(frame)))
    panel = Panel.from_frame(frame)
    found = three_slopes(panel)
    assert found.within.value < 0 < found.pooled.value < found.between.value
    assert found.apart > 10
    assert "do not agree" in sentences.three_slopes(found)


def test_what_cannot_be_estimated_is_not_said(awkward: Panel) -> None:
    frame = frame_of(awkward)
    two = Panel.from_frame(frame[frame["ou"].isin(["OU-2", "OU-3"])])
    found = three_slopes(two)
    assert np.isnan(found.between.se)
    assert np.isnan(found.apart)
    text = sentences.three_slopes(found)
    assert "nan" not in text
    assert "inf" not in text
    assert "between units" in text
    still = Slope(np.nan, np.nan, 4, 2)
    text = sentences.three_slopes(ThreeSlopes(found.pooled, still, still))
    assert "nan" not in text
    assert "within units" in text


def test_the_question_as_a_figure(panel: Panel) -> None:
    fig = figures.question(regression.survey_months(panel), three_slopes(panel))
    assert [ax.get_title(loc="left") for ax in fig.axes] == [
        "all months",
        "within units",
        "between units",
    ]
    points = [ax.collections[0].get_offsets().shape[0] for ax in fig.axes]
    assert points == [panel.survey_rows.size] * 2 + [12]
