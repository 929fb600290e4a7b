"""The outcome: standardised log productivity given what is known about the row's score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable
from scipy import special

from oulib.model import deviations, months, noise, quadrature, row_kernels
from oulib.model.groups import Effects
from oulib.model.line import Line
from oulib.model.response import Response
from oulib.model.spec import ModelSpec
from oulib.model.survey import LatentScore, given_survey, scores
from oulib.panel import Panel


@dataclass(frozen=True)
class Scale:
    """The scale of the outcome's noise, and an OU's deviation (``phi_u``, ``sigma_u``) if any."""

    sigma_y: TensorVariable
    deviation: tuple[TensorVariable, TensorVariable] | None


def scale(spec: ModelSpec) -> Scale:
    """Add ``sigma_y``, and with deviations ``phi_u`` and ``sigma_u``, to the current PyMC model."""
    if not spec.deviations:
        return Scale(pm.HalfNormal("sigma_y", sigma=spec.priors.sigma_y), None)
    deviation, sigma_y = deviations.parameters(spec)
    return Scale(sigma_y, deviation)


def add(
    panel: Panel,
    spec: ModelSpec,
    score: LatentScore,
    effects: Effects,
    lam: TensorVariable,
    scale: Scale,
    response: Response | None,
    covariates: TensorVariable | None = None,
) -> None:
    """Add perhaps ``noise_ou[ou]`` and ``nu``, and the observed node ``productivity``.

    The node is p(y_i | x'_i, R_i) with x* integrated out: in closed form for a normal outcome
    without the response term, by quadrature otherwise.  Explicit: y_i given ``x_star[row]``.
    With deviations it is p(y_i | the OU's outcomes before it).
    """
    model = pm.modelcontext(None)
    deviation, sigma_y = scale.deviation, scale.sigma_y
    noise_ou = noise.add(panel, spec)
    nu = _degrees_of_freedom(spec)
    x_star = None
    if spec.latent != "integrated":
        x_star = _sampled_score(panel, spec, score)
        if response is not None:
            response.observe(response.offset + response.slope * x_star)
    values, dim = panel.rows["y"].to_numpy(), "row"
    if np.isnan(values).any():  # some outcomes are left out, to be predicted
        seen, dim = np.flatnonzero(~np.isnan(values)), "outcome_row"
        values = values[seen]
        model.add_coords({dim: seen})
        at = pm.Data("outcome_idx", seen, dims=dim)
        score = score.at(at)
        covariates = None if covariates is None else covariates[at]
        response = None if response is None else response.only(at)
        x_star = None if x_star is None else x_star[at]
    y = pm.Data("y", values, dims=dim)
    line = _line(score, effects, lam, noise_ou, covariates)
    own = None if noise_ou is None else noise_ou[score.rows.ou]

    if deviation is not None:
        deviations.observe(panel, line, deviation, sigma_y, effects.spread, y, dim)
    elif x_star is not None or spec.score == "expected":
        given_score(line, x_star, sigma_y if own is None else sigma_y * own, nu, y, dim)
    elif spec.closed_form:
        closed_form(line, sigma_y, y, dim)
    else:
        by_quadrature(line, sigma_y, own, nu, response, y, dim, step=spec.step)


def _line(
    score: LatentScore,
    effects: Effects,
    lam: TensorVariable,
    noise_ou: TensorVariable | None,
    covariates: TensorVariable | None,
) -> Line:
    """What the outcome of each row in ``score`` is expected to be."""
    within = effects.between is not None  # beta acts on x* less what is expected of it
    level = effects.alpha + effects.between * score.mu_x_ou if within else effects.alpha
    extra = covariates
    if effects.trend is not None:
        assert effects.time is not None  # the two come together
        trend = effects.trend[score.rows.ou] * effects.time[score.rows.month]
        extra = trend if extra is None else extra + trend
    factor = pt.ones_like(level) if noise_ou is None else noise_ou
    return Line(score, level, effects.beta, lam, within, extra, factor)


def given_score(
    line: Line,
    x_star: TensorVariable | None,
    scale: TensorVariable,
    nu: TensorVariable | None,
    y: TensorVariable,
    dim: str,
) -> None:
    """Add y_i given the score ``x_star``, or, left out, given what the surveys expect of it."""
    mean = line.parts()[0] if x_star is None else line.given(x_star)
    if nu is None:
        pm.Normal("productivity", mu=mean, sigma=scale, observed=y, dims=dim)
    else:
        pm.StudentT("productivity", nu=nu, mu=mean, sigma=scale, observed=y, dims=dim)


def closed_form(line: Line, sigma_y: TensorVariable, y: TensorVariable, dim: str) -> None:
    """Add y_i given x'_i for a normal outcome: equation (2.9) (``eq-integrated``)."""
    score, rows = line.score, line.score.rows

    def logp(value: TensorVariable, *params: TensorVariable) -> TensorVariable:
        a, b, lam, mu, shift, factor, sx, sm, sy, ou, month, n, x, *extra = params
        return row_kernels.normal(
            value - extra[0] if extra else value, ou, month, n, x,
            a, b, lam, mu, shift, factor, sx, sm, sy, np.array(line.within),
        )  # fmt: skip

    def draw(
        *params: np.ndarray, rng: np.random.Generator, size: tuple[int, ...] | None = None
    ) -> np.ndarray:
        a, b, lam, mu, shift, factor, sx, sm, sy, ou, month, n, x, *extra = params
        expected = mu[ou] + shift[month]
        mean, var = given_survey(expected, sx, sm, n, x)
        if line.within:
            mean = mean - expected
        centre = sum(extra, a[ou] + lam[month] + b[ou] * mean)
        spread = np.sqrt((sy * factor[ou]) ** 2 + b[ou] ** 2 * var)
        return centre + spread * rng.standard_normal(centre.shape)

    pm.CustomDist(
        "productivity",
        *(line.level, line.beta, line.lam, score.mu_x_ou, score.movement, line.factor),
        *(score.sigma_x, score.sigma_meas, sigma_y),
        *(rows.ou, rows.month, rows.n, rows.x, *line.extras),
        logp=logp,
        random=draw,
        signature=(
            "(ou),(ou),(month),(ou),(month),(ou),(),(),(),"
            + ",".join(["(row)"] * (4 + len(line.extras)))
            + "->(row)"
        ),
        observed=y,
        dims=dim,
    )


def by_quadrature(
    line: Line,
    sigma_y: TensorVariable,
    factor: TensorVariable | None,
    nu: TensorVariable | None,
    response: Response | None,
    y: TensorVariable,
    dim: str,
    *,
    step: float,
) -> None:
    """Add y_i given x'_i and R_i as a sum over x*.

    log p(y_i | x'_i, R_i) = log E[p(y_i | x*) p(R_i | x*)] - log E[p(R_i | x*)], both over x*
    given the row's survey; without the response term the second factor is one.  A ``factor`` of
    the row's own scale divides residual and loading.
    """
    mean, loading = line.parts()
    scales = (sigma_y,) if nu is None else (sigma_y, nu)
    own = () if factor is None else (factor,)
    answer = () if response is None else response.at

    def parts(params: tuple) -> tuple:
        """Mean, loading, sigma_y, nu or None, factor or 1, and offset, slope and sign."""
        mean, loading, sigma, *rest = params
        shape = rest.pop(0) if nu is not None else None
        factor = rest.pop(0) if own else 1.0
        return mean, loading, sigma, shape, factor, rest

    def logp(value: TensorVariable, *params: TensorVariable) -> TensorVariable:
        mean, loading, sigma, shape, factor, response = parts(params)
        total = quadrature.log_outcome(
            (value - mean) / factor, loading / factor, sigma, shape, *response, step=step
        )
        if own:
            total -= pt.log(factor)
        if response:
            total -= quadrature.log_response(*response, step=step)
        return total

    def draw(
        *params: np.ndarray, rng: np.random.Generator, size: tuple[int, ...] | None = None
    ) -> np.ndarray:
        mean, loading, sigma, shape, factor, response = parts(params)
        t = rng.standard_normal(mean.shape)
        if response:
            offset, slope, sign = response
            left = np.flatnonzero(sign)
            while left.size:  # rejection: x* given that the survey was, or was not, answered
                chance = special.expit(sign[left] * (offset[left] + slope[left] * t[left]))
                left = left[rng.random(left.size) > chance]
                t[left] = rng.standard_normal(left.size)
        e = rng.normal(size=t.shape) if shape is None else rng.standard_t(shape, t.shape)
        return mean + loading * t + sigma * factor * e

    core = ["(row)", "(row)", *["()"] * len(scales), *["(row)"] * len(own + answer)]
    pm.CustomDist(
        "productivity",
        mean,
        loading,
        *scales,
        *own,
        *answer,
        logp=logp,
        random=draw,
        signature=",".join(core) + "->(row)",
        observed=y,
        dims=dim,
    )


def months_of(
    panel: Panel,
    spec: ModelSpec,
    score: LatentScore,
    typical: TensorVariable,
    scale: Scale,
) -> TensorVariable:
    """Add the months' effects ``lam[month]``, in coordinates of what outcomes show of a month.

    ``typical`` is the mean of the slopes that OUs' are drawn around.

    A month's mean outcome shows its effect and what the score's movement does to it on average: the
    effects are sampled as their distance from what is left of the means without the movement, or
    else its path, free where nobody is surveyed, would drag ``lam`` along.  Where the effects are
    smaller than the means' error, the means say little of them, and what is sampled are the
    effects' own innovations: so a scale near 0 is no funnel.  With deviations a mean's error
    persists as they do.
    """
    seen = panel.rows["month_idx"].to_numpy()[np.isfinite(panel.rows["y"].to_numpy())]
    if spec.months == "iid":
        return months.add_iid("lam", seen=seen)
    phi, sigma = months.persistence("phi_lam"), pm.HalfNormal("sigma_lam", spec.priors.sigma_lam)
    means, error = noise.month_means(panel)
    alike: TensorVariable | float = 0.0
    if scale.deviation is not None:
        alike = deviations.resemblance(*scale.deviation, scale.sigma_y)
    else:  # a change from row to row is two independent errors
        error = error / np.sqrt(2)
    means, error = pm.Data("month_mean", means, dims="month"), pm.Data("month_error", error)
    left = means - typical * score.movement if spec.slope == "total" else means
    share = sigma**2 / (sigma**2 + error**2)
    persists = share * alike + (1 - share) * phi
    along = months.Along(share * left, persists, error * pt.sqrt(share))
    return months.add_ar1("lam", phi=phi, sigma=sigma, along=along, seen=seen)


def _degrees_of_freedom(spec: ModelSpec) -> TensorVariable | None:
    if spec.outcome == "gaussian":
        return None
    excess = pm.Exponential("nu_minus_two", scale=spec.priors.nu)
    return pm.Deterministic("nu", 2 + excess)


def _sampled_score(panel: Panel, spec: ModelSpec, score: LatentScore) -> TensorVariable:
    """The latent score as a parameter ``x_star[row]``, the witness of the integrated form."""
    rows = score.rows
    if spec.latent == "explicit_informed":
        # p(x*) p(x' | x*) = p(x') p(x* | x'): the survey block holds the first factor, and the
        # second is sampled on its own scale.
        z = pm.Normal("z_x", dims="row")
        mean, sd = score.given_survey()
        return pm.Deterministic("x_star", mean + sd * z, dims="row")
    x_star = pm.Normal("x_star", score.expected, score.sigma_x, dims="row")
    seen = pm.Data("survey_idx", panel.survey_rows, dims="survey_row")
    pm.Normal(
        "survey",
        mu=x_star[seen],
        sigma=score.sigma_meas / pt.sqrt(pt.maximum(rows.n[seen], 1)),
        observed=pm.Data("seen_score", scores(panel)[panel.survey_rows], dims="survey_row"),
        dims="survey_row",
    )
    return x_star
