"""Densities of the rows' data in plain NumPy: a second opinion on the model's quadrature.

The model has the same densities as PyTensor graphs.  Here they serve what happens after sampling,
and what the model is held against.
"""

from __future__ import annotations

import math
from dataclasses import Field, dataclass, fields, replace
from typing import Any, ClassVar, Protocol

import numpy as np
import xarray as xr
from scipy import special

from oulib.model import kalman_kernel, quadrature
from oulib.model.draws.names import SAMPLES
from oulib.model.groups import time
from oulib.model.spec import ModelSpec
from oulib.model.survey import given_survey, respondents, scores
from oulib.panel import Panel

CHUNK = 2_000_000  # numbers held at a time by the sums over a grid
_MOST_NODES = 4000  # on each side; only a fit in which nothing can be believed would want more


class Fitted(Protocol):
    """What densities need of a fit, a dataclass: what was fitted to what, and draws."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def panel(self) -> Panel:
        """The data."""

    @property
    def spec(self) -> ModelSpec:
        """The model."""

    @property
    def posterior(self) -> xr.Dataset:
        """Draws, (chain, draw, ...)."""


@dataclass(frozen=True)
class RowDensity:
    """What the density of the rows' data depends on, at some posterior draws.

    ``mean`` and ``var`` are those of x* given the row's survey; ``intercept``, ``beta``,
    ``sigma`` (of the outcome's noise) and ``offset`` (of the response logit, where the row was
    planned) complete the row; all have the sample dims and ``row``.  ``loading`` is what the
    outcome moves by with x* itself: beta, or 0 where its mean follows the expected score.  With
    deviations, ``intercept`` and ``sigma`` are those given the OU's other outcomes.  ``sign`` is
    +1 for an answered plan, -1 for an unanswered one and 0 elsewhere.
    """

    posterior: xr.Dataset
    y: xr.DataArray
    mean: xr.DataArray
    var: xr.DataArray
    intercept: xr.DataArray
    beta: xr.DataArray
    loading: xr.DataArray
    sigma: xr.DataArray
    sign: xr.DataArray
    offset: xr.DataArray | float

    @property
    def residual(self) -> xr.DataArray:
        """The outcome less its expectation at the mean of x*."""
        return self.y - self.intercept - self.beta * self.mean

    @property
    def spread(self) -> xr.DataArray:
        """Variance of a normal outcome around that expectation."""
        return self.sigma**2 + self.loading**2 * self.var

    def log_outcome(self, x: xr.DataArray) -> xr.DataArray:
        """log p(y_i | x*_i = x)."""
        sigma = self.sigma
        z2 = ((self.residual - self.loading * (x - self.mean)) / sigma) ** 2
        if "nu" not in self.posterior:
            return -0.5 * (z2 + np.log(2 * np.pi)) - np.log(sigma)
        nu = self.posterior["nu"]
        constant = xr.apply_ufunc(
            lambda v: special.gammaln((v + 1) / 2) - special.gammaln(v / 2), nu
        ) - 0.5 * np.log(np.pi * nu)
        return constant - np.log(sigma) - 0.5 * (nu + 1) * np.log1p(z2 / nu)

    def log_response(self, x: xr.DataArray) -> xr.DataArray:
        """log p(R_i | x*_i = x), 0 where no survey was planned."""
        if "rho_x" not in self.posterior:
            return xr.zeros_like(x)
        logit = self.sign * (self.offset + self.posterior["rho_x"] * x)
        return xr.where(self.sign == 0, 0.0, -np.logaddexp(0.0, -logit))

    def part(self, rows: slice) -> RowDensity:
        """The density of some of the rows, by their places here."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        along = {k: v for k, v in values.items() if "row" in getattr(v, "dims", ())}
        return replace(self, **{k: v.isel(row=rows) for k, v in along.items()})

    def answered(self) -> RowDensity:
        """The same rows, had every planned survey been answered (its score is still not seen)."""
        return replace(self, sign=abs(self.sign))


@dataclass(frozen=True)
class Expectations:
    """What the parameters say of rows before any of the rows' own data are looked at.

    The mean ``x`` of x* (mu_x,g + gamma_x tau_t), and ``intercept`` and ``beta`` of
    the outcome, and ``offset`` of the response logit, given x*; ``loading`` is what the outcome
    moves by with x* itself, as in :class:`RowDensity`; dims of the sample and ``row``.
    """

    x: xr.DataArray
    intercept: xr.DataArray
    beta: xr.DataArray
    loading: xr.DataArray
    offset: xr.DataArray | float

    def outcome(self, x: xr.DataArray, expected: xr.DataArray | None = None) -> xr.DataArray:
        """The outcome's mean where x* is ``x`` and, by the row's survey, is ``expected``.

        Left out, nobody has been asked, and ``self.x`` is what is expected.
        """
        told = self.x if expected is None else expected
        return self.intercept + self.beta * told + self.loading * (x - told)


def expectations(
    fit: Fitted, posterior: xr.Dataset, rows: np.ndarray, panel: Panel | None = None
) -> Expectations:
    """The expectations of ``rows`` of the fit's panel at the draws of ``posterior``.

    The offset is 0 without a response part, and means nothing where no survey was planned.  Rows
    may be those of another ``panel`` with the same labels.
    """
    panel = panel or fit.panel
    data = panel.rows.isel(row=rows)

    def pick(name: str, dim: str, index: np.ndarray) -> xr.DataArray:
        at = xr.DataArray(index, dims="row", coords={"row": rows})
        return posterior[name].isel({dim: at}).drop_vars(dim)

    ou, month = data["ou_idx"].to_numpy(), data["month_idx"].to_numpy()
    offset: xr.DataArray | float = 0.0
    if "rho_x" in posterior:
        waves = {label: i for i, label in enumerate(posterior["wave"].to_numpy())}
        wave = np.array([waves.get(label, 0) for label in data["month"].to_numpy()])
        offset = posterior["rho_0"] + pick("rho_ou", "ou", ou) + pick("rho_month", "wave", wave)
    intercept = pick("alpha", "ou", ou) + pick("lam", "month", month)
    if "trend" in posterior:
        at = xr.DataArray(time(panel)[month], dims="row", coords={"row": rows})
        intercept = intercept + pick("trend", "ou", ou) * at
    if "coef" in posterior:
        intercept = intercept + xr.dot(
            data["covariates"].reset_coords(drop=True).assign_coords(row=rows),
            posterior["coef"],
            dim="covariate",
        )
    mu_x, beta = pick("mu_x_ou", "ou", ou), pick("beta", "ou", ou)
    x = mu_x + movement_size(fit, posterior) * pick("tau", "month", month)
    if "beta_between" in posterior:  # slopes within OUs: the intercept is that of a score of 0
        intercept = intercept + posterior["beta_between"] * mu_x - beta * x
    loading = beta if fit.spec.score == "latent" else xr.zeros_like(beta)
    return Expectations(x=x, intercept=intercept, beta=beta, loading=loading, offset=offset)


def movement_size(fit: Fitted, posterior: xr.Dataset) -> xr.DataArray:
    """gamma_x, the size of the score's common movement, at every draw or, if fixed, a number."""
    return posterior.get("gamma_x", xr.DataArray(fit.spec.priors.gamma_x_fixed))


def alone[F: Fitted](fit: F) -> F:
    """The fit with each row by itself, without the deviations that tie an OU's rows together."""
    return replace(fit, spec=fit.spec.but(deviations=False))


def row_density(
    fit: Fitted, posterior: xr.Dataset, rows: np.ndarray, panel: Panel | None = None
) -> RowDensity:
    """The density of ``rows`` of the fit's panel at the draws of ``posterior``.

    Rows may be those of another ``panel`` with the same labels, such as the whole that the fit's
    is a part of: outcomes that the fit has not seen then count for nothing.
    """
    panel = panel or fit.panel
    data = panel.rows.isel(row=rows)

    def by_row(values: np.ndarray) -> xr.DataArray:
        return xr.DataArray(values, dims="row", coords={"row": rows})

    expected = expectations(fit, posterior, rows, panel)
    mean, var = given_survey(
        expected.x,
        posterior["sigma_x"],
        posterior["sigma_meas"],
        by_row(respondents(panel)[rows]),
        by_row(scores(panel)[rows]),
    )
    planned = np.zeros(rows.size, dtype=bool)  # a panel without a response part needs no schedule
    if "rho_x" in posterior:
        planned = data["scheduled"].to_numpy()
    density = RowDensity(
        posterior=posterior,
        y=by_row(data["y"].to_numpy()),
        mean=mean,
        var=var,
        intercept=expected.intercept,
        beta=expected.beta,
        loading=expected.loading,
        sigma=posterior["sigma_y"] * noise_factor(posterior, by_row(data["ou_idx"].to_numpy())),
        sign=by_row(np.where(planned, np.where(data["observed"].to_numpy(), 1.0, -1.0), 0.0)),
        offset=expected.offset,
    )
    return _given_others(fit, density, rows, panel) if fit.spec.deviations else density


def noise_factor(posterior: xr.Dataset, ou: xr.DataArray) -> xr.DataArray | float:
    """What multiplies the residual scale in rows of the OUs ``ou`` (positions, dim row)."""
    if "noise_ou" not in posterior:
        return 1.0
    return posterior["noise_ou"].isel(ou=ou).drop_vars("ou")


def log_outcome(
    fit: Fitted, posterior: xr.Dataset, rows: np.ndarray, panel: Panel | None = None
) -> xr.DataArray:
    """log p(y_i | x'_i, R_i) of ``rows`` at the draws of ``posterior``, as the model has it.

    Dims (chain, draw, row); the arguments are those of :func:`row_density`.
    """
    size = posterior.sizes["chain"] * posterior.sizes["draw"]
    step, parts = max(CHUNK // size, 1), []
    for start in range(0, rows.size, step):
        r = row_density(fit, posterior, rows[start : start + step], panel)
        if fit.spec.closed_form:
            parts.append(-0.5 * (r.residual**2 / r.spread + np.log(2 * np.pi * r.spread)))
        else:
            parts.append(model_sums(r, step=fit.spec.step)[0])
    return xr.concat(parts, dim="row").transpose("chain", "draw", "row")


def _given_others(fit: Fitted, own: RowDensity, rows: np.ndarray, panel: Panel) -> RowDensity:
    """``own``, with the deviation of each row as the OU's other outcomes let one expect it.

    Those are the outcomes that the fit has seen, but for the row's own.
    """
    posterior, data = own.posterior, panel.rows.isel(row=rows)
    place = {name: fit.panel.rows[name].to_numpy() for name in ("ou_idx", "month_idx")}
    seen = np.isfinite(fit.panel.rows["y"].to_numpy())
    others = np.flatnonzero(seen & np.isin(place["ou_idx"], data["ou_idx"].to_numpy()))
    known = row_density(alone(fit), posterior, others)
    # The rows wanted, among those of the same OUs that the fit has seen: a row may be both.
    length = len(panel.months)
    at_known = place["ou_idx"][others] * length + place["month_idx"][others]
    at_wanted = data["ou_idx"].to_numpy() * length + data["month_idx"].to_numpy()
    every = np.union1d(at_known, at_wanted)
    ou, month = np.divmod(every, length)
    first = np.concatenate([[True], ou[1:] != ou[:-1]])
    gap = np.where(first, 1.0, np.concatenate([[1.0], np.diff(month)]))
    by_row = noise_factor(posterior, xr.DataArray(ou, dims="row"))
    samples = ("chain", "draw", "row")
    shape = (posterior.sizes["chain"], posterior.sizes["draw"], every.size)
    factor = np.broadcast_to(_array(by_row, samples, shape), shape)
    z, noise = np.zeros(shape), np.full(shape, np.inf)  # noise without end: nothing is known there
    slot = np.searchsorted(every, at_known)
    z[..., slot] = known.residual.transpose(*samples).to_numpy() / factor[..., slot]
    noise[..., slot] = known.spread.transpose(*samples).to_numpy() / factor[..., slot] ** 2
    flat = (-1, every.size)
    mean, var = (
        values.reshape(shape)[..., np.searchsorted(every, at_wanted)]
        for values in kalman_kernel.others(
            z.reshape(flat),
            first,
            gap,
            posterior["phi_u"].to_numpy().ravel(),
            posterior["sigma_u"].to_numpy().ravel() ** 2,
            noise.reshape(flat),
        )
    )
    factor = factor[..., np.searchsorted(every, at_wanted)]

    def labelled(values: np.ndarray) -> xr.DataArray:
        return xr.DataArray(values, dims=samples, coords={"row": rows})

    return replace(
        own,
        intercept=own.intercept + labelled(factor * mean),
        sigma=xr.ufuncs.sqrt(own.sigma**2 + labelled(factor**2 * var)),
    )


def _array(values: xr.DataArray | float, dims: tuple[str, ...], shape: tuple[int, ...]) -> Any:
    return values.transpose(*dims).to_numpy() if isinstance(values, xr.DataArray) else values


def all_rows(fit: Fitted, rows: np.ndarray | None) -> np.ndarray:
    """The positions given, or those of all rows."""
    return np.arange(fit.panel.rows.sizes["row"]) if rows is None else np.asarray(rows)


def thinned(posterior: xr.Dataset, draws: int | None) -> xr.Dataset:
    """About ``draws`` posterior draws at even distance; all of them if None."""
    if draws is None:
        return posterior
    total = posterior.sizes["chain"] * posterior.sizes["draw"]
    return posterior.isel(draw=slice(None, None, max(total // draws, 1)))


def quadrature_error(fit: Fitted, *, draws: int = 32) -> float:
    """Largest error of a row's log density, over rows and some posterior draws.

    The model's sums are held against a dense grid, for log p(y_i | x'_i, R_i) and
    log P(R_i | x'_i) alike.  0 where the model has a closed form.
    """
    if fit.spec.closed_form or fit.spec.latent != "integrated":
        return 0.0
    r = row_density(fit, thinned(fit.posterior, draws), all_rows(fit, None))
    joint, response = _dense(r)
    found = model_sums(r, step=fit.spec.step)
    pairs = zip(found, (joint - response, response), strict=True)
    return max(float(abs(one - other).max()) for one, other in pairs)


def model_sums(r: RowDensity, *, step: float) -> tuple[xr.DataArray, xr.DataArray]:
    """log p(y | x', R) and log P(R | x') of every row as the model itself sums them."""
    sd, slope = xr.ufuncs.sqrt(r.var), r.posterior.get("rho_x", 0.0)
    sigma, nu = r.sigma, r.posterior.get("nu", np.inf)
    answer = (r.offset + slope * r.mean, slope * sd, r.sign)

    def total(*of: xr.DataArray | float) -> xr.DataArray:
        return xr.apply_ufunc(quadrature.evaluate, *of, kwargs={"step": step})

    joint = total(r.residual, r.loading * sd, sigma, nu, *answer)
    if "rho_x" not in r.posterior:
        return joint, xr.zeros_like(joint)
    # A normal outcome at its mean whatever x* is leaves the response alone, and its constant.
    response = total(0.0, 0.0, 1.0, np.inf, *answer) + 0.5 * np.log(2 * np.pi)
    return joint - response, response


def _dense(r: RowDensity) -> tuple[xr.DataArray, xr.DataArray]:
    """log E[p(y | x*) p(R | x*)] and log E[p(R | x*)] over x* given the survey, on a grid."""
    nodes = _nodes(r)
    samples = math.prod(r.posterior.sizes[dim] for dim in SAMPLES)
    step = max(CHUNK // (samples * nodes.size), 1)
    parts = [_on_nodes(r.part(slice(i, i + step)), nodes) for i in range(0, r.y.size, step)]
    joint, response = (xr.concat(each, dim="row") for each in zip(*parts, strict=True))
    return joint, response


def _on_nodes(r: RowDensity, nodes: np.ndarray) -> tuple[xr.DataArray, xr.DataArray]:
    """:func:`_dense` with x* at ``nodes`` sds from its mean."""
    x = r.mean + np.sqrt(r.var) * xr.DataArray(nodes, dims="node")
    log_weight = -0.5 * nodes**2
    weight = xr.DataArray(log_weight - special.logsumexp(log_weight), dims="node")
    response = r.log_response(x) + weight

    def total(terms: xr.DataArray) -> xr.DataArray:
        return xr.apply_ufunc(
            special.logsumexp, terms, input_core_dims=[["node"]], kwargs={"axis": -1}
        )

    return total(response + r.log_outcome(x)), total(response)


def _nodes(r: RowDensity) -> np.ndarray:
    """A grid over x*, in sds, on which sums over these rows err by less than 1e-8.

    The error of such a sum is about exp(-2 pi d / h), h the distance of the nodes and d how far
    from the real axis the integrand is analytic (Trefethen and Weideman, 2014); for a normal one
    of sd s it is exp(-2 (pi s / h)^2).
    """
    sd, slope = np.sqrt(r.var), abs(r.posterior.get("rho_x", xr.DataArray(0.0)))
    bend = (abs(r.loading) * sd / r.sigma).max()  # of the outcome's mean, in its scales
    reach = [0.8, 2.6 / np.sqrt(1 + float(bend) ** 2)]
    if "nu" in r.posterior:
        tails = abs(r.loading) * sd / (r.sigma * np.sqrt(r.posterior["nu"]))
        reach.append(1 / max(float(tails.max()), 1e-300))
    reach.append(np.pi / max(float((slope * sd).max()), 1e-300))
    step = min(reach) / 4
    # Draws that are infinite, or not numbers, get the finest: the check is for what is wrong.
    count = math.ceil(9.0 / step) if step * _MOST_NODES > 9.0 else _MOST_NODES
    return np.linspace(-9.0, 9.0, 2 * count + 1)
