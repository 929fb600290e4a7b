"""Monte Carlo error and variational fits, against normals whose answers are known."""

from __future__ import annotations

import html
from dataclasses import replace
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from scipy import stats

from oulib import BASELINE, Panel, chapters, report, simulate
from oulib.chapters.inference import analysis as inference
from oulib.chapters.inference import forms
from oulib.chapters.inference.analysis import Approximation
from oulib.posterior import ranks
from oulib.posterior.checks import Check, Verdict

R = 0.8
"""Correlation of the two coordinates of the test's posterior."""


def draws(values: np.ndarray, name: str = "mu_beta") -> xr.Dataset:
    return xr.Dataset({name: (("chain", "draw"), values)})


def normal_draws(
    rng: np.random.Generator, scale: float = 1.0, shift: float = 0.0, n: int = 4000
) -> xr.Dataset:
    return draws(shift + scale * rng.standard_normal((4, n)))


@pytest.fixture(scope="module")
def panel() -> Panel:
    return simulate("baseline", n_ou=6, n_site=2, n_month=6, wave_every=2, seed=1)


def test_labels_are_those_of_the_summaries(panel: Panel) -> None:
    """Against the labels of ``words.truth_series``, which the summaries' tests hold to ArviZ's."""
    names = ["mu_beta", "sigma_ou", "corr_ou", "beta", "lam"]
    flat = ranks.by_label(panel.truth, names)
    known = report.truth_series(panel.truth, names)
    redundant = ["corr_ou[alpha, alpha]", "corr_ou[beta, alpha]", "corr_ou[beta, beta]"]
    pd.testing.assert_series_equal(
        flat.to_series(), known.drop(redundant), check_names=False, check_index_type=False
    )
    sampled = panel.truth[names].expand_dims(chain=2, draw=3)
    again = ranks.by_label(sampled, names)
    assert again.dims == ("chain", "draw", "parameter")
    np.testing.assert_array_equal(again[1, 2], flat)


def test_ranks_of_chains_that_agree_and_of_one_that_does_not() -> None:
    rng = np.random.default_rng(0)
    good = rng.standard_normal((4, 2000))
    share = ranks.ranks(xr.DataArray(good, dims=("chain", "draw")))
    np.testing.assert_allclose(share.mean("bin"), 1)
    np.testing.assert_allclose(share.mean("chain"), 1)
    band = ranks.rank_band(4, 2000)
    assert band[0] < 1 < band[1]
    outside = inference.outside({("a", "x"): share}, {"a": band})["a"]
    assert 0.0 <= outside < 0.25
    bad = good.copy()
    bad[0] += 1.5
    share = ranks.ranks(xr.DataArray(bad, dims=("chain", "draw")))
    assert share[0, -1] > 2
    assert share[0, 0] < 0.5
    assert inference.outside({("a", "x"): share}, {"a": band})["a"] > 0.7


def test_the_band_holds_nine_bars_of_ten() -> None:
    rng = np.random.default_rng(1)
    low, high = ranks.rank_band(4, 200, bins=10)
    inside = [
        float(((share >= low) & (share <= high)).mean())
        for share in (
            ranks.ranks(xr.DataArray(rng.random((4, 200)), dims=("chain", "draw")), bins=10)
            for _ in range(200)
        )
    ]
    assert 0.88 < np.mean(inside) < 0.95  # counts are whole numbers: a little more than 0.9


def test_monte_carlo_error_of_independent_and_of_correlated_draws() -> None:
    rng = np.random.default_rng(2)
    names = [f"OU-{i}" for i in range(60)]

    def tree(values: np.ndarray) -> xr.Dataset:
        return xr.Dataset({"beta": (("chain", "draw", "ou"), values)}, coords={"ou": names})

    reference = tree(3 * rng.standard_normal((4, 8000, 60)))
    sizes = [50, 200, 800]
    table = inference.monte_carlo_error(
        tree(3 * rng.standard_normal((4, 800, 60))), reference, sizes
    )
    assert list(table.index) == [200, 800, 3200]
    exact = 1 / np.sqrt(table.index.to_numpy())
    np.testing.assert_allclose(table["mean_mcse"], exact, rtol=0.1)
    np.testing.assert_allclose(table["mean"], exact, rtol=0.35)
    # A quantile's standard error is sqrt(p (1 - p) / S) over the density there.
    density = stats.norm.pdf(stats.norm.ppf(0.05))
    np.testing.assert_allclose(
        table["quantile_mcse"], np.sqrt(0.05 * 0.95) / density * exact, rtol=0.25
    )
    phi = 0.8
    slow = rng.standard_normal((4, 3200, 60))
    for t in range(1, 3200):
        slow[:, t] = phi * slow[:, t - 1] + np.sqrt(1 - phi**2) * slow[:, t]
    table = inference.monte_carlo_error(tree(3 * slow), reference, [800, 3200])
    effective = table.index.to_numpy() * (1 - phi) / (1 + phi)
    np.testing.assert_allclose(table["mean_mcse"], 1 / np.sqrt(effective), rtol=0.15)


def test_the_power_of_a_power_law() -> None:
    errors = pd.Series(3 * np.array([10.0, 100, 1000]) ** -0.5, index=[10, 100, 1000])
    assert inference.exponent(errors) == pytest.approx(-0.5)


def approximation(posterior: xr.Dataset, ratio: np.ndarray | None = None) -> Approximation:
    ratio = np.zeros(100) if ratio is None else ratio
    return Approximation(posterior, np.zeros(10), ratio, 1.0)


def test_an_approximation_that_is_narrow_and_shifted(panel: Panel) -> None:
    rng = np.random.default_rng(3)
    nuts = SimpleNamespace(posterior=normal_draws(rng, n=20_000), panel=panel)
    found = approximation(normal_draws(rng, scale=0.5, shift=0.3, n=20_000))
    row = inference.against(found, nuts, ["mu_beta"]).loc["mu_beta"]
    assert row["sd_ratio"] == pytest.approx(0.5, rel=0.02)
    assert row["shift"] == pytest.approx(0.3, abs=0.02)
    half = 0.5 * stats.norm.ppf(0.95)
    assert row["held"] == pytest.approx(
        stats.norm.cdf(0.3 + half) - stats.norm.cdf(0.3 - half), abs=0.01
    )
    true = float(panel.truth["mu_beta"])
    assert row["inside"] == (0.3 - half < true < 0.3 + half)
    assert row["inside_nuts"] == (abs(true) < stats.norm.ppf(0.95))
    real = SimpleNamespace(posterior=nuts.posterior, panel=replace(panel, truth=None))
    assert "inside" not in inference.against(found, real, ["mu_beta"])
    means = inference.by_variable({"a": inference.against(found, real, ["mu_beta"])})
    assert means.loc["mu_beta", "a"] == pytest.approx(0.5, rel=0.02)


def test_pareto_k_tells_a_narrow_approximation() -> None:
    rng = np.random.default_rng(4)

    def k(scale: float) -> float:
        x = scale * rng.standard_normal((4000, 2))
        ratio = stats.norm.logpdf(x).sum(1) - stats.norm.logpdf(x, scale=scale).sum(1)
        return inference.pareto_k(approximation(draws(x.T), ratio))

    assert k(1.3) < 0.5  # wider than the target: bounded weights
    assert k(0.4) > 0.7


@pytest.fixture(scope="module")
def variational() -> dict[str, xr.DataTree]:
    """ADVI of two correlated normals and of a half-normal scale, in both families."""
    found = {}
    for method in ("advi", "fullrank_advi"):
        with pm.Model() as model:
            pm.MvNormal("pair", mu=[1.0, -1.0], cov=[[1.0, R], [R, 1.0]])
            pm.HalfNormal("sigma_y", 2.0)
        found[method] = inference._variational(model, method, 6000, 0.02, 4000, 5)
    return found


def test_mean_field_holds_the_others_fixed(variational: dict[str, xr.DataTree]) -> None:
    """Equation ``eq-mean-field``, and the gap of the ELBO in closed form."""
    posterior = variational["advi"]["posterior"].to_dataset()
    assert posterior["pair"].dims[:2] == ("chain", "draw")
    assert posterior["pair"].sizes["chain"] == 1
    np.testing.assert_allclose(posterior["pair"].mean(("chain", "draw")), [1, -1], atol=0.06)
    sd = posterior["pair"].std(("chain", "draw")).to_numpy()
    np.testing.assert_allclose(sd, np.sqrt(1 - R**2), rtol=0.08)
    assert float(posterior["sigma_y"].min()) > 0


def test_full_rank_keeps_the_correlation(variational: dict[str, xr.DataTree]) -> None:
    pair = variational["fullrank_advi"]["posterior"]["pair"].to_numpy()[0]
    np.testing.assert_allclose(np.cov(pair.T), [[1, R], [R, 1]], atol=0.12)


def test_the_ratios_average_to_the_evidence(variational: dict[str, xr.DataTree]) -> None:
    """E_q[p / q] is the integral of p: one here, for nothing is observed."""
    for method, tolerance in (("advi", 0.2), ("fullrank_advi", 0.05)):
        ratio = variational[method]["optimiser"]["log_ratio"].to_numpy()
        assert np.exp(ratio).mean() == pytest.approx(1.0, abs=tolerance)
    # The ELBO lies below the log evidence, 0, by the divergence of the pair and of the scale.
    gap = {m: -float(t["optimiser"]["log_ratio"].mean()) for m, t in variational.items()}
    assert gap["advi"] - gap["fullrank_advi"] == pytest.approx(-0.5 * np.log(1 - R**2), abs=0.05)
    elbo = variational["advi"]["optimiser"]["elbo"].to_numpy()
    assert elbo.size == 6000
    assert elbo[-1000:].mean() == pytest.approx(-gap["advi"], abs=0.1)


def test_a_seed_gives_the_same_approximation(variational: dict[str, xr.DataTree]) -> None:
    with pm.Model() as model:
        pm.MvNormal("pair", mu=[1.0, -1.0], cov=[[1.0, R], [R, 1.0]])
        pm.HalfNormal("sigma_y", 2.0)
    again = inference._variational(model, "advi", 6000, 0.02, 4000, 5)
    xr.testing.assert_equal(
        again["posterior"].to_dataset(), variational["advi"]["posterior"].to_dataset()
    )


def test_a_funnel_is_about_one_row(panel: Panel) -> None:
    row = inference.tightest_row(panel)
    assert panel.rows["respondents"][row] == panel.rows["respondents"].max()
    rng = np.random.default_rng(6)
    x = rng.standard_normal((2, 5, panel.rows.sizes["row"]))
    posterior = xr.Dataset(
        {
            "x_star": (("chain", "draw", "row"), x),
            "sigma_meas": (("chain", "draw"), np.full((2, 5), np.e)),
        },
        coords={"row": panel.rows.get_index("row")},
    )
    stats_ = xr.Dataset({"diverging": (("chain", "draw"), np.zeros((2, 5), bool))})
    fit = SimpleNamespace(
        panel=panel,
        spec=BASELINE.but(latent="explicit"),
        posterior=posterior,
        tree=xr.DataTree.from_dict({"posterior": posterior, "sample_stats": stats_}),
    )
    tree = inference.score_funnel(fit, row)
    np.testing.assert_allclose(tree["log_scale"], 1.0)
    np.testing.assert_allclose(tree["gap"], x[..., row] - float(panel.rows["x"][row]))


def test_a_funnel_of_an_intercept() -> None:
    values = {
        "sigma_ou": (("chain", "draw", "effect"), np.full((2, 5, 2), [np.e, 7.0])),
        "alpha": (("chain", "draw", "ou"), np.full((2, 5, 2), [1.0, 4.0])),
        "mu_alpha": (("chain", "draw"), np.full((2, 5), 1.5)),
    }
    posterior = xr.Dataset(values, coords={"effect": ["alpha", "beta"], "ou": ["a", "b"]})
    stats_ = xr.Dataset({"diverging": (("chain", "draw"), np.eye(2, 5, dtype=bool))})
    tree = xr.DataTree.from_dict({"posterior": posterior, "sample_stats": stats_})
    found = inference.group_funnel(SimpleNamespace(posterior=posterior, tree=tree), "b")
    np.testing.assert_allclose(found["log_scale"], 1.0)
    np.testing.assert_allclose(found["gap"], 2.5)
    assert int(found["diverging"].sum()) == 2


def verdict(**failed: float) -> Verdict:
    values = {
        "r_hat": 1.002,
        "ess_bulk": 2000.0,
        "ess_tail": 1500.0,
        "divergences": 0.0,
        "bfmi": 0.8,
    }
    limits = {"r_hat": 1.01, "ess_bulk": 400.0, "ess_tail": 400.0, "divergences": 0.0, "bfmi": 0.3}
    return Verdict(
        "m",
        tuple(
            Check(
                name=name, value=failed.get(name, value), threshold=limits[name],
                passed=name not in failed,
            )
            for name, value in values.items()
        ),
    )  # fmt: skip


def test_signs_in_words() -> None:
    good = chapters.inference.sentences.signs(verdict(), "Good")
    assert "no check failed" in good
    assert "2,000" in good
    bad = chapters.inference.sentences.signs(verdict(r_hat=1.4, divergences=12.0), "Bad")
    assert "it fails on R-hat 1.40 (limit 1.01) and divergences 12 (limit 0)" in bad
    assert "and passes on bulk ESS" in bad


def test_a_form_is_as_fast_as_its_slowest_parameter() -> None:
    speeds = pd.DataFrame(
        {"form": ["b", "b", "a", "a"], "ess_per_second": [30.4, 20.0, 7.0, 500.0]}
    )
    found = forms.slowest(speeds)
    assert found == {"b": 20.0, "a": 7.0}
    failed = Check(name="r_hat", value=1.7, threshold=1.01, passed=False)
    text = chapters.inference.sentences.forms(
        found, {"a": Verdict("a", ()), "b": Verdict("b", (failed,))}
    )
    assert text == (
        "The a form was sampled properly; its slowest hyperparameter gets 7 effective draws a "
        "second. The b form fails the gate (R-hat); its slowest hyperparameter gets 20 effective "
        "draws a second."
    )
    slow = chapters.inference.sentences.forms({"a": 0.042}, {"a": Verdict("a", ())})
    assert "gets 0.04 effective draws" in slow


def test_means_are_apart_in_sds_and_in_errors() -> None:
    labels = ["a", "b_1", "c"]
    one = pd.DataFrame({"mean": [0.0, 1.0, 2.0], "sd": 0.5, "mcse_mean": [0.03, 0.3, 0.0]})
    other = pd.DataFrame({"mean": [0.1, 1.5, 9.0], "sd": 0.5, "mcse_mean": [0.04, 0.4, 0.0]})
    found = forms.means_apart(one.set_axis(labels), other.set_axis(labels))
    assert found.parameters == 2  # c has no error to count in
    assert (found.where, found.worst) == ("a", pytest.approx(2.0))
    assert (found.sds, found.errors) == pytest.approx((1.0, 1.5))
    text = html.unescape(chapters.inference.sentences.agreement(found))
    assert text == (
        "The posterior means of 2 parameters differ between the two forms by at most 1.00 "
        "posterior standard deviations. The median difference is 1.5 Monte Carlo standard errors, "
        "the largest 2.0, in a."
    )


def funnel(low: float, where: np.ndarray | None = None) -> xr.Dataset:
    noise = np.linspace(low, 1, 1000)
    bad = np.zeros(1000, bool) if where is None else where
    values = {"log_scale": noise, "gap": 0 * noise, "diverging": bad}
    return xr.Dataset({n: (("chain", "draw"), v[None]) for n, v in values.items()})


def test_divergences_in_words() -> None:
    neck, everywhere = np.arange(1000) < 20, np.arange(1000) % 50 == 0
    text = chapters.inference.sentences.divergences(
        inference.divergences(funnel(0.0, neck), funnel(-1.0))
    )
    assert "20 transitions of 1,000 diverged, 100%" in text
    assert "funnel is narrow" in text
    assert "missing" in text
    text = chapters.inference.sentences.divergences(
        inference.divergences(funnel(-1.0, everywhere), funnel(-1.0))
    )
    assert "not sit in the neck alone" in text
    assert "about its share" in text
    text = chapters.inference.sentences.divergences(
        inference.divergences(funnel(-5.0), funnel(-1.0))
    )
    assert "No transition diverged" in text
    assert "stuck" in text


def errors(power: float, floor: float = 0.0) -> pd.DataFrame:
    index = pd.Index([100, 400, 1600], name="draws")
    values = floor + index.to_numpy(float) ** power
    mcse = index.to_numpy(float) ** power
    return pd.DataFrame(
        {"mean": values, "mean_mcse": mcse, "quantile": 2 * values, "quantile_mcse": 2 * mcse},
        index=index,
    )


def test_monte_carlo_error_in_words() -> None:
    for power, said in ((-0.5, "square root"), (-0.1, "not the power")):
        table = errors(power)
        powers = {name: inference.exponent(table[name]) for name in ("mean", "quantile")}
        assert said in chapters.inference.sentences.falling(table, powers)
    text = chapters.inference.sentences.falling(errors(-0.5), {"mean": -0.5, "quantile": -0.5})
    assert "is 1.00 to 1.00 times" in text
    assert "no number of draws" in chapters.inference.sentences.floor(
        errors(-0.5), errors(-0.5, 0.4)
    )
    assert "hardly shows" in chapters.inference.sentences.floor(errors(-0.5), errors(-0.5, 0.01))


def test_precision_in_words() -> None:
    table = pd.DataFrame({"mcse_mean": [0.01, 0.02], "sd": [1.0, 1.0]}, index=["a", "b_c"])
    text = chapters.inference.sentences.precision(inference.precision(table))
    assert "2% at most" in text
    assert "b&#95;c" in text
    assert "two digits" in text
    assert "still moving" in chapters.inference.sentences.precision(
        inference.precision(table.assign(sd=0.1))
    )


def sds(table: pd.DataFrame, form: str) -> str:
    found = inference.sds(table, list(chapters.inference.sentences.GROUPS))
    return chapters.inference.sentences.sds(found, form)


def ratios(scale: float, truth: bool = True) -> pd.DataFrame:
    index = ["mu_beta", "sigma_ou[alpha]", "sigma_ou[beta]", "beta[a]", "beta[b]", "beta[c]"]
    table = pd.DataFrame({"sd_ratio": scale, "shift": 0.1, "held": min(0.9, scale)}, index=index)
    table.loc["mu_beta", "shift"] = -0.5
    return table.assign(inside=scale > 0.8, inside_nuts=True) if truth else table


def test_variational_errors_in_words() -> None:
    text = sds(ratios(0.6), "mean-field")
    assert "the average slope 0.60" in text
    assert "0.60 in the median" in text
    assert "6 have a standard deviation more than a tenth too small and 0" in text
    assert "by 0.50 at most, for mu&#95;beta" in text
    assert "and 6 one more than a tenth too large" in sds(ratios(1.3), "x")
    narrow = chapters.inference.sentences.held(inference.held(ratios(0.6)), "mean-field")
    assert "worse than none" in narrow
    assert "0 lie inside its intervals and 3 inside those by NUTS" in narrow
    right = chapters.inference.sentences.held(inference.held(ratios(1.0, truth=False)), "full-rank")
    assert "None of them is far" in right
    assert "true" not in right


def test_facts_of_approximations() -> None:
    found = inference.sds(ratios(0.6), ["beta", "absent"])
    assert found.groups == {"beta": inference.Ratios({f"beta[{k}]": 0.6 for k in "abc"}, 0.6)}
    assert (found.parameters, found.low, found.high) == (6, 6, 0)
    assert (found.shift, found.most_shift, found.shifted) == (0.1, 0.5, "mu_beta")
    assert inference.held(ratios(0.6)).true_slopes == inference.Inside(3, 0, 3)
    assert inference.held(ratios(0.6)).true == inference.Inside(6, 0, 6)
    assert inference.held(ratios(1.0, truth=False)).true is None
    table = pd.DataFrame({"mcse_mean": [0.01, 0.03], "sd": [1.0, 1.0]}, index=["a", "b"])
    assert inference.precision(table) == inference.Precision(2, 0.02, 0.03, "b")
    neck = inference.divergences(funnel(0.0, np.arange(1000) < 20), funnel(-1.0))
    assert (neck.transitions, neck.diverging, neck.below, neck.visited) == (1000, 20, 1.0, 0.0)


def test_trust_in_words() -> None:
    text = chapters.inference.sentences.trusted({"mean-field": 1.3, "full-rank": 0.4})
    assert "rules out the mean-field fit." in text
    assert "None is above" in chapters.inference.sentences.trusted({"full-rank": 0.4})
    assert "rules out" in chapters.inference.sentences.trusted({"mean-field": float("inf")})


def test_ranks_and_replicates_in_words() -> None:
    assert "12% (careless)" in chapters.inference.sentences.ranks({"careless": 0.12})
    assert "no difference" in chapters.inference.sentences.replicates(
        {"NUTS": 0.9, "mean-field": 0.89}
    )
    assert "reaches the data" in chapters.inference.sentences.replicates(
        {"NUTS": 0.9, "mean-field": 0.7}
    )


def test_figures_are_drawn() -> None:
    rng = np.random.default_rng(7)
    share = ranks.ranks(xr.DataArray(rng.random((4, 100)), dims=("chain", "draw")), bins=5)
    shares = {(fit, p): share for fit in ("a", "b$x$") for p in ("mu_beta", "sigma_y", "nu")}
    fig = chapters.inference.figures.ranks(shares, {"a": (0.8, 1.2), "b$x$": (0.8, 1.2)})
    assert len(fig.axes) == 6
    assert fig.axes[3].get_ylabel() == r"b\$x\$"
    fig.canvas.draw()
    fig = chapters.inference.figures.funnels(
        {"good": funnel(-1.0), "bad": funnel(0.0, np.arange(1000) < 9)},
        xlabel="gap",
        ylabel="scale",
    )
    assert [len(ax.lines) for ax in fig.axes] == [1, 2]
    fig = chapters.inference.figures.monte_carlo_error(errors(-0.5))
    assert len(fig.axes[0].lines) == 5
    fig = chapters.inference.figures.monte_carlo_error(
        errors(-0.5), {"mean-field": errors(-0.5, 0.4)}
    )
    assert len(fig.axes[0].lines) == 4
    fig = chapters.inference.figures.elbo(
        {"mean-field": -1000 / np.arange(1, 2001), "full-rank": np.zeros(50)}
    )
    assert len(fig.axes[0].lines) == 2
    fig = chapters.inference.figures.approximations(
        {"mean-field": ratios(0.6), "full-rank": ratios(1.0)}, most=2
    )
    assert len(fig.axes[0].get_yticklabels()) == 5
    fig.canvas.draw()
    plt.close("all")
