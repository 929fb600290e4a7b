"""How often a fit that passes the gate sits in the wrong place, and how often one passes.

    python benchmarks/modes.py [--panels 50] [--seeds 1 2 3] [--ways auto one] [--model baseline]

Panels that follow the model, with few surveys an OU: 30 OUs in 5 sites, 30 months, waves every
sixth.  Each is fitted with each sampler seed, as :func:`oulib.fit` does by default
(``auto``) or without the signs of slopes as one (``one``; :mod:`oulib.model.signs`).  The reference
of a panel are 2,000 draws a chain with both signs as one, of other seeds; a fit that passes the
gate is wrong if its mean of ``mu_beta`` or ``sigma_y`` is more than half a posterior sd from the
reference's, or if the probability of a positive slope is off by more than 0.25 for some OU.
"""

from __future__ import annotations

import argparse

import numpy as np

import oulib
from oulib.model.spec import MODELS
from oulib.posterior.checks import sampled
from oulib.sampling.fit import Fit, Sampling


def wrong(fit: Fit, reference: list[Fit]) -> bool:
    """Whether a fit is elsewhere than the reference."""
    for name in ("mu_beta", "sigma_y"):
        whole = np.concatenate([one.posterior[name].to_numpy().ravel() for one in reference])
        if abs(float(fit.posterior[name].mean()) - whole.mean()) > 0.5 * whole.std():
            return True
    positive = [(one.posterior["beta"] > 0).mean(("chain", "draw")) for one in (fit, *reference)]
    return bool((abs(positive[0] - sum(positive[1:]) / len(reference)) > 0.25).any())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--panels", type=int, default=50)
    parser.add_argument("--first", type=int, default=51, help="seed of the first panel")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--references", type=int, nargs="+", default=[1001])
    parser.add_argument("--ways", nargs="+", default=["auto"], choices=("auto", "one"))
    parser.add_argument("--model", default="baseline")
    given = parser.parse_args()
    spec = MODELS[given.model]
    recipe = "upgraded" if spec.response else "baseline"
    count = {way: [0, 0, 0, 0] for way in given.ways}
    held: dict[str, list[float]] = {way: [] for way in count}
    for seed in range(given.first, given.first + given.panels):
        size = {"n_ou": 30, "n_site": 5, "n_month": 30, "wave_every": 6}
        panel = oulib.simulate(recipe, **size, seed=seed)
        long = [Sampling(draws=2000, seed=each, signs="both") for each in given.references]
        reference = [oulib.fit(panel, spec, sampling, progress=False) for sampling in long]
        for way, tally in count.items():
            for each in given.seeds:
                fit = oulib.fit(panel, spec, Sampling(seed=each, signs=way), progress=False)
                passed = sampled(fit).sampled
                again = bool(fit.both)
                for place, yes in enumerate(
                    (True, again, passed, passed and wrong(fit, reference))
                ):
                    tally[place] += yes
                if passed:
                    low, high = (
                        fit.posterior["beta"].quantile(q, ("chain", "draw")) for q in (0.05, 0.95)
                    )
                    true = panel.truth["beta"].to_numpy()
                    inside = (true >= low.to_numpy()) & (true <= high.to_numpy())
                    held[way].append(float(inside.mean()))
        text = "; ".join(
            f"signs={way}: {fits} fits, {again} drawn again, {passed} passed, {off} of them wrong, "
            f"slopes in 90% intervals {np.mean(held[way] or [np.nan]):.3f}"
            for way, (fits, again, passed, off) in count.items()
        )
        print(f"seed {seed}: {text}", flush=True)


if __name__ == "__main__":
    main()
