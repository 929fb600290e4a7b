"""Panels that nobody thought of: made by Hypothesis, clean and broken, and files of anything."""

from __future__ import annotations

import csv
import re
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from oulib.errors import UserError
from oulib.panel import Panel, PanelError, table
from oulib.panel.understood import Understood

MANY = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
"""The same panels on every machine, and none kept from the last run."""

COLUMNS = ["ou", "site", "month", "productivity", "survey", "respondents", "scheduled"]
# Whatever one may type into a cell, but what a line of a text file cannot hold.
LETTERS = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cf", "Zl", "Zp"))
NAMES = st.text(LETTERS, min_size=1, max_size=12).map(str.strip).filter(bool)


@st.composite
def clean(draw: st.DrawFn) -> pd.DataFrame:
    """A sound panel as text, a row an OU and month, some months without a row or a survey."""
    ous = draw(st.integers(2, 5))
    months = draw(st.integers(3, 8))
    names = draw(
        st.lists(NAMES, min_size=ous, max_size=ous, unique_by=lambda one: f"{one}".casefold())
    )
    sites = draw(st.lists(NAMES, min_size=ous, max_size=ous))
    first = draw(st.dates(pd.Timestamp("1950-01-01").date(), pd.Timestamp("2090-01-01").date()))
    calendar = pd.period_range(first.strftime("%Y-%m"), periods=months, freq="M")
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    rows = []
    for name, site in zip(names, sites, strict=True):
        for month in calendar:
            seen = rng.random() < 0.6
            rows.append(
                {
                    "ou": name,
                    "site": site,
                    "month": str(month),
                    "productivity": f"{rng.lognormal(3, 0.3):.4f}",
                    "survey": f"{rng.uniform(1, 5):.2f}" if seen else "",
                    "respondents": str(rng.integers(1, 90)) if seen else "0",
                    "scheduled": str(bool(seen or rng.random() < 0.2)),
                }
            )
    found = pd.DataFrame(rows)
    # Names that are told apart by nothing that can be seen are another test's.
    assume(found["ou"].map(looks).nunique() == ous)
    assume(found.loc[found["survey"] != "", "survey"].nunique() > 2)
    return found


def looks(name: str) -> str:
    """What is left of a name for a reader who does not mind case, spaces and forms."""
    return "".join(pd.Series([name]).str.normalize("NFKD")[0].casefold().split())


def written(frame: pd.DataFrame, folder: str, name: str = "panel.csv") -> Path:
    path = Path(folder, name)
    frame.to_csv(path, index=False, quoting=csv.QUOTE_ALL)
    return path


@MANY
@given(clean(), st.randoms(use_true_random=False))
def test_a_sound_panel_is_read_as_it_stands(frame: pd.DataFrame, order) -> None:
    places = list(range(len(frame)))
    order.shuffle(places)
    with tempfile.TemporaryDirectory() as folder:
        read = table.read(written(frame, folder))
        shuffled = table.read(written(frame.iloc[places], folder, "shuffled.csv"))
    panel = Panel.from_frame(read.frame)
    values = panel.rows["productivity"].to_numpy()
    np.testing.assert_allclose(np.sort(values), np.sort(frame["productivity"].astype(float)))
    surveys = frame.loc[frame["survey"] != "", "survey"].astype(float)
    found = panel.rows["survey"].to_numpy()
    np.testing.assert_allclose(np.sort(found[np.isfinite(found)]), np.sort(surveys))
    assert len(panel.ous) == frame["ou"].nunique()
    assert len(panel.survey_rows) == len(surveys)
    # The order of rows is nobody's business.
    assert Panel.from_frame(shuffled.frame).fingerprint == panel.fingerprint
    assert Understood(Path("x.csv"), read, panel).lines()


def broken(frame: pd.DataFrame, row: int, kind: str) -> None:
    """Break one row in place."""
    at = frame.index[row]
    cells = {
        "negative": {"productivity": "-3"},
        "no number": {"productivity": "a lot"},
        "no month": {"month": "soon"},
        "no respondents": {"survey": "3.3", "respondents": ""},
        "half a person": {"survey": "3.3", "respondents": "2.5"},
        "infinite": {"productivity": "inf"},
        "no name": {"ou": ""},
        "no answer": {"scheduled": "perhaps"},
    }[kind]
    for column, cell in cells.items():
        frame.loc[at, column] = cell


KINDS = (
    *("negative", "no number", "no month", "no respondents"),
    *("half a person", "infinite", "no name", "no answer"),
)


@MANY
@given(clean(), st.data())
def test_every_broken_row_is_named(frame: pd.DataFrame, data: st.DataObject) -> None:
    places = data.draw(
        st.lists(st.integers(0, len(frame) - 1), min_size=1, max_size=3, unique=True)
    )
    kinds = [data.draw(st.sampled_from(KINDS)) for _ in places]
    for place, kind in zip(places, kinds, strict=True):
        broken(frame, place, kind)
    with tempfile.TemporaryDirectory() as folder:
        path = written(frame, folder)
        with pytest.raises(PanelError) as caught:
            table.read(path)
    said = str(caught.value)
    for place in places:
        assert re.search(rf"\brows? [\d, and]*\b{place + 2}\b", said), (place + 2, said)


@MANY
@given(st.one_of(st.binary(max_size=300), st.text(max_size=200).map(str.encode)))
@example(b"")
@example(b"ou,site,month,productivity,survey,respondents\n\xff\xfe")
@example(b"ou;site;month;productivity;survey;respondents\n\x00")
def test_a_file_of_anything_is_refused_in_words(content: bytes) -> None:
    for name in ("x.csv", "x.xlsx", "x.parquet", "x.csv.gz", "x.tsv"):
        with tempfile.TemporaryDirectory() as folder:
            (path := Path(folder, name)).write_bytes(content)
            with pytest.raises(UserError) as caught:
                table.read(path)
            assert str(caught.value)


def test_the_kinds_of_mistake_are_all_tried() -> None:
    frame = pd.DataFrame([dict.fromkeys(COLUMNS, "1")])
    for kind in KINDS:
        before = frame.copy()
        broken(frame, 0, kind)
        assert not frame.equals(before)
