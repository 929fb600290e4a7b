"""A chapter as one HTML file: what is in it, what is beside it, and that it asks for nothing."""

import re
from base64 import b64encode
from pathlib import PurePosixPath

import pytest
from nbformat import NotebookNode, v4

from oulib.book.offline import external_requests
from oulib.book.onepage import page

PICTURE = b64encode(b"\x89PNG and so on").decode()
ABOUT = {
    "figure": {"caption": "What **it** shows.", "name": "fig-one"},
    "image": {"alt": 'A "line" & a dot.'},
}
TABLE = b64encode(b"ou,effect\nA,1\n").decode()


def shown(**data: str) -> NotebookNode:
    mimes = {"html": "text/html", "markdown": "text/markdown", "png": "image/png"}
    return v4.new_output("display_data", data={mimes[kind]: text for kind, text in data.items()})


@pytest.fixture
def notebook() -> NotebookNode:
    link = f'<a download="../effects.csv" href="data:text/csv;base64,{TABLE}">Save</a>'
    return v4.new_notebook(
        cells=[
            v4.new_markdown_cell("(chapter-summary)=\n# Summary: a panel\n\nWords."),
            v4.new_code_cell(
                "secret = 1", metadata={"tags": ["remove-cell"]}, outputs=[shown(markdown="hidden")]
            ),
            v4.new_code_cell("draw()", metadata={"mystnb": ABOUT}, outputs=[shown(png=PICTURE)]),
            v4.new_code_cell("say()", outputs=[shown(markdown="It **is** so.\n\n- one\n- two")]),
            v4.new_code_cell("hand_on()", outputs=[shown(html=link)]),
            v4.new_markdown_cell(
                "- [The findings](#chapter-findings), [a page](../book/how-to-read.md)\n"
                "- [a place](https://example.org)"
            ),
        ]
    )


def test_a_page_holds_everything(notebook: NotebookNode):
    html = page(notebook, source="<my> panel.xlsx").html
    for part in (
        "<title>Summary: a panel: &lt;my&gt; panel.xlsx</title>",
        '<p class="source">&lt;my&gt; panel.xlsx</p>',
        'alt="A &quot;line&quot; &amp; a dot."',
        f'src="data:image/png;base64,{PICTURE}"',
        "<figcaption><p>What <strong>it</strong> shows.</p></figcaption>",
        "<li>one</li>\n<li>two</li>",
    ):
        assert part in html
    for word in ("secret", "hidden", "draw()", "chapter-summary"):
        assert word not in html


def test_a_picture_has_the_width_that_it_was_drawn_for(notebook: NotebookNode):
    notebook.cells[2].outputs[0].metadata = {"image/png": {"width": 640}}
    assert ' width="640" src="data:image/png' in page(notebook, source="p.csv").html


def test_links_into_the_book_are_words_and_others_stay(notebook: NotebookNode):
    html = page(notebook, source="p.csv").html
    assert "<li>The findings, a page</li>" in html
    assert re.findall(r'<a href="([^"]*)"', html) == ["https://example.org"]


def test_pictures_and_tables_are_files_in_the_folder_and_nowhere_else(notebook: NotebookNode):
    files = page(notebook, source="p.csv").files
    assert files[PurePosixPath("figures/one.png")] == b"\x89PNG and so on"
    assert files[PurePosixPath("effects.csv")] == b"ou,effect\nA,1\n"
    assert len(files) == 2


def test_a_page_asks_for_nothing_outside(notebook: NotebookNode, tmp_path):
    (tmp_path / "summary.html").write_text(page(notebook, source="p.csv").html, encoding="utf-8")
    assert external_requests(tmp_path) == []
