"""Both signs of a slope: the density that is sampled, and the draws that are stored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pymc as pm
import pytensor
import pytest
import xarray as xr
from pytensor.compile.mode import Mode

import oulib
from oulib import Sampling, UserError, report, simulate
from oulib.model import groups, signs
from oulib.model.build import build_model
from oulib.model.draws import mirror
from oulib.model.sign_kernels import _SLIGHT, _either, _either_back, _turned
from oulib.model.spec import AR1, BASELINE, ROBUST, SITE, UPGRADED, ModelSpec
from oulib.panel import Panel
from oulib.posterior.checks import check, sampled, summarise


@pytest.fixture(scope="module")
def panel() -> Panel:
    return simulate("upgraded", n_ou=6, n_site=2, n_month=10, wave_every=3, seed=5)


@pytest.fixture
def centred(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slopes of every degree of centring."""
    monkeypatch.setattr(
        groups, "slope_centring", lambda panel, sites: np.linspace(0, 1, len(panel.ous))
    )


def at_some_point(model: pm.Model, seed: int) -> dict[str, np.ndarray]:
    point, rng = model.initial_point(random_seed=seed), np.random.default_rng(seed)
    return {name: v + 0.3 * rng.standard_normal(np.shape(v)) for name, v in point.items()}


def valued(model: pm.Model, outputs: list) -> object:
    plain = Mode("py", optimizer=None)
    return pytensor.function(model.value_vars, outputs, mode=plain, on_unused_input="ignore")


TRENDS = AR1.but(trend=True, noise="by_ou")


@pytest.mark.parametrize("spec", [BASELINE, TRENDS, SITE, UPGRADED], ids=lambda spec: spec.name)
@pytest.mark.usefixtures("centred")
def test_what_is_sampled_has_the_mass_of_the_model(spec: ModelSpec, panel: Panel) -> None:
    """p(z) and p(Fz) by the model's own density, one OU mirrored at a time."""
    model = build_model(panel, spec)
    both = signs.signs(model)
    plain = valued(model, [sum(term.sum() for term in model.logp(sum=False))])
    parts = valued(model, [both.here, both.mirrored, both.other, both.log_density])
    point = at_some_point(model, 3)
    values = [variable.name for variable in model.value_vars]

    def density(z: np.ndarray) -> float:
        return float(plain(*({**point, "beta_raw": z}[name] for name in values))[0])

    here, mirrored, other, sampled = parts(*(point[name] for name in values))
    start = density(point["beta_raw"])
    for g in range(len(panel.ous)):
        z = point["beta_raw"].copy()
        z[g] = other[g]
        assert density(z) - start == pytest.approx(mirrored[g] - here[g], rel=1e-8, abs=1e-8)
    assert float(sampled) == pytest.approx(start, rel=1e-10)  # of no OU, unless it is asked for
    signs.sample_both(model, panel.ous[1:3])
    assert model["beta_centring"].get_value()[1:3].tolist() == [1.0, 1.0]
    parts = valued(model, [both.here, both.mirrored, both.other, both.log_density])
    here, mirrored, other, sampled = parts(*(point[name] for name in values))
    plain = valued(model, [sum(term.sum() for term in model.logp(sum=False))])
    ratio = np.log1p(np.exp(mirrored - here))[1:3].sum()
    assert float(sampled) == pytest.approx(density(point["beta_raw"]) + ratio, rel=1e-10)


@pytest.mark.usefixtures("centred")
def test_mirrored_twice_is_where_it_was(panel: Panel) -> None:
    model = build_model(panel, UPGRADED)
    both = signs.signs(model)
    beta, turned = model.replace_rvs_by_values([model["beta"]])[0], both.other
    found = valued(model, [both.z, turned, beta])
    point = at_some_point(model, 4)
    names = [variable.name for variable in model.value_vars]
    z, other, slope = found(*(point[name] for name in names))
    point["beta_raw"] = other
    _, back, mirrored = found(*(point[name] for name in names))
    np.testing.assert_allclose(back, z, rtol=1e-10)
    np.testing.assert_allclose(mirrored, -slope, rtol=1e-10)


def test_slopes_that_are_not_sampled_have_no_signs(panel: Panel) -> None:
    assert signs.signs(build_model(panel, ROBUST)) is None
    assert signs.signs(build_model(panel, BASELINE.but(geometry="noncentred"))) is None
    assert signs.signs(build_model(panel, BASELINE.but(latent="explicit"))) is None
    assert signs.signs(build_model(panel, BASELINE.but(latent="explicit_informed"))) is None


def test_the_sum_of_two_signs() -> None:
    here = np.array([0.0, -3.0, 500.0, -800.0, 1.0])
    mirrored = np.array([0.0, 2.0, -900.0, 600.0, -np.inf])
    both = np.array([1.0, 1.0, 1.0, 1.0, 0.0])
    total = np.where(both, np.logaddexp(here, mirrored), here)
    np.testing.assert_allclose(_either(here, mirrored, both), total, rtol=1e-12)
    c = np.arange(1.0, 6.0)
    g_here, g_mirrored = _either_back(here, mirrored, both, c)
    share = both * np.exp(mirrored - total)
    np.testing.assert_allclose(g_mirrored, c * share, atol=5 * _SLIGHT)
    np.testing.assert_allclose(g_here + g_mirrored, c, rtol=1e-12)
    assert g_mirrored[2] == g_mirrored[4] == g_here[3] == 0.0  # nothing is left to pass over


def test_signs_are_drawn_with_their_probability() -> None:
    rng = np.random.default_rng(1)
    size = 200_000
    z, level = rng.standard_normal(size), rng.standard_normal(size)
    for odds in (-2.0, 0.0, 1.5):
        found = _turned(np.zeros(size), np.full(size, odds), z, level)
        p = 1 / (1 + np.exp(-odds))
        assert abs(found.mean() - p) < 4 * np.sqrt(p * (1 - p) / size)
        # nor do they depend on what they were made from
        assert abs(np.corrcoef(found, z)[0, 1]) < 4 / np.sqrt(size)
        assert abs(np.corrcoef(found[1:], found[:-1])[0, 1]) < 4 / np.sqrt(size)
    np.testing.assert_array_equal(found, _turned(np.zeros(size), np.full(size, 1.5), z, level))
    clear = np.full(size, 900.0)
    assert not _turned(clear, -clear, z, level).any()
    assert _turned(-clear, clear, z, level).all()


@pytest.fixture(scope="module")
def few() -> Panel:
    """Some slopes are as good as of either sign here, and chains of one sign do not find out.

    The seed is chosen: of OU-15 the two signs are about as probable.
    """
    return simulate("baseline", n_ou=30, n_site=5, n_month=30, wave_every=6, seed=59)


def test_chains_are_not_caught_in_signs(few: Panel) -> None:
    fit = oulib.fit(few, BASELINE, Sampling(draws=1000, seed=1, signs="both"), progress=False)
    table = summarise(fit)
    assert float(table.loc[["mu_beta", "sigma_y", "sigma_ou[beta]"], "r_hat"].max()) < 1.1
    slopes = fit.posterior["beta"]
    open_ = (slopes > 0).mean(("chain", "draw"))
    assert bool(((open_ > 0.02) & (open_ < 0.98)).any())  # or it would show nothing
    assert float((slopes > 0).mean("draw").std("chain").max()) < 0.15


@pytest.mark.parametrize("spec", [BASELINE, TRENDS, SITE, UPGRADED], ids=lambda spec: spec.name)
def test_the_odds_of_the_other_sign_are_the_models(spec: ModelSpec, panel: Panel) -> None:
    """Those worked out after sampling, in NumPy, are those of the density that is sampled."""
    model = build_model(panel, spec)
    both = signs.signs(model)
    names = ["mu_alpha", "mu_beta", "sigma_ou", "corr_ou", "alpha", "beta", "lam", "tau", "mu_x_ou"]
    names += ["sigma_x", "sigma_meas", "sigma_y", "gamma_x", "nu", "noise_ou", "trend"]
    names += ["alpha_site", "beta_site", "rho_0", "rho_x", "rho_ou", "rho_month"]
    names = [name for name in names if name in model.named_vars]
    outputs = model.replace_rvs_by_values([model[name] for name in names])
    found = valued(model, [both.here, both.mirrored, *outputs])
    point = at_some_point(model, 6)
    here, mirrored, *values = found(*(point[v.name] for v in model.value_vars))
    dims = model.named_vars_to_dims
    posterior = xr.Dataset(
        {
            name: (("chain", "draw", *dims.get(name, ())), np.asarray(value)[None, None])
            for name, value in zip(names, values, strict=True)
        },
        coords={dim: list(labels) for dim, labels in model.coords.items()},
    )
    tree = xr.DataTree.from_dict({"posterior": posterior})
    fit = oulib.Fit(panel=panel, spec=spec, sampling=Sampling(), tree=tree, key="")
    odds = mirror.log_odds(fit, range(len(panel.ous)), draws=1)
    expected = mirrored - here
    if spec.trend:  # there the trend's coordinate is held, here the trend itself
        assert np.corrcoef(odds.squeeze(), expected)[0, 1] > 0.9
    else:
        np.testing.assert_allclose(odds.squeeze(), expected, rtol=1e-5, atol=1e-5)


def drawn(fit: oulib.Fit, slopes: np.ndarray) -> oulib.Fit:
    """A fit with other draws of the slopes, (chain, draw, ou)."""
    beta = fit.posterior["beta"].copy(data=slopes)
    tree = fit.tree.copy()
    tree["posterior"] = xr.DataTree(fit.posterior.assign(beta=beta))
    return replace(fit, tree=tree)


def test_a_sign_that_no_chain_went_to_is_found(few: Panel) -> None:
    """Chains that agree, all on one side of a slope that may as well have the other sign."""
    fit = oulib.fit(few, BASELINE, Sampling(seed=3), progress=False)
    assert fit.both
    assert not mirror.caught(fit, both=fit.both, least=0.05)
    slopes = fit.posterior["beta"].to_numpy()
    share = (slopes > 0).mean(axis=(0, 1))
    open_ = np.flatnonzero((np.minimum(share, 1 - share) > 0.02) & np.isin(few.ous, fit.both))
    assert open_.size  # or it would show nothing
    one_sided = slopes.copy()
    one_sided[..., open_] = np.abs(one_sided[..., open_])
    agreed = drawn(fit, one_sided)
    found = mirror.caught(agreed, least=0.01)
    assert {few.ous[g] for g in open_} & {*found}
    tree = agreed.tree
    tree.attrs = fit.tree.attrs | {"both": "[]"}
    verdict = sampled(replace(agreed, tree=tree))
    (signs_,) = [one for one in verdict.checks if one.name == "signs"]
    assert not signs_.passed
    assert {*signs_.where} <= {*found}


def test_chains_that_are_caught_are_drawn_again(few: Panel) -> None:
    fit = oulib.fit(few, BASELINE, Sampling(seed=3), progress=False)
    counts = [look.both for look in fit.looks]
    assert counts == sorted(counts)
    assert counts[-1] == len(fit.both) > 0
    assert fit.looks[0].outcome == "caught"
    assert fit.posterior.sizes["draw"] == fit.looks[-1].draws
    assert "both signs as one" in report.length(check(fit))


@pytest.mark.parametrize(("least", "centred"), [(0.4, True), (0.0, False)])
def test_slopes_are_centred_after_a_pilot_as_its_scale_allows(least: float, centred: bool) -> None:
    """Clear slopes, and a scale that stays away from 0 or does not."""
    panel = simulate("baseline", n_ou=12, n_site=2, n_month=12, wave_every=3, seed=1)
    model, rng = build_model(panel, BASELINE), np.random.default_rng(1)
    shape = (4, 200)
    scale = least + 0.2 * rng.random(shape)
    pilot = xr.Dataset(
        {
            "mu_beta": (("chain", "draw"), np.full(shape, 0.3)),
            "sigma_ou": (("chain", "draw", "effect"), np.stack([scale, scale], axis=-1)),
            "beta": (
                ("chain", "draw", "ou"),
                np.linspace(-1, 1, 12) + 0.05 * rng.standard_normal((*shape, 12)),
            ),
        },
        coords={"effect": ["alpha", "beta"], "ou": list(panel.ous)},
    )
    pm.set_data({"beta_centring": np.zeros(12)}, model=model)
    signs.start_from(model, pilot, ())
    found = model["beta_centring"].get_value()
    assert (found > 0.9).all() if centred else (found < 0.1).all()


def test_what_is_replicated_are_the_slopes_that_were_drawn(few: Panel) -> None:
    """A model that is built again has to know how chains that were drawn again were centred."""
    fit = oulib.fit(few, BASELINE, Sampling(seed=3), progress=False)
    model, draws = fit.integrated()
    assert model["beta_centring"].get_value().any()
    with model:
        again = pm.compute_deterministics(draws, var_names=["beta", "alpha"], progressbar=False)
    for name in ("alpha", "beta"):
        xr.testing.assert_allclose(again[name], fit.posterior[name], atol=1e-10)


def test_chains_of_a_given_length_are_asked_early_on(few: Panel) -> None:
    """What they are caught in does not wait for their end, and is not looked for if not wanted."""
    fit = oulib.fit(few, BASELINE, Sampling(draws=510, seed=3), progress=False)
    assert fit.both
    assert fit.posterior.sizes["draw"] == 510
    assert fit.looks == ()
    alone = oulib.fit(few, BASELINE, Sampling(draws=510, seed=3, signs="one"), progress=False)
    assert not alone.both


def test_ways_to_sample() -> None:
    with pytest.raises(UserError, match="nutpie only, and pymc"):
        Sampling(signs="both", sampler="pymc")
    with pytest.raises(UserError, match="signs='none'"):
        Sampling(signs="none")


def test_both_signs_of_slopes_that_have_none(panel: Panel) -> None:
    with pytest.raises(UserError, match="robust does not sample the slopes"):
        oulib.fit(panel, ROBUST, Sampling(draws=10, signs="both"), progress=False)


def test_what_is_stored_of_a_draw_belongs_together(panel: Panel) -> None:
    """Slope, intercept, trend and coordinates of a draw have one sign."""
    sampling = Sampling(draws=50, tune=50, chains=1, signs="both")
    spec = BASELINE.but(trend=True)
    drawn = oulib.fit(panel, spec, sampling, progress=False).posterior
    model = build_model(panel, spec)
    signs.sample_both(model, panel.ous)
    names = [variable.name for variable in model.free_RVs]
    of_ou = [model[name] for name in ("alpha", "beta", "trend")]
    again = pytensor.function(
        model.free_RVs, of_ou, mode=Mode("py", optimizer=None), on_unused_input="ignore"
    )
    for draw in range(0, 50, 7):
        one = drawn.isel(chain=0, draw=draw)
        found = again(*(one[name].to_numpy() for name in names))
        for variable, values in zip(of_ou, found, strict=True):
            np.testing.assert_allclose(one[variable.name], values, rtol=1e-9, atol=1e-9)


def test_the_likelier_sign_is_stored(panel: Panel) -> None:
    """Where the odds are clear: the slope itself, or its negative."""
    model = build_model(panel, BASELINE)
    both = signs.signs(model)
    (slope,) = model.replace_rvs_by_values([model["beta"]])
    found = valued(model, [both.here, both.mirrored, slope, *both.drawn([slope])])
    turned = []
    for seed in range(8):
        point = at_some_point(model, seed)
        point["beta_raw"] = 4 * point["beta_raw"]
        here, mirrored, beta, drawn = found(*(point[v.name] for v in model.value_vars))
        clear = np.abs(here - mirrored) > 20
        np.testing.assert_allclose(
            drawn[clear], np.where(mirrored > here, -beta, beta)[clear], rtol=1e-10
        )
        turned += (mirrored > here)[clear].tolist()
    assert 0 < sum(turned) < len(turned)
