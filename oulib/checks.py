"""The gate: whether a fit may be interpreted, as values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr

from oulib.density import quadrature_error
from oulib.fit import Fit
from oulib.model.groups import EFFECTS, TREND

NAMES = (
    *("mu_alpha", "mu_beta", "sigma_ou", "corr_ou", "sigma_site", "corr_site"),
    *("alpha", "beta", "trend", "alpha_site", "beta_site", "trend_site"),
    *("coef", "sigma_coef"),
    *("lam", "phi_lam", "sigma_lam", "tau", "phi_tau", "gamma_x"),
    *("mu_x", "sigma_mu_x", "mu_x_ou", "sigma_x", "sigma_meas", "sigma_y", "nu"),
    *("beta_between", "noise_ou", "sigma_noise_ou", "phi_u", "sigma_u"),
    *("rho_0", "rho_x", "rho_ou", "sigma_rho_ou", "rho_month", "sigma_rho_month", "x_star"),
)
"""The public names of posterior variables; the others are coordinates of the sampler."""

HYPERPARAMETERS = (
    *("mu_alpha", "mu_beta", "sigma_ou", "corr_ou", "sigma_site", "corr_site"),
    *("phi_lam", "sigma_lam", "phi_tau", "gamma_x", "mu_x", "sigma_mu_x"),
    *("sigma_x", "sigma_meas", "sigma_y", "nu"),
    *("beta_between", "sigma_noise_ou", "phi_u", "sigma_u"),
    *("rho_0", "rho_x", "sigma_rho_ou", "sigma_rho_month"),
)
"""The names whose number does not grow with OUs, sites, months or rows."""


_EFFECTS = (*EFFECTS, TREND)
REDUNDANT = [
    f"corr_{level}[{row}, {column}]"
    for level in ("ou", "site")
    for place, row in enumerate(_EFFECTS)
    for column in _EFFECTS[: place + 1]
]
"""Labels of a correlation matrix that repeat another, or are 1 and have no diagnostics."""


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """What a fit must reach; the R-hat and ESS levels are those of Vehtari et al. (2021)."""

    r_hat: float = 1.01
    ess_per_chain: float = 100.0
    bfmi: float = 0.3
    quadrature: float = 1e-3


@dataclass(frozen=True, kw_only=True)
class Check:
    """One diagnostic: its value, the threshold it is held to, where it is worst, what to try."""

    name: str
    value: float
    threshold: float
    passed: bool
    where: tuple[str, ...] = ()
    advice: str = ""


@dataclass(frozen=True)
class Verdict:
    """All checks of one fit; it passed if every one of them did.

    ``inapplicable`` is why the model could not be fitted to the panel at all, where that is so.
    """

    model: str
    checks: tuple[Check, ...]
    inapplicable: str = ""

    @property
    def passed(self) -> bool:
        """Whether the fit may be interpreted."""
        return not self.inapplicable and all(check.passed for check in self.checks)

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if not check.passed)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return {
            "model": self.model,
            "passed": self.passed,
            "inapplicable": self.inapplicable,
            "checks": [asdict(check) for check in self.checks],
        }

    def to_frame(self) -> pd.DataFrame:
        """One row a check: value, threshold, passed, where."""
        rows = [{k: v for k, v in asdict(check).items() if k != "advice"} for check in self.checks]
        return pd.DataFrame(rows).set_index("name")


@lru_cache(maxsize=32)
def summarise(fit: Fit) -> pd.DataFrame:
    """A row per scalar of the posterior under its public name.

    Index labels spell the place out (``alpha[OU-07]``, ``lam[2024-03]``); columns are ``mean``,
    ``sd``, ``mcse_mean``, ``q5``, ``q95``, ``ess_bulk``, ``ess_tail`` and ``r_hat``.
    """
    names = [name for name in NAMES if name in fit.posterior]
    # A correlation matrix's diagonal is constant: its R-hat is 0 / 0, and is left blank.
    with np.errstate(invalid="ignore"):
        table = az.summary(
            fit.posterior[names], ci_prob=0.9, ci_kind="eti", round_to="none", kind="all"
        )
        # ArviZ's own tail ESS is that of other quantiles than the two reported here.
        tail = az.ess(fit.posterior[names], method="tail", prob=(0.05, 0.95))
    table = table.rename(columns={"eti90_lb": "q5", "eti90_ub": "q95"})
    table["ess_tail"] = np.concatenate([np.ravel(tail[name].to_numpy()) for name in names])
    columns = ["mean", "sd", "mcse_mean", "q5", "q95", "ess_bulk", "ess_tail", "r_hat"]
    return table[columns].astype(float).rename_axis("parameter")


def hyperparameters(fit: Fit) -> pd.DataFrame:
    """The rows of :func:`summarise` that belong to :data:`HYPERPARAMETERS`, each once."""
    table = summarise(fit)
    variable = table.index.str.partition("[").get_level_values(0)
    left_out = [*REDUNDANT, *_fixed(fit)]
    return table[variable.isin(HYPERPARAMETERS) & ~table.index.isin(left_out)]


def check(fit: Fit, thresholds: Thresholds | None = None) -> Verdict:
    """Hold ``fit`` to the gate.

    R-hat and effective sample sizes are taken over every public scalar of the posterior,
    divergences, BFMI and tree depth over the chains.
    """
    limit = thresholds or Thresholds()
    table = summarise(fit)
    table = table[~table.index.isin([*REDUNDANT, *_fixed(fit)])]
    stats = fit.tree["sample_stats"].to_dataset()
    ess = limit.ess_per_chain * fit.sampling.chains
    # Draws that are not numbers, or never moved, have no diagnostics: they fail every one.
    sound = np.isfinite(table[["mean", "sd", "r_hat"]]).all(axis="columns")
    saturated = _saturated(stats, fit.sampling.max_depth)
    with np.errstate(invalid="ignore"):
        bfmi = np.nan_to_num(np.atleast_1d(az.bfmi(stats)["energy"]))  # 0 / 0: it never moved
    checks = (
        _over_scalars(
            "r_hat",
            table["r_hat"].where(sound, np.inf),
            limit.r_hat,
            largest=True,
            advice="The chains disagree. Look at the traces of the parameters named: two modes "
            "call for another model, slow drift for more draws.",
        ),
        _over_scalars(
            "ess_bulk",
            table["ess_bulk"].where(sound, 0.0),
            ess,
            largest=False,
            advice="Too few effective draws for the posterior mean. Raise draws, or simplify.",
        ),
        _over_scalars(
            "ess_tail",
            table["ess_tail"].where(sound, 0.0),
            ess,
            largest=False,
            advice="Too few effective draws for the 90% intervals. Raise draws.",
        ),
        Check(
            name="divergences",
            value=float(stats["diverging"].sum()),
            threshold=0.0,
            passed=not bool(stats["diverging"].any()),
            advice="The sampler met a curvature it cannot follow, so part of the posterior may "
            "be missing. Raise target_accept; if they stay, change the model's coordinates.",
        ),
        Check(
            name="bfmi",
            value=float(bfmi.min()),
            threshold=limit.bfmi,
            passed=bool(bfmi.min() >= limit.bfmi),
            where=tuple(f"chain {i}" for i in np.flatnonzero(bfmi < limit.bfmi)),
            advice="Energy moves slowly between draws, a sign of heavy tails in the posterior.",
        ),
        Check(
            name="tree_depth",
            value=float(saturated.sum()),
            threshold=0.0,
            passed=not bool(saturated.any()),
            advice="Trajectories were cut short at the largest tree. Raise tune first.",
        ),
    )
    return Verdict(model=fit.spec.name, checks=checks + _quadrature(fit, limit.quadrature))


def _fixed(fit: Fit) -> list[str]:
    """Labels of what the model does not learn: a ``rho_x`` that was set to a number, and the
    score's movement in months without surveys, which may be set to zero.
    """
    constant = [] if fit.spec.rho_x is None else ["rho_x"]
    if fit.spec.movement == "all_months":
        return constant
    still = (fit.posterior["tau"] == 0).all(("chain", "draw"))
    return constant + [f"tau[{month}]" for month in still["month"].to_numpy()[still.to_numpy()]]


def _quadrature(fit: Fit, threshold: float) -> tuple[Check, ...]:
    """The check of the sums over the latent score, where the model has any."""
    if fit.spec.closed_form or fit.spec.latent != "integrated":
        return ()
    error = quadrature_error(fit)
    return (
        Check(
            name="quadrature",
            value=error,
            threshold=threshold,
            passed=bool(error <= threshold),
            advice="The sum over a row's latent score is too coarse for these slopes. Lower the "
            "spec's step.",
        ),
    )


def _saturated(stats: xr.Dataset, max_depth: int) -> xr.DataArray:
    """Which trajectories were cut short at the largest tree, under each sampler's own name."""
    for name in ("maxdepth_reached", "reached_max_treedepth"):
        if name in stats:
            return stats[name]
    return stats["tree_depth"] >= max_depth


def _over_scalars(
    name: str, values: pd.Series, threshold: float, *, largest: bool, advice: str
) -> Check:
    """A check of the worst scalar; ``where`` names those beyond the threshold, worst first."""
    beyond = values[values > threshold] if largest else values[values < threshold]
    worst = values.max() if largest else values.min()
    return Check(
        name=name,
        value=float(worst),
        threshold=threshold,
        passed=beyond.empty,
        where=tuple(beyond.sort_values(ascending=not largest).index),
        advice=advice,
    )


def worst_place(fit: Fit, variable: str) -> str:
    """The OU (or month, or site) at which ``variable`` has its largest R-hat."""
    table = summarise(fit)
    at = table.index.str.startswith(f"{variable}[")
    return table.loc[at, "r_hat"].idxmax().removeprefix(f"{variable}[").removesuffix("]")


def labels_in(where: Iterable[str], variables: Iterable[str]) -> tuple[str, ...]:
    """The labels of ``variables`` among ``where``: ``beta[OU-07]`` gives ``OU-07``."""
    found = {}
    for label in where:
        variable, _, place = label.partition("[")
        if variable in variables and place:
            found[place.removesuffix("]")] = None
    return tuple(found)
