"""Effects in the units of the data, against raw values made by hand (spec 1.6)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from oulib import effects, recover_latent
from oulib.posterior.effects import raw_effect
from oulib.posterior.predict import coverage, replicate


def raw_productivity(fit, ou, raw_score):
    """Noise-free productivity of an OU whose true score is ``raw_score``, for every draw."""
    p, s = fit.posterior.isel(ou=ou, month=2), fit.panel.scale
    x_star = (raw_score - s.m_x) / s.s_x
    y = p["alpha"] + p["lam"] + p["beta"] * x_star
    return np.exp(s.m_y + s.s_y * y)


@pytest.mark.parametrize("points", [1.0, 0.1, -2.0])
def test_one_more_raw_point(fitted, points):
    """The ratio of raw productivities does not depend on where the score started."""
    for ou in (0, 7):
        for start in (2.9, 4.4):
            before = raw_productivity(fitted, ou, start)
            after = raw_productivity(fitted, ou, start + points)
            percent = 100 * (after / before - 1)
            found = raw_effect(fitted, points * fitted.posterior["beta"].isel(ou=ou))
            np.testing.assert_allclose(found, percent, rtol=1e-8, atol=1e-9)


def test_table_row_by_row(fitted, panel):
    table = effects(fitted, relevant=20.0, points=0.5)
    assert table.index.tolist() == ["(mean)", *panel.ous]
    assert table["site"].tolist()[1:] == [panel.sites[s] for s in panel.site_idx]
    slopes = {"(mean)": fitted.posterior["mu_beta"].to_numpy().ravel()}
    for i, ou in enumerate(panel.ous):
        slopes[ou] = fitted.posterior["beta"].to_numpy()[..., i].ravel()
    for ou, beta in slopes.items():
        percent = 100 * (np.exp(panel.scale.s_y / panel.scale.s_x * beta * 0.5) - 1)
        row = table.loc[ou]
        expected = {
            "beta": beta.mean(),
            "beta_q5": np.quantile(beta, 0.05),
            "beta_q95": np.quantile(beta, 0.95),
            "percent": percent.mean(),
            "percent_q5": np.quantile(percent, 0.05),
            "percent_q95": np.quantile(percent, 0.95),
            "prob_positive": np.mean(beta > 0),
            "prob_relevant": np.mean(np.abs(percent) >= 20.0),
        }
        np.testing.assert_allclose(
            row[list(expected)].astype(float), list(expected.values()), rtol=1e-9
        )
    assert 0 < table["prob_relevant"].mean() < 1


def test_sign_and_zero(fitted):
    """No slope, no effect; a falling slope is a loss that cannot reach 100 per cent."""
    slope = xr.DataArray([0.0, -50.0, 50.0], dims="draw")
    none, loss, gain = raw_effect(fitted, slope).to_numpy()
    assert none == 0
    assert -100 <= loss < -99
    assert gain > 100


def test_effect_is_larger_than_the_linear_approximation(fitted):
    """exp, not 1 + x: what a table of coefficients read as percentages would miss."""
    ratio = fitted.panel.scale.s_y / fitted.panel.scale.s_x
    found = float(raw_effect(fitted, xr.DataArray(0.5)))
    assert found > 100 * ratio * 0.5
    assert found == pytest.approx(100 * (np.e ** (ratio * 0.5) - 1))


# Replicated data, the other way back to what was seen.


@pytest.fixture(scope="module")
def replicates(fitted):
    return replicate(fitted, seed=1)


def test_replicates_are_given_each_rows_own_survey(fitted, panel, replicates):
    """Their mean and sd are those of the mixture over draws of p(y | x', theta)."""
    y = replicates["productivity"]
    assert y.dims == ("sample", "row")
    assert y.sizes["sample"] == 400
    p, rows = fitted.posterior, panel.rows
    g, t = rows["ou_idx"].to_numpy(), rows["month_idx"].to_numpy()
    m = p["mu_x_ou"].to_numpy()[..., g] + 0.2 * p["tau"].to_numpy()[..., t]
    beta = p["beta"].to_numpy()[..., g]
    var_x = p["sigma_x"].to_numpy()[..., None] ** 2
    n = np.maximum(rows["respondents"].to_numpy(), 1)
    total = var_x + p["sigma_meas"].to_numpy()[..., None] ** 2 / n
    weight = np.where(rows["observed"], var_x / total, 0.0)
    x = np.nan_to_num(rows["x"].to_numpy())
    mean = p["alpha"].to_numpy()[..., g] + p["lam"].to_numpy()[..., t]
    mean = mean + beta * (m + weight * (x - m))
    var = p["sigma_y"].to_numpy()[..., None] ** 2 + beta**2 * var_x * (1 - weight)
    sd = np.sqrt(var.mean(axis=(0, 1)) + mean.var(axis=(0, 1)))
    z = (y.mean("sample").to_numpy() - mean.mean(axis=(0, 1))) / (sd / np.sqrt(400))
    assert np.abs(z).max() < 5
    assert abs(np.mean(z**2) - 1) < 0.5
    np.testing.assert_allclose(y.std("sample").to_numpy() / sd, 1, atol=0.2)


def test_replicates_cover_what_was_observed(panel, replicates):
    assert 0.8 < coverage(replicates["productivity"], panel.rows["y"].to_numpy()) < 0.98
    x = panel.rows["x"].to_numpy()[panel.survey_rows]
    assert 0.8 < coverage(replicates["survey"], x) < 0.99


def test_coverage_counts_what_is_inside():
    draws = xr.DataArray(np.linspace(0, 1, 1001)[:, None] * [1, 1, 1, 1], dims=("sample", "row"))
    assert coverage(draws, np.array([0.04, 0.06, 0.94, 0.96])) == 0.5
    assert coverage(draws, np.array([0.04, 0.06, 0.94, 0.96]), prob=0.94) == 1


def test_seed_of_the_replicates(fitted):
    one, again, other = (replicate(fitted, draws=40, seed=s) for s in (1, 1, 2))
    assert one.equals(again)
    assert not one.equals(other)


def test_replicates_of_an_explicit_fit_are_given_the_survey_too(fitted, informed):
    """ "A row's outcome is replicated given its own survey", whichever form was sampled."""
    ours, theirs = (replicate(f, draws=2000, seed=3)["productivity"] for f in (fitted, informed))
    unseen = ~fitted.panel.rows["observed"].to_numpy()
    ratio = (theirs.std("sample") / ours.std("sample")).to_numpy()[unseen]
    assert abs(ratio.mean() - 1) < 0.03


def test_fit_with_scores_recovered_completes_the_picture(fitted):
    """y - alpha - lam - beta x* has sd sigma_y under the completed posterior draws."""
    p, rows = fitted.posterior, fitted.panel.rows
    g, t = rows["ou_idx"].to_numpy(), rows["month_idx"].to_numpy()
    residual = (
        rows["y"].to_numpy()
        - p["alpha"].to_numpy()[..., g]
        - p["lam"].to_numpy()[..., t]
        - p["beta"].to_numpy()[..., g] * recover_latent(fitted).to_numpy()
    )
    ratio = np.sqrt(np.mean(residual**2, axis=-1)) / p["sigma_y"].to_numpy()
    assert abs(ratio.mean() - 1) < 0.05


def test_effects_do_not_depend_on_the_form_of_the_fit(fitted, informed):
    ours, theirs = effects(fitted), effects(replace(informed, spec=fitted.spec))
    np.testing.assert_allclose(ours["beta"], theirs["beta"], atol=0.03)
    np.testing.assert_allclose(ours["prob_positive"], theirs["prob_positive"], atol=0.06)
