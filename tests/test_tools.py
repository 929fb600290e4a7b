"""The scripts of ``tools`` that have no test elsewhere."""

import runpy
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

ROOT = Path(__file__).resolve().parents[1]
PAGE = """<html><head><title>x</title></head><body><nav>menu</nav>
<p>It took {seconds} s.</p><p>The slope is <b>{slope}</b>.</p>
<img src="a.png" alt="{alt}"></body>"""


@pytest.fixture
def books(tmp_path: Path) -> tuple[Path, Path]:
    for name, slope, seconds in (("one", 0.2, 3), ("two", 0.2, 4)):
        (folder := tmp_path / name).mkdir()
        (folder / "a.png").write_bytes(b"picture")
        (folder / "p.html").write_text(PAGE.format(slope=slope, seconds=seconds, alt="dots"))
    return tmp_path / "one", tmp_path / "two"


def test_what_two_books_say_differently(books: tuple[Path, Path]):
    differences = runpy.run_path(str(ROOT / "tools" / "compare_books.py"))["differences"]
    one, two = books
    assert list(differences(one, one)) == []
    assert list(differences(one, two, ["It took"])) == []
    assert len(list(differences(one, two))) == 2
    (two / "p.html").write_text(PAGE.format(slope=0.3, seconds=3, alt="dots"))
    assert "p.html: +The slope is 0.3." in list(differences(one, two))
    (two / "p.html").write_text(PAGE.format(slope=0.2, seconds=3, alt="lines"))
    assert "p.html: +[alt] lines" in list(differences(one, two))
    (two / "p.html").write_text(PAGE.format(slope=0.2, seconds=3, alt="dots"))
    (two / "a.png").write_bytes(b"another")
    assert any("[figure" in line for line in differences(one, two))
    (two / "q.html").write_text("<p>more</p>")
    assert any(line.startswith("q.html: only in") for line in differences(one, two))


def test_the_load_before_the_first_figure(tmp_path: Path) -> None:
    of_chapter = runpy.run_path(str(ROOT / "tools" / "load.py"))["of_chapter"]
    math = "```{math}\n:label: eq-one\na = b\n```"
    before = f"(label)=\n# Two words\n\nThree more words, $x + y$ and\n{math}\n$$c$$\n"
    figure = v4.new_code_cell("draw()", metadata={"mystnb": {"figure": {"caption": "A."}}})
    after = "Four words after it.\n\n## Check yourself\nNot these."
    cells = [v4.new_markdown_cell(text) for text in (before, after)]
    last = v4.new_markdown_cell("Nor these.\n\n## Further reading\nOne book.")
    page = tmp_path / "a.ipynb"
    nbformat.write(v4.new_notebook(cells=[cells[0], figure, cells[1], last]), page)
    found = of_chapter(page)
    assert (found.first_words, found.first_equations) == (2 + 3 + 2, 2)
    assert (found.figures, found.words) == (1, 7 + 4 + 2)
