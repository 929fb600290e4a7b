# ruff: noqa: ANN001, ANN202 - Numba finds the types itself
"""Densities of OUs' series with deviations and OU effects summed out: equation (14.6).

The three columns that the filter of :mod:`oulib.model.kalman` whitens are an OU's residuals,
ones, and what its slope multiplies.  The filter's variances, and the column of ones, depend only
on which months of an OU have rows, so they are worked out once for every history that occurs
("slot"; a panel without gaps has one slot a month) and not once a row.  An OU's effects are then
the coefficients of a regression with a normal prior, summed out two by two.
"""

import math

import numba
import numpy as np

from oulib.model.kernel_op import Kernel

_LOG_2PI = math.log(2 * math.pi)


@numba.njit(cache=True, error_model="numpy")
def _filter(before, gap, phi, q, v):
    """By slot: decay, predicted variance of the state, and whitened ones with what they miss by."""
    size = before.size
    decay, variance = np.empty(size), np.empty(size)
    one, miss = np.empty(size), np.empty(size)
    stationary = q / (1 - phi * phi)
    for s in range(size):
        k = before[s]
        if k < 0:
            decay[s], variance[s], state = 0.0, stationary, 0.0
        else:
            d = phi if gap[s] == 1.0 else phi ** gap[s]
            gain = variance[k] / (variance[k] + v)
            decay[s] = d
            variance[s] = d * d * (gain * v) + stationary * (1 - d * d)
            state = d * (1 - miss[k] + gain * miss[k])
        miss[s] = 1 - state
        one[s] = miss[s] / math.sqrt(variance[s] + v)
    return decay, variance, one, miss


@numba.njit(cache=True, error_model="numpy")
def _summed(y, ou, month, slot, x, before, gap, a, b, lam, factor, phi, sigma_u, sigma_y, sd, corr):
    v = sigma_y.item() ** 2
    decay, variance, one, _ = _filter(before, gap, phi.item(), sigma_u.item() ** 2, v)
    slots, rows = before.size, y.size
    gain, root, aa = np.empty(slots), np.empty(slots), np.empty(slots)
    constant = np.empty(slots)
    for s in range(slots):
        f = variance[s] + v
        gain[s], root[s] = variance[s] / f, 1 / math.sqrt(f)
        constant[s] = -0.5 * (_LOG_2PI + math.log(f))
        aa[s] = one[s] * one[s] + (aa[before[s]] if before[s] >= 0 else 0.0)
    out, miss_e, miss_x = np.empty(rows), np.empty(rows), np.empty(rows)
    p, s_, r = sd[0] ** 2, sd[1] ** 2, corr.item() * sd[0] * sd[1]
    size = p * s_ - r * r
    now, level, slope, unit, log_factor = -1, 0.0, 0.0, 0.0, 0.0
    state_e = state_x = ax = xx = ae = xe = ee = total = 0.0
    for i in range(rows):
        g, k = ou[i], slot[i]
        if g != now:
            now, level, slope = g, a[g], b[g]
            unit, log_factor = 1 / (factor[g] * factor[g]), math.log(factor[g])
            state_e = state_x = ax = xx = ae = xe = ee = total = 0.0
        else:
            state_e *= decay[k]
            state_x *= decay[k]
        m_e, m_x = y[i] - level - lam[month[i]] - slope * x[i] - state_e, x[i] - state_x
        miss_e[i], miss_x[i] = m_e, m_x
        state_e += gain[k] * m_e
        state_x += gain[k] * m_x
        e, w, o = root[k] * m_e, root[k] * m_x, one[k]
        ax += o * w
        xx += w * w
        ae += o * e
        xe += w * e
        ee += e * e
        # the five moments in units of the OU's own scale
        ma, mc, md, mb1, mb2 = unit * aa[k], unit * ax, unit * xx, unit * ae, unit * xe
        det = 1 + ma * p + 2 * mc * r + md * s_ + size * (ma * md - mc * mc)
        over = 1 / det
        v11, v12, v22 = (p + size * md) * over, (r - size * mc) * over, (s_ + size * ma) * over
        square = mb1 * (v11 * mb1 + v12 * mb2) + mb2 * (v12 * mb1 + v22 * mb2)
        new = -0.5 * (unit * ee - square + math.log(det))
        out[i] = constant[k] - log_factor + new - total
        total = new
    return out, miss_e, miss_x


@numba.njit(cache=True, error_model="numpy")
def _summed_back(
    y, ou, month, slot, x, before, gap, a, b, lam, factor, phi, sigma_u, sigma_y, sd, corr,
    miss_e, miss_x, c,
):  # fmt: skip
    sy, su, ar = sigma_y.item(), sigma_u.item(), phi.item()
    v, q = sy * sy, su * su
    decay, variance, one, miss_one = _filter(before, gap, ar, q, v)
    slots, rows = before.size, y.size
    gain, root, aa = np.empty(slots), np.empty(slots), np.empty(slots)
    for s in range(slots):
        f = variance[s] + v
        gain[s], root[s] = variance[s] / f, 1 / math.sqrt(f)
        aa[s] = one[s] * one[s] + (aa[before[s]] if before[s] >= 0 else 0.0)
    g_y, g_x = np.empty(rows), np.empty(rows)
    g_a, g_b, g_factor = np.zeros(a.size), np.zeros(a.size), np.zeros(a.size)
    g_lam = np.zeros(lam.size)
    # by slot: of the whitened ones, and of gain, root, log f and decay
    s_one, s_gain, s_root = np.zeros(slots), np.zeros(slots), np.zeros(slots)
    s_log, s_decay = np.zeros(slots), np.zeros(slots)
    p, s_, r = sd[0] ** 2, sd[1] ** 2, corr.item() * sd[0] * sd[1]
    size = p * s_ - r * r
    g_p = g_s = g_r = 0.0
    end = rows
    while end > 0:
        g = ou[end - 1]
        start = end - 1
        while start > 0 and ou[start - 1] == g:
            start -= 1
        unit, slope = 1 / (factor[g] * factor[g]), b[g]
        ax = xx = ae = xe = ee = 0.0
        for i in range(start, end):
            k = slot[i]
            e, w = root[k] * miss_e[i], root[k] * miss_x[i]
            ax += one[k] * w
            xx += w * w
            ae += one[k] * e
            xe += w * e
            ee += e * e
        # of the moments of all rows up to here, and the states after the row
        d_aa = d_ax = d_xx = d_ae = d_xe = d_ee = 0.0
        t_e = t_x = 0.0
        g_unit = g_level = g_slope = s_c = 0.0
        for i in range(end - 1, start - 1, -1):
            k = slot[i]
            o, m_e, m_x = one[k], miss_e[i], miss_x[i]
            e, w = root[k] * m_e, root[k] * m_x
            height = c[i] - (c[i + 1] if i + 1 < end else 0.0)
            if height != 0.0:
                ma, mc, md, mb1, mb2 = unit * aa[k], unit * ax, unit * xx, unit * ae, unit * xe
                det = 1 + ma * p + 2 * mc * r + md * s_ + size * (ma * md - mc * mc)
                v11, v12, v22 = (p + size * md) / det, (r - size * mc) / det, (s_ + size * ma) / det
                m1, m2 = v11 * mb1 + v12 * mb2, v12 * mb1 + v22 * mb2
                f_aa, f_ax, f_xx = -0.5 * (m1 * m1 + v11), -(m1 * m2 + v12), -0.5 * (m2 * m2 + v22)
                d_aa += height * f_aa
                d_ax += height * f_ax
                d_xx += height * f_xx
                d_ae += height * m1
                d_xe += height * m2
                d_ee -= height * 0.5
                g_unit += height * (
                    f_aa * aa[k] + f_ax * ax + f_xx * xx + m1 * ae + m2 * xe - 0.5 * ee
                )
                left1, left2 = mb1 - ma * m1 - mc * m2, mb2 - mc * m1 - md * m2
                over = (ma * md - mc * mc) / det
                k11, k12, k22 = ma / det + s_ * over, mc / det - r * over, md / det + p * over
                g_p += 0.5 * height * (left1 * left1 - k11)
                g_r += height * (left1 * left2 - k12)
                g_s += 0.5 * height * (left2 * left2 - k22)
            w_e = unit * (2 * d_ee * e + d_ae * o + d_xe * w)
            w_x = unit * (2 * d_xx * w + d_ax * o + d_xe * e)
            s_one[k] += unit * (2 * d_aa * o + d_ax * w + d_ae * e)
            # the reverse of the filter's step
            r_e, r_x = t_e * gain[k] + w_e * root[k], t_x * gain[k] + w_x * root[k]
            s_gain[k] += t_e * m_e + t_x * m_x
            s_root[k] += w_e * m_e + w_x * m_x
            s_log[k] += c[i]
            if i > start:
                # the state before the step of time, and what it is multiplied by
                j = slot[i - 1]
                before_e = (
                    y[i - 1] - a[g] - lam[month[i - 1]] - slope * x[i - 1]
                    - miss_e[i - 1] + gain[j] * miss_e[i - 1]
                )  # fmt: skip
                before_x = x[i - 1] - miss_x[i - 1] + gain[j] * miss_x[i - 1]
                s_decay[k] += (t_e - r_e) * before_e + (t_x - r_x) * before_x
                t_e, t_x = (t_e - r_e) * decay[k], (t_x - r_x) * decay[k]
            g_y[i] = r_e
            g_x[i] = r_x - slope * r_e
            g_level -= r_e
            g_slope -= r_e * x[i]
            g_lam[month[i]] -= r_e
            s_c += c[i]
            ax -= o * w
            xx -= w * w
            ae -= o * e
            xe -= w * e
            ee -= e * e
        g_a[g] += g_level
        g_b[g] += g_slope
        g_factor[g] += -2 * unit / factor[g] * g_unit - s_c / factor[g]
        end = start
    g_phi, g_q, g_v = _filter_back(
        before, gap, ar, q, v, decay, variance, one, miss_one, gain, root,
        s_one, s_gain, s_root, s_log, s_decay,
    )  # fmt: skip
    g_sd = np.empty(2)
    g_sd[0] = 2 * sd[0] * g_p + corr.item() * sd[1] * g_r
    g_sd[1] = 2 * sd[1] * g_s + corr.item() * sd[0] * g_r
    return (
        g_y, g_x, g_a, g_b, g_lam, g_factor,
        np.asarray(g_phi), np.asarray(2 * su * g_q), np.asarray(2 * sy * g_v),
        g_sd, np.asarray(sd[0] * sd[1] * g_r),
    )  # fmt: skip


@numba.njit(cache=True, error_model="numpy")
def _filter_back(
    before, gap, phi, q, v, decay, variance, one, miss, gain, root,
    s_one, s_gain, s_root, s_log, s_decay,
):  # fmt: skip
    """Derivatives by phi, q and v of what the slots' sums are derivatives of."""
    stationary = q / (1 - phi * phi)
    slots = before.size
    g_phi = g_stationary = g_v = 0.0
    t_one, t_p = np.zeros(slots), np.zeros(slots)  # of the state and variance after a slot's row
    for s in range(slots - 1, -1, -1):
        f = variance[s] + v
        over = 1 / f
        g_miss = t_one[s] * gain[s] + s_one[s] * root[s]
        g_gain = s_gain[s] + t_one[s] * miss[s] + t_p[s] * v
        g_root = s_root[s] + s_one[s] * miss[s]
        g_f = (-0.5 * s_log[s] - 0.5 * root[s] * g_root - gain[s] * g_gain) * over
        g_v += g_f + t_p[s] * gain[s]
        g_p = g_f + g_gain * over
        k = before[s]
        if k < 0:
            g_stationary += g_p
            continue
        d = decay[s]
        rest = t_one[s] - g_miss
        state = 1 - miss[k] + gain[k] * miss[k]
        g_d = s_decay[s] + rest * state + 2 * d * g_p * (gain[k] * v - stationary)
        t_one[k] += rest * d
        t_p[k] += d * d * g_p
        g_stationary += g_p * (1 - d * d)
        g_phi += g_d if gap[s] == 1.0 else g_d * gap[s] * phi ** (gap[s] - 1)
    share = 1 - phi * phi
    g_phi += g_stationary * 2 * phi * q / (share * share)
    return g_phi, g_stationary / share, g_v


@numba.njit(cache=True, error_model="numpy")
def _summed_total(
    y, ou, month, slot, x, before, gap, a, b, lam, factor, phi, sigma_u, sigma_y, sd, corr
):
    """The sum over rows: of an OU only the density of all its rows together is worked out."""
    v = sigma_y.item() ** 2
    decay, variance, one, _ = _filter(before, gap, phi.item(), sigma_u.item() ** 2, v)
    slots, rows = before.size, y.size
    gain, root, aa = np.empty(slots), np.empty(slots), np.empty(slots)
    constant = np.empty(slots)  # of all rows of a history up to here
    for s in range(slots):
        f, k = variance[s] + v, before[s]
        gain[s], root[s] = variance[s] / f, 1 / math.sqrt(f)
        aa[s] = one[s] * one[s] + (aa[k] if k >= 0 else 0.0)
        constant[s] = -0.5 * (_LOG_2PI + math.log(f)) + (constant[k] if k >= 0 else 0.0)
    miss_e, miss_x = np.empty(rows), np.empty(rows)
    p, s_, r = sd[0] ** 2, sd[1] ** 2, corr.item() * sd[0] * sd[1]
    size = p * s_ - r * r
    total = 0.0
    end = 0
    while end < rows:
        begin, g = end, ou[end]
        level, slope = a[g], b[g]
        state_e = state_x = ax = xx = ae = xe = ee = 0.0
        while end < rows and ou[end] == g:
            i, k = end, slot[end]
            state_e *= decay[k]  # 0 at the first row
            state_x *= decay[k]
            m_e, m_x = y[i] - level - lam[month[i]] - slope * x[i] - state_e, x[i] - state_x
            miss_e[i], miss_x[i] = m_e, m_x
            state_e += gain[k] * m_e
            state_x += gain[k] * m_x
            e, w, o = root[k] * m_e, root[k] * m_x, one[k]
            ax += o * w
            xx += w * w
            ae += o * e
            xe += w * e
            ee += e * e
            end += 1
        unit, last = 1 / (factor[g] * factor[g]), slot[end - 1]
        ma, mc, md, mb1, mb2 = unit * aa[last], unit * ax, unit * xx, unit * ae, unit * xe
        det = 1 + ma * p + 2 * mc * r + md * s_ + size * (ma * md - mc * mc)
        v11, v12, v22 = (p + size * md) / det, (r - size * mc) / det, (s_ + size * ma) / det
        square = mb1 * (v11 * mb1 + v12 * mb2) + mb2 * (v12 * mb1 + v22 * mb2)
        total += constant[last] - (end - begin) * math.log(factor[g])
        total -= 0.5 * (unit * ee - square + math.log(det))
    back = _summed_back(
        y, ou, month, slot, x, before, gap, a, b, lam, factor, phi, sigma_u, sigma_y, sd, corr,
        miss_e, miss_x, np.ones(rows),
    )  # fmt: skip
    return (np.asarray(total), *back)


summed = Kernel(
    name="summed",
    forward=_summed,
    backward=_summed_back,
    summed=_summed_total,
    inputs=(
        *("f1", "i1", "i1", "i1", "f1", "i1", "f1"),
        *("f1", "f1", "f1", "f1", "f0", "f0", "f0", "f1", "f0"),
    ),
    shapes=(((0, 0),), ((0, 0),), ((0, 0),)),
    wanted=(0, 4, 7, 8, 9, 10, 11, 12, 13, 14, 15),
)
"""Inputs y, ou, month, slot, x (row), before, gap (slot), a, b (ou), lam (month), factor (ou),
phi, sigma_u, sigma_y, sd (effect), corr."""


def slots(first: np.ndarray, gap: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which rows have the same history of months, so that they share the filter's variances.

    Args:
        first: whether a row is its OU's first, (row).
        gap: steps of the calendar since the OU's row before, (row).

    Returns:
        Each row's slot (row); and of each slot (slot) the one of the row before, -1 for none, and
        the steps since.
    """
    known: dict[tuple[int, float], int] = {}
    slot = np.empty(len(first), dtype=np.int64)
    now = -1
    for i, (starts, steps) in enumerate(zip(first.tolist(), gap.tolist(), strict=True)):
        now = known.setdefault((-1, 1.0) if starts else (now, steps), len(known))
        slot[i] = now
    before, since = (np.array(values) for values in zip(*known, strict=True))
    return slot, before.astype(np.int64), since.astype(float)
