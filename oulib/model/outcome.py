"""The outcome: standardised log productivity given what is known about the row's score."""

from __future__ import annotations

import pymc as pm
import pytensor.tensor as pt

from oulib.model import months
from oulib.model.groups import Effects
from oulib.model.survey import LatentScore, scores
from oulib.panel import Panel
from oulib.spec import ModelSpec


def add(panel: Panel, spec: ModelSpec, score: LatentScore, effects: Effects) -> None:
    """Add ``lam[month]``, ``sigma_y`` and the observed node ``productivity`` (spec 1.4).

    Integrated: y_i given x'_i is normal with x* replaced by its conditional mean and
    beta^2 var(x*) added to the variance.  Explicit: y_i given a sampled ``x_star[row]``.
    """
    model = pm.modelcontext(None)
    lam = months.add_iid("lam")
    sigma_y = pm.HalfNormal("sigma_y", sigma=spec.priors.sigma_y)
    ou, month = model["ou_idx"], model["month_idx"]
    y = pm.Data("y", panel.rows["y"].to_numpy(), dims="row")
    intercept = effects.alpha[ou] + lam[month]
    beta = effects.beta[ou]

    if spec.latent == "integrated":
        mean = intercept + beta * score.mean
        sd = pt.sqrt(sigma_y**2 + beta**2 * score.var)
    else:
        mean = intercept + beta * _sampled_score(panel, spec, score)
        sd = sigma_y
    pm.Normal("productivity", mu=mean, sigma=sd, observed=y, dims="row")


def _sampled_score(panel: Panel, spec: ModelSpec, score: LatentScore) -> pt.TensorVariable:
    """The latent score as a parameter ``x_star[row]``, the witness of the integrated form."""
    if spec.latent == "explicit_informed":
        # p(x*) p(x' | x*) = p(x') p(x* | x'): the survey block holds the first factor, and the
        # second is sampled on its own scale.
        z = pm.Normal("z_x", dims="row")
        return pm.Deterministic("x_star", score.mean + pt.sqrt(score.var) * z, dims="row")
    x_star = pm.Normal("x_star", score.prior_mean, score.sigma_x, dims="row")
    seen = panel.survey_rows
    pm.Normal(
        "survey",
        mu=x_star[seen],
        sigma=score.noise[seen],
        observed=scores(panel)[seen],
        dims="survey_row",
    )
    return x_star
