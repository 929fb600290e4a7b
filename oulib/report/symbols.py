"""What a scalar of a model is called in a figure: the book's symbol in the place of its name.

The symbols are those of the book's page on notation.  A name that is not the book's, a variable of
somebody's own model, stays as it is.
"""

from __future__ import annotations

from oulib.report.style import plain

SYMBOLS = {
    "mu_alpha": r"\mu_\alpha",
    "mu_beta": r"\mu_\beta",
    "alpha": r"\alpha_g",
    "beta": r"\beta_g",
    "trend": r"\xi_g",
    "alpha_site": r"\alpha^{\mathrm{site}}_s",
    "beta_site": r"\beta^{\mathrm{site}}_s",
    "trend_site": r"\xi^{\mathrm{site}}_s",
    "sigma_ou": r"\sigma_{\mathrm{ou}}",
    "sigma_site": r"\sigma_{\mathrm{site}}",
    "lkj_eta": r"\eta",
    "beta_between": r"\beta_B",
    "coef": "b_j",
    "sigma_coef": "s_j",
    "lam": r"\lambda_t",
    "phi_lam": r"\phi_\lambda",
    "sigma_lam": r"\sigma_\lambda",
    "tau": r"\tau_t",
    "phi_tau": r"\phi_\tau",
    "sigma_tau": r"\sigma_\tau",
    "gamma_x": r"\gamma_x",
    "mu_x": r"\mu_x",
    "sigma_mu_x": r"\sigma_{\mu_x}",
    "mu_x_ou": r"\mu_{x,g}",
    "sigma_x": r"\sigma_x",
    "sigma_meas": r"\sigma_{\mathrm{meas}}",
    "noise_share": "1 - w",
    "x_star": "x^*_i",
    "sigma_y": r"\sigma_y",
    "nu": r"\nu",
    "noise_ou": r"\varsigma_g",
    "sigma_noise_ou": r"\sigma_\varsigma",
    "phi_u": r"\phi_u",
    "sigma_u": r"\sigma_u",
    "deviation_share": r"\psi_u",
    "rho_0": r"\rho_0",
    "rho_x": r"\rho_x",
    "rho_ou": r"\rho^{\mathrm{ou}}_g",
    "sigma_rho_ou": r"\sigma_{\rho,\mathrm{ou}}",
    "rho_month": r"\rho^{\mathrm{month}}_t",
    "sigma_rho_month": r"\sigma_{\rho,\mathrm{month}}",
    "sigma_rho": r"\sigma_\rho",
}
"""The symbol of each of the book's variables and prior scales, as mathematics."""

_EFFECTS = {"alpha": r"\alpha", "beta": r"\beta", "trend": r"\xi"}
_OF_EFFECTS = {
    "sigma_ou": r"\sigma_{%s}",
    "sigma_site": r"\sigma_{\mathrm{site},%s}",
    "corr_ou": r"C_{%s}",
    "corr_site": r"C^{\mathrm{site}}_{%s}",
}


def symbol(label: str) -> str:
    """What a figure calls a scalar: ``sigma_ou[beta]`` is the mathematics of sigma_beta.

    An element that has its name from the data keeps that, as text, behind the symbol:
    ``beta[OU-07]`` is that of beta_g, a comma and OU-07.
    """
    name, bracket, rest = str(label).partition("[")
    places = rest.removesuffix("]")
    if name in _OF_EFFECTS and bracket:
        effects = sorted(places.split(", "))
        if set(effects) <= set(_EFFECTS):
            return f"${_OF_EFFECTS[name] % ''.join(_EFFECTS[one] for one in effects)}$"
    if name not in SYMBOLS:
        return plain(label)
    shown = f"${SYMBOLS[name]}$"
    return f"{shown}, {plain(places)}" if bracket else shown
