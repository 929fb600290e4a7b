"""The upgrades' densities against sums over a dense grid and against explicit linear algebra."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import pytest
import xarray as xr
from conftest import PRIORS
from pymc.distributions.transforms import ZeroSumTransform
from scipy import integrate, stats

from oulib import (
    AR1,
    BASELINE,
    LADDER,
    SITE,
    STUDENT_T,
    UPGRADED,
    ModelSpec,
    Panel,
    UserError,
    build_model,
    simulate,
)
from oulib.model.months import centred_ar1_logp

# Our distributions' draws are NumPy code, which Numba leaves to Python and says so.
pytestmark = pytest.mark.filterwarnings("ignore:Numba will use object mode")

SPECS = {
    "student_t": STUDENT_T,
    "ar1": AR1,
    "site": SITE,
    "upgraded": UPGRADED,
    "response alone": BASELINE.but(response=True),
    "ar1 alone": BASELINE.but(months="ar1"),
    "sites alone": BASELINE.but(sites=True, group_scales="half_student_t"),
}


@pytest.fixture(scope="module")
def panel() -> Panel:
    return simulate("upgraded", n_ou=6, n_site=2, n_month=9, wave_every=3, seed=5)


@pytest.fixture(scope="module", params=SPECS, ids=str)
def case(request: pytest.FixtureRequest, panel: Panel) -> tuple[ModelSpec, xr.Dataset, xr.Dataset]:
    """A spec, draws of everything from its prior, and the model's row log densities there."""
    spec = SPECS[request.param].but(priors=PRIORS)
    with build_model(panel, spec) as model:
        prior = pm.sample_prior_predictive(2, random_seed=1)["prior"].to_dataset()
        prior["sigma_y"][:] = 0.4  # a tiny one would ask more of the nodes than a posterior does
        found = pm.compute_log_likelihood(
            xr.DataTree.from_dict({"posterior": prior}), progressbar=False
        )
    assert {rv.name for rv in model.observed_RVs} == set(found["log_likelihood"].data_vars)
    return spec, prior.isel(chain=0), found["log_likelihood"].to_dataset().isel(chain=0)


def log_integral(log_values: np.ndarray, grid: np.ndarray) -> float:
    """Log of the trapezoidal integral of exp(log_values)."""
    top = log_values.max()
    return float(top + np.log(integrate.trapezoid(np.exp(log_values - top), grid)))


def dense(panel: Panel, spec: ModelSpec, p: xr.Dataset) -> dict[str, np.ndarray]:
    """Row log densities from the specification, summed over x* on a grid of its own."""
    rows = panel.rows
    g, t = rows["ou_idx"].to_numpy(), rows["month_idx"].to_numpy()
    x, y, seen = (rows[k].to_numpy() for k in ("x", "y", "observed"))
    n = np.maximum(rows["respondents"].to_numpy(), 1)
    gamma = float(p["gamma_x"]) if "gamma_x" in p else 0.2
    m = p["mu_x_ou"].to_numpy()[g] + gamma * p["tau"].to_numpy()[t]
    sx, sm, sy = (float(p[k]) for k in ("sigma_x", "sigma_meas", "sigma_y"))
    planned = rows["scheduled"].to_numpy() if spec.response else np.zeros(len(y), dtype=bool)
    month = rows["month"].to_numpy()
    out: dict[str, list[float]] = {"survey": [], "responded": [], "productivity": []}
    for i in range(len(y)):
        centre, spread = m[i], sx
        if seen[i]:  # where the survey leaves the score
            v = sm**2 / n[i]
            centre = (m[i] / sx**2 + x[i] / v) / (1 / sx**2 + 1 / v)
            spread = (1 / sx**2 + 1 / v) ** -0.5
        grid = centre + spread * np.linspace(-14, 14, 5601)
        log_weight = stats.norm.logpdf(grid, m[i], sx)
        if seen[i]:
            log_weight = log_weight + stats.norm.logpdf(x[i], grid, sm / np.sqrt(n[i]))
            out["survey"].append(log_integral(log_weight, grid))
        before = log_integral(log_weight, grid)
        if planned[i]:
            logit = float(p["rho_0"]) + float(p["rho_x"]) * grid + p["rho_ou"].to_numpy()[g[i]]
            logit = logit + float(p["rho_month"].sel(wave=month[i]))
            log_weight = log_weight - np.logaddexp(0, -logit if seen[i] else logit)
            out["responded"].append(log_integral(log_weight, grid) - before)
            before = log_integral(log_weight, grid)
        mean = float(p["alpha"][g[i]] + p["lam"][t[i]]) + float(p["beta"][g[i]]) * grid
        law = stats.t(float(p["nu"])) if spec.outcome == "student_t" else stats.norm
        log_weight = log_weight + law.logpdf((y[i] - mean) / sy) - np.log(sy)
        out["productivity"].append(log_integral(log_weight, grid) - before)
    return {name: np.array(values) for name, values in out.items() if values}


def test_row_densities_are_those_of_a_dense_sum(panel: Panel, case: tuple) -> None:
    spec, prior, found = case
    for draw in range(prior.sizes["draw"]):
        p = prior.isel(draw=draw)
        tolerance = 1e-6 if spec.closed_form else 1e-3
        for name, expected in dense(panel, spec, p).items():
            np.testing.assert_allclose(
                found[name].isel(draw=draw), expected, rtol=0, atol=tolerance, err_msg=name
            )


def test_totals_are_population_plus_site_plus_ou(panel: Panel, case: tuple) -> None:
    spec, prior, _ = case
    if not spec.sites:
        return
    deviation = prior["alpha"] - prior["mu_alpha"]
    site = prior["alpha_site"].isel(site=xr.DataArray(panel.site_idx, dims="ou"))
    inner = (deviation - site.drop_vars("site")) / prior["sigma_ou"].sel(effect="alpha")
    assert float(abs(inner).max()) < 6  # z scores, not leftovers of another level


@pytest.mark.parametrize(("phi", "sigma"), [(0.8, 0.4), (-0.5, 1.2), (0.99, 0.1), (0.0, 1.0)])
def test_centred_autoregression_against_its_covariance(phi: float, sigma: float) -> None:
    months = 9
    lag = np.abs(np.subtract.outer(np.arange(months), np.arange(months)))
    covariance = sigma**2 / (1 - phi**2) * phi**lag
    basis = np.linalg.svd(np.eye(months) - 1 / months)[0][:, : months - 1]
    law = stats.multivariate_normal(np.zeros(months - 1), basis.T @ covariance @ basis)
    v = np.random.default_rng(0).normal(size=months)
    v -= v.mean()
    found = centred_ar1_logp(pt.constant(v), pt.constant(phi), pt.constant(sigma)).eval()
    assert float(found) == pytest.approx(law.logpdf(basis.T @ v), abs=1e-5)


def test_draws_of_the_centred_autoregression(panel: Panel) -> None:
    with build_model(panel, AR1) as model:
        lam, phi, sigma = pm.draw(
            [model["lam"], model["phi_lam"], model["sigma_lam"]], draws=4000, random_seed=3
        )
    np.testing.assert_allclose(lam.sum(axis=1), 0, atol=1e-9)
    keep = np.abs(phi) < 0.9
    scaled = lam[keep] * (np.sqrt(1 - phi**2) / sigma)[keep, None]
    months = len(panel.months)
    centre = np.eye(months) - 1 / months
    lag = np.abs(np.subtract.outer(np.arange(months), np.arange(months)))
    expected = np.mean([centre @ (f**lag) @ centre for f in phi[keep]], axis=0)
    np.testing.assert_allclose(np.cov(scaled.T), expected, atol=0.08)


def test_months_of_a_small_scale_are_sampled_by_their_innovations(panel: Panel) -> None:
    """So that a scale near 0 is no funnel: the path is the scale times what is sampled."""
    model = build_model(panel, AR1)
    lam = model["lam"]
    path = model.compile_fn(
        model.replace_rvs_by_values([lam])[0], inputs=model.value_vars, on_unused_input="ignore"
    )
    point = model.initial_point()
    names = {
        name: model.rvs_to_values[model[name]].name for name in ("lam", "phi_lam", "sigma_lam")
    }
    rng = np.random.default_rng(1)
    point[names["lam"]] = rng.standard_normal(len(panel.months) - 1)
    phi, found = 0.6, []
    point[names["phi_lam"]] = np.array(np.log((1 + phi) / (1 - phi)))
    for sigma in (1e-6, 1e-7):
        point[names["sigma_lam"]] = np.array(np.log(sigma))
        found.append(path(point) / sigma)
    np.testing.assert_allclose(found[0], found[1], atol=1e-3)
    steps = found[1][1:] - phi * found[1][:-1]
    steps = steps - steps.mean()  # the path is less its mean
    given = ZeroSumTransform([-1]).backward(pt.constant(point[names["lam"]])).eval()[1:]
    np.testing.assert_allclose(steps, given - given.mean(), atol=1e-3)


def test_what_a_panel_cannot_support_is_refused(panel: Panel) -> None:
    frame = panel.to_frame().assign(month=lambda f: pd.to_datetime(f["month"]))
    with pytest.raises(UserError, match="no column 'scheduled'"):
        build_model(Panel.from_frame(frame.drop(columns="scheduled")), UPGRADED)
    everybody = frame.assign(scheduled=frame["survey"].notna())
    with pytest.raises(UserError, match="every planned survey was answered"):
        build_model(Panel.from_frame(everybody), UPGRADED)
    with pytest.raises(UserError, match="one site"):
        build_model(Panel.from_frame(frame.assign(site="all")), SITE)


def test_the_ladder_is_cumulative() -> None:
    assert [spec.name for spec in LADDER] == ["baseline", "student_t", "ar1", "site", "upgraded"]
    names = ("outcome", "months", "sites", "response")
    for lower, upper in pairwise(LADDER):
        changed = [n for n in names if getattr(lower, n) != getattr(upper, n)]
        assert len(changed) == 1
