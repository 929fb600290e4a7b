"""The second gate: statistics against independent computations, and what it lets pass."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

import oulib
from oulib import BASELINE, ROBUST, Sampling, adequacy, chapter, hijacks, simulate, words
from oulib.adequacy import ADEQUACY, ANSWERS, _conflicts, _statistics, held, two_way
from oulib.checks import Verdict, check, sampled
from oulib.diagnostics import Check
from oulib.fit import Fit
from oulib.panel import Panel

SIZE = {"n_ou": 30, "n_site": 5, "n_month": 30, "wave_every": 6}


@pytest.fixture(scope="module")
def gappy() -> Panel:
    """Some rows are missing, and some outcomes."""
    panel = simulate("baseline", n_ou=6, n_site=2, n_month=9, wave_every=2, seed=3)
    y = panel.rows["y"].to_numpy().copy()
    y[[4, 17]] = np.nan
    rows = panel.rows.assign(y=("row", y))
    return replace(panel, rows=rows.isel(row=np.delete(np.arange(y.size), [2, 30, 31])))


@pytest.fixture(scope="module")
def outcomes(gappy: Panel) -> np.ndarray:
    y = gappy.rows["y"].to_numpy()
    other = np.random.default_rng(1).standard_t(4, y.size)
    return np.stack([y, np.where(np.isfinite(y), other, np.nan)])


def test_residuals_are_those_of_two_way_means(gappy: Panel, outcomes: np.ndarray) -> None:
    left = two_way(gappy, outcomes)
    for values, grid in zip(outcomes, left, strict=True):
        rows = gappy.rows.assign(y=("row", values))
        expected = hijacks.residuals(replace(gappy, rows=rows))
        np.testing.assert_allclose(grid, expected, atol=1e-7)


def test_statistics_of_outcomes(gappy: Panel, outcomes: np.ndarray) -> None:
    found = _statistics(gappy, outcomes)
    for k, grid in enumerate(two_way(gappy, outcomes)):
        series = list(grid)
        scale = [np.sqrt(np.nanmean(row**2)) for row in series]
        z = [row / s for row, s in zip(series, scale, strict=True)]
        pairs = [(a * b)[np.isfinite(a * b)] for a, b in ((row[1:], row[:-1]) for row in z)]
        persistence = np.concatenate(pairs).mean()
        walks = []
        for row in z:
            steps = row[np.isfinite(row)]
            walks.append(max(abs(steps.cumsum())) / np.sqrt(steps.size))
        values = np.linalg.svd(np.nan_to_num(z), compute_uv=False) ** 2
        expected = {
            "persistence": persistence,
            "noise": np.std(np.log(scale)),
            "factor": values[0] / values.sum(),
            "tails": np.mean([np.nanmean(row**4) for row in z]),
            "drift": np.mean(walks),
        }
        for name, value in expected.items():
            assert found[name][0][k] == pytest.approx(value, rel=1e-6), name


def test_surveys_against_slopes_is_a_regression(gappy: Panel, outcomes: np.ndarray) -> None:
    """Weighted least squares of the residuals, with an intercept of each OU."""
    rng = np.random.default_rng(2)
    rows = gappy.rows.sizes["row"]

    def some(values: np.ndarray) -> xr.DataArray:
        return xr.DataArray(values, dims=("chain", "draw", "row"))

    draw = {name: some(rng.normal(size=(1, 2, rows))) for name in ("intercept", "beta", "mean")}
    spread = some(rng.uniform(0.5, 2.0, size=(1, 2, rows)))
    found = _conflicts(gappy, SimpleNamespace(**draw, spread=spread), outcomes)
    seen = gappy.survey_rows[np.isfinite(outcomes[0, gappy.survey_rows])]
    ou = gappy.rows["ou_idx"].to_numpy()[seen]
    for k in range(2):
        at = {name: values.to_numpy()[0, k, seen] for name, values in draw.items()}
        left = outcomes[k, seen] - at["intercept"] - at["beta"] * at["mean"]
        weight = 1 / spread.to_numpy()[0, k, seen]
        root, squares = np.sqrt(weight), []
        noise = np.bincount(ou, weight * left**2) / np.bincount(ou)
        unequal = np.average((noise - 1) ** 2, weights=np.bincount(ou))
        assert found["surveyed"][0][k] == pytest.approx(unequal, rel=1e-10)
        dummies = np.eye(len(gappy.ous))[ou]
        for g in range(len(gappy.ous)):
            own = ou == g
            if own.sum() < 2:
                continue
            design = np.stack([np.ones(own.sum()), at["mean"][own]], axis=1) * root[own, None]
            covariance = np.linalg.inv(design.T @ design)
            slope = covariance @ design.T @ (left[own] * root[own])
            squares.append(slope[1] ** 2 / covariance[1, 1])
        assert found["slopes"][0][k] == pytest.approx(max(squares), rel=1e-8)
        design = np.column_stack([dummies, at["mean"]]) * root[:, None]
        design = design[:, np.abs(design).sum(axis=0) > 0]
        covariance = np.linalg.inv(design.T @ design)
        slope = covariance @ design.T @ (left * root)
        pooled = abs(slope[-1]) / np.sqrt(covariance[-1, -1])
        assert found["average"][0][k] == pytest.approx(pooled, rel=1e-8)


def test_a_panel_too_small_for_a_check_has_none() -> None:
    panel = simulate("baseline", n_ou=2, n_site=2, n_month=6, wave_every=6, seed=1)
    found = _statistics(panel, panel.rows["y"].to_numpy()[None])
    assert all(np.isnan(pooled).all() for pooled, _ in found.values())


# --- what it lets pass


def fitted(panel: Panel, spec: oulib.ModelSpec) -> Fit:
    return oulib.fit(panel, spec, Sampling(draws=500, tune=500, seed=1), progress=False)


@pytest.fixture(scope="module")
def lasting() -> Panel:
    """The baseline gives nine OUs slopes of the wrong sign here, and every chain agrees."""
    return simulate("baseline", **SIZE, seed=2, phi_u=0.9, sigma_u=0.3)


@pytest.fixture(scope="module")
def misled(lasting: Panel) -> Fit:
    return fitted(lasting, BASELINE)


def test_what_bends_slopes_is_seen(misled: Fit) -> None:
    found = {one.name: one for one in adequacy.adequate(misled)}
    assert set(found) == set(ADEQUACY)
    assert not found["persistence"].passed
    assert not found["drift"].passed
    assert "deviations" in found["persistence"].advice


def test_what_describes_the_panel_passes(lasting: Panel) -> None:
    for panel, spec in (
        (lasting, ROBUST),
        (simulate("baseline", **SIZE, seed=53), BASELINE),
    ):
        failed = [one.name for one in adequacy.adequate(fitted(panel, spec)) if not one.passed]
        assert failed == []


def test_what_cannot_bend_a_models_slopes_is_not_asked_of_it(misled: Fit) -> None:
    names = {one.name for one in adequacy.adequate(misled)}
    spec = misled.spec.but(score="expected")
    assert names - {one.name for one in adequacy.adequate(replace(misled, spec=spec))} == {
        "tails",
        "factor",
    }


def test_replicates_are_the_models(misled: Fit) -> None:
    """Held against outcomes that it replicated itself, a fit fails nothing but by chance.

    Where surveys and slopes are compared it may: those slopes were not fitted to these outcomes.
    """
    made = adequacy._replicates(misled, 400, seed=3)
    p = []
    for values in next(iter(made))[2][::100]:
        rows = misled.panel.rows.assign(y=("row", values))
        p.append(held(replace(misled, panel=replace(misled.panel, rows=rows)), draws=100).p)
    found = xr.concat(p, "made").sel(check=["persistence", "noise", "factor", "tails", "drift"])
    assert float(found.min()) > 0.005


# --- the licence


def verdict(*, sampler: bool, model: bool) -> Verdict:
    def one(name: str, passed: bool) -> Check:
        return Check(name=name, value=0.0, threshold=0.005, passed=passed, advice=ANSWERS["noise"])

    return Verdict("m", (one("r_hat", sampler),), (one("noise", model),) if sampler else ())


def test_a_licence_has_two_parts() -> None:
    for sampler, model in ((True, True), (True, False), (False, False)):
        found = verdict(sampler=sampler, model=model)
        said = found.to_dict()
        assert (found.sampled, found.passed) == (sampler, sampler and model)
        assert (said["sampled"], said["adequate"], said["passed"]) == (sampler, model, model)
        assert len(found.failed) == (not sampler) + (sampler and not model)


def test_a_fit_that_was_not_sampled_is_not_held_to_the_second(misled: Fit) -> None:
    strict = oulib.checks.Thresholds(r_hat=0.5)
    assert check(misled, strict).adequacy == ()
    assert not sampled(misled, strict).sampled


def test_red_amber_and_green_are_told_apart() -> None:
    bad, lesson, good = (
        verdict(sampler=a, model=b) for a, b in ((False, False), (True, False), (True, True))
    )
    (text,) = words.failures(lesson)
    assert "unequal noise of OUs" in text
    assert "noise='by_ou'" in text
    assert "lesson" in words.lesson(lesson)
    first = chapter.first_failure
    assert first(good, lesson, bad) is bad
    assert first(good, lesson) is lesson
    assert first(good, good) is good
