"""What a fitted model says of data that are not there."""

import numpy as np
import pytest
import xarray as xr
from conftest import one_draw

from oulib.model.draws.density import alone, expectations, movement_size, row_density
from oulib.model.draws.generate import autoregression, normal_equivalent, standard_noise
from oulib.model.draws.names import SAMPLES
from oulib.model.spec import BASELINE, ROBUST


def posterior(**values: np.ndarray) -> xr.Dataset:
    filled = {"mu_beta": np.zeros((1, 2)), **values}
    return xr.Dataset({name: (SAMPLES, value) for name, value in filled.items()})


def test_noise_has_the_degrees_of_freedom_of_its_draw():
    size = 200_000
    rng = np.random.default_rng(0)
    noise = standard_noise(posterior(nu=np.array([[5.0, 100.0]])), (size,), rng)
    assert noise.shape == (1, 2, size)
    for of_draw, nu in zip(noise[0], (5.0, 100.0), strict=True):
        assert of_draw.var() == pytest.approx(nu / (nu - 2), rel=0.03)
    assert standard_noise(posterior(), (size,), rng).var() == pytest.approx(1, rel=0.02)


def test_normal_noise_that_tells_as_much():
    """The information of a t location, by its score function on a grid."""
    nu, y = 6.0, np.linspace(-200, 200, 400_001)
    density = (1 + y**2 / nu) ** (-(nu + 1) / 2)
    score = (nu + 1) * y / (nu + y**2)
    information = np.sum(density * score**2) / np.sum(density)
    found = normal_equivalent(posterior(nu=np.full((1, 2), nu)))
    assert float(found[0, 0]) == pytest.approx(information**-0.5, rel=1e-4)
    assert normal_equivalent(posterior()) == 1.0


def test_autoregressions_have_the_variance_that_their_model_gives_them():
    phi, learnt = np.array([[0.6, -0.3]]), np.array([[0.5, 2.0]])
    named = posterior(phi_lam=phi, sigma_lam=learnt, phi_tau=phi)
    np.testing.assert_allclose(autoregression(named, "lam"), (phi, learnt))
    found, sigma = autoregression(named, "tau")
    np.testing.assert_allclose(sigma**2 / (1 - found**2), 1)
    free = named.assign(sigma_tau=(SAMPLES, learnt))
    np.testing.assert_allclose(autoregression(free, "tau")[1], learnt)
    for path in ("lam", "tau"):
        np.testing.assert_allclose(autoregression(posterior(), path), [[[0, 0]], [[1, 1]]])


@pytest.mark.parametrize("spec", [BASELINE, ROBUST], ids=lambda spec: spec.name)
def test_what_an_outcome_follows(panel, spec):
    """The score itself, or what a survey lets one expect of it."""
    fit = alone(one_draw(panel, spec, 3))
    p, rows = fit.posterior, panel.survey_rows
    expected, r = expectations(fit, p, rows), row_density(fit, p, rows)
    made = expected.outcome(r.mean + 1.0, r.mean)
    follows = r.mean + 1.0 if spec is BASELINE else r.mean
    xr.testing.assert_allclose(made, r.intercept + r.beta * follows)
    asked_nobody = expected.outcome(expected.x + 1.0)
    moves = expected.beta if spec is BASELINE else 0 * expected.beta
    xr.testing.assert_allclose(
        asked_nobody, expected.intercept + expected.beta * expected.x + moves
    )


def test_a_movement_whose_size_is_fixed(panel):
    fit = one_draw(panel, BASELINE, 2)
    assert float(movement_size(fit, fit.posterior)) == BASELINE.priors.gamma_x_fixed
    learnt = one_draw(panel, ROBUST, 2)
    assert movement_size(learnt, learnt.posterior).dims == SAMPLES
