"""How often a large panel's part gives a model up that is right, and how often one that is not.

    python benchmarks/pilot.py [--models baseline robust] [--panels 10]

Panels of 70 OUs by 30 months that follow a model in every respect, and the same with deviations
that last, which no model of the ladder has a place for.  Prints a row a model: panels, those on
which it was given up, CPU seconds a question.
"""

from __future__ import annotations

import argparse
import time

from recipes import RECIPES

import oulib
from oulib.model.spec import MODELS
from oulib.posterior.pilot import given_up
from oulib.sampling.fit import Sampling

SIZE = {"n_ou": 70, "n_site": 7, "n_month": 30, "wave_every": 3}
LASTING = {"phi_u": 0.9, "sigma_u": 0.3}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=list(RECIPES), choices=list(RECIPES))
    parser.add_argument("--panels", type=int, default=10)
    parser.add_argument("--first", type=int, default=1, help="seed of the first panel")
    given = parser.parse_args()
    print("| model | panels | given up where it is right | where deviations last | CPU s |")
    print("|---|---|---|---|---|")
    for model in given.models:
        count, start = [0, 0], time.process_time()
        for seed in range(given.first, given.first + given.panels):
            for place, extra in enumerate(({}, LASTING)):
                panel = oulib.simulate(**(RECIPES[model] | SIZE | extra | {"seed": seed}))
                verdict = given_up(panel, MODELS[model], Sampling(seed=1))
                count[place] += verdict is not None
        took = (time.process_time() - start) / (2 * given.panels)
        print(f"| {model} | {given.panels} | {count[0]} | {count[1]} | {took:.1f} |", flush=True)


if __name__ == "__main__":
    main()
