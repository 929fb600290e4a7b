"""Sums over a row's latent score where no closed form exists, value and gradient in one pass.

With x* = mean + sd t and t standard normal, the density of a row is

    E_t[ f((r - c t) / sigma) / sigma * P(R | u + v t) ],

where r is the outcome's residual at the mean score, c = beta sd, f a Student-t or a normal
density, and u + v t the logit of answering a planned survey.

The trapezoidal rule converges geometrically for such integrands once its step is a fraction of
their width (Trefethen and Weideman, 2014), so every row takes a step from its own width, and as
many nodes as its range then needs.  Gauss-Hermite nodes stand at fixed
places, and err by several per cent where the outcome loads strongly on the score.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType, disconnected_type
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import register_funcify_default_op_cache_key
from pytensor.tensor import TensorVariable
from scipy import special

from oulib.model import kernel
from oulib.model.kernel import LOG_2PI

# PyTensor keeps compiled functions between sessions; one that has another kernel in it is stale.
_KERNEL = int(hashlib.sha256(Path(kernel.__file__).read_bytes()).hexdigest()[:12], 16)

STEP = 0.9
"""Distance between nodes, in widths of the row's integrand."""


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
    flat = [np.ascontiguousarray(values, dtype=float).ravel() for values in given]
    value = kernel.values(*flat, step).reshape(given[0].shape)
    nu = np.asarray(nu, dtype=float)
    finite = np.where(np.isinf(nu), 1.0, nu)
    heavy = special.gammaln((finite + 1) / 2) - special.gammaln(finite / 2)
    heavy = heavy - 0.5 * np.log(np.pi * finite)
    return value + np.where(np.isinf(nu), -0.5 * LOG_2PI, heavy)


class _LogMean(Op):
    """The integral over t of every row as a PyTensor operation, with its derivatives.

    Inputs r, c (row), sigma, nu (), u, v, sign (row); outputs the log integral without the
    constant of f, and its derivatives by the first six inputs, (row) each.
    """

    __props__ = ("step",)
    gufunc_signature = "(n),(n),(),(),(n),(n),(n)->(n),(n),(n),(n),(n),(n),(n)"

    def __init__(self, step: float) -> None:
        self.step = step

    def make_node(self, *inputs: Any) -> Apply:
        tensors = [pt.cast(pt.as_tensor(value), "float64") for value in inputs]
        return Apply(self, tensors, [pt.dvector() for _ in range(7)])

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: list[list[Any]]) -> None:
        r, c, sigma, nu, u, v, sign = inputs
        found = kernel.rows(r, c, float(sigma), float(nu), u, v, sign, self.step)
        for storage, values in zip(output_storage, found, strict=True):
            storage[0] = values.copy()

    def infer_shape(self, node: Apply, shapes: list[tuple]) -> list[tuple]:
        return [shapes[0]] * 7

    def pullback(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        cotangents: Sequence[Variable],
    ) -> list[Variable]:
        if not all(isinstance(g.type, DisconnectedType) for g in cotangents[1:]):
            raise NotImplementedError("second derivatives of a row's integral")
        _, *slopes = outputs
        back = [cotangents[0] * slope for slope in slopes]
        back[2], back[3] = pt.sum(back[2]), pt.sum(back[3])  # the scalars sigma and nu
        return [*back, disconnected_type()]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[True] * 7] * 6 + [[False] * 7]


@register_funcify_default_op_cache_key(_LogMean)
def _compiled(op: _LogMean, node: Apply | None = None, **_: Any) -> Any:
    step, rows = op.step, kernel.rows

    @numba.njit
    def log_mean(r, c, sigma, nu, u, v, sign):  # noqa: ANN001, ANN202
        found = rows(r, c, sigma.item(), nu.item(), u, v, sign, step)
        return found[0], found[1], found[2], found[3], found[4], found[5], found[6]

    return log_mean, _KERNEL


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
    value = _LogMean(step)(residual, loading, sigma, shape, u, v, s)[0]
    if nu is None:
        return value - 0.5 * LOG_2PI
    constant = pt.gammaln((nu + 1) / 2) - pt.gammaln(nu / 2) - 0.5 * pt.log(np.pi * nu)
    return value + constant


def log_response(
    offset: TensorVariable, slope: TensorVariable, sign: TensorVariable, *, step: float = STEP
) -> TensorVariable:
    """log E[P(R | x*)] of every row, x* normal; arguments as in :func:`log_outcome`."""
    none = pt.zeros_like(offset)  # an outcome at its mean, whatever x* is: f is its constant
    one, normal = pt.constant(1.0), pt.constant(np.inf)
    return _LogMean(step)(none, none, one, normal, offset, slope, sign)[0]
