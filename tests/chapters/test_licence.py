"""What the licence was worth: the table, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from oulib import chapters
from oulib.chapters.licence import analysis as operating
from oulib.chapters.licence.analysis import Made

FIT = Made(
    kind="clean",
    seed=1,
    model="baseline",
    sampled=True,
    failed=(),
    ous=10,
    covered=9,
    stated=4,
    wrong=0,
    expected=0.25,
    strong=2,
    strong_wrong=0,
)
AMBER = replace(FIT, kind="noise2", failed=("noise", "moved"), covered=4, wrong=3)
FITS = [
    FIT,
    replace(FIT, seed=2, failed=("drift",), covered=10),
    replace(FIT, seed=2, model="robust", covered=8, wrong=1, strong_wrong=1),
    AMBER,
    replace(AMBER, model="robust", failed=(), covered=8, wrong=1),
    replace(AMBER, seed=2, sampled=False, failed=("r_hat",), covered=0, stated=9),
    replace(AMBER, seed=2, sampled=False, failed=("r_hat",), model="robust"),
]


def test_a_table_holds_what_was_put_into_it(tmp_path: Path) -> None:
    path = tmp_path / "licence.csv"
    assert operating.read(path) == []
    for one in FITS:
        operating.append(path, one)
    assert operating.read(path) == FITS


def test_conclusions_are_the_first_that_hold_the_licence() -> None:
    found = [(one.kind, one.seed, one.model) for one in operating.conclusions(FITS)]
    assert found == [("clean", 1, "baseline"), ("clean", 2, "robust"), ("noise2", 1, "robust")]


def test_a_summary_tells_the_chains_from_the_licence() -> None:
    table = operating.summary(FITS)
    clean, noise = (table.loc[kind] for kind in ("clean", "noise2"))
    assert (clean["panels"], clean["sampled"], clean["concluded"]) == (2, 2, 2)
    assert clean["coverage"] == pytest.approx(19 / 20)
    assert clean["coverage_concluded"] == pytest.approx(17 / 20)
    assert clean["error"] == pytest.approx(0.05)
    assert (clean["wrong"], clean["wrong_concluded"]) == (0, 1)
    assert (noise["panels"], noise["sampled"], noise["concluded"]) == (2, 1, 1)
    assert (noise["coverage"], noise["coverage_concluded"]) == (0.4, 0.8)
    assert (noise["stated"], noise["wrong"]) == (4, 3)
    assert clean["expected"] == 0.5


def test_what_is_said_of_it_follows_the_table() -> None:
    say, table = chapters.licence.sentences, operating.summary(FITS)
    signs, error = operating.signs(FITS), operating.typical_error(table)
    assert (signs.first, signs.alone["wrong"], signs.said["wrong"]) == ("baseline", 3, 2)
    assert error == pytest.approx(0.05)
    assert "2 panels of each of 2 kinds" in say.measured(table, operating.models(FITS))
    assert "baseline, and where it may not, robust" in say.measured(table, operating.models(FITS))
    assert say.following(table).startswith("Of 2 panels that follow the model, 0 are left")
    assert "hold 85%" in say.following(table)
    assert "3 of 12 signs that baseline" in say.overall(signs)
    assert "(25.0%)" in say.overall(signs)
    assert "2 of 12 (16.7%)" in say.overall(signs)
    assert "lead one to expect 1." in say.overall(signs)
    assert say.overall(signs).endswith("1 of 6 (16.7%).")
    assert "unequal noise of units, moderate (80.0%)" in say.short(table, error)
    assert "known to within 5%" in say.short(table, error)
    clean = [one for one in FITS if one.kind == "clean"]
    fine = operating.summary(clean)
    assert "In no kind" in say.short(fine, error)
    assert "the least is 85%" in say.short(fine, error)
    bent = replace(AMBER, kind="shift3")
    assert "from these: a level that shifts once, strong" in say.short(
        operating.summary([*clean, bent]), error
    )


def test_the_published_table_is_complete() -> None:
    fits = operating.published()
    assert len({(one.kind, one.seed, one.model) for one in fits}) == len(fits)
    assert {one.kind.rstrip("123") for one in fits} == set(chapters.licence.sentences.INGREDIENTS)
    table = operating.summary(fits)
    assert table["panels"].nunique() == 1


def test_a_figure_of_kinds() -> None:
    table = operating.summary(FITS)
    figure = chapters.licence.figures.kinds(table, {"clean": "as it should be"})
    left, right = figure.axes
    assert [text.get_text() for text in left.get_yticklabels()] == ["as it should be", "noise2"]
    assert [bar.get_width() for bar in right.patches] == [1.0, 0.5]
    plt.close(figure)


def test_the_default_panels_seed_is_told() -> None:
    found = operating.seeds([FIT, AMBER, replace(FIT, sampled=False, failed=("r_hat",))])
    assert (found.panels, found.sampled, found.licensed) == (3, 2, 1)
    assert next(iter(found.failed.items())) == ("noise", 1)
    assert (found.ous, found.covered, found.stated, found.wrong) == (20, 13, 8, 3)
    text = chapters.licence.sentences.seeds(found)
    assert "settle on 2 of those 3 panels. On 1 of them the baseline describes the data" in text
    assert "unequal noise of units (on 1 panel)" in text
    assert "hold 65% of the true slopes, and 3 of the 8 signs" in text
    assert "promise nothing" in text
    none = chapters.licence.sentences.seeds(operating.seeds([replace(AMBER, covered=9)] * 2))
    assert "settle on all of those 2 panels. On none of them" in none
    assert "promise nothing" not in none
    every = chapters.licence.sentences.seeds(operating.seeds([FIT]))
    assert every.endswith("On all of them the baseline describes the data, too.")


def test_the_table_of_seeds_is_of_panels_like_the_default_one() -> None:
    fits = operating.published(operating.SEEDS)
    assert [one.seed for one in fits] == list(range(1, 21))
    assert {(one.kind, one.model, one.ous) for one in fits} == {("default", "baseline", 40)}
