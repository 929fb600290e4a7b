"""The share of panels of its own recipe that each model samples, at default settings.

    python benchmarks/recipes.py [--models site upgraded] [--shapes few_sites] [--panels 20]

Panels that follow a model in every respect, in four shapes; a fit counts if it passes the sampler's
half of the gate.  Prints a row for each model and shape: panels, passes, what failed, CPU seconds a
fit.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from typing import Any

import oulib
from oulib.checks import sampled
from oulib.fit import Sampling
from oulib.panel import Panel
from oulib.spec import MODELS

_ALONE = {"sigma_site": (1e-6, 1e-6)}
_ANSWERING = {"rho_x": 0.0}
_APART = {"phi_lam": 0.0, "sigma_lam": 1.0, "phi_tau": 0.0, "gamma_x": 0.2}
RECIPES: dict[str, dict[str, Any]] = {
    "baseline": {"recipe": "baseline"},
    "student_t": {"recipe": "upgraded", "parameters": _ALONE | _ANSWERING | _APART},
    "ar1": {"recipe": "upgraded", "parameters": _ALONE | _ANSWERING},
    "site": {"recipe": "upgraded", "parameters": _ANSWERING},
    "upgraded": {"recipe": "upgraded"},
    "robust": {
        "recipe": "upgraded",
        "parameters": _ALONE | _ANSWERING | {"nu": 1e6},
        "phi_u": 0.7,
        "sigma_u": 0.2,
        "sigma_noise_ou": 0.3,
    },
}
"""What follows each model, as arguments of :func:`oulib.simulate`."""

_WEAK = {"sigma_lam": 0.05, "gamma_x": 0.1}
SHAPES: dict[str, dict[str, Any]] = {
    "usual": {"n_ou": 30, "n_site": 6, "n_month": 24, "wave_every": 3},
    "few_sites": {"n_ou": 24, "n_site": 3, "n_month": 24, "wave_every": 3},
    "few_waves": {"n_ou": 30, "n_site": 6, "n_month": 36, "wave_every": 9},
    "weak_months": {"n_ou": 30, "n_site": 6, "n_month": 24, "wave_every": 3, "parameters": _WEAK},
}


def made(model: str, shape: str, seed: int) -> Panel:
    """A panel that follows the model."""
    recipe, size = RECIPES[model], SHAPES[shape]
    parameters = recipe.get("parameters", {}) | size.get("parameters", {})
    if recipe["recipe"] == "baseline":  # whose months have no size of their own
        parameters.pop("sigma_lam", None)
    return oulib.simulate(**(recipe | size | {"parameters": parameters, "seed": seed}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=list(RECIPES), choices=list(RECIPES))
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--panels", type=int, default=20)
    parser.add_argument("--first", type=int, default=1, help="seed of the first panel")
    given = parser.parse_args()
    print("| model | shape | panels | sampled | CPU s a fit | what failed (panel) |")
    print("|---|---|---|---|---|---|")
    for model in given.models:
        for shape in given.shapes:
            passed, why, start = 0, Counter[str](), time.process_time()
            for seed in range(given.first, given.first + given.panels):
                panel = made(model, shape, seed)
                verdict = sampled(oulib.fit(panel, MODELS[model], Sampling(seed=1), progress=False))
                passed += verdict.sampled
                why.update(f"{one.name} ({seed})" for one in verdict.failed)
            seconds = (time.process_time() - start) / given.panels
            print(
                f"| {model} | {shape} | {given.panels} | {passed} | {seconds:.0f} "
                f"| {', '.join(why)} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
