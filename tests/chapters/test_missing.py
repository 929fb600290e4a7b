"""Scores that were never seen: closed forms against dense computations, sentences, figures."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from conftest import frame_of
from scipy import stats

from oulib import (
    AR1,
    BASELINE,
    STUDENT_T,
    UPGRADED,
    Fit,
    ModelSpec,
    Panel,
    Sampling,
    build_model,
    chapters,
    simulate,
)
from oulib.chapters.missing import analysis as missing
from oulib.chapters.missing import band
from oulib.model.draws.density import RowDensity, row_density, thinned
from oulib.model.survey import respondents
from oulib.posterior.estimate import DrawByDraw, draw_by_draw
from oulib.posterior.latent import _draw_from_grid, conditional, own_grid, recover_latent


@pytest.fixture(scope="module")
def spaced() -> Panel:
    """Six OUs over twelve months, waves in months 4, 8 and 12."""
    return simulate("upgraded", n_ou=6, n_site=2, n_month=12, wave_every=4, seed=2)


# --- which rows


def test_steps_to_neighbours() -> None:
    back, ahead = missing.neighbours(np.array([2, 5]), 7)
    np.testing.assert_array_equal(back, [np.inf, np.inf, 0, 1, 2, 0, 1])
    np.testing.assert_array_equal(ahead, [2, 1, 0, 2, 1, 0, np.inf])


def test_distances_by_hand(spaced: Panel) -> None:
    table = missing.distances(spaced)
    ou, month = (spaced.rows[name].to_numpy() for name in ("ou_idx", "month_idx"))
    seen = spaced.rows["observed"].to_numpy()
    for row in range(0, len(table), 5):
        assert table["to_wave"][row] == np.abs(month[seen] - month[row]).min()
        own = month[seen & (ou == ou[row])]
        assert table["to_own"][row] == (np.abs(own - month[row]).min() if own.size else np.inf)
    assert (table["to_wave"][seen] == 0).all()
    assert set(table["kind"][seen]) == {missing.KINDS[0]}
    planned = spaced.rows["scheduled"].to_numpy()
    assert set(table["kind"][~seen & planned]) <= {missing.KINDS[1]}
    assert set(table["kind"][~planned]) == {missing.KINDS[2]}
    without = Panel.from_frame(frame_of(spaced).drop(columns="scheduled"))
    assert set(missing.kinds(without)) == {missing.KINDS[0], missing.KINDS[2]}


# --- closed forms


@pytest.mark.parametrize("phi", [0.85, 0.3, -0.6])
@pytest.mark.parametrize(("left", "right"), [(1, 1), (2, 4), (5, 1), (3, np.inf), (np.inf, 2)])
def test_bridge_against_a_dense_normal(phi: float, left: float, right: float) -> None:
    """Condition a long stationary path on two months, and on months further away."""
    at = np.array([p for p in (20 - left, 20 + right) if np.isfinite(p)], dtype=int)
    outer = [p for p, d in ((at[0] - 3, left), (at[-1] + 3, right)) if np.isfinite(d)]
    for known in (at, np.sort([*at, *outer])):
        lag = np.abs(np.subtract.outer([20, *known], [20, *known]))
        covariance = np.sign(phi) ** lag * np.abs(phi) ** lag
        weights = np.linalg.solve(covariance[1:, 1:], covariance[1:, 0])
        left_over = 1 - covariance[0, 1:] @ weights
        assert missing.bridge_variance(phi, left, right) == pytest.approx(left_over)
    pair = zip(missing.bridge_mean(phi, left, right), (left, right), strict=True)
    ours = [weight for weight, steps in pair if np.isfinite(steps)]
    lag = np.abs(np.subtract.outer([20, *at], [20, *at]))
    covariance = np.sign(phi) ** lag * np.abs(phi) ** lag
    np.testing.assert_allclose(ours, np.linalg.solve(covariance[1:, 1:], covariance[1:, 0]))


def test_precisions_against_a_grid() -> None:
    x = np.linspace(-12, 12, 20001)
    for n, sigma_y, beta in ((0, np.inf, 0.0), (7, 0.4, 0.8), (0, 0.3, -0.5)):
        log = -0.5 * (x / 0.7) ** 2 - 0.5 * n * ((x - 0.4) / 1.3) ** 2
        log = log - 0.5 * ((0.2 - beta * x) / sigma_y) ** 2
        weight = np.exp(log - log.max())
        mean = np.average(x, weights=weight)
        sd = np.sqrt(np.average((x - mean) ** 2, weights=weight))
        assert missing.known_sd(0.7, 1.3, n, sigma_y, beta) == pytest.approx(sd)
    before, after = missing.known_sd(0.7, 1.3, 4), missing.known_sd(0.7, 1.3, 4, 0.4, 0.8)
    assert 1 - (after / before) ** 2 == pytest.approx(missing.outcome_share(0.8, 0.4, before**2))


def test_four_regressions_by_simulation() -> None:
    beta, sigma_y, var, spread = 0.6, 0.4, 0.5, 0.3
    rng = np.random.default_rng(0)
    m, e, noise, z = rng.standard_normal((4, 400_000))
    m = np.sqrt(spread) * m
    y = beta * (m + np.sqrt(var) * e) + sigma_y * noise
    gain = beta * var / (sigma_y**2 + beta**2 * var)
    left = var - gain * beta * var
    seen = m + gain * (y - beta * m)
    scores = (m, m + np.sqrt(var) * z, seen, seen + np.sqrt(left) * z)
    found = [np.cov(y, x)[0, 1] / x.var() for x in scores]
    closed = missing.slopes_from_scores(beta, sigma_y, var, spread)
    np.testing.assert_allclose(found, closed, rtol=0.01)
    assert closed["means, with the outcome"] > beta > closed["draws, without the outcome"]


def test_crps_against_its_closed_form() -> None:
    rng = np.random.default_rng(0)
    x = np.array([-1.0, 0.2, 3.0])
    drawn = missing.crps(0.3 + 0.8 * rng.standard_normal((40_000, 3)), x)
    closed = missing.crps_normal(np.full(3, 0.3), np.full(3, 0.8), x)
    np.testing.assert_allclose(drawn, closed, rtol=0.02)
    grid = np.linspace(-10, 10, 40001)  # the integral of (F - 1[y >= x])^2
    step = stats.norm.cdf(grid, 0.3, 0.8) - (grid >= 3.0)
    assert closed[2] == pytest.approx(np.sum(step**2) * (grid[1] - grid[0]), rel=1e-3)
    few = np.array([[0.0], [2.0], [5.0]])
    reference_densities = np.abs(few - 1).mean() - np.abs(few - few.T).mean() / 2
    assert missing.crps(few, np.array([1.0]))[0] == pytest.approx(reference_densities)


# --- a fit's own numbers


def test_law_of_total_variance_is_what_is_drawn(fitted: Fit) -> None:
    table = missing.closed_forms(fitted, seed=4)
    np.testing.assert_allclose(table["drawn"], table["total"], rtol=0.05)
    assert (table["within"] <= table["total"]).all()
    np.testing.assert_array_equal(table["n"], respondents(fitted.panel))
    # A survey alone tells less than with everything else, and more the more people answered.
    seen = table[table["n"] > 0].sort_values("n")
    assert (seen["survey"] > seen["plug_in"]).all()
    alone = float(fitted.posterior["sigma_meas"].mean()) / np.sqrt(seen["n"])
    np.testing.assert_allclose(seen["survey"], alone)
    assert table.loc[table["n"] == 0, "survey"].isna().all()
    # At single draws the precisions give what the model's own conditional gives.
    p, given = fitted.posterior.isel(chain=0, draw=7), conditional(fitted)
    ou = fitted.panel.rows["ou_idx"].to_numpy()
    parts = [float(p[name]) for name in ("sigma_x", "sigma_meas", "sigma_y")]
    sd = missing.known_sd(*parts[:2], table["n"], parts[2], p["beta"].to_numpy()[ou])
    np.testing.assert_allclose(given["sd"].isel(chain=0, draw=7), sd)
    text = chapters.missing.sentences.collapse(missing.closed(table))
    assert "with a survey" in text
    assert "without one" in text
    assert "without one" not in chapters.missing.sentences.collapse(
        missing.closed(table[table["n"] > 0])
    )
    fig = chapters.missing.figures.collapse(table)
    assert len(fig.axes) == 2
    labels = [line.get_label() for line in fig.axes[0].lines]
    assert labels[0] == "drawn"
    assert labels[-1] == "no survey"
    assert sum("survey alone" in label for label in labels) == 1
    plt.close("all")


def test_moments_by_quadrature(fitted: Fit) -> None:
    ours, closed = missing.moments(fitted, draws=40), conditional(fitted, draws=40)
    np.testing.assert_allclose(ours["mean"], closed["mean"], atol=1e-6)
    np.testing.assert_allclose(ours["sd"], closed["sd"], rtol=1e-6)
    # A Student-t outcome has no closed form: against a dense sum.
    heavy = Fit(
        fitted.panel, STUDENT_T, fitted.sampling, with_nu(fitted.tree, 3.0), "a fit made by hand"
    )
    rows = np.array([0, 3, 40])
    r = row_density(heavy, thinned(heavy.posterior, 40), rows)
    x = r.mean + np.sqrt(r.var) * xr.DataArray(np.linspace(-12, 12, 4001), dims="node")
    log = r.log_outcome(x) - 0.5 * (x - r.mean) ** 2 / r.var
    weight = np.exp(log - log.max("node"))
    mean = (weight * x).sum("node") / weight.sum("node")
    sd = np.sqrt((weight * (x - mean) ** 2).sum("node") / weight.sum("node"))
    found = missing.moments(heavy, rows=rows, draws=40)
    np.testing.assert_allclose(found["mean"], mean.transpose(*found["mean"].dims), atol=1e-6)
    np.testing.assert_allclose(found["sd"], sd.transpose(*found["sd"].dims), rtol=1e-5)


def with_nu(tree: xr.DataTree, nu: float) -> xr.DataTree:
    p = tree["posterior"].to_dataset()
    return xr.DataTree.from_dict({"posterior": p.assign(nu=xr.full_like(p["sigma_y"], nu))})


def test_what_is_known_of_rows(fitted: Fit) -> None:
    table = missing.known(fitted)
    unseen = table["kind"] != missing.KINDS[0]
    assert (table["within"] <= table["within_alone"] + 1e-12).all()
    # Given the parameters and no survey, nothing but sigma_x is left.
    np.testing.assert_allclose(table.loc[unseen, "within_alone"], missing.floor(fitted), rtol=0.02)
    assert (table.loc[unseen, "sd_alone"] > missing.floor(fitted) * 0.98).all()
    by = missing.by_distance(table)
    assert by["rows"].sum() == unseen.sum()
    own = missing.feedback(fitted, table)
    # Normal outcome: the closed form, up to the thinning of the draws.
    np.testing.assert_allclose(own["taken"], own["closed"], atol=0.02)
    groups = {name: fitted.tree[name].to_dataset() for name in ("posterior", "sample_stats")}
    thin = {name: one.isel(draw=slice(None, None, 8)) for name, one in groups.items()}
    short = replace(fitted, tree=xr.DataTree.from_dict(thin))
    whole = missing.feedback(short, missing.known(short, draws=short.posterior.beta[..., 0].size))
    np.testing.assert_allclose(whole["taken"], whole["closed"], atol=1e-5)
    found = missing.sources(fitted, table)
    assert found["population"] > found["alone"] > found["both"]
    assert 0 < found["share"] < 1
    assert "next to nothing" in chapters.missing.sentences.sources(
        found.copy().where(found.index != "share")
    )
    for share, text in ((0.7, "most of what"), (0.3, "the rest"), (0.02, "hardly anything")):
        assert text in chapters.missing.sentences.sources(pd.Series({**found, "share": share}))
    assert "differ from" in chapters.missing.sentences.feedback(missing.fed(own), exact=True)
    assert "Fisher" in chapters.missing.sentences.feedback(missing.fed(own), exact=False)
    assert "No unit" in chapters.missing.sentences.feedback(missing.fed(own.iloc[:0]), exact=True)


@pytest.mark.filterwarnings("ignore:Numba will use object mode")
def test_bridges_hold_in_the_prior(spaced: Panel) -> None:
    """Without data, what waves leave of the months between is the closed form, month by month."""
    names = ["tau", "tau_seen", "phi_tau", "gamma_x"]
    model = build_model(spaced, AR1)
    values = pm.draw([model[name] for name in names], draws=8000, random_seed=1)
    dims = {"tau": ("month",), "tau_seen": ("tau_month",)}
    data = {
        name: (("chain", "draw", *dims.get(name, ())), value[None])
        for name, value in zip(names, values, strict=True)
    }
    p = xr.Dataset(data, coords={"tau_month": list(model.coords["tau_month"])})
    table = missing.bridges(SimpleNamespace(panel=spaced, posterior=p))
    np.testing.assert_array_equal(table["distance"][:8], [3, 2, 1, 0, 1, 2, 1, 0])
    np.testing.assert_allclose(table["rest"], table["bridge"], rtol=0.06, atol=1e-9)
    assert (table["bridge"].iloc[[3, 7, 11]] == 0).all()
    assert (table["bridge"] <= table["stationary"] + 1e-12).all()
    text = chapters.missing.sentences.bridges(missing.bridged(table))
    assert "add next to nothing" in text
    assert "on top of the bridge" in chapters.missing.sentences.bridges(
        missing.bridged(table.assign(sd=1.0))
    )
    assert "had a say" in chapters.missing.sentences.bridges(missing.bridged(table.assign(sd=0.01)))
    told = table.assign(rest=0.5 * table["rest"])
    assert "outcomes explained 75%" in chapters.missing.sentences.bridges(missing.bridged(told))
    assert "it is more" in chapters.missing.sentences.bridges(
        missing.bridged(table.assign(rest=2 * table["rest"]))
    )
    assert "no gap" in chapters.missing.sentences.bridges(
        missing.bridged(table[table["distance"] == 0])
    )
    labels = [t.get_text() for t in chapters.missing.figures.bridges(table).legends[0].get_texts()]
    assert "wave" in labels
    plt.close("all")


def test_coverage_of_a_simulated_panel(fitted: Fit) -> None:
    table = missing.covered(fitted)
    assert table["rows"].sum() == fitted.panel.rows.sizes["row"]
    total = (table["coverage"] * table["rows"]).sum() / table["rows"].sum()
    assert 0.8 < total < 0.98
    calm = table.assign(expected_low=0.0, expected_high=1.0)
    assert "No group" in chapters.missing.sentences.coverage(calm, 0.9, "it")
    assert "less often" in chapters.missing.sentences.coverage(
        table.assign(coverage=0.1), 0.9, "it"
    )
    high = table.assign(coverage=1.0, expected_high=0.95)
    assert "more often" in chapters.missing.sentences.coverage(high, 0.9, "it")
    fig = chapters.missing.figures.coverage({"a": table, "b": table.iloc[:1]})
    assert len(fig.axes[0].get_yticklabels()) == len(table)
    plt.close("all")


# --- hidden surveys


def test_hiding_surveys(panel: Panel) -> None:
    rows = missing.held_out(panel, share=0.1, seed=3)
    assert rows.size == round(0.1 * panel.survey_rows.size)
    np.testing.assert_array_equal(rows, missing.held_out(panel, share=0.1, seed=3))
    assert np.isin(rows, panel.survey_rows).all()
    hidden = missing.hide_surveys(panel, rows)
    np.testing.assert_array_equal(hidden.survey_rows, np.setdiff1d(panel.survey_rows, rows))
    assert np.isnan(hidden.rows["x"].to_numpy()[rows]).all()
    assert (respondents(hidden)[rows] == 0).all()
    for name in ("y", "scheduled"):
        np.testing.assert_array_equal(hidden.rows[name], panel.rows[name])
    assert hidden.scale == panel.scale
    assert hidden.waves == panel.waves
    assert hidden.fingerprint != panel.fingerprint
    assert not np.isnan(panel.rows["x"].to_numpy()[rows]).any()  # the panel itself is as it was
    # No density of the model sees what was hidden.
    model = build_model(hidden, BASELINE)
    observed = model.rvs_to_values[model["survey"]].eval()
    assert observed.shape == (hidden.survey_rows.size,)


def test_rules_of_thumb_by_hand(panel: Panel) -> None:
    rows = missing.held_out(panel, share=0.2, seed=5)
    hidden = missing.hide_surveys(panel, rows)
    table = missing.rules_of_thumb(hidden, rows)
    ou, month, x = (hidden.rows[name].to_numpy() for name in ("ou_idx", "month_idx", "x"))
    kept = hidden.survey_rows

    def rule(row: int, without: int | None) -> tuple[float, float]:
        rest = kept[kept != without]
        own = rest[ou[rest] == ou[row]]
        earlier = own[month[own] < month[row]]
        grand = x[kept].mean()
        return (
            x[own].mean() if own.size else grand,
            x[earlier[np.argmax(month[earlier])]] if earlier.size else grand,
        )

    expected = np.array([rule(row, None) for row in rows])
    np.testing.assert_allclose(table[[missing.OU_MEAN, missing.LAST]], expected)
    errors = np.array([x[row] - np.array(rule(row, row)) for row in kept])
    np.testing.assert_allclose(
        table[[f"{missing.OU_MEAN} sd", f"{missing.LAST} sd"]].iloc[0],
        np.sqrt((errors**2).mean(axis=0)),
    )


def test_hidden_scores_are_predicted(fitted: Fit, panel: Panel) -> None:
    """The fit has seen them here; what is tested is the arithmetic of the prediction."""
    rows = missing.held_out(panel, share=0.3, seed=1)
    blind = Fit(
        missing.hide_surveys(panel, rows), BASELINE, fitted.sampling, fitted.tree, "by hand"
    )
    drawn = missing.predict_surveys(blind, panel, rows, outcome=False, draws=4000, seed=2)
    given = conditional(blind, outcome=False, rows=rows)
    noise = float((fitted.posterior["sigma_meas"] ** 2).mean()) / respondents(panel)[rows]
    total = (given["sd"] ** 2).mean(("chain", "draw")) + given["mean"].var(("chain", "draw"))
    np.testing.assert_allclose(drawn.std(axis=0), np.sqrt(total.to_numpy() + noise), rtol=0.06)
    found = missing.found_again(blind, panel, rows, seed=2)
    assert list(found["forecast"]) == [
        missing.WITH,
        missing.WITHOUT,
        missing.OU_MEAN,
        missing.LAST,
    ]
    table = missing.score_table(found)
    best = table.loc[[missing.OU_MEAN, missing.LAST], "crps"].idxmin()
    assert table.loc[best, "gain"] == pytest.approx(0)
    assert 0.75 < table.loc[missing.WITH, "coverage"] <= 1
    assert (
        chapters.missing.figures.hidden(found, missing.WITH, most=5)
        .axes[0]
        .get_ylabel()
        .startswith("score")
    )
    plt.close("all")
    with pytest.raises(ValueError, match="nobody answered"):
        missing.predict_surveys(SimpleNamespace(spec=UPGRADED), panel, rows, outcome=True)


def scored(gain: float) -> pd.DataFrame:
    table = pd.DataFrame(
        {"coverage": 0.9, "width": 2.0, "error": 0.5, "crps": 0.3, "gain": gain, "gain_se": 0.01},
        index=[missing.WITH, missing.WITHOUT, missing.OU_MEAN, missing.LAST],
    )
    table.loc[missing.LAST, "crps"] = 0.5
    return table


def test_hidden_scores_in_words() -> None:
    assert ", is better than that rule" in chapters.missing.sentences.found_again(scored(0.1), 40)
    assert ", is worse than that rule" in chapters.missing.sentences.found_again(scored(-0.1), 40)
    assert "tie" in chapters.missing.sentences.found_again(scored(0.01), 40)
    assert "the unit mean" in chapters.missing.sentences.found_again(scored(0.01), 40)
    assert "decide nothing" in chapters.missing.sentences.found_again(scored(0.1), 4)

    def pair(gain: float, rows: int = 40) -> xr.Dataset:
        crps = 0.5 + 0.01 * np.random.default_rng(0).standard_normal((2, rows))
        crps[1] += gain
        return xr.Dataset(
            {"crps": (("forecast", "row"), crps)},
            coords={"forecast": [missing.WITH, missing.WITHOUT]},
        )

    assert "found better" in chapters.missing.sentences.outcome_helps(
        missing.outcome_gain(pair(0.1))
    )
    assert "misleads" in chapters.missing.sentences.outcome_helps(missing.outcome_gain(pair(-0.1)))
    assert "little evidence" in chapters.missing.sentences.outcome_helps(
        missing.outcome_gain(pair(0.0))
    )
    assert "too few" in chapters.missing.sentences.outcome_helps(
        missing.outcome_gain(pair(0.1, rows=3))
    )


def test_rows_and_distances_in_words(spaced: Panel) -> None:
    table = missing.distances(spaced)
    text = chapters.missing.sentences.inventory(missing.inventory(table))
    assert "72 rows" in text
    assert "54 have none" in text
    seen = table[table["kind"] == missing.KINDS[0]]
    assert "no missing score" in chapters.missing.sentences.inventory(missing.inventory(seen))
    assert "never had a survey" in chapters.missing.sentences.inventory(
        missing.inventory(table.assign(to_own=np.inf))
    )

    by = pd.DataFrame(
        {"sd": 0.6, "sd_alone": [0.7, 0.9], "common": [0.2, 0.3], "rows": [10, 20]},
        index=[0.0, 2.0],
    )
    alone = missing.unseen(by)
    text = chapters.missing.sentences.by_distance(by, 0.65, alone)
    assert "distance adds 50%" in text
    assert "known to 0.839" in text  # the root of (10 * 0.49 + 20 * 0.81) / 30
    assert "60% of the variance" in text
    assert "little evidence" in chapters.missing.sentences.by_distance(
        by.assign(common=0.2), 0.65, alone
    )
    assert "little evidence" not in chapters.missing.sentences.by_distance(by.iloc[:1], 0.65, alone)
    assert "Every row" in chapters.missing.sentences.by_distance(by.iloc[:0], 0.65, alone)
    fig = chapters.missing.figures.by_distance({"a": by, "b": by}, {"a": 0.6, "b": 0.6})
    assert [ax.get_title() for ax in fig.axes] == ["a", "b"]
    frame = pd.DataFrame({"beta": [0.1, 0.5], "closed": [0.1, 0.3], "taken": [0.1, 0.3]})
    assert len(chapters.missing.figures.feedback({"a": frame, "b": frame}).axes) == 2
    plt.close("all")


def test_facts_of_unseen_scores(spaced: Panel) -> None:
    table = missing.distances(spaced)
    found = missing.inventory(table)
    unseen = table[table["kind"] != missing.KINDS[0]]
    assert (found.rows, sum(found.kinds.values())) == (72, 72)
    assert found.wave == pytest.approx(unseen["to_wave"].mean())
    assert found.farthest == unseen["to_wave"].max()
    assert missing.inventory(table.assign(to_own=np.inf)).own is None
    by = pd.DataFrame({"sd_alone": [0.7, 0.9], "rows": [10, 20]})
    alone = missing.unseen(by)
    assert alone.variance == pytest.approx((10 * 0.49 + 20 * 0.81) / 30)
    assert alone.sd == pytest.approx(np.sqrt(alone.variance))
    frame = pd.DataFrame(
        {"beta": [0.1, 0.5], "closed": [0.1, 0.3], "taken": [0.2, 0.3], "shift": [0.3, 0.4]}
    )
    fed = missing.fed(frame)
    assert (fed.flattest, fed.steepest) == (0.2, 0.3)
    assert (fed.shift, fed.off, fed.most) == pytest.approx((np.sqrt(0.125), 0.05, 0.1))
    assert missing.fed(frame.iloc[:0]) is None
    both = pd.DataFrame({"coverage": [0.8, 1.0], "rows": [30, 10]})
    assert missing.share_covered(both) == pytest.approx(0.85)


# --- the line


def test_a_bend_is_found(fitted: Fit) -> None:
    """The panel's own outcomes follow a line; with a parabola added they do not."""
    straight = missing.bends(fitted, draws=200)
    assert "little evidence against" in chapters.missing.sentences.straight(
        missing.curvature(straight)
    )
    panel = fitted.panel
    seen = panel.rows["observed"].to_numpy()
    own = fitted.posterior["mu_x_ou"].mean(("chain", "draw")).to_numpy()
    away = panel.rows["x"].to_numpy() - own[panel.rows["ou_idx"].to_numpy()]
    for sign, text in ((1, "bends upwards"), (-1, "bends downwards")):
        bent = panel.rows["y"] + sign * np.where(seen, away**2 - np.nanmean(away**2), 0.0)
        other = Fit(
            Panel(**{**vars(panel), "rows": panel.rows.assign(y=bent)}),
            BASELINE,
            fitted.sampling,
            fitted.tree,
            "by hand",
        )
        found = missing.bends(other, draws=200)
        assert text in chapters.missing.sentences.straight(missing.curvature(found))
    assert found["rows"].sum() == panel.survey_rows.size
    assert chapters.missing.figures.bends(found).axes[0].get_ylabel().startswith("median")
    plt.close("all")
    assert "too few" in chapters.missing.sentences.straight(
        missing.curvature(missing.bends(fitted, draws=50, most=3))
    )


def correlations(found: xr.Dataset) -> DrawByDraw:
    return draw_by_draw(found["observed"], found["replicated"])


def test_levels_and_scores(fitted: Fit) -> None:
    found = missing.levels(fitted, draws=200)
    p = thinned(fitted.posterior, 200)
    reference_densities = np.corrcoef(p["alpha"][0, 5], p["mu_x_ou"][0, 5])[0, 1]
    assert found["observed"][5] == pytest.approx(reference_densities)
    wide = missing.levels(fitted, draws=8000)["replicated"]
    assert float(wide.std()) == pytest.approx(1 / np.sqrt(len(fitted.panel.ous) - 1), rel=0.05)
    chance = found["replicated"]
    assert "little evidence" in chapters.missing.sentences.levels(
        correlations(found.assign(observed=0 * chance))
    )
    assert "do better" in chapters.missing.sentences.levels(
        correlations(found.assign(observed=0 * chance + 0.99))
    )
    assert "do worse" in chapters.missing.sentences.levels(
        correlations(found.assign(observed=0 * chance - 0.99))
    )


@pytest.mark.parametrize("told", [0.5, 20.0, 40.0, 1000.0])
def test_scores_that_an_outcome_pins_down(told: float) -> None:
    """Moments and draws against the closed form, where |beta| sd(x*) / sigma_y is ``told``."""
    size = 4000
    dims = ("chain", "draw", "row")
    rng = np.random.default_rng(3)

    def array(values: np.ndarray | float) -> xr.DataArray:
        return xr.DataArray(np.broadcast_to(values, (1, size, 1)).copy(), dims=dims)

    residual = rng.normal(size=(1, size, 1)) * told
    var, beta, sigma = 0.49, told / 0.7, 1.0
    r = RowDensity(
        posterior=xr.Dataset({"nu": (("chain", "draw"), np.full((1, size), 1e9))}),
        y=array(residual), mean=array(0.0), var=array(var), intercept=array(0.0),
        beta=array(beta), loading=array(beta), sigma=array(sigma), sign=array(0.0), offset=0.0,
    )  # fmt: skip
    mean = var * beta / (sigma**2 + beta**2 * var) * residual
    sd = np.sqrt(var * sigma**2 / (sigma**2 + beta**2 * var))
    node, log = own_grid(r, 161)
    weight = np.exp(log - log.max("node"))
    weight = weight / weight.sum("node")
    z = (weight * node).sum("node")
    spread = np.sqrt((weight * (node - z) ** 2).sum("node") * var)
    inside = np.abs(mean / np.sqrt(var)) < 7  # of what the survey lets one expect
    np.testing.assert_allclose((z * np.sqrt(var)).to_numpy()[inside], mean[inside], atol=1e-4 * sd)
    np.testing.assert_allclose(spread.to_numpy()[inside], sd, rtol=1e-3)
    drawn = (_draw_from_grid(r, rng).to_numpy() - mean)[inside] / sd
    assert abs(drawn.mean()) < 4 / np.sqrt(drawn.size)
    assert abs(drawn.std() - 1) < 4 / np.sqrt(2 * drawn.size)


def test_scores_that_hang_together_are_not_drawn_row_by_row() -> None:
    spec = BASELINE.but(deviations=True)
    panel = simulate("baseline", n_ou=4, n_site=2, n_month=8, wave_every=2, seed=1)
    draws = xr.DataTree.from_dict({"posterior": xr.Dataset({"mu_beta": 0.0})})
    made = Fit(panel=panel, spec=spec, sampling=Sampling(), tree=draws, key="")
    with pytest.raises(ValueError, match="hang together"):
        recover_latent(made)


@pytest.mark.parametrize("spec", [BASELINE, STUDENT_T], ids=lambda spec: spec.name)
def test_an_outcome_that_was_left_out_says_nothing_of_the_score(spec: ModelSpec) -> None:
    whole = simulate("baseline", n_ou=4, n_site=2, n_month=8, wave_every=2, seed=1)
    rows = np.array([3, 9])
    panel = whole.without_outcome(rows)
    model = build_model(panel, spec)
    names = ["alpha", "beta", "lam", "tau", "mu_x_ou", "sigma_x", "sigma_meas", "sigma_y", "nu"]
    names = [name for name in names if name in model.named_vars]
    values = pm.draw([model[name] for name in names], draws=400, random_seed=1)
    dims = model.named_vars_to_dims
    posterior = xr.Dataset(
        {
            name: (("chain", "draw", *dims.get(name, ())), np.asarray(value)[None])
            for name, value in zip(names, values, strict=True)
        },
        coords={dim: list(labels) for dim, labels in model.coords.items()},
    )
    tree = xr.DataTree.from_dict({"posterior": posterior})
    made = Fit(panel=panel, spec=spec, sampling=Sampling(), tree=tree, key="")
    drawn = recover_latent(made, seed=2)
    assert np.isfinite(drawn).all()
    alone = conditional(made, outcome=False, rows=rows)
    z = ((drawn.isel(row=rows) - alone["mean"]) / alone["sd"]).to_numpy()
    assert abs(z.mean()) < 4 / np.sqrt(z.size)
    assert abs(z.std() - 1) < 4 / np.sqrt(2 * z.size)


# --- the band of one unit


def test_with_a_known_mean_precisions_add_up() -> None:
    """Where the unit's mean cannot be another, months are independent: ``eq-precision``."""
    given = band.Scales(sigma_mu_x=1e-6)
    seen = band.every(6, 24)
    found = band.known(band.unit(given), seen, 12, 0.4)
    wanted = missing.known_sd(given.sigma_x, given.sigma_meas, 12 * seen, given.sigma_y, 0.4)
    np.testing.assert_allclose(found.sd, wanted, rtol=1e-6)


def test_bands_hold_true_scores_as_often_as_they_should() -> None:
    seen, given = band.every(4, 12), band.Scales()
    apart = []
    for seed in range(400):
        made = band.unit(given, months=12, seed=seed)
        found = band.known(made, seen, 5, given.beta)
        apart.append((made.score - found.mean) / found.sd)
    for months in (seen, ~seen):
        values = np.array(apart)[:, months]
        assert values.mean() == pytest.approx(0, abs=0.07)
        assert values.std() == pytest.approx(1, abs=0.05)


def test_surveys_are_spread_over_the_months() -> None:
    assert band.every(0, 12).sum() == 0
    assert band.every(1, 12).all()
    assert list(np.flatnonzero(band.every(6, 12))) == [2, 8]


def test_scales_are_posterior_means(fitted: Fit) -> None:
    found = band.scales(fitted)
    assert found.sigma_x == pytest.approx(float(fitted.posterior["sigma_x"].mean()))
    assert found.beta == pytest.approx(float(fitted.posterior["mu_beta"].mean()))
    said = chapters.missing.sentences.scales(found)
    assert f"{found.sigma_y:.2f}; the slope begins" in said
