"""The licence to interpret a fit, as values: whether it was sampled, and whether it is adequate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

import pandas as pd
import xarray as xr

from oulib.files import PACKAGE
from oulib.model.draws import mirror
from oulib.model.draws.density import quadrature_error
from oulib.model.draws.names import HYPERPARAMETERS, constants
from oulib.model.spec import ModelSpec
from oulib.panel import Panel
from oulib.posterior.adequacy import ADEQUACY, ANSWERS, FARTHEST, MOVED, adequate, by_surveys, moved
from oulib.sampling import cache
from oulib.sampling.diagnostics import (
    Check,
    Thresholds,
    diagnose,
    of_scalars,
    summary,
)
from oulib.sampling.fit import Fit, Sampling
from oulib.sampling.fit import fit as fit_model
from oulib.sampling.looks import AUTO, Look

__all__ = [
    "ADEQUACY",
    "ELSEWHERE",
    "Check",
    "Thresholds",
    "Verdict",
    "check",
    "hyperparameters",
    "labels_in",
    "read",
    "refit",
    "sampled",
    "summarise",
    "worst",
    "worst_place",
]


_SUMMARY = (
    PACKAGE / "sampling" / "diagnostics.py",
    PACKAGE / "model" / "draws" / "names.py",
)
_OF_DRAWS = (PACKAGE / "model",)


@dataclass(frozen=True)
class Verdict:
    """All checks of one fit; it has the licence if every one of them passed.

    ``checks`` are those of the sampler, ``adequacy`` those of the model, which are only made of a
    fit that was sampled.  ``inapplicable`` is why the model could not be fitted to the panel at
    all, where that is so.  ``part`` is the number of OUs that a model was asked of, where it was
    not fitted to all because it cannot describe these (:mod:`oulib.posterior.pilot`); else 0.
    ``draws`` are those of a chain, and ``looks`` how that number was found, if it was not given.
    """

    model: str
    checks: tuple[Check, ...]
    adequacy: tuple[Check, ...] = ()
    inapplicable: str = ""
    part: int = 0
    draws: int = 0
    looks: tuple[Look, ...] = ()

    @property
    def sampled(self) -> bool:
        """Whether the draws are those of the posterior, as far as can be seen."""
        fitted = not (self.inapplicable or self.part)
        return fitted and all(check.passed for check in self.checks)

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
            "part": self.part,
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
    """A row per scalar of the posterior under its public name:
    :func:`oulib.sampling.diagnostics.summary`.

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
    against what it replicates (:mod:`oulib.posterior.adequacy`); and where that finds nothing, its
    slopes against those of a fit of the same model in which only surveys speak of slopes.
    """
    verdict = sampled(fit, thresholds)
    if not verdict.sampled:
        return verdict
    verdict = replace(verdict, adequacy=adequate(fit))
    if not verdict.adequacy or not verdict.adequate:
        return verdict
    return replace(verdict, adequacy=verdict.adequacy + _moved(fit))


def _moved(fit: Fit) -> tuple[Check, ...]:
    """The check of slopes against those by surveys alone, where the model has that form."""
    spec = by_surveys(fit.spec)
    if spec is None:
        return ()
    seed, sampler = fit.sampling.seed, fit.sampling.sampler
    how = Sampling(draws=AUTO, seed=seed, sampler=sampler)
    alone = fit_model(fit.panel, spec, how, progress=False)
    if read(alone, [f"beta[{ou}]" for ou in fit.panel.ous]).sampled:
        return (moved(fit, alone),)
    advice = (
        "Whether slopes come from the surveys could not be asked, for the same model with "
        f"score='expected' was not sampled. {ANSWERS[MOVED]}"
    )
    return (Check(name=MOVED, value=math.nan, threshold=FARTHEST, passed=False, advice=advice),)


def sampled(fit: Fit, thresholds: Thresholds | None = None) -> Verdict:
    """The first half of :func:`check`: whether the chains have settled, and where not."""
    limit = thresholds or Thresholds()
    table = summarise(fit)
    table = table[~table.index.isin(constants(fit.posterior, fit.spec))]
    stats = fit.tree["sample_stats"].to_dataset()
    checks = diagnose(table, stats, max_depth=fit.sampling.max_depth, limit=limit)
    checks += _quadrature(fit, limit.quadrature) + _signs(fit, limit.signs)
    draws = stats.sizes["draw"]
    return Verdict(model=fit.spec.name, checks=checks, draws=draws, looks=fit.looks)


def _signs(fit: Fit, threshold: float) -> tuple[Check, ...]:
    """The check of signs of slopes that no chain went to, where slopes are sampled one by one."""
    if not mirror.applies(fit.spec):
        return ()

    def compute() -> xr.DataTree:
        found = mirror.caught(fit, both=fit.both, least=threshold)
        ous = sorted(found, key=found.__getitem__, reverse=True)
        return xr.DataTree(
            xr.Dataset({"other": ("place", [found[label] for label in ous])}, {"place": ous})
        )

    key = cache.key_of({"draws": fit.digest, "signs": [threshold, fit.both]}, _OF_DRAWS)
    tree, _ = cache.fetch("mirrored", key, compute)
    other = tree["other"]
    return (
        Check(
            name="signs",
            value=float(other.max()) if other.size else 0.0,
            threshold=threshold,
            passed=not other.size,
            where=tuple(map(str, other["place"].to_numpy())) if other.size else (),
            advice="Slopes of these units may have the other sign, and chains do not go there. "
            "Leave signs='auto', which samples both signs as one.",
        ),
    )


ELSEWHERE = 1.05
"""Largest R-hat of what is not read off a fit: beyond it chains are in places of their own."""


def read(fit: Fit, labels: Iterable[str] = (), draws: xr.DataArray | None = None) -> Verdict:
    """The sampler's gate for a fit off which only some scalars are read.

    One rule for every refit, however short.  What is read is held to the gate, by R-hat and
    effective draws a chain alike.  All else may be less precise, but chains must not sit in
    different places, by an R-hat of :data:`ELSEWHERE`: what is read would have gone along.
    Divergences, energy, tree depth, quadrature and signs count as ever.

    Args:
        fit: the refit.
        labels: what is read, as :func:`summarise` labels it.
        draws: what else is read, worked out from the draws: (chain, draw), or with a further dim.
    """
    limit, whole = Thresholds(), sampled(fit)
    parts = [summarise(fit).loc[list(labels)]]
    if draws is not None:
        parts.append(of_scalars(draws.rename(draws.name or "what is read")))
    table = pd.concat(parts)
    stats = fit.tree["sample_stats"].to_dataset()
    own = {
        one.name: one
        for one in diagnose(table, stats, max_depth=fit.sampling.max_depth, limit=limit)
    }
    checks = []
    for one in whole.checks:
        if one.name == "r_hat" and own["r_hat"].passed:
            far = bool(one.value > ELSEWHERE)
            where = one.where if far else ()
            one = replace(one, threshold=ELSEWHERE, passed=not far, where=where)
        elif one.name in ("r_hat", "ess_bulk", "ess_tail"):
            one = own[one.name]
        checks.append(one)
    return replace(whole, checks=tuple(checks))


def refit(
    panel: Panel,
    spec: ModelSpec,
    sampling: Sampling,
    what: Callable[[Fit], xr.DataArray | Sequence[str]],
) -> tuple[Fit, Verdict]:
    """A refit and whether what is read off it may be: :func:`read`.

    Where ``sampling`` was too short, it is fitted again, for as long as it takes.

    Args:
        panel, spec, sampling: as of :func:`oulib.sampling.fit.fit`.
        what: what is read off a fit: labels, or draws.
    """

    def attempt(how: Sampling) -> tuple[Fit, Verdict]:
        made = fit_model(panel, spec, how, progress=False)
        found = what(made)
        own = {"draws": found} if isinstance(found, xr.DataArray) else {"labels": found}
        return made, read(made, **own)

    made, verdict = attempt(sampling)
    if verdict.sampled or sampling.draws == AUTO:
        return made, verdict
    tune = max(sampling.tune, Sampling().tune)
    return attempt(replace(sampling, draws=AUTO, chains=4, tune=tune))


def _quadrature(fit: Fit, threshold: float) -> tuple[Check, ...]:
    """The check of the sums over the latent score, where the model has any."""
    if fit.spec.closed_form or fit.spec.latent != "integrated":
        return ()

    def compute() -> xr.DataTree:
        return xr.DataTree(xr.Dataset({"error": quadrature_error(fit)}))

    tree, _ = cache.fetch("quadrature", cache.key_of({"draws": fit.digest}, _OF_DRAWS), compute)
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


def worst(verdict: Verdict, most: int = 3) -> tuple[str, ...]:
    """Labels of the scalars of which chains tell least the same, where a check of them failed."""
    at = [
        label
        for check in verdict.checks
        if check.name in ("r_hat", "ess_bulk", "ess_tail") and not check.passed
        for label in check.where
    ]
    return tuple(dict.fromkeys(at))[:most]


def worst_place(fit: Fit, variable: str) -> str:
    """The OU (or month, or site) at which ``variable`` has its largest R-hat."""
    table = summarise(fit)
    at = table.index.str.startswith(f"{variable}[")
    return table.loc[at, "r_hat"].idxmax().removeprefix(f"{variable}[").removesuffix("]")


def labels_in(where: Iterable[str], variables: Iterable[str]) -> tuple[str, ...]:
    """The labels of ``variables`` among ``where``: ``beta[OU-07]`` gives ``OU-07``."""
    found: dict[str, None] = {}
    for label in where:
        variable, _, place = label.partition("[")
        if variable in variables and place:
            found[place.removesuffix("]")] = None
    return tuple(found)
