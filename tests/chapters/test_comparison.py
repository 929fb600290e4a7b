"""The sentences and figures of the comparison follow what they are given."""

from __future__ import annotations

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from oulib import chapters, report
from oulib.chapters.comparison import analysis
from oulib.chapters.comparison import sentences as say
from oulib.posterior.checks import Check, Verdict
from oulib.posterior.compare import Difference


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def verdict(model, passed=True, inapplicable=""):
    checks = (Check(name="r_hat", value=1.2, threshold=1.01, passed=passed),)
    return Verdict(model=model, checks=checks, inapplicable=inapplicable)


def test_who_is_compared():
    text = say.compared(
        {"a": verdict("a"), "b": verdict("b", passed=False), "c": verdict("c", inapplicable="no")}
    )
    assert "a passes its checks and is compared." in text
    assert "b failed (R-hat) and is left out" in text
    assert "c does not apply" in text
    assert "a and b pass their checks and are compared" in say.compared(
        {"a": verdict("a"), "b": verdict("b")}
    )
    assert "compared" not in say.compared({"b": verdict("b", passed=False)})


def test_waic_beside_loo():
    table = pd.DataFrame(
        {"elpd": [-10.0, -12.0], "waic": [-9.5, -12.1], "unstable": [0, 0]}, index=["a", "b"]
    )
    assert "by 0.5 at most (for a) and put the models in the same order" in say.beside_waic(table)
    assert "warns about no row" in say.beside_waic(table)
    turned = table.assign(waic=[-12.0, -9.0], unstable=[0, 3])
    assert "different orders" in say.beside_waic(turned)
    assert "up to 3 rows" in say.beside_waic(turned)
    assert "order" not in say.beside_waic(table.iloc[:1])


def rows(k, residual):
    return pd.DataFrame({"k": k, "residual": residual, "ou": "OU", "month": "2024-01"})


def test_rows_with_a_high_k():
    k = np.append([0.9, 0.8], np.full(40, 0.1))
    far = np.append([6.0, -5.0], np.full(40, 0.7))
    text = say.weak_rows("m", analysis.weak_rows(rows(k, far), 0.7))
    assert "of 2 rows of 42 is above 0.70; the highest is 0.90" in text
    assert "They are outliers" in text
    text = say.weak_rows("m", analysis.weak_rows(rows(k / 2, np.full(42, 0.7)), 0.7))
    assert "no Pareto k is above 0.70; the highest is 0.45" in text
    assert "They are no outliers" in text
    k[1], far[1] = 0.1, 0.7
    assert "It is an outlier" in say.weak_rows("m", analysis.weak_rows(rows(k, far), 0.7))


def loo_of(elpd, k, good=0.7):
    return SimpleNamespace(
        elpd_i=xr.DataArray(np.array(elpd, float), dims="row"),
        pareto_k=xr.DataArray(np.array(k, float), dims="row"),
        elpd=float(np.sum(elpd)),
        good_k=good,
        p=50.0,
        n_data_points=len(k),
    )


def left_out(elpd=None, refits=2, seconds=30.0, lengthened=0):
    return SimpleNamespace(
        elpd=elpd, refits=(None,) * refits, seconds=seconds, lengthened=lengthened
    )


def test_exact_refits():
    before = loo_of([-1, -6, -2, -1], [0.1, 0.9, 0.8, 0.75])
    near = left_out(loo_of([-1, -6.1, -2.1, -1], [0.1, 0, 0, 0.75]))
    text = say.refitted("m", analysis.refits(before, near))
    assert "each of the 2 outcomes" in text
    assert "0.80 to 0.90" in text
    assert "by 0.10 at most, and by −0.20 in sum: the approximation holds" in text
    assert "1 row more with too high a k" in text
    far = left_out(loo_of([-1, -8, -2, -1], [0.1, 0, 0, 0]))
    text = say.refitted("m", analysis.refits(before, far))
    assert "elpd is −12.0 and not −10.0" in text
    assert "more with too high" not in text
    assert "no row was refitted" in say.refitted("m", analysis.refits(before, left_out(before)))


def test_the_cost_of_refits():
    text = say.cost(left_out(), left_out(refits=1, seconds=5.4))
    assert "3 refits took 35 s" in text
    assert "longer" not in text
    assert "; 1 of them was drawn longer" in say.cost(left_out(lengthened=1))


def test_calibration():
    flat = (np.arange(2000) + 0.5) / 2000
    assert "as uniform as chance allows" in say.calibrated("m", analysis.calibration(flat))
    middle = 0.5 + 0.3 * (flat - 0.5)
    assert "too wide for most rows." in say.calibrated("m", analysis.calibration(middle))
    outliers = np.append(middle, np.full(100, 0.999))
    assert "too narrow for the outliers" in say.calibrated("m", analysis.calibration(outliers))
    edges = np.where(flat < 0.5, flat / 2, 1 - (1 - flat) / 2)
    assert "its predictions are too narrow" in say.calibrated("m", analysis.calibration(edges))
    assert "lie below where it expects" in say.calibrated(
        "m", analysis.calibration(np.clip(flat - 0.08, 0, 1))
    )
    assert "lie above where it expects" in say.calibrated(
        "m", analysis.calibration(np.clip(flat + 0.08, 0, 1))
    )


def test_the_band_holds_uniform_values():
    rng = np.random.default_rng(0)
    steps = np.arange(1, 501) / 500
    strays = [np.abs(np.sort(rng.random(500)) - steps).max() for _ in range(400)]
    assert 0.9 < np.mean(np.array(strays) < analysis.band(500)) < 0.99


def test_the_trap():
    honest, memory = loo_of([-1] * 4, [0.1] * 4), loo_of([-1] * 4, [0.9, 0.9, 0.9, 0.2])
    memory.p = 300.0
    text = say.trap("m", analysis.trap(honest, memory, (-100.0, -40.0)))
    assert "300 effective parameters for 4 rows, where it has 50" in text
    assert "above 0.7 in 75% of the rows instead of 0%" in text
    assert "WAIC rises by 60" in text
    assert "counted as skill" in text
    memory.p = 60.0
    assert "the damage is small" in say.trap("m", analysis.trap(honest, memory, (-100.0, -99.0)))


def test_facts_of_predictions():
    found = analysis.weak_rows(rows(np.array([0.9, 0.2]), np.array([-4.0, 1.0])), 0.7)
    assert (found.rows, found.high, found.worst, found.shown) == (2, 1, 0.9, 1)
    assert (found.typical, found.usual) == (4.0, 2.5)
    before = loo_of([-1, -6, -2], [0.1, 0.9, 0.8])
    refits = analysis.refits(before, left_out(loo_of([-1, -6.5, -2], [0.1, 0, 0.8])))
    assert (refits.rows, refits.low_k, refits.high_k, refits.left) == (1, 0.9, 0.9, 1)
    assert (refits.most, refits.total) == (0.5, -0.5)
    assert (refits.exact, refits.approximate) == (-9.5, -9.0)
    found = analysis.calibration(np.array([0.1, 0.3, 0.5, 0.999]))
    assert (found.rows, found.middle, found.outer) == (4, 0.5, 0.25)
    assert (found.average, found.distance) == pytest.approx((0.47475, 0.25))
    assert analysis.wins(pd.Series([1.0, 0.0, -1.0])) == analysis.Wins(1, 3)
    assert analysis.forecasts(forecast(0.2)) == analysis.Forecasts(3, 1, 0.2)


def test_what_was_left_out_whole():
    gap = pd.Series([5.0, 4.0, -1.0])
    text = say.ahead(Difference("iid", "ar1", 30.0, 5.0, 3), analysis.wins(gap))
    assert text.startswith("ar1 predicts better than iid, by 30.0")
    assert "ar1 is ahead in 2 of 3 months" in text
    assert "With only 3 months" in text
    text = say.ahead(
        Difference("iid", "ar1", 1.0, 5.0, 48), analysis.wins(pd.Series(np.ones(48))), "unit"
    )
    assert "tie" in text
    assert "48 of 48 units" in text
    assert "rough" not in text
    assert "worse" in say.ahead(Difference("iid", "ar1", -30.0, 5.0, 3), analysis.wins(-gap))


def forecast(sd):
    observed = np.array([0.1, -0.4, 1.2])
    return pd.DataFrame(
        {"q5": -1.6 * sd, "q50": 0.0, "q95": 1.6 * sd, "sd": sd, "observed": observed},
        index=["2024-01", "2024-02", "2024-03"],
    )


def test_forecasts_in_words():
    text = say.forecast_widths(
        {"iid": analysis.forecasts(forecast(1.0)), "ar1": analysis.forecasts(forecast(0.2))}
    )
    assert "standard deviation of 1.00, and its 90% intervals hold 3 of 3" in text
    assert "standard deviation of 0.20, and its 90% intervals hold 1 of 3" in text


@pytest.mark.parametrize("models", [1, 2, 5])
def test_figure_of_differences(models):
    table = pd.DataFrame(
        {"elpd_diff": -10.0 * np.arange(models), "dse": 3.0 * np.arange(models)},
        index=[f"model_{i}" for i in range(models)],
    )
    fig = chapters.comparison.figures.elpd(table)
    labels = [tick.get_text() for tick in fig.axes[0].get_yticklabels()]
    assert sorted(labels) == sorted(table.index)
    assert "difference" in fig.axes[0].get_xlabel()


@pytest.mark.parametrize("models", [1, 2])
def test_figure_of_k(models):
    k, residual = np.array([0.9, 0.2, 0.1]), np.array([5.0, -0.2, 0.1])
    fig = chapters.comparison.figures.pareto_k(
        {f"model_{i}": rows(k, residual) for i in range(models)}, good_k=0.7
    )
    assert [ax.get_title() for ax in fig.axes] == [f"model_{i}" for i in range(models)]
    far = next(line for line in fig.axes[0].lines if "3 scales" in str(line.get_label()))
    assert far.get_ydata().tolist() == [0.9]


def test_figure_of_calibration():
    fig = chapters.comparison.figures.calibration({"$m$": np.array([0.2, 0.4])}, 0.3)
    assert fig.axes[0].lines[1].get_ydata().tolist() == pytest.approx([0.3, 0.6])
    assert r"\$m\$" in [text.get_text() for text in fig.axes[0].get_legend().get_texts()]


def test_figure_of_the_trap():
    share = np.array([0.1, 0.5])
    fig = chapters.comparison.figures.trap(share, np.array([0.2, 0.6]), np.array([0.0, 0.1]))
    drawn = {str(line.get_label()): line for line in fig.axes[0].lines}
    assert drawn["at the row's own sampled score"].get_ydata().tolist() == [0.2, 0.6]
    assert drawn["score integrated out"].get_ydata().tolist() == [0.0, 0.1]


def test_figure_of_months():
    gap = pd.Series([3.0, -1.0, 2.0], index=["2024-01", "2024-02", "2024-03"])
    tables = {"iid": forecast(1.0), "ar1": forecast(0.2)}
    fig = chapters.comparison.figures.months_ahead(tables, gap, gain="elpd, ar1 less iid")
    assert fig.axes[1].get_ylabel() == "elpd, ar1 less iid"
    assert [t.get_text() for t in fig.axes[1].get_xticklabels()] == gap.index.tolist()


@pytest.mark.parametrize("many", [False, True])
def test_figure_of_ous(many):
    ous = [f"OU-{i}" for i in range(30)]
    sites = [f"S{i:02d}" if many else f"S{i % 3}" for i in range(30)]
    fig = chapters.comparison.figures.by_ou(
        pd.Series(np.arange(30.0), index=ous), sites, gain="elpd"
    )
    shown = [t.get_text() for t in fig.axes[0].get_xticklabels()]
    assert shown == ([] if many else ["S0", "S1", "S2"])


def test_sentences_keep_labels_text():
    assert "*" not in say.compared({"*b*": verdict("*b*", inapplicable="no")})
    assert report.name("*b*") in say.weak_rows(
        "*b*", analysis.weak_rows(rows(np.ones(3), np.ones(3)), 0.7)
    )
