"""Every work of the bibliography can be found, and every chapter says where to read on."""

from __future__ import annotations

import re

import nbformat
import pytest

from oulib.book.pipeline import pages
from oulib.files import source_root

ROOT = source_root()
BIBLIOGRAPHY = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
ENTRIES = dict(re.findall(r"^@\w+\{(\w+),\n(.*?)^\}", BIBLIOGRAPHY, re.M | re.S))
CHAPTERS = [p for p in pages(ROOT) if p.suffix == ".ipynb" and re.match(r"(?!00)\d\d-", p.stem)]

WITHOUT = {
    "Millar2018": "its identifier was not to be confirmed, and a wrong one is worse than none",
    "Munnell1990": "the New England Economic Review has no identifiers, nor addresses that last",
}
"""Entries that say only where they were printed, and why."""


def test_every_work_can_be_found() -> None:
    fields = {key: set(re.findall(r"^ *(\w+) *=", text, re.M)) for key, text in ENTRIES.items()}
    lost = {key for key, has in fields.items() if not has & {"doi", "isbn", "eprint", "url"}}
    assert lost == set(WITHOUT)


def test_identifiers_have_the_form_of_one() -> None:
    for key, text in ENTRIES.items():
        for doi in re.findall(r"^ *doi *= *\{(.*)\}", text, re.M):
            assert re.fullmatch(r"10\.\d{4,5}/\S+", doi), key
        for url in re.findall(r"^ *url *= *\{(.*)\}", text, re.M):
            assert url.startswith("https://"), key


def test_nobody_is_listed_twice() -> None:
    keys = re.findall(r"^@\w+\{(\w+),", BIBLIOGRAPHY, re.M)
    assert len(keys) == len(set(keys)) == len(ENTRIES)
    titles = [
        re.sub(r"\W", "", t).lower() for t in re.findall(r"^ *title *= (.*)", BIBLIOGRAPHY, re.M)
    ]
    assert len(titles) == len(set(titles))


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_a_chapter_says_where_to_read_on(path) -> None:
    prose = "\n".join(c.source for c in nbformat.read(path, 4).cells if c.cell_type == "markdown")
    found = re.search(r"^## Further reading\n(.*?)^## ", prose, re.M | re.S)
    assert found, path.name
    sentences = [line for line in found[1].splitlines() if line]
    assert 2 <= len(sentences) <= 3
    cited = re.findall(r"\{cite:t\}`(\w+)`", found[1])
    assert len(cited) >= 2
    assert set(cited) <= set(ENTRIES)
    assert "## References" not in prose
