"""The panel value: calendar, standardisation, immutability, fingerprint."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pandas as pd
import pytest
from conftest import frame_of

from oulib import Panel, simulate


def frame_at(months, ous=("a", "b", "c")):
    """One row per OU and month, every second one with a survey."""
    rows = pd.DataFrame([(ou, m) for ou in ous for m in months], columns=["ou", "month"])
    k = np.arange(len(rows), dtype=float)
    return rows.assign(
        site=np.where(rows["ou"] == ous[0], "s", "t"),
        month=pd.to_datetime(rows["month"]),
        productivity=10 + k**1.5,
        survey=np.where(k % 2 == 0, 3 + 0.1 * k, np.nan),
        respondents=np.where(k % 2 == 0, 5, 0),
        scheduled=k % 2 == 0,
    )[["ou", "site", "month", "productivity", "survey", "respondents", "scheduled"]]


@pytest.mark.parametrize(
    ("months", "labels", "positions"),
    [
        (
            ["2023-11-01", "2023-12-01", "2024-03-01"],
            ["2023-11", "2023-12", "2024-01", "2024-02", "2024-03"],
            [0, 1, 4],
        ),
        (
            ["2023-02-01", "2023-05-01", "2023-11-01"],
            ["2023-02", "2023-05", "2023-08", "2023-11"],
            [0, 1, 3],
        ),
        (
            ["2019-12-01", "2020-12-01", "2022-12-01"],
            ["2019-12", "2020-12", "2021-12", "2022-12"],
            [0, 1, 3],
        ),
        (["2024-01-01", "2024-03-01", "2024-09-01"], "2024-01 2024-03 2024-05 2024-07 2024-09", 0),
        (["2024-01-01", "2024-07-01", "2024-11-01"], "", [0, 3, 5]),
        (["2024-06-01"], ["2024-06"], [0]),
    ],
    ids=["monthly", "quarterly", "yearly", "every second", "step 2 from gaps 6 and 4", "one"],
)
def test_calendar_grid(months, labels, positions):
    panel = Panel.from_frame(frame_at(months))
    labels = labels.split() if isinstance(labels, str) else labels
    if labels:
        assert panel.months == tuple(labels)
    if positions:
        assert panel.rows["month_idx"].to_numpy().tolist() == positions * 3
    at = panel.rows["month_idx"].to_numpy()
    assert [panel.months[i] for i in at] == panel.rows["month"].to_numpy().tolist()


def test_calendar_when_no_ou_has_a_month():
    """The gap is on the grid although no row of any OU is in it."""
    months = pd.period_range("2024-01", "2024-08", freq="M").to_timestamp()
    kept = [m for m in months if m.month != 4]
    panel = Panel.from_frame(frame_at(kept))
    assert "2024-04" in panel.months
    assert 3 not in panel.rows["month_idx"].to_numpy()


def test_standardisation_is_by_the_empirical_moments(awkward):
    """Spec 0: mean and sd (ddof 0) of log productivity and of the observed survey scores."""
    frame = awkward.to_frame()
    log_y = [np.log(v) for v in frame["productivity"]]
    x = [v for v in frame["survey"] if v == v]
    for found, values in (
        ((awkward.scale.m_y, awkward.scale.s_y), log_y),
        ((awkward.scale.m_x, awkward.scale.s_x), x),
    ):
        mean = sum(values) / len(values)
        sd = (sum((v - mean) ** 2 for v in values) / len(values)) ** 0.5
        np.testing.assert_allclose(found, (mean, sd), rtol=1e-12)
    y, x = awkward.rows["y"].to_numpy(), awkward.rows["x"].to_numpy()
    np.testing.assert_allclose([y.mean(), y.std()], [0, 1], atol=1e-12)
    np.testing.assert_allclose([np.nanmean(x), np.nanstd(x)], [0, 1], atol=1e-12)
    np.testing.assert_allclose(awkward.scale.productivity(y), frame["productivity"])
    np.testing.assert_allclose(awkward.scale.survey(x), frame["survey"])
    assert np.isnan(x).tolist() == (~awkward.rows["observed"].to_numpy()).tolist()


def test_indices_and_labels(awkward):
    rows = awkward.rows
    for label, index, names in (
        ("ou", rows["ou_idx"], awkward.ous),
        ("month", rows["month_idx"], awkward.months),
        ("site", awkward.site_idx[rows["ou_idx"].to_numpy()], awkward.sites),
    ):
        assert [names[i] for i in np.asarray(index)] == rows[label].to_numpy().tolist()
    assert awkward.survey_rows.tolist() == np.flatnonzero(rows["observed"]).tolist()
    assert awkward.scheduled_rows.tolist() == np.flatnonzero(rows["scheduled"]).tolist()
    assert set(awkward.survey_rows) - set(awkward.scheduled_rows)


def test_panel_cannot_be_changed(panel):
    for name in panel.rows.data_vars:
        with pytest.raises(ValueError, match="read-only"):
            panel.rows[name].to_numpy()[0] = panel.rows[name].to_numpy()[1]
    with pytest.raises(ValueError, match="read-only"):
        panel.site_idx[0] = 1
    with pytest.raises(FrozenInstanceError):
        panel.name = "other"


def test_panel_does_not_share_memory_with_the_frame():
    frame = frame_at(["2024-01-01", "2024-02-01"])
    panel = Panel.from_frame(frame)
    before = panel.fingerprint
    frame.loc[:, "productivity"] = 1.0
    assert panel.fingerprint == before


CHANGES = {
    "a productivity": lambda f: f.assign(productivity=f["productivity"].replace({10.0: 10.000001})),
    "a survey": lambda f: f.assign(survey=f["survey"].replace({3.0: 3.001})),
    "a survey taken away": lambda f: f.assign(survey=f["survey"].replace({3.0: np.nan})),
    "respondents": lambda f: f.assign(respondents=[6, *f["respondents"][1:]]),
    "the schedule": lambda f: f.assign(scheduled=[False, *f["scheduled"][1:]]),
    "no schedule": lambda f: f.drop(columns="scheduled"),
    "an OU's name": lambda f: f.assign(ou=f["ou"].replace({"a": "A"})),
    "an OU's site": lambda f: f.assign(site=np.where(f["ou"] == "b", "s", "t")),
    "a site's name": lambda f: f.assign(site=f["site"].replace({"t": "u"})),
    "the months": lambda f: f.assign(month=f["month"] + pd.DateOffset(months=1)),
    "a row less": lambda f: f.iloc[:-1],
    "OUs swapped": lambda f: f.assign(ou=f["ou"].replace({"a": "b", "b": "a"})),
}
MONTHS = ["2024-01-01", "2024-02-01", "2024-03-01"]


@pytest.mark.parametrize("change", CHANGES)
def test_fingerprint_changes_with_the_content(change):
    frame = frame_at(MONTHS)
    assert (
        Panel.from_frame(CHANGES[change](frame)).fingerprint != Panel.from_frame(frame).fingerprint
    )


def test_fingerprint_tells_labels_apart_that_join_alike():
    """Names with separators in them: ("a", "b c") against ("a b", "c")."""
    one, two = (Panel.from_frame(frame_at(MONTHS, ous=ous)) for ous in (("a", "b c"), ("a b", "c")))
    assert one.fingerprint != two.fingerprint


def test_fingerprint_ignores_order_name_and_truth(panel):
    frame = frame_of(panel)
    shuffled = frame.sample(frac=1, random_state=1)
    other = Panel.from_frame(shuffled, name="quite different")
    assert other.fingerprint == panel.fingerprint
    assert replace(panel, truth=None, name="x").fingerprint == panel.fingerprint
    assert other.rows.equals(panel.rows)


def test_frame_round_trip(awkward, panel):
    for original in (panel, awkward, simulate("upgraded", seed=2)):
        back = Panel.from_frame(frame_of(original))
        assert back.fingerprint == original.fingerprint
        assert back.rows.identical(original.rows)
        assert back.scale == original.scale
        pd.testing.assert_frame_equal(back.to_frame(), original.to_frame())


def test_frame_has_the_files_columns(panel):
    columns = ["ou", "site", "month", "productivity", "survey", "respondents"]
    assert list(panel.to_frame()) == [*columns, "scheduled"]
    bare = Panel.from_frame(frame_of(panel).drop(columns="scheduled"))
    assert list(bare.to_frame()) == columns
    assert not bare.has_schedule
    assert bare.scheduled_rows.size == 0
