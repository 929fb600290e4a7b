# ruff: noqa: ANN001, ANN202 - Numba finds the types itself
"""Loops over OUs for a slope's two signs: see :mod:`oulib.model.signs`."""

import math

import numba
import numpy as np

from oulib.model.kernel_op import Kernel

_SLIGHT = 1e-8  # a sign of less weight bends no trajectory: its derivatives need no pass over rows


@numba.njit(cache=True)
def _by_ou(value, ou, like):
    """Sums over the rows of each OU, as many as ``like`` is long."""
    out = np.zeros(like.size)
    for i in range(value.size):
        out[ou[i]] += value[i]
    return out


@numba.njit(cache=True)
def _by_ou_back(value, ou, like, c):
    g = np.empty(value.size)
    for i in range(value.size):
        g[i] = c[ou[i]]
    return g


by_ou = Kernel(
    name="by_ou",
    forward=_by_ou,
    backward=_by_ou_back,
    inputs=("f1", "i1", "f1"),
    shapes=(((2, 0),),),
    wanted=(0,),
)
"""Inputs value, ou (row), like (ou)."""


@numba.njit(cache=True, error_model="numpy")
def _either(here, mirrored, both):
    """The logarithm of exp(here) + exp(mirrored) where ``both`` is 1, and ``here`` else, (ou)."""
    out = here.copy()
    for g in range(here.size):
        if both[g]:
            more = mirrored[g] - here[g]
            out[g] = max(here[g], mirrored[g]) + math.log1p(math.exp(-abs(more)))
    return out


@numba.njit(cache=True, error_model="numpy")
def _either_back(here, mirrored, both, c):
    g_here, g_mirrored = c.copy(), np.zeros(here.size)
    for g in range(here.size):
        if both[g]:
            more = mirrored[g] - here[g]
            e = math.exp(-abs(more))
            less = e / (1 + e)
            if less < _SLIGHT:
                less = 0.0
            share = 1 - less if more > 0 else less
            g_here[g], g_mirrored[g] = c[g] * (1 - share), c[g] * share
    return g_here, g_mirrored


either = Kernel(
    name="either",
    forward=_either,
    backward=_either_back,
    inputs=("f1", "f1", "f1"),
    shapes=(((0, 0),),),
    wanted=(0, 1),
)
"""Inputs here, mirrored, both (ou)."""


@numba.njit(cache=True)
def _mixed(bits):
    """A hash of 64 bits (the finaliser of SplitMix64; Steele, Lea and Flood, 2014)."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


@numba.njit(cache=True, error_model="numpy")
def _turned(here, mirrored, z, level):
    """1 where the mirrored slope is drawn, with its probability, and 0 elsewhere, (ou).

    The random number is made of the last bits of the draw itself, so that a draw has one sign
    however often it is asked for, and no generator is needed.
    """
    out, a, b = np.zeros(here.size), z.view(np.uint64), level.view(np.uint64)
    for g in range(here.size):
        bits = _mixed(_mixed(a[g] + np.uint64(0x9E3779B97F4A7C15)) ^ b[g])
        uniform = np.float64(bits >> np.uint64(11)) * 2.0**-53
        if uniform < 1 / (1 + math.exp(min(here[g] - mirrored[g], 700.0))):
            out[g] = 1.0
    return out


@numba.njit(cache=True)
def _turned_back(here, mirrored, z, level, c):
    return ()


turned = Kernel(
    name="turned",
    forward=_turned,
    backward=_turned_back,
    inputs=("f1", "f1", "f1", "f1"),
    shapes=(((0, 0),),),
    wanted=(),
)
"""Inputs here, mirrored, z, level (ou)."""
