"""What looking more than once costs: how often wrong chains pass at one length, and at any.

    python benchmarks/looks.py                 # ensembles of four chains whose faults are known
    python benchmarks/looks.py --fits 5        # and fits of a model that is wrong on its panel

Every ensemble is one scalar, sampled by four chains of 4,000 draws.  "At n" is the share that
passes the gate at n draws a chain, had that been the only length; "auto" the share that passes
under the rule of ``oulib.looks``: at the first length that suffices, given up where it gives up.
"Given up" counts those of them that would have passed at the last length.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import pandas as pd
import xarray as xr

from oulib import AR1, Sampling, fit, simulate
from oulib.sampling.diagnostics import Thresholds, summary
from oulib.sampling.looks import LENGTHS, MCSE, look, out_of_reach

CHAINS = 4


def autoregression(rng: np.random.Generator, size: int, phi: float) -> np.ndarray:
    """Stationary chains of unit variance, (chain, draw, ensemble)."""
    z = rng.standard_normal((CHAINS, LENGTHS[-1], size))
    for t in range(1, z.shape[1]):
        z[:, t] = phi * z[:, t - 1] + np.sqrt(1 - phi**2) * z[:, t]
    return z


def shifted(rng: np.random.Generator, size: int, phi: float, by: float) -> np.ndarray:
    """One chain stays in a mode that lies ``by`` standard deviations from that of the others."""
    z = autoregression(rng, size, phi)
    z[0] += by
    return z


def halves(rng: np.random.Generator, size: int, phi: float, by: float) -> np.ndarray:
    """Two chains stay in a mode that lies ``by`` standard deviations from that of the others."""
    z = autoregression(rng, size, phi)
    z[:2] += by
    return z


def switching(rng: np.random.Generator, size: int, phi: float, by: float, stay: int) -> np.ndarray:
    """Two modes, a chain staying ``stay`` draws on average before it crosses."""
    z = autoregression(rng, size, phi)
    cross = rng.random(z.shape) < 1 / stay
    cross[:, 0] = rng.random((CHAINS, size)) < 0.5
    return z + by * (np.cumsum(cross, axis=1) % 2)


def drifting(rng: np.random.Generator, size: int, share: float, time: int) -> np.ndarray:
    """A share of the variance changes slowly, with a correlation of exp(-1 / ``time``)."""
    quick = autoregression(rng, size, 0.3)
    return np.sqrt(1 - share) * quick + np.sqrt(share) * autoregression(
        rng, size, float(np.exp(-1 / time))
    )


def narrow(rng: np.random.Generator, size: int, scale: float) -> np.ndarray:
    """One chain is confined: its standard deviation is ``scale`` of that of the others."""
    z = autoregression(rng, size, 0.3)
    z[0] *= scale
    return z


FAULTS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "right, phi 0.3": lambda rng, n: autoregression(rng, n, 0.3),
    "right, phi 0.8": lambda rng, n: autoregression(rng, n, 0.8),
    "right, phi 0.9": lambda rng, n: autoregression(rng, n, 0.9),
    "right, phi 0.95": lambda rng, n: autoregression(rng, n, 0.95),
    "one chain off by 0.2 sd": lambda rng, n: shifted(rng, n, 0.3, 0.2),
    "one chain off by 0.3 sd": lambda rng, n: shifted(rng, n, 0.3, 0.3),
    "one chain off by 0.4 sd": lambda rng, n: shifted(rng, n, 0.3, 0.4),
    "one chain off by 0.3 sd, phi 0.8": lambda rng, n: shifted(rng, n, 0.8, 0.3),
    "one chain off by 0.4 sd, phi 0.8": lambda rng, n: shifted(rng, n, 0.8, 0.4),
    "two chains off by 0.3 sd": lambda rng, n: halves(rng, n, 0.3, 0.3),
    "one chain of width 0.8": lambda rng, n: narrow(rng, n, 0.8),
    "one chain of width 0.7": lambda rng, n: narrow(rng, n, 0.7),
    "modes 2 sd apart, 1,000 draws each": lambda rng, n: switching(rng, n, 0.3, 2.0, 1000),
    "modes 1 sd apart, 1,000 draws each": lambda rng, n: switching(rng, n, 0.3, 1.0, 1000),
    "drift of 10%, time 500": lambda rng, n: drifting(rng, n, 0.1, 500),
    "drift of 5%, time 1,000": lambda rng, n: drifting(rng, n, 0.05, 1000),
    "drift of 2%, time 1,000": lambda rng, n: drifting(rng, n, 0.02, 1000),
}


def passes(values: np.ndarray, draws: int) -> pd.DataFrame:
    """Whether each ensemble is enough at ``draws`` draws, and whether it is given up there."""
    posterior = xr.Dataset({"beta": (("chain", "draw", "ou"), values[:, :draws])})
    table, limit = summary(posterior), Thresholds()
    needed = limit.ess_per_chain * CHAINS
    enough = (
        (table["r_hat"] <= limit.r_hat)
        & (table["ess_bulk"] >= needed)
        & (table["ess_tail"] >= needed)
    )
    short = table["mcse_mean"] / table["sd"] > MCSE
    vain = table["ess_bulk"].map(lambda ess: out_of_reach(ess, draws, needed))
    return pd.DataFrame({"passes": enough, "enough": enough & ~short, "in vain": vain})


def repeated(values: np.ndarray) -> dict[str, float]:
    """Shares of ensembles that pass, at each length and under the rule, and the mean length."""
    at = {draws: passes(values, draws) for draws in LENGTHS}
    size = values.shape[-1]
    running, passed = np.ones(size, dtype=bool), np.zeros(size, dtype=bool)
    spent, vain = np.zeros(size), np.zeros(size, dtype=bool)
    for draws, seen in at.items():
        spent[running] = draws
        last = draws == LENGTHS[-1]  # where the gate has the last word
        passed |= running & seen["passes" if last else "enough"].to_numpy()
        stop = running & seen["in vain"].to_numpy() & ~passed
        vain |= stop & at[LENGTHS[-1]]["passes"].to_numpy() & (not last)
        running &= ~(passed | stop)
    return {
        **{f"at {draws:,}": float(seen["passes"].mean()) for draws, seen in at.items()},
        "auto": float(passed.mean()),
        "given up": float(vain.mean()),
        "mean draws": float(spent.mean()),
    }


def ensembles(size: int) -> pd.DataFrame:
    """The table of :data:`FAULTS`, from ``size`` ensembles each."""
    rows = {
        name: repeated(make(np.random.default_rng([1, place]), size))
        for place, (name, make) in enumerate(FAULTS.items())
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def fits(seeds: int, tune: int) -> pd.DataFrame:
    """Looks at fits of ``ar1`` to a panel whose OUs stray for months, which it does not know.

    By the design it is wrong there, so no look should be content.
    """
    size = {"n_ou": 30, "n_site": 5, "n_month": 30, "wave_every": 6}
    panel = simulate("baseline", **size, seed=5, phi_u=0.9, sigma_u=0.3)
    rows = {}
    for seed in range(1, seeds + 1):
        found = fit(panel, AR1, Sampling(draws=LENGTHS[-1], tune=tune, seed=seed), progress=False)
        stats = found.tree["sample_stats"].to_dataset()
        for draws in LENGTHS:
            first = slice(draws)
            seen = look(found.posterior.isel(draw=first), stats.isel(draw=first), found.spec)
            shown = {name: seen.values[name] for name in ("r_hat", "ess_bulk", "divergences")}
            rows[seed, draws] = {**shown, "outcome": seen.outcome}
        print(f"seed {seed}: {found.seconds['sample']:.0f} s", flush=True)
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["seed", "draws"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ensembles", type=int, default=200)
    parser.add_argument("--fits", type=int, default=0, metavar="SEEDS")
    parser.add_argument("--tune", type=int, default=Sampling().tune)
    args = parser.parse_args()
    print(
        ensembles(args.ensembles).round({"mean draws": 0}).to_string(float_format="{:,.2f}".format)
    )
    if args.fits:
        print(fits(args.fits, args.tune).to_string(float_format="{:,.3f}".format))


if __name__ == "__main__":
    main()
