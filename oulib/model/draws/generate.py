"""What a fitted model says of data that are not there: noise, deviations, OUs without a history.

Which of a model's parts are there is known here, and asked nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from oulib.model.draws.density import Fitted, all_rows, noise_factor
from oulib.model.draws.names import SAMPLES


def standard_noise(
    posterior: xr.Dataset, shape: tuple[int, ...], rng: np.random.Generator
) -> np.ndarray:
    """Noise of the outcome in units of its scale, at every draw, (chain, draw, *shape)."""
    size = (posterior.sizes["chain"], posterior.sizes["draw"], *shape)
    if "nu" not in posterior:
        return rng.standard_normal(size)
    nu = posterior["nu"].transpose(*SAMPLES).to_numpy()
    return rng.standard_t(nu.reshape(*nu.shape, *(1 for _ in shape)), size)


def normal_equivalent(posterior: xr.Dataset) -> xr.DataArray | float:
    """What ``sigma_y`` is multiplied by in the normal noise that tells as much of a location.

    The Fisher information of a Student-t location is (nu + 1) / ((nu + 3) sigma^2), so it is
    sqrt((nu + 3) / (nu + 1)), and 1 where noise is normal.
    """
    if "nu" not in posterior:
        return 1.0
    return xr.ufuncs.sqrt((posterior["nu"] + 3) / (posterior["nu"] + 1))


def residuals(fit: Fitted, posterior: xr.Dataset, rng: np.random.Generator) -> xr.DataArray:
    """New residuals of every row, (chain, draw, row): noise, and with deviations a new path."""
    p, rows = posterior, all_rows(fit, None)
    ou, month = (fit.panel.rows[name].to_numpy() for name in ("ou_idx", "month_idx"))
    at = xr.DataArray(ou, dims="row", coords={"row": rows})

    def by_row(values: np.ndarray) -> xr.DataArray:
        return xr.DataArray(values, dims=(*SAMPLES, "row"), coords={"row": rows})

    made = p["sigma_y"] * by_row(standard_noise(p, (rows.size,), rng))
    if fit.spec.deviations:
        phi, sigma = (p[name].to_numpy() for name in ("phi_u", "sigma_u"))
        path = np.empty((len(fit.panel.months), *phi.shape, len(fit.panel.ous)))
        path[0] = (sigma / np.sqrt(1 - phi**2))[..., None] * rng.standard_normal(path[0].shape)
        for t in range(1, len(path)):
            step = sigma[..., None] * rng.standard_normal(path[0].shape)
            path[t] = phi[..., None] * path[t - 1] + step
        made = made + by_row(np.moveaxis(path[month, :, :, ou], 0, -1))
    return (made * noise_factor(p, at)).transpose(*SAMPLES, "row")


def new_ous(
    fit: Fitted, posterior: xr.Dataset, site: np.ndarray, rng: np.random.Generator
) -> xr.Dataset:
    """What OUs without any history would be, at every draw: ``alpha``, ``beta``, ``mu_x_ou`` ...

    ``site`` has the position of each new OU's site, -1 for one that the panel does not have.
    Dims (chain, draw, ou).
    """
    p = posterior
    shape = (p.sizes["chain"], p.sizes["draw"], len(site))
    effects = [str(effect) for effect in p["effect"].to_numpy()]

    def normal() -> xr.DataArray:
        return xr.DataArray(rng.standard_normal(shape), dims=(*SAMPLES, "ou"))

    def drawn(level: str) -> dict[str, xr.DataArray]:
        """An effect of the level for each new OU, correlated by z @ L.T."""
        z = [normal() for _ in effects]
        if f"corr_{level}" in p:
            z = _correlated(p[f"corr_{level}"], z)
        scale = p[f"sigma_{level}"]
        return {e: scale.sel(effect=e, drop=True) * one for e, one in zip(effects, z, strict=True)}

    found = {effect: p.get(f"mu_{effect}", 0.0) + own for effect, own in drawn("ou").items()}
    if fit.spec.sites:
        known = xr.DataArray(np.asarray(site) >= 0, dims="ou")
        at = xr.DataArray(np.maximum(site, 0), dims="ou")
        for effect, fresh in drawn("site").items():
            of_site = p[f"{effect}_site"].isel(site=at).drop_vars("site")
            found[effect] = found[effect] + xr.where(known, of_site, fresh)
    found["mu_x_ou"] = p["mu_x"] + p["sigma_mu_x"] * normal()
    if "noise_ou" in p:
        found["noise_ou"] = xr.ufuncs.exp(p["sigma_noise_ou"] * normal())
    if "rho_ou" in p:
        found["rho_ou"] = p["sigma_rho_ou"] * normal()
    return xr.Dataset(found).transpose(*SAMPLES, "ou")


def _correlated(corr: xr.DataArray, z: Sequence[xr.DataArray]) -> list[xr.DataArray]:
    """Independent standard normals ``z``, one an effect, with the correlations ``corr``."""
    corr = corr.transpose(..., "effect", "effect_bis")
    factor = corr.copy(data=np.linalg.cholesky(corr.to_numpy()))
    return [
        sum(
            (factor.isel(effect=i, effect_bis=j, drop=True) * z[j] for j in range(i + 1)),
            start=xr.DataArray(0.0),
        )
        for i in range(len(z))
    ]


def autoregression(posterior: xr.Dataset, path: str) -> tuple[np.ndarray, np.ndarray]:
    """phi and the sd of innovations of the months' ``path``, ``"lam"`` or ``"tau"``, (chain, draw).

    Months that are independent have phi = 0.  The score's movement has unit variance unless its
    scale is learned, too (:class:`oulib.model.spec.ModelSpec`, ``tau``).
    """
    shape = (posterior.sizes["chain"], posterior.sizes["draw"])

    def at_draws(name: str) -> np.ndarray | None:
        if name not in posterior:
            return None
        return posterior[name].transpose(*SAMPLES).to_numpy()

    phi = at_draws(f"phi_{path}")
    phi = np.zeros(shape) if phi is None else phi
    sigma = at_draws(f"sigma_{path}")
    if sigma is None:
        sigma = np.sqrt(1 - phi**2) if path == "tau" else np.ones(shape)
    return phi, sigma
