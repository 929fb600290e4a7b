"""What another survey would tell: designs of waves and respondents, before anybody is asked.

A design is simulated from a fit's own recipe at its posterior means, and the simulated panels are
fitted; beside that stands an approximation in closed form, which costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from oulib.errors import UserError
from oulib.model import kalman_kernel
from oulib.model.draws.density import all_rows, expectations, noise_factor
from oulib.model.draws.generate import autoregression, normal_equivalent, residuals
from oulib.model.spec import ModelSpec
from oulib.model.survey import given_survey
from oulib.panel import Panel
from oulib.posterior import checks
from oulib.posterior.checks import Verdict
from oulib.posterior.estimate import SAMPLES
from oulib.posterior.predict import new_ous
from oulib.sampling.fit import Fit, Sampling

_LEFT_OUT = ("nu", "nu_minus_two", "coef", "trend", "rho_x", "x_star")
QUICK = Sampling(draws=500, tune=500, chains=2, target_accept=0.95)
"""How a simulated panel is fitted: enough for a standard deviation."""


@dataclass(frozen=True)
class Design:
    """Waves planned over the panel's months, and the respondents of an OU of median size."""

    waves: int
    respondents: float


@dataclass(frozen=True)
class Plan:
    """What designs would tell of mu_beta.

    ``table`` has a row a design, from :func:`plan`; ``slope`` is the slope that was simulated;
    ``seconds`` are those of compiling and of sampling, (refit, 2), in the order of fitting;
    ``verdicts`` are the gates of mu_beta in the refits (:func:`oulib.posterior.checks.read`).
    """

    table: pd.DataFrame
    slope: float
    seconds: np.ndarray
    verdicts: tuple[Verdict, ...] = ()


@dataclass(frozen=True)
class Told:
    """The share of refits that have the sign of the slope ``right``, and how sure they are of it.

    ``probability`` is the mean of the probabilities that refits give the right sign.
    """

    right: float
    probability: float


def told(plan: Plan) -> Told:
    """How surely refits tell the sign of the slope that was simulated."""
    return Told(float(plan.table["right"].mean()), float(plan.table["probability"].mean()))


@dataclass(frozen=True)
class Spent:
    """Seconds that ``refits`` refits took: ``sampling`` on average, and to set the model up.

    It was compiled anew ``compiled`` times, in ``compiling`` seconds on average; setting it up took
    ``most`` at most otherwise, NaN where there is no other.
    """

    refits: int
    sampling: float
    compiled: int
    compiling: float
    most_of_all: float
    most: float


def spent(plan: Plan) -> Spent:
    """How often the refits' model was compiled, and what that took."""
    compiling, sampling = plan.seconds[:, 0], plan.seconds[:, 1]
    anew = compiling > 0.25 * compiling.max()
    return Spent(
        refits=len(plan.seconds),
        sampling=float(sampling.mean()),
        compiled=int(anew.sum()),
        compiling=float(compiling[anew].mean()) if anew.any() else np.nan,
        most_of_all=float(compiling.max()),
        most=np.nan if anew.all() else float(compiling[~anew].max()),
    )


def current(panel: Panel) -> Design:
    """The design that a panel has: waves planned for an OU (or seen, without a schedule)."""
    rows, seen = panel.rows, panel.survey_rows
    planned = panel.scheduled_rows if panel.has_schedule else seen
    n = np.maximum(rows["respondents"].to_numpy()[seen], 1)
    return Design(max(round(planned.size / len(panel.ous)), 1), float(np.median(n)))


def answered(panel: Panel) -> float:
    """Share of planned surveys that were answered; 1 without a schedule."""
    planned = panel.scheduled_rows
    return float(panel.rows["observed"].to_numpy()[planned].mean()) if planned.size else 1.0


def wave_months(months: int, waves: int) -> np.ndarray:
    """Positions of ``waves`` months at even distance among ``months``.

    Raises:
        UserError: there are fewer months than waves, or no wave.
    """
    if not 1 <= waves <= months:
        raise UserError(f"{waves} waves in {months} months: between 1 and {months} are possible.")
    return ((np.arange(waves) + 0.5) * months / waves).astype(int)


def respondents_by_ou(panel: Panel, median: float) -> np.ndarray:
    """Respondents of each OU's survey, (ou): as large against each other as they have been."""
    seen = panel.survey_rows
    ou = panel.rows["ou_idx"].to_numpy()[seen]
    n = np.maximum(panel.rows["respondents"].to_numpy()[seen], 1)
    typical = pd.Series(n).groupby(ou).median().reindex(range(len(panel.ous)))
    typical = typical.fillna(np.median(n)).to_numpy()
    return np.maximum(np.round(median * typical / np.median(typical)), 1)


def planning_spec(result: Fit, respondents: float | None = None) -> ModelSpec:
    """The model that simulated panels with so many ``respondents`` are fitted with.

    That of the fit, but for what has no part in how well a slope is known: Gaussian, without
    covariates, trends and a response part.  The prior of a respondent's noise is the fit's own;
    where its scale follows the number of respondents, it is brought back to the present number,
    because a plan for larger surveys is no reason to expect noisier respondents.
    """
    spec, now = result.spec, current(result.panel)
    plain = {"outcome": "gaussian", "covariates": "none", "trend": False, "response": False}
    plain |= {"latent": "integrated", "rho_x": None}
    if spec.survey_scale == "design" and respondents is not None:
        scale = spec.priors.sigma_meas * np.sqrt(now.respondents / respondents)
        plain["priors"] = replace(spec.priors, sigma_meas=float(scale))
    return spec.but(name="planning", **plain)


def assumed(result: Fit, slope: float | None = None) -> xr.Dataset:
    """Posterior means as a single draw, dims (chain, draw, ...): what is taken for the truth.

    ``slope`` stands in the place of mu_beta, if given.  Student-t noise becomes normal noise that
    tells as much of a mean: its Fisher information is (nu + 1) / ((nu + 3) sigma^2).
    """
    p = result.posterior
    mean = p.mean(SAMPLES)
    mean["sigma_y"] = (p["sigma_y"] * normal_equivalent(p)).mean()
    if slope is not None:
        mean["mu_beta"] = xr.zeros_like(mean["mu_beta"]) + slope
    kept = mean.drop_vars([name for name in _LEFT_OUT if name in mean])
    return kept.expand_dims(chain=1, draw=1)


def simulate(result: Fit, design: Design, *, slope: float | None = None, seed: int = 0) -> Panel:
    """A panel of the fit's size made by its recipe under ``design``, on the same scale.

    OUs' effects and mean scores, sites' effects, scores, surveys and noise are drawn anew; the
    months' effects and each OU's noise scale are the posterior means.  Surveys are planned in the
    same months for all OUs, and each is answered with the panel's own rate.  As a panel with rows
    left out has the waves of the whole, ``waves`` are all months, whatever the design: so
    designs of as many respondents share a compiled model.
    """
    panel, p = result.panel, assumed(result, slope)
    rng = np.random.default_rng([seed, 1])  # not the stream of the OUs' own draws
    if result.spec.sites:
        drawn = _effects(p, "site", rng, len(panel.sites))
        for place, effect in enumerate(p["effect"].to_numpy()):
            if f"{effect}_site" in p:
                p[f"{effect}_site"] = p[f"{effect}_site"].copy(data=drawn[None, None, :, place])
    stand_in = replace(result, tree=xr.DataTree.from_dict({"posterior": p}))
    own = new_ous(stand_in, panel.site_idx, draws=None, seed=seed)
    own = own.drop_vars([n for n in ("noise_ou", "rho_ou", "trend") if n in own])
    p = p.assign({name: p["mu_x_ou"].copy(data=own[name]) for name in own.data_vars})
    p["tau"] = p["tau"].copy(data=_movement(p, len(panel.months), rng)[None, None])

    rows = panel.rows.drop_vars(["scheduled", "covariates", "covariate"], errors="ignore")
    rows = rows.drop_vars([name for name in rows.coords if str(name).startswith("given:")])
    ou, month = rows["ou_idx"].to_numpy(), rows["month_idx"].to_numpy()
    size = ou.size
    at_wave = np.isin(month, wave_months(len(panel.months), design.waves))
    observed = at_wave & (rng.random(size) < answered(panel))
    n = np.where(observed, respondents_by_ou(panel, design.respondents)[ou], 0.0)
    bare = replace(panel, rows=rows)
    plain = replace(result, spec=planning_spec(result), panel=bare)
    expected = expectations(plain, p, all_rows(plain, None))
    scale = {name: float(p[name].squeeze()) for name in ("sigma_x", "sigma_meas")}
    prior = expected.x.to_numpy().reshape(size)
    x_star = prior + scale["sigma_x"] * rng.standard_normal(size)
    survey = x_star + scale["sigma_meas"] / np.sqrt(np.maximum(n, 1)) * rng.standard_normal(size)
    told, _ = given_survey(
        prior, scale["sigma_x"], scale["sigma_meas"], n, np.where(observed, survey, 0.0)
    )
    score, known = (expected.x.copy(data=v.reshape(expected.x.shape)) for v in (x_star, told))
    made_anew = expected.outcome(score, known) + residuals(plain, p, rng)
    y = made_anew.to_numpy().reshape(size)
    x = np.where(observed, survey, np.nan)
    made = {
        "y": y,
        "x": x,
        "productivity": panel.scale.productivity(y),
        "survey": panel.scale.survey(x),
        "respondents": n.astype(np.int64),
        "observed": observed,
    }
    rows = rows.assign({name: ("row", values) for name, values in made.items()})
    return replace(panel, rows=rows, waves=panel.months, truth=None, name="planned")


def _effects(p: xr.Dataset, level: str, rng: np.random.Generator, size: int) -> np.ndarray:
    """Effects of a level drawn anew, (group, effect)."""
    sigma = p[f"sigma_{level}"].to_numpy().reshape(-1)
    corr = np.eye(sigma.size)
    if f"corr_{level}" in p:
        corr = p[f"corr_{level}"].to_numpy().reshape(sigma.size, sigma.size)
    factor = sigma[:, None] * np.linalg.cholesky(corr)
    return rng.standard_normal((size, sigma.size)) @ factor.T


def _movement(p: xr.Dataset, length: int, rng: np.random.Generator) -> np.ndarray:
    """A path of the score's common movement, of unit variance before it is centred, (month)."""
    phi = autoregression(p, "tau")[0].item()
    path = rng.standard_normal(length)
    for t in range(1, length):
        path[t] = phi * path[t - 1] + np.sqrt(1 - phi**2) * path[t]
    return path - path.mean()


# --- in closed form


def reliability(result: Fit, respondents: float) -> tuple[float, float]:
    """Reliability of a survey within its OU and over all, at posterior means.

    sigma_x^2 over that plus sigma_meas^2 / n, and the same with sigma_mu_x^2 added to sigma_x^2.
    """
    p = assumed(result)
    within, between, noise = (
        float(p[name].squeeze()) ** 2 for name in ("sigma_x", "sigma_mu_x", "sigma_meas")
    )
    noise = noise / max(respondents, 1)
    return within / (within + noise), (within + between) / (within + between + noise)


def reliability_error(result: Fit, design: Design) -> float:
    """Sd of the logarithm of a survey's reliability within its OU, as ``design`` would leave it.

    A slope is the slope on the surveys over their reliability, so that is the relative error which
    it inherits.  What the fit has learnt of it, beyond its prior, is taken to grow in proportion to
    the waves.
    """
    known, prior = reliability_spread(result, design.respondents)
    if min(known, prior) <= 0:
        return 0.0
    learnt = max(1 / known - 1 / prior, 0.0) * design.waves / current(result.panel).waves
    return float(1 / np.sqrt(1 / prior + learnt))


def reliability_spread(result: Fit, respondents: float) -> tuple[float, float]:
    """Variances of the logarithm of a survey's reliability within its OU: posterior and prior."""
    p, now = result.posterior, current(result.panel)
    ratios = (p["sigma_meas"] ** 2 / p["sigma_x"] ** 2, _prior_ratio(result.spec, now.respondents))
    known, prior = (
        float(np.var(np.log1p(np.asarray(ratio) / max(respondents, 1)))) for ratio in ratios
    )
    return known, prior


def _prior_ratio(spec: ModelSpec, respondents: float) -> np.ndarray:
    """Draws of sigma_meas^2 / sigma_x^2 from the prior; with scales from the design, at that n."""
    rng, prior = np.random.default_rng(0), spec.priors
    scale = prior.sigma_meas / prior.sigma_x
    if spec.survey_scale == "design":
        share = rng.beta(prior.noise_share, prior.noise_share, 20_000)
        return scale**2 * respondents * share / np.maximum(1 - share, 1e-12)
    meas, x = rng.standard_normal((2, 20_000))
    return (scale * meas / x) ** 2


def row_noise(result: Fit, unknown: np.ndarray) -> np.ndarray:
    """Variance of each row's outcome given its score and the OU's other outcomes, (row).

    ``unknown`` is what an unknown part of the score adds to the row, (row).  Its reciprocal is the
    diagonal of the inverse covariance of the OU's outcomes, which is what a slope's information
    adds up.
    """
    panel, p = result.panel, assumed(result)
    ou, month = (panel.rows[name].to_numpy() for name in ("ou_idx", "month_idx"))
    factor = np.ones(ou.size) * np.ravel(noise_factor(p, xr.DataArray(ou, dims="row")))
    own = float(p["sigma_y"].squeeze()) ** 2 * factor**2 + unknown
    if not result.spec.deviations:
        return own
    first = np.concatenate([[True], ou[1:] != ou[:-1]])
    gap = np.where(first, 1.0, np.concatenate([[1.0], np.diff(month)]))
    _, var = kalman_kernel.others(
        np.zeros((1, ou.size)),
        first,
        gap,
        p["phi_u"].to_numpy().ravel(),
        p["sigma_u"].to_numpy().ravel() ** 2,
        (own / factor**2)[None],
    )
    return own + factor**2 * var[0]


def formula(result: Fit, design: Design, *, slope: float | None = None) -> dict[str, float]:
    """What a design tells of mu_beta, in closed form.

    Equations ``eq-plan``, ``eq-plan-ratio`` and ``eq-plan-sign``.

    Returns:
        ``sd`` of mu_beta, ``known``, the sd if the reliability were known, ``right``, the
        probability that its posterior mean has the right sign, ``probability``, the posterior
        probability of the right sign on average, ``within`` and ``reliability`` of a survey, and
        ``floor``: the sd that no survey can go below, with these OUs.
    """
    panel, p, spec = result.panel, assumed(result, slope), result.spec
    value = {
        name: float(p[name].squeeze())
        for name in ("mu_beta", "sigma_x", "sigma_meas", "sigma_mu_x")
    }
    names = [str(effect) for effect in p["effect"].to_numpy()]
    sds = dict(zip(names, _root_mean_square(result, "sigma_ou"), strict=True))
    ou, month = (panel.rows[name].to_numpy() for name in ("ou_idx", "month_idx"))
    size = len(panel.ous)
    n = respondents_by_ou(panel, design.respondents)
    total = value["sigma_x"] ** 2 + value["sigma_meas"] ** 2 / n
    w = value["sigma_x"] ** 2 / total
    square = value["mu_beta"] ** 2 + sds["beta"] ** 2
    unknown = (square * (1 - w) * value["sigma_x"] ** 2)[ou] if spec.score == "latent" else 0.0
    noise = row_noise(result, unknown + np.zeros(ou.size))
    planned = np.isin(month, wave_months(len(panel.months), design.waves))
    share = answered(panel)
    surveys = share * np.bincount(ou[planned], minlength=size)
    known = surveys * value["sigma_mu_x"] ** 2
    known = known / (known + total)  # the reliability of the OU's mean score
    spare = np.clip(1 - known / np.maximum(surveys, 1e-12), 0, 1) * (1 - 1 / size)
    told = share * np.bincount(ou[planned], weights=1 / noise[planned], minlength=size)
    information = spare * w * value["sigma_x"] ** 2 * told
    has = information > 0
    precision = float(np.sum(1 / (sds["beta"] ** 2 + 1 / information[has])))
    floor = sds["beta"] ** 2 / size
    clusters, extra = 1, 0.0
    if spec.sites:
        of_site = _root_mean_square(result, "sigma_site")[names.index("beta")]
        count = np.bincount(panel.site_idx, minlength=len(panel.sites)) / size
        clusters, extra = len(panel.sites), float(of_site**2 * np.sum(count**2))
    if spec.slope == "total":
        spread = value["sigma_mu_x"] ** 2
        left = sds["alpha"] ** 2 + (sds["beta"] ** 2 + value["mu_beta"] ** 2 * (1 - known)) * spread
        precision += float(np.sum(known * spread / left)) * (1 - clusters / size)
    variance = (1 / precision if precision > 0 else np.inf) + extra
    size_, sampling = abs(value["mu_beta"]), np.sqrt(variance)
    attenuation = (size_ * reliability_error(result, design)) ** 2
    sd, known_sd = (
        1 / np.sqrt(1 / (variance + more) + 1 / spec.priors.mu_beta**2)
        for more in (attenuation, 0.0)
    )
    ratio = known_sd / sampling  # no reliability turns a sign round
    within, overall = reliability(result, design.respondents)
    return {
        "sd": float(sd),
        "known": float(known_sd),
        "right": float(stats.norm.cdf(size_ / sampling)),
        "probability": float(stats.norm.cdf(size_ * ratio / sampling / np.sqrt(1 + ratio**2))),
        "within": within,
        "reliability": overall,
        "floor": float(np.sqrt(floor + extra)),
    }


def _root_mean_square(result: Fit, name: str) -> np.ndarray:
    """Of the draws of a scale, (effect): variances are what pooling adds up."""
    return np.sqrt((result.posterior[name] ** 2).mean(SAMPLES).to_numpy())


@dataclass(frozen=True)
class Halving:
    """What would halve the sd of mu_beta; None where nothing in reach does.

    ``waves`` at the present number of respondents, ``respondents`` at the present number of waves;
    ``most_waves`` and ``most_respondents`` are the sds, over the present one, of a wave every month
    and of surveys without noise.
    """

    design: Design
    sd: float
    waves: int | None
    respondents: int | None
    most_waves: float
    most_respondents: float
    everything: float


def halving(result: Fit, design: Design | None = None) -> Halving:
    """Which design would halve the sd of mu_beta that ``design`` gives, by :func:`formula`."""
    now = design or current(result.panel)
    months = len(result.panel.months)

    def sd(waves: int, respondents: float) -> float:
        return formula(result, Design(waves, respondents))["sd"]

    here = sd(now.waves, now.respondents)
    waves = next(
        (k for k in range(now.waves, months + 1) if sd(k, now.respondents) <= here / 2), None
    )
    asked: int | None = None
    endless = 1e9 * now.respondents
    if sd(now.waves, endless) <= here / 2:
        low, high = now.respondents, endless
        while high / low > 1.005:
            middle = np.sqrt(low * high)
            low, high = (low, middle) if sd(now.waves, middle) <= here / 2 else (middle, high)
        asked = int(np.ceil(high))
    return Halving(
        design=now,
        sd=here,
        waves=waves,
        respondents=asked,
        most_waves=sd(months, now.respondents) / here,
        most_respondents=sd(now.waves, endless) / here,
        everything=sd(months, endless) / here,
    )


def curves(result: Fit, waves: Sequence[int], respondents: Sequence[float]) -> xr.DataArray:
    """The closed form's sd of mu_beta over designs, (respondents, waves)."""
    values = [[formula(result, Design(k, n))["sd"] for k in waves] for n in respondents]
    coords = {"respondents": list(respondents), "waves": list(waves)}
    return xr.DataArray(values, dims=("respondents", "waves"), coords=coords)


def choices(panel: Panel) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Waves and respondents worth simulating: the present ones, and three times as many of each.

    Of waves there are at most as many as months, and at least two.
    """
    now, months = current(panel), len(panel.months)
    waves = sorted({min(max(now.waves, 2), months), min(max(3 * now.waves, 6), months)})
    return tuple(waves), (now.respondents, 3 * now.respondents)


# --- by refits


def plan(
    result: Fit,
    *,
    waves: Sequence[int] | None = None,
    respondents: Sequence[float] | None = None,
    replications: int = 2,
    slope: float | None = None,
    spec: ModelSpec | None = None,
    sampling: Sampling = QUICK,
) -> Plan:
    """Simulate and fit panels under every design of ``waves`` times ``respondents``.

    Args:
        result: a fit whose posterior means are taken for the truth.
        waves: numbers of waves over the panel's span.
        respondents: of a survey of an OU of median size; both by default :func:`choices`.
        replications: panels a design.
        slope: what mu_beta is taken to be; its posterior mean by default.
        spec: the model that the panels are fitted with; by default :func:`planning_spec`.
        sampling: of the refits; its seed is also that of the simulations.

    Returns:
        The plan.  Its table has the columns ``waves``, ``respondents``, ``within`` and
        ``reliability`` of a survey, ``sd`` (posterior, mean over replications), ``sd_low``,
        ``sd_high`` (over replications), ``right`` (share of replications whose posterior gives the
        right sign more than an even chance), ``probability`` (of the right sign, mean),
        ``formula_sd``, ``formula_right`` and ``formula_probability``.

    Raises:
        UserError: a number of waves that the panel's months cannot hold.
    """
    own = choices(result.panel)
    true = float(assumed(result, slope)["mu_beta"].squeeze())
    side = 1.0 if true >= 0 else -1.0
    table, seconds, verdicts = [], [], []
    designs = [Design(k, n) for n in respondents or own[1] for k in waves or own[0]]
    for design in designs:
        found, model = [], spec or planning_spec(result, design.respondents)
        for replication in range(replications):
            panel = simulate(result, design, slope=slope, seed=sampling.seed + replication)
            refit, verdict = checks.refit(panel, model, sampling, lambda _: ("mu_beta",))
            verdicts.append(verdict)
            seconds.append([refit.seconds["compile"], refit.seconds["sample"]])
            beta = refit.posterior["mu_beta"]
            found.append(
                {
                    "sd": float(beta.std()),
                    "probability": float((side * beta > 0).mean()),
                }
            )
        refits, closed = pd.DataFrame(found), formula(result, design, slope=slope)
        table.append(
            {
                "waves": design.waves,
                "respondents": design.respondents,
                "within": closed["within"],
                "reliability": closed["reliability"],
                "sd": refits["sd"].mean(),
                "sd_low": refits["sd"].min(),
                "sd_high": refits["sd"].max(),
                "right": (refits["probability"] > 0.5).mean(),
                "probability": refits["probability"].mean(),
                "formula_sd": closed["sd"],
                "formula_right": closed["right"],
                "formula_probability": closed["probability"],
            }
        )
    ordered = pd.DataFrame(table).sort_values(["waves", "respondents"], ignore_index=True)
    return Plan(ordered, true, np.array(seconds), tuple(verdicts))
