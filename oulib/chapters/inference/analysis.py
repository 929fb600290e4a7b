"""What draws are draws of: ranks, Monte Carlo error, and a variational fit held against NUTS."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import arviz as az
import numpy as np
import pandas as pd
import pymc as pm
import pytensor
import xarray as xr
from scipy import stats

from oulib.files import PACKAGE
from oulib.model.build import build_model
from oulib.model.draws.names import NAMES
from oulib.model.spec import ModelSpec
from oulib.model.survey import respondents
from oulib.panel import Panel
from oulib.posterior.estimate import SAMPLES
from oulib.posterior.latent import recover_latent
from oulib.posterior.predict import quiet
from oulib.posterior.ranks import by_label
from oulib.sampling import cache
from oulib.sampling.fit import Fit

Method = Literal["advi", "fullrank_advi"]

_CODE = (Path(__file__), PACKAGE / "model")


@dataclass(frozen=True, eq=False)
class Approximation:
    """A variational fit: draws of the approximation, and how it was found.

    ``posterior`` has the model's names with dims (chain, draw, ...), one chain of independent
    draws; ``elbo`` (step) is the objective's estimate at each step of the optimiser;
    ``log_ratio`` (draw) is log p(theta, data) - log q(theta) of the draws in the unconstrained
    coordinates, from which :func:`pareto_k` judges the approximation.
    """

    posterior: xr.Dataset
    elbo: np.ndarray
    log_ratio: np.ndarray
    seconds: float


def variational(
    panel: Panel,
    spec: ModelSpec,
    *,
    method: Method = "advi",
    steps: int = 20_000,
    rate: float = 0.02,
    draws: int = 4000,
    seed: int = 0,
) -> Approximation:
    """Fit ``spec`` by PyMC's automatic differentiation variational inference (Kucukelbir, 2017).

    Args:
        panel: the data.
        spec: the model.
        method: ``"advi"``, independent normals in the unconstrained coordinates, or
            ``"fullrank_advi"``, a normal with any covariance.
        steps: steps of the optimiser, each with one draw of the gradient.
        rate: its first learning rate, lowered to zero along a cosine, so that the last step does
            not rattle.
        draws: draws of the approximation.
        seed: the same seed gives the same result.
    """
    question = {
        "panel": panel.fingerprint,
        "spec": {k: v for k, v in spec.to_dict().items() if k != "name"},
        "asked": [method, steps, rate, draws, seed],
    }
    tree, _ = cache.fetch(
        "variational",
        cache.key_of(question, _CODE),
        lambda: _variational(build_model(panel, spec), method, steps, rate, draws, seed),
    )
    return Approximation(
        posterior=tree["posterior"].to_dataset(),
        elbo=tree["optimiser"]["elbo"].to_numpy(),
        log_ratio=tree["optimiser"]["log_ratio"].to_numpy(),
        seconds=float(tree.attrs["seconds"]),
    )


def _variational(
    model: pm.Model, method: Method, steps: int, rate: float, draws: int, seed: int
) -> xr.DataTree:
    start = time.perf_counter()
    learning = pytensor.shared(np.asarray(rate, dtype=pytensor.config.floatX))

    def lower(_approximation: object, _losses: np.ndarray, step: int) -> None:
        learning.set_value(rate * 0.5 * (1 + np.cos(np.pi * step / steps)))

    with model, quiet():
        found = pm.fit(
            steps,
            method=method,
            random_seed=seed,
            obj_optimizer=pm.adam(learning_rate=learning),
            callbacks=[lower],
            progressbar=False,
        )
    group = found.groups[0]
    mean = group.mean.eval()
    factor = np.diag(group.std.eval()) if method == "advi" else group.L.eval()
    z = np.random.default_rng(seed).standard_normal((draws, mean.size))
    log_q = stats.norm.logpdf(z).sum(axis=1) - np.log(np.abs(np.diag(factor))).sum()
    values, log_p = _constrained(model, group.ordering, mean + z @ factor.T)
    tree = xr.DataTree.from_dict(
        {
            "posterior": values,
            "optimiser": xr.Dataset(
                {"elbo": ("step", -found.hist), "log_ratio": ("draw", log_p - log_q)}
            ),
        }
    )
    tree.attrs = {"seconds": time.perf_counter() - start, "asked": json.dumps([method, steps])}
    return tree


def _constrained(
    model: pm.Model, ordering: dict, points: np.ndarray
) -> tuple[xr.Dataset, np.ndarray]:
    """The model's variables at unconstrained ``points`` (draw, coordinate), and its log density.

    ``ordering`` has where in a point each of the model's value variables lies.
    """
    kept = [v for v in model.unobserved_RVs if v.name in NAMES or v in model.free_RVs]
    evaluate = model.compile_fn(
        [model.logp(), *model.replace_rvs_by_values(kept)], inputs=model.value_vars
    )
    rows = [
        evaluate({name: row[part].reshape(shape) for name, part, shape, _ in ordering.values()})
        for row in points
    ]
    log_p, *columns = (np.stack(column) for column in zip(*rows, strict=True))
    dims = model.named_vars_to_dims
    values = {
        variable.name: (
            (*SAMPLES, *dims.get(variable.name, _unnamed(variable.name, column))),
            column[None],
        )
        for variable, column in zip(kept, columns, strict=True)
    }
    coords = {
        d: list(c) for d, c in model.coords.items() if any(d in v[0] for v in values.values())
    }
    return xr.Dataset(values, coords=coords), log_p


def pareto_k(approximation: Approximation) -> float:
    """Pareto k of the importance ratios p / q: whether an approximation can stand for p.

    Above 0.7 it cannot (Yao, Vehtari, Simpson and Gelman, 2018).
    """
    # ArviZ takes what LOO would give it, the logarithms of inverse weights.
    inverse = xr.DataArray(-approximation.log_ratio, dims="draw")
    return float(inverse.azstats.psislw(dim="draw")[1])


def as_fit(fit: Fit, approximation: Approximation) -> Fit:
    """``fit`` with an approximation's draws in the place of its own, to replicate data from.

    It has no sampler's statistics, and no gate to pass.
    """
    return replace(fit, tree=xr.DataTree.from_dict({"posterior": approximation.posterior}))


def against(approximation: Approximation, fit: Fit, names: Sequence[str] = NAMES) -> pd.DataFrame:
    """An approximation held against a fit of the same model by NUTS, a row a scalar.

    Columns ``sd_ratio`` (approximate sd over NUTS's), ``shift`` (difference of the means in
    NUTS's sds), ``held`` (share of NUTS's draws inside the approximation's 90% interval) and,
    where the panel was simulated, ``inside`` and ``inside_nuts``: whether the true value lies in
    the 90% interval of each.
    """
    both = [by_label(tree, names) for tree in (approximation.posterior, fit.posterior)]
    variational, nuts = both
    low, high = (variational.quantile(q, SAMPLES) for q in (0.05, 0.95))
    sd = nuts.std(SAMPLES)
    columns = {
        "sd_ratio": variational.std(SAMPLES) / sd,
        "shift": (variational.mean(SAMPLES) - nuts.mean(SAMPLES)) / sd,
        "held": ((nuts >= low) & (nuts <= high)).mean(SAMPLES),
    }
    table = pd.DataFrame(
        {name: values.to_numpy() for name, values in columns.items()},
        index=pd.Index(nuts["parameter"].to_numpy(), name="parameter"),
    )
    if fit.panel.truth is not None:
        true = by_label(fit.panel.truth, names).reindex(parameter=table.index)
        for column, draws in (("inside", variational), ("inside_nuts", nuts)):
            low, high = (draws.quantile(q, SAMPLES) for q in (0.05, 0.95))
            table[column] = ((true >= low) & (true <= high)).to_numpy()
    return table


def monte_carlo_error(
    posterior: xr.Dataset,
    reference: xr.Dataset,
    sizes: Sequence[int],
    *,
    names: Sequence[str] = NAMES,
    prob: float = 0.05,
) -> pd.DataFrame:
    """How far the first draws of a run are from a long one, a row for each number of draws.

    The index is the total over chains, ``sizes`` are draws a chain.  Errors are root mean squares
    over the scalars, in posterior sds of the ``reference``: ``mean`` and ``quantile`` (of
    probability ``prob``) as they are, ``mean_mcse`` and ``quantile_mcse`` as the draws themselves
    estimate them, equation ``eq-mcse``.
    """
    own, far = by_label(posterior, names), by_label(reference, names)
    sd = far.std(SAMPLES)
    mean, quantile = far.mean(SAMPLES), far.quantile(prob, SAMPLES)

    def size(values: xr.DataArray) -> float:
        return float(np.sqrt(((values / sd) ** 2).mean()))

    rows = {}
    for n in sizes:
        first = own.isel(draw=slice(None, n))
        tree = first.to_dataset(name="x")
        rows[n * own.sizes["chain"]] = {
            "mean": size(first.mean(SAMPLES) - mean),
            "mean_mcse": size(az.mcse(tree, method="mean")["x"]),
            "quantile": size(first.quantile(prob, SAMPLES) - quantile),
            "quantile_mcse": size(az.mcse(tree, method="quantile", prob=prob)["x"]),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("draws")


def exponent(errors: pd.Series) -> float:
    """The power of the number of draws (the index) with which ``errors`` fall, by least squares."""
    return float(np.polyfit(np.log(errors.index.to_numpy(float)), np.log(errors.to_numpy()), 1)[0])


def tightest_row(panel: Panel) -> int:
    """The row whose survey had the most respondents, where the explicit form is narrowest."""
    return int(np.argmax(respondents(panel)))


def score_funnel(fit: Fit, row: int, *, seed: int = 0) -> xr.Dataset:
    """What a funnel is seen in, (chain, draw): ``log_scale``, ``gap`` and ``diverging``.

    ``log_scale`` is log sigma_meas, ``gap`` the latent score of ``row`` minus its survey's value,
    whose sd given the rest is at most sigma_meas / sqrt(n); of an integrated fit the score is
    drawn afterwards.
    """
    x_star = recover_latent(fit, rows=np.array([row]), seed=seed).isel(row=0, drop=True)
    return xr.Dataset(
        {
            "log_scale": np.log(fit.posterior["sigma_meas"]),
            "gap": x_star - float(fit.panel.rows["x"][row]),
            "diverging": fit.tree["sample_stats"]["diverging"],
        }
    )


def group_funnel(fit: Fit, ou: str) -> xr.Dataset:
    """As :func:`score_funnel`, of an OU's intercept: its scale and its distance from the mean."""
    p = fit.posterior
    return xr.Dataset(
        {
            "log_scale": np.log(p["sigma_ou"].sel(effect="alpha", drop=True)),
            "gap": p["alpha"].sel(ou=ou, drop=True) - p["mu_alpha"],
            "diverging": fit.tree["sample_stats"]["diverging"],
        }
    )


def outside(
    shares: Mapping[tuple[str, str], xr.DataArray], bands: Mapping[str, tuple[float, float]]
) -> dict[str, float]:
    """The share of bars outside their band, by fit; arguments as :func:`plots.inference.ranks`."""
    found: dict[str, list[np.ndarray]] = {}
    for (fit, _), share in shares.items():
        low, high = bands[fit]
        beyond = (share.to_numpy() < low) | (share.to_numpy() > high)
        found.setdefault(fit, []).append(beyond.ravel())
    return {fit: float(np.concatenate(beyond).mean()) for fit, beyond in found.items()}


def by_variable(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The mean ratio of sds for each variable (rows) and approximation (columns).

    ``tables`` are those of :func:`against`, by the approximation's name.
    """
    columns = {}
    for form, table in tables.items():
        variable = table.index.str.partition("[").get_level_values(0)
        columns[form] = table["sd_ratio"].groupby(variable, sort=False).mean()
    return pd.DataFrame(columns)


def _unnamed(name: str, column: np.ndarray) -> list[str]:
    return [f"{name}_dim_{axis}" for axis in range(column.ndim - 1)]


@dataclass(frozen=True)
class Divergences:
    """How many of ``transitions`` diverged, where, and what part of a scale a run visited.

    ``below`` is the share of the divergent ones in the lower half of the run's draws of the scale,
    NaN where there are none; ``visited`` the share of its draws in the lowest tenth of the scale's
    posterior.
    """

    transitions: int
    diverging: int
    below: float
    visited: float


def divergences(bad: xr.Dataset, good: xr.Dataset) -> Divergences:
    """Where transitions of ``bad`` diverged; ``good`` is a better form of the same model.

    Both are those of :func:`score_funnel` or :func:`group_funnel`.
    """
    diverging = bad["diverging"].to_numpy().ravel().astype(bool)
    scale, exact = (tree["log_scale"].to_numpy().ravel() for tree in (bad, good))
    low = float(np.quantile(exact, 0.1))
    some = diverging.any()
    return Divergences(
        transitions=diverging.size,
        diverging=int(diverging.sum()),
        below=float(np.mean(scale[diverging] < np.median(scale))) if some else np.nan,
        visited=float(np.mean(scale < low)),
    )


@dataclass(frozen=True)
class Precision:
    """Monte Carlo errors of the means of ``parameters`` parameters, in posterior sds.

    The ``median`` and the largest, ``most``, of the parameter ``where``.
    """

    parameters: int
    median: float
    most: float
    where: str


def precision(table: pd.DataFrame) -> Precision:
    """How precise posterior means are, from ``checks.summarise``."""
    share = (table["mcse_mean"] / table["sd"]).dropna()
    return Precision(len(share), float(share.median()), float(share.max()), str(share.idxmax()))


@dataclass(frozen=True)
class Ratios:
    """The standard deviations of one variable by an approximation, over those by NUTS.

    By label, with their ``median``.
    """

    by_label: Mapping[str, float]
    median: float


@dataclass(frozen=True)
class Sds:
    """What standard deviations an approximation gets wrong, of ``parameters`` parameters.

    ``groups`` has the ratios to those by NUTS of some variables; ``low`` and ``high`` are how many
    of all are more than a tenth too small and too large, and the smallest is ``least``, of
    ``where``.  Its means are off by ``shift`` posterior sds in the median.
    """

    parameters: int
    groups: Mapping[str, Ratios]
    low: int
    high: int
    least: float
    where: str
    shift: float
    most_shift: float
    shifted: str


def sds(table: pd.DataFrame, variables: Sequence[str]) -> Sds:
    """What an approximation gets wrong, from :func:`against`; groups are those of ``variables``."""
    variable = table.index.str.partition("[").get_level_values(0)
    ratio, shift = table["sd_ratio"], table["shift"].abs()
    groups = {}
    for group in variables:
        part = ratio[variable == group]
        if len(part):
            groups[group] = Ratios(part.to_dict(), float(part.median()))
    return Sds(
        parameters=len(table),
        groups=groups,
        low=int((ratio < 0.9).sum()),
        high=int((ratio > 1.1).sum()),
        least=float(ratio.min()),
        where=str(ratio.idxmin()),
        shift=float(shift.median()),
        most_shift=float(shift.max()),
        shifted=str(shift.idxmax()),
    )


@dataclass(frozen=True)
class Inside:
    """How many of ``of`` true values lie inside intervals by an approximation, and by NUTS."""

    of: int
    approximate: int
    nuts: int


@dataclass(frozen=True)
class Held:
    """What an approximation's nominal 90% intervals hold of the posterior, from 0 to 1.

    The ``mean`` over all parameters, that over ``slopes``, and the ``least``, of ``where``; and how
    many true values they hold, of slopes and of all, None where no truth is known.
    """

    mean: float
    slopes: float
    least: float
    where: str
    true_slopes: Inside | None
    true: Inside | None


def held(table: pd.DataFrame) -> Held:
    """What an approximation's intervals hold, from :func:`against`."""
    of_slopes = table.index.str.partition("[").get_level_values(0) == "beta"

    def inside(part: pd.DataFrame) -> Inside | None:
        if "inside" not in part:
            return None
        return Inside(len(part), int(part["inside"].sum()), int(part["inside_nuts"].sum()))

    return Held(
        mean=float(table["held"].mean()),
        slopes=float(table.loc[of_slopes, "held"].mean()),
        least=float(table["held"].min()),
        where=str(table["held"].idxmin()),
        true_slopes=inside(table[of_slopes]),
        true=inside(table),
    )
