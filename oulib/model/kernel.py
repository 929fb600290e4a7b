# ruff: noqa: ANN001, ANN201, ANN202 - Numba finds the types itself
"""The integral over a row's latent score and its derivatives, as Numba compiles them.

See :mod:`oulib.model.integration` for what is integrated, and why by this rule.
"""

import math

import numba
import numpy as np

_REACH = 4.5  # sds of t that are summed on either side; beyond them lies less than 1e-5
_MOST = 2000  # nodes a row, against a step that underflows
LOG_2PI = math.log(2 * math.pi)


@numba.njit(cache=True)
def _row(r, c, sigma, nu, u, v, sign, step, terms, logs):
    """Log of the integral of one row and its derivatives; ``terms`` and ``logs`` are scratch.

    The derivatives are means over the nodes, weighted as the integrand is, of the derivatives of
    its logarithm (Fisher's identity), so that one logarithm and one exponential a node do.
    The constant of the density f is left to the caller; it is the same for all rows.
    """
    heavy = not math.isinf(nu)
    r, c = r / sigma, c / sigma
    centre = c * r / (1 + c * c)  # of t given a normal outcome: a heavy tail pulls less far
    width = 1 / math.sqrt(1 + c * c + 0.25 * v * v)
    low, high = min(0.0, centre) - _REACH, max(0.0, centre) + _REACH
    if sign * v > 0:
        high += abs(v)
    elif sign * v < 0:
        low -= abs(v)
    if c == 0.0 and sign == 0.0:  # nothing depends on t: one node at its mean is exact
        low, count, h = 0.0, 1, math.sqrt(2 * math.pi)
    else:
        count = int(min((high - low) / (step * width) + 2, _MOST))
        h = (high - low) / (count - 1)
    power = -0.5 * (nu + 1)
    top = -np.inf
    for k in range(count):
        t = low + k * h
        z = r - c * t
        if heavy:
            logs[k] = math.log(1 + z * z / nu)
            term = power * logs[k]
        else:
            term = -0.5 * z * z
        term -= 0.5 * t * t
        terms[k] = term
        top = max(top, term)
    total = d_r = d_c = d_sigma = d_nu = d_u = d_v = 0.0
    for k in range(count):
        t = low + k * h
        z = r - c * t
        weight = math.exp(terms[k] - top)
        if sign != 0:
            other = 1 / (1 + math.exp(sign * (u + v * t)))  # the chance of the other answer
            weight *= 1 - other
            d_u += weight * sign * other
            d_v += weight * sign * other * t
        total += weight
        if heavy:
            pull = weight * 2 * power * z / (nu + z * z)
            d_nu -= 0.5 * (weight * logs[k] + pull * z / nu)
        else:
            pull = -weight * z
        d_r += pull
        d_c -= pull * t
        d_sigma -= pull * z
    return (
        top + math.log(total * h) - 0.5 * LOG_2PI - math.log(sigma),
        d_r / total / sigma,
        d_c / total / sigma,
        (d_sigma / total - 1) / sigma,
        d_nu / total,
        d_u / total,
        d_v / total,
    )


@numba.njit(cache=True)
def rows(r, c, sigma, nu, u, v, sign, step):
    """The results of :func:`_row` for every row, as arrays over rows."""
    out = np.empty((7, r.shape[0]))
    terms, logs = np.empty(_MOST), np.empty(_MOST)
    for i in range(r.shape[0]):
        found = _row(r[i], c[i], sigma, nu, u[i], v[i], sign[i], step, terms, logs)
        for k in range(7):
            out[k, i] = found[k]
    return out


@numba.njit(cache=True)
def values(r, c, sigma, nu, u, v, sign, step):
    """The log integrals alone, where every entry has a sigma and a nu of its own."""
    out = np.empty(r.shape[0])
    terms, logs = np.empty(_MOST), np.empty(_MOST)
    for i in range(r.shape[0]):
        out[i] = _row(r[i], c[i], sigma[i], nu[i], u[i], v[i], sign[i], step, terms, logs)[0]
    return out
