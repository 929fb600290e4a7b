"""What months know about each other: the movement, its sentences at both outcomes, its figure."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot as plt

from oulib import AR1, STUDENT_T, Fit, Sampling, chapters, simulate
from oulib.chapters.ar1.analysis import (
    gaps,
    known_share,
    movement,
    sides,
    spread,
)
from oulib.panel.describe import month_autocorrelation, month_means
from oulib.posterior import latent
from oulib.posterior.estimate import against_replicates, update

SAMPLES = ("chain", "draw")
MONTHS = 24
WAVES = np.arange(MONTHS) % 6 == 5


def draws_around(mean: np.ndarray, sd: np.ndarray | float) -> xr.DataArray:
    rng = np.random.default_rng(2)
    values = mean + sd * rng.standard_normal((2, 500, mean.size))
    months = [f"2024-{i:02d}" for i in range(mean.size)]
    return xr.DataArray(values, dims=(*SAMPLES, "month"), coords={"month": months})


def test_the_common_movement_uses_the_size_that_was_learned_or_fixed() -> None:
    panel = simulate("upgraded", n_ou=4, n_site=2, n_month=9, wave_every=3, seed=1)
    posterior = xr.Dataset(
        {"tau": ((*SAMPLES, "month"), np.ones((1, 2, 9))), "gamma_x": (SAMPLES, [[0.5, 0.7]])}
    )

    def fit_of(spec, values: xr.Dataset) -> Fit:
        return Fit(panel, spec, Sampling(), xr.DataTree.from_dict({"posterior": values}), "")

    learned = latent.common_movement(fit_of(AR1, posterior))
    np.testing.assert_allclose(learned.isel(month=0), [[0.5, 0.7]])
    fixed = latent.common_movement(fit_of(STUDENT_T, posterior.drop_vars("gamma_x")))
    np.testing.assert_allclose(fixed, 0.2)


def test_persistence_in_words() -> None:
    rng = np.random.default_rng(0)
    prior = rng.uniform(-1, 1, 4000)

    def say(phi: np.ndarray) -> str:
        return chapters.ar1.sentences.persistent(r"$\phi$", "the months", update(phi, prior))

    strong = say(np.clip(rng.normal(0.84, 0.05, 4000), -0.99, 0.99))
    assert "strong evidence of persistence in the months" in strong
    assert "after 4.0 months" in strong
    assert "little evidence of persistence in the months." in say(rng.normal(0.1, 0.2, 4000))
    assert "has room for much of it" in say(rng.normal(0.1, 0.4, 4000))
    assert "alternate" in say(rng.normal(-0.7, 0.1, 4000))
    assert "weak indications of persistence" in say(rng.normal(0.3, 0.24, 4000))
    led = say(rng.uniform(-0.9, 1, 4000))
    assert "mostly the prior" in led
    assert "strong" not in led


def test_sizes_in_words() -> None:
    rng = np.random.default_rng(0)
    months = rng.standard_normal(36)
    months = (months - months.mean()) / months.std(ddof=1)

    def paths(scale: float) -> xr.DataArray:
        draws = scale * (1 + 0.05 * rng.standard_normal((4, 1000, 1))) * months
        return xr.DataArray(draws, dims=(*SAMPLES, "month"))

    assert "less than the baseline" in chapters.ar1.sentences.scale_of_months(spread(paths(0.3)))
    assert "more than the baseline" in chapters.ar1.sentences.scale_of_months(spread(paths(2.0)))
    text = chapters.ar1.sentences.scale_of_months(spread(paths(1.0)))
    assert "standard deviation of 1.0" in text
    assert "compatible" in text

    prior = np.abs(rng.normal(0, 0.3, 4000))

    def say(mean: float, sd: float) -> str:
        gamma_x = xr.DataArray(np.abs(rng.normal(mean, sd, (4, 1000))), dims=SAMPLES)
        drawn = xr.Dataset({"gamma_x": gamma_x, "tau": paths(1.0)})
        return chapters.ar1.sentences.size_of_movement(movement(drawn, prior, 0.2))

    assert "more of a common movement" in say(0.5, 0.05)
    assert "less of a common movement" in say(0.1, 0.02)
    assert "is compatible with the data" in say(0.2, 0.05)
    assert "mostly the prior" in say(0.0, 0.29)


@pytest.mark.parametrize("phi", [0.85, 0.95, 0.98])
def test_months_as_the_baseline_has_them_are_not_called_larger(phi: float) -> None:
    """A path of AR(1) months less its mean, with the spread of independent ones over the panel.

    In the long run its sd would be 1.2 to 2.6.
    """
    rng = np.random.default_rng(1)
    path = np.empty((4000, 36))
    path[:, 0] = rng.standard_normal(4000)
    for t in range(1, 36):
        path[:, t] = phi * path[:, t - 1] + np.sqrt(1 - phi**2) * rng.standard_normal(4000)
    path -= path.mean(axis=1, keepdims=True)
    path /= path.std(axis=1, ddof=1, keepdims=True)
    lam = xr.DataArray(path.reshape(4, 1000, 36), dims=(*SAMPLES, "month"))
    assert "compatible" in chapters.ar1.sentences.scale_of_months(spread(lam))


def chains(*centres: float) -> xr.DataArray:
    rng = np.random.default_rng(0)
    return xr.DataArray([rng.normal(c, 0.1, 300) for c in centres], dims=SAMPLES)


def test_a_signed_size_in_words() -> None:
    text = chapters.ar1.sentences.one_sign(sides(chains(0.7, -0.7, 0.7, 0.7)), 1.8)
    assert "positive in 3 of 4 chains and negative in 1" in text
    assert "mirror image, so nothing in the data can decide" in text
    assert "By chance all chains" in chapters.ar1.sentences.one_sign(sides(chains(0.7, 0.7)), 1.0)
    assert "cross between" in chapters.ar1.sentences.one_sign(sides(chains(0.01, -0.01)), 1.1)


def test_gaps_in_words() -> None:
    path = np.sin(np.arange(MONTHS) / 3)
    vague, sharp = draws_around(0 * path, 0.2), draws_around(path, 0.1)

    def say(one: xr.DataArray, other: xr.DataArray, truth: np.ndarray | None = None) -> str:
        both = (gaps(movement, WAVES, truth) for movement in (one, other))
        return chapters.ar1.sentences.between_waves(*both)

    text = say(vague, sharp)
    assert "In the 20 months without any survey" in text
    assert "of 0.199 with independent months and of 0.1" in text
    assert "say something about the months in it" in text
    assert "truth" not in text
    with_truth = say(vague, sharp, path)
    assert "Against the truth the posterior means err by" in with_truth
    assert "little evidence that persistence helps" in say(vague, vague)
    assert "claims to know less" in say(sharp, vague)
    none = gaps(vague, np.ones(MONTHS, dtype=bool))
    assert "no gap" in chapters.ar1.sentences.between_waves(none, none)


def test_gaps_are_of_months_without_surveys() -> None:
    path = np.sin(np.arange(MONTHS) / 3)
    found = gaps(draws_around(path, 0.1 + WAVES), WAVES, path + 0.3 + WAVES)
    assert found.months == 20
    assert found.sd == pytest.approx(0.1, rel=0.05)
    assert found.error == pytest.approx(0.3, abs=0.01)
    assert np.isnan(gaps(draws_around(path, 0.1), WAVES).error)


def test_chains_are_counted_by_side() -> None:
    found = sides(chains(0.7, -0.7, 0.7, 0.01))
    assert (found.chains, found.above, found.below, found.settled) == (4, 3, 1, 3)


def test_spread_is_of_a_path_against_independent_months() -> None:
    path = np.array([-1.0, 0.0, 1.0])
    found = spread(draws_around(path, 0.0), fixed=0.5)
    assert found.sd.median == pytest.approx(1.0)
    assert (found.least, found.most) == pytest.approx(
        tuple(0.5 * np.sqrt(-np.log([0.95, 0.05])))  # chi squared with two degrees of freedom
    )


def test_the_known_share_runs_from_none_to_all() -> None:
    movement, gap = np.sin(np.arange(MONTHS) / 3), np.flatnonzero(~WAVES)
    assert known_share(draws_around(0 * movement, 1.0), gap) < 0.01
    assert known_share(draws_around(movement, 0.01), gap) > 0.99
    assert known_share(draws_around(0 * movement, 0.0), gap) == 0
    half = known_share(draws_around(np.ones(MONTHS), 1.0), gap)
    assert half == pytest.approx(0.5, abs=0.02)


def test_autocorrelation_is_judged_against_replicates() -> None:
    replicated = np.linspace(-0.3, 0.4, 200)

    def say(model: str, observed: float) -> str:
        found = against_replicates(observed, replicated)
        return chapters.ar1.sentences.autocorrelation_check(model, found)

    assert "does not expect" in say("m", 0.8)
    assert "ordinary" in say("m", 0.1)
    assert "more alike than they are" in say("m", -0.7)
    assert "too few" in say("m", float("nan"))


def test_months_are_drawn_beside_their_neighbours() -> None:
    panel = simulate("upgraded", n_ou=4, n_site=2, n_month=9, wave_every=3, seed=1)
    means = month_means(panel)
    month, y = panel.rows["month_idx"].to_numpy(), panel.rows["y"].to_numpy()
    np.testing.assert_allclose(means, [y[month == t].mean() for t in range(9)])
    assert month_autocorrelation(panel) == pytest.approx(np.corrcoef(means[1:], means[:-1])[0, 1])
    means = np.where(np.arange(9) == 4, np.nan, means)  # a month without any row
    left, right = chapters.ar1.figures.neighbours(means, panel.months).axes
    np.testing.assert_array_equal(left.lines[-1].get_ydata(), means)
    before, after = right.lines[-1].get_data()
    np.testing.assert_array_equal((before[5:], after[5:]), (means[5:-1], means[6:]))
    assert chapters.ar1.figures.neighbours(means[:1], panel.months[:1]).axes
    plt.close("all")


def test_the_figure_has_a_panel_for_each_model() -> None:
    movement = np.sin(np.arange(MONTHS) / 3)
    both = {"independent": draws_around(movement, 0.2), "AR(1)": draws_around(movement, 0.1)}
    fig = chapters.ar1.figures.common_movement(both, WAVES, movement)
    assert [ax.get_title() for ax in fig.axes] == ["independent", "AR(1)"]
    labels = [t.get_text() for t in fig.legends[0].get_texts()]
    assert labels == ["90%", "50%", "median", "truth", "month with surveys"]
    marks = [line for line in fig.axes[0].lines if line.get_label() == "month with surveys"]
    assert list(marks[0].get_xdata()) == list(np.flatnonzero(WAVES))
    without = chapters.ar1.figures.common_movement(both, WAVES)
    assert "truth" not in [t.get_text() for t in without.legends[0].get_texts()]
    plt.close("all")
