"""Leave-one-out: its pointwise densities, against brute force, and what may be compared."""

from __future__ import annotations

import importlib
from dataclasses import replace

import numpy as np
import nutpie
import pandas as pd
import pymc as pm
import pytest
import reference_densities
import xarray as xr
from conftest import frame_of, parameters_at
from scipy import stats
from scipy.special import logsumexp

from oulib import Panel, UserError, compare, recover_latent
from oulib.model.build import build_model
from oulib.posterior import checks, predict
from oulib.posterior.compare import (
    Difference,
    conditional_log_likelihood,
    difference,
    influence,
    log_likelihood,
    loo,
    loo_pit,
    psis_loo,
    share_of_score,
    steps,
    waic,
    waic_of,
)
from oulib.sampling.compiled import compiled_model

# Without a C compiler PyTensor says that it fuses fewer loops; the model is the same.
pytestmark = pytest.mark.filterwarnings("ignore:Loop fusion failed")


@pytest.mark.parametrize("which", ["fitted", "informed"])
@pytest.mark.parametrize(("chain", "draw"), [(0, 0), (2, 500)])
def test_pointwise_densities_have_the_score_integrated_out(request, which, chain, draw):
    """log p(y_i | x'_i, theta) of either form, against the dense integral of the row."""
    fit = request.getfixturevalue(which)
    found = log_likelihood(fit)
    assert found.dims == ("chain", "draw", "row")
    theta = parameters_at(fit, chain, draw)
    theta.pop("x_star", None)
    _, expected = reference_densities.row_densities(theta, fit.panel.rows)
    np.testing.assert_allclose(found.isel(chain=chain, draw=draw), expected, rtol=0, atol=1e-6)


@pytest.fixture(scope="module")
def refit(panel, fitted):
    """Samples the posterior with the outcome of one row left out, its survey kept."""
    model = build_model(fitted.panel, fitted.spec)
    y = panel.rows["y"].to_numpy()
    with model:
        mask = pm.Data("mask", np.zeros(len(y)))
        pm.Potential("left_out", -(mask * pm.logp(model["productivity"], y)).sum())

    def without(row):
        mask = np.zeros(len(y))
        mask[row] = 1.0
        model["mask"].set_value(mask)
        return nutpie.sample(
            compiled_model(model, fitted.spec),
            draws=500,
            seed=row,
            target_accept=0.9,
            progress_bar=False,
        )["posterior"]

    return without


def test_loo_is_leaving_one_out(fitted, panel, refit):
    """Exact: refit without y_i, and score it by the row's closed form written out here."""
    found = loo(fitted)
    values, k = np.asarray(found.elpd_i), np.asarray(found.pareto_k)
    rows, seen = panel.rows, panel.rows["observed"].to_numpy()
    order = np.argsort(values)
    reliable = order[k[order] < 0.6]
    # The worst outcomes with and without a survey, a middling one, and the most influential one.
    chosen = [reliable[seen[reliable]][0], reliable[~seen[reliable]][0], order[len(order) // 2]]
    chosen.append(max(reliable, key=lambda i: k[i]))
    for row in dict.fromkeys(map(int, chosen)):
        scores = closed_form(refit(row), rows.isel(row=row))
        exact = logsumexp(scores) - np.log(scores.size)
        error = np.std(np.exp(scores - exact)) / np.sqrt(scores.size / 4)
        assert abs(values[row] - exact) < 0.03 + 4 * error, (row, k[row])


def closed_form(posterior, one):
    """log p(y_i | x'_i, theta) of a single row for each draw: two correlated normals."""
    g, t, y, x, n = (one[v].item() for v in ("ou_idx", "month_idx", "y", "x", "respondents"))
    p = {name: posterior[name].to_numpy() for name in ("sigma_x", "sigma_y", "sigma_meas")}
    for name in ("alpha", "beta", "mu_x_ou"):
        p[name] = posterior[name].to_numpy()[..., g]
    for name in ("lam", "tau"):
        p[name] = posterior[name].to_numpy()[..., t]
    m = p["mu_x_ou"] + 0.2 * p["tau"]
    mean = p["alpha"] + p["lam"] + p["beta"] * m
    var = p["sigma_y"] ** 2 + p["beta"] ** 2 * p["sigma_x"] ** 2
    if not np.isnan(x):
        var_x = p["sigma_x"] ** 2 + p["sigma_meas"] ** 2 / max(n, 1)
        covariance = p["beta"] * p["sigma_x"] ** 2
        mean = mean + covariance / var_x * (x - m)
        var = var - covariance**2 / var_x
    return reference_densities.normal(y, mean, np.sqrt(var))


def test_explicit_fit_has_the_same_loo(fitted, informed):
    ours, theirs = loo(fitted), loo(informed)
    difference = np.asarray(ours.elpd_i) - np.asarray(theirs.elpd_i)
    good = np.maximum(ours.pareto_k, theirs.pareto_k) < 0.5
    assert good.mean() > 0.8
    assert np.abs(difference[good]).max() < 0.08
    assert abs(ours.elpd - theirs.elpd) < 1
    assert abs(ours.p - theirs.p) < 1


def test_effective_number_of_parameters_is_far_below_the_rows(fitted, informed, panel):
    """Conditioning on each row's own sampled score would send it towards N."""
    n_row = panel.rows.sizes["row"]
    for fit in (fitted, informed):
        assert 5 < loo(fit).p < n_row / 4


def test_conditioning_on_the_rows_own_score_would_be_wrong(informed, panel):
    """The trap that ``log_likelihood`` avoids, so that the test above has teeth."""
    posterior = informed.posterior
    g, t = panel.rows["ou_idx"].to_numpy(), panel.rows["month_idx"].to_numpy()
    mean = (
        posterior["alpha"].to_numpy()[..., g]
        + posterior["lam"].to_numpy()[..., t]
        + posterior["beta"].to_numpy()[..., g] * posterior["x_star"].to_numpy()
    )
    sd = posterior["sigma_y"].to_numpy()[..., None]
    conditioned = reference_densities.normal(panel.rows["y"].to_numpy(), mean, sd)
    optimism = conditioned.mean() - log_likelihood(informed).to_numpy().mean()
    assert optimism > 0.05


def test_table(fitted, informed):
    table = compare([fitted, informed])
    assert sorted(table.index) == ["baseline", "explicit_informed"]
    assert table.index.name == "model"
    assert table["rank"].tolist() == [0, 1]
    assert table["elpd"].is_monotonic_decreasing
    assert table["elpd_diff"].iloc[0] == 0
    for fit in (fitted, informed):
        result, row = loo(fit), table.loc[fit.spec.name]
        np.testing.assert_allclose(
            row[["elpd", "se", "p"]].astype(float), [result.elpd, result.se, result.p]
        )
        assert row["worst_k"] == pytest.approx(float(np.max(result.pareto_k)))
        assert row["k_too_high"] == int((np.asarray(result.pareto_k) > result.good_k).sum())
    pointwise = np.asarray(loo(fitted).elpd_i) - np.asarray(loo(informed).elpd_i)
    assert abs(table["elpd_diff"].iloc[1]) == pytest.approx(abs(pointwise.sum()))
    assert table["dse"].iloc[1] == pytest.approx(
        np.sqrt(len(pointwise) * pointwise.var()), rel=1e-6
    )


def test_table_of_one(fitted):
    table = compare([fitted])
    assert table.index.tolist() == ["baseline"]
    assert table[["rank", "elpd_diff", "dse"]].to_numpy().tolist() == [[0, 0, 0]]
    assert list(table) == list(compare([fitted, replace(fitted, spec=fitted.spec.but(name="b"))]))


def changed(panel, **columns):
    return Panel.from_frame(frame_of(panel).assign(**columns))


def test_fits_of_other_outcomes_are_refused(fitted, informed, panel):
    y = frame_of(panel)["productivity"].to_numpy(copy=True)
    y[0] *= 1.001
    months = frame_of(panel)["month"] + np.timedelta64(31, "D")
    others = {
        "one outcome": changed(panel, productivity=y),
        "the months": changed(panel, month=months.dt.to_period("M").dt.to_timestamp()),
        "the OUs": changed(panel, ou=frame_of(panel)["ou"].str.lower()),
        "fewer rows": Panel.from_frame(frame_of(panel).iloc[:-1]),
    }
    for other in others.values():
        with pytest.raises(
            UserError, match=r"cannot be compared.*baseline.*explicit_informed"
        ) as e:
            compare([fitted, replace(informed, panel=other)])
        assert "same panel" in str(e.value)


def test_fits_of_one_name_are_refused(fitted):
    with pytest.raises(UserError, match="same name"):
        compare([fitted, fitted])


def test_waic_by_hand(fitted):
    """Row by row from the definition, with plain loops."""
    values = log_likelihood(fitted).to_numpy().reshape(-1, fitted.panel.rows.sizes["row"])
    rows, p, unstable = [], 0.0, 0
    for row in values.T:
        variance = sum((row - row.mean()) ** 2) / (len(row) - 1)
        rows.append(np.log(np.mean(np.exp(row))) - variance)
        p += variance
        unstable += variance > 0.4
    found = waic(fitted)
    assert found.name == "baseline"
    assert found["elpd"] == pytest.approx(sum(rows))
    assert found["se"] == pytest.approx(np.sqrt(len(rows)) * np.std(rows))
    assert found["p"] == pytest.approx(p)
    assert found["unstable"] == unstable
    # Both estimate the same quantity, and here both are good.
    assert abs(found["elpd"] - loo(fitted).elpd) < 2
    assert abs(found["p"] - loo(fitted).p) < 2


def test_waic_of_densities_too_small_for_a_number():
    values = np.random.default_rng(0).normal(size=(2, 50, 3))
    values = xr.DataArray(values, dims=("chain", "draw", "row"))
    assert waic_of(values - 2000.0)["elpd"] == pytest.approx(waic_of(values)["elpd"] - 6000.0)


def test_difference_and_steps(fitted, informed):
    found = difference("a", "b", loo(fitted), loo(informed))
    gap = np.asarray(loo(informed).elpd_i) - np.asarray(loo(fitted).elpd_i)
    assert (found.lower, found.upper, found.places) == ("a", "b", gap.size)
    assert found.elpd == pytest.approx(loo(informed).elpd - loo(fitted).elpd)
    assert found.se == pytest.approx(np.sqrt(gap.size) * gap.std())
    assert steps([fitted, informed]) == [
        replace(found, lower=fitted.spec.name, upper=informed.spec.name)
    ]
    assert steps([fitted]) == steps([]) == []


@pytest.mark.parametrize(
    ("elpd", "se", "clear"),
    [(30, 5, True), (-30, 5, True), (30, 20, False), (3, 0.1, False), (-3, 0.1, False)],
)
def test_a_clear_difference_is_large_by_its_error_and_by_itself(elpd, se, clear):
    assert Difference("a", "b", elpd, se, 100).clear is clear


@pytest.fixture(scope="module")
def conditional(fitted):
    return conditional_log_likelihood(fitted, recover_latent(fitted, draws=1000, seed=1))


def test_conditional_densities_are_those_at_the_sampled_score(fitted, panel, conditional):
    x_star = recover_latent(fitted, draws=1000, seed=1)
    assert conditional.dims == ("chain", "draw", "row")
    assert 900 < conditional.sizes["chain"] * conditional.sizes["draw"] < 1300
    draw, row = int(conditional["draw"][7]), 11
    p = fitted.posterior.sel(chain=1, draw=draw)
    g, t = (int(panel.rows[name][row]) for name in ("ou_idx", "month_idx"))
    mean = float(p["alpha"][g] + p["lam"][t]) + float(p["beta"][g]) * float(
        x_star.sel(chain=1, draw=draw)[row]
    )
    y = float(panel.rows["y"][row])
    expected = stats.norm.logpdf(y, mean, float(p["sigma_y"]))
    assert float(conditional.sel(chain=1, draw=draw)[row]) == pytest.approx(expected)


def test_the_trap_spends_a_parameter_on_every_row(fitted, conditional):
    """The theory of the chapter: each row adds s / (1 + s) - log(1 - s^2) / 2 parameters."""
    share = share_of_score(fitted)
    assert ((share > 0) & (share < 1)).all()
    theory = np.sum(share / (1 + share) - 0.5 * np.log1p(-(share**2)))
    memory = psis_loo(fitted, conditional)
    assert memory.p > loo(fitted).p + 0.5 * theory
    assert waic_of(conditional)["elpd"] > waic(fitted)["elpd"] + 3


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_theory_of_the_trap(share):
    """Many rows y ~ N(0, 1 / (1 - s)) whose residual at x* given y is N(y (1 - s), s)."""
    rng = np.random.default_rng(3)
    y = rng.normal(0, np.sqrt(1 / (1 - share)), 40_000)
    residual = y * (1 - share)
    in_sample = stats.norm.logpdf(residual, 0, np.sqrt(1 + share))
    left_out = stats.norm.logpdf(y, 0, np.sqrt(1 / (1 - share)))
    expected = share / (1 + share) - 0.5 * np.log1p(-(share**2))
    assert np.mean(in_sample - left_out) == pytest.approx(expected, abs=0.02)
    # The weights' tail: Hill's estimate from very many draws for one row.
    weights = np.sort(0.5 * rng.normal(0, np.sqrt(share), 4_000_000) ** 2)[-2000:]
    assert np.mean(weights - weights[0]) == pytest.approx(share, abs=0.2 * share)


def test_influence_lists_the_rows_by_k(fitted, panel):
    table = influence(fitted)
    assert table["k"].is_monotonic_decreasing
    assert len(table) == panel.rows.sizes["row"]
    row = table.index[0]
    assert row == int(np.argmax(loo(fitted).pareto_k.to_numpy()))
    assert table.loc[row, "ou"] == panel.rows["ou"].to_numpy()[row]
    assert table.loc[row, "month"] == panel.rows["month"].to_numpy()[row]
    assert table.loc[row, "survey"] == panel.rows["observed"].to_numpy()[row]
    assert table["residual"].std() == pytest.approx(1, abs=0.15)
    assert abs(table["residual"].mean()) < 0.1
    farthest = table["residual"].abs().idxmax()
    assert table.loc[farthest, "elpd"] == table["elpd"].min()


def test_loo_pit_is_uniform_under_the_right_model(fitted, panel):
    replicates = predict.replicate(fitted, draws=1000, seed=2)["productivity"]
    pit = loo_pit(fitted, replicates)
    assert pit.shape == (panel.rows.sizes["row"],)
    assert stats.kstest(pit, "uniform").pvalue > 0.01
    y = panel.rows["y"].to_numpy()
    below = (replicates.to_numpy() <= y).mean(axis=0)
    assert np.corrcoef(pit, below)[0, 1] > 0.99
    # What is left out is more surprising than what was seen.
    assert np.abs(pit - 0.5).mean() > np.abs(below - 0.5).mean()


def test_what_is_said_of_draws_is_kept_and_belongs_to_them(fitted, monkeypatch):
    """Worked out once, read back the same; altered draws under the same key are others."""
    first, table = loo(fitted), checks.summarise(fitted)
    altered = fitted.tree.copy(deep=True)
    altered["posterior"]["mu_beta"][0, 0] += 1.0
    other = replace(fitted, tree=altered)
    assert other.key == fitted.key
    assert other.digest != fitted.digest
    loo.cache_clear()
    checks.summarise.cache_clear()
    module = importlib.import_module("oulib.posterior.compare")  # the name is the function's, too
    monkeypatch.setattr(module, "psis_loo", lambda *_: pytest.fail("worked out again"))
    with monkeypatch.context() as patch:
        patch.setattr(checks, "summary", lambda *_: pytest.fail("worked out again"))
        pd.testing.assert_frame_equal(checks.summarise(fitted), table)
    again = loo(fitted)
    assert str(again) == str(first)
    np.testing.assert_array_equal(again.elpd_i, first.elpd_i)
    np.testing.assert_array_equal(again.pareto_k, first.pareto_k)
    changed = checks.summarise(other).loc["mu_beta", "mean"] - table.loc["mu_beta", "mean"]
    assert changed == pytest.approx(1 / fitted.posterior["mu_beta"].size)
