"""A built book as one PDF: its chapters in order, nothing of the machine that printed it."""

from __future__ import annotations

import runpy
import shutil
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"
PAGE = """<!doctype html><html lang="en"><head><title>{title} - book</title></head><body>
<h1>{title}<a class="headerlink" href="#x">#</a></h1>
<p>See <a href="two.html">the other page</a>, <a href="#x">below</a> or
<a href="https://doi.org/10.1000/1">a work</a>.</p>
<details><summary>Solution</summary><p id="x">{hidden}</p></details></body></html>"""


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[str]], int]:
    monkeypatch.syspath_prepend(str(TOOLS))
    yield runpy.run_path(str(TOOLS / "print_book.py"))["main"]
    sys.modules.pop("check_pages", None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for room, suffix in (("source", "md"), ("html", "html")):
        (tmp_path / room).mkdir()
        for name in ("one", "two"):
            text = PAGE.format(title=f"Chapter {name}", hidden=f"The answer is {name}.")
            (tmp_path / room / f"{name}.{suffix}").write_text(text)
    toc = "format: jb-book\nroot: two\nchapters:\n- file: one\n"
    (tmp_path / "source" / "_toc.yml").write_text(toc)
    return tmp_path


def test_a_book_as_one_pdf(main: Callable[[list[str]], int], folder: Path) -> None:
    pypdf = pytest.importorskip("pypdf")
    if not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        pytest.skip("no browser")
    out = folder / "book.pdf"
    assert main([str(folder), str(out)]) == 0
    content = out.read_bytes()
    assert b"file://" not in content
    read = pypdf.PdfReader(BytesIO(content))
    assert [item.title for item in read.outline] == ["Chapter two", "Chapter one"]
    text = "".join(page.extract_text() for page in read.pages)
    assert text.index("The answer is two.") < text.index("The answer is one.")
    links = [
        note.get_object()["/A"].get("/URI", "")
        for page in read.pages
        for note in page.get("/Annots", [])
        if "/A" in note.get_object()
    ]
    assert set(filter(None, links)) == {"https://doi.org/10.1000/1"}


def test_nothing_to_print(
    main: Callable[[list[str]], int],
    tmp_path: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([str(tmp_path / "nothing"), str(tmp_path / "a.pdf")]) == 2
    assert "holds no built book" in capsys.readouterr().err
    monkeypatch.setenv("PATH", "")
    assert main([str(folder), str(tmp_path / "a.pdf")]) == 3
    assert "Nothing was printed" in capsys.readouterr().err
    assert not (tmp_path / "a.pdf").exists()
