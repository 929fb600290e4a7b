"""Posteriors of a small panel: two forms of one model, the latent scores, and the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import reference_densities
from conftest import parameters_at

from oulib import check, recover_latent
from oulib.model.draws.names import NAMES
from oulib.posterior.checks import summarise
from oulib.posterior.compare import outcome_density
from oulib.posterior.latent import conditional
from oulib.posterior.predict import regenerate, replicate

SIGMAS = 5  # of the combined Monte Carlo error; some 170 scalars are compared at a time


def mean_and_error(draws):
    """Mean and its Monte Carlo standard error by batches, per scalar of (chain, draw, ...)."""
    chain, draw = draws.shape[:2]
    n_batch = 20
    cut = draws[:, : draw // n_batch * n_batch]
    batches = cut.reshape(chain * n_batch, -1, *draws.shape[2:]).mean(axis=1)
    return draws.mean(axis=(0, 1)), batches.std(axis=0, ddof=1) / np.sqrt(len(batches))


def test_gate_passes_on_data_that_follow_the_model(fitted):
    verdict = check(fitted)
    assert verdict.passed, verdict.to_frame().to_string()


def test_integrated_and_informed_forms_have_one_posterior(fitted, informed):
    """Every public scalar's mean, and the mean of its square, within Monte Carlo error."""
    shared = [name for name in NAMES if name in fitted.posterior and name in informed.posterior]
    assert {"mu_beta", "sigma_ou", "corr_ou", "alpha", "beta", "lam", "tau", "sigma_meas"} <= {
        *shared
    }
    for power in (1, 2):
        for name in shared:
            ours, theirs = (f.posterior[name].to_numpy() ** power for f in (fitted, informed))
            (mean, error), (witness, its_error) = mean_and_error(ours), mean_and_error(theirs)
            allowed = SIGMAS * np.hypot(error, its_error) + 1e-12
            assert np.all(np.abs(mean - witness) <= allowed), (name, power)


def test_recovered_scores_are_those_sampled_explicitly(fitted, informed):
    ours, theirs = recover_latent(fitted), recover_latent(informed)
    assert ours.dims == theirs.dims == ("chain", "draw", "row")
    assert theirs.equals(informed.posterior["x_star"])
    for power in (1, 2):
        mean, error = mean_and_error(ours.to_numpy() ** power)
        witness, its_error = mean_and_error(theirs.to_numpy() ** power)
        assert np.all(np.abs(mean - witness) <= SIGMAS * np.hypot(error, its_error))
    # The sd's, too, and not only within an error that may be wide.
    np.testing.assert_allclose(
        ours.std(("chain", "draw")), theirs.std(("chain", "draw")), rtol=0.12
    )


@pytest.mark.parametrize("outcome", [True, False])
@pytest.mark.parametrize(("chain", "draw"), [(0, 0), (1, 400), (3, 999)])
def test_conditional_of_the_scores_is_the_normalised_product(fitted, chain, draw, outcome):
    """Mean and sd against a dense grid, row by row, at single posterior draws."""
    rows = reference_densities.Rows(parameters_at(fitted, chain, draw), fitted.panel.rows)
    mean, sd = rows.moments(rows.joint if outcome else rows.survey_alone)
    given = conditional(fitted, outcome=outcome).isel(chain=chain, draw=draw)
    np.testing.assert_allclose(given["mean"], mean, rtol=0, atol=1e-7)
    np.testing.assert_allclose(given["sd"], sd, rtol=1e-6)


def test_recovered_scores_are_draws_from_that_conditional(fitted):
    given = conditional(fitted)
    drawn = recover_latent(fitted, seed=3)
    z = ((drawn - given["mean"]) / given["sd"]).to_numpy()
    n = z.size
    assert abs(z.mean()) < 5 / np.sqrt(n)
    assert abs(z.var() - 1) < 5 * np.sqrt(2 / n)
    # Rows are conditionally independent, and so are draws.
    flat = z.reshape(-1, z.shape[-1])
    correlation = np.corrcoef(flat.T) - np.eye(flat.shape[1])
    assert np.abs(correlation).max() < 6 / np.sqrt(len(flat))


def test_scores_of_some_rows_are_those_rows(fitted, informed):
    rows = np.array([5, 0, 100])
    for fit in (fitted, informed):
        some = recover_latent(fit, rows=rows)
        assert some.sizes["row"] == 3
        whole = recover_latent(fit).mean(("chain", "draw")).to_numpy()[rows]
        spread = some.std(("chain", "draw")).to_numpy() / 20
        assert np.all(np.abs(some.mean(("chain", "draw")).to_numpy() - whole) < spread)
    picked = conditional(fitted, rows=rows)["mean"].to_numpy()
    np.testing.assert_allclose(picked, conditional(fitted)["mean"].to_numpy()[..., rows])


def test_seed_of_the_recovered_scores(fitted):
    first, again, other = (recover_latent(fitted, seed=s) for s in (7, 7, 8))
    assert first.equals(again)
    assert not first.equals(other)


def test_more_respondents_tie_a_score_more_closely_to_its_survey(fitted):
    """Spec 5: the collapse; sd below both the survey's own noise and the prior's."""
    given = conditional(fitted, outcome=False)["sd"].to_numpy()
    seen = fitted.panel.survey_rows
    n = fitted.panel.rows["respondents"].to_numpy()[seen]
    sigma_x = fitted.posterior["sigma_x"].to_numpy()[..., None]
    noise = fitted.posterior["sigma_meas"].to_numpy()[..., None] / np.sqrt(n)
    assert np.all(given[..., seen] <= np.minimum(noise, sigma_x) * (1 + 1e-12))
    unseen = np.setdiff1d(np.arange(given.shape[-1]), seen)
    np.testing.assert_allclose(
        given[..., unseen], np.broadcast_to(sigma_x, given[..., unseen].shape)
    )


def test_truth_is_covered(fitted, panel):
    """90% intervals of one panel's parameters: not exactly 90% of them, but no wild share."""
    table, truth = summarise(fitted), panel.truth
    inside = []
    for name in ("alpha", "beta", "mu_x_ou", "lam", "tau"):
        dim = "month" if name in ("lam", "tau") else "ou"
        for label in truth[dim].to_numpy():
            row = table.loc[f"{name}[{label}]"]
            inside.append(row["q5"] <= float(truth[name].sel({dim: label})) <= row["q95"])
    assert np.mean(inside) >= 0.75
    for name in ("mu_alpha", "mu_beta", "mu_x", "sigma_mu_x", "sigma_x", "sigma_meas", "sigma_y"):
        row = table.loc[name]
        assert abs(row["mean"] - float(truth[name])) < 4 * row["sd"], name
    x_star = recover_latent(fitted)
    low, high = (x_star.quantile(q, ("chain", "draw")).to_numpy() for q in (0.05, 0.95))
    truth_inside = (low <= truth["x_star"].to_numpy()) & (truth["x_star"].to_numpy() <= high)
    assert 0.8 <= truth_inside.mean() <= 0.98


def test_a_panel_without_a_schedule_has_the_same_densities(fitted) -> None:
    panel = fitted.panel
    bare = replace(panel, rows=panel.rows.drop_vars("scheduled"), waves=())
    rows = np.arange(panel.rows.sizes["row"])
    one, other = (outcome_density(fitted, p, rows) for p in (panel, bare))
    np.testing.assert_array_equal(one, other)
    again = replace(fitted, panel=bare)
    assert np.isfinite(recover_latent(again, draws=20)).all()
    assert np.isfinite(regenerate(again, draws=20)["productivity"]).all()
    assert np.isfinite(replicate(again, draws=20)["productivity"]).all()
