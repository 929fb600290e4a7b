"""Facts of a panel against panels in which they are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from oulib import Panel, simulate
from oulib.panel import describe


@pytest.fixture(scope="module")
def upgraded() -> Panel:
    return simulate("upgraded", n_ou=60, n_site=6, n_month=48, wave_every=3, seed=4)


def changed(panel: Panel, **columns: object) -> Panel:
    frame = panel.to_frame().assign(month=lambda f: pd.to_datetime(f["month"]))
    return Panel.from_frame(frame.assign(**columns))


def test_overview_counts(upgraded: Panel) -> None:
    o = describe.overview(upgraded)
    frame = upgraded.to_frame()
    assert (o.ous, o.sites, o.months, o.rows, o.cells) == (60, 6, 48, 2880, 2880)
    assert o.scheduled == 60 * 16
    assert o.surveys == o.answered == frame["survey"].notna().sum()
    assert o.unscheduled_surveys == 0
    waves = frame.groupby("ou")["survey"].count()
    assert o.waves_per_ou == (waves.min(), waves.max())
    without = changed(upgraded).to_frame().drop(columns="scheduled")
    without["month"] = pd.to_datetime(without["month"])
    assert describe.overview(Panel.from_frame(without)).scheduled is None


def test_residuals_of_an_unbalanced_panel_are_those_of_a_regression(upgraded: Panel) -> None:
    frame = upgraded.to_frame().iloc[lambda f: np.flatnonzero(np.arange(len(f)) % 7 != 3)]
    panel = Panel.from_frame(frame.assign(month=pd.to_datetime(frame["month"])))
    ou = pd.get_dummies(panel.rows["ou"].to_numpy(), dtype=float)
    month = pd.get_dummies(panel.rows["month"].to_numpy(), dtype=float)
    design = np.hstack([ou.to_numpy(), month.to_numpy()[:, 1:]])
    y = panel.rows["y"].to_numpy()
    expected = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    np.testing.assert_allclose(describe.residuals(panel), expected, atol=1e-6)


def test_tails_are_seen_where_they_are_and_not_elsewhere(upgraded: Panel) -> None:
    assert describe.tails(upgraded).heavy
    assert describe.excess_kurtosis(upgraded) > 1
    normal = simulate("baseline", n_ou=60, n_month=48, seed=4)
    assert not describe.tails(normal).heavy


def test_months_and_sites_are_seen_where_they_are_and_not_elsewhere(upgraded: Panel) -> None:
    plain = simulate("baseline", n_ou=60, n_site=6, n_month=48, seed=4)
    assert describe.month_autocorrelation(upgraded) > 0.4
    assert abs(describe.month_autocorrelation(plain)) < 0.4
    assert describe.site_share(upgraded) > 0.15
    assert describe.site_share(plain) < 0.15
    assert np.isnan(describe.site_share(simulate("baseline", n_ou=6, n_site=6, seed=1)))
    assert np.isnan(describe.site_share(simulate("baseline", n_ou=6, n_site=1, seed=1)))


def test_response_rates_add_up(upgraded: Panel) -> None:
    table = describe.response_by_outcome(upgraded, bins=4)
    assert table["rows"].sum() == upgraded.scheduled_rows.size
    answered = (table["rate"] * table["rows"]).sum()
    assert answered == pytest.approx(upgraded.survey_rows.size)
    assert ((table["q5"] <= table["rate"]) & (table["rate"] <= table["q95"])).all()
    everybody = simulate("baseline", n_ou=20, seed=1, parameters={"response_rate": 1.0})
    assert (describe.response_by_outcome(everybody)["q95"] == 1).all()
