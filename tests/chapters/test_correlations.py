"""Correlated effects: prior draws against closed forms, numbers by hand, figures and sentences."""

from __future__ import annotations

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import integrate, stats

from oulib import BASELINE, Panel, chapters, simulate
from oulib.chapters.correlations import analysis as correlations
from oulib.model.groups import time
from oulib.posterior.checks import Check, Verdict
from oulib.posterior.estimate import UnderTwo, above, against_replicates, estimate, under_two

DRAWS = 20_000


@pytest.fixture(scope="module")
def drawn() -> dict[tuple[int, float], np.ndarray]:
    return correlations.prior_draws((2, 3, 5), (1, 2, 4, 8), draws=DRAWS, seed=1)


@pytest.fixture(scope="module")
def panel() -> Panel:
    size = {"n_ou": 8, "n_site": 2, "n_month": 12, "wave_every": 2}
    return simulate("baseline", **size, seed=1, sigma_trend=0.3)


def test_draws_are_correlation_matrices(drawn: dict[tuple[int, float], np.ndarray]) -> None:
    for (n, _), matrices in drawn.items():
        assert matrices.shape == (DRAWS, n, n)
        np.testing.assert_allclose(np.diagonal(matrices, axis1=1, axis2=2), 1.0)
        assert np.linalg.eigvalsh(matrices).min() > 0


def test_every_correlation_has_the_closed_form_marginal(
    drawn: dict[tuple[int, float], np.ndarray],
) -> None:
    """Beta(eta + (n - 2) / 2, the same) on (-1, 1), whichever the pair."""
    for (n, eta), matrices in drawn.items():
        a = eta + (n - 2) / 2
        for i, j in zip(*np.tril_indices(n, -1), strict=True):
            found = stats.kstest((matrices[:, i, j] + 1) / 2, stats.beta(a, a).cdf)
            assert found.pvalue > 1e-4, (n, eta, i, j)
        assert correlations.marginal(n, eta).std() == pytest.approx(1 / np.sqrt(2 * a + 1))
        assert correlations.marginal(n, eta).std() == pytest.approx(
            1 / np.sqrt(2 * eta + n - 1), rel=1e-12
        )


def test_determinants_have_the_closed_form_mean(
    drawn: dict[tuple[int, float], np.ndarray],
) -> None:
    for (n, eta), matrices in drawn.items():
        found = np.linalg.det(matrices)
        error = found.std() / np.sqrt(DRAWS)
        assert abs(found.mean() - correlations.mean_determinant(n, eta)) < 4.5 * error

    # In two dimensions the density is (1 - rho^2)^(eta - 1), and the determinant 1 - rho^2.
    def moment(power: float) -> float:
        return integrate.quad(lambda r: (1 - r * r) ** power, -1, 1)[0]

    for eta in (1, 2, 4, 8):
        exact = moment(eta) / moment(eta - 1)
        assert correlations.mean_determinant(2, eta) == pytest.approx(exact)


def test_the_three_dimensional_marginal_from_the_determinant() -> None:
    """Integrating |R|^(eta - 1) over the other two correlations on a grid gives the Beta."""
    eta = 3.0
    grid = np.linspace(-1, 1, 161)[1:-1]
    a, b, c = np.meshgrid(grid, grid, grid, indexing="ij")
    determinant = np.maximum(1 + 2 * a * b * c - a**2 - b**2 - c**2, 0)
    density = (determinant ** (eta - 1)).sum(axis=(1, 2))
    density /= density.sum() * (grid[1] - grid[0])
    np.testing.assert_allclose(density, correlations.marginal(3, eta).pdf(grid), atol=2e-3)


def test_prior_table(drawn: dict[tuple[int, float], np.ndarray]) -> None:
    table = correlations.prior_table(drawn)
    assert len(table) == 12
    np.testing.assert_allclose(table["sd"], table["sd_exact"], rtol=0.03)
    np.testing.assert_allclose(table["large"], table["large_exact"], atol=0.015)
    np.testing.assert_allclose(table["determinant"], table["determinant_exact"], atol=0.01)
    one = table[(table["n"] == 2) & (table["eta"] == 1)].iloc[0]
    assert one["large_exact"] == pytest.approx(0.5)  # flat on (-1, 1)


def test_transposes() -> None:
    sigma, corr = np.array([0.5, 0.2, 0.3]), np.eye(3)
    corr[0, 1] = corr[1, 0] = 0.6
    corr[0, 2] = corr[2, 0] = -0.4
    table = correlations.transposes(sigma, corr, seed=2)
    assert list(table.index) == ["(1, 1)", "(2, 1)", "(2, 2)", "(3, 1)", "(3, 2)", "(3, 3)"]
    assert table.loc["(2, 1)", "wanted"] == pytest.approx(0.5 * 0.2 * 0.6)
    assert table.loc["(3, 3)", "wanted"] == pytest.approx(0.09)
    np.testing.assert_allclose(table["z @ L.T"], table["wanted"], atol=2e-3)
    np.testing.assert_allclose(table["z @ L"], table["L.T @ L"], atol=2e-3)
    assert (table["z @ L"] - table["wanted"]).abs().max() > 0.02
    # L^T L by hand: its (1, 1) is the squared length of the first column of L, not sigma_1^2.
    assert table.loc["(1, 1)", "L.T @ L"] == pytest.approx(0.25 + 0.12**2 + 0.12**2)


def fake(panel: Panel, *, shift: float = 0.0, corr: float | None = 0.4) -> SimpleNamespace:
    """Draws by hand: slopes at 0.3 + shift * place, sd 0.1; correlation sd 0.1; three effects."""
    rng, shape = np.random.default_rng(0), (2, 1000)
    effects = ["alpha", "beta", "trend"]

    def dims(*more: str) -> tuple[str, ...]:
        return ("chain", "draw", *more)

    place = np.arange(8)
    values = {
        "mu_alpha": (dims(), np.full(shape, 0.5)),
        "mu_beta": (dims(), np.full(shape, 0.3)),
        "alpha": (dims("ou"), 0.5 + place + 0.1 * rng.normal(size=(*shape, 8))),
        "beta": (dims("ou"), 0.3 + shift * place + 0.1 * rng.normal(size=(*shape, 8))),
        "sigma_ou": (dims("effect"), np.broadcast_to([0.5, 0.2, 0.3], (*shape, 3))),
    }
    if corr is not None:
        square = np.broadcast_to(np.eye(3), (*shape, 3, 3)).copy()
        drawn = corr + 0.1 * rng.normal(size=shape)
        square[..., 0, 1] = square[..., 1, 0] = drawn
        values["corr_ou"] = (dims("effect", "effect_bis"), square)
    coords = {"effect": effects, "effect_bis": effects, "ou": list(panel.ous)}
    spec = BASELINE.but(trend=True, correlated=corr is not None)
    return SimpleNamespace(panel=panel, posterior=xr.Dataset(values, coords=coords), spec=spec)


def test_moves_and_sensitivity(panel: Panel) -> None:
    fits = {
        "one": fake(panel),
        "two": fake(panel, shift=0.01, corr=0.0),
        "free": fake(panel, corr=None),
    }
    moved = correlations.moves(fits, "one")
    assert list(moved.index) == list(panel.ous)
    np.testing.assert_allclose(moved["alpha"], np.arange(8), atol=0.02)
    np.testing.assert_allclose(moved["two"], 0.01 * np.arange(8), atol=1e-9)
    np.testing.assert_allclose(moved["free"], 0, atol=1e-9)
    table = correlations.sensitivity(fits, "one")
    assert table.loc["one", "moved_most"] == 0
    assert table.loc["two", "moved_most"] == pytest.approx(0.7, rel=0.05)
    assert table.loc["two", "moved"] == pytest.approx(0.35, rel=0.05)
    assert table.loc["two", "most"] == panel.ous[-1]
    assert table.loc["one", "corr"] == pytest.approx(0.4, abs=0.01)
    assert table.loc["one", "per_sd"] == pytest.approx(0.08, abs=0.002)
    assert table.loc["free", "corr"] == table.loc["free", "per_sd"] == 0
    truth = panel.truth["beta"].to_numpy()
    mean = fits["two"].posterior["beta"].mean(("chain", "draw")).to_numpy()
    assert table.loc["two", "error"] == pytest.approx(np.sqrt(np.mean((mean - truth) ** 2)))


def test_what_correlation_lends_to_a_slope() -> None:
    """``per_sd`` is the regression of slopes on standardised intercepts in the population."""
    rng = np.random.default_rng(0)
    sigma, rho = np.array([0.5, 0.2]), 0.6
    factor = sigma[:, None] * np.linalg.cholesky(np.array([[1, rho], [rho, 1]]))
    alpha, beta = (rng.standard_normal((200_000, 2)) @ factor.T).T
    assert np.polyfit(alpha / sigma[0], beta, 1)[0] == pytest.approx(rho * sigma[1], rel=0.02)
    left = beta - rho * sigma[1] / sigma[0] * alpha
    assert left.std() == pytest.approx(sigma[1] * np.sqrt(1 - rho**2), rel=0.01)


def test_pairs_of_three_effects(panel: Panel) -> None:
    table = correlations.pairs(fake(panel))
    assert list(table.index) == ["alpha, beta", "alpha, trend", "beta, trend"]
    assert table.loc["alpha, beta", "sd"] == pytest.approx(0.1, rel=0.05)
    assert table["prior_sd"].iloc[0] == pytest.approx(1 / np.sqrt(6))  # n = 3, eta = 2
    assert table["truth"].iloc[0] == pytest.approx(float(panel.truth["corr_ou"][0, 1]))
    assert (correlations.trend_scale(fake(panel).posterior) == 0.3).all()
    without = SimpleNamespace(
        panel=simulate("baseline", n_ou=8, n_site=2, n_month=12, wave_every=2, seed=1),
        posterior=fake(panel).posterior,
        spec=BASELINE.but(trend=True),
    )
    found = correlations.pairs(without)["truth"]  # a truth of two effects knows one pair
    assert found.notna().tolist() == [True, False, False]


def test_trend_spread_against_regressions(panel: Panel) -> None:
    """The same by a least-squares fit for each OU, with a gap in the panel."""
    keep = np.ones(panel.rows.sizes["row"], dtype=bool)
    keep[[3, 17, 18]] = False
    some = panel.select_rows(keep)
    ou, month = (some.rows[name].to_numpy() for name in ("ou_idx", "month_idx"))
    y = some.rows["y"].to_numpy()
    left = y - np.array([y[month == m].mean() for m in range(12)])[month]
    at = time(some)
    slopes = [np.polyfit(at[month[ou == g]], left[ou == g], 1)[0] for g in range(8)]
    assert correlations.trend_spread(some, y) == pytest.approx(np.std(slopes))
    both = correlations.trend_spread(some, np.array([y, 2 * y]))
    np.testing.assert_allclose(both, [np.std(slopes), 2 * np.std(slopes)])
    # Without the gap, trends that are exactly there are found, less their common part.
    full_ou, full_month = (panel.rows[name].to_numpy() for name in ("ou_idx", "month_idx"))
    exact = np.arange(8.0)[full_ou] * at[full_month]
    assert correlations.trend_spread(panel, exact) == pytest.approx(np.std(np.arange(8)))


def test_figures_are_drawn(panel: Panel, drawn: dict[tuple[int, float], np.ndarray]) -> None:
    fig = chapters.correlations.figures.prior_marginals(drawn)
    assert [ax.get_title() for ax in fig.axes] == ["$J = 2$", "$J = 3$", "$J = 5$"]
    fits = {"a": fake(panel), "b": fake(panel, shift=0.01)}
    draws = {label: correlations.correlation(fit).to_numpy() for label, fit in fits.items()}
    priors = {label: correlations.marginal(2, eta) for label, eta in zip(fits, (1, 8), strict=True)}
    fig = chapters.correlations.figures.by_eta(draws, priors, correlations.moves(fits, "a"))
    assert len(fig.axes[1].lines) == 2  # zero, and one set of moves
    few = {pair: np.linspace(-0.5, 0.5, 200) for pair in ("alpha, beta", "$x$", "beta, trend")}
    fig = chapters.correlations.figures.few_ous(
        few, correlations.marginal(3, 2), {"alpha, beta": 0.3}
    )
    fig.canvas.draw()
    titles = [ax.get_title() for ax in fig.axes]
    assert titles == [r"$C_{\alpha\beta}$", r"corr_ou[\$x\$]", r"$C_{\beta\xi}$"]
    assert [len(ax.lines) for ax in fig.axes] == [2, 1, 1]  # the prior, and a truth where known
    spreads = {"a": np.linspace(0.1, 0.2, 50), "b": np.linspace(0.2, 0.4, 50)}
    fig = chapters.correlations.figures.trend_spreads(
        {"one": (0.3, spreads), "two": (0.1, spreads)}
    )
    assert [ax.get_title() for ax in fig.axes] == ["one", "two"]
    plt.close("all")


def verdict(passed: bool, *, inapplicable: str = "") -> Verdict:
    check = Check(name="r_hat", value=1.0, threshold=1.01, passed=passed)
    return Verdict(model="m", checks=() if inapplicable else (check,), inapplicable=inapplicable)


def test_other_fits_in_words() -> None:
    text = chapters.correlations.sentences.others({"a": verdict(True), "b": verdict(True)})
    assert text == "All 2 other fits passed the same checks."
    text = chapters.correlations.sentences.others(
        {"a": verdict(True), "b*": verdict(False), "c": verdict(True, inapplicable="no")}
    )
    assert "b&#42; failed its checks (R-hat)" in text
    assert "c was not fitted" in text
    assert chapters.correlations.sentences.others({"a": verdict(True)}).startswith("The other fit")


def test_the_sign_of_a_correlation_in_words() -> None:
    rng = np.random.default_rng(0)

    def draws(mean: float) -> xr.DataArray:
        return xr.DataArray(mean + 0.1 * rng.normal(size=(2, 500)), dims=("chain", "draw"))

    assert "strong evidence that intercepts and slopes are positively" in (
        chapters.correlations.sentences.correlation(estimate(draws(0.5)))
    )
    assert "are negatively correlated" in chapters.correlations.sentences.correlation(
        estimate(draws(-0.5))
    )
    assert "The sign of the correlation of intercepts and slopes is not settled" in (
        chapters.correlations.sentences.correlation(estimate(draws(0.0)))
    )


def rows(corr: tuple[float, float, float], most: float, moved: float, error: float) -> pd.DataFrame:
    table = pd.DataFrame(
        {"corr": corr, "per_sd": [0.02, 0.015, 0.01], "sd": [0.1, 0.1, 0.11]},
        index=["eta 1", "eta 2", "eta 8"],
    )
    table["corr_q5"], table["corr_q95"] = table["corr"] - 0.329, table["corr"] + 0.329
    return table.assign(
        moved=[moved, 0, moved], moved_most=[most, 0, most], most="OU_1", error=[0.1, 0.1, error]
    )


def test_eta_in_words() -> None:
    still = chapters.correlations.sentences.by_eta(rows((0.3, 0.3, 0.3), 0.1, 0.05, 0.1), "eta 2")
    assert "The data decide it" in still
    assert "no slope would be read differently" in still
    assert "hardly a difference" in still
    a_few = chapters.correlations.sentences.by_eta(rows((0.4, 0.3, 0.1), 0.5, 0.1, 0.2), "eta 2")
    assert "does not overrule the prior" in a_few
    assert "moves by 1.5 of its posterior" in a_few
    assert "a few units notice" in a_few
    assert "OU&#95;1" in a_few
    moved = rows((0.4, 0.3, 0.1), 0.9, 0.4, 0.05)
    assert "partly the prior" in chapters.correlations.sentences.by_eta(moved, "eta 2")
    assert "eta 8 is 50% closer" in chapters.correlations.sentences.by_eta(moved, "eta 2")
    worse = rows((0.4, 0.3, 0.1), 0.9, 0.4, 0.2).assign(error=[0.2, 0.1, 0.2])
    assert "none of the others is smaller" in chapters.correlations.sentences.by_eta(worse, "eta 2")
    blind = chapters.correlations.sentences.by_eta(moved.drop(columns="error"), "eta 2")
    assert "truth" not in blind


def test_independence_in_words() -> None:
    table = rows((0.3, 0.3, 0.0), 0.1, 0.05, 0.1)
    assert "(10% more)" in chapters.correlations.sentences.independent(table, "eta 2", "eta 8")
    assert "(9% less)" in chapters.correlations.sentences.independent(table, "eta 8", "eta 2")
    assert "hardly a difference" in chapters.correlations.sentences.independent(
        table, "eta 2", "eta 1"
    )


def scales(mean: float, effects: tuple[str, ...] = ("alpha", "beta", "trend")) -> xr.Dataset:
    values = mean + 0.1 * np.random.default_rng(0).normal(size=(2, 500, len(effects)))
    dims = ("chain", "draw", "effect")
    return xr.Dataset({"sigma_ou": (dims, values)}, coords={"effect": list(effects)})


def of_ous(posterior: dict[str, xr.Dataset]) -> UnderTwo:
    return under_two({prior: tree["sigma_ou"] for prior, tree in posterior.items()}, "effect")


def test_priors_of_scales_in_words() -> None:
    same = {"half-normal": scales(0.5), "half-Student-t": scales(0.51)}
    assert "does not matter here" in chapters.correlations.sentences.scales(of_ous(same))
    assert "scale of the units' trends is 0.5" in chapters.correlations.sentences.scales(
        of_ous(same)
    )
    other = {"half-normal": scales(0.5), "half-Student-t": scales(0.7)}
    assert "half-normal and half-Student-t shows" in chapters.correlations.sentences.scales(
        of_ous(other)
    )


def test_few_ous_in_words() -> None:
    table = pd.DataFrame(
        {"sd": 0.38, "prior_sd": 0.41, "distance": 0.1, "q5": -0.5, "q95": 0.7, "truth": 0.3},
        index=["alpha, beta", "alpha, trend", "beta, trend"],
    )
    text = chapters.correlations.sentences.few(correlations.few(table), 7)
    assert "All of them are mostly the prior" in text
    assert "hold 3 of 3 true" in text
    assert "1.20 wide" in text
    some = table.assign(distance=[0.1, 0.7, 0.7], truth=[0.9, 0.3, 0.3])
    assert "1 of them is mostly the prior" in chapters.correlations.sentences.few(
        correlations.few(some), 7
    )
    assert "hold 2 of 3 true" in chapters.correlations.sentences.few(correlations.few(some), 7)
    two = table.assign(distance=[0.1, 0.1, 0.7])
    assert "2 of them are mostly" in chapters.correlations.sentences.few(correlations.few(two), 7)
    none = table.assign(distance=0.7).drop(columns="truth")
    assert "moved or narrowed every one" in chapters.correlations.sentences.few(
        correlations.few(none), 40
    )
    assert "true" not in chapters.correlations.sentences.few(correlations.few(none), 40)


def test_trends_in_words() -> None:
    rng = np.random.default_rng(0)
    prior = np.abs(rng.normal(size=4000))

    def say(posterior: np.ndarray) -> str:
        return chapters.correlations.sentences.trends(
            above(posterior, prior, correlations.RELEVANT)
        )

    there = say(rng.normal(0.3, 0.02, 4000))
    assert "strong evidence that units have trends of their own" in there
    gone = say(np.abs(rng.normal(0, 0.02, 4000)))
    assert "strong evidence that units hardly drift apart" in gone
    between = say(rng.normal(0.11, 0.02, 4000))
    assert "little evidence that units have trends of their own" in between


def test_trend_check_in_words() -> None:
    values = {"base*line": np.linspace(0.1, 0.2, 100), "trend": np.linspace(0.2, 0.4, 100)}

    def say(observed: float, where: str) -> str:
        found = {model: against_replicates(observed, each) for model, each in values.items()}
        return chapters.correlations.sentences.trend_check(observed, found, where)

    text = say(0.3, "the demonstration")
    assert "drift further apart than it expects" in text
    assert "base&#42;line" in text
    assert text.endswith("it produces units that drift apart like this.")
    assert "stay closer together than it expects" in say(0.05, "the panel")


def test_facts_of_trends_and_of_pairs() -> None:
    table = pd.DataFrame(
        {"sd": 0.2, "prior_sd": 0.4, "distance": [0.1, 0.7], "q5": -0.5, "q95": [0.7, 0.5]},
        index=["alpha, beta", "beta, trend"],
    )
    pairs = correlations.few(table)
    assert (pairs.left["beta, trend"], pairs.distance["beta, trend"]) == (0.5, 0.7)
    assert (pairs.width, pairs.inside) == (pytest.approx(1.1), None)
    assert correlations.few(table.assign(truth=0.6)).inside == 1
