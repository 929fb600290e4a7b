"""The scripts of ``tools`` that have no test elsewhere."""

import runpy
from pathlib import Path

import pytest

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
