"""The gate: passes a good fit, and fails bad ones for the right reason at the right place."""

from __future__ import annotations

import json
from dataclasses import replace

import arviz as az
import numpy as np
import pytest
import xarray as xr
from conftest import DRAWS

from oulib import AR1, BASELINE, MODELS, ROBUST, SITE, UPGRADED, build_model, check, simulate
from oulib.model.draws.names import COORDINATES, NAMES
from oulib.posterior.checks import ADEQUACY, Thresholds, labels_in, summarise
from oulib.report import chapter
from oulib.sampling.diagnostics import summary

ALL = ["r_hat", "ess_bulk", "ess_tail", "divergences", "bfmi", "tree_depth", "signs"]


def spoilt(fit, change):
    """A copy of ``fit`` whose posterior and sample statistics ``change`` may alter in place."""
    posterior, stats = (
        fit.tree[group].to_dataset().copy(deep=True) for group in ("posterior", "sample_stats")
    )
    change(posterior, stats)
    tree = fit.tree.copy()
    tree["posterior"], tree["sample_stats"] = xr.DataTree(posterior), xr.DataTree(stats)
    return replace(fit, tree=tree)


def failures(fit, change):
    return {c.name: c for c in check(spoilt(fit, change)).failed}


def test_a_good_fit_passes(fitted):
    verdict = check(fitted)
    assert verdict.passed
    assert verdict.failed == ()
    assert [c.name for c in verdict.checks] == ALL
    assert all(c.passed and c.where == () and c.advice for c in verdict.checks)
    value = {c.name: c.value for c in verdict.checks}
    assert 1 <= value["r_hat"] <= 1.01
    assert value["divergences"] == value["tree_depth"] == 0
    assert 0.3 < value["bfmi"] < 2
    content = json.loads(json.dumps(verdict.to_dict(), allow_nan=False))
    assert content["passed"] is True
    assert content["model"] == "baseline"
    assert [c["name"] for c in content["checks"]] == [*ALL, *ADEQUACY]
    assert verdict.to_frame().index.tolist() == [*ALL, *ADEQUACY]


def test_values_are_the_worst_over_all_public_scalars(fitted):
    """Against ArviZ variable by variable."""
    posterior = fitted.posterior
    names = [*("mu_alpha", "mu_beta", "sigma_ou", "alpha", "beta", "lam", "tau", "mu_x")]
    names += ["sigma_mu_x", "mu_x_ou", "sigma_x", "sigma_meas", "sigma_y"]
    value = {c.name: c.value for c in check(fitted).checks}
    worst = {"r_hat": [], "ess_bulk": [], "ess_tail": []}
    off_diagonal = posterior["corr_ou"].sel(effect="alpha", effect_bis="beta")
    for draws in [posterior[name] for name in names] + [off_diagonal]:
        worst["r_hat"].append(float(np.max(az.rhat(draws))))
        worst["ess_bulk"].append(float(np.min(az.ess(draws))))
        worst["ess_tail"].append(float(np.min(az.ess(draws, method="tail", prob=(0.05, 0.95)))))
    assert value["r_hat"] == pytest.approx(max(worst["r_hat"]))
    assert value["ess_bulk"] == pytest.approx(min(worst["ess_bulk"]))
    assert value["ess_tail"] == pytest.approx(min(worst["ess_tail"]))


def test_summary_labels_are_where_the_numbers_belong(fitted, panel):
    table, posterior = summarise(fitted), fitted.posterior
    for name, dim, labels in (
        ("alpha", "ou", panel.ous),
        ("beta", "ou", panel.ous),
        ("lam", "month", panel.months),
        ("sigma_ou", "effect", ("alpha", "beta")),
    ):
        for label in labels:
            draws = posterior[name].sel({dim: label}).to_numpy()
            row = table.loc[f"{name}[{label}]"]
            assert row["mean"] == pytest.approx(draws.mean())
            assert row["sd"] == pytest.approx(draws.std(ddof=1), rel=1e-3)
            assert row["q5"] == pytest.approx(np.quantile(draws, 0.05), abs=1e-2)
            assert row["q95"] == pytest.approx(np.quantile(draws, 0.95), abs=1e-2)
    assert "corr_ou[alpha, beta]" in table.index
    assert table.index.is_unique
    assert not any(label.startswith(("z_", "level_ou", "chol", "signed")) for label in table.index)
    columns = ["mean", "sd", "mcse_mean", "q5", "q95", "ess_bulk", "ess_tail", "r_hat"]
    assert list(table) == columns


def scalars(chains: int, draws: int) -> xr.Dataset:
    """Draws that autocorrelate to every degree, and some that no formula likes."""
    rng = np.random.default_rng([chains, draws])
    phi = np.linspace(-0.9, 0.999, 60)
    z = rng.standard_normal((chains, draws, phi.size))
    for t in range(1, draws):
        z[:, t] = phi * z[:, t - 1] + np.sqrt(1 - phi**2) * z[:, t]
    z[..., 5] = 3.0  # a constant
    z[0, 3, 6] = np.nan
    z[..., 8] = np.round(z[..., 8])  # ties
    z[0, :, 9] += 3
    z[..., 10] = np.where(np.arange(draws) % 2, 1.0, -1.0)
    z[0, :, 11] = 1.0  # one chain that is stuck
    square = np.ones((chains, draws, 2, 2))
    square[..., 0, 1] = square[..., 1, 0] = rng.random((chains, draws))
    return xr.Dataset(
        {
            "alpha": (("chain", "draw", "ou"), z),
            "mu_beta": (("chain", "draw"), z[..., 20]),
            "corr_ou": (("chain", "draw", "effect", "effect_bis"), square),
        },
        coords={
            "ou": [f"OU-{i}" for i in range(phi.size)],
            "effect": ["alpha", "beta"],
            "effect_bis": ["alpha", "beta"],
        },
    )


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("chains", "draws"), [(4, 500), (3, 301), (2, 40), (4, 9), (4, 8), (2, 2000)]
)
def test_the_summary_is_arviz_s(chains, draws):
    """All scalars at once, against ArviZ one by one."""
    posterior = scalars(chains, draws)
    found = summary(posterior)
    names = ["mu_beta", "corr_ou", "alpha"]  # in the order of oulib.diagnostics.NAMES
    expected = az.summary(
        posterior[names], ci_prob=0.9, ci_kind="eti", round_to="none", kind="all"
    ).astype(float)
    tail = az.ess(posterior[names], method="tail", prob=(0.05, 0.95))
    expected["ess_tail"] = np.concatenate([np.ravel(tail[name]) for name in names])
    assert found.index.tolist() == expected.index.tolist()
    theirs = {"q5": "eti90_lb", "q95": "eti90_ub"}
    for column in found:
        np.testing.assert_allclose(
            found[column], expected[theirs.get(column, column)], rtol=1e-9, err_msg=column
        )


def test_a_single_chain_has_no_r_hat():
    found = summary(scalars(1, 300))
    assert found["r_hat"].isna().all()
    assert found.loc["mu_beta", "ess_bulk"] > 100


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_infinite_draws_have_no_diagnostics():
    posterior = scalars(4, 300)
    posterior["mu_beta"][1, 4] = np.inf
    found = summary(posterior).loc["mu_beta"]
    assert found[["mcse_mean", "ess_bulk", "ess_tail", "r_hat"]].isna().all()


def test_chains_that_disagree(fitted):
    def change(posterior, stats):
        draws = posterior["beta"]
        draws[dict(chain=2, ou=4)] += 4 * draws.isel(ou=4).std()

    failed = failures(fitted, change)
    assert failed["r_hat"].where == ("beta[OU-05]",)
    assert failed["r_hat"].value > 1.1
    assert set(failed) <= {"r_hat", "ess_bulk", "ess_tail"}
    assert all(c.where == ("beta[OU-05]",) for c in failed.values())


def test_chains_of_unequal_width(fitted):
    """Same mean, other spread: only a folded R-hat sees it."""

    def change(posterior, stats):
        draws = posterior["lam"]
        centre = draws.isel(month=3).mean()
        draws[dict(chain=0, month=3)] = centre + 4 * (draws.isel(chain=0, month=3) - centre)

    assert failures(fitted, change)["r_hat"].where == ("lam[2022-04]",)


def test_worst_place_is_named_first(fitted):
    def change(posterior, stats):
        for ou, shift in ((2, 1.0), (7, 5.0), (9, 2.0)):
            draws = posterior["alpha"]
            draws[dict(chain=1, ou=ou)] += shift * draws.isel(ou=ou).std()

    assert failures(fitted, change)["r_hat"].where == (
        "alpha[OU-08]",
        "alpha[OU-10]",
        "alpha[OU-03]",
    )


def test_chains_that_crawl(fitted):
    """The right distribution, strongly autocorrelated."""

    def change(posterior, stats):
        rng = np.random.default_rng(0)
        path = rng.normal(size=(4, DRAWS))
        for i in range(1, DRAWS):
            path[:, i] = 0.95 * path[:, i - 1] + np.sqrt(1 - 0.95**2) * path[:, i]
        posterior["mu_x"][:] = path

    failed = failures(fitted, change)
    assert failed["ess_bulk"].where == ("mu_x",)
    assert failed["ess_bulk"].value < 400
    assert failed["ess_bulk"].threshold == 400


def test_tails_seldom_visited(fitted):
    """Draws without autocorrelation whose size changes seldom: bulk fine, tails not."""

    def change(posterior, stats):
        rng = np.random.default_rng(1)
        wide = np.zeros((4, DRAWS), dtype=bool)
        for chain in range(4):  # one visit a chain, of an eighth of its draws
            wide[chain, chain * DRAWS // 5 :][: DRAWS // 8] = True
        posterior["mu_x"][:] = rng.normal(size=(4, DRAWS)) * np.where(wide, 3.0, 0.3)

    failed = failures(fitted, change)
    assert failed["ess_tail"].where == ("mu_x",)
    assert failed["ess_tail"].value < 400
    assert "ess_bulk" not in failed


def test_tail_size_is_that_of_the_reported_quantiles(fitted):
    """ArviZ's own is that of 11% and 89%."""
    table, posterior = summarise(fitted), fitted.posterior
    places = [("mu_beta", {}), ("beta", {"ou": "OU-09"}), ("lam", {"month": "2023-02"})]
    for name, place in places:
        label = name + "".join(f"[{v}]" for v in place.values())
        draws = posterior[name].sel(place)
        expected = float(az.ess(draws, method="tail", prob=(0.05, 0.95)))
        assert table.loc[label, "ess_tail"] == pytest.approx(expected)


def test_divergences(fitted):
    def change(posterior, stats):
        stats["diverging"][dict(chain=3, draw=[10, 20])] = True

    failed = failures(fitted, change)
    assert set(failed) == {"divergences"}
    assert failed["divergences"].value == 2


def test_low_energy_information(fitted):
    def change(posterior, stats):
        walk = np.cumsum(np.random.default_rng(0).normal(size=DRAWS))
        stats["energy"][dict(chain=2)] = walk

    failed = failures(fitted, change)
    assert set(failed) == {"bfmi"}
    assert failed["bfmi"].where == ("chain 2",)
    assert failed["bfmi"].value < 0.3


def test_saturated_trees(fitted):
    def change(posterior, stats):
        stats["maxdepth_reached"][dict(chain=0, draw=5)] = True

    failed = failures(fitted, change)
    assert set(failed) == {"tree_depth"}
    assert failed["tree_depth"].value == 1


def test_statistics_under_pymcs_names(fitted):
    def change(posterior, stats):
        stats["reached_max_treedepth"] = stats["maxdepth_reached"].copy()
        del stats["maxdepth_reached"]

    assert failures(fitted, change) == {}

    def saturate(posterior, stats):
        change(posterior, stats)
        stats["reached_max_treedepth"][dict(chain=0, draw=5)] = True

    assert set(failures(fitted, saturate)) == {"tree_depth"}


def test_statistics_under_numpyros_names(fitted):
    def change(posterior, stats):
        del stats["maxdepth_reached"]
        stats["tree_depth"] = xr.full_like(stats["diverging"], 4, dtype=int)

    assert failures(fitted, change) == {}


def test_threshold_of_the_effective_size_counts_chains(fitted):
    half = replace(
        fitted,
        sampling=replace(fitted.sampling, chains=2),
        tree=spoilt(fitted, lambda p, s: None).tree.isel(chain=[0, 1]),
    )
    limits = {c.name: c.threshold for c in check(half).checks}
    assert limits["ess_bulk"] == limits["ess_tail"] == 200
    limits = {c.name: c.threshold for c in check(fitted).checks}
    assert limits["ess_bulk"] == limits["ess_tail"] == 400


def test_stricter_thresholds_name_who_falls_short(fitted):
    table = summarise(fitted).drop(index="corr_ou[beta, alpha]")  # the same number once more
    level = float(table["ess_bulk"].nsmallest(3).iloc[-1]) + 0.5
    verdict = check(fitted, Thresholds(ess_per_chain=level / 4, r_hat=0.5, bfmi=9))
    failed = {c.name: c for c in verdict.failed}
    assert failed["ess_bulk"].where == tuple(table["ess_bulk"].nsmallest(3).index)
    assert failed["bfmi"].where == ("chain 0", "chain 1", "chain 2", "chain 3")
    assert len(failed["r_hat"].where) > 80


def test_constant_diagonal_of_a_correlation_is_no_failure(fitted):
    diagonal = fitted.posterior["corr_ou"].sel(effect="alpha", effect_bis="alpha")
    assert float(diagonal.std()) < 1e-12
    assert not any("corr_ou[alpha, alpha]" in c.where for c in check(fitted).checks)


BROKEN = {
    "a draw that is not a number": (0, 5, np.nan),
    "a draw that is infinite": (0, 5, np.inf),
    "draws that are not numbers": (slice(None), slice(None), np.nan),
    "all chains stuck at one value": (slice(None), slice(None), 0.3),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("case", BROKEN)
def test_broken_draws(fitted, case):
    chain, draw, value = BROKEN[case]

    def change(posterior, stats):
        posterior["mu_beta"][dict(chain=chain, draw=draw)] = value

    failed = failures(fitted, change)
    assert "r_hat" in failed
    assert failed["r_hat"].where == ("mu_beta",)


def test_one_chain_stuck(fitted):
    def change(posterior, stats):
        posterior["mu_beta"][dict(chain=1)] = float(posterior["mu_beta"][1, 0])

    assert "mu_beta" in failures(fitted, change)["r_hat"].where


def test_energy_that_never_moves(fitted):
    def change(posterior, stats):
        stats["energy"][dict(chain=1)] = 1.0

    with np.errstate(invalid="ignore"):
        failed = failures(fitted, change)
    assert "bfmi" in failed


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_energy_that_never_moves_is_reported(fitted):
    def change(posterior, stats):
        stats["energy"][dict(chain=1)] = 1.0

    bad = spoilt(fitted, change)
    json.dumps(check(bad).to_dict(), allow_nan=False)
    assert failures(fitted, change)["bfmi"].where == ("chain 1",)


def test_a_variant_is_fitted_where_its_base_passed(fitted):
    """And nothing is sampled where it did not: the reason stands in the fit's place."""
    here = chapter.Chapter(fitted.panel, fitted.sampling)
    stuck = spoilt(fitted, lambda posterior, _: posterior["mu_x"].__setitem__(0, 9.0))
    varied = fitted.spec.but(name="varied")
    left_out = here.variant(stuck, varied)
    assert isinstance(left_out, chapter.Inapplicable)
    assert "baseline" in left_out.reason
    assert here.variant(left_out, varied).reason  # nor is a variant of what was left out
    assert here.variant(fitted, varied).key == fitted.key  # the same question: no second fit


def test_labels_in():
    where = ("beta[OU-07]", "lam[2024-03]", "beta[a[b]]", "mu_beta", "beta[OU-07]", "alpha[x]")
    assert labels_in(where, ["beta"]) == ("OU-07", "a[b]")
    assert labels_in(where, ["beta", "alpha"]) == ("OU-07", "a[b]", "x")
    assert labels_in((), ["beta"]) == ()


def test_every_free_variable_is_held_to_the_gate():
    """By itself, or by a public variable that it is sampled in the place of."""
    panel = simulate("upgraded", n_ou=6, n_site=3, n_month=12, wave_every=3, coef=(0.1,) * 4)
    plain = BASELINE.but
    specs = [
        *MODELS.values(), UPGRADED.but(covariates="horseshoe"), AR1.but(tau="free_scale"),
        plain(covariates="ard"), plain(latent="explicit"), plain(latent="explicit_informed"),
        plain(trend=True), SITE.but(geometry="noncentred"), plain(noise="by_ou"),
        plain(deviations=True), ROBUST.but(sites=True),
    ]  # fmt: skip
    free = {v.name for spec in specs for v in build_model(panel, spec).free_RVs}
    assert free - {*NAMES, *COORDINATES} == {"sigma_tau", "local_coef", "slab2"}
    draws = np.random.default_rng(1).normal(size=(4, 100, 3))
    draws[0] += 5  # a chain elsewhere
    posterior = xr.Dataset(
        {
            "local_coef": (("chain", "draw", "covariate"), draws),
            "beta_raw": (("chain", "draw"), draws[..., 0]),
        },
        coords={"covariate": ["a", "b", "c"]},
    )
    table = summary(posterior)
    assert table.index.tolist() == ["local_coef[a]", "local_coef[b]", "local_coef[c]"]
    assert (table["r_hat"] > 1.5).all()


def test_what_acts_through_public_variables_does(panel):
    """Moving a coordinate of the sampler moves something public."""
    model = build_model(panel, ROBUST)
    public = [v for v in model.unobserved_RVs if v.name in NAMES]
    values = model.compile_fn(model.replace_rvs_by_values(public), inputs=model.value_vars)
    start = model.initial_point(random_seed=1)
    before = values(start)
    moved = [name for name in start if name.removesuffix("_log__") in COORDINATES]
    assert moved
    for name in moved:
        after = values(start | {name: start[name] + 0.1})
        assert any(np.any(a != b) for a, b in zip(before, after, strict=True)), name


def test_traces_of_the_worst_are_shown_where_chains_failed(fitted, monkeypatch):
    def change(posterior, stats):
        posterior["beta"][0, :, 3] += 3.0

    shown = []
    monkeypatch.setattr(
        chapter, "display", lambda thing, **_: shown.append(str(getattr(thing, "data", thing)))
    )
    chapter.gate(spoilt(fitted, change))
    (figure,) = [text for text in shown if "<figure>" in text]
    ou = fitted.panel.ous[3]
    assert f'alt="Line plots of the draws of beta[{ou}]' in figure
    assert "each line is a chain" in figure
    shown.clear()
    chapter.gate(fitted)
    assert not any("<figure>" in text for text in shown)
