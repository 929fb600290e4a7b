"""What a model says of itself: the names of what it draws, and which of them are worth a look.

Whatever handles draws of any model asks here, and knows no parameter by name.
"""

from __future__ import annotations

import xarray as xr

from oulib.model.groups import EFFECTS, TREND
from oulib.model.spec import ModelSpec

SAMPLES = ("chain", "draw")
"""The dims of a sample."""

NAMES = (
    *("mu_alpha", "mu_beta", "sigma_ou", "corr_ou", "sigma_site", "corr_site"),
    *("alpha", "beta", "trend", "alpha_site", "beta_site", "trend_site"),
    *("coef", "sigma_coef"),
    *("lam", "phi_lam", "sigma_lam", "tau", "phi_tau", "gamma_x"),
    *("mu_x", "sigma_mu_x", "mu_x_ou", "sigma_x", "sigma_meas", "sigma_y", "nu"),
    *("beta_between", "noise_ou", "sigma_noise_ou", "phi_u", "sigma_u"),
    *("rho_0", "rho_x", "rho_ou", "sigma_rho_ou", "rho_month", "sigma_rho_month", "x_star"),
)
"""The public names of posterior variables."""

COORDINATES = (
    *("mu_x_surveyed", "mu_x_ou_raw", "signed_sigma_meas", "total_x", "noise_share"),
    *("tau_seen", "z_tau", "z_x", "trend_raw", "z_coef", "u_coef"),
    *("chol_corr_ou", "chol_corr_site", "z_site", "z_ou"),
    *("level_ou", "beta_raw", "mu_beta_raw", "sigma_alpha_raw", "sigma_beta_raw"),
    *("total_y", "deviation_share", "log_noise_raw", "nu_minus_two", "z_rho_ou", "z_rho_month"),
)
"""Variables that are sampled in the place of public ones, which are all that they act on.

Whatever else a model samples has no public stand-in, and is held to the gate itself.
"""

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


def constants(posterior: xr.Dataset, spec: ModelSpec) -> list[str]:
    """Labels of what the model does not learn, and of what repeats another.

    The former are a ``rho_x`` that was set to a number, and the score's movement in months without
    surveys, which may be set to zero.
    """
    constant = [*REDUNDANT] if spec.rho_x is None else [*REDUNDANT, "rho_x"]
    if spec.movement == "all_months":
        return constant
    still = (posterior["tau"] == 0).all(SAMPLES)
    return constant + [f"tau[{month}]" for month in still["month"].to_numpy()[still.to_numpy()]]


def completed(posterior: xr.Dataset) -> xr.Dataset:
    """Draws of an explicit form with what the integrated form samples in another guise.

    That is ``sigma_meas`` with its sign, of which the model sees only the size.
    """
    if "signed_sigma_meas" in posterior:
        return posterior
    return posterior.assign(signed_sigma_meas=posterior["sigma_meas"])
