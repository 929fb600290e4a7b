"""Heavy tails: weights of rows against their definition, and sentences at both outcomes."""

from __future__ import annotations

import html

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib import pyplot as plt
from scipy import integrate, stats

from oulib import STUDENT_T, Fit, Sampling, chapters, report, simulate
from oulib.chapters.student_t import analysis
from oulib.panel import describe
from oulib.posterior import latent, predict
from oulib.posterior.checks import summarise, worst_place
from oulib.posterior.estimate import above, against_replicates, estimate

DRAWS = 60
SAMPLES = ("chain", "draw")


@pytest.fixture(scope="module")
def known() -> Fit:
    """A Student-t fit whose every draw is the truth the panel was simulated from."""
    panel = simulate("upgraded", n_ou=6, n_site=2, n_month=24, wave_every=3, seed=5)
    names = ("alpha", "beta", "lam", "tau", "mu_x_ou", "sigma_x", "sigma_meas", "sigma_y", "nu")
    assert panel.truth is not None
    draws = panel.truth[list(names)].expand_dims(chain=2, draw=DRAWS)
    # The model fixes gamma_x at 0.2; the recipe did not.
    draws = draws.assign(tau=draws["tau"] * float(panel.truth["gamma_x"]) / 0.2)
    return Fit(panel, STUDENT_T, Sampling(), xr.DataTree.from_dict({"posterior": draws}), "")


@pytest.fixture(autouse=True)
def close_figures() -> None:
    yield
    plt.close("all")


def weight_by_sum(fit: Fit, row: int) -> tuple[float, float]:
    """Weight and residual of a row from its definition, summed over a grid of scores."""
    p, rows = fit.posterior.isel(chain=0, draw=0), fit.panel.rows.isel(row=row)
    g, t = int(rows["ou_idx"]), int(rows["month_idx"])
    m = float(p["mu_x_ou"][g] + 0.2 * p["tau"][t])
    x = np.linspace(m - 8 * float(p["sigma_x"]), m + 8 * float(p["sigma_x"]), 20001)
    nu, sigma = float(p["nu"]), float(p["sigma_y"])
    z = (float(rows["y"]) - float(p["alpha"][g] + p["lam"][t]) - float(p["beta"][g]) * x) / sigma
    density = stats.norm.pdf(x, m, float(p["sigma_x"])) * stats.t.pdf(z, nu)
    if bool(rows["observed"]):
        noise = float(p["sigma_meas"]) / np.sqrt(max(int(rows["respondents"]), 1))
        density = density * stats.norm.pdf(float(rows["x"]), x, noise)
    density = density / integrate.trapezoid(density, x)
    weight = integrate.trapezoid(density * (nu + 1) / (nu + z**2), x)
    return float(weight), float(integrate.trapezoid(density * z, x))


def test_weights_are_those_of_their_definition(known: Fit) -> None:
    found = latent.row_weights(known, draws=2 * DRAWS, seed=1)
    expected = np.array([weight_by_sum(known, i) for i in range(found.sizes["row"])])
    # Means of 120 draws: of a weight, whose sd is below 0.4, and of a residual, below 1.
    assert np.abs(found["weight"].to_numpy() - expected[:, 0]).max() < 0.15
    assert np.abs(found["residual"].to_numpy() - expected[:, 1]).max() < 0.4
    table = latent.outlying(known, found, most=5)
    assert list(table["weight"]) == sorted(table["weight"])
    assert table["weight"].iloc[0] == float(found["weight"].min())
    rows = known.panel.rows.isel(row=table.index.to_numpy())
    assert list(table["unit"]) == list(rows["ou"].to_numpy())
    assert list(table["outcome"]) == list(rows["y"].to_numpy())


def test_an_outcome_pulls_its_score_towards_what_explains_it(known: Fit) -> None:
    weights = latent.row_weights(known, seed=1)
    blind = np.flatnonzero(~known.panel.rows["observed"].to_numpy())
    pull = latent.pull(known, blind, seed=1)
    slope = known.panel.truth["beta"].to_numpy()[known.panel.rows["ou_idx"].to_numpy()[blind]]
    expected = np.sign(slope * weights["residual"].to_numpy()[blind])
    clear = np.abs(pull) > 0.25
    assert clear.sum() > 20
    assert np.mean(np.sign(pull)[clear] == expected[clear]) > 0.95


def test_the_worst_place_is_where_r_hat_is_largest(fitted: Fit) -> None:
    place = worst_place(fitted, "beta")
    values = summarise(fitted)["r_hat"].filter(like="beta[")
    assert values.idxmax() == f"beta[{place}]"
    assert place in fitted.panel.ous


def test_months_drawn_anew_are_other_months(fitted: Fit) -> None:
    month = fitted.panel.rows["month_idx"].to_numpy()
    effect = fitted.posterior["lam"].mean(SAMPLES).to_numpy()

    def resemblance(anew: tuple[str, ...]) -> float:
        y = predict.replicate(fitted, draws=60, seed=1, anew=anew)["productivity"].to_numpy()
        means = np.array([np.bincount(month, weights=row) / np.bincount(month) for row in y])
        return float(np.mean([np.corrcoef(row, effect)[0, 1] for row in means]))

    assert resemblance(()) > 0.9
    assert abs(resemblance(("lam",))) < 0.15


def test_statistics_of_a_replicate(known: Fit) -> None:
    panel = known.panel
    y = panel.rows["y"].to_numpy()
    assert describe.tails(panel, y) == describe.tails(panel)
    assert describe.month_autocorrelation(panel, y) == describe.month_autocorrelation(panel)
    wild = y.copy()
    wild[:3] += 50 * y.std()
    assert describe.tails(panel, wild).beyond >= 3
    rising = panel.rows["month_idx"].to_numpy().astype(float)
    assert describe.month_autocorrelation(panel, rising) == pytest.approx(1.0)


def chains(*centres: float) -> xr.DataArray:
    rng = np.random.default_rng(0)
    values = np.array([rng.normal(c, 0.1, 500) for c in centres])
    return xr.DataArray(values, dims=SAMPLES)


def test_signs_of_chains() -> None:

    def say(label: str, draws: xr.DataArray, r_hat: float, divergences: int) -> str:
        found = analysis.signs_by_chain(draws)
        return chapters.student_t.sentences.signs_by_chain(label, found, r_hat, divergences)

    two = say("the slope", chains(1, -1, 1, 1), 1.6, 0)
    assert "Of 4 chains, 3 stayed above zero and 1 below. " in two
    assert "not one divergence" in two
    assert "two modes, one of each sign" in two
    agreed = say("the slope", chains(1, 1, 1, 1), 1.0, 2)
    assert "2 divergences" in agreed
    assert "chains agree" in agreed
    assert "two modes" not in agreed
    assert "visited both sides" in say("it", chains(0, 0, 1, 1), 1.2, 0)
    assert "did not see what the others saw" in say("it", chains(0, 0, 1, 1), 1.2, 0)
    assert "wandered" in say("it", chains(0, 0, 0, 0), 1.2, 0)


def test_a_settled_slope() -> None:
    inside = report.settled("it", estimate(chains(1, 1)), 1.0, 1.0)
    assert "lies inside" in inside
    assert "The chains agree." in inside
    assert "lies outside" in report.settled("it", estimate(chains(1, 1)), 1.0, 3.0)
    assert "true value" not in report.settled("it", estimate(chains(1, 1)), 1.0)
    assert "do not agree either" in report.settled("it", estimate(chains(1, -1)), 1.5)


def test_tails_follow_the_degrees_of_freedom() -> None:
    rng = np.random.default_rng(1)
    prior = 2 + rng.exponential(15, 20_000)
    heavy = chapters.student_t.sentences.heavy_tails(above(rng.normal(4, 0.5, 4000), prior, at=10))
    assert "strong evidence of tails heavier" in heavy
    assert "was 0.41 before the data and is above 0.99" in heavy
    light = chapters.student_t.sentences.heavy_tails(
        above(2.4 + rng.exponential(15, 4000), prior, at=10)
    )
    assert "little evidence of tails heavier" in light
    assert "mostly the prior" in light
    moved = chapters.student_t.sentences.heavy_tails(
        above(8 + rng.exponential(15, 4000), prior, at=10)
    )  # as wide, and elsewhere
    assert "mostly the prior" not in moved
    none = chapters.student_t.sentences.heavy_tails(
        above(12 + rng.exponential(20, 4000), prior, at=10)
    )
    assert "strong evidence against tails much heavier than normal" in none
    assert "prior" not in none
    assert "open" in chapters.student_t.sentences.heavy_tails(
        above(2 + rng.exponential(13.5, 4000), prior, at=10)
    )
    sharp = chapters.student_t.sentences.heavy_tails(above(rng.normal(30, 2, 4000), prior, at=10))
    assert "strong evidence against" in sharp
    assert "prior" not in sharp
    assert "weak indications" in chapters.student_t.sentences.heavy_tails(
        above(rng.normal(8.8, 1, 4000), prior, at=10)
    )


def slopes(beta: list[float], half: float) -> pd.DataFrame:
    value = np.array([0.0, *beta])
    index = ["(mean)", *(f"OU_{i}" for i in range(len(beta)))]
    return pd.DataFrame(
        {"beta": value, "beta_q5": value - half, "beta_q95": value + half}, index=index
    )


def test_slopes_before_and_after() -> None:
    models = ("baseline", "student_t")

    def say(lower: pd.DataFrame, upper: pd.DataFrame, models: tuple[str, str]) -> str:
        found = analysis.slopes_moved(lower, upper)
        return chapters.student_t.sentences.slopes_moved(found, models)

    text = html.unescape(say(slopes([0.1, 0.9], 0.2), slopes([0.1, 0.2], 0.1), models))
    assert "50% narrower under student_t than under baseline" in text
    assert "that of OU_1, from 0.90 to 0.20" in text
    assert "For 1 unit the two intervals do not overlap" in text
    text = say(slopes([0.1, 0.2], 0.2), slopes([0.1, 0.25], 0.2), models)
    assert "about as well" in text
    assert "No slope moved so far" in text
    assert "wider" in say(slopes([0.1], 0.1), slopes([0.1], 0.2), models)


def test_rows_of_small_weight() -> None:
    ou, month = (
        np.repeat([f"OU-{i}" for i in range(20)], 30),
        np.tile(np.arange(30).astype(str), 20),
    )
    ordinary = np.full(600, 1.05)
    assert "little evidence of single extraordinary" in chapters.student_t.sentences.outlying_rows(
        analysis.light_rows(ordinary, ou, month)
    )
    spread = ordinary.copy()
    spread[np.arange(0, 600, 61)] = 0.2
    text = chapters.student_t.sentences.outlying_rows(analysis.light_rows(spread, ou, month))
    assert text.startswith("10 rows (2% of all) have a weight below 0.5; the smallest is 0.20.")
    assert "as chance would" in text
    one_ou = ordinary.copy()
    one_ou[60:68] = 0.1
    text = html.unescape(
        chapters.student_t.sentences.outlying_rows(analysis.light_rows(one_ou, ou, month))
    )
    assert "8 of them belong to OU-2, more than chance explains" in text
    single = ordinary.copy()
    single[7] = 0.1
    assert "1 row (less than 1% of all) has" in chapters.student_t.sentences.outlying_rows(
        analysis.light_rows(single, ou, month)
    )
    assert "chance explains" not in chapters.student_t.sentences.outlying_rows(
        analysis.light_rows(single, ou, month)
    )


def test_what_outliers_do_to_scores() -> None:
    far, near = np.array([1.0, -1.0]), np.array([0.2, -0.2])
    assert "does not explain an accident by a mood" in chapters.student_t.sentences.pulled(
        analysis.pull(near, far)
    )
    assert "much alike" in chapters.student_t.sentences.pulled(analysis.pull(near, near))
    assert "believes these outcomes more" in chapters.student_t.sentences.pulled(
        analysis.pull(far, near)
    )
    assert "nothing to compare" in chapters.student_t.sentences.pulled(analysis.pull(near, None))


def test_counts_beyond_are_judged_against_replicates() -> None:
    replicated = list(range(20, 60))
    assert "surprise" in chapters.student_t.sentences.beyond_check(
        "a_b", against_replicates(90, replicated)
    )
    assert "a&#95;b" in chapters.student_t.sentences.beyond_check(
        "a_b", against_replicates(90, replicated)
    )
    assert "ordinary" in chapters.student_t.sentences.beyond_check(
        "m", against_replicates(40, replicated)
    )
    assert "more outliers than there are" in chapters.student_t.sentences.beyond_check(
        "m", against_replicates(3, replicated)
    )


def test_facts_are_counts_and_averages() -> None:
    found = analysis.signs_by_chain(chains(1, -1, 0))
    assert (found.chains, found.above, found.below) == (3, 1, 1)
    found = analysis.slopes_moved(slopes([0.1, 0.9], 0.2), slopes([0.1, 0.2], 0.1))
    assert found.width == pytest.approx(0.5)
    assert (found.ou, found.before, found.after, found.apart) == ("OU_1", 0.9, 0.2, 1)
    found = analysis.pull(np.array([1.0, -3.0]), np.array([0.5, -0.5]))
    assert (found.rows, found.heavy, found.normal) == (2, 2.0, 0.5)
    weights = np.array([0.1, 0.2, 1.0, 1.1])
    found = analysis.light_rows(weights, list("aabb"), list("wxyz"), below=0.5)
    assert (found.rows, found.light, found.smallest, found.gathered) == (4, 2, 0.1, ())


def test_figures_show_what_they_are_given() -> None:
    pair = {"before": chains(1, -1, 1), "after": chains(1, 1, 1)}
    fig = report.by_chain(pair, xlabel="slope", truth=1.0)
    assert [ax.get_title() for ax in fig.axes] == ["before", "after"]
    assert len(fig.axes[0].lines) == 3 + 2  # chains, zero, truth
    assert [t.get_text() for t in fig.legends[0].get_texts()][-1] == "truth"
    assert len(report.by_chain(pair, xlabel="slope").axes[1].lines) == 3 + 1

    loading = np.linspace(0.1, 3, 5)
    fig = chapters.student_t.figures.quadrature_errors(
        loading, {"a": loading, "b": 0 * loading}, 1e-3
    )
    assert fig.axes[0].get_yscale() == "log"
    assert len(fig.axes[0].lines) == 3

    tables = slopes([0.3, -0.2, 0.1], 0.2), slopes([0.2, -0.1, 0.1], 0.1)
    fig = report.slopes_of_two(*tables, ("a", "b"), np.zeros(3))
    labels = [t.get_text() for t in fig.legends[0].get_texts()]
    assert labels == ["a, 90%", "b, 90%", "truth"]
    shown = [line for line in fig.axes[0].lines if line.get_label() == "b, 90%"]
    np.testing.assert_allclose(shown[0].get_ydata(), [-0.1, 0.1, 0.2])

    fig = chapters.student_t.figures.row_weights(np.array([-5.0, 0.1]), np.array([0.2, 1.2]), 4.0)
    curve = fig.axes[0].lines[0]
    np.testing.assert_allclose(curve.get_ydata()[np.argmin(np.abs(curve.get_xdata()))], 1.25, 0.01)

    fig = report.replicated_statistic({"a": [1, 2, 3], "b": [2, 3, 4]}, 9, xlabel="count")
    assert fig.axes[0].lines[0].get_xdata()[0] == 9
    assert fig.axes[0].get_xlim()[1] > 9
