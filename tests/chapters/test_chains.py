"""Chains made on purpose: what they are made to show, and the diagnostics against ArviZ's."""

from __future__ import annotations

import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from oulib.chapters.chains import analysis, figures, sentences


@pytest.mark.parametrize("made", [analysis.mixing, analysis.elsewhere, analysis.drifting])
def test_diagnostics_are_those_of_arviz(made: object) -> None:
    draws = made()  # type: ignore[operator]
    assert draws.dims == ("chain", "draw")
    found = analysis.diagnose(draws)
    values = draws.to_numpy()
    assert (found.chains, found.draws) == (values.shape[0], values.size)
    assert found.r_hat == pytest.approx(float(az.rhat(values)), rel=1e-6)
    assert found.ess_bulk == pytest.approx(float(az.ess(values, method="bulk")), rel=1e-4)
    tail = float(az.ess(values, method="tail", prob=(0.05, 0.95)))
    assert found.ess_tail == pytest.approx(tail, rel=1e-4)


def test_chains_fail_as_they_are_made_to() -> None:
    good, stuck, slow = (
        analysis.diagnose(made())
        for made in (analysis.mixing, analysis.elsewhere, analysis.drifting)
    )
    assert good.least == 400
    assert good.agree
    assert good.enough
    assert stuck.r_hat > 1.2
    assert not stuck.enough
    assert not slow.enough
    assert 1.01 < slow.r_hat < stuck.r_hat
    assert "within the limit of 1.01" in sentences.diagnosis(good)
    assert sentences.diagnosis(good).endswith("asks for 400 of each, and gets them.")
    assert "above the limit of 1.01" in sentences.diagnosis(stuck)
    assert "does not get them" in sentences.diagnosis(slow)


def test_four_times_the_draws_are_worth_four_times_as_much() -> None:
    short, long = (analysis.diagnose(analysis.drifting(draws)).ess_bulk for draws in (4000, 16_000))
    assert long / short == pytest.approx(4, rel=0.3)
    assert short == pytest.approx(16_000 * (1 - 0.98) / (1 + 0.98), rel=0.3)


def test_a_gradient_is_that_of_its_density() -> None:
    at = np.random.default_rng(0).standard_normal((3, 5))
    step = 1e-6 * np.eye(5)
    wanted = np.column_stack(
        [(analysis.log_density(at + one) - analysis.log_density(at - one)) / 2e-6 for one in step]
    )
    np.testing.assert_allclose(analysis.gradient(at), wanted, rtol=1e-5, atol=1e-6)


def test_small_steps_reach_the_neck_and_the_pages_do_not() -> None:
    """The sampler is right where its steps are short enough: it draws from the funnel."""
    right = analysis.by_leapfrog(2000, effects=1, step=0.05, steps=60, seed=1)
    scale = right.log_scale.to_numpy()
    assert scale.std() == pytest.approx(analysis.SD, rel=0.25)
    assert 0.04 < right.in_neck < 0.2
    ratio = right.effect.to_numpy() / np.exp(scale)
    assert ratio.std() == pytest.approx(1, rel=0.1)
    page = analysis.by_leapfrog()
    assert page.in_neck < 0.02
    assert page.diverged > 20
    exact = analysis.by_deviates()
    assert exact.in_neck == pytest.approx(0.1, abs=0.02)
    assert exact.diverged == 0
    assert "No transition diverged" in sentences.neck(exact)
    assert sentences.neck(page).endswith(f"{page.diverged} transitions diverged.")


def test_figures_are_drawn() -> None:
    chains = figures.chains(analysis.mixing(100), "log $x$")
    assert len(chains.axes) == 2
    assert len(chains.axes[0].lines) == analysis.CHAINS
    one = xr.DataArray([[0.0, 1.0]], dims=("chain", "draw"))
    funnel = analysis.Funnel(one, one, one > 0)
    axes = figures.funnels({"a": funnel, "b": funnel}).axes
    assert [len(line.get_xdata()) for line in axes[0].lines] == [2, 1]
    plt.close("all")
