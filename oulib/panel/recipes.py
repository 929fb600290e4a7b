"""The two recipes' parameters: their values, draws from their priors, and what they cannot be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from oulib.errors import UserError

Recipe = Literal["baseline", "upgraded"]

_SHARED: dict[str, Any] = {
    "mu_alpha": 0.0,
    "mu_beta": 0.35,
    "sigma_ou": (0.5, 0.2),
    "corr_ou": 0.3,
    "mu_x": 0.0,
    "sigma_mu_x": 0.6,
    "sigma_x": 0.7,
    "sigma_meas": 1.2,
    "sigma_y": 0.35,
}
RECIPES: dict[str, dict[str, Any]] = {
    "baseline": _SHARED | {"gamma_x": 0.2, "response_rate": 0.9},
    "upgraded": _SHARED
    | {
        "sigma_site": (0.5, 0.2),
        "corr_site": 0.3,
        "phi_lam": 0.85,
        "sigma_lam": 0.25,
        "phi_tau": 0.85,
        "gamma_x": 0.4,
        "nu": 4.0,
        "rho_0": 0.8,
        "rho_x": 1.0,
        "sigma_rho_ou": 0.4,
        "sigma_rho_month": 0.3,
    },
}
"""Default parameters of the two recipes, on the simulator's standardised scale."""


def prior_draw(recipe: Recipe, rng: np.random.Generator) -> dict[str, Any]:
    """Hyperparameters drawn from the priors of the design (step 1 of each recipe)."""

    def half(scale: float, size: int | None = None) -> Any:
        return np.abs(rng.normal(0, scale, size))

    def correlation(eta: float = 2.0) -> float:
        return 2 * rng.beta(eta, eta) - 1  # LKJ in two dimensions

    drawn: dict[str, Any] = {
        "mu_alpha": rng.normal(),
        "mu_beta": rng.normal(0, 0.5),
        "sigma_ou": half(1, 2),
        "corr_ou": correlation(),
        "mu_x": rng.normal(),
        "sigma_mu_x": half(1),
        "sigma_x": half(1),
        "sigma_meas": half(1),
        "sigma_y": half(0.5),
    }
    if recipe == "upgraded":
        drawn |= {
            "sigma_site": half(1, 2),
            "corr_site": correlation(),
            "phi_lam": rng.uniform(-1, 1),
            "sigma_lam": half(1),
            "phi_tau": rng.uniform(-1, 1),
            "gamma_x": half(0.3),
            "nu": 2 + rng.exponential(15),
            "rho_0": rng.normal(),
            "rho_x": rng.normal(),
            "sigma_rho_ou": half(0.5),
            "sigma_rho_month": half(0.5),
        }
    return drawn


_RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("corr_ou", "corr_site", "phi_lam", "phi_tau"), (-1.0, 1.0)),
    "nu": (0.0, np.inf),
}
"""Open intervals of parameters; scales must be positive or zero, the others finite."""


def _wrong_values(given: Mapping[str, Any], recipe: str) -> list[str]:
    """A sentence for each parameter whose value the recipe cannot have."""
    wrong = []
    for name, value in given.items():
        if name not in RECIPES[recipe]:
            continue
        array, shape = np.asarray(value), np.shape(RECIPES[recipe][name])
        if array.dtype.kind not in "fiu" or array.shape != shape:
            size = "a number" if shape == () else f"{shape[0]} numbers"
            wrong.append(f"{name} = {value!r}: {size} wanted")
            continue
        low, high = _RANGES.get(name, (-np.inf, np.inf))
        if not (np.isfinite(array).all() and (array > low).all() and (array < high).all()):
            wrong.append(f"{name} = {value!r}: a finite value between {low} and {high} wanted")
        elif name.startswith("sigma_") and (array < 0).any():
            wrong.append(f"{name} = {value!r}: a scale is not negative")
        elif name == "response_rate" and not 0 <= value <= 1:
            wrong.append(f"{name} = {value!r}: a share between 0 and 1 wanted")
    return wrong


def refuse_impossible(
    recipe: str,
    n_ou: int,
    n_site: int,
    n_month: int,
    wave_every: int,
    respondents: float,
    start: str,
    seed: int,
    parameters: Any,
) -> None:
    """Say what is wrong with what a panel is to be made of, all of it at once."""
    wrong = []
    if recipe not in RECIPES:
        raise UserError(f"Unknown recipe {recipe!r}; the recipes are {', '.join(RECIPES)}.")
    if isinstance(parameters, Mapping) and (unknown := set(parameters) - set(RECIPES[recipe])):
        wrong.append(
            f"the {recipe} recipe has no parameter {', '.join(sorted(unknown))}; "
            f"it has {', '.join(RECIPES[recipe])}"
        )
    if isinstance(parameters, Mapping):
        wrong += _wrong_values(parameters, recipe)
    elif parameters not in (None, "prior"):
        wrong.append(f"parameters {parameters!r}: a mapping of names to values, or 'prior'")
    if seed < 0:
        wrong.append(f"the seed {seed}: 0 or larger is needed")
    if n_ou < 2:
        wrong.append(f"{n_ou} OUs: at least 2 are needed")
    if not 1 <= n_site <= n_ou:
        wrong.append(f"{n_site} sites: between 1 and the number of OUs, {n_ou}, are possible")
    if n_month < 3:
        wrong.append(f"{n_month} months: at least 3 are needed")
    if not 1 <= wave_every <= n_month:
        wrong.append(f"waves every {wave_every} months: between 1 and {n_month} are possible")
    if not 1 <= respondents < 1e6:
        wrong.append(f"a median of {respondents} respondents: between 1 and a million is possible")
    try:
        known = not pd.isna(pd.Period(start, freq="M"))
    except ValueError:
        known = False
    if not known:
        wrong.append(f"first month {start!r}: write it like 2022-01")
    if wrong:
        raise UserError("This panel cannot be simulated: " + "; ".join(wrong) + ".")


def refuse_ingredients(
    sigma_trend: float,
    coef: Sequence[float],
    sigma_noise_ou: float,
    phi_u: float,
    sigma_u: float,
    sigma_loading: float,
) -> None:
    """Say what is wrong with what real panels have and the recipes have not, if anything is."""
    scales = {
        "sigma_trend": sigma_trend,
        "sigma_noise_ou": sigma_noise_ou,
        "sigma_u": sigma_u,
        "sigma_loading": sigma_loading,
    }
    wrong = [
        f"{name} ({value}) is a scale, finite and not negative"
        for name, value in scales.items()
        if not (np.isfinite(value) and value >= 0)
    ]
    if not np.isfinite(coef).all():
        wrong.append("the coefficients are finite numbers")
    if not 0 <= phi_u < 1:
        wrong.append(f"phi_u ({phi_u}) lies between 0 and 1, 1 excluded")
    if wrong:
        raise UserError("This panel cannot be simulated: " + "; ".join(wrong) + ".")
