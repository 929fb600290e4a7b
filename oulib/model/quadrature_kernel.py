# ruff: noqa: ANN001, ANN201, ANN202 - Numba finds the types itself
"""The integral over a row's latent score and its derivatives, as Numba compiles them.

See :mod:`oulib.model.quadrature` for what is integrated, and why by these rules.

Rows that take the same rule are summed ``LANES`` at a time, in short passes over a scratch array,
each a plain loop over the rows that LLVM turns into vector instructions.  Hence what is unusual
here: no branch within such a loop and no call that is not inlined, an exponential and a logarithm
of our own, and one scratch array in place of many, for LLVM has to prove that what a loop writes is
not what it reads.  Several short loops are faster than one: a long chain of dependent operations
leaves the processor waiting.
"""

import math
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

LOG_2PI = math.log(2 * math.pi)
LANES = 32
_SHIFTED, _WITHIN = 5, 31  # of a position: its block of LANES, and its place there

_REACH = 4.5  # sds of t that are summed on either side; beyond them lies less than 1e-5
_MOST = 2000  # nodes a row, against a step that underflows
_LONGEST = 14  # nodes of the longest rule around a peak
_FAST: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract"}}
_PART: dict[str, Any] = {**_FAST, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
_INLINED: dict[str, Any] = {**_PART, "forceinline": True}

# An exponential and a logarithm --------------------------------------------------------------


@intrinsic
def _bits(context, x):
    """The bits of a float64."""

    def code(context, builder, signature, args):
        return builder.bitcast(args[0], ir.IntType(64))

    return types.uint64(types.float64), code


@intrinsic
def _float(context, bits):
    """The float64 that has these bits."""

    def code(context, builder, signature, args):
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.uint64), code


@intrinsic
def _larger(context, x, y):
    """The larger of two numbers; a comparison would become a masked store, which is slow."""

    def code(context, builder, signature, args):
        double = ir.DoubleType()
        kind = ir.FunctionType(double, [double, double])
        return builder.call(builder.module.declare_intrinsic("llvm.maxnum", [double], kind), args)

    return types.float64(types.float64, types.float64), code


@intrinsic
def _apart(context):
    """Keeps the function that this stands in out of its callers: LLVM would compile it for each."""

    def code(context, builder, signature, args):
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.none(), code


_LN2 = math.log(2)
_LN2_HIGH = float.fromhex("0x1.62e42feep-1")  # of so few bits that its multiples are exact
_LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
_SHIFT = 1.5 * 2.0**52  # a number that it is added to has its nearest integer in the lowest bits
_LEAST = -650.0
_E2, _E3, _E4, _E5, _E6, _E7, _E8, _E9, _E10, _E11 = (1 / math.factorial(k) for k in range(2, 12))
_52 = np.uint64(52)


@numba.njit(**_INLINED)
def _reduced(x):
    """x <= 0 as r + k log(2), |r| <= log(2) / 2: r, and k + ``_SHIFT``; no less than ``_LEAST``."""
    x = _LEAST if x < _LEAST else x
    shifted = x * (1 / _LN2) + _SHIFT
    k = shifted - _SHIFT
    return (x - k * _LN2_HIGH) - k * _LN2_LOW, shifted


@numba.njit(**_INLINED)
def _exp_reduced(r, shifted):
    """The exponential of what ``_reduced`` took apart, to a relative error of 1e-14."""
    r2 = r * r
    r4 = r2 * r2
    high = (_E8 + r * _E9) + r2 * (_E10 + r * _E11)
    middle = (_E4 + r * _E5) + r2 * (_E6 + r * _E7)
    low = (1.0 + r) + r2 * (_E2 + r * _E3)
    return _float(_bits(low + r4 * (middle + r4 * high)) + (_bits(shifted) << _52))


# log((1 + s) / (1 - s)) / s - 2 in powers of s^2, |s| < 0.1716, as fdlibm has it
_L1, _L2, _L3, _L4 = (
    6.666666666666735130e-01,
    3.999999999940941908e-01,
    2.857142874366239149e-01,
    2.222219843214978396e-01,
)
_L5, _L6, _L7 = 1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01
_ROOT_HALF = np.uint64(0x3FE6A09E667F3BCD)
_ONE = np.uint64(0x3FF0000000000000)
_TWO_52 = np.uint64(0x4330000000000000)  # a float64 whose lowest bits count ones


@numba.njit(**_INLINED)
def _log_reduced(s, k):
    """k log(2) + log((1 + s) / (1 - s))."""
    z = s * s
    w = z * z
    odd = z * (_L1 + w * (_L3 + w * (_L5 + w * _L7)))
    even = w * (_L2 + w * (_L4 + w * _L6))
    return k * _LN2 + s * (2.0 + (odd + even))


@numba.njit(**_INLINED)
def _log(x):
    """The logarithm of a number that is positive, finite and not denormal."""
    bits = _bits(x)
    k = (bits - _ROOT_HALF + _ONE) >> _52
    f = _float(bits - (k << _52) + _ONE) - 1.0
    return _log_reduced(f / (2.0 + f), _float(k | _TWO_52) - (2.0**52 + 1023))


# Scratch: LANES numbers of each kind ---------------------------------------------------------

# Of a row: nodes are LOW + x STEP for the x of its rule; what it is made from, with r and c in
# units of sigma; its results.  The first _KEPT are what is kept of a row until its turn comes.
LOW, STEP, COUNT, R, C, U, V, SIGN = range(0, 8 * LANES, LANES)
_KEPT, _OUTCOME_ONLY = 8 * LANES, 5 * LANES
NU, INV_NU, SIGMA, INV_SIGMA, LOG_SIGMA, RULE = range(8 * LANES, 14 * LANES, LANES)
TOP, TOTAL, D_R, D_C, D_SIGMA, D_NU, D_U, D_V = range(14 * LANES, 22 * LANES, LANES)
_ROW = 22 * LANES
# Of a node: the log of what is summed, the weight; the t density's log(1 + z^2 / nu) and slope;
# chances of this and the other answer; and room for what the passes hand on.
TERM, WEIGHT, LOG, PULL, CHANCE, OTHER, FIRST, SECOND = range(0, 8 * LANES, LANES)
_NODE = 8 * LANES


@numba.njit(**_PART)
def _score(w, nodes, x, g, count):
    """The log density of t at the nodes."""
    _apart()
    for k in range(count):
        node = nodes[k]
        for j in range(LANES):
            t = w[LOW + j] + x[k] * w[STEP + j]
            node[TERM + j] = g[k] - 0.5 * t * t


@numba.njit(**_PART)
def _drop(w, nodes, count):
    """Nothing at the nodes that a row does not have."""
    _apart()
    for k in range(count):
        node = nodes[k]
        for j in range(LANES):
            node[TERM + j] = node[TERM + j] if k < w[COUNT + j] else -np.inf


@numba.njit(**_PART)
def _answer(w, nodes, x, count):
    """Adds the log chance of the answer, but for the factor ``CHANCE`` between 1/2 and 1."""
    _apart()
    for k in range(count):
        node = nodes[k]
        for j in range(LANES):
            t = w[LOW + j] + x[k] * w[STEP + j]
            logit = w[SIGN + j] * (w[U + j] + w[V + j] * t)
            node[TERM + j] += logit if logit < 0.0 else 0.0
            node[OTHER + j] = logit
            node[FIRST + j], node[SECOND + j] = _reduced(-abs(logit))
        for j in range(LANES):
            node[FIRST + j] = _exp_reduced(node[FIRST + j], node[SECOND + j])
        for j in range(LANES):
            chance = 1.0 / (1.0 + node[FIRST + j])
            node[CHANCE + j] = chance
            node[OTHER + j] = chance * (node[FIRST + j] if node[OTHER + j] > 0.0 else 1.0)


@numba.njit(**_PART)
def _heavy(w, nodes, x, count):
    """Adds the log density of a Student-t outcome.

    Its slope is z / (1 + z^2 / nu) times what a row's nodes share; one division does for that and
    for the logarithm.
    """
    _apart()
    for k in range(count):
        node = nodes[k]
        for j in range(LANES):
            t = w[LOW + j] + x[k] * w[STEP + j]
            z = w[R + j] - w[C + j] * t
            more = z * z * w[INV_NU + j]
            bits = _bits(1.0 + more)
            e = (bits - _ROOT_HALF) >> _52
            node[PULL + j] = z
            node[FIRST + j] = 1.0 + more
            node[SECOND + j] = _float(e | _TWO_52) - 2.0**52
            # where the exponent is 0, ``more`` itself has the bits that the sum has lost
            node[LOG + j] = more if more < 0.41421356 else _float(bits - (e << _52)) - 1.0
        for j in range(LANES):
            f, q = node[LOG + j], node[FIRST + j]
            over = 1.0 / (q * (2.0 + f))
            node[LOG + j] = f * q * over
            node[PULL + j] *= (2.0 + f) * over
        for j in range(LANES):
            node[LOG + j] = _log_reduced(node[LOG + j], node[SECOND + j])
        for j in range(LANES):
            node[TERM + j] -= 0.5 * (w[NU + j] + 1.0) * node[LOG + j]


@numba.njit(**_PART)
def _normal(w, nodes, x, count):
    """Adds the log density of a normal outcome."""
    _apart()
    for k in range(count):
        node = nodes[k]
        for j in range(LANES):
            t = w[LOW + j] + x[k] * w[STEP + j]
            z = w[R + j] - w[C + j] * t
            node[TERM + j] -= 0.5 * z * z
            node[LOG + j] = 0.0
            node[PULL + j] = z


@numba.njit(**_PART)
def _weigh(w, nodes, count):
    """Weights of the nodes, relative to the largest."""
    _apart()
    for j in range(LANES):
        w[TOP + j] = -np.inf
    for k in range(count):
        node = nodes[k]
        for j in range(LANES):
            w[TOP + j] = _larger(node[TERM + j], w[TOP + j])
    for k in range(count):
        node = nodes[k]
        for j in range(LANES):
            node[FIRST + j], node[SECOND + j] = _reduced(node[TERM + j] - w[TOP + j])
        for j in range(LANES):
            node[WEIGHT + j] = _exp_reduced(node[FIRST + j], node[SECOND + j])


@numba.njit(**_PART)
def _add_answers(w, nodes, x, count):
    """Gives weights their ``CHANCE``; sums of the answers' derivatives."""
    _apart()
    for k in range(count):
        node = nodes[k]
        for j in range(LANES):
            t = w[LOW + j] + x[k] * w[STEP + j]
            weight = node[WEIGHT + j] * node[CHANCE + j]
            other = weight * node[OTHER + j]
            node[WEIGHT + j] = weight
            w[D_U + j] += other
            w[D_V + j] += other * t


@numba.njit(**_PART)
def _add_outcomes(w, nodes, x, count):
    """Sums of the weights and of the outcomes' derivatives."""
    _apart()
    for k in range(count):
        node = nodes[k]
        for j in range(LANES):
            t = w[LOW + j] + x[k] * w[STEP + j]
            z = w[R + j] - w[C + j] * t
            weight = node[WEIGHT + j]
            pull = weight * node[PULL + j]
            w[TOTAL + j] += weight
            w[D_R + j] += pull
            w[D_C + j] += pull * t
            w[D_SIGMA + j] += pull * z
            w[D_NU + j] += weight * node[LOG + j]


@numba.njit(**_PART)
def _add(w, nodes, count):
    """Sums of the weights."""
    _apart()
    for k in range(count):
        node = nodes[k]
        for j in range(LANES):
            w[TOTAL + j] += node[WEIGHT + j]


@numba.njit(**_PART)
def _reset(w):
    """Sums of nothing."""
    _apart()
    for j in range(TOTAL, _ROW):
        w[j] = 0.0


@numba.njit(**_PART)
def _finish(w):
    """Sums become the log integral, in ``TOP``, and its derivatives."""
    _apart()
    for j in range(LANES):
        # what is not a number would lose that on its way through the logarithm
        lost = w[TOTAL + j] - w[TOTAL + j]
        log = _log(w[TOTAL + j] * w[STEP + j]) + lost
        w[TOP + j] += log - 0.5 * LOG_2PI - w[LOG_SIGMA + j]
    for j in range(LANES):
        over, scale = 1.0 / w[TOTAL + j], w[INV_SIGMA + j]
        factor = -(1.0 + w[INV_NU + j]) * over
        pulled = factor * w[D_SIGMA + j]
        w[D_R + j] *= factor * scale
        w[D_C + j] *= -factor * scale
        w[D_SIGMA + j] = -(1.0 + pulled) * scale
        w[D_NU + j] = -0.5 * (w[D_NU + j] * over + pulled * w[INV_NU + j])
        w[D_U + j] *= w[SIGN + j] * over
        w[D_V + j] *= w[SIGN + j] * over


# Which nodes a row takes ---------------------------------------------------------------------

# Gauss-Hermite rules of 1 to _LONGEST nodes for the weight exp(-x^2 / 2), and the logs of their
# weights without it.
_X, _G = np.zeros((_LONGEST + 1, _LONGEST)), np.zeros((_LONGEST + 1, _LONGEST))
for _n in range(1, _LONGEST + 1):
    _x, _w = np.polynomial.hermite_e.hermegauss(_n)
    _X[_n, :_n], _G[_n, :_n] = _x, np.log(_w) + 0.5 * _x**2


@numba.njit(**_INLINED)
def _needed(c, v, inv_nu, finer):
    """Nodes around the peak for an error of 1e-5: the more, the further from normal.

    Found by trial; the tests hold it against a dense grid.
    """
    c, v = abs(c), abs(v)
    outcome = c * (6.0 + 12.0 * inv_nu) if inv_nu > 0.0 else 0.0
    answer = v * (3.5 + 1.1 * v)
    more = outcome if outcome > answer else answer
    less = answer if outcome > answer else outcome
    needed = math.ceil(finer * (1.6 + more + 0.2 * less))
    return needed if needed > 3.0 else 3.0


@numba.njit(**_INLINED)
def _rule(needed, moved, width):
    """The rule around a peak, if there is one as long and the peak has settled; or else none."""
    return needed if (needed <= _LONGEST) & (abs(moved) < 0.25 * width) else 0.0


@numba.njit(**_PART)
def _scale(w):
    """What sigma and nu are used as."""
    _apart()
    for j in range(LANES):
        w[INV_NU + j] = 1.0 / w[NU + j]
        w[INV_SIGMA + j] = 1.0 / w[SIGMA + j]
        fine = (w[SIGMA + j] > 0.0) & (w[SIGMA + j] < np.inf)
        w[LOG_SIGMA + j] = _log(w[SIGMA + j]) if fine else np.nan


@numba.njit(**_PART)
def _place(w, finer):
    """Rules for rows without an answer.

    The peak is found by taking the Student-t for the normal that has its slope, twice.
    """
    _apart()
    for j in range(LANES):
        r, c = w[R + j] * w[INV_SIGMA + j], w[C + j] * w[INV_SIGMA + j]
        w[R + j], w[C + j] = r, c
        w[LOW + j] = 0.5 * c * r / (1.0 + c * c)
    for j in range(LANES):
        r, c, inv = w[R + j], w[C + j], w[INV_NU + j]
        a = (1.0 + inv) * c
        z = r - c * w[LOW + j]
        w[LOW + j] = a * r / (1.0 + z * z * inv + a * c)
    for j in range(LANES):
        r, c, inv = w[R + j], w[C + j], w[INV_NU + j]
        a = (1.0 + inv) * c
        z = r - c * w[LOW + j]
        loose = 1.0 + z * z * inv
        over = 1.0 / (loose + a * c)
        new, width = a * r * over, math.sqrt(loose * over)
        needed = _needed(c, 0.0, inv, finer)
        needed = 1.0 if c == 0.0 else needed  # nothing depends on t
        w[RULE + j] = _rule(needed, new - w[LOW + j], width)
        w[LOW + j], w[STEP + j], w[COUNT + j] = new, width, needed


@numba.njit(**_PART)
def _place_answered(w, finer):
    """Rules for rows with an answer: Newton's steps for its part."""
    _apart()
    for j in range(LANES):
        r, c = w[R + j] * w[INV_SIGMA + j], w[C + j] * w[INV_SIGMA + j]
        w[R + j], w[C + j] = r, c
        w[LOW + j] = 0.5 * c * r / (1.0 + c * c)
    for _ in range(2):
        for j in range(LANES):
            logit = w[SIGN + j] * (w[U + j] + w[V + j] * w[LOW + j])
            w[COUNT + j] = logit
            w[D_U + j], w[D_V + j] = _reduced(-abs(logit))
        for j in range(LANES):
            e = _exp_reduced(w[D_U + j], w[D_V + j])
            w[D_U + j] = (e if w[COUNT + j] > 0.0 else 1.0) / (1.0 + e)
        for j in range(LANES):
            r, c, v, other = w[R + j], w[C + j], w[V + j], w[D_U + j]
            z = r - c * w[LOW + j]
            tight = c * (1.0 + w[INV_NU + j]) / (1.0 + z * z * w[INV_NU + j])
            curve = v * v * other * (1.0 - other)
            over = 1.0 / (1.0 + c * tight + curve)
            new = (tight * r + w[SIGN + j] * v * other + curve * w[LOW + j]) * over
            w[D_R + j] = new - w[LOW + j]
            w[LOW + j], w[STEP + j] = new, math.sqrt(over)
    for j in range(LANES):
        needed = _needed(w[C + j], w[V + j], w[INV_NU + j], finer)
        w[RULE + j] = _rule(needed, w[D_R + j], w[STEP + j])
        w[COUNT + j] = needed


@numba.njit(**_PART)
def _spread(w, step, many):
    """Even nodes over all that can matter, for the first rows if they have no rule yet."""
    _apart()
    for j in range(many):
        if w[RULE + j] > 0.0:
            continue
        r, c, v = w[R + j], w[C + j], w[V + j]
        centre = c * r / (1.0 + c * c)  # of t given a normal outcome: a heavy tail pulls less far
        width = 1.0 / math.sqrt(1.0 + c * c + 0.25 * v * v)
        low, high = min(0.0, centre) - _REACH, max(0.0, centre) + _REACH
        if w[SIGN + j] * v > 0:
            high += abs(v)
        elif w[SIGN + j] * v < 0:
            low -= abs(v)
        count = (high - low) / (step * width) + 2.0
        if not count < _MOST:
            count = _MOST
        count = math.floor(count)
        w[LOW + j], w[STEP + j] = low, (high - low) / (count - 1.0)
        w[COUNT + j], w[RULE + j] = count, _LONGEST + 1.0


# All together --------------------------------------------------------------------------------


@numba.njit(**_PART)
def _plan(at, r, c, sigma, nu, own, u, v, sign, step, kept, rule):
    """The rule of every row ``at``; what is kept of them goes to ``kept``, LANES to a row."""
    _apart()
    w = np.zeros(_ROW)
    answered = sign[at[0]] != 0.0
    _share(w, sigma, nu)
    for start in range(0, at.shape[0], LANES):
        many = min(LANES, at.shape[0] - start)
        for j in range(many):
            i = at[start + j]
            w[R + j] = r[i]
            w[C + j] = c[i]
            if answered:
                w[U + j] = u[i]
                w[V + j] = v[i]
                w[SIGN + j] = sign[i]
            if own:
                w[SIGMA + j] = sigma[i]
                w[NU + j] = nu[i]
        if own:
            _scale(w)
        if answered:
            _place_answered(w, 0.9 / step)
        else:
            _place(w, 0.9 / step)
        _spread(w, step, many)
        for k in range(_KEPT):
            kept[start * (_KEPT // LANES) + k] = w[k]
        for j in range(many):
            rule[start + j] = np.int64(w[RULE + j])


@numba.njit(**_PART)
def _share(w, sigma, nu):
    """The first sigma and nu for all rows of a block."""
    _apart()
    for j in range(LANES):
        w[SIGMA + j] = sigma[0]
        w[NU + j] = nu[0]
    _scale(w)


@numba.njit(**_PART)
def _sort(rule, begin, order):
    """``order``: rows in the order of their rules; ``begin``: where each rule's rows do."""
    _apart()
    for i in range(rule.shape[0]):
        begin[rule[i] + 2] += 1
    for k in range(_LONGEST + 2):
        begin[k + 1] += begin[k]
    for i in range(rule.shape[0]):
        order[begin[rule[i] + 1]] = i
        begin[rule[i] + 1] += 1


@numba.njit(**_PART)
def _sum(at, r, c, sigma, nu, own, u, v, sign, step, outcome, out):
    """Results of :func:`summed` for the rows ``at``, 0 where there are none for these kinds of row.

    All rows have an answer or none has, and a finite nu or none.  Without ``outcome`` only the
    answer is summed.
    """
    _apart()
    n = at.shape[0]
    answered, normal = sign[at[0]] != 0.0, math.isinf(nu[at[0] * own])
    kept = np.empty((n + LANES) * (_KEPT // LANES))
    rule, order = np.empty(n, np.int64), np.empty(n, np.int64)
    begin = np.zeros(_LONGEST + 4, np.int64)
    _plan(at, r, c, sigma, nu, own, u, v, sign, step, kept, rule)
    _sort(rule, begin, order)
    most = _LONGEST
    for start in range(begin[_LONGEST + 1], n):
        i = order[start]
        most = max(most, np.int64(kept[(i >> _SHIFTED) * _KEPT + (i & _WITHIN) + COUNT]))
    x, g = np.empty(most), np.zeros(most)
    w, nodes = np.zeros(_ROW), np.empty((most, _NODE))
    _share(w, sigma, nu)
    for k in range(1, _LONGEST + 2):
        for i in range(k if k <= _LONGEST else most):
            x[i], g[i] = (_X[k, i], _G[k, i]) if k <= _LONGEST else (1.0 * i, 0.0)
        for start in range(begin[k], begin[k + 1], LANES):
            many = min(LANES, begin[k + 1] - start)
            count = 0
            for j in range(many):
                i = order[start + j]
                place = (i >> _SHIFTED) * _KEPT + (i & _WITHIN)
                count = max(count, np.int64(kept[place + COUNT]))
                for field in range(0, _OUTCOME_ONLY, LANES):
                    w[field + j] = kept[place + field]
                if answered:
                    for field in range(_OUTCOME_ONLY, _KEPT, LANES):
                        w[field + j] = kept[place + field]
                if own:
                    w[SIGMA + j] = sigma[at[i]]
                    w[NU + j] = nu[at[i]]
            if own:
                _scale(w)
            _reset(w)
            _score(w, nodes, x, g, count)
            if k > _LONGEST:
                _drop(w, nodes, count)
            if answered:
                _answer(w, nodes, x, count)
            if outcome and normal:
                _normal(w, nodes, x, count)
            elif outcome:
                _heavy(w, nodes, x, count)
            _weigh(w, nodes, count)
            if answered:
                _add_answers(w, nodes, x, count)
            if outcome:
                _add_outcomes(w, nodes, x, count)
            else:
                _add(w, nodes, count)
            _finish(w)
            for j in range(many):
                i = at[order[start + j]]
                out[0, i] = w[TOP + j]
                if outcome:
                    out[1, i] = w[D_R + j]
                    out[2, i] = w[D_C + j]
                    out[3, i] = w[D_SIGMA + j]
                    out[4, i] = w[D_NU + j]
                if answered:
                    out[5, i] = w[D_U + j]
                    out[6, i] = w[D_V + j]


@numba.njit(cache=True, **_FAST)
def summed(r, c, sigma, nu, u, v, sign, step, outcome):
    """Log integrals of rows and their derivatives by r, c, sigma, nu, u and v; (7, row).

    The derivatives are means over the nodes, weighted as the integrand is, of the derivatives of
    its logarithm (Fisher's identity), so that one logarithm and one exponential a node do.
    The constant of the density f is left to the caller; it is the same for all rows.

    ``sigma`` and ``nu`` are arrays over rows, or of one element for all of them.  Without
    ``outcome`` the answers alone are summed; what does not depend on them is 0, and so is
    everything where there is no answer.
    """
    n = r.shape[0]
    own = 0 if nu.shape[0] == 1 else 1  # and in one row all is one
    out = np.zeros((7, n))
    at = np.empty(n, np.int64)
    for infinite in (False, True):
        silent, answered = 0, n  # rows without an answer from the front, the others from the back
        for i in range(n):
            if math.isinf(nu[i * own]) != infinite:
                continue
            if sign[i] == 0.0:
                at[silent] = i
                silent += 1
            else:
                answered -= 1
                at[answered] = i
        for first, last in ((0, silent if outcome else 0), (answered, n)):
            if first < last:
                _sum(at[first:last], r, c, sigma, nu, own, u, v, sign, step, outcome, out)
    return out


@numba.njit(**_FAST)
def node_counts(r, c, sigma, nu, u, v, sign, step):
    """How many nodes rows take; arguments as in :func:`summed`, an array over rows."""
    own = 0 if nu.shape[0] == 1 else 1
    at, rule, kept = np.empty(1, np.int64), np.empty(1, np.int64), np.empty(_KEPT)
    out = np.empty(r.shape[0], np.int64)
    for i in range(r.shape[0]):
        at[0] = i
        _plan(at, r, c, sigma, nu, own, u, v, sign, step, kept, rule)
        out[i] = kept[COUNT]
    return out


def rows(r, c, sigma, nu, u, v, sign, step):
    """:func:`summed` for numbers sigma and nu."""
    flat = [np.array(x, dtype=float, ndmin=1) for x in (r, c, sigma, nu, u, v, sign)]
    return summed(*flat, step, True)


def answers(u, v, sign, step):
    """Rows 0, 5 and 6 of :func:`summed` for outcomes that say nothing."""
    u, v, sign = (np.array(x, dtype=float) for x in (u, v, sign))
    none, one = np.zeros(u.shape), np.ones(1)
    return summed(none, none, one, np.inf * one, u, v, sign, step, False)[[0, 5, 6]]


def values(r, c, sigma, nu, u, v, sign, step):
    """The log integrals alone, where every entry has a sigma and a nu of its own."""
    flat = [np.array(x, dtype=float, ndmin=1) for x in (r, c, sigma, nu, u, v, sign)]
    return summed(*flat, step, True)[0]
