"""The chapters and the library refer to each other: numbers, labels, form."""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import runpy
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from oulib import report
from oulib.book.notebook import plain_code
from oulib.book.pipeline import pages
from oulib.files import source_root

ROOT = source_root()
CHAPTERS = [page for page in pages(ROOT) if page.suffix == ".ipynb"]
NUMBERED = [page for page in CHAPTERS if page.stem not in ("index", "00-summary", "chains")]
"""The numbered ones, with the parts of a chapter: not the first page, the summary, the chains."""


def equations() -> dict[str, str]:
    """Label of every numbered equation and the number that the book gives it."""
    found = {}
    for chapter, path in enumerate(NUMBERED, start=1):
        text = "\n".join(c.source for c in nbformat.read(path, 4).cells if c.cell_type != "code")
        for n, label in enumerate(re.findall(r"^:label: (eq-\S+)", text, re.MULTILINE), start=1):
            found[label] = f"{chapter}.{n}"
    return found


def test_docstrings_cite_equations_by_their_numbers() -> None:
    numbers, cited = equations(), 0
    for file in (ROOT / "oulib").rglob("*.py"):
        for number, label in re.findall(r"\((\d+\.\d+)\)\s+\(``(eq-[a-z-]+)``\)", file.read_text()):
            assert numbers.get(label) == number, f"{file.name} cites {label} as ({number})"
            cited += 1
    assert cited >= 4


@pytest.mark.parametrize("path", NUMBERED, ids=lambda p: p.stem)
def test_a_chapter_keeps_the_contract(path: Path) -> None:
    notebook = nbformat.read(path, 4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert not any(cell.outputs or cell.execution_count for cell in code)
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in code) == 1
    assert len(re.findall(r"^# ", prose, re.MULTILINE)) == 1
    for part in ("The question", "What you need", "What would change my mind", "Exercises"):
        assert re.search(rf"^## .*{part}", prose, re.MULTILINE), f"{path.name} lacks {part!r}"
    assert "chapter.versions()" in code[-1].source


def _prose(path: Path) -> str:
    cells = nbformat.read(path, 4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


@pytest.mark.parametrize("path", NUMBERED, ids=lambda p: p.stem)
def test_a_reader_can_check_what_was_learnt(path: Path) -> None:
    prose = _prose(path)
    needs = re.findall(r"^## What you need.*?(?=^## )", prose, re.MULTILINE | re.DOTALL)
    promise = "After this chapter you will be able to"
    assert len(needs) == 1
    assert prose.count(promise) == needs[0].count(promise) == 1
    assert len(re.findall(r"^- ", needs[0].split(promise)[1], re.MULTILINE)) == 3

    quiz, exercises = re.split(r"^## Exercises$", prose, flags=re.MULTILINE)
    titles = re.findall(
        r"^`{4,}\{admonition\} Exercise (\d) \(([a-z ]+)\): ", exercises, re.MULTILINE
    )
    kinds = ["quick", "quick", "to run", "to run", "open"]
    assert titles == [(str(n), kind) for n, kind in enumerate(kinds, start=1)]
    assert len(re.findall(r"^:class: note exercise$", prose, re.MULTILINE)) == 5
    cells = nbformat.read(path, 4).cells
    solutions = [cell for cell in cells if "solution" in cell.metadata.get("tags", [])]
    assert [cell.id for cell in solutions] == ["cell-solution-3", "cell-solution-4"]
    for cell in solutions:
        assert "hide-cell" in cell.metadata["tags"]
        assert cell.source.splitlines().count("# solution") == 1

    assert prose.count("## Check yourself") == 1
    questions = re.split(
        r"^`{4,}\{admonition\} Question (\d): .*\n:class: tip quiz$",
        quiz.split("## Check yourself")[1],
        flags=re.MULTILINE,
    )
    assert questions[1::2] == ["1", "2", "3"]
    for question in questions[2::2]:
        answers = re.findall(
            r"^`{3,}\{dropdown\} \(([a-d])\) .*\n(Yes|No)\.\s", question, re.MULTILINE
        )
        assert [letter for letter, _ in answers] == list("abcd")[: len(answers)]
        assert question.count("{dropdown}") == len(answers) >= 3
        assert [said for _, said in answers].count("Yes") == 1


@pytest.mark.parametrize("path", NUMBERED, ids=lambda p: p.stem)
def test_a_figure_comes_before_the_reader_is_tired(path: Path) -> None:
    load = runpy.run_path(str(ROOT / "tools" / "load.py"))["of_chapter"](path)
    assert load.first_words <= 500
    assert load.first_equations <= 3
    assert load.figures > 0


_DRAWS = {name for name, thing in vars(report.figures).items() if inspect.isfunction(thing)}


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_figures_have_a_caption_a_name_and_an_alternative_text(path: Path) -> None:
    drawn = 0
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type != "code":
            continue
        called = re.findall(r"^ *(figures|report)\.(\w+)\(", cell.source, re.MULTILINE)
        if any(room == "figures" or name in _DRAWS for room, name in called):
            drawn += 1
            shown = cell.metadata["mystnb"]
            assert shown["figure"]["caption"].strip().endswith(".")
            assert shown["figure"]["name"].startswith("fig-")
            assert len(shown["image"]["alt"]) > 20
    assert drawn > 0


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_cells_under_a_magic_are_checked_as_others_are(path: Path, tmp_path: Path) -> None:
    """Ruff passes over cells that begin with a magic, so it is given them without."""
    # The order of imports, which depends on where a file is, is not in these cells; a value that
    # is shown is no useless one.
    ignored = ["ANN", "B018", "D", "E402", "I", "T20"]
    config = tmp_path / "ruff.toml"
    rules = (path.parent / "ruff.toml").read_text("utf-8")
    rules = rules.replace("../pyproject.toml", (ROOT / "pyproject.toml").as_posix())
    config.write_text(f'{rules}\n[lint.per-file-ignores]\n"*.ipynb" = {ignored}\n', "utf-8")
    for command, first in (
        (["check"], lambda cell: f"shown = {plain_code(cell)}"),
        (["format", "--check"], lambda cell: f"# {cell}"),
    ):
        notebook = nbformat.read(path, 4)
        for cell in notebook.cells:
            if cell.cell_type == "code" and cell.source.startswith("%%"):
                assert plain_code(cell.source) != cell.source, "an unknown magic"
                cell.source = first(cell.source)
        nbformat.write(notebook, tmp_path / path.name)
        made = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", "--config", config, path.name],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert made.returncode == 0, made.stdout + made.stderr


def _always_bound(statements: list[ast.stmt]) -> set[str]:
    """Names that statements bind whichever way their conditions go."""
    bound: set[str] = set()
    for statement in statements:
        if isinstance(statement, ast.If):
            bound |= _always_bound(statement.body) & _always_bound(statement.orelse)
        elif isinstance(statement, ast.FunctionDef | ast.ClassDef):
            bound.add(statement.name)
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            bound |= {alias.asname or alias.name for alias in statement.names}
        elif not isinstance(statement, ast.For | ast.While | ast.Try):
            nodes = ast.walk(statement)
            names = [node for node in nodes if isinstance(node, ast.Name)]
            bound |= {node.id for node in names if isinstance(node.ctx, ast.Store)}
    return bound


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_a_gate_is_there_on_every_panel(path: Path) -> None:
    """What a cell waits for is defined whatever the panel has, by a cell that does not wait."""
    bound = set(dir(builtins))
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type != "code":
            continue
        body = ast.parse(plain_code(cell.source)).body
        if cell.source.startswith("%%"):
            nodes = list(ast.walk(body[0]))
            own = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
            used = {n.id for n in nodes if isinstance(n, ast.Name)} - own
            assert used <= bound, f"{cell.source.splitlines()[0]}: {used - bound}"
        else:
            bound |= _always_bound(body)


def test_a_label_belongs_to_one_place() -> None:
    labels = [name for path in CHAPTERS for name in _labels(path)]
    assert len(labels) > 50
    assert sorted(labels) == sorted(set(labels))


def _labels(path: Path) -> list[str]:
    """Names of figures and equations, and anchors of sections, in a chapter."""
    found = []
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type == "code":
            found.append(cell.metadata.get("mystnb", {}).get("figure", {}).get("name"))
        else:
            found += re.findall(r"^:(?:label|name): (\S+)", cell.source, re.MULTILINE)
            found += re.findall(r"^\((\S+)\)=$", cell.source, re.MULTILINE)
    return [name for name in found if name]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_chapters_start_from_the_same_parameters(path: Path) -> None:
    cells = nbformat.read(path, 4).cells
    first = nbformat.read(NUMBERED[0], 4).cells

    def parameters(cells: list) -> str:
        return next(c.source for c in cells if "parameters" in c.metadata.get("tags", []))

    assert parameters(cells).startswith(parameters(first))  # a chapter may have more of its own
