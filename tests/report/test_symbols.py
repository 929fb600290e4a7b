"""Scalars in figures: the book's symbols for the book's names, and other people's as they are."""

from io import BytesIO

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from oulib import report
from oulib.model.draws.names import NAMES
from oulib.report.style import use_style
from oulib.report.symbols import SYMBOLS, symbol

ELEMENTS = [
    "sigma_ou[trend]",
    "sigma_site[alpha]",
    "corr_ou[beta, alpha]",
    "corr_site[alpha, beta]",
]


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("mu_beta", r"$\mu_\beta$"),
        ("sigma_ou[beta]", r"$\sigma_{\beta}$"),
        ("sigma_site[beta]", r"$\sigma_{\mathrm{site},\beta}$"),
        ("corr_ou[beta, alpha]", r"$C_{\alpha\beta}$"),
        ("beta[OU-07]", r"$\beta_g$, OU-07"),
        ("beta[Ward [B], $5]", r"$\beta_g$, Ward [B], \$5"),
        ("lam[2024-03]", r"$\lambda_t$, 2024-03"),
        ("my_effect", "my_effect"),
        ("sigma_ou[mood]", r"$\sigma_{\mathrm{ou}}$, mood"),
        ("corr_ou[mood, alpha]", "corr_ou[mood, alpha]"),
        ("price in $", r"price in \$"),
    ],
)
def test_a_scalar_is_shown_by_its_symbol(label: str, shown: str):
    assert symbol(label) == shown


@pytest.mark.filterwarnings("error")
def test_every_name_has_a_symbol_that_can_be_drawn():
    names = [name for name in NAMES if not name.startswith("corr")]
    assert [name for name in names if name not in SYMBOLS] == []
    with mpl.rc_context():
        use_style()
        fig, ax = plt.subplots()
        shown = [symbol(label) for label in (*SYMBOLS, *ELEMENTS)]
        assert all(text.startswith("$") for text in shown)
        ax.set_yticks(range(len(shown)), shown)
        fig.savefig(BytesIO())
        plt.close(fig)


def test_prior_and_posterior_are_titled_by_symbols():
    draws = {name: np.linspace(0, 1, 50) for name in ("sigma_ou[beta]", "own_name")}
    fig = report.posterior_against_prior(draws, {})
    assert [ax.get_title() for ax in fig.axes][:2] == [r"$\sigma_{\beta}$", "own_name"]
    plt.close(fig)
