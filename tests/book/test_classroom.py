"""What a class is handed: the chapters but for their solutions, and panels with known answers."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat import v4

from oulib import UserError, read_panel
from oulib.book import classroom
from oulib.book.notebook import read_clean
from oulib.book.pipeline import pages
from oulib.cli import main
from oulib.files import source_root
from oulib.panel import truth

CHAPTERS = [page for page in pages(source_root()) if page.suffix == ".ipynb"]

EXERCISE = """\
Before.

````{admonition} Exercise 1 (quick): a derivation
:class: note exercise
Show it.
```{dropdown} Solution
It follows.
```
````

`````{admonition} Question 1: which?
:class: tip quiz
```{dropdown} (a) This one
No. It is not.
```
````{dropdown} (b) That one
Yes. There is even a fence in here:
```
three
```
````
`````

After."""


def test_what_students_are_not_given() -> None:
    code = v4.new_code_cell("given = 1\n# solution\nsecret = 2")
    code.metadata["tags"] = ["solution", "hide-cell"]
    other = v4.new_code_cell("# solution is a word\nkept = 3")
    chapter = v4.new_notebook(cells=[v4.new_markdown_cell(EXERCISE), code, other])
    before = nbformat.writes(chapter)
    page = classroom.student(chapter)
    assert nbformat.writes(chapter) == before
    prose, gap, same = (cell.source for cell in page.cells)
    assert prose == EXERCISE.replace("```{dropdown} Solution\nIt follows.\n```\n", "").replace(
        "```{dropdown} (a) This one\nNo. It is not.\n```\n", "- (a) This one\n"
    ).replace(
        "````{dropdown} (b) That one\nYes. There is even a fence in here:\n```\nthree\n```\n````\n",
        "- (b) That one\n",
    )
    assert gap == f"given = 1\n{classroom.GAP}"
    assert page.cells[1].metadata["tags"] == ["solution"]
    assert same == other.source


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_a_students_notebook_differs_by_its_solutions_alone(path: Path) -> None:
    chapter = read_clean(path)
    page = classroom.student(chapter)
    assert page.metadata == chapter.metadata
    for given, whole in zip(page.cells, chapter.cells, strict=True):
        assert (given.id, given.cell_type) == (whole.id, whole.cell_type)
        if "solution" in whole.metadata.get("tags", []):
            lines = classroom.given_lines(whole.source)
            assert given.source.splitlines() == [*lines, classroom.GAP]
            assert len(lines) < len(whole.source.splitlines())
        elif given.source != whole.source:
            assert given.cell_type == "markdown"
            assert "{dropdown}" in whole.source
            left = iter(whole.source.splitlines())  # nothing is added, and the order stays
            ours = [line for line in given.source.splitlines() if not line.startswith("- (")]
            assert all(line in left for line in ours)
    assert "{dropdown} Solution" not in "".join(cell.source for cell in page.cells)


def test_a_folder_for_a_class(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "class"
    assert main(["teach", "--out", str(out)]) == 0
    printed = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert printed == sorted(file for file in out.rglob("*") if file.is_file())
    handed = {file.name for file in (out / "students").rglob("*") if file.is_file()}
    assert {page.name for page in CHAPTERS} <= handed
    assert not any("truth" in name or "answer" in name for name in handed)
    for one in classroom.ASSESSMENTS:
        name = f"panel-{one.letter}.csv"
        given = read_panel(out / "students" / "panels" / name)
        known = truth.load(out / "answers" / "panels" / name)
        assert given.fingerprint == known.fingerprint
        assert given.truth is None
        assert known.truth is not None
    (out / "students" / "old.txt").write_text("an earlier one's")
    assert main(["teach", "--out", str(out)]) == 0
    assert not (out / "students" / "old.txt").exists()


def test_a_folder_of_somebody_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="did not make"):
        classroom.write(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_panels_hold_what_the_answers_say() -> None:
    by_letter = {one.letter: one for one in classroom.ASSESSMENTS}
    assert len({one.panel().fingerprint for one in classroom.ASSESSMENTS}) == 5
    assert "solution" not in json.dumps([one.asks for one in classroom.ASSESSMENTS])
    mean = {}
    for letter, one in by_letter.items():
        panel = one.panel()
        mean[letter] = float(panel.truth["beta"].mean())
        assert np.isfinite(panel.rows["y"]).all()
    assert abs(mean["b"]) < 0.05
    assert min(mean[letter] for letter in "acde") > 0.15
    text = classroom.answers()
    assert f"slope is {mean['c']:.2f}" in text
    assert text.count("## Panel") == 5
