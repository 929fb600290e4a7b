"""Panels made by the models' own generative recipes, with the truth kept beside them.

A function for each block of the model, in the order of the recipe; each adds what it draws to the
truth and hands on what the next one needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from oulib.errors import UserError
from oulib.panel import Panel
from oulib.panel.recipes import (
    RECIPES,
    Recipe,
    prior_draw,
    refuse_impossible,
    refuse_ingredients,
)
from oulib.panel.units import RAW, on_the_panels_scale


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
    refuse_impossible(
        recipe, n_ou, n_site, n_month, wave_every, respondents, start, seed, parameters
    )
    refuse_ingredients(sigma_trend, coef, sigma_noise_ou, phi_u, sigma_u, sigma_loading)
    rng = np.random.default_rng(seed)
    given = prior_draw(recipe, rng) if parameters == "prior" else dict(parameters or {})
    design = _Design(n_ou, n_site, n_month, wave_every)
    drawn = _Drawn(recipe, seed, RECIPES[recipe] | given, design)
    _effects(drawn, rng)
    _months(drawn, rng)
    n, x = _scores(drawn, respondents, rng)
    answered = _answers(drawn, rng)
    noise = _noise(drawn, rng, phi_u=phi_u, sigma_u=sigma_u, sigma_noise_ou=sigma_noise_ou)
    y = _line(drawn, sigma_loading) + noise
    y, covariates = _trends_and_covariates(drawn, y, sigma_trend, coef)
    observed = design.scheduled & answered
    names = [f"z{k:0{max(len(str(len(coef))), 2)}d}" for k in range(1, len(coef) + 1)]
    frame = pd.DataFrame(
        {
            "ou": np.array(design.ous)[design.ou],
            "site": np.array(design.sites)[design.site_of][design.ou],
            "month": design.calendar(start).to_timestamp()[design.month],
            "productivity": _digits(np.exp(RAW["m_y"] + RAW["s_y"] * y)),
            "survey": np.where(observed, np.round(RAW["m_x"] + RAW["s_x"] * x, 4), np.nan),
            "respondents": np.where(observed, n, 0),
            "scheduled": design.scheduled,
        }
        | dict(zip(names, np.round(covariates.T, 6), strict=True))
    )
    return _with_truth(drawn, frame, names, sigma_trend)


@dataclass(frozen=True)
class _Design:
    """Who is in the panel and when surveys are planned; rows are OU by OU, month by month."""

    n_ou: int
    n_site: int
    n_month: int
    wave_every: int

    @property
    def ous(self) -> list[str]:
        return [f"OU-{g:0{len(str(self.n_ou))}d}" for g in range(1, self.n_ou + 1)]

    @property
    def sites(self) -> list[str]:
        return [f"Site-{s:0{len(str(self.n_site))}d}" for s in range(1, self.n_site + 1)]

    @property
    def site_of(self) -> np.ndarray:
        """The position of each OU's site, (ou)."""
        return np.sort(np.arange(self.n_ou) % self.n_site)

    @property
    def ou(self) -> np.ndarray:
        """The position of each row's OU, (row)."""
        return np.repeat(np.arange(self.n_ou), self.n_month)

    @property
    def month(self) -> np.ndarray:
        """The position of each row's month, (row)."""
        return np.tile(np.arange(self.n_month), self.n_ou)

    @property
    def wave(self) -> np.ndarray:
        """Whether a survey is planned in a month, (month)."""
        return np.arange(self.n_month) % self.wave_every == self.wave_every - 1

    @property
    def scheduled(self) -> np.ndarray:
        """Whether a survey is planned in a row, (row)."""
        return self.wave[self.month]

    def calendar(self, start: str) -> pd.PeriodIndex:
        return pd.period_range(start, periods=self.n_month, freq="M")


class _Drawn:
    """Parameters, design and what was drawn so far, under the names of the posterior."""

    def __init__(self, recipe: Recipe, seed: int, p: dict[str, Any], design: _Design) -> None:
        self.recipe, self.seed, self.p, self.design = recipe, seed, p, design
        kept = (k for k in p if k not in ("response_rate", "corr_ou", "corr_site"))
        self.truth: dict[str, Any] = {name: np.asarray(p[name]) for name in kept}

    @property
    def upgraded(self) -> bool:
        return self.recipe == "upgraded"

    def stream(self, number: int) -> np.random.Generator:
        """A stream of an ingredient's own: whether it is asked for changes nothing else."""
        return np.random.default_rng([self.seed, number])


def _effects(drawn: _Drawn, rng: np.random.Generator) -> None:
    """Intercepts and slopes: of OUs and, upgraded, of sites."""
    p, design = drawn.p, drawn.design
    effects = np.array([p["mu_alpha"], p["mu_beta"]]) + np.zeros((design.n_ou, 2))
    effects += _pairs(drawn, "ou", design.n_ou, rng)
    if drawn.upgraded:
        of_site = _pairs(drawn, "site", design.n_site, rng)
        effects += of_site[design.site_of]
        drawn.truth |= {"alpha_site": of_site[:, 0], "beta_site": of_site[:, 1]}
    drawn.truth |= {"alpha": effects[:, 0], "beta": effects[:, 1]}


def _pairs(drawn: _Drawn, level: str, count: int, rng: np.random.Generator) -> np.ndarray:
    """Correlated deviations of intercept and slope, a row for each member of a level."""
    rho = drawn.p[f"corr_{level}"]
    corr = np.array([[1.0, rho], [rho, 1.0]])
    drawn.truth[f"corr_{level}"] = corr
    factor = np.asarray(drawn.p[f"sigma_{level}"])[:, None] * np.linalg.cholesky(corr)
    return rng.standard_normal((count, 2)) @ factor.T


def _months(drawn: _Drawn, rng: np.random.Generator) -> None:
    """The months' effects on outcome and score, centred: AR(1) if upgraded, else independent."""
    p, n = drawn.p, drawn.design.n_month
    if drawn.upgraded:
        lam = ar1(rng, n, p["phi_lam"], p["sigma_lam"])
        tau = ar1(rng, n, p["phi_tau"], np.sqrt(1 - p["phi_tau"] ** 2))
    else:
        lam, tau = rng.standard_normal(n), rng.standard_normal(n)
    drawn.truth |= {"lam": lam - lam.mean(), "tau": tau - tau.mean()}


def _scores(
    drawn: _Drawn, respondents: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Latent scores; respondents and score of the survey that every row could have had, (row)."""
    p, truth, design = drawn.p, drawn.truth, drawn.design
    truth["mu_x_ou"] = rng.normal(p["mu_x"], p["sigma_mu_x"], design.n_ou)
    expected = truth["mu_x_ou"][design.ou] + p["gamma_x"] * truth["tau"][design.month]
    truth["x_star"] = rng.normal(expected, p["sigma_x"])
    size = rng.lognormal(np.log(respondents), 0.5, design.n_ou)
    n = 1 + rng.poisson(np.maximum(size[design.ou] - 1, 0))
    return n, rng.normal(truth["x_star"], p["sigma_meas"] / np.sqrt(n))


def _answers(drawn: _Drawn, rng: np.random.Generator) -> np.ndarray:
    """Whether a row would answer, (row): upgraded, depending on the score; else at random."""
    p, truth, design = drawn.p, drawn.truth, drawn.design
    if not drawn.upgraded:
        return rng.random(design.ou.size) < p["response_rate"]
    truth["rho_ou"] = rng.normal(0, p["sigma_rho_ou"], design.n_ou)
    truth["rho_month"] = rng.normal(0, p["sigma_rho_month"], design.wave.sum())
    of_wave = np.cumsum(design.wave)[design.month] - 1
    logit = p["rho_0"] + p["rho_x"] * truth["x_star"] + truth["rho_ou"][design.ou]
    logit = logit + np.where(design.scheduled, truth["rho_month"][of_wave.clip(0)], 0.0)
    return rng.random(design.ou.size) < 1 / (1 + np.exp(-logit))


def _noise(
    drawn: _Drawn,
    rng: np.random.Generator,
    *,
    phi_u: float,
    sigma_u: float,
    sigma_noise_ou: float,
) -> np.ndarray:
    """What the outcome has besides its line, (row): noise, deviations that last, factors of OUs."""
    p, truth, design = drawn.p, drawn.truth, drawn.design
    rows = design.ou.size
    noise = rng.standard_t(p["nu"], rows) if drawn.upgraded else rng.standard_normal(rows)
    noise = p["sigma_y"] * noise
    if sigma_u:
        paths = drawn.stream(4)
        made = [ar1(paths, design.n_month, phi_u, sigma_u) for _ in range(design.n_ou)]
        truth |= {"phi_u": phi_u, "sigma_u": sigma_u}
        noise = noise + np.ravel(made)
    if sigma_noise_ou:
        log = drawn.stream(3).normal(0, sigma_noise_ou, design.n_ou)
        truth |= {"noise_ou": np.exp(log - log.mean()), "sigma_noise_ou": sigma_noise_ou}
        noise = noise * truth["noise_ou"][design.ou]
    return noise


def _line(drawn: _Drawn, sigma_loading: float) -> np.ndarray:
    """The outcome's expectation given the latent score, (row)."""
    truth, design = drawn.truth, drawn.design
    common = truth["lam"][design.month]
    if sigma_loading:
        off = drawn.stream(5).normal(0, sigma_loading, design.n_ou)
        truth["loading"] = 1 + off - off.mean()
        common = common * truth["loading"][design.ou]
    return truth["alpha"][design.ou] + common + truth["beta"][design.ou] * truth["x_star"]


def _trends_and_covariates(
    drawn: _Drawn, y: np.ndarray, sigma_trend: float, coef: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """The outcome with OUs' own trends and with covariates; and those, (row, covariate)."""
    truth, design = drawn.truth, drawn.design
    if sigma_trend:
        at = np.arange(design.n_month) - (design.n_month - 1) / 2
        truth["trend"] = drawn.stream(1).normal(0, sigma_trend, design.n_ou)
        y = y + truth["trend"][design.ou] * (at / at.std())[design.month]
    covariates = drawn.stream(2).standard_normal((y.size, len(coef)))
    if len(coef):
        truth["coef"] = np.asarray(coef, dtype=float)
        y = y + covariates @ truth["coef"]
    return y, covariates


def _with_truth(
    drawn: _Drawn, frame: pd.DataFrame, covariates: list[str], sigma_trend: float
) -> Panel:
    """The panel of the rows of ``frame``, with the truth in its own units."""
    if frame["survey"].nunique() < 2:
        raise UserError(
            f"The simulated panel has {frame['survey'].nunique()} different survey scores, and a "
            "model needs two at least. Ask for more OUs, more months or tighter waves."
        )
    panel = Panel.from_frame(frame, covariates=covariates, name=drawn.recipe)
    effects = ["alpha", "beta", *(["trend"] if sigma_trend else [])]
    dataset = on_the_panels_scale(drawn.truth, panel, drawn.recipe, sigma_trend).assign_coords(
        ou=list(panel.ous), month=list(panel.months), effect=effects, effect_bis=effects
    )
    if covariates:
        dataset = dataset.assign_coords(covariate=covariates)
    if drawn.upgraded:
        waves = np.array(panel.months)[drawn.design.wave]
        dataset = dataset.assign_coords(site=drawn.design.sites, wave=waves)
    dataset.attrs = {
        "recipe": drawn.recipe,
        "seed": drawn.seed,
        "fingerprint": panel.without_covariates().fingerprint,
    }
    return replace(panel, truth=dataset)


def ar1(rng: np.random.Generator, n: int, phi: float, innovation: float) -> np.ndarray:
    """A stationary AR(1) path of ``n`` steps (not centred)."""
    path = np.empty(n)
    path[0] = rng.normal(0, innovation / np.sqrt(1 - phi**2))
    for t in range(1, n):
        path[t] = phi * path[t - 1] + rng.normal(0, innovation)
    return path


def _digits(values: np.ndarray) -> np.ndarray:
    """``values`` to seven significant digits, so that none is rounded to zero."""
    return np.array([float(f"{value:.7g}") for value in values])
