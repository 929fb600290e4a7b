"""How the cost of a gradient grows with the panel, and what a fit of a large one takes.

    python benchmarks/size.py [--models baseline robust] [--ous 40 400 2000 20000]
    python benchmarks/size.py --models upgraded --ous 2000 --draws 200 --tune 200

Panels of 50 months with a wave every sixth.  First: nanoseconds a row and gradient at each size, at
points where chains may start, and the exponent of the time of a gradient over rows (least squares
of the logarithms).  With ``--draws``: CPU seconds, memory and gate of a fit with so many draws.
"""

from __future__ import annotations

import argparse
import ctypes
import resource
import time

import numpy as np

import oulib
from oulib.model.build import build_model
from oulib.model.spec import MODELS
from oulib.panel import Panel
from oulib.posterior.checks import hyperparameters, sampled
from oulib.sampling.compiled import compiled_model
from oulib.sampling.fit import Sampling
from oulib.sampling.memory import keep_freed_memory

MONTHS = 50
LOGP = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_uint64, *[ctypes.c_void_p] * 4)


def panel_of(n_ou: int, model: str) -> Panel:
    """A panel with so many OUs, of the recipe that the model is for."""
    size = {"n_ou": n_ou, "n_site": max(n_ou // 20, 4), "n_month": MONTHS, "wave_every": 6}
    return oulib.simulate("upgraded" if MODELS[model].response else "baseline", **size, seed=1)


def seconds(n_ou: int, model: str) -> tuple[int, float]:
    """Rows, and CPU seconds of a gradient: the median over twenty points, each several times."""
    panel, spec = panel_of(n_ou, model), MODELS[model]
    built = build_model(panel, spec)
    made = compiled_model(built, spec)
    rows, function = panel.rows.sizes["row"], LOGP(made.compiled_logp_func.address)
    found, start = [], made.initial_point_func
    for seed in range(20):
        at = start(seed)
        arrays = (at, np.zeros_like(at), np.zeros(1), made.user_data)
        pointers = [each.ctypes.data for each in arrays]
        again = max(1, 40_000 // rows)
        before = time.process_time()
        for _ in range(again):
            if function(at.size, *pointers):
                raise RuntimeError("the log density is not finite where a chain may start")
        found.append((time.process_time() - before) / again)
    return rows, float(np.median(found))


def gradients(models: list[str], ous: list[int]) -> None:
    """A line a model and size, and the exponent."""
    for model in models:
        measured = np.array([seconds(n_ou, model) for n_ou in ous])
        for rows, took in measured:
            print(f"{model}, {rows:,.0f} rows: {1e9 * took / rows:.1f} ns a row", flush=True)
        print(f"{model}: exponent {np.polyfit(*np.log(measured).T, 1)[0]:.3f}", flush=True)


def large(model: str, n_ou: int, sampling: Sampling) -> None:
    """What a fit takes."""
    panel = panel_of(n_ou, model)
    before = time.process_time()
    fit = oulib.fit(panel, MODELS[model], sampling, progress=False)
    took = time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    gate = ", ".join(f"{one.name} {one.value:.3g} {one.where[:3]}" for one in sampled(fit).failed)
    mean = float(fit.posterior["mu_beta"].mean())
    print(
        f"{model}, {panel.rows.sizes['row']:,} rows, {sampling.chains} chains of {sampling.draws} "
        f"after {sampling.tune}: {took:.0f} CPU s, compile {fit.seconds['compile']:.1f} s, "
        f"sample {fit.seconds['sample']:.0f} s, peak {peak:.2f} GiB; smallest bulk ESS "
        f"{hyperparameters(fit)['ess_bulk'].min():.0f}; not passed: {gate or 'nothing'}; "
        f"mu_beta {mean:.3f}, truth {float(panel.truth['mu_beta']):.3f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["baseline", "robust", "upgraded"])
    parser.add_argument("--ous", type=int, nargs="+", default=[40, 400, 2000, 20_000])
    parser.add_argument("--draws", type=int, help="fit, with so many draws a chain")
    parser.add_argument("--tune", type=int, default=500)
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--signs", choices=("auto", "one", "both"), default="auto")
    given = parser.parse_args()
    keep_freed_memory()
    if given.draws is None:
        gradients(given.models, given.ous)
        return
    sampling = Sampling(
        draws=given.draws, tune=given.tune, chains=given.chains, seed=1, signs=given.signs
    )
    for model in given.models:
        for n_ou in given.ous:
            large(model, n_ou, sampling)


if __name__ == "__main__":
    main()
