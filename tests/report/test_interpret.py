"""Cells that wait for a gate."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from oulib.book.dependencies import Package
from oulib.book.notebook import plain_code
from oulib.files import PACKAGE
from oulib.posterior.checks import ADEQUACY, Verdict
from oulib.report import chapter, interpret
from oulib.sampling.diagnostics import Check

GOOD = Check(name="r_hat", value=1.0, threshold=1.01, passed=True)
BAD = Check(name="r_hat", value=1.2, threshold=1.01, passed=False, advice="Sample longer.")
BENT = Check(name=next(iter(ADEQUACY)), value=0.001, threshold=0.005, passed=False)


class Notebook:
    """A shell with the magics, and what a page would show of its cells, in order."""

    def __init__(self) -> None:
        self.shown: list[object] = []
        self.shell = InteractiveShell.instance()
        self.shell.reset()
        interpret.get_ipython, was = (lambda: self.shell), interpret.get_ipython
        interpret.register(
            lambda verdict, of_slopes: chapter.may_speak(verdict, of_slopes=of_slopes),
            self.shown.append,
            lambda table: self.shown.append(table.to_dict()),
        )
        interpret.get_ipython = was

    def run(self, cell: str, **names: object) -> None:
        self.shell.push(names)
        self.shell.run_cell(cell).raise_error()


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    made = Notebook()
    monkeypatch.setattr(chapter, "say", lambda *sentences: made.shown.append([*sentences]))
    monkeypatch.setattr(interpret, "display", made.shown.append)
    yield made
    InteractiveShell.clear_instance()


def verdict(check: Check, *adequacy: Check) -> Verdict:
    return Verdict(model="baseline", checks=(check,), adequacy=adequacy)


def test_values_are_shown_in_order_and_sentences_together(notebook: Notebook) -> None:
    cell = """%%interpret first(verdict)
"One."
["Two.", "Three."]
table
number = 3
if number > 2:
    "Four."
    17
else:
    "never"
None
"""
    frame = pd.DataFrame({"a": [1]})
    notebook.run(cell, verdict=verdict(GOOD), first=lambda v: v, table=frame)
    assert notebook.shown == [["One.", "Two.", "Three."], {"a": {0: 1}}, ["Four."], 17]
    assert notebook.shell.user_ns["number"] == 3  # as the names of any cell


def test_figures_are_closed(notebook: Notebook) -> None:
    notebook.run("%%interpret v\nplt.figure()", v=verdict(GOOD), plt=plt)
    assert isinstance(notebook.shown[0], plt.Figure)
    assert not plt.get_fignums()


def test_a_fit_that_failed_is_not_spoken_of(notebook: Notebook) -> None:
    for magic in ("interpret", "conclude"):
        notebook.run(f"%%{magic} v\nraise RuntimeError", v=verdict(BAD))
    assert len(notebook.shown) == 2
    assert all("baseline" in said[0] for said in notebook.shown)


def test_slopes_want_the_whole_licence(notebook: Notebook) -> None:
    notebook.run("%%interpret v\n'said'", v=verdict(GOOD, BENT))
    notebook.run("%%conclude v\n'claimed'", v=verdict(GOOD, BENT))
    assert notebook.shown[0] == ["said"]
    assert "claimed" not in notebook.shown[1]
    notebook.run("%%conclude v\n'claimed'", v=verdict(GOOD))
    assert notebook.shown[2] == ["claimed"]


def test_where_nothing_was_fitted_nothing_is_said(notebook: Notebook) -> None:
    notebook.run("%%interpret None\nraise RuntimeError")
    assert notebook.shown == []


@pytest.mark.parametrize(
    ("cell", "said"),
    [("%%interpret\n1", "needs the verdict"), ("%%conclude 3\n1", "3 is none")],
)
def test_what_is_no_verdict_is_refused(notebook: Notebook, cell: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        notebook.run(cell)


def test_an_error_in_a_cell_is_its_own(notebook: Notebook) -> None:
    with pytest.raises(ZeroDivisionError):
        notebook.run("%%interpret v\n1 / 0", v=verdict(GOOD))


def test_dependencies_are_read_from_gated_cells_too() -> None:
    for magic in interpret.MAGICS:
        assert plain_code(f"%%{magic} first(a, b)\nc\n") == "first(a, b)\nc\n"
    assert plain_code("%%timeit\nc\n") == "%%timeit\nc\n"
    uses = Package(PACKAGE).used_by(
        "from oulib import report\nfrom oulib.report import chapter",
        "ch = chapter.open_chapter(draws=1, tune=1, chains=1, seed=1)",
        "%%interpret verdict\nreport.loo(1, 2, 3)",
    )
    assert not uses.unclear
    assert "oulib.report.sentences.loo" in uses.definitions
    assert "oulib.report.interpret.show_values" in uses.definitions
