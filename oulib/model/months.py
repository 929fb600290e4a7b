"""Month effects that sum to zero: independent normals, or a centred autoregression."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.transforms import ZeroSumTransform
from pytensor.tensor import TensorVariable


def add_iid(name: str) -> TensorVariable:
    """Month effects ``name[month]``, iid N(0, 1) and centred; spec 1.2.

    A vector of iid normals minus its mean has exactly the distribution of PyMC's
    ``ZeroSumNormal``, which has one coordinate fewer and no direction that the data cannot see.
    """
    return pm.ZeroSumNormal(name, sigma=1.0, dims="month")


def add_ar1(name: str, *, phi: TensorVariable, sigma: TensorVariable | float) -> TensorVariable:
    """Month effects ``name[month]``: a stationary AR(1) path minus its mean; spec 2.2.

    ``phi`` is the autocorrelation and ``sigma`` the sd of the innovations.  The path's mean is
    integrated out, so only the centred path is sampled; see :func:`centred_ar1_logp`.
    """
    months = len(pm.modelcontext(None).coords["month"])
    return pm.CustomDist(
        name,
        phi,
        sigma,
        np.zeros(months),  # tells the distribution how long it is
        logp=lambda value, phi, sigma, _: centred_ar1_logp(value, phi, sigma),
        random=_draw_centred_ar1,
        support_point=lambda rv, size, phi, sigma, _: pt.zeros(months),
        signature="(),(),(month)->(month)",
        default_transform=ZeroSumTransform([-1]),
        dims="month",
    )


def add_ar1_by_innovations(
    name: str, *, phi: TensorVariable, sigma: TensorVariable | float
) -> TensorVariable:
    """The distribution of :func:`add_ar1`, sampled by the path's standardised innovations.

    Better where the data say little about most months: there the path itself would have to
    follow ``phi`` wherever it goes.
    """
    z = pm.Normal(f"z_{name}", dims="month")
    start = sigma / pt.sqrt(1 - phi**2)
    innovations = pt.concatenate([(start * z[0])[None], sigma * z[1:]])
    path = accumulate(innovations, phi, len(pm.modelcontext(None).coords["month"]))
    return pm.Deterministic(name, path - path.mean(), dims="month")


def accumulate(innovations: TensorVariable, phi: TensorVariable, length: int) -> TensorVariable:
    """The path x_t = phi x_(t-1) + innovation_t of ``length`` steps, by doubling.

    With B the shift by a step, 1 / (1 - phi B) = (1 + phi B)(1 + phi^2 B^2)(1 + phi^4 B^4)...,
    so a handful of shifted sums do, and no loop over months.
    """
    path, shift = innovations, 1
    while shift < length:
        path = pt.concatenate([path[:shift], path[shift:] + phi**shift * path[:-shift]])
        shift *= 2
    return path


def _draw_centred_ar1(
    phi: np.ndarray,
    sigma: np.ndarray,
    template: np.ndarray,
    rng: np.random.Generator,
    size: tuple[int, ...] | None = None,
) -> np.ndarray:
    shape, months = tuple(size or ()), template.shape[-1]
    phi, sigma = np.broadcast_to(phi, shape), np.broadcast_to(sigma, shape)
    path = np.empty((*shape, months))
    path[..., 0] = rng.normal(size=shape) * sigma / np.sqrt(1 - phi**2)
    for t in range(1, months):
        path[..., t] = phi * path[..., t - 1] + sigma * rng.normal(size=shape)
    return path - path.mean(axis=-1, keepdims=True)


def centred_ar1_logp(
    value: TensorVariable, phi: TensorVariable, sigma: TensorVariable
) -> TensorVariable:
    """Log density of a stationary AR(1) path minus its mean, on the subspace that sums to zero.

    With f the density of the path and Q its precision matrix, integrating over the mean c gives
    f(v) exp(b^2 / 2q) sqrt(2 pi T / q) with q = 1'Q1 and b = 1'Qv, both sums of T terms.
    ``ZeroSumNormal`` would be wrong here: it has the covariance of independent months.
    """
    months = value.shape[-1]
    start = 1 - phi**2
    step = value[..., 1:] - phi * value[..., :-1]
    squares = start * value[..., 0] ** 2 + pt.sum(step**2, axis=-1)
    q = start + (months - 1) * (1 - phi) ** 2
    b = start * value[..., 0] + (1 - phi) * pt.sum(step, axis=-1)
    log_path = (
        -0.5 * (months - 1) * pt.log(2 * np.pi * sigma**2)
        + 0.5 * pt.log(start)
        - 0.5 * (squares - b**2 / q) / sigma**2
    )
    return log_path + 0.5 * pt.log(months / q)


def persistence(name: str) -> TensorVariable:
    """The autocorrelation ``name`` ~ Uniform(-1, 1), which makes the AR(1) stationary."""
    return pm.Uniform(name, -1.0, 1.0)
