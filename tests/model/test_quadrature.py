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
from scipy import integrate, linalg, special, stats

from oulib.model import quadrature, quadrature_kernel
from oulib.model.months import _draw_spaced_ar1, _spaced_ar1_logp, accumulate, add_ar1_between

CASES = [
    (r, c, sigma, nu, u, v, sign)
    for r, c, nu in itertools.product(
        [-9.0, -0.7, 0.0, 2.0, 15.0], [0.0, 0.3, -1.1, 3.0], [2.1, 5.0, 80.0, np.inf]
    )
    for sigma, u, v, sign in [(1.0, 0.0, 0.0, 0.0), (0.4, 0.7, 1.2, 1.0), (0.8, 0.9, -2.0, -1.0)]
]


def by_grid(r, c, sigma, nu, u, v, sign):
    """log of the integral over a grid that is fine enough for every case above."""
    t = np.linspace(-40, 40, 16_001)
    law = stats.norm if np.isinf(nu) else stats.t(nu)
    log_terms = stats.norm.logpdf(t) + law.logpdf((r - c * t) / sigma) - np.log(sigma)
    if sign:
        log_terms = log_terms - np.logaddexp(0, -sign * (u + v * t))
    top = log_terms.max()
    return top + np.log(integrate.trapezoid(np.exp(log_terms - top), t))


def test_values_against_a_grid_of_its_own() -> None:
    found = quadrature.evaluate(*np.array(CASES).T)
    expected = [by_grid(*case) for case in CASES]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)
    assert np.median(np.abs(found - expected)) < 2e-5


def test_a_smaller_step_is_nearer() -> None:
    expected = np.array([by_grid(*case) for case in CASES])
    errors = [
        np.abs(quadrature.evaluate(*np.array(CASES).T, step=step) - expected).max()
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
            return quadrature_kernel.rows(*one[0], sigma, shape, *one[1], step)[0, 0]

        point = np.array([r, c, sigma, 3.0 if np.isinf(nu) else nu, u, v])
        arrays = [np.array([x]) for x in (r, c, u, v, sign)]
        found = quadrature_kernel.rows(*arrays[:2], sigma, nu, *arrays[2:], step)[1:, 0]
        for k in range(6):
            if (k == 3 and np.isinf(nu)) or (k >= 4 and sign == 0) or (k == 1 and c == 0):
                continue  # no such parameter; or a kink of the shortcut, exact at c = 0
            move = eps * np.eye(6)[k] * max(1.0, abs(point[k]))
            slope = (value(point + move) - value(point - move)) / (2 * move[k])
            assert found[k] == pytest.approx(slope, rel=2e-3, abs=2e-4), (case, k)


def peak_and_width(r, c, nu, u, v, sign):
    """Where the integrand peaks and how wide it is there, and how far the last step went."""
    new = 0.5 * c * r / (1 + c * c)
    for _ in range(2):
        t = new
        tight = c * c * (nu + 1) / (nu + (r - c * t) ** 2) if np.isfinite(nu) else c * c
        other = sign * sign * special.expit(-sign * (u + v * t))
        curve = v * v * other * (1 - other)
        pull = tight * r / c if c else 0.0
        width = (1 + tight + curve) ** -0.5
        new = (pull + sign * v * other + curve * t) * width**2
    return new, width, new - t


def nodes(r, c, nu, u, v, sign, step):
    """Nodes of one row and the logs of their weights, r and c in units of sigma."""
    peak, width, moved = peak_and_width(r, c, nu, u, v, sign)
    outcome = abs(c) * (6 + 12 / nu) if np.isfinite(nu) else 0.0
    answer = abs(v) * (3.5 + 1.1 * abs(v)) if sign else 0.0
    more, less = max(outcome, answer), min(outcome, answer)
    needed = 1 if c == 0 and sign == 0 else max(3, np.ceil(0.9 / step * (1.6 + more + 0.2 * less)))
    if needed <= 14 and abs(moved) < 0.25 * width:
        x, weight = np.polynomial.hermite_e.hermegauss(int(needed))
        return peak + width * x, np.log(weight) + 0.5 * x**2 + np.log(width)
    centre = c * r / (1 + c * c)
    low, high = min(0, centre) - 4.5, max(0, centre) + 4.5
    low, high = low - abs(v) * (sign * v < 0), high + abs(v) * (sign * v > 0)
    v = v if sign else 0.0
    count = int(min((high - low) * np.sqrt(1 + c * c + 0.25 * v * v) / step + 2, 2000))
    t, h = np.linspace(low, high, count, retstep=True)
    return t, np.full(count, np.log(h))


def plainly(r, c, sigma, nu, u, v, sign, step=0.9):
    """What the kernel sums for one row, by the textbook's formulas, and the size of the terms.

    A derivative may be a small difference of large terms, and is known to their size only; (2, 7).
    """
    t, log_weight = nodes(r / sigma, c / sigma, nu, u, v, sign, step)
    z = (r - c * t) / sigma
    log_f = -0.5 * (nu + 1) * np.log1p(z * z / nu) if np.isfinite(nu) else -0.5 * z * z
    slope = -(nu + 1) * z / (nu + z * z) if np.isfinite(nu) else -z
    by_nu = -0.5 * np.log1p(z * z / nu) - 0.5 * slope * z / nu if np.isfinite(nu) else 0 * z
    logit = sign * (u + v * t)
    log_chance = -np.logaddexp(0, -logit) if sign else 0 * t
    other = sign * special.expit(-logit) if sign else 0 * t
    log_terms = log_weight - 0.5 * t * t - 0.5 * np.log(2 * np.pi) + log_f + log_chance
    value = special.logsumexp(log_terms)
    weight = np.exp(log_terms - value)
    slopes = slope / sigma, -slope * t / sigma, -(1 + slope * z) / sigma, by_nu, other, other * t
    return np.array(
        [
            [value - np.log(sigma), *(weight @ slope for slope in slopes)],
            [1.0, *(weight @ abs(slope) for slope in slopes)],
        ]
    )


def agree(found, rows, step=0.9):
    """Whether results (7, row) are those of the plain formulas for ``rows`` of arguments."""
    expected, size = np.moveaxis([plainly(*row, step) for row in rows], 0, -1)
    return np.all(abs(found - expected) <= 1e-8 * abs(expected) + 1e-10 * (size + 1))


def many_rows(n, seed):
    """r, c, u, v and sign of rows that are central, outlying, flat, steep and extreme."""
    rng = np.random.default_rng(seed)
    r = rng.choice([1.0, -1.0], n) * np.exp(rng.uniform(np.log(1e-3), np.log(1e3), n))
    c = rng.choice([0.0, 0.1, 1.0, 5.0, 50.0], n) * rng.uniform(-1, 1, n)
    u, v = rng.uniform(-30, 30, n), rng.choice([0.0, 0.2, 1.0, 10.0], n) * rng.uniform(-1, 1, n)
    return r, c, u, v, rng.choice([-1.0, 0.0, 0.0, 1.0], n)


@pytest.mark.parametrize("nu", [2.01, 3.0, 7.5, 60.0, 3e3, 1e6, np.inf])
@pytest.mark.parametrize(("sigma", "step"), [(1.0, 0.9), (0.3, 0.9), (2.5, 0.4)])
def test_the_kernel_against_the_plain_formulas(nu: float, sigma: float, step: float) -> None:
    r, c, u, v, sign = many_rows(400, seed=int(nu) if np.isfinite(nu) else 0)
    found = quadrature_kernel.rows(r, c, sigma, nu, u, v, sign, step)
    scales = 400 * [sigma], 400 * [nu]
    assert agree(found, zip(r, c, *scales, u, v, sign, strict=True), step)


def test_every_row_has_a_scale_of_its_own() -> None:
    r, c, u, v, sign = many_rows(300, seed=1)
    rng = np.random.default_rng(2)
    sigma, nu = rng.uniform(0.2, 2, 300), rng.choice([2.1, 6.0, 40.0, np.inf], 300)
    found = quadrature_kernel.values(r, c, sigma, nu, u, v, sign, 0.9)
    expected = [plainly(*row)[0, 0] for row in zip(r, c, sigma, nu, u, v, sign, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)


def test_a_row_is_the_same_among_any_others() -> None:
    rows = many_rows(200, seed=3)
    among = quadrature_kernel.rows(rows[0], rows[1], 0.7, 4.0, *rows[2:], 0.9)
    for i in range(0, 200, 17):
        r, c, u, v, sign = (x[i : i + 1] for x in rows)
        alone = quadrature_kernel.rows(r, c, 0.7, 4.0, u, v, sign, 0.9)[:, 0]
        # But for the last digit: some processors take the rows beside it along.
        np.testing.assert_allclose(alone, among[:, i], rtol=1e-13)


def test_the_chance_of_an_answer_alone() -> None:
    _, _, u, v, sign = many_rows(300, seed=4)
    found = np.zeros((7, 300))
    found[[0, 5, 6]] = quadrature_kernel.answers(u, v, sign, 0.9)
    found[3] = -1  # the derivative by a sigma of 1 of an outcome at its mean
    nothing = 300 * [(0.0, 0.0, 1.0, np.inf)]
    assert agree(
        found, ((*a, *b) for a, b in zip(nothing, zip(u, v, sign, strict=True), strict=True))
    )


@pytest.mark.parametrize("nu", [2.01, 4.0, 7.0, 30.0, 1e3, np.inf])
def test_the_rules_around_the_peak_err_little(nu: float) -> None:
    rng = np.random.default_rng(5)
    n = 500
    c, v = rng.uniform(-1.6, 1.6, n), rng.uniform(-2, 2, n)
    r, u = np.sqrt(1 + c * c) * rng.standard_t(3, n), rng.normal(0, 3, n)
    sign = rng.choice([-1.0, 0.0, 1.0], n)
    found, fine = (quadrature_kernel.rows(r, c, 1.0, nu, u, v, sign, step) for step in (0.9, 0.05))
    peaked = [
        len(nodes(*row, 0.9)[0]) <= 14 for row in zip(r, c, n * [nu], u, v, sign, strict=True)
    ]
    assert np.mean(peaked) > 0.5
    errors = np.abs(found - fine)[:, peaked]
    assert errors[0].max() < 2e-5
    assert errors[1:].max() < 5e-4
    # the finer rule is the even one, and as good as exact
    some = rng.choice(n, 10)
    exact = [by_grid(r[i], c[i], 1.0, nu, u[i], v[i], sign[i]) for i in some]
    constant = stats.norm.logpdf(0) if np.isinf(nu) else stats.t(nu).logpdf(0)
    np.testing.assert_allclose(fine[0][some] + constant, exact, atol=1e-5)


@pytest.mark.parametrize("nu", [4.0, np.inf])
@pytest.mark.parametrize(
    ("place", "value"),
    [*((k, np.nan) for k in range(6)), *((k, np.inf) for k in (0, 1, 2)), (0, 1e200), (2, 0.0)],
)
def test_what_cannot_be_summed_is_not_a_number(nu: float, place: int, value: float) -> None:
    given = [0.3, 0.5, 0.7, nu, 0.2, 0.4]
    given[place] = value
    assert np.isnan(quadrature_kernel.values(*given, 1.0, 0.9)).all()


def test_answers_that_are_next_to_impossible() -> None:
    u = np.array([-1e3, 1e3, -80.0])
    sign = np.array([1.0, -1.0, 1.0])
    found = quadrature_kernel.answers(u, np.zeros(3), sign, 0.9)
    np.testing.assert_allclose(found, [sign * u, sign, 0 * u], rtol=1e-12, atol=1e-12)


def test_a_row_that_does_not_load_on_the_score_is_exact() -> None:
    found = quadrature.evaluate(1.3, 0.0, 0.7, 4.0, 0.0, 0.0, 0.0)
    assert found == pytest.approx(stats.t(4).logpdf(1.3 / 0.7) - np.log(0.7), abs=1e-12)


@pytest.mark.parametrize("nu", [4.0, None])
def test_the_graph_and_its_gradient(nu: float | None) -> None:
    rng = np.random.default_rng(0)
    r, c, u, v = (rng.normal(size=7) for _ in range(4))
    sign = np.array([0.0, 1, -1, 0, 1, -1, 0])
    inputs = [pt.dvector(), pt.dvector(), pt.dscalar(), pt.dscalar(), pt.dvector(), pt.dvector()]
    out = quadrature.log_outcome(
        *inputs[:3], None if nu is None else inputs[3], inputs[4], inputs[5], pt.constant(sign)
    )
    used = [x for i, x in enumerate(inputs) if nu is not None or i != 3]
    point = [r, c, np.array(0.6), *([] if nu is None else [np.array(nu)]), u, v]
    weights = rng.normal(size=7)
    total = pt.sum(out * weights)
    f = pytensor.function(used, [out, total, *pt.grad(total, used)])
    value, _, *gradient = f(*point)
    expected = quadrature.evaluate(r, c, 0.6, np.inf if nu is None else nu, u, v, sign)
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
        quadrature.log_response(pt.constant(u), pt.constant(v), pt.constant(s * np.ones(3))).eval()
        for s in (1.0, -1.0)
    )
    np.testing.assert_allclose(np.exp(yes) + np.exp(no), 1.0, atol=1e-5)
    t, w = np.polynomial.hermite_e.hermegauss(200)
    expected = special.expit(u[:, None] + v[:, None] * t) @ (w / w.sum())
    np.testing.assert_allclose(np.exp(yes), expected, atol=1e-5)


@pytest.mark.parametrize("length", [1, 2, 3, 9, 64, 65])
@pytest.mark.parametrize("phi", [0.9, -0.7, 0.0])
def test_a_path_is_the_recursion(length: int, phi: float) -> None:
    e = np.random.default_rng(length).normal(size=length)
    path = [e[0]]
    for innovation in e[1:]:
        path.append(phi * path[-1] + innovation)
    found = accumulate(pt.constant(e), pt.constant(phi)).eval()
    np.testing.assert_allclose(found, path, atol=1e-10)


@pytest.mark.parametrize(
    ("at", "phi"),
    [
        ([1, 4, 6], 0.8),
        ([1, 4, 6], -0.6),
        ([*range(9)], 0.8),
        ([0], 0.8),
        ([8], 0.8),
        ([3, 4], 0.8),
    ],
    ids=str,
)
def test_a_path_sampled_at_some_months_is_the_same_path(at: list[int], phi: float) -> None:
    """It is linear in what is drawn, of which the covariance is known; c = 1 draws the values."""
    months = 9
    with pm.Model(coords={"month": range(months)}) as model:
        given = pm.Data("phi", phi)
        tau = add_ar1_between("tau", np.array(at), phi=given, sigma=pt.sqrt(1 - given**2), c=1.0)
    path = model.compile_fn(model.replace_rvs_by_values([tau])[0], inputs=model.value_vars)
    of_seen, of_rest = (value.name for value in model.value_vars)
    seen, fresh = np.eye(len(at) + months)[:, : len(at)], np.eye(len(at) + months)[:, len(at) :]
    moved = np.transpose([path({of_seen: w, of_rest: z}) for w, z in zip(seen, fresh, strict=True)])
    lag = np.abs(np.subtract.outer(np.arange(months), np.arange(months)))
    centre = np.eye(months) - 1 / months
    drawn = linalg.block_diag(phi ** lag[np.ix_(at, at)], np.eye(months))
    np.testing.assert_allclose(moved @ drawn @ moved.T, centre @ phi**lag @ centre, atol=1e-12)


def test_draws_at_some_months_against_their_covariance() -> None:
    at, phi = np.array([1, 4, 6, 7]), -0.7
    gaps = np.concatenate([[np.inf], np.diff(at)])
    drawn = _draw_spaced_ar1(np.array(phi), gaps, rng=np.random.default_rng(1), size=(100_000,))
    lag = np.abs(np.subtract.outer(at, at))
    np.testing.assert_allclose(np.cov(drawn.T), phi**lag, atol=0.02)


def test_the_density_at_some_months_against_their_covariance() -> None:
    at, phi = np.array([1, 4, 6, 7]), -0.7
    value = np.array([0.3, -1.0, 0.2, 1.4])
    lag = np.abs(np.subtract.outer(at, at))
    expected = stats.multivariate_normal(np.zeros(4), phi**lag).logpdf(value)
    gaps = np.concatenate([[np.inf], np.diff(at)])
    found = _spaced_ar1_logp(pt.constant(value), pt.constant(phi), pt.constant(gaps)).eval()
    assert float(found) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("c", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("phi", [0.8, -0.6])
def test_months_that_are_sampled_by_steps_have_the_same_density(phi: float, c: float) -> None:
    at = np.array([1, 4, 6, 7])
    with pm.Model(coords={"month": range(9)}) as model:
        given = pm.Data("phi", phi)
        add_ar1_between("tau", at, phi=given, sigma=pt.sqrt(1 - given**2), c=c)
    seen = model["tau_seen"]
    value = model.rvs_to_values[seen]
    back = model.compile_fn(model.replace_rvs_by_values([seen])[0], inputs=[value])
    u = np.array([0.3, -1.0, 0.2, 1.4])
    found = model.compile_fn(model.logp(vars=[seen]), inputs=[value])({value.name: u})
    jacobian = np.transpose([back({value.name: row}) for row in np.eye(4)])  # it is linear
    lag = np.abs(np.subtract.outer(at, at))
    law = stats.multivariate_normal(np.zeros(4), phi**lag)
    expected = law.logpdf(jacobian @ u) + np.linalg.slogdet(jacobian)[1]
    assert float(found) == pytest.approx(expected, abs=1e-8)
    if c == 0:
        assert float(found) == pytest.approx(stats.norm.logpdf(u).sum(), abs=1e-8)
    if c == 1:
        np.testing.assert_allclose(jacobian, np.eye(4), atol=1e-12)
