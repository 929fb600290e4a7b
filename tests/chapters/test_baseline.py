"""Forms of the baseline side by side: facts from tables made by hand, and their sentences."""

from __future__ import annotations

import html

import numpy as np
import pandas as pd
import pytest

from oulib.chapters.baseline import analysis, sentences
from oulib.posterior.checks import Check, Verdict


def test_a_form_is_as_fast_as_its_slowest_parameter() -> None:
    speeds = pd.DataFrame(
        {"form": ["b", "b", "a", "a"], "ess_per_second": [30.4, 20.0, 7.0, 500.0]}
    )
    found = analysis.slowest(speeds)
    assert found == {"b": 20.0, "a": 7.0}
    failed = Check(name="r_hat", value=1.7, threshold=1.01, passed=False)
    text = sentences.forms(found, {"a": Verdict("a", ()), "b": Verdict("b", (failed,))})
    assert text == (
        "The a form passes the gate, with 7 effective draws a second for its slowest "
        "hyperparameter. The b form fails the gate (R-hat), with 20 effective draws a second for "
        "its slowest hyperparameter."
    )


def test_means_are_apart_in_sds_and_in_errors() -> None:
    labels = ["a", "b_1", "c"]
    one = pd.DataFrame({"mean": [0.0, 1.0, 2.0], "sd": 0.5, "mcse_mean": [0.03, 0.3, 0.0]})
    other = pd.DataFrame({"mean": [0.1, 1.5, 9.0], "sd": 0.5, "mcse_mean": [0.04, 0.4, 0.0]})
    found = analysis.means_apart(one.set_axis(labels), other.set_axis(labels))
    assert found.parameters == 2  # c has no error to count in
    assert (found.where, found.worst) == ("a", pytest.approx(2.0))
    assert (found.sds, found.errors) == pytest.approx((1.0, 1.5))
    text = html.unescape(sentences.agreement(found))
    assert text == (
        "Over 2 parameters the two posteriors' means differ by 1.00 posterior standard deviations "
        "at most, and by 1.5 Monte Carlo standard errors in the median (a differs most, by 2.0)."
    )


def test_sds_beside_the_closed_form() -> None:
    found = analysis.ratio(np.linspace(1.0, 2.0, 101), np.ones(101))
    assert (found.median, found.low, found.high) == pytest.approx((1.5, 1.05, 1.95))
    text = sentences.collapse("recovered", found)
    assert "has a median of 1.50 and lies from 1.05 to 1.95 for 90% of the rows" in text
