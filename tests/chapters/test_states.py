"""The real panel of the book, rules of thumb on it, and the sentences and figures about both."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from linearmodels.datasets import munnell as source
from scipy import stats

from oulib import ROBUST, Fit, Panel, Sampling, chapters, report
from oulib.chapters.missing import analysis as missing
from oulib.chapters.states import analysis
from oulib.panel import munnell

MODEL = "model"


@pytest.fixture(scope="module", params=[True, False], ids=["staggered", "same years"])
def states(request: pytest.FixtureRequest) -> munnell.Thinned:
    return munnell.states(staggered=request.param)


@pytest.fixture(scope="module")
def data() -> munnell.Thinned:
    return munnell.states()


# --- the panel


def test_divisions_hold_each_state_once() -> None:
    listed = " ".join(munnell.DIVISIONS.values()).split()
    assert sorted(listed) == sorted(source.load()["ST_ABB"].unique())
    assert len(listed) == len(set(listed)) == 48
    assert len(munnell.DIVISIONS) == 9


def test_the_whole_panel_is_what_was_published(states: munnell.Thinned) -> None:
    frame = source.load().set_index(["ST_ABB", "YR"])
    rows = states.whole.rows
    assert rows.sizes["row"] == len(frame) == 816
    for row in range(0, 816, 37):
        state, year = str(rows["ou"].data[row]), int(str(rows["month"].data[row])[:4])
        one = frame.loc[(state, year)]
        assert rows["survey"].data[row] == one["UNEMP"]
        assert rows["productivity"].data[row] == pytest.approx(one["GSP"] / one["EMP"])
        assert state in munnell.DIVISIONS[str(rows["site"].data[row])].split()
    assert rows["observed"].all()
    assert states.panel.months[0] == "1970-01"
    assert len(states.panel.months) == 17  # a yearly calendar


def test_thinned_and_whole_are_the_same_rows_on_the_same_scale(states: munnell.Thinned) -> None:
    panel, whole, hidden = states.panel, states.whole, states.hidden
    for name in ("ou", "month", "site", "y", "productivity"):
        np.testing.assert_array_equal(panel.rows[name], whole.rows[name])
    assert panel.scale == whole.scale
    kept = panel.survey_rows
    np.testing.assert_array_equal(np.union1d(kept, hidden), np.arange(816))
    assert np.intersect1d(kept, hidden).size == 0
    for name in ("x", "survey"):
        np.testing.assert_array_equal(panel.rows[name][kept], whole.rows[name][kept])
        assert np.isnan(panel.rows[name].to_numpy()[hidden]).all()
        assert np.isfinite(whole.rows[name].to_numpy()[hidden]).all()
    # The scale is that of what was kept alone.
    rate = whole.rows["survey"].to_numpy()
    assert panel.scale.m_x == pytest.approx(rate[kept].mean())
    assert panel.scale.s_x == pytest.approx(rate[kept].std())


def test_which_years_are_planned() -> None:
    both, same = munnell.states(staggered=True).panel, munnell.states(staggered=False).panel
    year = np.array([int(str(label)[:4]) for label in both.rows["month"].data])
    np.testing.assert_array_equal(same.rows["scheduled"], year % 2 == 0)
    planned = both.rows["scheduled"].to_numpy()
    for when in np.unique(year):
        assert planned[year == when].sum() == 24
    for ou in range(48):  # each state in every other year
        assert (np.diff(year[planned & (both.rows["ou_idx"].to_numpy() == ou)]) == 2).all()
    for panel in (both, same):
        assert not panel.rows["observed"].to_numpy()[~panel.rows["scheduled"].to_numpy()].any()
        missed = 1 - panel.survey_rows.size / panel.scheduled_rows.size
        assert 0.10 < missed < 0.20
    assert munnell.states(missed=0.0).hidden.size == 816 - 48 * 17 // 2
    np.testing.assert_array_equal(munnell.states(seed=1).hidden, munnell.states(seed=1).hidden)
    assert not np.array_equal(munnell.states(seed=1).hidden, munnell.states(seed=2).hidden)


def test_correlations_against_regressions(data: munnell.Thinned) -> None:
    for panel in (data.whole, data.panel):
        frame = panel.rows[["ou_idx", "month_idx", "y", "x"]].to_dataframe().dropna()
        found = munnell.correlations(panel)
        means = frame.groupby("ou_idx")[["y", "x"]].mean()
        assert found["between"] == pytest.approx(means.corr().iloc[0, 1])
        for name, columns in (
            ("within", ["ou_idx"]),
            ("within, less years", ["ou_idx", "month_idx"]),
        ):
            design = pd.get_dummies(frame[columns].astype(str)).to_numpy(dtype=float)
            fitted = design @ np.linalg.lstsq(design, frame[["y", "x"]].to_numpy(), rcond=None)[0]
            left = frame[["y", "x"]].to_numpy() - fitted
            assert found[name] == pytest.approx(np.corrcoef(left.T)[0, 1], abs=1e-6)


# --- rules of thumb and their scores


def test_the_straight_line_by_hand(data: munnell.Thinned) -> None:
    panel, rows = data.panel, data.hidden
    table = missing.rules_of_thumb(panel, rows)
    ou, month, x = (panel.rows[name].to_numpy() for name in ("ou_idx", "month_idx", "x"))
    kept = panel.survey_rows

    def line(row: int) -> float:
        own = kept[(ou[kept] == ou[row]) & (kept != row)]
        before, after = own[month[own] < month[row]], own[month[own] > month[row]]
        if not before.size or not after.size:
            return x[before[-1]] if before.size else x[after[0]]
        a, b = before[-1], after[0]
        share = (month[row] - month[a]) / (month[b] - month[a])
        return (1 - share) * x[a] + share * x[b]

    np.testing.assert_allclose(table[missing.LINE], [line(row) for row in rows])
    errors = [x[row] - line(row) for row in kept]
    np.testing.assert_allclose(table[f"{missing.LINE} sd"], np.sqrt(np.mean(np.square(errors))))


def test_the_straight_line_without_a_neighbour() -> None:
    kept = pd.DataFrame({"ou_idx": [0, 1, 1], "month_idx": [2, 1, 4], "x": [5.0, 1.0, 4.0]})
    wanted = pd.DataFrame({"ou_idx": [0, 1, 1, 2], "month_idx": [0, 3, 6, 1]}, index=[9, 8, 7, 6])
    found = missing.on_line(wanted, kept)
    assert found[9] == 5
    assert found[8] == 3
    assert found[7] == 4
    assert np.isnan(found[6])
    alone = missing.on_line(kept, kept)  # each without itself
    assert np.isnan(alone[0])
    assert alone[1] == 4
    assert alone[2] == 1


def test_paired_errors() -> None:
    rng = np.random.default_rng(3)
    d, rows = rng.standard_normal(60), np.arange(60)
    plain = d.std(ddof=1) / np.sqrt(60)
    assert missing.paired_error(d, rows) == pytest.approx(plain)
    # Rows that were copied tell nothing new.
    copied = np.repeat(d, 3)
    assert missing.paired_error(copied, np.repeat(rows, 3)) == pytest.approx(plain)
    assert missing.paired_error(copied, np.arange(180)) < 0.7 * plain
    # Two ways, by the matrix of which pairs of rows are alike.
    ou, month = np.divmod(rows, 6)
    e = d - d.mean()

    def meat(*groups: np.ndarray) -> float:
        alike = np.logical_and.reduce([g[:, None] == g for g in groups])
        size = len(np.unique(np.stack(groups), axis=1).T)
        return size / (size - 1) * e @ alike @ e / 60**2

    two = meat(ou) + meat(month) - meat(ou, month)
    expected = np.sqrt(max(two, meat(ou), meat(month)))
    assert missing.paired_error(d, ou, month) == pytest.approx(expected)
    # What a month does to all of its rows counts once a month, not once a row.
    shared = np.tile(rng.standard_normal(6), 10)
    assert missing.paired_error(shared, ou, month) >= shared[:6].std(ddof=1) / np.sqrt(6) * 0.999
    assert np.isnan(missing.paired_error(d, np.zeros(60)))


def reference_densities(panel: Panel, **changes: np.ndarray | float) -> Fit:
    """A fit whose posterior is written down: two chains, 50 draws of known parameters."""
    shape, rng = (2, 50), np.random.default_rng(0)

    def draws(value: np.ndarray | float, *dims: str, sd: float = 0.0) -> tuple:
        value = np.asarray(value, dtype=float)
        noise = sd * rng.standard_normal((*shape, *value.shape))
        return ("chain", "draw", *dims), value + noise

    ous, months = len(panel.ous), len(panel.months)
    values = {
        "mu_beta": draws(0.0, sd=0.1),
        "beta_between": draws(0.0, sd=0.1),
        "phi_u": draws(0.9),
        "sigma_u": draws(0.1),
        "sigma_y": draws(0.05),
        "sigma_x": draws(0.6),
        "sigma_meas": draws(0.3),
        "gamma_x": draws(0.5),
        "phi_tau": draws(0.5),
        "mu_x_ou": draws(np.zeros(ous), "ou"),
        "tau": draws(np.zeros(months), "month"),
        "alpha": draws(np.zeros(ous), "ou"),
        "beta": draws(np.zeros(ous), "ou"),
        "lam": draws(np.zeros(months), "month"),
        "noise_ou": draws(np.ones(ous), "ou", sd=0.01),
    }
    for name, change in changes.items():
        dims, old = values[name]
        values[name] = dims, np.broadcast_to(change, old.shape).astype(float)
    posterior = xr.Dataset(values, coords={"ou": list(panel.ous), "month": list(panel.months)})
    tree = xr.DataTree.from_dict({"posterior": posterior})
    return Fit(panel, ROBUST, Sampling(draws=50, chains=2), tree, "by hand")


def test_hidden_rates_are_scored(data: munnell.Thinned) -> None:
    fit = reference_densities(data.panel)
    found = missing.found_again(
        fit, data.whole, data.hidden, models=[missing.WITHOUT], rules=missing.RULES, seed=1
    )
    assert list(found["forecast"]) == [missing.WITHOUT, *missing.RULES]
    x, rule = found["observed"].to_numpy(), missing.rules_of_thumb(data.panel, data.hidden)
    np.testing.assert_array_equal(x, data.whole.rows["x"].to_numpy()[data.hidden])
    mean, sd = rule[missing.LINE].to_numpy(), rule[f"{missing.LINE} sd"].to_numpy()
    line = found.sel(forecast=missing.LINE)
    np.testing.assert_allclose(line["pit"], stats.norm.cdf((x - mean) / sd))
    np.testing.assert_allclose(line["crps"], missing.crps_normal(mean, sd, x))
    # The parameters are known here, and so is the forecast: normal, the same for every row.
    own, total = found.sel(forecast=missing.WITHOUT), np.hypot(0.6, 0.3)
    exact = missing.crps_normal(np.zeros(x.size), np.full(x.size, total), x)
    assert float(own["crps"].mean()) == pytest.approx(exact.mean(), rel=0.02)
    np.testing.assert_allclose(own["pit"], stats.norm.cdf(x / total), atol=0.2)

    s = data.panel.scale.s_x
    table = missing.imputation_table(found, missing.WITHOUT, data.whole, unit=s)
    inside = (found["low"] <= found["observed"]) & (found["observed"] <= found["high"])
    np.testing.assert_allclose(table["coverage_90"], inside.mean("row"), atol=0.03)
    z = stats.norm.ppf(0.75)
    assert table.loc[missing.LINE, "coverage_50"] == pytest.approx(np.mean(abs(x - mean) < z * sd))
    assert table.loc[missing.LINE, "error"] == pytest.approx(s * np.sqrt(np.mean((x - mean) ** 2)))
    difference = s * (line["crps"] - own["crps"]).to_numpy()
    assert table.loc[missing.LINE, "lead"] == pytest.approx(difference.mean())
    where = [data.whole.rows[name].to_numpy()[data.hidden] for name in ("ou_idx", "month_idx")]
    error = missing.paired_error(difference, *where)
    assert table.loc[missing.LINE, "lead_se"] == pytest.approx(error)
    assert table.loc[missing.WITHOUT, ["lead", "lead_se"]].tolist() == [0, 0]
    assert (table["rows"] == data.hidden.size).all()


def test_departures_that_last_are_seen(data: munnell.Thinned) -> None:
    rng, phi = np.random.default_rng(4), 0.9
    u = np.empty((48, 17))
    u[:, 0] = rng.standard_normal(48)
    for t in range(1, 17):
        u[:, t] = phi * u[:, t - 1] + np.sqrt(1 - phi**2) * rng.standard_normal(48)
    level, path = np.linspace(-1, 1, 48), np.sin(np.arange(17))
    for departures, low, high in ((u, 0.65, 0.95), (rng.standard_normal((48, 17)), -0.2, 0.2)):
        x = (level[:, None] + 0.5 * path + 0.67 * departures).ravel()
        rows = data.panel.rows
        rows = rows.assign(x=("row", np.where(rows["observed"], x, np.nan)))
        fit = reference_densities(replace(data.panel, rows=rows), mu_x_ou=level, tau=path)
        found = missing.persistence(fit, seed=1)
        assert low < float(found["observed"].mean()) < high
        assert abs(float(found["replicated"].mean())) < 0.02
        assert 2 <= found.attrs["steps"] < 3
        lasts = "They last" in chapters.states.sentences.lasting(analysis.lasting(found))
        assert lasts == (departures is u)
    alone = reference_densities(missing.hide_surveys(data.panel, data.panel.survey_rows[1:]))
    with pytest.raises(ValueError, match="two surveys"):
        missing.persistence(alone)


def test_facts_of_states(data: munnell.Thinned) -> None:
    rate = data.whole.rows["survey"].to_numpy()
    found = analysis.rates(data)
    assert (found.number, found.low, found.high) == (816, rate.min(), rate.max())
    assert found.mean == pytest.approx(rate.mean())
    z = np.random.default_rng(5).standard_normal((2, 50))
    fit = reference_densities(data.panel, mu_beta=0.1 * z, beta_between=0.5 + 0.1 * z)
    between = analysis.between_states(fit)
    assert (between.states, between.larger) == (48, 1.0)
    assert analysis.within_states(fit).positive == float((z > 0).mean())
    share = analysis.score_share(reference_densities(data.panel))
    assert share.share.mean == pytest.approx(0.8)
    assert (share.sd, share.prior_sd) == pytest.approx((0, np.sqrt(0.05)))  # of a Beta(2, 2)
    path = analysis.path_between(reference_densities(munnell.states(staggered=False).panel))
    assert set(path.steps) == {2}


# --- sentences


def test_thinning_in_words(data: munnell.Thinned) -> None:
    text = chapters.states.sentences.thinning(data, analysis.rates(data))
    assert "48 states in 9 census divisions and 17 years, 1970 to 1986" in text
    assert "816 unemployment rates run from 2.8% to 18.0%" in text
    assert f"sees {data.panel.survey_rows.size} rates" in text
    assert f"{data.hidden.size} are hidden" in text
    same = chapters.states.sentences.between_and_within(
        pd.Series({"between": 0.5, "within": 0.1, "within, less years": 0.45})
    )
    assert "much alike" in same
    apart = pd.Series({"between": 0.5, "within": 0.1, "within, less years": -0.4})
    assert "different signs" in chapters.states.sentences.between_and_within(apart)
    apart["within, less years"] = 0.05
    assert "different sizes" in chapters.states.sentences.between_and_within(apart)
    assert "far from zero" in chapters.states.sentences.between_and_within(apart / 10)


def test_slopes_in_words(data: munnell.Thinned) -> None:
    open_ = reference_densities(data.panel)
    assert "The sign of the association is not settled" in chapters.states.sentences.within_states(
        analysis.within_states(open_)
    )
    z = np.random.default_rng(5).standard_normal((2, 50))
    clear = reference_densities(data.panel, mu_beta=-0.5 + 0.05 * z, beta_between=0.5 + 0.05 * z)
    text = chapters.states.sentences.within_states(analysis.within_states(clear))
    assert "strong evidence that the association is negative" in text
    scale = data.panel.scale
    percent = 100 * np.expm1(scale.s_y / scale.s_x * (-0.5 + 0.05 * z)).mean()
    assert f"by −{abs(percent):.2f}%" in text
    text = chapters.states.sentences.between_states(analysis.between_states(clear))
    assert "strong evidence that this association is positive" in text
    assert "strong evidence that the two slopes differ" in text
    assert "mixture" in text
    assert "little evidence that the two slopes differ" in chapters.states.sentences.between_states(
        analysis.between_states(open_)
    )


def test_departures_of_outcomes_in_words(data: munnell.Thinned) -> None:
    text = chapters.states.sentences.departures(
        analysis.departures(reference_densities(data.panel, phi_u=0.99))
    )
    assert "hardly comes back" in text
    share = (0.1**2 / (1 - 0.99**2)) / (0.1**2 / (1 - 0.99**2) + 0.05**2)
    assert report.percent(share) in text
    half = np.log(0.5) / np.log(0.8)
    assert f"gone after {half:.1f} years" in chapters.states.sentences.departures(
        analysis.departures(reference_densities(data.panel, phi_u=0.8))
    )
    assert "not last long" in chapters.states.sentences.departures(
        analysis.departures(reference_densities(data.panel, phi_u=0.2))
    )


def test_reliability_in_words(data: munnell.Thinned) -> None:
    share = np.random.default_rng(6).beta(2, 2, (2, 50))
    prior_led = reference_densities(
        data.panel, sigma_x=np.sqrt(share), sigma_meas=np.sqrt(1 - share)
    )
    assert "hardly wider" in chapters.states.sentences.reliability(analysis.score_share(prior_led))
    text = chapters.states.sentences.reliability(
        analysis.score_share(reference_densities(data.panel))
    )
    assert "clearly wider" in text
    assert "the score makes up 80%" in text  # 0.36 / (0.36 + 0.09)
    assert "Its prior says 50% (14% to 86%)" in text


def test_scales_in_words_and_drawn(data: munnell.Thinned) -> None:
    division = munnell.divisions(data.panel)
    assert division["TX"] == "West South Central"
    level = np.ones(48)
    names = list(data.panel.ous)
    level[names.index("WY")], level[names.index("CA")] = 4.0, 0.5
    noise = reference_densities(data.panel, noise_ou=level).posterior["noise_ou"]
    text = chapters.states.sentences.scales(analysis.scales(noise, division))
    assert "0.50 times that of a typical state in CA to 4.00 times in WY" in text
    assert "lies above 1 for WY." in text
    assert "lies below 1 for CA." in text
    assert "largest in Mountain" in text
    assert "smallest in Pacific" in text
    assert f"({4 ** (1 / 8):.2f})" in text
    fig = chapters.states.figures.scales(noise, division)
    labels = [t.get_text() for t in fig.axes[0].get_xticklabels()]
    assert sorted(labels) == sorted(names)
    assert labels.index("CA") == min(labels.index(state) for state in ("CA", "OR", "WA"))
    plt.close("all")
    same = reference_densities(data.panel, noise_ou=1.0).posterior["noise_ou"]
    assert "No state's interval leaves out 1" in chapters.states.sentences.scales(
        analysis.scales(same, division)
    )


def scored(lead: float, error: float = 0.01) -> pd.DataFrame:
    """A table of forecasts in which the straight line is the best rule."""
    table = pd.DataFrame(
        {"rows": 40, "coverage_50": 0.55, "coverage_90": 0.93, "width": 2.0, "error": 0.5}
        | {"crps": 0.5, "lead": 0.3, "lead_se": error},
        index=[MODEL, *missing.RULES],
    )
    table.loc[missing.LINE, ["crps", "lead"]] = 0.4, lead
    return table


def test_imputation_in_words() -> None:
    text = chapters.states.sentences.imputation(scored(-0.1), MODEL, "Staggered")
    assert text.startswith("Staggered: of 40 hidden rates")
    assert "straight line in time, the best rule of thumb here, with 0.400" in text
    assert "the model is worse by 0.100 (standard error 0.010)" in text
    assert text.count("the model is better by 0.300") == 2
    assert "off by 0.50 points" in text
    assert "promises" not in text
    assert "too narrow" not in text
    narrow = scored(0.1)
    narrow.loc[MODEL, "coverage_90"] = 0.8
    assert "too narrow" in chapters.states.sentences.imputation(narrow, MODEL, "Here")
    wide = scored(-0.01)
    wide.loc[missing.LINE, "coverage_50"] = 0.75
    assert "50% intervals hold 75%" in chapters.states.sentences.imputation(wide, MODEL, "Here")
    assert "the two tie" in chapters.states.sentences.imputation(scored(-0.01), MODEL, "Here")
    assert "the model is better by 0.100" in chapters.states.sentences.imputation(
        scored(0.1), MODEL, "Here"
    )


def found_lasting(correlation: float) -> xr.Dataset:
    z = 0.05 * np.random.default_rng(7).standard_normal((2, 400))
    return xr.Dataset(
        {"observed": ("sample", correlation + z[0]), "replicated": ("sample", z[1])},
        attrs={"steps": 2.2},
    )


def test_why_in_words() -> None:
    lasts, not_ = found_lasting(0.6), found_lasting(0.0)
    assert "They last" in chapters.states.sentences.lasting(analysis.lasting(lasts))
    assert "2.2 years" in chapters.states.sentences.lasting(analysis.lasting(lasts))
    assert "little evidence" in chapters.states.sentences.lasting(analysis.lasting(not_))
    assert "swing back" in chapters.states.sentences.lasting(analysis.lasting(found_lasting(-0.6)))
    places = {"staggered": scored(0.0), "between": scored(-0.1)}

    def why(found: xr.Dataset) -> str:
        return chapters.states.sentences.why(
            places, missing.LINE, analysis.lasting(found), blind=["between"]
        )

    text = why(lasts)
    assert "loses to the straight line in time here: between. A state's departure lasts" in text
    assert "no common movement at all" in text
    assert "no explanation" in why(not_)
    places["staggered"] = scored(-0.1)
    assert "here: staggered and between." in why(lasts)
    assert "does not make up" in why(lasts)
    places |= {"staggered": scored(0.1), "between": scored(-0.01)}
    assert "Nowhere does the model lose" in why(lasts)
    assert "better still" in why(lasts)
    assert "nothing more" in why(not_)


def test_movement_in_words() -> None:
    def against(lead: float) -> pd.DataFrame:
        return pd.DataFrame({"lead": [0.0, lead], "lead_se": [0.0, 0.05]}, index=[MODEL, "all"])

    text = chapters.states.sentences.movement(against(-0.2), "all")
    assert "lowers the CRPS by 0.200 points (standard error 0.050)" in text
    assert "worth having" in text
    text = chapters.states.sentences.movement(against(0.2), "all")
    assert "raises the CRPS by 0.200 points" in text
    assert "misleads" in text
    assert "little evidence" in chapters.states.sentences.movement(against(0.02), "all")


def test_the_path_between_waves_in_words() -> None:
    same = munnell.states(staggered=False).panel
    phi = np.linspace(-0.9, 0.9, 100).reshape(2, 50)
    text = chapters.states.sentences.path_between(
        analysis.path_between(reference_densities(same, phi_tau=phi))
    )
    assert "probability 0.50" in text
    assert "mixture" in text
    assert "settled" in chapters.states.sentences.path_between(
        analysis.path_between(reference_densities(same, phi_tau=0.5))
    )
    both = munnell.states().panel
    assert "sign is open" in chapters.states.sentences.path_between(
        analysis.path_between(reference_densities(both, phi_tau=phi))
    )


# --- figures


def test_the_panel_drawn_and_whom_it_names(data: munnell.Thinned) -> None:
    rows = data.whole.rows
    output, rate = (
        pd.Series(rows[name].to_numpy()).groupby(rows["ou"].to_numpy())
        for name in ("productivity", "survey")
    )
    found = analysis.named(data)
    level = output.mean()
    assert (level[found.lowest], level[found.highest]) == (level.min(), level.max())
    others = rate.std().drop([found.lowest, found.highest])
    assert others[found.moved] == others.max()
    text = chapters.states.sentences.named(found)
    assert f"names {found.lowest} and {found.highest}" in text
    fig = chapters.states.figures.panel(data, [found.lowest, found.highest, found.moved])
    left, right = fig.axes
    assert len(left.lines) == len(right.lines) == 45 + 1 + 3
    lines = {line.get_label(): line.get_ydata() for line in right.lines}
    of_state = rows["ou"].to_numpy() == found.moved
    np.testing.assert_array_equal(lines[found.moved], rows["survey"].to_numpy()[of_state])
    by_year = pd.Series(rows["survey"].to_numpy()).groupby(rows["month"].to_numpy()).mean()
    np.testing.assert_allclose(lines["mean of all"], by_year)
    plt.close("all")


def test_figures_of_hidden_rates(data: munnell.Thinned) -> None:
    fit = reference_densities(data.panel)
    found = missing.found_again(
        fit, data.whole, data.hidden, models=[missing.WITHOUT], rules=missing.RULES
    ).assign_coords(forecast=[MODEL, *missing.RULES])
    fig = chapters.states.figures.paths(
        data, found, ["MI", "TX", "VT"], model=MODEL, rule=missing.LINE
    )
    ax = fig.axes[0]
    assert ax.get_title(loc="left") == "MI"
    lines = {line.get_label(): line for line in ax.lines}
    rows = data.whole.rows
    of_state = rows["ou"].to_numpy() == "MI"
    kept = of_state & data.panel.rows["observed"].to_numpy()
    np.testing.assert_allclose(lines["kept"].get_ydata(), rows["survey"].to_numpy()[kept])
    hidden = of_state & ~data.panel.rows["observed"].to_numpy()
    np.testing.assert_allclose(lines["hidden"].get_ydata(), rows["survey"].to_numpy()[hidden])
    line = missing.rules_of_thumb(data.panel, np.flatnonzero(hidden))[missing.LINE]
    np.testing.assert_allclose(
        lines[missing.LINE].get_ydata(), data.panel.scale.survey(line.to_numpy())
    )
    assert not fig.axes[3].get_visible()
    where = {"one": scored(-0.1), "two": scored(0.1)}
    fig = chapters.states.figures.methods(where)
    assert [t.get_text() for t in fig.axes[0].get_yticklabels()] == [MODEL, *missing.RULES]
    plt.close("all")
    assert chapters.states.sentences.examples({"MI": "why"}) == "Shown are MI, why."
