"""Whether an OU's slope could as well have the other sign, though no chain has been there.

Two peaks of a slope's density, near b and -b, are apart by a barrier that chains do not cross
(:mod:`oulib.model.signs`).  Chains that all sit at one of them agree, and R-hat sees nothing.  But
the other peak can be weighed without going there: with F the reflection of the slope, the OU's
level held, the mean of p(F z) / p(z) over draws on one side is the mass of the other side over that
of this one.  As any mean of such ratios it may come out too low where the other parameters are
elsewhere on the other side; it is there to tell that a sign matters, not how much.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import xarray as xr

from oulib.model.draws.density import Fitted, log_outcome, thinned
from oulib.model.spec import ModelSpec

NOTABLE = 0.002
"""A probability of the other sign below this is none."""

_SELDOM, _OFTEN = 0.1, 5
"""A chain is caught that crosses zero less than this share of what independent draws would do.

With so many crossings it is not, whatever they would.
"""

_MOST = 0.05
"""No slope that crosses zero in more than this share of the steps is of one sign."""


def applies(spec: ModelSpec) -> bool:
    """Whether slopes are sampled one by one, with the OU's outcomes independent given them."""
    plain = spec.latent == "integrated" and spec.geometry == "level"
    return plain and spec.score == "latent" and not spec.deviations


def of_one_sign(fit: Fitted) -> tuple[str, ...]:
    """OUs whose slopes hardly ever cross zero.

    Their data tell the size of the slope; that they tell its sign, too, is not said by that.
    """
    share = _crossings(fit).mean(axis=0) / fit.posterior.sizes["draw"]
    return tuple(label for label, one in zip(fit.panel.ous, share, strict=True) if one <= _MOST)


def _crossings(fit: Fitted) -> np.ndarray:
    """How often each OU's slope crosses zero in each chain, (chain, ou)."""
    positive = (fit.posterior["beta"].transpose("chain", "draw", "ou") > 0).to_numpy()
    return (positive[:, 1:] != positive[:, :-1]).sum(axis=1)


def caught(
    fit: Fitted, *, both: Collection[str] = (), least: float = NOTABLE, draws: int = 400
) -> dict[str, float]:
    """OUs whose slope may have the other sign while a chain does not go there.

    Args:
        fit: what was fitted to what, and the draws.
        both: OUs of which both signs were sampled as one, which are left out.
        least: the smallest probability of the other sign that counts.
        draws: about so many draws are reflected.

    Returns:
        By OU, the probability of the sign that a chain has not, as the chain that gives it most
        weight has it; only OUs in which a chain is caught and it is at least ``least``.  A chain
        is caught that crosses zero next to never, for so probable a sign; how well one mixes that
        does cross is for R-hat to say.  Empty for models to which the question does not apply
        (:func:`applies`).
    """
    other = _other(fit, both, draws).transpose("chain", "ou")
    places = [fit.panel.ous.index(label) for label in other["ou"].to_numpy()]
    chance = other.to_numpy()
    expected = 2 * np.minimum(chance, 0.5) * np.maximum(1 - chance, 0.5)
    enough = np.minimum(_SELDOM * expected * fit.posterior.sizes["draw"], _OFTEN)
    stuck = _crossings(fit)[:, places] < enough
    return _largest(other.where(stuck, 0.0), least)


def undecided(fit: Fitted, *, both: Collection[str] = (), draws: int = 400) -> dict[str, float]:
    """OUs whose slopes hardly cross zero and may have the other sign, as in :func:`caught`."""
    return _largest(_other(fit, both, draws), NOTABLE)


def _largest(other: xr.DataArray, least: float) -> dict[str, float]:
    if not other.sizes["ou"]:
        return {}
    worst = other.max("chain")
    found = zip(worst["ou"].to_numpy(), worst.to_numpy(), strict=True)
    return {str(label): float(chance) for label, chance in found if chance >= least}


def _other(fit: Fitted, both: Collection[str], draws: int) -> xr.DataArray:
    """Probability of the sign that a chain has not, (chain, ou), of OUs that hardly cross zero."""
    labels = [label for label in of_one_sign(fit) if label not in both] if applies(fit.spec) else []
    if not labels:
        return xr.DataArray(
            np.zeros((fit.posterior.sizes["chain"], 0)), dims=("chain", "ou"), coords={"ou": []}
        )
    places = [fit.panel.ous.index(label) for label in labels]
    # Draws on the side where the chain mostly is: the few on the other would count that twice.
    beta = thinned(fit.posterior, draws)["beta"].isel(ou=places)
    mostly = (beta > 0) == ((beta > 0).mean("draw") >= 0.5)
    log = xr.ufuncs.minimum(log_odds(fit, places, draws=draws), 50.0)
    odds = xr.ufuncs.exp(log).where(mostly).mean("draw")
    return odds / (1 + odds)


def log_odds(fit: Fitted, ous: Collection[int], *, draws: int) -> xr.DataArray:
    """log p(F z) - log p(z) of the OUs at the positions ``ous``, (chain, draw, ou)."""
    panel, posterior = fit.panel, thinned(fit.posterior, draws)
    turned = _reflected(posterior, fit.spec)
    ou = panel.rows["ou_idx"].to_numpy()
    rows = np.flatnonzero(np.isin(ou, list(ous)) & np.isfinite(panel.rows["y"].to_numpy()))
    total = _log_prior(turned, panel.site_idx) - _log_prior(posterior, panel.site_idx)
    change = log_outcome(fit, turned, rows) - log_outcome(fit, posterior, rows)
    by_ou = total.transpose("ou", "chain", "draw").to_numpy().copy()
    np.add.at(by_ou, ou[rows], change.transpose("row", "chain", "draw").to_numpy())
    return total.transpose("ou", "chain", "draw").copy(data=by_ou).isel(ou=list(ous))


def _reflected(posterior: xr.Dataset, spec: ModelSpec) -> xr.Dataset:
    """The draws with every slope's sign turned, levels at OUs' own mean scores held."""
    turned = {"beta": -posterior["beta"]}
    if spec.slope == "total":
        turned["alpha"] = posterior["alpha"] + 2 * posterior["beta"] * posterior["mu_x_ou"]
    return posterior.assign(turned)


def _log_prior(posterior: xr.Dataset, site: np.ndarray) -> xr.DataArray:
    """log p(effects of an OU | population) but for a constant, (chain, draw, ou)."""
    names = [str(name) for name in posterior["effect"].to_numpy()]
    means: Mapping[str, xr.DataArray | float] = {
        "alpha": posterior["mu_alpha"],
        "beta": posterior["mu_beta"],
    }
    departures = []
    for name in names:
        mean = means.get(name, 0.0)
        if f"{name}_site" in posterior:
            of_site = posterior[f"{name}_site"].isel(site=xr.DataArray(site, dims="ou"))
            mean = mean + of_site.drop_vars("site")
        departures.append(posterior[name] - mean)
    away = xr.concat(departures, dim="effect").transpose("chain", "draw", "ou", "effect")
    away = away.to_numpy() / posterior["sigma_ou"].to_numpy()[:, :, None, :]
    if "corr_ou" in posterior:
        inverse = np.linalg.inv(posterior["corr_ou"].to_numpy())
        squares = np.einsum("cdgi,cdij,cdgj->cdg", away, inverse, away)
    else:
        squares = (away**2).sum(axis=-1)
    return posterior["beta"].transpose("chain", "draw", "ou").copy(data=-0.5 * squares)
