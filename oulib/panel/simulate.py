"""Panels made by the models' own generative recipes, with the truth kept beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from oulib.errors import UserError
from oulib.panel import Panel

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

RAW = {"m_y": 4.6, "s_y": 0.30, "m_x": 3.7, "s_x": 0.25}
"""Where the simulator's standardised scale lies in productivity and survey units."""


def simulate(
    recipe: Recipe = "upgraded",
    *,
    n_ou: int = 48,
    n_site: int = 8,
    n_month: int = 36,
    wave_every: int = 6,
    respondents: float = 20.0,
    start: str = "2022-01",
    seed: int = 0,
    parameters: Mapping[str, Any] | Literal["prior"] | None = None,
    sigma_trend: float = 0.0,
    coef: Sequence[float] = (),
    sigma_noise_ou: float = 0.0,
    phi_u: float = 0.0,
    sigma_u: float = 0.0,
    sigma_loading: float = 0.0,
) -> Panel:
    """A panel drawn from one of the specification's recipes (section 9), with its truth.

    Args:
        recipe: ``"baseline"`` or ``"upgraded"``.
        n_ou, n_site, n_month: the size; OUs are dealt to sites as evenly as they go.
        wave_every: a survey is scheduled in every ``wave_every``-th month.
        respondents: median number of respondents of an OU's survey.
        start: first month.
        seed: the same seed gives the same panel.
        parameters: values that replace those of :data:`RECIPES`, or ``"prior"`` to draw the
            hyperparameters from the model's priors.
        sigma_trend: sd of the OUs' own linear trends, per sd of time; 0 for none.
        coef: coefficients of covariates ``z01``, ``z02``, ... that are independent standard
            normals in every row; none by default.
        sigma_noise_ou: sd of the logarithms of the factors ``noise_ou[ou]`` by which OUs' residual
            scales differ; the logarithms sum to zero, so ``sigma_y`` is that of a typical OU.
        phi_u, sigma_u: autocorrelation and innovation sd of an OU's persistent deviation from its
            expected outcome, a stationary AR(1), which the OU's factor multiplies, too; none if
            ``sigma_u`` is 0.
        sigma_loading: sd of the factors ``loading[ou]``, one on average, by which OUs feel the
            months' common movement ``lam``: a second common factor that no model here has.

    Returns:
        A panel whose ``truth`` dataset names its variables as the posterior does and is on the
        panel's own standardised scale, so that it can be compared with a fit as it stands.

    Raises:
        UserError: an unknown recipe or parameter, or a size that no panel can have.
    """
    _refuse_impossible(
        recipe, n_ou, n_site, n_month, wave_every, respondents, start, seed, parameters
    )
    if not (np.isfinite(sigma_trend) and sigma_trend >= 0 and np.isfinite(coef).all()):
        raise UserError(
            f"This panel cannot be simulated: sigma_trend ({sigma_trend}) is a scale, and the "
            "coefficients are finite numbers."
        )
    _refuse_ingredients(sigma_noise_ou, phi_u, sigma_u, sigma_loading)
    rng = np.random.default_rng(seed)
    given = _prior_draw(recipe, rng) if parameters == "prior" else dict(parameters or {})
    p = RECIPES[recipe] | given

    ous = [f"OU-{g:0{len(str(n_ou))}d}" for g in range(1, n_ou + 1)]
    sites = [f"Site-{s:0{len(str(n_site))}d}" for s in range(1, n_site + 1)]
    calendar = pd.period_range(start, periods=n_month, freq="M")
    site_of = np.sort(np.arange(n_ou) % n_site)
    ou, month = (grid.ravel() for grid in np.mgrid[:n_ou, :n_month])
    wave = np.arange(n_month) % wave_every == wave_every - 1
    scheduled = wave[month]

    truth: dict[str, Any] = {
        key: np.asarray(value)
        for key, value in p.items()
        if key not in ("response_rate", "corr_ou", "corr_site")
    }
    effects = np.array([p["mu_alpha"], p["mu_beta"]]) + np.zeros((n_ou, 2))
    for level in ("ou", "site") if recipe == "upgraded" else ("ou",):
        corr = np.array([[1.0, p[f"corr_{level}"]], [p[f"corr_{level}"], 1.0]])
        factor = np.asarray(p[f"sigma_{level}"])[:, None] * np.linalg.cholesky(corr)
        drawn = rng.standard_normal((n_ou if level == "ou" else n_site, 2)) @ factor.T
        truth[f"corr_{level}"] = corr
        if level == "ou":
            effects += drawn
        else:
            effects += drawn[site_of]
            truth |= {"alpha_site": drawn[:, 0], "beta_site": drawn[:, 1]}
    truth |= {"alpha": effects[:, 0], "beta": effects[:, 1]}

    if recipe == "upgraded":
        lam = ar1(rng, n_month, p["phi_lam"], p["sigma_lam"])
        tau = ar1(rng, n_month, p["phi_tau"], np.sqrt(1 - p["phi_tau"] ** 2))
    else:
        lam, tau = rng.standard_normal(n_month), rng.standard_normal(n_month)
    truth |= {"lam": lam - lam.mean(), "tau": tau - tau.mean()}

    truth["mu_x_ou"] = rng.normal(p["mu_x"], p["sigma_mu_x"], n_ou)
    x_mean = truth["mu_x_ou"][ou] + p["gamma_x"] * truth["tau"][month]
    truth["x_star"] = rng.normal(x_mean, p["sigma_x"])
    size = rng.lognormal(np.log(respondents), 0.5, n_ou)
    n = 1 + rng.poisson(np.maximum(size[ou] - 1, 0))
    x = rng.normal(truth["x_star"], p["sigma_meas"] / np.sqrt(n))
    if recipe == "upgraded":
        truth["rho_ou"] = rng.normal(0, p["sigma_rho_ou"], n_ou)
        truth["rho_month"] = rng.normal(0, p["sigma_rho_month"], wave.sum())
        of_wave = np.cumsum(wave)[month] - 1
        logit = p["rho_0"] + p["rho_x"] * truth["x_star"] + truth["rho_ou"][ou]
        logit = logit + np.where(scheduled, truth["rho_month"][of_wave.clip(0)], 0.0)
        respond = rng.random(len(ou)) < 1 / (1 + np.exp(-logit))
        noise = rng.standard_t(p["nu"], len(ou))
    else:
        respond = rng.random(len(ou)) < p["response_rate"]
        noise = rng.standard_normal(len(ou))
    # Streams of their own: what was drawn so far does not depend on whether these are asked for.
    common, noise = truth["lam"][month], p["sigma_y"] * noise
    if sigma_loading:
        drawn = np.random.default_rng([seed, 5]).normal(0, sigma_loading, n_ou)
        truth["loading"] = 1 + drawn - drawn.mean()
        common = common * truth["loading"][ou]
    if sigma_u:
        paths = np.random.default_rng([seed, 4])
        deviation = np.array([ar1(paths, n_month, phi_u, sigma_u) for _ in range(n_ou)])
        truth |= {"phi_u": phi_u, "sigma_u": sigma_u}
        noise = noise + deviation.ravel()
    if sigma_noise_ou:
        drawn = np.random.default_rng([seed, 3]).normal(0, sigma_noise_ou, n_ou)
        truth |= {"noise_ou": np.exp(drawn - drawn.mean()), "sigma_noise_ou": sigma_noise_ou}
        noise = noise * truth["noise_ou"][ou]
    y = effects[ou, 0] + common + effects[ou, 1] * truth["x_star"]
    y = y + noise
    observed = scheduled & respond
    if sigma_trend:
        at = np.arange(n_month) - (n_month - 1) / 2
        truth["trend"] = np.random.default_rng([seed, 1]).normal(0, sigma_trend, n_ou)
        y = y + truth["trend"][ou] * (at / at.std())[month]
    covariates = np.random.default_rng([seed, 2]).standard_normal((len(ou), len(coef)))
    if len(coef):
        truth["coef"] = np.asarray(coef, dtype=float)
        y = y + covariates @ truth["coef"]
    names = [f"z{k:0{max(len(str(len(coef))), 2)}d}" for k in range(1, len(coef) + 1)]

    frame = pd.DataFrame(
        {
            "ou": np.array(ous)[ou],
            "site": np.array(sites)[site_of][ou],
            "month": calendar.to_timestamp()[month],
            "productivity": _digits(np.exp(RAW["m_y"] + RAW["s_y"] * y)),
            "survey": np.where(observed, np.round(RAW["m_x"] + RAW["s_x"] * x, 4), np.nan),
            "respondents": np.where(observed, n, 0),
            "scheduled": scheduled,
        }
        | dict(zip(names, np.round(covariates.T, 6), strict=True))
    )
    if frame["survey"].nunique() < 2:
        raise UserError(
            f"The simulated panel has {frame['survey'].nunique()} different survey scores, and a "
            "model needs two at least. Ask for more OUs, more months or tighter waves."
        )
    panel = Panel.from_frame(frame, covariates=names, name=recipe)
    dataset = _on_the_panels_scale(truth, panel, recipe, sigma_trend).assign_coords(
        ou=list(panel.ous),
        month=list(panel.months),
        effect=["alpha", "beta", *(["trend"] if sigma_trend else [])],
        effect_bis=["alpha", "beta", *(["trend"] if sigma_trend else [])],
    )
    if names:
        dataset = dataset.assign_coords(covariate=names)
    if recipe == "upgraded":
        dataset = dataset.assign_coords(site=sites, wave=np.array(panel.months)[wave])
    dataset.attrs = {
        "recipe": recipe,
        "seed": seed,
        "fingerprint": panel.without_covariates().fingerprint,
    }
    return replace(panel, truth=dataset)


_DIMS = {
    **dict.fromkeys(("alpha", "beta", "trend", "mu_x_ou", "rho_ou"), ("ou",)),
    **dict.fromkeys(("noise_ou", "loading"), ("ou",)),
    "coef": ("covariate",),
    **dict.fromkeys(("alpha_site", "beta_site", "trend_site"), ("site",)),
    **dict.fromkeys(("lam", "tau"), ("month",)),
    **dict.fromkeys(("sigma_ou", "sigma_site"), ("effect",)),
    **dict.fromkeys(("corr_ou", "corr_site"), ("effect", "effect_bis")),
    "rho_month": ("wave",),
    "x_star": ("row",),
}


def _on_the_panels_scale(
    truth: Mapping[str, Any], panel: Panel, recipe: Recipe, sigma_trend: float
) -> xr.Dataset:
    """The truth after the change of units that standardising the finished panel makes.

    The simulator draws x and y on its own scale; the panel's constants make of them
    (x - a) / b and (y - c) / d, and every parameter follows exactly.
    """
    a = (panel.scale.m_x - RAW["m_x"]) / RAW["s_x"]
    b = panel.scale.s_x / RAW["s_x"]
    c = (panel.scale.m_y - RAW["m_y"]) / RAW["s_y"]
    d = panel.scale.s_y / RAW["s_y"]
    t = dict(truth)
    for suffix, shift in (("", c), ("_site", 0.0)):
        if f"alpha{suffix}" in t:
            t[f"alpha{suffix}"] = (t[f"alpha{suffix}"] + a * t[f"beta{suffix}"] - shift) / d
            t[f"beta{suffix}"] = t[f"beta{suffix}"] * b / d
    t["mu_alpha"] = (t["mu_alpha"] + a * t["mu_beta"] - c) / d
    t["mu_beta"] = t["mu_beta"] * b / d
    if "coef" in t:
        # The panel's covariates are standardised, which moves their mean into the intercept.
        given = panel.to_frame()[list(panel.covariates)]
        shift = float(given.mean().to_numpy() @ t["coef"]) / d
        t["alpha"], t["mu_alpha"] = t["alpha"] + shift, t["mu_alpha"] + shift
        t["coef"] = t["coef"] * given.std(ddof=0).to_numpy() / d
    turn = np.array([[1 / d, a / d], [0, b / d]])
    for level in ("ou", "site"):
        if f"sigma_{level}" in t:
            scale = np.diag(t[f"sigma_{level}"])
            covariance = turn @ scale @ t[f"corr_{level}"] @ scale @ turn.T
            sd = np.sqrt(np.diag(covariance))
            t[f"sigma_{level}"] = sd
            t[f"corr_{level}"] = covariance / np.outer(sd, sd)
    if "trend" in t:
        t["trend"] = t["trend"] / d
        t["sigma_ou"] = np.append(t["sigma_ou"], sigma_trend / d)
        corr = np.eye(3)
        corr[:2, :2] = t["corr_ou"]
        t["corr_ou"] = corr
        if "sigma_site" in t:  # sites have no trends of their own
            t["trend_site"] = np.zeros(len(t["alpha_site"]))
            t["sigma_site"] = np.append(t["sigma_site"], 0.0)
            corr = np.eye(3)
            corr[:2, :2] = t["corr_site"]
            t["corr_site"] = corr
    for name in ("lam", "sigma_lam", "sigma_y", "sigma_u"):
        if name in t:
            t[name] = t[name] / d
    for name in ("mu_x", "mu_x_ou", "x_star"):
        t[name] = (t[name] - a) / b
    for name in ("sigma_mu_x", "sigma_x", "sigma_meas"):
        t[name] = t[name] / b
    if recipe == "baseline":
        t["tau"] = t["tau"] / b  # gamma_x is fixed there, so the unit change falls on tau
    else:
        t["gamma_x"] = t["gamma_x"] / b
        t["rho_0"] = t["rho_0"] + t["rho_x"] * a
        t["rho_x"] = t["rho_x"] * b
    return xr.Dataset({name: (_DIMS.get(name, ()), value) for name, value in t.items()})


def _refuse_ingredients(
    sigma_noise_ou: float, phi_u: float, sigma_u: float, sigma_loading: float
) -> None:
    """Say what is wrong with the ingredients of real panels, if anything is."""
    scales = {
        "sigma_noise_ou": sigma_noise_ou,
        "sigma_u": sigma_u,
        "sigma_loading": sigma_loading,
    }
    wrong = [
        f"{name} ({value}) is a scale, finite and not negative"
        for name, value in scales.items()
        if not (np.isfinite(value) and value >= 0)
    ]
    if not 0 <= phi_u < 1:
        wrong.append(f"phi_u ({phi_u}) lies between 0 and 1, 1 excluded")
    if wrong:
        raise UserError("This panel cannot be simulated: " + "; ".join(wrong) + ".")


def ar1(rng: np.random.Generator, n: int, phi: float, innovation: float) -> np.ndarray:
    """A stationary AR(1) path of ``n`` steps (not centred)."""
    path = np.empty(n)
    path[0] = rng.normal(0, innovation / np.sqrt(1 - phi**2))
    for t in range(1, n):
        path[t] = phi * path[t - 1] + rng.normal(0, innovation)
    return path


def _prior_draw(recipe: Recipe, rng: np.random.Generator) -> dict[str, Any]:
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


def _digits(values: np.ndarray) -> np.ndarray:
    """``values`` to seven significant digits, so that none is rounded to zero."""
    return np.array([float(f"{value:.7g}") for value in values])


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


def _refuse_impossible(
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
