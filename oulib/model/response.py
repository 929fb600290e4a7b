"""Who answers a planned survey: nonresponse that may depend on the latent score."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

from oulib.errors import UserError
from oulib.model import quadrature, row_kernels
from oulib.model.spec import ModelSpec
from oulib.model.survey import LatentScore
from oulib.panel import Panel


@dataclass(frozen=True)
class Response:
    """The response model: logit p_i = ``offset`` + ``slope`` * x*_i.

    ``offset`` and ``sign`` are tensors over all rows; ``sign`` is +1 where a planned survey was
    answered, -1 where it was not and 0 where none was planned.  ``at`` are the logit at the mean
    of x* given the survey, its change per sd, and the sign: what a sum over x* needs.
    """

    offset: TensorVariable
    slope: TensorVariable
    sign: TensorVariable
    at: tuple[TensorVariable, TensorVariable, TensorVariable]

    def only(self, rows: TensorVariable) -> Response:
        """The response of some rows, for their outcome."""
        return replace(
            self,
            offset=self.offset[rows],
            sign=self.sign[rows],
            at=tuple(value[rows] for value in self.at),
        )

    def observe(self, logit: TensorVariable) -> None:
        """Add the observed node ``responded``, given the logit of answering of every row."""
        model = pm.modelcontext(None)
        pm.Bernoulli(
            "responded",
            logit_p=logit[model["planned_idx"]],
            observed=model["answered"],
            dims="wave_row",
        )


def add(panel: Panel, spec: ModelSpec, score: LatentScore) -> Response | None:
    """Add the response model (spec 2.5) to the current PyMC model, if ``spec`` has one.

    Only planned rows enter.  Integrated, the observed node ``responded`` is P(R_i | x'_i where
    observed), the chance of answering averaged over x*_i given the row's survey.

    Raises:
        UserError: the panel has no schedule, or nobody (or everybody) answered.
    """
    if not spec.response:
        return None
    rows = _planned(panel, spec)
    observed, month = (panel.rows[name].to_numpy() for name in ("observed", "month"))
    sign = np.zeros(month.size)
    sign[rows] = np.where(observed[rows], 1.0, -1.0)
    wave = np.zeros(month.size, dtype=int)  # any, where no survey was planned
    wave[rows] = np.searchsorted(panel.waves, month[rows])

    model = pm.modelcontext(None)
    model.add_coords({"wave": panel.waves, "wave_row": rows})
    pm.Data("planned_idx", rows, dims="wave_row")
    pm.Data("answered", observed[rows].astype(np.int64), dims="wave_row")
    sign, wave = pm.Data("response_sign", sign, dims="row"), pm.Data("wave_idx", wave, dims="row")
    prior = spec.priors
    if spec.rho_x is None:
        slope = pm.Normal("rho_x", 0.0, prior.rho_x)
    else:  # data of the model, so that a grid of values is compiled once
        fixed = pm.Data("rho_x_fixed", np.asarray(spec.rho_x, dtype=float))
        slope = pm.Deterministic("rho_x", 1.0 * fixed)
    by_ou = pm.Normal("rho_0", 0.0, prior.rho_0) + _random_effect(
        "rho_ou", "sigma_rho_ou", prior.sigma_rho, "ou"
    )
    by_wave = _random_effect("rho_month", "sigma_rho_month", prior.sigma_rho, "wave")
    ou, slopes = score.rows.ou, pt.ones_like(by_ou) * slope
    at = (*row_kernels.lines.pair(ou, wave, *score.given_survey(), by_ou, slopes, by_wave), sign)
    offset = by_ou[ou] + by_wave[wave]
    response = Response(offset, slope, sign, at)
    if spec.latent == "integrated":
        # Summed for the answer that was given: the outcome needs the same sum, so it costs once.
        given = pt.minimum(quadrature.log_response(*at, step=spec.step), -1e-12)
        response.observe(sign * (given - pt.log1mexp(given)))
    return response


def _planned(panel: Panel, spec: ModelSpec) -> np.ndarray:
    """Positions of the planned rows, if there is something to learn from them."""
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
    return rows


def _random_effect(name: str, scale_name: str, scale: float, dim: str) -> TensorVariable:
    """Mean-zero effects, non-centred: a binary answer says little about each of them."""
    sigma = pm.HalfNormal(scale_name, sigma=scale)
    return pm.Deterministic(name, sigma * pm.Normal(f"z_{name}", dims=dim), dims=dim)
