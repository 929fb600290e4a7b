"""What is left of an OU's series once a persistent deviation and independent noise are allowed for.

The deviation u of an OU is a stationary AR(1) over the months, seen through noise:

    z_t = u_t + e_t,   u_t = phi u_(t-1) + w_t,   var(w_t) = q,   var(e_t) = v_t.

With C the covariance of z over the rows of an OU and C = L diag(F) L' (L unit lower triangular),
the Kalman filter applies (L diag(F)^(1/2))^(-1) to any column of numbers in one pass over the rows:
whitened columns are what generalised least squares and the normal density need.  A month without a
row only lengthens the step to the next.
"""

from __future__ import annotations

import numba
import numpy as np
from pytensor.tensor import TensorVariable

from oulib.model import kalman_kernel
from oulib.model.kernel_op import Kernel


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
    return _filter.pair(columns, first, gap, phi, q, v)


@numba.njit(cache=True)
def _forward(z, first, gap, phi, q, v):  # noqa: ANN001, ANN202
    return kalman_kernel.whiten(z, first, gap, phi.item(), q.item(), v)


@numba.njit(cache=True)
def _backward(z, first, gap, phi, q, v, g_out, g_log):  # noqa: ANN001, ANN202
    g_z, g_phi, g_q, g_v = kalman_kernel.pull_back(
        z, first, gap, phi.item(), q.item(), v, g_out, g_log
    )
    return g_z, np.asarray(g_phi), np.asarray(g_q), g_v


_filter = Kernel(
    name="filter",
    forward=_forward,
    backward=_backward,
    inputs=("f2", "b1", "f1", "f0", "f0", "f1"),
    shapes=(((0, 0), (0, 1)), ((0, 0),)),
    outputs=2,
    wanted=(0, 3, 4, 5),
    calls=(kalman_kernel.whiten,),
)
