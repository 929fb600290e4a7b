"""Executed chapters that are kept, and why one is not."""

from dataclasses import replace

import pytest
from nbformat import v4

from oulib.book.kept import Inputs, Kept

NUMBERS = [2, 3, 7]
INPUTS = Inputs(
    name="02-toy",
    cells=["a", "b", "c"],
    panel="p",
    own_panel="o",
    parameters={"draws": 20},
    versions={"python": "3.13", "pymc": "6.4.0"},
    code={
        "oulib.report.figures.forest": "1",
        "oulib.report.figures.bars": "2",
        "oulib.report.say": "3",
    },
)


@pytest.fixture
def kept(tmp_path):
    store = Kept(tmp_path / "chapters")
    store.put(INPUTS, v4.new_notebook(), 12.0)
    return Kept(store.folder)


def test_what_is_kept_is_found_again(kept):
    assert kept.why_not(INPUTS, NUMBERS) == ""
    assert kept.seconds == {"02-toy": 12.0}
    assert kept.why_not(replace(INPUTS, name="03-other"), NUMBERS) == "new"


@pytest.mark.parametrize(
    ("change", "numbers", "why"),
    [
        ({"cells": ["a", "x", "c"]}, NUMBERS, "its code changed: cell 3"),
        ({"cells": ["a", "b", "x", "y"]}, [*NUMBERS, 9], "its code changed: cells 7, 9"),
        ({"cells": ["x", "a", "b", "c"]}, [1, *NUMBERS], "its code changed: cell 1"),
        ({"cells": ["a", "c"]}, [2, 7], "its code changed: a cell is gone"),
        ({"panel": "q"}, NUMBERS, "the panel changed"),
        ({"own_panel": "q"}, NUMBERS, "the book's own panel changed"),
        ({"tables": "t"}, NUMBERS, "a table of measurements changed"),
        ({"parameters": {"draws": 21}}, NUMBERS, "setting `draws` changed from 20 to 21"),
        (
            {"parameters": {"tune": 5}},
            NUMBERS,
            "setting `tune` changed from the chapter's own to 5; "
            "setting `draws` changed from 20 to the chapter's own",
        ),
        (
            {"versions": {"python": "3.13", "pymc": "6.5.0"}},
            NUMBERS,
            "library versions changed: pymc 6.4.0 -> 6.5.0",
        ),
        (
            {
                "code": {
                    **INPUTS.code,
                    "oulib.report.figures.forest": "9",
                    "oulib.report.figures.bars": "9",
                }
            },
            NUMBERS,
            "oulib.report.figures (forest, bars) changed",
        ),
        (
            {"code": {**INPUTS.code, "oulib.report.style.plain": "9"}},
            NUMBERS,
            "oulib.report.style (plain) changed",
        ),
        # What a changed cell newly uses did not change.
        (
            {"cells": ["a", "x", "c"], "code": {**INPUTS.code, "oulib.report.count": "9"}},
            NUMBERS,
            "its code changed: cell 3",
        ),
    ],
)
def test_a_change_is_named(kept, change, numbers, why):
    assert kept.why_not(replace(INPUTS, **change), numbers) == why


def test_a_failure_is_remembered_and_not_taken_for_a_result(kept):
    other = replace(INPUTS, panel="q")
    kept.put_failure(other, "KeyError: 'x'", 3.0)
    again = Kept(kept.folder)
    assert again.why_not(other, NUMBERS) == "failed last time"
    assert again.why_not(replace(other, own_panel="q"), NUMBERS) == (
        "the book's own panel changed; failed last time"
    )
    again.put(other, v4.new_notebook(), 4.0)
    assert Kept(kept.folder).why_not(other, NUMBERS) == ""


def test_only_what_is_current_stays(kept):
    other = replace(INPUTS, panel="q")
    kept.put(other, v4.new_notebook(), 4.0)
    kept.forget_all_but([other])
    assert {file.name for file in kept.folder.iterdir()} == {
        f"{other.key}.ipynb",
        f"{other.key}.json",
    }


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"inputs": {"name": 1}, "seconds": 1, "error": null}']
)
def test_a_damaged_record_costs_the_reasons_and_nothing_else(kept, text):
    (kept.folder / f"{INPUTS.key}.json").write_text(text)
    assert Kept(kept.folder).why_not(INPUTS, NUMBERS) == ""
    assert Kept(kept.folder).why_not(replace(INPUTS, panel="q"), NUMBERS) == "new"


def test_a_chapter_whose_file_is_gone_is_executed(kept):
    kept.file(INPUTS).unlink()
    assert Kept(kept.folder).why_not(INPUTS, NUMBERS) == "what was kept of it is gone"
