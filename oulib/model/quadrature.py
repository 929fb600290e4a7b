"""Sums over a row's latent score where no closed form exists, value and gradient in one pass.

With x* = mean + sd t and t standard normal, the density of a row is

    E_t[ f((r - c t) / sigma) / sigma * P(R | u + v t) ],

where r is the outcome's residual at the mean score, c = beta sd, f a Student-t or a normal
density, and u + v t the logit of answering a planned survey.

Most rows' integrands are nearly normal: they take Gauss-Hermite nodes around their own peak and
scaled to its width, as many as their departure from a normal needs for an error of 1e-5 (adaptive
quadrature; Liu and Pierce, 1994).  Gauss-Hermite nodes at the places of the prior would err by
several per cent where the outcome loads strongly on the score.

Where that needs too many, or no one peak is found, as when an outlying outcome under a heavy tail
leaves two of them, nodes stand evenly over all that can matter.  The trapezoidal rule converges
geometrically for such integrands once its step is a fraction of their width (Trefethen and
Weideman, 2014), so every such row takes a step from its own width, and as many nodes as its range
then needs.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytensor.tensor as pt
from numba.extending import overload
from pytensor.tensor import TensorVariable
from scipy import special

from oulib.model import quadrature_kernel
from oulib.model.kernel_op import Kernel
from oulib.model.quadrature_kernel import LOG_2PI

STEP = 0.9
"""Distance between even nodes, in widths of the row's integrand.

Rules around a peak have as many nodes as they need at this step, and more at a smaller one in the
same proportion.
"""


def evaluate(
    residual: Any,
    loading: Any,
    sigma: Any,
    nu: Any,
    offset: Any,
    slope: Any,
    sign: Any,
    *,
    step: float = STEP,
) -> np.ndarray:
    """:func:`log_outcome` of arrays of any shapes that broadcast; ``nu`` is inf for a normal."""
    given = np.broadcast_arrays(residual, loading, sigma, nu, offset, slope, sign)
    flat = (*(x.ravel() for x in given), step)
    value = quadrature_kernel.values(*flat).reshape(given[0].shape)
    nu = np.asarray(nu, dtype=float)
    finite = np.where(np.isinf(nu), 1.0, nu)
    heavy = special.gammaln((finite + 1) / 2) - special.gammaln(finite / 2)
    heavy = heavy - 0.5 * np.log(np.pi * finite)
    return value + np.where(np.isinf(nu), -0.5 * LOG_2PI, heavy)


def _plain(values: np.ndarray) -> np.ndarray:
    """``values`` as the kernel was compiled for: contiguous and writable, whatever came in."""
    return np.array(values)


@overload(_plain)
def _compiled_plain(values):  # noqa: ANN001, ANN202 - Numba compares the signatures
    if values.layout == "C" and values.mutable:
        return lambda values: values
    return lambda values: values.copy()


@numba.njit(cache=True)
def _mean(r, c, sigma, nu, u, v, sign, step):  # noqa: ANN001, ANN202
    """The log integral of every row without the constant of f, and its derivatives, (row)."""
    scale, shape = np.full(1, sigma.item()), np.full(1, nu.item())
    answer = _plain(u), _plain(v), _plain(sign)
    found = quadrature_kernel.summed(_plain(r), _plain(c), scale, shape, *answer, step.item(), True)
    return found[0], found[1], found[2], found[3], found[4], found[5], found[6]


@numba.njit(cache=True)
def _mean_back(  # noqa: ANN202
    r, c, sigma, nu, u, v, sign, step, d_r, d_c, d_sigma, d_nu, d_u, d_v, g  # noqa: ANN001
):  # fmt: skip
    by_sigma, by_nu = np.asarray(np.sum(g * d_sigma)), np.asarray(np.sum(g * d_nu))
    return g * d_r, g * d_c, by_sigma, by_nu, g * d_u, g * d_v


_log_mean = Kernel(
    name="log_mean",
    forward=_mean,
    backward=_mean_back,
    inputs=("f1", "f1", "f0", "f0", "f1", "f1", "f1", "f0"),
    shapes=(((0, 0),),) * 7,
    wanted=(0, 1, 2, 3, 4, 5),
    calls=(quadrature_kernel.summed,),
)
"""Inputs r, c (row), sigma, nu, u, v, sign (row), step."""


@numba.njit(cache=True)
def _chance(u, v, sign, step):  # noqa: ANN001, ANN202
    """The log chance of every row's answer, 0 without one, and its derivatives by u and v, (row).

    What :func:`_mean` has for outcomes that say nothing, for less.
    """
    none, one, normal = np.zeros(u.shape[0]), np.full(1, 1.0), np.full(1, np.inf)
    answer = _plain(u), _plain(v), _plain(sign)
    found = quadrature_kernel.summed(none, none, one, normal, *answer, step.item(), False)
    return found[0], found[5], found[6]


@numba.njit(cache=True)
def _chance_back(u, v, sign, step, d_u, d_v, g):  # noqa: ANN001, ANN202
    return g * d_u, g * d_v


_log_chance = Kernel(
    name="log_chance",
    forward=_chance,
    backward=_chance_back,
    inputs=("f1", "f1", "f1", "f0"),
    shapes=(((0, 0),),) * 3,
    wanted=(0, 1),
    calls=(quadrature_kernel.summed,),
)
"""Inputs u, v, sign (row), step."""


def log_outcome(
    residual: TensorVariable,
    loading: TensorVariable,
    sigma: TensorVariable,
    nu: TensorVariable | None,
    offset: TensorVariable | None = None,
    slope: TensorVariable | None = None,
    sign: TensorVariable | None = None,
    *,
    step: float = STEP,
) -> TensorVariable:
    """log E[p(y | x*) P(R | x*)] of every row, x* normal; (row).

    Args:
        residual: y minus its mean at the mean of x*, (row).
        loading: beta times the sd of x*, (row).
        sigma: scale of the outcome's noise.
        nu: its degrees of freedom; None for a normal outcome.
        offset, slope: the logit of answering at the mean of x*, and its change per sd, (row).
        sign: +1 where a planned survey was answered, -1 where not, 0 where none was planned;
            without, the response is left out.
        step: distance between nodes, in widths of the integrand.
    """
    none = pt.zeros_like(residual)
    u, v, s = (none if value is None else value for value in (offset, slope, sign))
    shape = pt.constant(np.inf) if nu is None else nu
    value = _log_mean(residual, loading, sigma, shape, u, v, s, step)
    if nu is None:
        return value - 0.5 * LOG_2PI
    constant = pt.gammaln((nu + 1) / 2) - pt.gammaln(nu / 2) - 0.5 * pt.log(np.pi * nu)
    return value + constant


def log_response(
    offset: TensorVariable, slope: TensorVariable, sign: TensorVariable, *, step: float = STEP
) -> TensorVariable:
    """log E[P(R | x*)] of every row, x* normal; arguments as in :func:`log_outcome`."""
    return _log_chance(offset, slope, sign, step)
