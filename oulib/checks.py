"""The licence to interpret a fit, as values: whether it was sampled, and whether it is adequate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from oulib import cache
from oulib.adequacy import ADEQUACY, adequate
from oulib.density import quadrature_error
from oulib.diagnostics import (
    HYPERPARAMETERS,
    NAMES,
    REDUNDANT,
    Check,
    Thresholds,
    constants,
    diagnose,
    summary,
)
from oulib.fit import Fit
from oulib.looks import Look

__all__ = [
    "ADEQUACY",
    "HYPERPARAMETERS",
    "NAMES",
    "REDUNDANT",
    "Check",
    "Thresholds",
    "Verdict",
    "check",
    "hyperparameters",
    "labels_in",
    "sampled",
    "summarise",
    "worst_place",
]


_HERE = Path(__file__).parent
_SUMMARY = (_HERE / "diagnostics.py",)
_QUADRATURE = (_HERE / "density.py", _HERE / "model")


@dataclass(frozen=True)
class Verdict:
    """All checks of one fit; it has the licence if every one of them passed.

    ``checks`` are those of the sampler, ``adequacy`` those of the model, which are only made of a
    fit that was sampled.  ``inapplicable`` is why the model could not be fitted to the panel at
    all, where that is so.  ``draws`` are those of a chain, and ``looks`` how that number was found,
    if it was not given.
    """

    model: str
    checks: tuple[Check, ...]
    adequacy: tuple[Check, ...] = ()
    inapplicable: str = ""
    draws: int = 0
    looks: tuple[Look, ...] = ()

    @property
    def sampled(self) -> bool:
        """Whether the draws are those of the posterior, as far as can be seen."""
        return not self.inapplicable and all(check.passed for check in self.checks)

    @property
    def adequate(self) -> bool:
        """Whether it was sampled, and nothing was found that could bend slopes and it lacks."""
        return self.sampled and all(check.passed for check in self.adequacy)

    @property
    def passed(self) -> bool:
        """Whether slopes may be interpreted: sampled, and adequate."""
        return self.adequate

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.every if not check.passed)

    @property
    def every(self) -> tuple[Check, ...]:
        """The checks of the sampler, and then those of the model."""
        return (*self.checks, *self.adequacy)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return {
            "model": self.model,
            "passed": self.passed,
            "sampled": self.sampled,
            "adequate": self.adequate,
            "inapplicable": self.inapplicable,
            "checks": [asdict(check) for check in self.every],
            "draws": self.draws,
            "looks": [asdict(look) for look in self.looks],
        }

    def to_frame(self) -> pd.DataFrame:
        """One row a check: value, threshold, passed, where."""
        rows = [{k: v for k, v in asdict(check).items() if k != "advice"} for check in self.every]
        return pd.DataFrame(rows).set_index("name")


@lru_cache(maxsize=32)
def summarise(fit: Fit) -> pd.DataFrame:
    """A row per scalar of the posterior under its public name: :func:`oulib.diagnostics.summary`.

    Columns are ``mean``, ``sd``, ``mcse_mean``, ``q5``, ``q95``, ``ess_bulk``, ``ess_tail`` and
    ``r_hat``.  It is kept beside the fit, like the fit.
    """

    def compute() -> xr.DataTree:
        return xr.DataTree(summary(fit.posterior).to_xarray())

    key = cache.key_of({"draws": fit.digest}, _SUMMARY)
    tree, _ = cache.fetch("summaries", key, compute)
    return tree.to_dataset().to_dataframe()


def hyperparameters(fit: Fit) -> pd.DataFrame:
    """The rows of :func:`summarise` that belong to :data:`HYPERPARAMETERS`, each once."""
    table = summarise(fit)
    variable = table.index.str.partition("[").get_level_values(0)
    left_out = constants(fit.posterior, fit.spec)
    return table[variable.isin(HYPERPARAMETERS) & ~table.index.isin(left_out)]


def check(fit: Fit, thresholds: Thresholds | None = None) -> Verdict:
    """Hold ``fit`` to both gates.

    R-hat and effective sample sizes are taken over every public scalar of the posterior,
    divergences, BFMI and tree depth over the chains.  Of a fit that passes them, the data are held
    against what it replicates (:mod:`oulib.adequacy`).
    """
    verdict = sampled(fit, thresholds)
    return replace(verdict, adequacy=adequate(fit)) if verdict.sampled else verdict


def sampled(fit: Fit, thresholds: Thresholds | None = None) -> Verdict:
    """The first half of :func:`check`: whether the chains have settled, and where not."""
    limit = thresholds or Thresholds()
    table = summarise(fit)
    table = table[~table.index.isin(constants(fit.posterior, fit.spec))]
    stats = fit.tree["sample_stats"].to_dataset()
    checks = diagnose(table, stats, max_depth=fit.sampling.max_depth, limit=limit)
    checks += _quadrature(fit, limit.quadrature)
    draws = stats.sizes["draw"]
    return Verdict(model=fit.spec.name, checks=checks, draws=draws, looks=fit.looks)


def _quadrature(fit: Fit, threshold: float) -> tuple[Check, ...]:
    """The check of the sums over the latent score, where the model has any."""
    if fit.spec.closed_form or fit.spec.latent != "integrated":
        return ()

    def compute() -> xr.DataTree:
        return xr.DataTree(xr.Dataset({"error": quadrature_error(fit)}))

    tree, _ = cache.fetch("quadrature", cache.key_of({"draws": fit.digest}, _QUADRATURE), compute)
    error = tree["error"].item()
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
