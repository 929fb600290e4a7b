# ruff: noqa: ANN001, ANN201, ANN202 - Numba finds the types itself
"""A Kalman filter over each OU's rows and its reverse, as Numba compiles them.

See :mod:`oulib.model.kalman` for what is filtered.
"""

import numba
import numpy as np


@numba.njit(cache=True)
def _predict(z, first, gap, phi, q, v):
    """How far rows miss the state predicted for them, that state, and its variance.

    The first two are (row, column), the last (row): it is the same for all columns.
    """
    rows, columns = z.shape
    miss, before = np.empty((rows, columns)), np.empty((rows, columns))
    variance = np.empty(rows)
    state = np.zeros(columns)
    stationary = q / (1 - phi * phi)
    p = stationary
    for i in range(rows):
        if first[i]:
            state[:] = 0.0
            p = stationary
        else:
            d = phi if gap[i] == 1.0 else phi ** gap[i]
            state *= d
            p = d * d * p + stationary * (1 - d * d)
        variance[i] = p
        gain = p / (p + v[i])
        for c in range(columns):
            before[i, c] = state[c]
            miss[i, c] = z[i, c] - state[c]
            state[c] += gain * miss[i, c]
        p = gain * v[i]
    return miss, before, variance


@numba.njit(cache=True)
def whiten(z, first, gap, phi, q, v):
    """Whitened columns (row, column) and log variances (row); arguments as in ``filtering``."""
    out, _, variance = _predict(z, first, gap, phi, q, v)
    log_f = np.log(variance + v)
    for i in range(z.shape[0]):
        out[i] *= np.exp(-0.5 * log_f[i])
    return out, log_f


@numba.njit(cache=True)
def pull_back(z, first, gap, phi, q, v, g_out, g_log):
    """Derivatives of sum(g_out * out) + sum(g_log * log_f) by z, phi, q and v."""
    rows, columns = z.shape
    miss, before, variance = _predict(z, first, gap, phi, q, v)
    stationary = q / (1 - phi * phi)
    g_z, g_v = np.empty((rows, columns)), np.empty(rows)
    g_phi = g_stationary = 0.0
    g_state, g_p = np.zeros(columns), 0.0  # of the state after row i's update
    for i in range(rows - 1, -1, -1):
        p = variance[i]
        f = p + v[i]
        over_f = 1 / f
        gain, root = p * over_f, np.sqrt(over_f)
        g_gain = g_f = 0.0
        for c in range(columns):
            g_gain += g_state[c] * miss[i, c]
            g_f += g_out[i, c] * miss[i, c]
            g_z[i, c] = g_state[c] * gain + g_out[i, c] * root
            g_state[c] -= g_z[i, c]
        g_f = (g_log[i] - 0.5 * root * g_f - (g_gain + g_p * v[i]) * gain) * over_f
        g_v[i] = g_f + g_p * gain
        g_p = g_f + (g_gain + g_p * v[i]) * over_f
        if first[i]:
            g_stationary += g_p
            g_state[:] = 0.0
            g_p = 0.0
            continue
        # back through the step of ``gap`` months from the row before
        d = phi if gap[i] == 1.0 else phi ** gap[i]
        weight = variance[i - 1] / (variance[i - 1] + v[i - 1])
        g_d = 2 * d * g_p * (weight * v[i - 1] - stationary)
        for c in range(columns):
            g_d += g_state[c] * (before[i - 1, c] + weight * miss[i - 1, c])
            g_state[c] *= d
        g_stationary += g_p * (1 - d * d)
        g_phi += g_d if gap[i] == 1.0 else g_d * gap[i] * phi ** (gap[i] - 1)
        g_p *= d * d
    share = 1 - phi * phi
    g_phi += g_stationary * 2 * phi * q / (share * share)
    return g_z, g_phi, g_stationary / share, g_v


@numba.njit(cache=True)
def others(z, first, gap, phi, q, v):
    """Mean and variance of the deviation in every row given the OU's other rows, (draw, row).

    ``z`` and ``v`` are (draw, row), ``phi`` and ``q`` (draw); a row whose ``v`` is infinite is not
    known.  What the past and what the future say are put together, the prior counted once.
    """
    draws, rows = z.shape
    mean, var = np.empty((draws, rows)), np.empty((draws, rows))
    for k in range(draws):
        stationary = q[k] / (1 - phi[k] * phi[k])
        a, p = 0.0, stationary
        for i in range(rows):
            if first[i]:
                a, p = 0.0, stationary
            else:
                d = phi[k] ** gap[i]
                a, p = d * a, d * d * p + stationary * (1 - d * d)
            mean[k, i], var[k, i] = a, p
            if v[k, i] < np.inf:
                gain = p / (p + v[k, i])
                a, p = a + gain * (z[k, i] - a), gain * v[k, i]
        a, p = 0.0, stationary
        for i in range(rows - 1, -1, -1):
            precision = 1 / var[k, i] + 1 / p - 1 / stationary
            mean[k, i] = (mean[k, i] / var[k, i] + a / p) / precision
            var[k, i] = 1 / precision
            if v[k, i] < np.inf:
                gain = p / (p + v[k, i])
                a, p = a + gain * (z[k, i] - a), gain * v[k, i]
            if first[i]:
                a, p = 0.0, stationary
            else:
                d = phi[k] ** gap[i]
                a, p = d * a, d * d * p + stationary * (1 - d * d)
    return mean, var
