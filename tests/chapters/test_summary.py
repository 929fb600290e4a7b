"""The summary of a panel: what it says where something is concluded, and where nothing is."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from oulib import report
from oulib.chapters.summary import analysis, figures, sentences
from oulib.model.spec import BASELINE
from oulib.panel import Panel
from oulib.panel.describe import overview
from oulib.posterior.checks import Check, Verdict
from oulib.posterior.effects import slopes_of_ous
from oulib.posterior.estimate import Estimate, Update
from oulib.posterior.latent import Reliability
from oulib.report import chapter
from oulib.sampling.fit import Fit


def verdict(model: str, *failed: str) -> Verdict:
    known = ("r_hat", "persistence")
    r_hat, persistence = (
        Check(name=n, value=1.0, threshold=0.5, passed=n not in failed) for n in known
    )
    return Verdict(model=model, checks=(r_hat,), adequacy=(persistence,))


def found(mean: float, half: float, relevant: float) -> analysis.Headline:
    percent = Estimate(mean, mean, mean - half, mean + half, float(mean > 0))
    return analysis.Headline(points=0.31, percent=percent, relevant=relevant, size=1.0)


def test_the_answer_in_a_sentence():
    said = sentences.headline(found(7.0, 1.8, 1.0), typical=True)
    assert said.startswith(
        "**Where a unit's survey score is 0.31 points higher, a typical move, its productivity is "
        "7.0% higher on average** (90% interval 5.2 to 8.8%)."
    )
    assert "very probable" in said
    said = sentences.headline(found(-7.0, 1.8, 0.5), typical=False)
    assert "0.31 points higher, its productivity is 7.0% lower" in said
    assert "is open (0.50)" in said


def test_a_sign_that_is_not_settled_is_no_answer():
    said = sentences.headline(found(0.4, 1.0, 0.05), typical=True)
    assert "not settled" in said
    assert "0.4% on average (90% interval −0.6 to 1.4%)" in said
    assert "too small to matter" in said
    assert "higher on average" not in said


def test_who_was_asked_and_why_nobody_may_speak():
    before = [verdict("site", "r_hat"), verdict("baseline", "persistence")]
    table = analysis.asked(None, before, chapter.NOTHING)
    assert list(table.index) == ["site", "baseline"]
    assert list(table["sampled"]) == [False, True]
    assert not table["adequate"].any()
    said = sentences.why_none(table)
    assert "Nothing is concluded" in said
    assert "For 1 of them the data have" in said
    assert "1 of them was not sampled" in said
    assert "One model was asked, site, and it was not sampled" in sentences.why_none(table[:1])
    assert "None was sampled reliably" in sentences.why_none(pd.concat([table[:1]] * 2))
    assert "none may speak" in sentences.models(table, None)
    assert list(sentences.shown(table)["describes the panel"]) == ["not asked", "no"]


def test_a_model_that_cannot_describe_a_part_is_not_said_to_disagree_with_itself():
    failed = verdict("site", "persistence").adequacy
    up = Verdict(model="site", checks=(), adequacy=failed, part=28)
    assert not up.sampled
    assert not up.passed
    table = analysis.asked(None, [up], chapter.NOTHING)
    said = sentences.why_none(table)
    assert "no place for" in said
    assert "sampled reliably" not in said
    assert "chains" not in sentences.why_none(pd.concat([table] * 2))
    shown = sentences.shown(table).loc["site"]
    assert list(shown[["sampled", "describes the panel"]]) == ["not asked", "no"]
    assert shown["failed"] == "months that hang together"
    said = sentences.models(pd.concat([table, table.rename({"site": "ar1"})]), None)
    assert "site and ar1 were first held against 28 units" in said
    assert "they were not fitted to the whole panel" in said
    assert "site was first held against 28 units" in sentences.models(table, None)
    assert "28 units of the panel" in report.of_a_part(up)
    assert "28 units of the panel" in report.nothing_passed([up])


@pytest.fixture(scope="module")
def worth(fitted: Fit) -> pd.DataFrame:
    return analysis.worth(fitted, points=0.5)


def test_more_surveys_tell_more(worth: pd.DataFrame):
    assert worth["share"].iloc[0] == 1
    assert worth.loc["both", "width"] <= min(
        worth.loc[row, "width"] for row in ("twice the waves", "twice the respondents")
    )
    assert (worth["share"].iloc[1:] <= 1 + 1e-9).all()
    assert "narrower" in sentences.worth(worth)


@pytest.mark.parametrize(
    ("waves", "respondents", "said"),
    [
        (0.6, 0.9, "more often"),
        (0.9, 0.6, "more people"),
        (0.8, 0.8, "the same"),
        (0.99, 1, "buys much"),
    ],
)
def test_what_to_ask_for_next(waves: float, respondents: float, said: str):
    table = pd.DataFrame(
        {"share": [1.0, waves, respondents]},
        index=["as now", "twice the waves", "twice the respondents"],
    )
    assert said in sentences.worth(table)


def test_the_headline_is_the_posterior_of_the_average_effect(fitted: Fit):
    head = analysis.headline(fitted, points=0.5, relevant=1.0)
    beta = fitted.posterior["mu_beta"].to_numpy().ravel()
    percent = 100 * np.expm1(0.5 * fitted.panel.scale.s_y / fitted.panel.scale.s_x * beta)
    assert head.percent.mean == pytest.approx(percent.mean())
    assert head.percent.low == pytest.approx(np.quantile(percent, 0.05))
    assert head.relevant == pytest.approx(np.mean(abs(percent) >= 1))


def test_what_is_not_concluded(panel: Panel, fitted: Fit):
    from oulib.posterior.effects import effects

    slopes = slopes_of_ous(effects(fitted))
    said = sentences.not_concluded(overview(panel), slopes)
    assert "causes" in said
    assert "ranking" in said
    unknown = slopes.ous - slopes.above - slopes.below
    assert (f"sign of {unknown}" in said) == (unknown > 0)
    assert "sign of" not in sentences.not_concluded(overview(panel), None)


def test_silence_is_among_what_is_not_concluded(panel: Panel):
    seen = overview(panel)
    answered = replace(seen, scheduled=100, answered=100)
    assert "did not answer" not in sentences.not_concluded(answered, None)
    some = replace(seen, scheduled=100, answered=60)
    assert "did not answer would have said the same" in sentences.not_concluded(some, None)
    assert "which surveys were planned" in sentences.not_concluded(
        replace(seen, scheduled=None), None
    )


def test_what_rests_on_a_reason_stands_beside_its_twin():
    said = sentences.supposed("the <b>strike", found(3.0, 1.0, 0.9))
    assert "the &lt;b&gt;strike" in said
    assert "a difference of 3.0% (90% interval 2.0 to 4.0%)" in said
    assert "nothing may be concluded" in sentences.supposed("the strike", None)


def test_what_the_answer_rests_on():
    slope = Update(Estimate(0.1, 0.1, 0, 0.2, 0.9), Estimate(0, 0, -1, 1, 0.5), distance=0.5)
    survey = Reliability(20, Estimate(0.64, 0.64, 0.5, 0.8, 1.0))
    said = sentences.support(analysis.Support(slope, survey, surveys=120, ous=12))
    assert "120 surveys of 12 units" in said
    assert "64%" in said
    assert "prior" not in said
    same = Update(slope.before, slope.before, distance=0.01)
    assert "prior" in sentences.support(analysis.Support(same, survey, surveys=120, ous=12))


def test_the_figure_shows_scores_where_there_are_any(panel: Panel):
    over = analysis.over_time(panel)
    months = np.flatnonzero(np.isfinite(over["survey"].isel(quartile=1).to_numpy()))
    surveyed = np.unique(panel.rows["month_idx"].to_numpy()[panel.survey_rows])
    np.testing.assert_array_equal(months, surveyed)
    figures.outcome_and_score(over).canvas.draw()


def test_the_model_of_a_fit_is_the_last_that_was_asked(fitted: Fit):
    table = analysis.asked(fitted, [verdict("site", "r_hat")], verdict("baseline"))
    assert list(table.index) == ["site", "baseline"]
    assert table["adequate"].iloc[-1]
    assert "2 models were asked" in sentences.models(table, BASELINE.name)
