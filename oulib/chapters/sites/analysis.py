"""How OUs are pooled: over one level, or within their sites and the sites among each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from oulib.model.groups import EFFECTS
from oulib.posterior.estimate import SAMPLES
from oulib.posterior.predict import new_ous
from oulib.sampling.fit import Fit

NEW_SITE = "(another site)"
NO_SITES = "(one level)"
"""Rows of :func:`newcomers` that are no site of the panel."""

RELEVANT = 0.1
"""A share of the variance below which sites are said to hardly differ."""


def between_sites(tree: xr.Dataset) -> xr.DataArray:
    """Share of the variance between OUs that lies between sites, sample dims and ``effect``.

    sigma_site^2 / (sigma_site^2 + sigma_ou^2), equation (5.4) (``eq-site-share``); ``tree`` is a
    posterior, prior draws or a truth of a model with a site level.
    """
    site, ou = tree["sigma_site"] ** 2, tree["sigma_ou"] ** 2
    return site / (site + ou)


def site_means(fit: Fit) -> xr.Dataset:
    """``alpha`` and ``beta`` of the average OU of each site: population plus site effect."""
    p = fit.posterior
    return xr.Dataset({name: p[f"mu_{name}"] + p[f"{name}_site"] for name in EFFECTS})


def estimates(one: Fit, two: Fit) -> pd.DataFrame:
    """Each OU's intercept and slope with one level of pooling and with two.

    Index ``ou``, in the order of the panel; columns ``site`` and, for ``alpha`` and ``beta``,
    the posterior means ``_one`` and ``_two``, the posterior sds ``_sd_one`` and ``_sd_two``, the
    mean of the OU's site ``_site`` (by the model with two levels), the population's mean
    ``_mean`` (by the model with one) and, where the panel was simulated, ``_true``.
    """
    panel = two.panel
    table = pd.DataFrame({"site": [panel.sites[s] for s in panel.site_idx]}, index=list(panel.ous))
    means = site_means(two).mean(SAMPLES)
    for name in EFFECTS:
        for which, fit in (("one", one), ("two", two)):
            table[f"{name}_{which}"] = fit.posterior[name].mean(SAMPLES).to_numpy()
            table[f"{name}_sd_{which}"] = fit.posterior[name].std(SAMPLES).to_numpy()
        table[f"{name}_site"] = means[name].to_numpy()[panel.site_idx]
        table[f"{name}_mean"] = float(one.posterior[f"mu_{name}"].mean())
        if panel.truth is not None and name in panel.truth:
            table[f"{name}_true"] = panel.truth[name].to_numpy()
    return table.rename_axis("ou")


def shrinkage(table: pd.DataFrame) -> pd.DataFrame:
    """Where OUs are drawn to, from :func:`estimates`: a row each for ``alpha`` and ``beta``.

    Columns ``_one`` and ``_two`` (levels) of ``sd``, the mean posterior sd; ``to_site`` and
    ``to_mean``, the mean distance of an OU's estimate to its site's mean and to the population's;
    and ``error``, the root mean squared error, where there is a truth.
    """
    rows = {}
    for name in EFFECTS:
        row = {}
        for which in ("one", "two"):
            found = table[f"{name}_{which}"]
            row[f"sd_{which}"] = table[f"{name}_sd_{which}"].mean()
            row[f"to_site_{which}"] = (found - table[f"{name}_site"]).abs().mean()
            row[f"to_mean_{which}"] = (found - table[f"{name}_mean"]).abs().mean()
            if f"{name}_true" in table:
                row[f"error_{which}"] = np.sqrt(((found - table[f"{name}_true"]) ** 2).mean())
        rows[name] = row
    return pd.DataFrame.from_dict(rows, orient="index")


def newcomers(one: Fit, two: Fit, *, seed: int = 0) -> pd.DataFrame:
    """What is known of an OU without any history: a row for each site it might belong to.

    Columns ``mean``, ``sd``, ``q5`` and ``q95`` of the predictive distribution of its intercept
    (``alpha_``) and slope (``beta_``).  After the sites come :data:`NEW_SITE`, a site that the
    panel does not have, and :data:`NO_SITES`, what the model with one level says of any OU.
    """
    sites = len(two.panel.sites)
    known = new_ous(two, np.append(np.arange(sites), -1), seed=seed)
    any_ou = new_ous(one, np.array([-1]), seed=seed)
    table = {}
    for name in EFFECTS:
        draws = xr.concat([known[name], any_ou[name]], dim="ou")
        table[f"{name}_mean"] = draws.mean(SAMPLES).to_numpy()
        table[f"{name}_sd"] = draws.std(SAMPLES).to_numpy()
        for q in (5, 95):
            table[f"{name}_q{q}"] = draws.quantile(q / 100, SAMPLES).to_numpy()
    return pd.DataFrame(table, index=pd.Index([*two.panel.sites, NEW_SITE, NO_SITES], name="site"))


@dataclass(frozen=True)
class Newcomer:
    """Predictive sds of an effect of an OU without a history, in units of the effect.

    In a site of the panel (``known``, the mean over sites), in the model with one level
    (``one_level``), and in a site that the panel does not have (``elsewhere``).
    """

    known: float
    one_level: float
    elsewhere: float


def newcomer(table: pd.DataFrame) -> dict[str, Newcomer]:
    """How much the site says of an OU without a history, by effect, from :func:`newcomers`."""
    sites = table.drop(index=[NEW_SITE, NO_SITES])
    return {
        name: Newcomer(
            known=float(sites[f"{name}_sd"].mean()),
            one_level=float(table.loc[NO_SITES, f"{name}_sd"]),
            elsewhere=float(table.loc[NEW_SITE, f"{name}_sd"]),
        )
        for name in EFFECTS
    }
