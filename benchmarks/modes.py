"""How often a fit that passes the gate sits in the wrong place: both signs as one, and not.

    python benchmarks/modes.py [--panels 50] [--seeds 1 2 3] [--model baseline] [--plain]

Panels that follow the model, with few surveys an OU: 30 OUs in 5 sites, 30 months, waves every
sixth.  Each is fitted with each sampler seed.  The reference of a panel are the draws of all seeds
together, sampled with both signs as one (:mod:`oulib.model.signs`); a fit that passes the gate is
wrong if its mean of ``mu_beta`` or ``sigma_y`` is more than half a posterior sd from the
reference's, or if the probability of a positive slope is off by more than 0.25 for some OU.  With
``--plain`` the fits of ``oulib.model.signs`` switched off are counted beside them.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np

import oulib
from oulib.checks import check
from oulib.fit import Fit, Sampling
from oulib.model import signs
from oulib.spec import MODELS


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
    parser.add_argument("--model", default="baseline")
    parser.add_argument("--plain", action="store_true", help="also without signs")
    given = parser.parse_args()
    spec, both = MODELS[given.model], signs.signs
    caches = Path(os.environ.get("OULIB_COMPILED", "~/.cache/oulib")).expanduser()
    recipe = "upgraded" if spec.response else "baseline"

    def fits(panel: oulib.Panel, *, plain: bool) -> list[Fit]:
        # The same question has another answer here: its fits and its code are kept elsewhere.
        signs.signs = (lambda _: None) if plain else both
        for name in ("OULIB_COMPILED", "OULIB_CACHE"):
            os.environ[name] = str(caches / f"modes-{'plain' if plain else 'signs'}-{name.lower()}")
        oulib.compiled._LOADED.clear()
        return [oulib.fit(panel, spec, Sampling(seed=seed), progress=False) for seed in given.seeds]

    count = {"signs": [0, 0, 0], "plain": [0, 0, 0]}
    held = {"signs": [], "plain": []}
    for seed in range(given.first, given.first + given.panels):
        panel = oulib.simulate(
            recipe, n_ou=30, n_site=5, n_month=30, wave_every=6, seed=seed
        )  # fmt: skip
        reference = fits(panel, plain=False)
        found = {"signs": reference} | ({"plain": fits(panel, plain=True)} if given.plain else {})
        for way, several in found.items():
            for fit in several:
                passed = check(fit).passed
                off = wrong(fit, reference)
                tally = count[way]
                tally[0] += 1
                tally[1] += passed
                tally[2] += passed and off
                if passed:
                    low, high = fit.posterior["beta"].quantile([0.05, 0.95], ("chain", "draw"))
                    true = panel.truth["beta"]
                    held[way].append(float(((true >= low) & (true <= high)).mean()))
        text = "; ".join(
            f"{way}: {tally[0]} fits, {tally[1]} passed, {tally[2]} of these wrong, "
            f"slopes held {np.mean(held[way] or [np.nan]):.3f}"
            for way, tally in count.items()
            if tally[0]
        )
        print(f"seed {seed}: {text}", flush=True)


if __name__ == "__main__":
    main()
