"""The sum over a row's latent score: values against a dense grid, derivatives against differences.

Nothing here goes through a model; see ``test_ladder.py`` for the models' densities.
"""

from __future__ import annotations

import itertools

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import integrate, special, stats

from oulib.model import integration, kernel
from oulib.model.months import _spaced_ar1_logp, accumulate, add_ar1_between

CASES = [
    (r, c, sigma, nu, u, v, sign)
    for r, c, nu in itertools.product(
        [-9.0, -0.7, 0.0, 2.0, 15.0], [0.0, 0.3, -1.1, 3.0], [2.1, 5.0, 80.0, np.inf]
    )
    for sigma, u, v, sign in [(1.0, 0.0, 0.0, 0.0), (0.4, 0.7, 1.2, 1.0), (0.8, 0.9, -2.0, -1.0)]
]


def by_grid(r, c, sigma, nu, u, v, sign):
    """log of the integral over a grid that is fine enough for every case above."""
    t = np.linspace(-40, 40, 160_001)
    law = stats.norm if np.isinf(nu) else stats.t(nu)
    log_terms = stats.norm.logpdf(t) + law.logpdf((r - c * t) / sigma) - np.log(sigma)
    if sign:
        log_terms = log_terms - np.logaddexp(0, -sign * (u + v * t))
    top = log_terms.max()
    return top + np.log(integrate.trapezoid(np.exp(log_terms - top), t))


def test_values_against_a_grid_of_its_own() -> None:
    found = integration.evaluate(*np.array(CASES).T)
    expected = [by_grid(*case) for case in CASES]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)
    assert np.median(np.abs(found - expected)) < 2e-5


def test_a_smaller_step_is_nearer() -> None:
    expected = np.array([by_grid(*case) for case in CASES])
    errors = [
        np.abs(integration.evaluate(*np.array(CASES).T, step=step) - expected).max()
        for step in (1.6, 0.9)
    ]
    assert errors[1] < 0.3 * errors[0]


def test_derivatives_against_differences() -> None:
    step, eps = 0.4, 1e-5  # fine, so that nodes that move with the parameters do not matter
    for case in CASES:
        r, c, sigma, nu, u, v, sign = case

        def value(point, nu=nu, sign=sign):
            r, c, sigma, other, u, v = point
            shape = nu if np.isinf(nu) else other
            one = [np.array([x]) for x in (r, c)], [np.array([x]) for x in (u, v, sign)]
            return kernel.rows(*one[0], sigma, shape, *one[1], step)[0, 0]

        point = np.array([r, c, sigma, 3.0 if np.isinf(nu) else nu, u, v])
        arrays = [np.array([x]) for x in (r, c, u, v, sign)]
        found = kernel.rows(*arrays[:2], sigma, nu, *arrays[2:], step)[1:, 0]
        for k in range(6):
            if (k == 3 and np.isinf(nu)) or (k >= 4 and sign == 0) or (k == 1 and c == 0):
                continue  # no such parameter; or a kink of the shortcut, exact at c = 0
            move = eps * np.eye(6)[k] * max(1.0, abs(point[k]))
            slope = (value(point + move) - value(point - move)) / (2 * move[k])
            assert found[k] == pytest.approx(slope, rel=2e-3, abs=2e-4), (case, k)


def test_a_row_that_does_not_load_on_the_score_is_exact() -> None:
    found = integration.evaluate(1.3, 0.0, 0.7, 4.0, 0.0, 0.0, 0.0)
    assert found == pytest.approx(stats.t(4).logpdf(1.3 / 0.7) - np.log(0.7), abs=1e-12)


@pytest.mark.parametrize("nu", [4.0, None])
def test_the_graph_and_its_gradient(nu: float | None) -> None:
    rng = np.random.default_rng(0)
    r, c, u, v = (rng.normal(size=7) for _ in range(4))
    sign = np.array([0.0, 1, -1, 0, 1, -1, 0])
    inputs = [pt.dvector(), pt.dvector(), pt.dscalar(), pt.dscalar(), pt.dvector(), pt.dvector()]
    out = integration.log_outcome(
        *inputs[:3], None if nu is None else inputs[3], inputs[4], inputs[5], pt.constant(sign)
    )
    used = [x for i, x in enumerate(inputs) if nu is not None or i != 3]
    point = [r, c, np.array(0.6), *([] if nu is None else [np.array(nu)]), u, v]
    weights = rng.normal(size=7)
    total = pt.sum(out * weights)
    f = pytensor.function(used, [out, total, *pt.grad(total, used)])
    value, _, *gradient = f(*point)
    expected = integration.evaluate(r, c, 0.6, np.inf if nu is None else nu, u, v, sign)
    np.testing.assert_allclose(value, expected, atol=1e-10)
    for k, slope in enumerate(gradient):
        for place in np.ndindex(np.shape(slope)):
            moved = [np.array(x, dtype=float) for x in point]
            moved[k][place] += 1e-5
            up = f(*moved)[1]
            moved[k][place] -= 2e-5
            assert slope[place] == pytest.approx((up - f(*moved)[1]) / 2e-5, rel=5e-3, abs=2e-3)


def test_the_chance_of_an_answer() -> None:
    u, v = np.array([0.5, -2.0, 4.0]), np.array([1.0, 0.0, -2.5])
    yes, no = (
        integration.log_response(pt.constant(u), pt.constant(v), pt.constant(s * np.ones(3))).eval()
        for s in (1.0, -1.0)
    )
    np.testing.assert_allclose(np.exp(yes) + np.exp(no), 1.0, atol=1e-5)
    t, w = np.polynomial.hermite_e.hermegauss(200)
    expected = special.expit(u[:, None] + v[:, None] * t) @ (w / w.sum())
    np.testing.assert_allclose(np.exp(yes), expected, atol=1e-5)


@pytest.mark.parametrize("length", [1, 2, 3, 9, 64, 65])
@pytest.mark.parametrize("phi", [0.9, -0.7, 0.0])
def test_a_path_by_doubling_is_the_recursion(length: int, phi: float) -> None:
    e = np.random.default_rng(length).normal(size=length)
    path = [e[0]]
    for innovation in e[1:]:
        path.append(phi * path[-1] + innovation)
    found = accumulate(pt.constant(e), pt.constant(phi), length).eval()
    np.testing.assert_allclose(found, path, atol=1e-10)


@pytest.mark.parametrize("at", [[1, 4, 6], [0, 1, 2, 3, 4, 5, 6, 7, 8], [0], [8], [3, 4]], ids=str)
@pytest.mark.parametrize("phi", [0.8, -0.6])
@pytest.mark.filterwarnings("ignore:Numba will use object mode")
def test_a_path_sampled_at_some_months_is_the_same_path(at: list[int], phi: float) -> None:
    months = 9
    with pm.Model(coords={"month": range(months)}):
        given = pm.Data("phi", phi)
        tau = add_ar1_between("tau", np.array(at), phi=given, sigma=pt.sqrt(1 - given**2))
    drawn = pm.draw(tau, draws=20_000, random_seed=1)
    lag = np.abs(np.subtract.outer(np.arange(months), np.arange(months)))
    centre = np.eye(months) - 1 / months
    np.testing.assert_allclose(np.cov(drawn.T), centre @ phi**lag @ centre, atol=0.03)


def test_the_density_at_some_months_against_their_covariance() -> None:
    at, phi = np.array([1, 4, 6, 7]), -0.7
    value = np.array([0.3, -1.0, 0.2, 1.4])
    lag = np.abs(np.subtract.outer(at, at))
    expected = stats.multivariate_normal(np.zeros(4), phi**lag).logpdf(value)
    gaps = np.concatenate([[np.inf], np.diff(at)])
    found = _spaced_ar1_logp(pt.constant(value), pt.constant(phi), pt.constant(gaps)).eval()
    assert float(found) == pytest.approx(expected, abs=1e-8)
