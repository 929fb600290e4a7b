"""What the sum over a row's latent score costs, and what the same sum costs in a plain loop.

    .venv/bin/python benchmarks/quadrature.py [--rows N] [--repeats N]

Prints CPU time a row and a node for rows like those of the default panel, where a third have a
planned survey, by the model's kernel and by one scalar loop over the nodes of an even grid.  The
machine may be slow or busy; the ratios, taken within one run, are what to compare.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

import numba
import numpy as np

from oulib.model import quadrature_kernel

STEP = 0.9


@numba.njit
def plain(r, c, sigma, nu, u, v, sign, out):
    """Value and derivatives as they stand in a textbook; the number of nodes."""
    total_nodes = 0
    for i in range(r.shape[0]):
        z0, load, s = r[i] / sigma, c[i] / sigma, sign[i]
        centre = load * z0 / (1 + load * load)
        low, high = min(0.0, centre) - 4.5, max(0.0, centre) + 4.5
        if s * v[i] > 0:
            high += abs(v[i])
        elif s * v[i] < 0:
            low -= abs(v[i])
        width = 1 / math.sqrt(1 + load * load + 0.25 * v[i] * v[i])
        count = int((high - low) / (STEP * width) + 2)
        h = (high - low) / (count - 1)
        total_nodes += count
        total = d_r = d_c = d_sigma = d_nu = d_u = d_v = 0.0
        for k in range(count):
            t = low + k * h
            z = z0 - load * t
            log = math.log(1 + z * z / nu)
            weight = math.exp(-0.5 * (nu + 1) * log - 0.5 * t * t)
            if s != 0:
                other = 1 / (1 + math.exp(s * (u[i] + v[i] * t)))
                weight *= 1 - other
                d_u += weight * s * other
                d_v += weight * s * other * t
            total += weight
            pull = -weight * (nu + 1) * z / (nu + z * z)
            d_nu -= 0.5 * (weight * log + pull * z / nu)
            d_r += pull
            d_c -= pull * t
            d_sigma -= pull * z
        out[0, i] = math.log(total * h) - 0.5 * math.log(2 * math.pi) - math.log(sigma)
        out[1, i], out[2, i] = d_r / total / sigma, d_c / total / sigma
        out[3, i], out[4, i] = (d_sigma / total - 1) / sigma, d_nu / total
        out[5, i], out[6, i] = d_u / total, d_v / total
    return total_nodes


def seconds(run: Callable[[], object], repeats: int) -> float:
    """The least CPU time that one of ``repeats`` runs took, after one to compile."""
    run()
    found = math.inf
    for _ in range(repeats):
        begin = time.process_time()
        run()
        found = min(found, time.process_time() - begin)
    return found


def main() -> None:
    """Time both on the same rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1920)
    parser.add_argument("--repeats", type=int, default=200)
    args = parser.parse_args()
    rng, n = np.random.default_rng(1), args.rows
    sigma, nu, sd = 0.38, 4.6, 0.7
    beta = np.repeat(rng.normal(0.33, 0.22, -(-n // 48)), 48)[:n]  # a slope for each OU's 48 months
    sign = np.where(np.arange(n) % 3 == 2, rng.choice([1.0, 1.0, -1.0], n), 0.0)
    seen = sign == 1  # whose score is known better
    c = beta * sd * np.where(seen, 0.5, 1.0)
    r = c * rng.normal(size=n) + sigma * rng.standard_t(nu, n)
    u, v = rng.normal(1.5, 1.2, n), np.where(seen, 0.4, 0.8)
    out = np.empty((7, n))
    one_sigma, one_nu = np.full(1, sigma), np.full(1, nu)
    loop = seconds(lambda: plain(r, c, sigma, nu, u, v, sign, out), args.repeats)
    of_loop = plain(r, c, sigma, nu, u, v, sign, out)
    new = seconds(
        lambda: quadrature_kernel.summed(r, c, one_sigma, one_nu, u, v, sign, STEP, True),
        args.repeats,
    )
    found = quadrature_kernel.summed(r, c, one_sigma, one_nu, u, v, sign, STEP, True)
    of_new = quadrature_kernel.node_counts(r, c, one_sigma, one_nu, u, v, sign, STEP).sum()
    none, one = np.zeros(n), np.ones(1)
    answers = seconds(
        lambda: quadrature_kernel.summed(none, none, one, np.inf * one, u, v, sign, STEP, False),
        args.repeats,
    )
    print(f"largest difference of a log density: {abs(found[0] - out[0]).max():.1e}")
    print("| | nodes a row | ns a row | ns a node | times the plain loop's |")
    print("|---|---|---|---|---|")
    for name, taken, count in (("plain loop", loop, of_loop), ("kernel", new, of_new)):
        a_row = taken / n * 1e9
        print(
            f"| {name} | {count / n:.1f} | {a_row:.0f} | {taken / count * 1e9:.1f} "
            f"| {taken / loop:.2f} |"
        )
    print(f"| kernel, answers alone | | {answers / n * 1e9:.0f} | | {answers / loop:.2f} |")


if __name__ == "__main__":
    main()
