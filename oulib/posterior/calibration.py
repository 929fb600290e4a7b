"""Simulation-based calibration: panels that a model makes itself, and where their truth ends up.

Parameters are drawn from the model's prior and a panel from the model at them; in a fit to that
panel, each parameter's truth has a rank among the posterior's draws.  If the sampler draws what the
model says, and the model is coded as it generates, ranks are uniform (Talts et al., 2018).  What
depends on the data, too, such as the likelihood, is ranked as well: it finds what parameters alone
do not, a posterior that is the prior among them (Modrák et al., 2023).

Data come from NumPy (:mod:`oulib.model.draws`) and not from the graph whose density is sampled.
Parameters are draws of that graph's own random variables: a prior that is not the book's is the
same on both sides and is not found here, but by the models that chapters type out
(:mod:`oulib.posterior.agreement`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from scipy import special

from oulib.errors import UserError
from oulib.files import write_atomically
from oulib.model.build import build_model
from oulib.model.draws import generate
from oulib.model.draws.density import all_rows, expectations, log_outcome
from oulib.model.draws.names import HYPERPARAMETERS, NAMES, SAMPLES, constants
from oulib.model.spec import ModelSpec
from oulib.model.survey import given_survey, respondents, scores
from oulib.panel import Panel
from oulib.panel.simulate import simulate
from oulib.posterior.checks import sampled
from oulib.posterior.predict import from_prior
from oulib.posterior.ranks import by_label
from oulib.sampling import cache
from oulib.sampling.fit import Fit, Sampling, fit
from oulib.sampling.many import Done, many

DRAWS = 99
"""Draws that a truth is ranked among: so few, at even distance, are nearly independent."""

OUTCOMES, SURVEYS = "log p(y)", "log p(x)"
"""What depends on the data: log densities of all outcomes and of all surveys, given parameters."""

MADE_WITH = "made_with"
"""The column of a table that tells rows of another model or version apart."""

_OUS = ("alpha", "beta", "mu_x_ou")  # of the first OUs, in which a hyperparameter can hide
_FIRST = 2


def design(seed: int = 1) -> Panel:
    """The OUs, sites, months and surveys that all panels have: 8, 4, 12, and one in two months.

    Every planned survey is answered; who answers is up to the model.
    """
    panel = simulate("baseline", n_ou=8, n_site=4, n_month=12, wave_every=2, seed=seed)
    return replace(panel, truth=None)


@dataclass(frozen=True, eq=False)
class _Made:
    """A panel and the parameters that make it, as densities want them."""

    panel: Panel
    spec: ModelSpec
    posterior: xr.Dataset


def prior(panel: Panel, spec: ModelSpec, *, seed: int) -> xr.Dataset:
    """One draw of all public variables from the model's prior, (chain, draw, ...) of one each."""
    model = build_model(panel, spec.but(latent="integrated"))
    names = [name for name in NAMES if name in model.named_vars]
    given = from_prior(model, names, draws=1, seed=seed).expand_dims("chain")
    # What a model sums out is not among its variables: effects of OUs that nobody has seen.
    rng = np.random.default_rng([seed, 1])
    drawn = generate.new_ous(_Made(panel, spec, given), given, panel.site_idx, rng)
    return given.assign({str(name): drawn[name] for name in drawn if name not in given})


def panel_of(panel: Panel, spec: ModelSpec, *, seed: int) -> Panel:
    """The panel with other outcomes, scores and answers: the model's, at a draw of its prior.

    Args:
        panel: whose OUs, months and surveys are kept, on the scale of which the model works; a
            survey of it is one that was planned, where the model says who answers.
        spec: the model.
        seed: of the parameters and of the data.

    Returns:
        The panel, the parameters as its ``truth``.
    """
    p, rng = prior(panel, spec, seed=seed), np.random.default_rng([seed, 2])
    made, rows = _Made(panel, spec, p), all_rows(_Made(panel, spec, p), None)
    expected = expectations(made, p, rows)

    def by_row(values: np.ndarray) -> xr.DataArray:
        return xr.DataArray(values, dims="row", coords={"row": rows})

    score = expected.x + p["sigma_x"] * by_row(rng.standard_normal(rows.size))
    seen = panel.rows["observed"].to_numpy()
    if spec.response:
        logit = _flat(expected.offset + p["rho_x"] * score)
        seen = seen & (rng.random(rows.size) < special.expit(logit))
    many = np.where(seen, respondents(panel), 0.0)
    error = p["sigma_meas"] * by_row(rng.standard_normal(rows.size) / np.sqrt(np.maximum(many, 1)))
    survey = score + error
    told, _ = given_survey(expected.x, p["sigma_x"], p["sigma_meas"], by_row(many), survey)
    y = _flat(expected.outcome(score, told) + generate.residuals(made, p, rng))
    x = np.where(seen, _flat(survey), np.nan)
    values = {
        "y": y,
        "x": x,
        "productivity": panel.scale.productivity(y),
        "survey": panel.scale.survey(x),
        "observed": seen,
        "respondents": np.where(seen, panel.rows["respondents"].to_numpy(), 0),
    }
    data = panel.rows.assign({name: ("row", value) for name, value in values.items()})
    return replace(panel, rows=data, truth=p.isel(chain=0, draw=0, drop=True))


def _flat(values: xr.DataArray) -> np.ndarray:
    """The values of the only draw, by row."""
    return values.transpose(*SAMPLES, "row").to_numpy()[0, 0]


def quantities(panel: Panel, spec: ModelSpec, posterior: xr.Dataset) -> xr.DataArray:
    """What is ranked, (chain, draw, parameter).

    Hyperparameters, effects of the first OUs, and log densities of the data given parameters.
    """
    held = by_label(posterior, HYPERPARAMETERS)
    held = held.sel(parameter=~held["parameter"].isin(constants(posterior, spec)))
    first = posterior[[*_OUS]].isel(ou=slice(_FIRST))
    made = _Made(panel, spec, posterior)
    outcomes = log_outcome(made, posterior, all_rows(made, None)).sum("row")
    data = [(OUTCOMES, outcomes), (SURVEYS, _log_surveys(made))]
    parts = [held, by_label(first, _OUS)]
    parts += [values.expand_dims(parameter=[label]) for label, values in data]
    return xr.concat(
        [part.reset_coords(drop=True).transpose(*SAMPLES, "parameter") for part in parts],
        dim="parameter",
    )


def _log_surveys(made: _Made) -> xr.DataArray:
    """The log density of the scores that were seen, given parameters, (chain, draw)."""
    p, seen = made.posterior, made.panel.survey_rows
    expected = expectations(made, p, seen).x
    many, score = (
        xr.DataArray(of(made.panel)[seen], dims="row", coords={"row": seen})
        for of in (respondents, scores)
    )
    variance = p["sigma_x"] ** 2 + p["sigma_meas"] ** 2 / many
    each = -0.5 * ((score - expected) ** 2 / variance + np.log(2 * np.pi * variance))
    return each.sum("row")


def ranks(fitted: Fit) -> pd.Series:
    """How many of :data:`DRAWS` draws lie below the truth, by the label of what is ranked.

    Uniform on 0 ... :data:`DRAWS` over panels of :func:`panel_of`, if all is well.
    """
    truth = fitted.panel.truth
    if truth is None:
        raise ValueError("A panel without a truth has no ranks.")
    whole = fitted.posterior.stack(sample=SAMPLES)
    at = np.linspace(0, whole.sizes["sample"] - 1, DRAWS).round().astype(int)
    few = whole.isel(sample=at).reset_index("sample", drop=True)
    few = few.rename(sample="draw").expand_dims("chain")
    real = truth.expand_dims([*SAMPLES])
    found = quantities(fitted.panel, fitted.spec, few.transpose(*SAMPLES, ...))
    known = quantities(fitted.panel, fitted.spec, real)
    below = (found < known.squeeze(SAMPLES)).sum(SAMPLES)
    return below.to_series().astype(int)


def replication(
    seed: int, spec: ModelSpec, sampling: Sampling | None = None
) -> dict[str, int | bool | str]:
    """One panel of :func:`design` made and fitted: whether its chains settled, and ranks.

    Nothing is left in the cache.  The panel and, by default, its chains are of ``seed``.
    """
    with cache.throwaway():
        made = panel_of(design(), spec, seed=seed)
        one = fit(made, spec, sampling or Sampling(seed=seed), progress=False)
        verdict = sampled(one)
        failed = " ".join(check.name for check in verdict.checks if not check.passed)
        found: dict[str, int | bool | str] = {
            "seed": seed,
            MADE_WITH: _made_with(spec, sampling),
            "sampled": verdict.sampled,
            "failed": failed,
        }
        return found | {str(label): int(rank) for label, rank in ranks(one).items()}


def calibrate(
    spec: ModelSpec,
    seeds: Iterable[int],
    file: Path,
    *,
    sampling: Sampling | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    report: Callable[[pd.DataFrame], None] = lambda table: None,
) -> list[Done[int, dict[str, int | bool | str]]]:
    """Bring a table of replications up to date; returns those that broke.

    Its rows are of one model, one way of sampling and one version of code and libraries.

    A replication whose chains did not settle is a row like any other.  Rows that are there are not
    made again, and the table does not depend on who made which row, or when.

    Args:
        spec: the model.
        seeds: of the replications wanted.
        file: the table, a row a seed (:func:`replication`).
        sampling: as for :func:`replication`.
        workers, scheduler: where it is done (:func:`oulib.sampling.many.many`).
        report: is told the table whenever there is a row more.

    Raises:
        UserError: ``file`` is no such table, or one of another model, way of sampling or version.
    """
    table = read(file)
    if not table.empty and {*table.get(MADE_WITH, [""])} != {_made_with(spec, sampling)}:
        raise UserError(
            f"{file}: its rows are of another model, way of sampling or version of oulib or its "
            "libraries, or it is no table of replications. Choose another folder, or remove it."
        )
    there = set() if table.empty else {*table["seed"]}
    broken = []
    task = partial(replication, spec=spec, sampling=sampling)
    wanted = [seed for seed in seeds if seed not in there]
    for done in many(task, wanted, workers=workers, scheduler=scheduler):
        if done.failed:
            broken.append(done)
            continue
        row = pd.DataFrame([done.value])
        table = pd.concat([table, row], ignore_index=True).sort_values("seed", ignore_index=True)
        write_atomically(file, table.to_csv(index=False))
        report(table)
    return broken


def _made_with(spec: ModelSpec, sampling: Sampling | None) -> str:
    """A digest of all that a row hangs on but its seed."""
    how = None if sampling is None else asdict(sampling)
    model = {k: v for k, v in spec.to_dict().items() if k != "name"}
    return cache.key_of({"spec": model, "sampling": how, **cache.made_with()}, ())


def read(file: Path) -> pd.DataFrame:
    """The table of replications; without rows if there is none."""
    if not file.is_file():
        return pd.DataFrame()
    return pd.read_csv(file, keep_default_na=False)
