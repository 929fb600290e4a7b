"""The dense sums that the model's quadrature is held against, against adaptive integration."""

import numpy as np
import pytest
import xarray as xr
from scipy import special, stats

from oulib.model.draws.density import RowDensity, _dense, _nodes, model_sums

SAMPLES = {"chain": [0], "draw": [0, 1]}


def a_density(beta: float, nu: float | None, rho: float | None, residual: float) -> RowDensity:
    """Three rows at two draws: not planned, answered, not answered."""
    scalars = {"nu": nu, "rho_x": rho}
    posterior = xr.Dataset(
        {k: (tuple(SAMPLES), [[v, 1.5 * v]]) for k, v in scalars.items() if v is not None},
        coords=SAMPLES,
    )
    by_row = {k: xr.DataArray(np.array(v), dims="row") for k, v in {
        "y": [0.1 + residual, -0.4, 0.2], "mean": [0.3, -0.2, 0.0], "var": [1.0, 0.1, 0.5],
        "sign": [0.0, 1.0, -1.0] if rho else [0.0, 0.0, 0.0], "intercept": [0.1, 0.0, -0.1],
    }.items()}  # fmt: skip
    each = xr.ones_like(posterior.coords["draw"] * by_row["y"], dtype=float).expand_dims(chain=1)
    return RowDensity(
        posterior=posterior,
        **{name: values * each for name, values in by_row.items()},
        beta=beta * each,
        loading=beta * each,
        sigma=0.4 * each,
        offset=0.5 * each,
    )


def panels(count: int = 400, points: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes and weights on many panels from -9 to 9: nothing of a trapezoid."""
    at, weight = np.polynomial.legendre.leggauss(points)
    half = 9.0 / count
    centre = np.linspace(-9 + half, 9 - half, count)
    return np.ravel(centre[:, None] + half * at), np.tile(half * weight, count)


@pytest.mark.parametrize("beta", [0.3, -4.0])
@pytest.mark.parametrize("nu", [None, 1.2, 8.0])
@pytest.mark.parametrize("rho", [None, 0.5, -6.0])
@pytest.mark.parametrize("residual", [0.0, 3.0])
def test_dense_sums_are_the_integrals(
    beta: float, nu: float | None, rho: float | None, residual: float
) -> None:
    density = a_density(beta, nu, rho, residual)
    found = _dense(density)
    z, weight = panels()
    for draw in range(2):
        law = stats.norm if nu is None else stats.t(nu * (1, 1.5)[draw])
        slope = 0.0 if rho is None else rho * (1, 1.5)[draw]
        for row in range(3):
            mean, var, sign, y, at = (
                v.isel(row=row).values.flat[0]
                for v in (getattr(density, k) for k in ("mean", "var", "sign", "y", "intercept"))
            )
            x = mean + np.sqrt(var) * z
            answer = 1.0 if rho is None or not sign else special.expit(sign * (0.5 + slope * x))
            outcome = law.pdf((y - at - beta * x) / 0.4) / 0.4
            expected = [
                np.log(np.sum(weight * stats.norm.pdf(z) * inside))
                for inside in (answer * outcome, answer)
            ]
            np.testing.assert_allclose(
                [each.isel(chain=0, draw=draw, row=row).item() for each in found],
                expected, rtol=0, atol=1e-8,
            )  # fmt: skip


def test_the_grid_gets_finer_where_the_integrand_is_sharper() -> None:
    sizes = [_nodes(a_density(beta, 3.0, None, 0.0)).size for beta in (0.0, 1.0, 10.0, 1e9, np.inf)]
    assert sizes == sorted(sizes)
    assert sizes[0] < 100 < sizes[2] < sizes[3] == sizes[4] < 10_000


@pytest.mark.parametrize("rho", [None, 0.5])
@pytest.mark.parametrize("nu", [None, 4.0])
def test_the_models_sums_are_the_dense_ones(nu: float | None, rho: float | None) -> None:
    density = a_density(0.5, nu, rho, 0.7)
    joint, response = _dense(density)
    for found, expected in zip(
        model_sums(density, step=0.25), (joint - response, response), strict=True
    ):
        assert set(found.dims) == {"chain", "draw", "row"}
        np.testing.assert_allclose(found, expected.transpose(*found.dims), rtol=0, atol=1e-4)
