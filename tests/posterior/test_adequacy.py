"""The second gate: statistics against independent computations, and what it lets pass."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

import oulib
from oulib import BASELINE, ROBUST, Sampling, report, simulate
from oulib.panel import Panel
from oulib.posterior import adequacy, checks
from oulib.posterior.adequacy import (
    ANSWERS,
    REPLICATED,
    _conflicts,
    _statistics,
    answer,
    held,
    two_way,
)
from oulib.posterior.checks import Verdict, check, sampled
from oulib.report import chapter
from oulib.sampling.diagnostics import Check, Thresholds
from oulib.sampling.fit import Fit

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


def test_residuals_are_those_of_a_regression_on_ous_and_months(
    gappy: Panel, outcomes: np.ndarray
) -> None:
    ou, month = (gappy.rows[name].to_numpy() for name in ("ou_idx", "month_idx"))
    design = np.column_stack([np.eye(len(gappy.ous))[ou], np.eye(len(gappy.months))[month]])
    for values, grid in zip(outcomes, two_way(gappy, outcomes), strict=True):
        seen = np.isfinite(values)
        coefficients, *_ = np.linalg.lstsq(design[seen], values[seen], rcond=None)
        expected = np.full(grid.shape, np.nan)
        expected[ou[seen], month[seen]] = values[seen] - design[seen] @ coefficients
        np.testing.assert_allclose(grid, expected, atol=1e-6)


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
    assert set(found) == set(REPLICATED)
    assert not found["persistence"].passed
    assert not found["drift"].passed
    assert "deviations" in found["persistence"].advice


def test_what_describes_the_panel_passes(lasting: Panel, sound: Fit) -> None:
    for fit in (fitted(lasting, ROBUST), sound):
        assert [one.name for one in adequacy.adequate(fit) if not one.passed] == []


def test_what_cannot_bend_a_models_slopes_is_not_asked_of_it(misled: Fit) -> None:
    names = {one.name for one in adequacy.adequate(misled)}
    spec = misled.spec.but(score="expected")
    assert names - {one.name for one in adequacy.adequate(replace(misled, spec=spec))} == {
        "tails",
        "factor",
    }


def test_replicates_are_the_models(misled: Fit) -> None:
    """Held against outcomes that it replicated itself, a fit is as extreme as chance has it.

    Where surveys and slopes are compared it is not: those slopes were not fitted to these outcomes.
    """
    made = next(iter(adequacy._replicates(misled, 400, seed=3)))[2]
    p = []
    for values in made[:: len(made) // 16]:
        rows = misled.panel.rows.assign(y=("row", values))
        p.append(held(replace(misled, panel=replace(misled.panel, rows=rows)), draws=100).p)
    found = xr.concat(p, "made").sel(check=["persistence", "noise", "factor", "tails", "drift"])
    assert ((found.mean("made") > 0.2) & (found.mean("made") < 0.8)).all()  # uniform: 0.5 (0.07)


@pytest.fixture(scope="module")
def sound() -> Fit:
    return fitted(simulate("baseline", **SIZE, seed=53), BASELINE)


@pytest.mark.parametrize("name", REPLICATED)
def test_every_check_sees_what_it_is_for(sound: Fit, name: str) -> None:
    """What it is for is added to the outcomes, and the slopes are left as they were."""
    panel, rng = sound.panel, np.random.default_rng(5)
    ou, month = (panel.rows[each].to_numpy() for each in ("ou_idx", "month_idx"))
    x, y = panel.rows["x"].to_numpy(), panel.rows["y"].to_numpy()
    ous, months = len(panel.ous), len(panel.months)
    surveyed, sd = np.isfinite(x), float(sound.posterior["sigma_y"].mean())
    odd = rng.permutation(ous) < ous // 3
    noise = sd * rng.standard_normal(y.size)
    grid = {
        "persistence": 2 * sd * np.repeat(rng.standard_normal((ous, months // 3)), 3, axis=1),
        "factor": 3 * sd * np.outer(rng.standard_normal(ous), rng.standard_normal(months)),
        "drift": 3 * sd * np.outer(rng.standard_normal(ous), np.arange(months) > months // 2),
    }
    added = {
        "noise": 4 * noise * odd[ou],
        "surveyed": 6 * noise * odd[ou] * surveyed,
        "tails": 12 * sd * (rng.random(y.size) < 0.02),
        "slopes": -4 * np.nan_to_num(x) * (ou == 3),
        "average": -1 * np.nan_to_num(x),
    } | {each: values[ou, month] for each, values in grid.items()}
    rows = panel.rows.assign(y=("row", y + added[name]))
    assert float(held(sound, draws=100).p.sel(check=name)) > 0.005
    found = held(replace(sound, panel=replace(panel, rows=rows)), draws=100)
    assert float(found.p.sel(check=name)) < 0.005
    if name == "slopes":
        assert str(found.own.sel(check=name).idxmax("ou").item()) == panel.ous[3]


# --- slopes against those of the surveys alone


def with_slopes(slopes: np.ndarray, sd: float, spec: oulib.ModelSpec = BASELINE) -> SimpleNamespace:
    """A posterior of slopes (ou) with these means, exactly, and this sd."""
    z = np.random.default_rng(2).standard_normal((4, 200, slopes.size))
    z = (z - z.mean(axis=(0, 1))) / z.std(axis=(0, 1))
    beta = xr.DataArray(
        slopes + sd * z, dims=("chain", "draw", "ou"), coords={"ou": [*"abcd"[: slopes.size]]}
    )
    return SimpleNamespace(posterior=beta.to_dataset(name="beta"), spec=spec)


def test_how_far_slopes_moved() -> None:
    alone = with_slopes(np.array([0.1, 0.2, 0.3, 0.4]), 0.2)
    near, far = (with_slopes(np.array([0.1, 0.2, 0.4, 0.4 + d]), 0.05) for d in (0.3, 0.6))
    found = adequacy.moved(near, alone)
    assert found.value == pytest.approx(np.sqrt((0.1**2 + 0.3**2) / 4) / 0.2)
    assert found.passed
    assert found.where == ()
    found = adequacy.moved(far, alone)
    assert found.value == pytest.approx(np.sqrt((0.1**2 + 0.6**2) / 4) / 0.2)
    assert not found.passed
    assert found.where == ("d",)
    text = " ".join(report.failures(Verdict("m", (), (found,))))
    assert "differ by 1.52 posterior standard deviations" in text
    assert "Farthest off: d." in text


def test_which_models_have_slopes_by_surveys_alone() -> None:
    assert adequacy.by_surveys(ROBUST) is None
    assert adequacy.by_surveys(oulib.MODELS["upgraded"]) is None
    for name in ("baseline", "student_t", "ar1", "site"):
        spec = adequacy.by_surveys(oulib.MODELS[name].but(latent="explicit"))
        assert spec.score == "expected"
        assert not spec.problems()


def test_slopes_that_hang_on_how_noisy_an_ou_is() -> None:
    """Noise of its own in each OU passes for slopes, and outcomes are then as the model has them.

    The seed is chosen: of 20 such panels (101 to 120) slopes move by more than 1 sd on 12, and by
    2.4 on this one.
    """
    panel = simulate("baseline", **SIZE, seed=114, sigma_noise_ou=0.3)
    fit = oulib.fit(panel, BASELINE, Sampling(seed=1), progress=False)
    assert all(one.passed for one in adequacy.adequate(fit))
    (found,) = checks._moved(fit)
    assert not found.passed
    assert found.value > 1.5
    true = panel.truth["beta"].to_numpy()
    low, high = fit.posterior["beta"].quantile([0.05, 0.95], ("chain", "draw")).to_numpy()
    assert np.mean((true >= low) & (true <= high)) < 0.8


def test_slopes_that_could_not_be_compared_are_not_passed(
    sound: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    (found,) = checks._moved(sound)
    assert found.passed
    bad = Verdict("m", (Check(name="r_hat", value=2.0, threshold=1.01, passed=False),))
    monkeypatch.setattr(checks, "read", lambda fit, labels: bad)
    (found,) = checks._moved(sound)
    assert not found.passed
    (text,) = report.failures(Verdict("m", (), (found,)))
    assert "not known" in text
    assert "score='expected' was not sampled" in text


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
    strict = Thresholds(r_hat=0.5)
    assert check(misled, strict).adequacy == ()
    assert not sampled(misled, strict).sampled


def test_red_amber_and_green_are_told_apart() -> None:
    bad, lesson, good = (
        verdict(sampler=a, model=b) for a, b in ((False, False), (True, False), (True, True))
    )
    (text,) = report.failures(lesson)
    assert "unequal noise of units" in text
    assert "noise='by_ou'" in text
    assert "lesson" in report.lesson(lesson)
    first = chapter.first_failure
    assert first(good, lesson, bad) is bad
    assert first(good, lesson) is lesson
    assert first(good, good) is good


def test_a_chapter_shows_a_lesson_in_amber(misled: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    lesson = verdict(sampler=True, model=False)
    shown: list[str] = []
    monkeypatch.setattr(chapter, "check", lambda fit: lesson)
    monkeypatch.setattr(
        chapter, "display", lambda thing, **_: shown.append(str(getattr(thing, "data", thing)))
    )
    assert chapter.gate(misled) is lesson
    assert any("admonition warning" in text and "not adequate" in text for text in shown)
    shown.clear()
    assert chapter.may_speak(lesson)
    assert not shown
    assert not chapter.may_speak(lesson, of_slopes=True)
    assert "No conclusion about slopes" in shown[0]


def test_conclusions_come_from_the_first_that_holds_the_licence(
    lasting: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def attempt(self: chapter.Chapter, spec: oulib.ModelSpec) -> SimpleNamespace:
        asked.append(spec.name)
        return SimpleNamespace(spec=spec)

    def holding(model: str) -> None:
        asked.clear()
        monkeypatch.setattr(
            chapter, "judge", lambda fit: verdict(sampler=True, model=fit.spec.name == model)
        )

    monkeypatch.setattr(chapter.Chapter, "attempt", attempt)
    plain = chapter.Chapter(lasting, Sampling())
    holding("baseline")
    found, before = plain.licensed()
    assert found.spec.name == "baseline"
    assert asked == ["site", "ar1", "student_t", "baseline"]
    assert len(before) == 3
    holding("upgraded")  # which is not asked without a reason
    assert plain.licensed()[0] is None
    assert asked == ["site", "ar1", "student_t", "baseline", "robust"]
    assert chapter.Chapter(lasting, Sampling(), "why").licensed()[0].spec.name == "upgraded"
    holding("none")
    assert plain.highest()[0].spec.name == "upgraded"  # sampled is enough to be examined


def test_what_could_not_be_asked_is_said() -> None:
    good = verdict(sampler=True, model=True)
    assert "Not checked: months that hang together" in report.passed(good)
    assert "too little for any check" in report.passed(replace(good, adequacy=()))


def test_what_a_model_has_is_not_what_it_is_told_to_try() -> None:
    for name in REPLICATED:
        assert answer(name, oulib.BASELINE) == ANSWERS[name]
        if answer(name, oulib.ROBUST) == ANSWERS[name]:
            assert name in ("factor", "tails")  # of which it is not asked
        else:
            assert "robust" not in answer(name, oulib.ROBUST)
    assert "student_t" not in answer("tails", oulib.STUDENT_T)


def test_a_check_near_its_limit_takes_more_replicates(
    misled: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    queue: list[float] = []

    def replicated(fit: Fit, draws: int) -> xr.Dataset:
        asked.append(draws)
        p = xr.DataArray(np.full(len(REPLICATED), queue.pop(0)), coords={"check": [*REPLICATED]})
        own = xr.zeros_like(p).expand_dims(ou=["OU-1"]).transpose("check", "ou")
        return xr.Dataset({"p": p, "own": own})

    monkeypatch.setattr(adequacy, "_replicated", replicated)
    for shares, passed, draws in (
        ([0.3], True, [400]),
        ([0.0025, 0.008], True, [400, 2000]),
        ([0.0075, 0.001], False, [400, 2000]),
    ):
        asked.clear()
        queue[:] = shares
        assert all(one.passed for one in adequacy.adequate(misled)) is passed
        assert asked == draws
