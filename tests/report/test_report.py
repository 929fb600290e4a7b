"""Sentences follow what they are given, and labels never become markup."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from oulib import chapters, report
from oulib.panel.describe import Overview, Tails
from oulib.posterior.checks import Check, Verdict
from oulib.posterior.compare import Difference
from oulib.posterior.estimate import (
    against_replicates,
    prior_distance,
    prior_distances,
    recovery,
)
from oulib.posterior.predict import Coverage, covered
from oulib.report.evidence import evidence, evidence_of_sign, mostly_prior
from oulib.report.text import power_of_ten, told_apart

HOSTILE = "<script>alert(1)</script> $x_1$ *b* `c` [l](u) {d}`e` | # \\ & www.example.org:80"


def test_a_label_stays_text() -> None:
    written = report.name(HOSTILE)
    assert not set("<>*`[]{}|#$_\\") & set(re.sub(r"&(?:#\d+|lt|gt|amp);", "", written))
    assert html.unescape(written) == HOSTILE


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(-0.126, 2, "−0.13"), (-0.001, 2, "0.00"), (1234.5, 0, "1,234"), (-1234.5, 1, "−1,234.5")],
)
def test_numbers(value: float, digits: int, text: str) -> None:
    assert report.number(value, digits) == text


def test_powers_of_ten() -> None:
    assert power_of_ten(6.4e-14) == r"$6 \cdot 10^{-14}$"
    assert power_of_ten(float("nan")) == "nan"


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0%"), (0.004, "less than 1%"), (0.5, "50%"), (0.996, "more than 99%"), (1, "100%")],
)
def test_shares_are_not_rounded_to_certainty(share: float, text: str) -> None:
    assert report.percent(share) == text


def test_lists_are_cut_and_say_so() -> None:
    assert report.names(["a"]) == "a"
    assert report.names(["a", "b", "c"]) == "a, b and c"
    assert report.names("abcdefgh", most=2) == "a, b and 6 more"


def overview(**changes: object) -> Overview:
    given = {
        "ous": 3, "sites": 1, "months": 4, "rows": 12, "cells": 12, "surveys": 5,
        "ous_without_survey": 0, "scheduled": 6, "answered": 5, "unscheduled_surveys": 0,
        "waves_per_ou": (1, 2), "respondents": (3, 10, 20),
    }  # fmt: skip
    return Overview(**(given | changes))


def test_a_panel_in_words() -> None:
    assert "no gaps" in chapters.panel.sentences.size(overview())
    assert "25% of the grid" in chapters.panel.sentences.size(overview(rows=9))
    assert "never had one" in chapters.panel.sentences.surveys(overview(ous_without_survey=1))
    assert "83%" in chapters.panel.sentences.schedule(overview())
    assert "not known" in chapters.panel.sentences.schedule(overview(scheduled=None, answered=None))
    assert "outside the schedule" in chapters.panel.sentences.schedule(
        overview(unscheduled_surveys=1)
    )
    assert "heavier" in chapters.panel.sentences.tails(Tails(30, 1000, 2.7, 0.0027))
    assert "no clear sign" in chapters.panel.sentences.tails(Tails(3, 1000, 2.7, 0.0027))
    assert "resembles" in chapters.panel.sentences.persistence(0.8)
    assert "not clearly" in chapters.panel.sentences.persistence(0.1)
    assert "too few" in chapters.panel.sentences.persistence(float("nan"))
    assert "beyond chance" in chapters.panel.sentences.sites(0.4)
    assert "too few" in chapters.panel.sentences.sites(float("nan"))


def rates(first: float, last: float) -> pd.DataFrame:
    rate = np.array([first, last])
    return pd.DataFrame({"rate": rate, "q5": rate - 0.05, "q95": np.minimum(rate + 0.05, 1)})


def test_response_in_words() -> None:
    assert "do not overlap" in chapters.panel.sentences.response(rates(0.5, 0.8))
    assert "does not make nonresponse harmless" in chapters.panel.sentences.response(
        rates(0.7, 0.72)
    )
    assert "no nonresponse" in chapters.panel.sentences.response(rates(1.0, 1.0))
    assert "cannot be compared" in chapters.panel.sentences.response(rates(1, 1).iloc[:0])


def test_a_failure_names_the_ous_and_what_to_try() -> None:
    failed = Check(
        name="r_hat", value=1.7, threshold=1.01, passed=False,
        where=("beta[OU-1]", "mu_beta", "alpha[OU-2]"), advice="Look at the traces.",
    )  # fmt: skip
    good = Check(name="divergences", value=0, threshold=0, passed=True)
    (sentence,) = report.failures(Verdict("baseline", (failed, good)))
    text = html.unescape(sentence)
    assert "R-hat** is 1.70" in text
    assert "2 units are affected: OU-1 and OU-2" in text
    assert text.endswith("Look at the traces.")


def test_what_the_prior_did_is_said() -> None:
    rng = np.random.default_rng(0)
    prior = {"a": rng.normal(size=4000), "b": rng.normal(size=4000)}
    learnt = {"a": 0.1 * rng.normal(size=4000), "b": 0.95 * rng.normal(size=4000)}
    found = prior_distances(learnt, prior)
    assert report.learnt(found).startswith("For b the posterior")
    assert "data have spoken" in report.learnt({"a": found["a"]})


def test_recovery_is_judged_by_chance() -> None:
    summary = pd.DataFrame({"q5": -1.0, "q95": 1.0}, index=[f"x[{i}]" for i in range(40)])
    inside = pd.Series(0.0, index=summary.index)
    outside = inside.where(np.arange(40) % 2 == 0, 5.0)
    assert "40 of 40" in report.recovered(recovery(summary, inside), "values")
    assert "fewer than chance" in report.recovered(recovery(summary, outside), "values")


def test_tails_are_judged_against_replicates() -> None:
    replicated = np.linspace(-0.2, 0.3, 400)
    assert "surprise" in report.tail_check(against_replicates(2.0, replicated))
    assert "ordinary" in report.tail_check(against_replicates(0.1, replicated))
    assert "heavier than the data" in report.tail_check(against_replicates(-1.0, replicated))


def test_coverage_in_words() -> None:
    text = report.coverages(Coverage(0.8, 0.86, 0.93), Coverage(0.99, 0.86, 0.93))
    assert (
        "80% of the outcomes (86% to 93% of the model's own replicates; they are too narrow)"
        in text
    )
    assert "more than that is no surprise for rows that the fit has seen" in text
    assert "as it should" in report.coverages(*[Coverage(0.87, 0.86, 0.93)] * 2)


def test_a_calibrated_model_is_seldom_called_too_narrow() -> None:
    """At fixed limits of 87 and 93% half of the small panels were (50 rows: 48%)."""
    rng, off = np.random.default_rng(0), 0
    for _ in range(200):
        drawn = xr.DataArray(rng.standard_normal((400, 50)), dims=("sample", "row"))
        found = covered(drawn, rng.standard_normal(50))
        off += not found.low <= found.share <= found.high
    assert off / 200 < 0.2  # a tenth, more for the intervals' own noise


def test_a_posterior_away_from_its_prior_is_not_the_prior() -> None:
    rng = np.random.default_rng(0)
    prior = rng.normal(0, 1, 4000)
    assert not mostly_prior(prior_distance(rng.normal(1.8, 0.85, 4000), prior))
    assert not mostly_prior(prior_distance(rng.normal(0, 0.5, 4000), prior))
    assert mostly_prior(prior_distance(rng.normal(0, 0.95, 4000), prior))


def test_a_sum_that_is_not_to_be_trusted_says_so() -> None:
    step = Difference("one", "other", 30.0, 5.0, 100)
    assert "other predicts better" in report.gain(step)
    small = report.gain(replace(step, elpd=1.6, se=0.7))
    assert "tie: a difference of 1.6 (standard error 0.7) is too small for its error" in small
    assert "may be chance" in report.gain(replace(step, elpd=1.6, se=1.0))
    shaky = report.gain(replace(step, doubtful=2))
    assert "for 2 rows the Pareto k is too high, so the sum cannot be relied on" in shaky
    assert "predicts better" not in shaky


def test_a_value_and_its_threshold_never_look_alike() -> None:
    assert told_apart(1.0102, 1.01) == ("1.0102", "1.01")
    assert told_apart(1.5, 1.01) == ("1.50", "1.01")
    assert told_apart(0.008, 0.001) == ("0.008", "0.001")
    assert told_apart(3.0, 0.0) == ("3", "0")
    assert told_apart(399.98, 400.0) == ("399.98", "400")
    assert told_apart(4.0, 400.0) == ("4", "400")
    assert told_apart(0.3, 0.3) == ("0.30", "0.30")


@pytest.mark.parametrize(
    ("probability", "said"),
    [
        (0.995, "There is strong evidence that it is so"),
        (0.96, "There is evidence that it is so"),
        (0.9, "There are weak indications that it is so"),
        (0.85, "There is little evidence that it is either"),
    ],
)
def test_claims_are_as_strong_as_their_probability(probability: float, said: str) -> None:
    assert evidence(probability, "that it is so", "that it is either") == said


def test_a_sign_is_claimed_in_the_direction_that_is_likelier() -> None:
    assert (
        evidence_of_sign(0.001, "that it is {}", "")
        == "There is strong evidence that it is negative"
    )
    assert evidence_of_sign(0.96, "that it is {}", "") == "There is evidence that it is positive"
