"""The whole upgraded model twice: scores integrated out, and scores sampled row by row.

The second is the specification's own joint density in better coordinates, so where both are
sampled well they must agree on everything, the recovered scores included.
"""

from __future__ import annotations

import json

import arviz as az
import numpy as np
import pandas as pd
import pytest

from oulib import UPGRADED, Fit, Sampling, fit, recover_latent, simulate
from oulib.cli import main
from oulib.panel import truth
from oulib.posterior.checks import summarise

pytestmark = pytest.mark.filterwarnings("ignore:Numba will use object mode")

SAMPLING = Sampling(draws=1500, tune=1000, seed=1, target_accept=0.95)


@pytest.fixture(scope="module")
def pair() -> tuple[Fit, Fit]:
    panel = simulate(
        "upgraded",
        n_ou=10,
        n_site=3,
        n_month=20,
        wave_every=2,
        seed=3,
        parameters={"sigma_meas": 2.0},  # away from 0, where both forms slow down
    )
    witness = UPGRADED.but(name="explicit, informed", latent="explicit_informed")
    return fit(panel, UPGRADED, SAMPLING), fit(panel, witness, SAMPLING)


def test_two_forms_have_one_posterior(pair: tuple[Fit, Fit]) -> None:
    ours, theirs = (summarise(result) for result in pair)
    both = ours.join(theirs, how="inner", suffixes=("_a", "_b"))
    both = both[(both["sd_a"] > 0) & (both["ess_bulk_a"] > 300) & (both["ess_bulk_b"] > 300)]
    assert {"mu_beta", "nu", "rho_x", "sigma_site[beta]", "phi_lam", "gamma_x"} <= {*both.index}
    assert len(both) > 0.9 * len(ours)
    error = np.hypot(both["mcse_mean_a"], both["mcse_mean_b"])
    gap = (both["mean_a"] - both["mean_b"]).abs() / error
    # Some hundred means at a time; ESS is itself estimated, so a little slack.
    assert gap.max() < 6, gap.sort_values().tail(3)
    assert gap.median() < 1.2
    np.testing.assert_allclose(both["sd_a"], both["sd_b"], rtol=0.35)


def test_recovered_scores_are_those_sampled(pair: tuple[Fit, Fit]) -> None:
    ours, theirs = (recover_latent(result, seed=1) for result in pair)
    sd = theirs.std(("chain", "draw"))
    gap = abs(ours.mean(("chain", "draw")) - theirs.mean(("chain", "draw"))) / sd
    assert float(gap.max()) < 0.15
    assert float(gap.mean()) < 0.04
    # Rows with many respondents share the noise scale, which the witness samples slowly: their
    # spread is held to its Monte Carlo error.
    error = np.hypot(*(az.mcse(one, method="sd") for one in (ours, theirs)))
    spread = abs(ours.std(("chain", "draw")) - sd) / error
    assert float(spread.max()) < 6
    assert float(spread.median()) < 1.5


def test_the_command_leaves_what_was_designed(pair: tuple[Fit, Fit], tmp_path) -> None:
    panel_file, out = tmp_path / "panel.csv", tmp_path / "fit"
    truth.write(pair[0].panel, panel_file)
    options = ["--draws", "60", "--tune", "60", "--chains", "2"]
    assert main(["fit", str(panel_file), "--model", "upgraded", "--out", str(out), *options]) == 0
    assert {file.name for file in out.iterdir()} == {"fit.nc", "summary.csv", "verdict.json"}
    table = pd.read_csv(out / "summary.csv", index_col=0)
    assert [*table.columns] == [
        *("mean", "sd", "mcse_mean", "q5", "q95", "ess_bulk", "ess_tail", "r_hat")
    ]
    panel = pair[0].panel
    wanted = {f"alpha[{ou}]" for ou in panel.ous} | {f"lam[{month}]" for month in panel.months}
    wanted |= {f"rho_month[{wave}]" for wave in panel.waves} | {"corr_site[alpha, beta]", "nu"}
    wanted |= {f"beta_site[{site}]" for site in panel.sites} | {"sigma_rho_month", "rho_x"}
    assert wanted <= {*table.index}
    assert not [label for label in table.index if "raw" in label or label.startswith("z_")]
    verdict = json.loads((out / "verdict.json").read_text())
    assert verdict["model"] == "upgraded"
    assert "quadrature" in {check["name"] for check in verdict["checks"]}
