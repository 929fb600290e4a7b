"""Refits with rows left out: what they leave out, what they score, that they are fits of the rest.

Sampling is real and small: one compiled Gaussian model serves nearly all of it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from conftest import PRIORS
from scipy.special import logsumexp

from oulib import AR1, BASELINE, STUDENT_T, UPGRADED, Fit, Sampling, UserError, fit, simulate
from oulib.model.build import build_model
from oulib.posterior import checks
from oulib.posterior import leaveout as lo
from oulib.posterior.compare import log_likelihood, loo, outcome_density
from oulib.sampling.compiled import compiled_model, model_key

# Our distributions' draws are NumPy code, which Numba leaves to Python and says so; without a C
# compiler PyTensor says that it fuses fewer loops.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Numba will use object mode"),
    pytest.mark.filterwarnings("ignore:Loop fusion failed"),
]
SMALL = Sampling(draws=500, tune=500, chains=2, seed=3)


@pytest.fixture(scope="module")
def little():
    """8 OUs of 2 sites, 9 months, surveys every other month, a month without rows."""
    whole = simulate("baseline", n_ou=8, n_site=2, n_month=9, wave_every=2, seed=6)
    return whole.select_rows(np.flatnonzero(whole.rows["month_idx"].to_numpy() != 4))


@pytest.fixture(scope="module")
def full(little):
    return fit(little, BASELINE, SMALL)


@pytest.mark.parametrize("spec", [BASELINE, STUDENT_T, AR1, UPGRADED], ids=lambda s: s.name)
def test_outcome_density_is_the_models_own(spec):
    """Of all rows at draws from the prior, against PyMC's pointwise log likelihood."""
    panel = simulate("upgraded", n_ou=6, n_site=2, n_month=9, wave_every=3, seed=5)
    spec = spec.but(priors=PRIORS)
    with build_model(panel, spec):
        prior = pm.sample_prior_predictive(3, random_seed=1)["prior"].to_dataset()
        prior["sigma_y"][:] = 0.4
        tree = xr.DataTree.from_dict({"posterior": prior})
        expected = pm.compute_log_likelihood(tree, progressbar=False)["log_likelihood"]
    result = Fit(panel=panel, spec=spec, sampling=SMALL, tree=tree, key="none")
    rows = np.array([40, 3, 17])
    found = outcome_density(result, panel, rows)
    assert found.dims == ("chain", "draw", "row")
    assert found["row"].to_numpy().tolist() == rows.tolist()
    np.testing.assert_allclose(found, expected["productivity"].isel(row=rows), rtol=0, atol=1e-6)


def test_kept_rows_keep_the_panels_names_and_scale(little):
    rows = little.rows["ou_idx"].to_numpy() != 0
    kept = little.select_rows(np.flatnonzero(rows))
    for name in ("ous", "sites", "months", "waves", "scale"):
        assert getattr(kept, name) == getattr(little, name)
    np.testing.assert_array_equal(kept.rows["y"], little.rows["y"][rows])
    assert kept.fingerprint != little.fingerprint


def kept(panel, which):
    month, ou = (panel.rows[name].to_numpy() for name in ("month_idx", "ou_idx"))
    rows = {"every other": np.arange(ou.size) % 2 == 0, "first": month < 6, "some OUs": ou > 1}
    return panel.select_rows(np.flatnonzero(rows[which]))


@pytest.mark.parametrize("which", ["first", "every other", "some OUs"])
def test_a_compiled_model_serves_other_rows(little, which):
    keys = {
        model_key(build_model(panel, BASELINE), BASELINE) for panel in (little, kept(little, which))
    }
    assert len(keys) == 1


def test_starting_points_do_not_remember_the_panel_before(little):
    """A fit's draws depend on its own panel alone, whatever the compiled model served before."""

    def start(panel):
        return compiled_model(build_model(panel, BASELINE), BASELINE).initial_point_func(1)

    fresh = start(kept(little, "first"))
    other = start(little)
    np.testing.assert_array_equal(start(kept(little, "first")), fresh)
    assert np.any(other != fresh)


def test_an_outcome_left_out_leaves_its_survey_in(little):
    row = int(little.survey_rows[0])
    without = little.without_outcome(np.array([row]))
    model = build_model(without, BASELINE)
    scores = little.rows["x"].to_numpy()[little.survey_rows]
    np.testing.assert_array_equal(model["seen_score"].get_value(), scores)
    scored = model["outcome_idx"].get_value()
    assert scored.tolist() == [i for i in range(little.rows.sizes["row"]) if i != row]
    np.testing.assert_array_equal(model["y"].get_value(), little.rows["y"][scored])


def log_mean(density: np.ndarray) -> float:
    return float(logsumexp(density) - np.log(density.size))


@pytest.fixture(scope="module")
def exact(fitted):
    sampling = Sampling(draws=1000, tune=500, chains=2, seed=3)
    return lo.exact_loo(fitted, sampling=sampling, most=2, threshold=0.0)


def test_exact_loo_refits_the_worst_rows_only(fitted, exact):
    before = loo(fitted)
    k = before.pareto_k.to_numpy()
    worst = sorted(np.argsort(k)[-2:])
    assert len(exact.refits) == 2
    for row, refit in zip(worst, exact.refits, strict=True):
        left_out = np.isnan(refit.panel.rows["y"].to_numpy())
        assert np.flatnonzero(left_out).tolist() == [row]
        scored = outcome_density(refit, fitted.panel, np.array([row])).to_numpy()
        assert float(exact.elpd.elpd_i[row]) == pytest.approx(log_mean(scored))
        assert float(exact.elpd.pareto_k[row]) == 0
    others = np.delete(np.arange(k.size), worst)
    np.testing.assert_array_equal(
        exact.elpd.elpd_i.to_numpy()[others], before.elpd_i.to_numpy()[others]
    )
    assert exact.elpd.elpd == pytest.approx(exact.elpd.elpd_i.to_numpy().sum())


def test_exact_loo_is_near_psis(fitted, exact):
    """Importance sampling has little to do on this panel: its worst k is about 0.7."""
    gap = exact.elpd.elpd_i.to_numpy() - loo(fitted).elpd_i.to_numpy()
    assert np.count_nonzero(gap) == 2
    assert np.abs(gap).max() < 0.5


def test_rows_whose_k_is_fine_are_not_refitted(fitted):
    worst = float(loo(fitted).pareto_k.max())
    assert lo.exact_loo(fitted, threshold=worst).refits == ()


def test_refits_say_how_they_went(exact):
    assert exact.seconds == pytest.approx(sum(sum(r.seconds.values()) for r in exact.refits))
    assert len(exact.verdicts) == len(exact.refits)
    assert 0 <= exact.lengthened <= len(exact.refits)
    assert replace(exact, refits=()).seconds == 0


def test_refits_that_are_too_short_are_drawn_longer_or_refused(fitted):
    """What is read, the density of the row left out, decides; draws that mix badly fail it."""
    short = Sampling(draws=20, tune=100, chains=2, seed=1, target_accept=0.95)
    found = lo.exact_loo(fitted, sampling=short, most=1, threshold=0.0)
    assert found.lengthened == 1
    assert found.refits[0].sampling.draws == "auto"
    assert found.verdicts[0].sampled
    stuck = found.refits[0].tree.copy(deep=True)
    beta = stuck["posterior"]["sigma_y"].copy()
    beta[0] += 1.0  # one chain elsewhere
    stuck["posterior"]["sigma_y"] = beta
    elsewhere = replace(found.refits[0], tree=stuck)
    verdict = checks.read(elsewhere, ["mu_beta"])
    assert [one.name for one in verdict.failed] == ["r_hat"]
    assert verdict.failed[0].threshold == checks.ELSEWHERE
    assert verdict.failed[0].where[0] == "sigma_y"
    own = checks.read(elsewhere, ["sigma_y"])
    assert next(one for one in own.failed if one.name == "r_hat").threshold == 1.01
    drawn = checks.read(found.refits[0], draws=elsewhere.posterior["sigma_y"].rename("read"))
    assert drawn.failed[0].where == ("read",)


@pytest.fixture(scope="module")
def ahead(full):
    return lo.months_ahead(full, months=3)


def test_months_ahead_leaves_out_everything_from_the_month_on(full, ahead):
    panel = full.panel
    label = panel.rows["month"].to_numpy()
    assert ahead.elpd.elpd_i["month"].to_numpy().tolist() == list(panel.months[-3:])
    for value, month, refit in zip(ahead.elpd.elpd_i, panel.months[-3:], ahead.refits, strict=True):
        left = refit.panel.rows["month"].to_numpy()
        assert max(left) < month
        assert left.size == (label < month).sum()
        assert refit.panel.months == panel.months
        rows = np.flatnonzero(label == month)
        joint = outcome_density(refit, panel, rows).sum("row").to_numpy()
        assert float(value) == pytest.approx(log_mean(joint))


def test_a_month_without_rows_is_not_predicted(full):
    """Eight months have rows; the month without any is no place, and is passed over."""
    with pytest.raises(UserError, match="last 8 of 8 months"):
        lo.months_ahead(full, months=8)
    with pytest.raises(UserError, match="between 1 and 7"):
        lo.months_ahead(full, months=0)


def test_forecasts_are_of_the_months_left_out(full, ahead):
    table = lo.forecasts(full, ahead)
    y, label = full.panel.rows["y"].to_numpy(), full.panel.rows["month"].to_numpy()
    assert table.index.tolist() == list(full.panel.months[-3:])
    for month, row in table.iterrows():
        assert row["observed"] == pytest.approx(y[label == month].mean())
        assert row["q5"] < row["q50"] < row["q95"]
    # An independent month has a prior sd of about one, and the OUs' effects are known to less.
    assert table["sd"].between(0.7, 1.7).all()


@pytest.fixture(scope="module")
def folds(full):
    return lo.new_ous(full, folds=2)


def test_new_ous_scores_ous_that_the_fit_has_not_seen(full, folds):
    panel = full.panel
    ou = panel.rows["ou_idx"].to_numpy()
    fold = lo.ou_folds(panel, 2, seed=SMALL.seed)
    assert folds.elpd.elpd_i["ou"].to_numpy().tolist() == list(panel.ous)
    assert len(folds.refits) == 2
    for number, refit in enumerate(folds.refits, start=1):
        unseen = np.flatnonzero(fold == number)
        assert not np.isin(refit.panel.rows["ou_idx"], unseen).any()
        assert refit.panel.rows.sizes["row"] == (~np.isin(ou, unseen)).sum()
        for g in unseen:
            density = outcome_density(refit, panel, np.flatnonzero(ou == g)).to_numpy()
            expected = sum(log_mean(density[..., i]) for i in range(density.shape[-1]))
            assert float(folds.elpd.elpd_i[g]) == pytest.approx(expected)
    in_sample = [log_mean(log_likelihood(full).to_numpy()[..., i]) for i in range(ou.size)]
    assert folds.elpd.elpd < sum(in_sample)


@pytest.mark.parametrize(
    ("n_ou", "n_site", "n_fold"), [(12, 3, 4), (11, 4, 3), (6, 6, 2), (5, 1, 5)]
)
def test_folds_are_balanced_over_sites(n_ou, n_site, n_fold):
    panel = simulate("baseline", n_ou=n_ou, n_site=n_site, n_month=6, wave_every=2, seed=1)
    fold = lo.ou_folds(panel, n_fold, seed=1)
    assert set(fold) == set(range(1, n_fold + 1))
    sizes = np.bincount(fold)[1:]
    assert sizes.max() - sizes.min() <= 1
    for site in range(n_site):
        of_site = np.bincount(fold[panel.site_idx == site], minlength=n_fold + 1)[1:]
        assert of_site.max() - of_site.min() <= 1
    if n_site > 1 and n_ou > n_fold:
        assert (fold != lo.ou_folds(panel, n_fold, seed=2)).any()


def test_more_folds_than_ous_are_refused(full):
    for folds in (1, 9):
        with pytest.raises(UserError, match=f"8 OUs cannot be left out in {folds} parts"):
            lo.new_ous(full, folds=folds)
