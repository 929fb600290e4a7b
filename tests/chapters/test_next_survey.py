"""Plans of surveys: the closed form against dense algebra and refits, one model for all designs."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from conftest import one_draw
from scipy import stats

from oulib import (
    AR1,
    BASELINE,
    LADDER,
    ROBUST,
    SITE,
    STUDENT_T,
    Fit,
    Panel,
    Sampling,
    UserError,
    build_model,
    chapters,
    fit,
    simulate,
)
from oulib.chapters.next_survey import analysis as planning
from oulib.chapters.next_survey import budget
from oulib.chapters.next_survey.analysis import Design
from oulib.sampling import compiled
from oulib.sampling.compiled import model_key

pytestmark = [
    pytest.mark.filterwarnings("ignore:Numba will use object mode"),
    pytest.mark.filterwarnings("ignore:Loop fusion failed"),
]
SMALL = Sampling(draws=400, tune=400, chains=2, seed=3)
KNOWN = {"mu_beta": 0.4, "sigma_x": 0.7, "sigma_meas": 2.0, "sigma_mu_x": 0.6, "sigma_y": 0.3}
"""Parameters of a panel whose surveys have a reliability of about a half."""


@pytest.fixture(scope="module")
def seen() -> Panel:
    """16 OUs over 20 months, waves every fifth, about 8 respondents."""
    size = {"n_ou": 16, "n_site": 4, "n_month": 20, "wave_every": 5, "respondents": 8}
    return simulate("baseline", **size, seed=2)


def test_the_present_design(seen: Panel) -> None:
    now = planning.current(seen)
    n = seen.rows["respondents"].to_numpy()[seen.survey_rows]
    assert now == Design(4, float(np.median(n)))
    assert planning.answered(seen) == len(seen.survey_rows) / 64
    bare = replace(seen, rows=seen.rows.drop_vars("scheduled"), waves=())
    assert planning.current(bare).waves == round(len(seen.survey_rows) / 16)
    assert planning.answered(bare) == 1.0
    waves, respondents = planning.choices(seen)
    assert waves == (4, 12)
    assert respondents == (now.respondents, 3 * now.respondents)


def test_waves_lie_at_even_distance() -> None:
    assert planning.wave_months(12, 4).tolist() == [1, 4, 7, 10]
    assert planning.wave_months(12, 12).tolist() == list(range(12))
    for waves in range(1, 20):
        at = planning.wave_months(20, waves)
        assert len(np.unique(at)) == waves
        assert at.min() >= 0
        assert at.max() < 20
    with pytest.raises(UserError, match="between 1 and 6"):
        planning.wave_months(6, 7)


def test_ous_keep_their_relative_size(seen: Panel) -> None:
    n = planning.respondents_by_ou(seen, 100)
    rows = seen.rows.isel(row=seen.survey_rows)
    typical = pd.Series(rows["respondents"].to_numpy()).groupby(rows["ou_idx"].to_numpy()).median()
    assert np.median(n) == pytest.approx(100, abs=1)
    assert np.corrcoef(n, typical)[0, 1] > 0.999
    assert planning.respondents_by_ou(seen, 0.01).min() == 1


def test_a_simulated_panel_keeps_to_its_design(seen: Panel) -> None:
    made = one_draw(seen, BASELINE, 2, **KNOWN)
    panel = planning.simulate(made, Design(10, 50), seed=5)
    month = panel.rows["month_idx"].to_numpy()[panel.survey_rows]
    assert set(month) == set(planning.wave_months(20, 10))
    share = len(panel.survey_rows) / 160
    assert share == pytest.approx(planning.answered(seen), abs=0.1)
    own = planning.respondents_by_ou(seen, 50)[panel.rows["ou_idx"].to_numpy()]
    observed = panel.rows["observed"].to_numpy()
    np.testing.assert_array_equal(panel.rows["respondents"], np.where(observed, own, 0))
    assert panel.scale == seen.scale
    np.testing.assert_allclose(
        panel.scale.y(panel.rows["productivity"].to_numpy()), panel.rows["y"]
    )
    other = planning.simulate(made, Design(10, 50), seed=6)
    assert panel.fingerprint != other.fingerprint
    assert panel.fingerprint == planning.simulate(made, Design(10, 50), seed=5).fingerprint


@pytest.mark.parametrize("spec", [BASELINE, STUDENT_T, SITE, ROBUST], ids=lambda s: s.name)
def test_simulated_panels_have_the_fits_moments(seen: Panel, spec: object) -> None:
    """Over many panels: the slope on the surveys within OUs is w times beta; scores' variance."""
    known = dict(KNOWN) | ({"nu": 5.0} if spec.outcome == "student_t" else {})
    made = one_draw(seen, spec, 2, **known)
    made.tree["posterior"]["sigma_ou"][:] = 0.1
    slopes, within = [], []
    for seed in range(60):
        panel = planning.simulate(made, Design(20, 8), slope=0.5, seed=seed)
        frame = panel.rows[["ou_idx", "month_idx", "x", "y"]].to_dataframe()
        frame = frame.loc[panel.survey_rows, ["ou_idx", "month_idx", "x", "y"]]
        centred = frame[["x", "y"]] - frame.groupby("ou_idx")[["x", "y"]].transform("mean")
        centred -= centred.groupby(frame["month_idx"]).transform("mean")
        slopes.append((centred["x"] @ centred["y"]) / (centred["x"] @ centred["x"]))
        within.append(np.sum(centred["x"] ** 2) / (len(frame) - 16 - 20))
    n = planning.respondents_by_ou(seen, 8)
    v = 0.49 + 4 / n
    expected = 0.49 / np.mean(v) * 0.5
    error = np.std(slopes) / np.sqrt(60)
    assert np.mean(slopes) == pytest.approx(expected, abs=4 * error)
    assert np.mean(within) == pytest.approx(np.mean(v), rel=0.1)


@pytest.mark.parametrize("deviations", [False, True])
@pytest.mark.parametrize("waves", [4, 20])
def test_the_closed_form_against_dense_least_squares(
    seen: Panel, deviations: bool, waves: int
) -> None:
    """Generalised least squares with known variances, on simulated surveys, OU by OU."""
    spec = BASELINE.but(
        name="dense", score="expected", slope="within", deviations=deviations, correlated=False
    )
    known = dict(KNOWN) | ({"phi_u": 0.8, "sigma_u": 0.3} if deviations else {})
    made = one_draw(seen, spec, 2, **known)
    made.tree["posterior"]["sigma_ou"][:] = np.array([0.5, 0.2])
    at = np.arange(20)
    covariance = 0.3**2 * np.eye(20)
    if deviations:
        lag = np.abs(np.subtract.outer(at, at))
        covariance = covariance + 0.3**2 / (1 - 0.8**2) * 0.8**lag
    precision = np.linalg.inv(covariance)
    total = []
    for seed in range(30):
        panel = planning.simulate(made, Design(waves, 8), seed=seed)
        x = panel.rows["x"].to_numpy().reshape(16, 20)
        n = panel.rows["respondents"].to_numpy().reshape(16, 20)
        at_wave = np.isfinite(x).any(axis=0)  # less the months, which cost 1 / G
        x[:, at_wave] -= np.nanmean(x[:, at_wave], axis=0)
        told = []
        for g in range(16):
            s = np.isfinite(x[g])
            v = 0.49 + 4 / np.maximum(n[g], 1)
            mean = np.sum((x[g] / v)[s]) / (np.sum(1 / v[s]) + 1 / 0.36)
            d = np.where(s, 0.49 / v * (x[g] - mean), 0.0)
            told.append(d @ precision @ d)
        total.append(np.sum(1 / (0.04 + 1 / np.array(told))))
    found = planning.formula(made, Design(waves, 8))["known"]
    sd = 1 / np.sqrt(1 / (1 / np.mean(total)) + 1 / spec.priors.mu_beta**2)
    # With few surveys an OU's information varies by chance, of which the closed form has the mean.
    assert found == pytest.approx(sd, rel=0.08)


def test_equal_ous_have_the_short_form(seen: Panel) -> None:
    """sigma_beta^2 / G + nu / (K w sigma_x^2), K less what means and months cost."""
    spec = BASELINE.but(name="short", score="expected", slope="within", correlated=False)
    made = one_draw(seen, spec, 2, **KNOWN)
    made.tree["posterior"]["sigma_ou"][:] = np.array([0.5, 0.2])
    same = seen.rows.assign(respondents=seen.rows["observed"].astype(int) * 8)
    made = replace(made, panel=replace(seen, rows=same))
    v = 0.49 + 4 / 8
    k = 10 * planning.answered(seen)
    surveys = 16 * (k - k * 0.36 / (k * 0.36 + v)) * 15 / 16
    variance = 0.04 / 16 + 0.09 / (surveys * 0.49 / v * 0.49)
    found = planning.formula(made, Design(10, 8))
    assert found["known"] == pytest.approx(1 / np.sqrt(1 / variance + 4), rel=1e-6)
    assert found["within"] == pytest.approx(0.49 / v)
    assert found["reliability"] == pytest.approx(0.85 / (0.85 + 0.5))
    assert found["floor"] == pytest.approx(0.2 / 4)
    assert found["sd"] == pytest.approx(found["known"])  # a single draw knows the reliability


@pytest.mark.parametrize("spec", [BASELINE, SITE, ROBUST], ids=lambda s: s.name)
@pytest.mark.parametrize("design", [Design(4, 8), Design(20, 50)])
def test_units_alike_are_planned_for_as_the_panel_is(
    seen: Panel, spec: object, design: Design
) -> None:
    """Where all units are alike and months are independent, the two closed forms are the same."""
    same = seen.rows.assign(respondents=seen.rows["observed"].astype(int) * 8)
    known = dict(KNOWN) | ({"phi_u": 0.0, "sigma_u": 0.1} if spec.deviations else {})
    made = one_draw(seen, spec, 2, **known)
    if "noise_ou" in made.posterior:
        made.tree["posterior"]["noise_ou"][:] = 1.0
    made.tree["posterior"]["sigma_x"][0, 0] *= 1.2  # the reliability is in doubt
    made = replace(made, panel=replace(seen, rows=same))
    given = budget.economy(made)
    found = budget.precision(given, design.waves, design.respondents, given.units)
    wanted = planning.formula(made, design)
    assert found.average == pytest.approx(wanted["sd"], rel=1e-3)
    assert found.floor == pytest.approx(wanted["floor"])
    assert found.reliability == pytest.approx(wanted["within"])
    now = budget.precision(given, 4, 8, 16)
    text = chapters.next_survey.sentences.budget(given, now)
    assert "4 waves of 8 respondents in 16 units, 512 questionnaires in all" in text


def test_slopes_are_as_precise_as_planned_by_simulation() -> None:
    """Least squares by unit on simulated surveys, pooled with the variances that are true."""
    waves, n, units, times, mu = 12, 6.0, 25, 400, 0.4
    beta, x, meas, y = 0.2, 0.7, 1.5, 0.4
    w = x**2 / (x**2 + meas**2 / n)
    rng = np.random.default_rng(1)
    slope = mu + beta * rng.standard_normal((times, units, 1))
    score = x * rng.standard_normal((times, units, waves))
    seen = score + meas / np.sqrt(n) * rng.standard_normal(score.shape)
    made = slope * score + y * rng.standard_normal(score.shape)
    seen -= seen.mean(axis=-1, keepdims=True)
    squares = (seen**2).sum(axis=-1)
    own = (seen * made).sum(axis=-1) / squares / w
    noise = y**2 + (mu**2 + beta**2) * (1 - w) * x**2
    error = noise / (w**2 * squares)
    weight = 1 / (beta**2 + error)
    mean = (weight * own).sum(axis=-1, keepdims=True) / weight.sum(axis=-1, keepdims=True)
    pooled = (beta**2 * own + error * mean) / (beta**2 + error)
    given = budget.Economy(
        months=36, units=units, waves=waves, respondents=n, answered=1.0, slope=mu, prior=1e6,
        sigma_beta=beta, sites=1, site=0.0, sigma_x=x, sigma_mu_x=1e3, sigma_meas=meas,
        noise=y**2, unknown=mu**2 + beta**2, level=None,
        sizes=np.array([1.0, 10.0]), doubt=np.zeros(2), learnt=np.zeros(2),
    )  # fmt: skip
    found = budget.precision(given, waves, n, units)
    # The closed form pays for months, which are not in this simulation, with one unit of 25.
    assert np.std(mean) == pytest.approx(found.average, rel=0.08)
    assert np.std(pooled - slope[..., 0]) == pytest.approx(found.unit, rel=0.04)


def test_signs_by_simulation() -> None:
    """The two probabilities of ``eq-plan-sign`` from normal estimates and their posteriors."""
    rng = np.random.default_rng(0)
    slope, s, prior = 0.3, 0.25, 0.5
    estimate = rng.normal(slope, s, 400_000)
    post = 1 / np.sqrt(1 / s**2 + 1 / prior**2)
    p = stats.norm.cdf(estimate * post**2 / s**2 / post)
    ratio = post / s
    closed = stats.norm.cdf(slope / s * ratio / np.sqrt(1 + ratio**2))
    assert p.mean() == pytest.approx(closed, abs=0.002)
    assert (p > 0.5).mean() == pytest.approx(stats.norm.cdf(slope / s), abs=0.002)


@pytest.mark.parametrize("spec", [*LADDER, ROBUST], ids=lambda s: s.name)
def test_designs_share_a_compiled_model(seen: Panel, spec: object) -> None:
    """Shapes of parameters, names of data and sampled months do not depend on the design."""
    made = one_draw(seen, spec, 2)
    keys = set()
    for design in (Design(2, 5), Design(20, 80)):
        plain = planning.planning_spec(made, design.respondents)
        assert not plain.problems()
        keys.add(model_key(build_model(planning.simulate(made, design), plain), plain))
    assert len(keys) == 1


def test_the_prior_of_a_respondents_noise_stays(seen: Panel) -> None:
    """Its scale is in roots of respondents with scales from the design, and plain otherwise."""
    n = planning.current(seen).respondents
    for spec in (BASELINE, ROBUST):
        made = one_draw(seen, spec, 2)
        scales = [planning.planning_spec(made, k).priors.sigma_meas for k in (n, 9 * n)]
        unit = np.array([1, 3]) if spec is ROBUST else np.ones(2)
        np.testing.assert_allclose(scales * unit, spec.priors.sigma_meas)


@pytest.fixture(scope="module")
def fitted_plan(seen: Panel) -> tuple[Fit, planning.Plan]:
    # Where surveys alone speak of slopes a panel of 16 OUs takes half the time.
    result = fit(seen, BASELINE.but(name="by surveys", score="expected"), SMALL)
    compiled._LOADED.clear()
    design = {"waves": (10, 20), "respondents": (8, 40)}
    return result, planning.plan(result, **design, replications=4, sampling=SMALL)


def test_refits_agree_with_the_closed_form(fitted_plan: tuple[Fit, planning.Plan]) -> None:
    result, plan = fitted_plan
    table = plan.table
    assert len(compiled._LOADED) <= 2  # of one sign and of both: none for the second design
    assert plan.seconds.shape == (16, 2)
    expected = [[10, 8], [10, 40], [20, 8], [20, 40]]
    assert table[["waves", "respondents"]].to_numpy().tolist() == expected
    # Of four small panels; the formula is too wide where a survey tells little.
    ratio = table["formula_sd"] / table["sd"]
    assert ratio[table["respondents"] == 40].between(0.7, 1.4).all()
    assert ratio[table["respondents"] == 8].between(0.7, 2.0).all()
    assert table["sd"].iloc[3] < table["sd"].iloc[0]
    assert plan.slope == pytest.approx(float(result.posterior["mu_beta"].mean()))
    assert table["probability"].between(0, 1).all()
    for say in (
        chapters.next_survey.sentences.designs,
        chapters.next_survey.sentences.reliabilities,
    ):
        assert len(say(plan)) > 60
    assert len(chapters.next_survey.sentences.signs(plan, planning.told(plan))) > 60
    assert len(chapters.next_survey.sentences.reused(planning.spent(plan))) > 40
    curves = planning.curves(result, range(2, 21), (8, 40))
    assert curves.sel(respondents=40, waves=20) == pytest.approx(table["formula_sd"].iloc[3])
    chapters.next_survey.figures.designs(curves, table, 0.05).canvas.draw()
    plt.close("all")


def test_what_would_halve_the_sd(fitted_plan: tuple[Fit, planning.Plan]) -> None:
    result, _ = fitted_plan
    few = Design(2, 2.0)
    found = planning.halving(result, few)
    half = planning.formula(result, few)["sd"] / 2
    if found.waves is not None:
        assert planning.formula(result, Design(found.waves, 2.0))["sd"] <= half
        assert planning.formula(result, Design(found.waves - 1, 2.0))["sd"] > half
    else:
        assert planning.formula(result, Design(20, 2.0))["sd"] > half
    if found.respondents is not None:
        assert planning.formula(result, Design(2, found.respondents))["sd"] <= half
    else:
        assert planning.formula(result, Design(2, 1e9))["sd"] > half
    assert found.everything <= min(found.most_waves, found.most_respondents)
    assert chapters.next_survey.sentences.halving(found)


def test_a_slope_cannot_be_known_better_than_its_reliability(seen: Panel) -> None:
    made = one_draw(seen, AR1, 400, **KNOWN)
    p = made.tree["posterior"]
    rng = np.random.default_rng(0)
    p["sigma_meas"][:] = 2.0 * np.exp(0.5 * rng.standard_normal((1, 400)))
    endless, now, more = Design(20, 1e9), Design(4, 8), Design(12, 8)
    error = {d: planning.reliability_error(made, d) for d in (endless, now, more)}
    assert error[endless] < 1e-5
    assert error[now] > error[more] > error[now] / np.sqrt(3)  # the prior's part does not grow
    w = 0.49 / (0.49 + p["sigma_meas"].to_numpy() ** 2 / 8)
    assert error[now] == pytest.approx(np.log(w).std(), rel=0.25)
    for design in (endless, now):
        one = planning.formula(made, design)
        inverse = 1 / (1 / one["known"] ** 2 - 4) + (0.4 * error[design]) ** 2
        assert one["sd"] == pytest.approx(1 / np.sqrt(1 / inverse + 4), rel=1e-6)


# --- sentences


def test_halving_in_words() -> None:
    say, now = chapters.next_survey.sentences.halving, Design(4, 20.0)
    case = planning.Halving(now, 0.1, 20, 200, 0.4, 0.45, 0.3)
    assert "20 waves of this size would halve it" in say(case)
    assert "So would 200 respondents" in say(case)
    case = planning.Halving(now, 0.1, None, 200, 0.7, 0.45, 0.4)
    assert "would leave 70% of it" in say(case)
    assert "200 respondents a unit in the waves there are would" in say(case)
    case = planning.Halving(now, 0.1, None, None, 0.7, 0.9, 0.4)
    assert "Only both together can" in say(case)
    case = planning.Halving(now, 0.1, None, None, 0.9, 0.95, 0.8)
    assert "only more units average out" in say(case)


def made_plan(**columns: object) -> planning.Plan:
    row = {"waves": 4, "respondents": 20.0, "within": 0.6, "reliability": 0.7, "sd": 0.1}
    row |= {"right": 1.0, "probability": 0.9, "formula_sd": 0.1, "formula_right": 0.9}
    row |= {"formula_probability": 0.85}
    table = pd.DataFrame([row, row | {"waves": 12, "sd": 0.07, "formula_sd": 0.07}])
    return planning.Plan(table.assign(**columns), 0.2, np.array([[20.0, 1.0], [0.2, 1.0]]))


@pytest.mark.parametrize(
    ("closed", "said"),
    [
        ([0.1, 0.07], "close enough"),
        ([0.05, 0.07], "promises too much"),
        ([0.2, 0.07], "too cautious"),
        ([0.2, 0.03], "errs on both sides"),
    ],
)
def test_designs_in_words(closed: list[float], said: str) -> None:
    assert said in chapters.next_survey.sentences.designs(made_plan(formula_sd=closed))


def test_signs_and_seconds_in_words() -> None:

    def signs(plan: planning.Plan) -> str:
        return chapters.next_survey.sentences.signs(plan, planning.told(plan))

    assert "None of these designs" in signs(made_plan(formula_probability=0.6))
    assert "hint at the sign" in signs(made_plan(formula_probability=0.9))
    assert "would tell the sign" in signs(made_plan(formula_probability=0.99))
    assert "compiled once" in chapters.next_survey.sentences.reused(planning.spent(made_plan()))
    twice = replace(made_plan(), seconds=np.array([[20.0, 1.0], [19.0, 1.0]]))
    assert "compiled 2 times, in 19.5 seconds each" in chapters.next_survey.sentences.reused(
        planning.spent(twice)
    )
    assert "0.60 for changes within" in chapters.next_survey.sentences.reliabilities(made_plan())
    assert "4 waves" in chapters.next_survey.sentences.now(Design(4, 20.0), 0.9)


def test_facts_of_refits() -> None:
    seconds = np.array([[20.0, 1.0], [1.0, 3.0], [0.5, 2.0]])
    found = planning.spent(replace(made_plan(), seconds=seconds))
    assert found == planning.Spent(3, 2.0, 1, 20.0, 20.0, 1.0)
    plan = made_plan()
    told = planning.told(plan)
    assert told.right == pytest.approx(plan.table["right"].mean())
    assert told.probability == pytest.approx(plan.table["probability"].mean())
