"""The share of panels of its own recipe that each model samples, at default settings.

    python benchmarks/recipes.py [--models site upgraded] [--shapes few_sites] [--panels 20]

Panels that follow a model in every respect, in four shapes, and for `robust` two kinds on which it
used to fail; a fit counts if it passes the sampler's half of the gate.  Prints a row for each model
and shape: panels, passes, what failed, CPU seconds a fit.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

import oulib
from oulib.model.spec import MODELS
from oulib.panel import Panel
from oulib.panel.simulate import ar1
from oulib.posterior.checks import sampled
from oulib.sampling.fit import Sampling

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


def _path(rng: np.random.Generator, months: int, phi: float, sd: float) -> np.ndarray:
    """A stationary AR(1) of this sd."""
    return ar1(rng, months, phi, sd * np.sqrt(1 - phi**2))


def lasting(seed: int) -> Panel:
    """116 units by 32 years: scores that last, surveys as noisy as they move, outcomes that drift.

    One to 21 waves a unit, 300 to 3,800 answers each.
    """
    rng, units, years = np.random.default_rng(seed), 116, 32
    months, frames = _path(rng, years, 0.9, 0.3), []
    for slope in 0.3 + 0.15 * rng.standard_normal(units):
        score = 0.7 * rng.standard_normal() + _path(rng, years, 0.9, 0.4)
        score = score + 0.1 * rng.standard_normal(years)
        waves = rng.choice(years, rng.integers(1, 22), replace=False)
        y = months + slope * score + 0.8 * rng.standard_normal()
        y = y + _path(rng, years, 0.98, 0.6) + 0.03 * rng.standard_normal(years)
        answers = np.exp(rng.uniform(np.log(300), np.log(3800), years)).astype(int)
        survey = score + 0.4 * rng.standard_normal(years)
        frames.append(_unit(len(frames), "YS", y, survey, answers, waves))
    return Panel.from_frame(pd.concat(frames), name="lasting")


def few_long(seed: int) -> Panel:
    """4 units by 540 months: level and deviation trade."""
    rng, months = np.random.default_rng(seed), 540
    common, moved, frames = _path(rng, months, 0.9, 0.15), _path(rng, months, 0.9, 0.3), []
    for slope in 0.3 + 0.15 * rng.standard_normal(4):
        score = 0.5 * rng.standard_normal() + moved + 0.7 * rng.standard_normal(months)
        y = common + slope * score + 0.6 * rng.standard_normal()
        y = y + _path(rng, months, 0.987, 0.6) + 0.2 * rng.standard_normal(months)
        survey = score + 0.3 * rng.standard_normal(months)
        answers, waves = np.full(months, 20), np.arange(5, months, 6)
        frames.append(_unit(len(frames), "MS", y, survey, answers, waves))
    return Panel.from_frame(pd.concat(frames), name="few_long")


def _unit(
    number: int, step: str, y: np.ndarray, survey: np.ndarray, answers: np.ndarray, at: np.ndarray
) -> pd.DataFrame:
    seen = np.isin(np.arange(y.size), at)
    return pd.DataFrame(
        {
            "ou": f"U{number:03d}",
            "site": "all",
            "month": pd.date_range("1975-01", periods=y.size, freq=step),
            "productivity": np.exp(4 + 0.3 * y),
            "survey": np.where(seen, 5 + survey, np.nan),
            "respondents": np.where(seen, answers, 0),
            "scheduled": seen,
        }
    )


HARD: dict[str, Callable[[int], Panel]] = {"lasting": lasting, "few_long": few_long}


def made(model: str, shape: str, seed: int) -> Panel:
    """A panel that follows the model, or one of the hard kinds."""
    if shape in HARD:
        return HARD[shape](seed)
    recipe, size = RECIPES[model], SHAPES[shape]
    parameters = recipe.get("parameters", {}) | size.get("parameters", {})
    if recipe["recipe"] == "baseline":  # whose months have no size of their own
        parameters.pop("sigma_lam", None)
    return oulib.simulate(**(recipe | size | {"parameters": parameters, "seed": seed}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=list(RECIPES), choices=list(RECIPES))
    kinds = [*SHAPES, *HARD]
    parser.add_argument("--shapes", nargs="+", default=kinds, choices=kinds)
    parser.add_argument("--panels", type=int, default=20)
    parser.add_argument("--first", type=int, default=1, help="seed of the first panel")
    given = parser.parse_args()
    print("| model | shape | panels | sampled | CPU s a fit | what failed (panel) |")
    print("|---|---|---|---|---|---|")
    for model in given.models:
        for shape in given.shapes:
            if shape in HARD and model != "robust":
                continue
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
