"""What is left of an OU's series once a persistent deviation and independent noise are allowed for.

The deviation u of an OU is a stationary AR(1) over the months, seen through noise:

    z_t = u_t + e_t,   u_t = phi u_(t-1) + w_t,   var(w_t) = q,   var(e_t) = v_t.

With C the covariance of z over the rows of an OU and C = L diag(F) L' (L unit lower triangular),
the Kalman filter applies (L diag(F)^(1/2))^(-1) to any column of numbers in one pass over the rows:
whitened columns are what generalised least squares and the normal density need.  A month without a
row only lengthens the step to the next.
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

from oulib.model import filter_kernel

# PyTensor keeps compiled functions between sessions; one that has another kernel in it is stale.
_KERNEL = int(hashlib.sha256(Path(filter_kernel.__file__).read_bytes()).hexdigest()[:12], 16)


def whiten(
    columns: TensorVariable,
    first: TensorVariable,
    gap: TensorVariable,
    phi: TensorVariable,
    q: TensorVariable,
    v: TensorVariable,
) -> tuple[TensorVariable, TensorVariable]:
    """Whitened ``columns`` (row, column) and the rows' log innovation variances (row).

    Args:
        columns: numbers by row, (row, column); rows sorted by OU, then month.
        first: whether a row is its OU's first, (row).
        gap: steps of the calendar since the OU's row before, (row); ignored in first rows.
        phi: autocorrelation of the deviations.
        q: variance of their innovations.
        v: variance of the independent noise, (row); 0 is allowed.
    """
    out, log_f = _Whiten()(columns, first, gap, phi, q, v)
    return out, log_f


def _tensors(inputs: Sequence[Any]) -> list[TensorVariable]:
    z, first, gap, phi, q, v, *rest = (pt.as_tensor(value) for value in inputs)
    floats = (pt.cast(value, "float64") for value in (gap, phi, q, v, *rest))
    return [pt.cast(z, "float64"), pt.cast(first, "bool"), *floats]


class _Whiten(Op):
    __props__ = ()

    def make_node(self, *inputs: Any) -> Apply:
        return Apply(self, _tensors(inputs), [pt.dmatrix(), pt.dvector()])

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: list[list[Any]]) -> None:
        z, first, gap, phi, q, v = inputs
        found = filter_kernel.whiten(z, first, gap, float(phi), float(q), v)
        for storage, values in zip(output_storage, found, strict=True):
            storage[0] = values

    def infer_shape(self, node: Apply, shapes: list[tuple]) -> list[tuple]:
        return [shapes[0], (shapes[0][0],)]

    def pullback(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        cotangents: Sequence[Variable],
    ) -> list[Variable]:
        given = [
            pt.zeros_like(out) if isinstance(g.type, DisconnectedType) else g
            for g, out in zip(cotangents, outputs, strict=True)
        ]
        g_z, g_phi, g_q, g_v = _PullBack()(*inputs, *given)
        return [g_z, disconnected_type(), disconnected_type(), g_phi, g_q, g_v]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[wanted] * 2 for wanted in (True, False, False, True, True, True)]


class _PullBack(Op):
    """The reverse of :class:`_Whiten`; it has no derivatives of its own."""

    __props__ = ()

    def make_node(self, *inputs: Any) -> Apply:
        outputs = [pt.dmatrix(), pt.dscalar(), pt.dscalar(), pt.dvector()]
        return Apply(self, _tensors(inputs), outputs)

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: list[list[Any]]) -> None:
        z, first, gap, phi, q, v, g_out, g_log = inputs
        found = filter_kernel.pull_back(z, first, gap, float(phi), float(q), v, g_out, g_log)
        for storage, values in zip(output_storage, found, strict=True):
            storage[0] = np.asarray(values)

    def infer_shape(self, node: Apply, shapes: list[tuple]) -> list[tuple]:
        return [shapes[0], (), (), (shapes[0][0],)]


@register_funcify_default_op_cache_key(_Whiten)
def _compiled_whiten(op: _Whiten, node: Apply | None = None, **_: Any) -> Any:
    kernel = filter_kernel.whiten

    @numba.njit
    def whiten(z, first, gap, phi, q, v):  # noqa: ANN001, ANN202
        return kernel(z, first, gap, phi.item(), q.item(), v)

    return whiten, _KERNEL


@register_funcify_default_op_cache_key(_PullBack)
def _compiled_pull_back(op: _PullBack, node: Apply | None = None, **_: Any) -> Any:
    kernel = filter_kernel.pull_back

    @numba.njit
    def pull_back(z, first, gap, phi, q, v, g_out, g_log):  # noqa: ANN001, ANN202
        found = kernel(z, first, gap, phi.item(), q.item(), v, g_out, g_log)
        return found[0], np.asarray(found[1]), np.asarray(found[2]), found[3]

    return pull_back, _KERNEL
