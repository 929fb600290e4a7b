"""Two levels of pooling: its numbers from draws made by hand, its figures and sentences."""

from __future__ import annotations

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from oulib import SITE, Panel, chapters, simulate
from oulib.chapters.sites.analysis import (
    NEW_SITE,
    NO_SITES,
    between_sites,
    estimates,
    newcomer,
    newcomers,
    shrinkage,
    site_means,
)
from oulib.panel.describe import ou_means, site_share
from oulib.posterior.estimate import Above, UnderTwo, above, against_replicates, under_two
from oulib.posterior.predict import new_ous


@pytest.fixture(scope="module")
def panel() -> Panel:
    return simulate("upgraded", n_ou=8, n_site=2, n_month=6, wave_every=2, seed=1)


def posterior(panel: Panel, *, sites: bool, draws: int = 4000) -> xr.Dataset:
    """Draws of the group effects: two sites at -1 and 1, OUs 0.5 apart, correlation 0.6."""
    rng = np.random.default_rng(0)

    def flat(value: object) -> tuple:
        return ("chain", "draw"), np.broadcast_to(value, (2, draws)).astype(float)

    corr = np.array([[1, 0.6], [0.6, 1]])
    where = np.array([-1.0, 1.0])[panel.site_idx]
    noise = 0.01 * rng.normal(size=(2, draws, 8))
    values = {"mu_alpha": flat(0.0), "mu_beta": flat(0.3), "mu_x": flat(0.1)}
    values["sigma_mu_x"] = flat(0.7)
    spread = (0.5, 0.2) if sites else (1.1, 0.6)
    effect = ("chain", "draw", "effect")
    square = (*effect, "effect_bis")
    values["sigma_ou"] = (effect, np.broadcast_to(spread, (2, draws, 2)))
    values["corr_ou"] = (square, np.broadcast_to(corr, (2, draws, 2, 2)))
    values["alpha"] = (("chain", "draw", "ou"), noise + (where if sites else 0.9 * where))
    values["beta"] = (("chain", "draw", "ou"), noise + 0.3)
    if sites:
        values["sigma_site"] = (effect, np.broadcast_to((1.0, 0.1), (2, draws, 2)))
        values["corr_site"] = (square, np.broadcast_to(np.eye(2), (2, draws, 2, 2)))
        of_site = np.broadcast_to([-1.0, 1.0], (2, draws, 2))
        values["alpha_site"] = (("chain", "draw", "site"), of_site)
        values["beta_site"] = (("chain", "draw", "site"), 0 * of_site)
    names = ["alpha", "beta"]
    return xr.Dataset(
        values, coords={"effect": names, "effect_bis": names, "ou": list(panel.ous)}
    ).assign_coords({"site": list(panel.sites)} if sites else {})


def fake(panel: Panel, *, sites: bool) -> SimpleNamespace:
    return SimpleNamespace(
        panel=panel, posterior=posterior(panel, sites=sites), spec=SITE.but(sites=sites)
    )


def test_share_between_sites(panel: Panel) -> None:
    share = between_sites(posterior(panel, sites=True))
    np.testing.assert_allclose(share.sel(effect="alpha"), 1 / 1.25)
    np.testing.assert_allclose(share.sel(effect="beta"), 0.2)


def test_ous_without_a_history(panel: Panel) -> None:
    """Moments of the predictive distribution: the site's mean, the OUs' covariance."""
    drawn = new_ous(fake(panel, sites=True), np.array([0, 1, -1]), seed=3)
    flat = {name: values.to_numpy().reshape(-1, 3) for name, values in drawn.items()}
    assert set(flat) == {"alpha", "beta", "mu_x_ou"}
    np.testing.assert_allclose(flat["alpha"].mean(axis=0), [-1, 1, 0], atol=0.06)
    np.testing.assert_allclose(flat["alpha"].std(axis=0), [0.5, 0.5, np.sqrt(1.25)], rtol=0.05)
    np.testing.assert_allclose(flat["beta"].std(axis=0), [0.2, 0.2, np.sqrt(0.05)], rtol=0.05)
    for i in (0, 1):
        assert np.corrcoef(flat["alpha"][:, i], flat["beta"][:, i])[0, 1] == pytest.approx(
            0.6, abs=0.04
        )
    np.testing.assert_allclose(flat["mu_x_ou"].mean(axis=0), 0.1, atol=0.04)
    np.testing.assert_allclose(flat["mu_x_ou"].std(axis=0), 0.7, rtol=0.05)
    # Two newcomers share nothing but their site's mean, which is the same in every draw here.
    assert abs(np.corrcoef(flat["alpha"][:, 0], flat["alpha"][:, 1])[0, 1]) < 0.05


def test_newcomers_by_site(panel: Panel) -> None:
    table = newcomers(fake(panel, sites=False), fake(panel, sites=True))
    assert list(table.index) == [*panel.sites, NEW_SITE, NO_SITES]
    assert table.loc[NO_SITES, "alpha_sd"] == pytest.approx(1.1, rel=0.05)
    assert table.loc[panel.sites[0], "alpha_sd"] == pytest.approx(0.5, rel=0.05)
    assert (table["beta_q5"] < table["beta_mean"]).all()
    text = chapters.sites.sentences.newcomer(newcomer(table))
    assert "removes 5" in text  # 1 - 0.5 / 1.1 is 55%
    wide = table.copy()
    wide.loc[list(panel.sites), ["alpha_sd", "beta_sd"]] = 2.0
    assert "wider" in chapters.sites.sentences.newcomer(newcomer(wide))
    wide.loc[list(panel.sites), ["alpha_sd", "beta_sd"]] = wide.loc[
        NO_SITES, ["alpha_sd", "beta_sd"]
    ].to_numpy()
    assert "next to nothing" in chapters.sites.sentences.newcomer(newcomer(wide))


def test_estimates_and_where_ous_are_drawn(panel: Panel) -> None:
    one, two = fake(panel, sites=False), fake(panel, sites=True)
    table = estimates(one, two)
    assert list(table.index) == list(panel.ous)
    assert list(table["site"]) == [panel.sites[s] for s in panel.site_idx]
    np.testing.assert_allclose(table["alpha_site"], site_means(two)["alpha"][0, 0, panel.site_idx])
    row = shrinkage(table).loc["alpha"]
    assert row["to_site_one"] == pytest.approx(0.1, abs=0.01)
    assert row["to_site_two"] == pytest.approx(0.0, abs=0.01)
    assert row["to_mean_one"] == pytest.approx(0.9, abs=0.01)
    assert row["error_two"] == pytest.approx(
        np.sqrt(np.mean((table["alpha_two"] - panel.truth["alpha"].to_numpy()) ** 2))
    )
    text = chapters.sites.sentences.where_to(shrinkage(table))
    assert "closer to their site" in text
    assert "Against the truth" in text
    swapped = shrinkage(table).rename(
        columns={"to_site_one": "to_site_two", "to_site_two": "to_site_one"}
    )
    assert "no closer to" in chapters.sites.sentences.where_to(swapped.drop(columns=["error_one"]))
    assert "truth" not in chapters.sites.sentences.where_to(swapped.drop(columns=["error_one"]))


def test_figures_are_drawn(panel: Panel) -> None:
    one, two = fake(panel, sites=False), fake(panel, sites=True)
    fig = chapters.sites.figures.two_levels(estimates(one, two), most=5)
    assert fig.axes[0].get_ylabel().startswith("intercept")
    assert [text.get_text() for text in fig.axes[1].get_xticklabels()] == list(panel.sites)
    fig = chapters.sites.figures.newcomers(newcomers(one, two), truth=panel.truth)
    assert [t.get_text() for t in fig.axes[0].get_yticklabels()] == [*panel.sites, NEW_SITE]
    share = between_sites(two.posterior)
    assert len(chapters.sites.figures.between_sites(share, share, share[0, 0]).axes) == 2
    values = {"one level": np.zeros(50), "two levels": np.linspace(0, 1, 50)}
    assert chapters.sites.figures.site_shares(0.4, values).axes[0].lines
    plt.close("all")


def test_units_are_drawn_at_their_sites(panel: Panel) -> None:
    means = ou_means(panel)
    ou, y = panel.rows["ou_idx"].to_numpy(), panel.rows["y"].to_numpy()
    np.testing.assert_allclose(means, [y[ou == g].mean() for g in range(8)])
    sites = np.array(panel.sites)[panel.site_idx]
    ax = chapters.sites.figures.means_by_site(means, sites).axes[0]
    of_site = {site: means[sites == site] for site in panel.sites}
    order = sorted(of_site, key=lambda site: of_site[site].mean())
    assert [tick.get_text() for tick in ax.get_xticklabels()] == order
    _, *dots = ax.lines  # the first is the mean of all
    for site, drawn in zip(order, dots, strict=True):
        np.testing.assert_array_equal(drawn.get_ydata(), of_site[site])
    fig = chapters.sites.figures.means_by_site(means, [f"$s_{g}$" for g in range(8)], most=5)
    fig.canvas.draw()
    assert len(fig.axes[0].get_xticklabels()) == 5
    plt.close("all")


def shares(low: float, high: float) -> xr.DataArray:
    values = np.random.default_rng(0).uniform(low, high, (2, 500, 2))
    return xr.DataArray(
        values, dims=("chain", "draw", "effect"), coords={"effect": ["alpha", "beta"]}
    )


def test_share_between_sites_in_words() -> None:
    prior = shares(0, 1)

    def facts(name: str, posterior: xr.DataArray) -> Above:
        return above(posterior.sel(effect=name), prior.sel(effect=name), 0.1)

    strong = chapters.sites.sentences.between("alpha", facts("alpha", shares(0.4, 0.7)))
    assert "strong evidence that sites differ in their intercepts" in strong
    assert "mostly the prior" not in strong
    weak = chapters.sites.sentences.between("beta", facts("beta", shares(0, 0.95)))
    assert "little evidence that sites differ in their slopes" in weak
    assert "mostly the prior" in weak
    none = chapters.sites.sentences.between("beta", facts("beta", shares(0, 0.09)))
    assert "evidence that sites hardly differ" in none


def test_facts_of_sites(panel: Panel) -> None:
    table = newcomers(fake(panel, sites=False), fake(panel, sites=True))
    alone = newcomer(table)["alpha"]
    assert alone.known == pytest.approx(float(table.loc[list(panel.sites), "alpha_sd"].mean()))
    assert (alone.one_level, alone.elsewhere) == (
        table.loc[NO_SITES, "alpha_sd"],
        table.loc[NEW_SITE, "alpha_sd"],
    )


def test_checks_of_sites_in_words() -> None:
    rng = np.random.default_rng(0)
    both = {"one level": rng.uniform(0, 0.2, 400), "two levels": rng.uniform(0.2, 0.8, 400)}

    def say(observed: float, shares: dict[str, np.ndarray]) -> str:
        found = {model: against_replicates(observed, each) for model, each in shares.items()}
        return chapters.sites.sentences.site_check(observed, found)

    text = say(0.5, both)
    assert "surprise" in text.partition("two levels")[0]
    assert "ordinary" in text.partition("two levels")[2]
    assert "as alike as these" in say(0.0, {"two levels": both["two levels"]})
    often_none = np.where(np.arange(200) % 3 == 0, 0.0, 0.2)
    assert "ordinary" in say(0.0, {"one level": often_none})
    assert "too few" in say(float("nan"), both)


def scales(mean: float) -> xr.Dataset:
    values = mean + 0.1 * np.random.default_rng(0).normal(size=(2, 500, 2))
    coords = {"effect": ["alpha", "beta"]}
    return xr.Dataset({"sigma_site": (("chain", "draw", "effect"), values)}, coords=coords)


def site_scales(posterior: dict[str, xr.Dataset]) -> UnderTwo:
    return under_two({prior: tree["sigma_site"] for prior, tree in posterior.items()}, "effect")


def test_priors_of_scales_in_words() -> None:
    same = {"half-normal": scales(0.5), "half-Student-t": scales(0.51)}
    assert site_scales(same).apart == pytest.approx(0.1, rel=0.05)
    assert list(site_scales(same).estimates["beta"]) == ["half-normal", "half-Student-t"]
    assert "does not matter here" in chapters.sites.sentences.scale_priors(site_scales(same))
    other = {"half-normal": scales(0.5), "half-Student-t": scales(0.7)}
    assert "the choice of the prior shows" in chapters.sites.sentences.scale_priors(
        site_scales(other)
    )


def test_site_share_of_a_replicate(panel: Panel) -> None:
    ou = panel.rows["ou_idx"].to_numpy()
    rng = np.random.default_rng(0)
    apart = 5.0 * panel.site_idx[ou] + 0.1 * rng.normal(size=ou.size)
    assert site_share(panel, apart) > 0.95
    assert site_share(panel) == pytest.approx(site_share(panel, panel.rows["y"].to_numpy()))


def test_labels_of_sites_stay_text() -> None:
    frame = pd.DataFrame({"site": ["$x_1$"], "alpha_two": [0.1], "alpha_one": [0.2]}, index=["a"])
    frame = frame.assign(alpha_site=0.1, alpha_mean=0.0, beta_one=0.0, beta_two=0.0)
    frame = frame.assign(beta_site=0.1, beta_mean=0.0)
    fig = chapters.sites.figures.two_levels(frame)
    fig.canvas.draw()
    assert fig.axes[1].get_xticklabels()[0].get_text() == r"\$x_1\$"
    plt.close("all")
