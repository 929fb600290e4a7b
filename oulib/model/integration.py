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

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytensor.tensor as pt
from numba.extending import overload
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
    value = kernel.values(*(x.ravel() for x in given), step).reshape(given[0].shape)
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

    def prepare(self) -> None:
        """Compile the kernel, or fetch it from disk, before a model that calls it is compiled."""
        one = np.zeros(1)
        kernel.rows(one, one, np.array(1.0), np.array(4.0), one, one, one, self.step)

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: list[list[Any]]) -> None:
        for storage, values in zip(output_storage, kernel.rows(*inputs, self.step), strict=True):
            storage[0] = values

    def infer_shape(self, node: Apply, shapes: list[tuple]) -> list[tuple]:
        return [shapes[0]] * 7

    def pullback(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        cotangents: Sequence[Variable],
    ) -> list[Variable]:
        back = _back(outputs, cotangents)
        back[2], back[3] = pt.sum(back[2]), pt.sum(back[3])  # the scalars sigma and nu
        return [*back, disconnected_type()]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[True] * 7] * 6 + [[False] * 7]


class _LogChance(Op):
    """The chance of every row's answer, averaged over t, as an operation with its derivatives.

    Inputs u, v, sign (row); outputs the log chance, 0 without an answer, and its derivatives by u
    and v, (row) each.  It is what :class:`_LogMean` has for outcomes that say nothing, for less.
    """

    __props__ = ("step",)
    gufunc_signature = "(n),(n),(n)->(n),(n),(n)"

    def __init__(self, step: float) -> None:
        self.step = step

    def make_node(self, *inputs: Any) -> Apply:
        tensors = [pt.cast(pt.as_tensor(value), "float64") for value in inputs]
        return Apply(self, tensors, [pt.dvector() for _ in range(3)])

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: list[list[Any]]) -> None:
        for storage, values in zip(output_storage, kernel.answers(*inputs, self.step), strict=True):
            storage[0] = values

    def infer_shape(self, node: Apply, shapes: list[tuple]) -> list[tuple]:
        return [shapes[0]] * 3

    def pullback(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        cotangents: Sequence[Variable],
    ) -> list[Variable]:
        return [*_back(outputs, cotangents), disconnected_type()]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[True] * 3] * 2 + [[False] * 3]


def _back(outputs: Sequence[Variable], cotangents: Sequence[Variable]) -> list[Variable]:
    """The cotangents of the inputs of an operation that returns its value and its derivatives."""
    if not all(isinstance(g.type, DisconnectedType) for g in cotangents[1:]):
        raise NotImplementedError("second derivatives of a row's integral")
    return [cotangents[0] * slope for slope in outputs[1:]]


def _plain(values: np.ndarray) -> np.ndarray:
    """``values`` as the kernel was compiled for: contiguous and writable, whatever came in."""
    return np.array(values)


@overload(_plain)
def _compiled_plain(values):  # noqa: ANN001, ANN202 - Numba compares the signatures
    if values.layout == "C" and values.mutable:
        return lambda values: values
    return lambda values: values.copy()


@register_funcify_default_op_cache_key(_LogMean)
def _compiled_mean(op: _LogMean, node: Apply | None = None, **_: Any) -> Any:
    step, summed, plain = op.step, kernel.summed, _plain

    @numba.njit
    def log_mean(r, c, sigma, nu, u, v, sign):  # noqa: ANN001, ANN202
        scale, shape = np.full(1, sigma.item()), np.full(1, nu.item())
        answer = plain(u), plain(v), plain(sign)
        found = summed(plain(r), plain(c), scale, shape, *answer, step, True)
        return found[0], found[1], found[2], found[3], found[4], found[5], found[6]

    return log_mean, _KERNEL


@register_funcify_default_op_cache_key(_LogChance)
def _compiled_chance(op: _LogChance, node: Apply | None = None, **_: Any) -> Any:
    step, summed, plain = op.step, kernel.summed, _plain

    @numba.njit
    def log_chance(u, v, sign):  # noqa: ANN001, ANN202
        none, one, normal = np.zeros(u.shape[0]), np.full(1, 1.0), np.full(1, np.inf)
        answer = plain(u), plain(v), plain(sign)
        found = summed(none, none, one, normal, *answer, step, False)
        return found[0], found[5], found[6]

    return log_chance, _KERNEL


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
    return _LogChance(step)(offset, slope, sign)[0]
