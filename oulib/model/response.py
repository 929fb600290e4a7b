"""Who answers a planned survey: nonresponse that may depend on the latent score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

from oulib.errors import UserError
from oulib.model import integration
from oulib.model.survey import LatentScore
from oulib.panel import Panel
from oulib.spec import ModelSpec


@dataclass(frozen=True)
class Response:
    """The response model of the planned rows: logit p_i = ``offset`` + ``slope`` * x*_i.

    ``rows`` are their positions in the panel, ``answered`` their R_i, and ``offset`` is a tensor
    over them.
    """

    rows: np.ndarray
    answered: np.ndarray
    offset: TensorVariable
    slope: TensorVariable

    def observe(self, x_star: TensorVariable) -> None:
        """Add the literal response node: R_i given a sampled score (over ``rows``)."""
        pm.Bernoulli(
            "responded",
            logit_p=self.offset + self.slope * x_star,
            observed=self.answered,
            dims="wave_row",
        )


def add(panel: Panel, spec: ModelSpec, score: LatentScore) -> Response | None:
    """Add the response model (spec 2.5) to the current PyMC model, if ``spec`` has one.

    Only planned rows enter.  Integrated, the observed node ``responded`` is P(R_i | x'_i where
    observed), the logit averaged over x*_i given the row's survey.

    Raises:
        UserError: the panel has no schedule, or nobody (or everybody) answered.
    """
    if not spec.response:
        return None
    if not panel.has_schedule:
        raise UserError(
            f"The model {spec.name} has a response part, and the panel has no column "
            "'scheduled': which months were planned waves is never guessed. Add the column, or "
            "fit a model without the response part."
        )
    rows = panel.scheduled_rows
    answered = panel.rows["observed"].to_numpy()[rows]
    if rows.size == 0 or answered.all() or not answered.any():
        raise UserError(
            f"The model {spec.name} has a response part, and "
            + ("no month was planned as a wave" if rows.size == 0 else "")
            + ("every planned survey was answered" if rows.size and answered.all() else "")
            + ("no planned survey was answered" if rows.size and not answered.any() else "")
            + ": there is nothing to learn about response. Fit a model without that part."
        )
    month = panel.rows["month_idx"].to_numpy()[rows]
    waves, wave = np.unique(month, return_inverse=True)
    model = pm.modelcontext(None)
    model.add_coords({"wave": [panel.months[t] for t in waves], "wave_row": rows})
    prior = spec.priors
    slope = pm.Normal("rho_x", 0.0, prior.rho_x)
    offset = (
        pm.Normal("rho_0", 0.0, prior.rho_0)
        + _random_effect("rho_ou", "sigma_rho_ou", prior.sigma_rho, "ou")[
            panel.rows["ou_idx"].to_numpy()[rows]
        ]
        + _random_effect("rho_month", "sigma_rho_month", prior.sigma_rho, "wave")[wave]
    )
    response = Response(rows, answered, offset, slope)
    if spec.latent == "integrated":
        at, log_weight = integration.nodes(spec.nodes)
        x = score.mean[rows][:, None] + pt.sqrt(score.var)[rows][:, None] * at
        chance = pt.sigmoid(offset[:, None] + slope * x) * np.exp(log_weight)
        pm.Bernoulli("responded", p=chance.sum(axis=1), observed=answered, dims="wave_row")
    return response


def _random_effect(name: str, scale_name: str, scale: float, dim: str) -> TensorVariable:
    """Mean-zero effects, non-centred: a binary answer says little about each of them."""
    sigma = pm.HalfNormal(scale_name, sigma=scale)
    return pm.Deterministic(name, sigma * pm.Normal(f"z_{name}", dims=dim), dims=dim)
