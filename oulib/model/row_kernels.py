# ruff: noqa: ANN001, ANN202 - Numba finds the types itself
"""Loops over the rows of a panel: scores given surveys, expected outcomes, normal densities.

Rows come sorted by OU.  What all rows of an OU without a survey share is worked out once an OU;
what the reverses add up by OU is kept in registers until the next OU begins.  Scalars are arrays
of rank 0.
"""

import math

import numba
import numpy as np

from oulib.model.kernel_op import Kernel

_LOG_2PI = math.log(2 * math.pi)
_TINY = 1e-100  # so that n = 0 means the prior even where sigma_meas is 0
_SUMS = {"reassoc", "contract", "nsz"}
"""Sums in any order, so that several rows are added up at a time; what is not a number stays so."""


@numba.njit(cache=True, inline="always")
def _times(product, logs, v):
    """``product`` times v, or the logarithm of it added to ``logs`` before it leaves the range."""
    if not (1e-90 < v < 1e90):
        return product, logs + math.log(v)
    product *= v
    if 1e-200 < product < 1e200:
        return product, logs
    return 1.0, logs + math.log(product)


@numba.njit(cache=True, error_model="numpy")
def _surveys(ou, month, n, x, mu, shift, sigma_x, sigma_meas):
    """Log density of survey scores x ~ N(mu_g + shift_t, sigma_x^2 + sigma_meas^2 / n), (row)."""
    out = np.empty(x.size)
    signal, noise = sigma_x.item() ** 2, sigma_meas.item() ** 2
    for i in range(x.size):
        v = signal + noise / max(n[i], 1.0)
        r = x[i] - mu[ou[i]] - shift[month[i]]
        out[i] = -0.5 * (_LOG_2PI + math.log(v) + r * r / v)
    return out


@numba.njit(cache=True, error_model="numpy")
def _surveys_back(ou, month, n, x, mu, shift, sigma_x, sigma_meas, c):
    g_mu, g_shift = np.zeros(mu.size), np.zeros(shift.size)
    sx, sm = sigma_x.item(), sigma_meas.item()
    signal, noise = sx * sx, sm * sm
    g_signal = g_noise = 0.0
    for i in range(x.size):
        many = max(n[i], 1.0)
        over = 1 / (signal + noise / many)
        pull = (x[i] - mu[ou[i]] - shift[month[i]]) * over
        g_mu[ou[i]] += c[i] * pull
        g_shift[month[i]] += c[i] * pull
        g_v = 0.5 * c[i] * (pull * pull - over)
        g_signal += g_v
        g_noise += g_v / many
    return g_mu, g_shift, np.asarray(2 * sx * g_signal), np.asarray(2 * sm * g_noise)


@numba.njit(cache=True, error_model="numpy")
def _surveys_summed(ou, month, n, x, mu, shift, sigma_x, sigma_meas):
    g_mu, g_shift = np.zeros(mu.size), np.zeros(shift.size)
    sx, sm = sigma_x.item(), sigma_meas.item()
    signal, noise = sx * sx, sm * sm
    g_signal = g_noise = squares = logs = 0.0
    product = 1.0
    for i in range(x.size):
        many = max(n[i], 1.0)
        v = signal + noise / many
        over = 1 / v
        miss = x[i] - mu[ou[i]] - shift[month[i]]
        pull = miss * over
        squares += miss * pull
        g_mu[ou[i]] += pull
        g_shift[month[i]] += pull
        g_v = 0.5 * (pull * pull - over)
        g_signal += g_v
        g_noise += g_v / many
        product, logs = _times(product, logs, v)
    total = -0.5 * (x.size * _LOG_2PI + logs + math.log(product) + squares)
    return (
        np.asarray(total), g_mu, g_shift,
        np.asarray(2 * sx * g_signal), np.asarray(2 * sm * g_noise),
    )  # fmt: skip


surveys = Kernel(
    name="surveys",
    forward=_surveys,
    backward=_surveys_back,
    summed=_surveys_summed,
    inputs=("i1", "i1", "f1", "f1", "f1", "f1", "f0", "f0"),
    shapes=(((3, 0),),),
    wanted=(4, 5, 6, 7),
)
"""Inputs ou, month, n, x (row), mu (ou), shift (month), sigma_x, sigma_meas."""


@numba.njit(cache=True, error_model="numpy")
def _scores(ou, month, n, x, mu, shift, sigma_x, sigma_meas, within):
    """Mean and sd of x* given the row's own survey, (row); equation (2.8) (``eq-given-survey``).

    With ``within`` the mean is less mu_g + shift_t, which is expected of the OU and the month.
    """
    mean, sd = np.empty(x.size), np.empty(x.size)
    sx = sigma_x.item()
    signal, noise = sx**2, sigma_meas.item() ** 2 + _TINY
    own = 0.0 if within.item() else 1.0
    for i in range(x.size):
        expected = mu[ou[i]] + shift[month[i]]
        if n[i] == 0:
            mean[i], sd[i] = own * expected, sx
        else:
            over = 1 / (noise + signal * n[i])
            told = signal * n[i] * over * (x[i] - expected)
            mean[i], sd[i] = own * expected + told, sx * math.sqrt(noise * over)
    return mean, sd


@numba.njit(cache=True, error_model="numpy")
def _scores_back(ou, month, n, x, mu, shift, sigma_x, sigma_meas, within, c_mean, c_sd):
    g_mu, g_shift = np.zeros(mu.size), np.zeros(shift.size)
    sx, sm = sigma_x.item(), sigma_meas.item()
    signal, noise = sx**2, sm**2 + _TINY
    own = 0.0 if within.item() else 1.0
    g_sx = g_signal = g_noise = 0.0
    for i in range(x.size):
        g = ou[i]
        t = month[i]
        if n[i] == 0:
            g_expected = own * c_mean[i]
            g_sx += c_sd[i]
        else:
            over = 1 / (noise + signal * n[i])
            weight = signal * n[i] * over
            g_expected = c_mean[i] * (own - weight)
            g_weight = c_mean[i] * (x[i] - mu[g] - shift[t])
            left = noise * over
            root = math.sqrt(left)
            g_sx += c_sd[i] * root
            g_left = 0.5 * c_sd[i] * sx / root
            # weight = 1 - left
            g_left -= g_weight
            g_noise += g_left * weight * over
            g_signal -= g_left * left * n[i] * over
        g_mu[g] += g_expected
        g_shift[t] += g_expected
    return (
        g_mu,
        g_shift,
        np.asarray(g_sx + 2 * sx * g_signal),
        np.asarray(2 * sm * g_noise),
    )


scores = Kernel(
    name="scores",
    forward=_scores,
    backward=_scores_back,
    inputs=("i1", "i1", "f1", "f1", "f1", "f1", "f0", "f0", "b0"),
    shapes=(((3, 0),), ((3, 0),)),
    outputs=2,
    wanted=(4, 5, 6, 7),
)
"""Inputs ou, month, n, x (row), mu (ou), shift (month), sigma_x, sigma_meas, within."""


@numba.njit(cache=True, error_model="numpy")
def _lines(ou, month, x, sd, a, b, lam):
    """Expected outcome a_g + lam_t + b_g x and its loading b_g sd on the score's error, (row)."""
    mean, loading = np.empty(x.size), np.empty(x.size)
    for i in range(x.size):
        slope = b[ou[i]]
        mean[i] = a[ou[i]] + lam[month[i]] + slope * x[i]
        loading[i] = slope * sd[i]
    return mean, loading


@numba.njit(cache=True, error_model="numpy")
def _lines_back(ou, month, x, sd, a, b, lam, c_mean, c_loading):
    g_x, g_sd = np.empty(x.size), np.empty(x.size)
    g_a, g_b, g_lam = np.zeros(a.size), np.zeros(b.size), np.zeros(lam.size)
    for i in range(x.size):
        g = ou[i]
        g_x[i], g_sd[i] = c_mean[i] * b[g], c_loading[i] * b[g]
        g_a[g] += c_mean[i]
        g_b[g] += c_mean[i] * x[i] + c_loading[i] * sd[i]
        g_lam[month[i]] += c_mean[i]
    return g_x, g_sd, g_a, g_b, g_lam


lines = Kernel(
    name="lines",
    forward=_lines,
    backward=_lines_back,
    inputs=("i1", "i1", "f1", "f1", "f1", "f1", "f1"),
    shapes=(((2, 0),), ((2, 0),)),
    outputs=2,
    wanted=(2, 3, 4, 5, 6),
)
"""Inputs ou, month, x, sd (row), a, b (ou), lam (month)."""


@numba.njit(cache=True, error_model="numpy")
def _normal(y, ou, month, n, x, a, b, lam, mu, shift, factor, sigma_x, sigma_meas, sigma_y, within):
    """Log density of y given the row's survey, x* summed out, (row).

    Normal with mean a_g + lam_t + b_g E[x*] and variance (factor_g sigma_y)^2 + b_g^2 var(x*);
    equation (2.9) (``eq-integrated``).
    """
    out = np.empty(y.size)
    signal, noise = sigma_x.item() ** 2, sigma_meas.item() ** 2 + _TINY
    own = 0.0 if within.item() else 1.0
    now, slope, level, centre, of_y, over, constant = -1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(y.size):
        g, t = ou[i], month[i]
        if g != now:
            now, slope, level, centre = g, b[g], a[g], mu[g]
            of_y = (factor[g] * sigma_y.item()) ** 2
            v = of_y + slope * slope * signal
            over, constant = 1 / v, -0.5 * (_LOG_2PI + math.log(v))
        expected = centre + shift[t]
        r = y[i] - level - lam[t] - slope * own * expected
        if n[i] == 0:
            out[i] = constant - 0.5 * r * r * over
        else:
            share = 1 / (noise + signal * n[i])
            r -= slope * (signal * n[i] * share * (x[i] - expected))
            v = of_y + slope * slope * (signal * (noise * share))
            out[i] = -0.5 * (_LOG_2PI + math.log(v) + r * r / v)
    return out


@numba.njit(cache=True, error_model="numpy")
def _normal_back(
    y, ou, month, n, x, a, b, lam, mu, shift, factor, sigma_x, sigma_meas, sigma_y, within, c
):
    g_y = np.empty(y.size)
    g_a, g_b, g_mu, g_factor = (
        np.zeros(a.size), np.zeros(a.size), np.zeros(a.size), np.zeros(a.size),
    )  # fmt: skip
    g_lam, g_shift = np.zeros(lam.size), np.zeros(lam.size)
    sx, sm, sy = sigma_x.item(), sigma_meas.item(), sigma_y.item()
    signal, noise = sx**2, sm**2 + _TINY
    own = 0.0 if within.item() else 1.0
    now, slope, level, centre, of_y, over = -1, 0.0, 0.0, 0.0, 0.0, 0.0
    s_pull = s_slope = s_centre = s_v = s_open = s_left = 0.0  # sums over the rows of an OU
    g_signal = g_noise = g_sy = 0.0
    for i in range(y.size + 1):
        if i == y.size or ou[i] != now:
            if now >= 0:
                g_a[now] += s_pull
                g_b[now] += s_slope + 2 * slope * (signal * s_open + s_left)
                g_mu[now] += s_centre
                g_factor[now] += 2 * s_v * factor[now] * sy * sy
                g_sy += 2 * s_v * factor[now] * factor[now] * sy
                g_signal += s_open * slope * slope
                s_pull = s_slope = s_centre = s_v = s_open = s_left = 0.0
            if i == y.size:
                break
            now = ou[i]
            slope, level, centre = b[now], a[now], mu[now]
            of_y = (factor[now] * sy) ** 2
            over = 1 / (of_y + slope * slope * signal)
        t = month[i]
        expected = centre + shift[t]
        at = own * expected
        r = y[i] - level - lam[t] - slope * at
        if n[i] == 0:
            pull = c[i] * r * over
            g_v = 0.5 * (pull * r - c[i]) * over
            s_open += g_v
            g_expected = pull * slope * own
        else:
            share = 1 / (noise + signal * n[i])
            weight, left = signal * n[i] * share, noise * share
            miss = x[i] - expected
            at += weight * miss
            r -= slope * (weight * miss)
            row_over = 1 / (of_y + slope * slope * (signal * left))
            pull = c[i] * r * row_over
            g_v = 0.5 * (pull * r - c[i]) * row_over
            s_left += g_v * signal * left
            g_expected = pull * slope * (own - weight)
            # the rest of the variance is signal times left, and weight = 1 - left
            g_left = g_v * slope * slope * signal - pull * slope * miss
            g_signal += g_v * slope * slope * left - g_left * left * n[i] * share
            g_noise += g_left * weight * share
        g_y[i] = -pull
        g_lam[t] += pull
        g_shift[t] += g_expected
        s_centre += g_expected
        s_pull += pull
        s_slope += pull * at
        s_v += g_v
    return (
        g_y, g_a, g_b, g_lam, g_mu, g_shift, g_factor,
        np.asarray(2 * sx * g_signal), np.asarray(2 * sm * g_noise), np.asarray(g_sy),
    )  # fmt: skip


@numba.njit(cache=True, error_model="numpy", fastmath=_SUMS)
def _silent(y, n, lam, shift, level, slope, centre, own, over, r, at, g_lam, g_shift):
    """Sums over the rows without a survey of an OU's months in a row, and what they add by month.

    ``lam``, ``shift`` and what is added to are of these months; ``r`` becomes the residuals, 0
    where there is a survey, and ``at`` the expected score.
    """
    squares = pulls = along = count = 0.0
    for k in range(y.size):
        expected = own * (centre + shift[k])
        open_ = 1.0 if n[k] == 0.0 else 0.0
        miss = open_ * (y[k] - level - lam[k] - slope * expected)
        r[k], at[k] = miss, expected
        squares += miss * miss
        pulls += miss
        along += miss * expected
        count += open_
    by_score = over * slope * own
    for k in range(y.size):
        g_lam[k] += over * r[k]
        g_shift[k] += by_score * r[k]
    return squares, pulls, along, count


@numba.njit(cache=True, error_model="numpy", fastmath=_SUMS)
def _squares(y, n, lam, shift, level, slope, centre, own):
    """Squared residuals of an OU's rows without a survey, months in a row: their sum and number."""
    squares = count = 0.0
    for k in range(y.size):
        open_ = 1.0 if n[k] == 0.0 else 0.0
        miss = y[k] - level - lam[k] - slope * own * (centre + shift[k])
        squares += open_ * miss * miss
        count += open_
    return squares, count


@numba.njit(cache=True, error_model="numpy")
def _normal_by_ou(
    y, ou, month, n, x, a, b, lam, mu, shift, factor, sigma_x, sigma_meas, sigma_y, within
):
    """The sums over OUs' rows of :func:`_normal`, (ou)."""
    out = np.zeros(a.size)
    signal, noise = sigma_x.item() ** 2, sigma_meas.item() ** 2 + _TINY
    own = 0.0 if within.item() else 1.0
    end = 0
    while end < y.size:
        begin, g, t = end, ou[end], month[end]
        while end < y.size and ou[end] == g and month[end] - t == end - begin:
            end += 1  # months of an OU without a gap
        size = end - begin
        slope, level, centre = b[g], a[g], mu[g]
        of_y = (factor[g] * sigma_y.item()) ** 2
        v = of_y + slope * slope * signal
        squares, count = _squares(
            y[begin:end], n[begin:end], lam[t : t + size], shift[t : t + size],
            level, slope, centre, own,
        )  # fmt: skip
        total, product = squares / v + count * math.log(v), 1.0
        if count < size:
            for i in range(begin, end):
                if n[i] == 0:
                    continue
                k = t + i - begin
                share = 1 / (noise + signal * n[i])
                miss = x[i] - centre - shift[k]
                score = own * (centre + shift[k]) + signal * n[i] * share * miss
                gap = y[i] - level - lam[k] - slope * score
                v = of_y + slope * slope * (signal * (noise * share))
                total += gap * gap / v
                product, total = _times(product, total, v)
        out[g] += -0.5 * (size * _LOG_2PI + total + math.log(product))
    return out


@numba.njit(cache=True, error_model="numpy")
def _normal_by_ou_back(
    y, ou, month, n, x, a, b, lam, mu, shift, factor, sigma_x, sigma_meas, sigma_y, within, c
):
    g_y = np.zeros(y.size)
    g_a, g_b, g_mu, g_factor = (
        np.zeros(a.size), np.zeros(a.size), np.zeros(a.size), np.zeros(a.size),
    )  # fmt: skip
    g_lam, g_shift = np.zeros(lam.size), np.zeros(lam.size)
    r, at = np.empty(lam.size), np.empty(lam.size)
    sx, sm, sy = sigma_x.item(), sigma_meas.item(), sigma_y.item()
    signal, noise = sx**2, sm**2 + _TINY
    own = 0.0 if within.item() else 1.0
    g_signal = g_noise = g_sy = 0.0
    end = 0
    while end < y.size:
        begin, g, t = end, ou[end], month[end]
        while end < y.size and ou[end] == g and month[end] - t == end - begin:
            end += 1  # months of an OU without a gap
        size, weight = end - begin, c[g]
        if weight == 0.0:  # the other sign of a slope that is clear
            continue
        slope, level, centre = b[g], a[g], mu[g]
        of_y = (factor[g] * sy) ** 2
        v = of_y + slope * slope * signal
        over = weight / v
        found, pulls, along, count = _silent(
            y[begin:end], n[begin:end], lam[t : t + size], shift[t : t + size],
            level, slope, centre, own, over, r, at, g_lam[t : t + size], g_shift[t : t + size],
        )  # fmt: skip
        s_pull = over * pulls
        s_centre = s_pull * slope * own
        s_v = 0.5 * over * (found / v - count)
        s_slope = over * along + 2 * slope * signal * s_v
        g_signal += s_v * slope * slope
        for i in range(begin, end):
            if n[i] == 0:
                g_y[i] = -over * r[i - begin]
                continue
            share = 1 / (noise + signal * n[i])
            told, left = signal * n[i] * share, noise * share
            miss = x[i] - centre - shift[t + i - begin]
            score = at[i - begin] + told * miss
            gap = y[i] - level - lam[t + i - begin] - slope * score
            v = of_y + slope * slope * (signal * left)
            row_over = weight / v
            pull = gap * row_over
            g_v = 0.5 * (pull * gap - weight) / v
            g_expected = pull * slope * (own - told)
            # the rest of the variance is signal times left, and told = 1 - left
            g_left = g_v * slope * slope * signal - pull * slope * miss
            g_signal += g_v * slope * slope * left - g_left * left * n[i] * share
            g_noise += g_left * told * share
            g_lam[t + i - begin] += pull
            g_shift[t + i - begin] += g_expected
            s_centre += g_expected
            s_pull += pull
            s_slope += pull * score + 2 * slope * g_v * signal * left
            s_v += g_v
            g_y[i] = -pull
        g_a[g] += s_pull
        g_b[g] += s_slope
        g_mu[g] += s_centre
        g_factor[g] += 2 * s_v * factor[g] * sy * sy
        g_sy += 2 * s_v * factor[g] * factor[g] * sy
    return (
        g_y, g_a, g_b, g_lam, g_mu, g_shift, g_factor,
        np.asarray(2 * sx * g_signal), np.asarray(2 * sm * g_noise), np.asarray(g_sy),
    )  # fmt: skip


_NORMAL = (
    *("f1", "i1", "i1", "f1", "f1"),
    *("f1", "f1", "f1", "f1", "f1", "f1", "f0", "f0", "f0", "b0"),
)

normal_by_ou = Kernel(
    name="normal_by_ou",
    forward=_normal_by_ou,
    backward=_normal_by_ou_back,
    inputs=_NORMAL,
    shapes=(((5, 0),),),
    wanted=(0, 5, 6, 7, 8, 9, 10, 11, 12, 13),
)
"""Inputs as of :data:`normal`; the output is the sum over the rows of each OU, (ou)."""

normal = Kernel(
    name="normal",
    forward=_normal,
    backward=_normal_back,
    inputs=_NORMAL,
    shapes=(((0, 0),),),
    wanted=normal_by_ou.wanted,
    by_group=normal_by_ou,
)
"""Inputs y, ou, month, n, x (row), a, b (ou), lam (month), mu (ou), shift (month),
factor (ou), sigma_x, sigma_meas, sigma_y, within."""


@numba.njit(cache=True)
def _accumulate(innovations, decay):
    """The path x_t = decay_t x_(t-1) + innovation_t; the first decay does nothing."""
    out = innovations.copy()
    for t in range(1, out.size):
        out[t] += decay[t] * out[t - 1]
    return out, out.copy()


@numba.njit(cache=True)
def _accumulate_back(innovations, decay, path, c):
    g, g_decay = c.copy(), np.zeros(decay.size)
    for t in range(g.size - 1, 0, -1):
        g_decay[t] = g[t] * path[t - 1]
        g[t - 1] += decay[t] * g[t]
    return g, g_decay


accumulate = Kernel(
    name="accumulate",
    forward=_accumulate,
    backward=_accumulate_back,
    inputs=("f1", "f1"),
    shapes=(((0, 0),), ((0, 0),)),
    wanted=(0, 1),
)
"""Inputs innovations (month), decay (month)."""
