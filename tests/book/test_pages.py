"""A book is looked at in a browser: a sound one passes, and each kind of fault is found.

The sound one is built with the project's own configuration and has what chapters show, made by
hand: nothing is executed.
"""

import base64
import runpy
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pypdf
import pytest
from nbformat import v4

from oulib.book import pipeline
from oulib.report import chapter

ROOT = Path(__file__).resolve().parents[2]
CHECK = runpy.run_path(str(ROOT / "tools" / "check_pages.py"))
Found = dict[str, list[tuple[str, str, tuple[str, ...]]]]

pytest.importorskip("playwright", reason="playwright, which drives the browser, is not installed")
pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
if not any(map(shutil.which, CHECK["BROWSERS"])):
    pytest.skip("there is no Chromium to look at pages with", allow_module_level=True)

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)
PREFACE = """\
# Preface

A [chapter](../notebooks/01-toy.ipynb), [its equation](#eq-wide), a
[place outside](https://example.org/a?b=c#d), and {cite:t}`Bai2009`.

## A part

### A part of it

Mathematics, $\\beta_g$, in the text.
"""
EQUATION = """\
(chapter-toy)=
# A toy

What the toy is for.
And nothing else.

It has an equation.
The outcome is a sum:

```{math}
:label: eq-wide
y = \\alpha + \\beta_1 x_1 + \\beta_2 x_2 + \\beta_3 x_3 + \\beta_4 x_4 + \\beta_5 x_5
+ \\beta_6 x_6 + \\beta_7 x_7 + \\beta_8 x_8 + \\beta_9 x_9 + \\beta_{10} x_{10}
```

## What a cell shows
"""


def shown(monkeypatch: pytest.MonkeyPatch, show: Callable[[], None]) -> list[nbformat.NotebookNode]:
    """What a function of chapters displays, as the outputs of a cell."""
    with monkeypatch.context() as patch:
        made: list[nbformat.NotebookNode] = []
        patch.setattr(
            chapter,
            "display",
            lambda it: made.append(v4.new_output("display_data", {"text/html": it.data})),
        )
        show()
    return made


def cell(source: str, *outputs: nbformat.NotebookNode, **metadata: object) -> nbformat.NotebookNode:
    return v4.new_code_cell(source, outputs=list(outputs), metadata=metadata)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of a small book with whatever is known to trouble readers."""
    out = tmp_path_factory.mktemp("book")
    source = out / "source"
    shutil.copytree(ROOT / "book" / "_static", source / "book" / "_static")
    shutil.copy(ROOT / "book" / "references.bib", source / "book")
    shutil.copy(ROOT / "_config.yml", source)
    (source / "book" / "preface.md").write_text(PREFACE)
    (source / "book" / "references.md").write_text("# References\n\n```{bibliography}\n```\n")
    (source / "_toc.yml").write_text(
        "format: jb-book\nroot: book/preface\nparts:\n- numbered: true\n  chapters:\n"
        "  - file: notebooks/01-toy\n- chapters:\n  - file: book/references\n"
    )
    wide = pd.DataFrame({f"a long heading {n}": [1.5, 2.5] for n in range(12)}, index=["a", "b"])
    picture = {"image/png": base64.b64encode(PIXEL).decode()}
    with pytest.MonkeyPatch.context() as patch:
        table = shown(patch, lambda: chapter.table(wide))
        banner = shown(patch, lambda: chapter.banner("The gate is open", "<p>Yes.</p>", kind="tip"))
    cells = [
        v4.new_markdown_cell(EQUATION),
        cell("wide", *table),
        cell("gate", *banner),
        cell(f"folded = '{'long ' * 60}'", *table, tags=["hide-input"]),
        cell("print('far')", v4.new_output("stream", text="far " * 100)),
        cell("fig", v4.new_output("display_data", picture), mystnb={"image": {"alt": "A dot."}}),
    ]
    (source / "notebooks").mkdir()
    python = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
    executed = v4.new_notebook(cells=cells, metadata=python)
    nbformat.write(executed, source / "notebooks" / "01-toy.ipynb")
    (out / ".oulib").mkdir()
    assert pipeline._build(out, lambda line: None) == []
    return out / "html"


def test_a_sound_book_passes(sound: Path):
    assert CHECK["problems"](sound, tabs=2) == []


SLIDES = """() => [...document.querySelectorAll(".slide")].map((slide) => ({
    title: slide.querySelector("h1, h2").textContent.trim(),
    points: [...slide.querySelectorAll(".slide-points > li")].map((li) => li.textContent.trim()),
    shows: [...slide.querySelectorAll(".slide-exhibit :is(.MathJax, img, table, .admonition, pre)")]
        .map((shown) => shown.localName),
    notes: slide.querySelector(".slide-notes")?.textContent.trim() ?? "",
}))"""

OUTLINE = (
    """() => [...document.querySelectorAll("article *")].map((e) => `${e.localName}#${e.id}`)"""
)


@pytest.fixture
def chapter_page(sound: Path) -> Iterator[Any]:
    """The chapter of the small book, open at the width of a desktop."""
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=CHECK["browser"](), args=CHECK["ARGUMENTS"]
        )
        page = running.new_page(viewport={"width": 1280, "height": 800})
        failed: list[str] = []
        page.on("pageerror", lambda error: failed.append(str(error)))
        page.goto((sound / "notebooks" / "01-toy.html").as_uri())
        page.evaluate(CHECK["SETTLED"])
        yield page
        running.close()
        assert not failed


def test_slides_are_the_chapter(chapter_page: Any):
    before = chapter_page.evaluate(OUTLINE)
    chapter_page.click("button.slides-open")
    chapter_page.wait_for_selector(".slide-now")
    slides = chapter_page.evaluate(SLIDES)
    assert [slide["title"] for slide in slides] == [
        *["1. A toy"] * 2,
        *["1.1. What a cell shows"] * 5,
    ]
    first, equation, *cells = slides
    assert first["points"] == ["What the toy is for.", "It has an equation."]  # first sentences
    assert first["notes"].startswith("What the toy is for.\nAnd nothing else.")
    assert equation["points"] == ["The outcome is a sum:"]  # the one that leads to it
    assert equation["shows"] == ["mjx-container"]
    assert [slide["shows"][0] for slide in cells] == ["table", "div", "table", "pre", "img"]
    chapter_page.keyboard.press("Escape")
    assert chapter_page.evaluate(OUTLINE) == before  # everything is back in its place
    assert chapter_page.locator(".slides").count() == 0
    assert chapter_page.evaluate("document.activeElement.className").endswith("slides-open")


def test_a_slide_has_an_address_and_a_page_on_paper(chapter_page: Any, tmp_path: Path):
    chapter_page.evaluate("location.hash = '#slide-3'")
    chapter_page.wait_for_selector(".slide-now table")
    assert chapter_page.locator(".slides-number").text_content() == "3 of 7"
    chapter_page.keyboard.press("n")
    assert chapter_page.locator(".slides-with-notes").count() == 1
    for key, number in (("End", 7), ("ArrowRight", 7), ("ArrowLeft", 6), ("Home", 1)):
        chapter_page.keyboard.press(key)
        assert chapter_page.url.endswith(f"#slide-{number}")
    paper = tmp_path / "slides.pdf"
    chapter_page.pdf(path=paper, prefer_css_page_size=True)
    pages = pypdf.PdfReader(paper).pages
    assert len(pages) == 7
    assert {round(float(page.mediabox.width) / 72, 1) for page in pages} == {13.3}


BROKEN = {
    "is not reached by the keyboard": ("slides.js", "ArrowRight: () => go(now + 1)", "Up: close"),
    "scrolls sideways": ("slides.css", ".slide-points {", ".slide-points { min-width: 90rem;"),
    "is empty": ("slides.js", "add([...(before", "add([], null), add([...(before"),
    "contrast": ("slides.css", ".slide-body {", ".slide-body { color: #999; background: #888;"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_slides_that_are_broken_are_found(sound: Path, tmp_path: Path, what: str):
    html = shutil.copytree(sound, tmp_path / "html")
    name, old, new = BROKEN[what]
    file = html / "_static" / name
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))
    light = [view for view in CHECK["VIEWS"] if view.name == "desktop light"]
    found = CHECK["problems"](html, views=light, wanted=lambda page: "toy" in page)
    assert any(what in f"{one.kind} {one.what}" and "lide" in f"{one}" for one in found)


def by_page(found: list) -> Found:
    pages: Found = {}
    for one in found:
        pages.setdefault(Path(one.page).stem, []).append((one.kind, one.what, one.views))
    return pages


def test_without_what_mends_the_theme_it_does_not(sound: Path, tmp_path: Path):
    html = shutil.copytree(sound, tmp_path / "html")
    (html / "_static" / "oulib.js").write_text("")
    changed = html / "notebooks" / "01-toy.html"
    changed.write_text(changed.read_text().replace("<td></td>", "<th></th>"))
    phone = [view for view in CHECK["VIEWS"] if view.name == "phone light"]
    found = CHECK["problems"](html, views=phone, wanted=lambda p: "toy" in p or "refer" in p)
    kinds = {name: {kind for kind, _, _ in told} for name, told in by_page(found).items()}
    assert kinds["01-toy"] >= {
        "axe scrollable-region-focusable (serious)",
        "axe empty-table-header (minor)",
    }
    assert "axe aria-required-children (critical)" in kinds["references"]


MATHJAX = (
    '<script>window.MathJax = {options: {processHtmlClass: "math"}, loader: {load: '
    '["core", "input/tex-full", "output/svg", "a11y/assistive-mml"]}}</script>'
    '<script defer src="_static/mathjax/startup.js"></script>'
)
DARK = "<style>@media (prefers-color-scheme: dark) {p {color: #333; background: #222}}</style>"
DESKTOP, PHONE = {"desktop light", "desktop dark"}, {"phone light", "phone dark"}
LIGHT, IN_DARK = {"desktop light", "phone light"}, {"desktop dark", "phone dark"}
ALL = DESKTOP | PHONE
FAULTS = {  # pages, what is wrong in them: html, the kind, a part of what is said, and the views
    "scripts": [
        ("<script>console.error('not well')</script>", "console error", "not well", ALL),
        ("<script>throw Error('thrown')</script>", "page error", "thrown", ALL),
        ('<img alt="a dot" src="none.png">', "console error", "none.png", ALL),
    ],
    "outside": [
        ('<img alt="a dot" src="https://a.example/x">', "request to outside", "example/x", ALL),
        ("<script>fetch('https://a.example/y')</script>", "request to outside", "example/y", ALL),
        ("", "page error", "Failed to fetch", ALL),  # what that script says of it
        ('<img alt="a dot" src="../outside.png">', "request to outside", "outside.png", ALL),
    ],
    "links": [
        ('<a href="none.html">a</a>', "broken link", "none.html (no such file)", ALL),
        ('<a href="#nothing">b</a>', "broken link", "#nothing (no such place", ALL),
        ('<a href="sound.html#none">c</a>', "broken link", "sound.html#none (no such place", ALL),
        ('<a href="../outside.html">d</a>', "broken link", "outside.html (leads out", ALL),
        ('<a href="https://nowhere">e</a>', "broken link", "nowhere (not well-formed)", ALL),
        ('<a href="https://a.example/a b">f</a>', "broken link", "a b (not well-formed)", ALL),
        ('<a href="mailto:nobody">g</a>', "broken link", "nobody (not well-formed)", ALL),
    ],
    "refresh": [
        (
            '<meta http-equiv="refresh" content="0; url=gone.html">',
            *("broken link", "gone.html (no such file)", ALL),
        ),
    ],
    "wide": [('<div style="width: 2000px">wide</div>', "scrolls sideways", "width: 2000px", ALL)],
    "narrow": [('<div style="width: 700px">wide</div>', "scrolls sideways", ": 700px", PHONE)],
    "folded": [
        (
            '<details><summary>x</summary><div style="width: 2000px">y</div></details>',
            *("scrolls sideways", "unfolded", ALL),
        ),
    ],
    "pictures": [
        ('<img src="dot.png?1">', "no alternative text", "dot.png?1", ALL),
        ("", "axe image-alt (critical)", "dot.png", ALL),
        ('<img alt="" src="dot.png?2">', "no alternative text", "dot.png?2", ALL),
    ],
    "without-mathjax": [
        ('<span class="math">\\(x\\)</span>', "mathematics", "not typeset: \\(x\\)", ALL),
        ("<p>It says \\(x\\).</p>", "mathematics", "TeX in the text: It says \\(x", ALL),
    ],
    "tex": [
        (
            f'{MATHJAX}<span class="math">\\(\\left. x\\)</span>',
            *("mathematics", "error: Extra \\left or missing \\right", ALL),
        ),
        ('<span class="math">\\(\\nonsense\\)</span>', "mathematics", "unknown: \\nonsense", ALL),
        ('<span class="math">\\(\\frac{1\\)</span>', "mathematics", "not typeset: \\(\\frac", ALL),
    ],
    "axe": [
        ("<button></button>", "axe button-name (critical)", "button", ALL),
        (f"{DARK}<p>Too dark</p>", "axe color-contrast (serious)", "p:", IN_DARK),
    ],
    "theme": [
        (
            "<script>document.documentElement.dataset.theme = 'dark'</script>",
            *("theme", "dark where light is asked for", LIGHT),
        ),
    ],
}
SOUND = """<p id="there">Text with <a href="#there">one</a>, <a href="axe.html#here">two</a>,
<a href="https://a.example/b%20c#d">three</a>, <a href="mailto:a@b.example">four</a>,
<a download="t.csv" href="data:text/csv;base64,YSxi">five</a>, <a href="dot.png">six</a>.</p>
<img alt="A dot." src="dot.png"><img alt="" role="presentation" src="dot.png">
<div style="overflow-x: auto" tabindex="0"><div style="width: 2000px">wide</div></div>
<pre>\\(x\\)</pre><span class="math">\\(\\frac{1}{2}\\)</span>"""


def page(body: str = "", head: str = "") -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A page</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'{head}</head><body><main><h1 id="here">A page</h1>{body}</main></body></html>'
    )


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What is found in pages with faults, and in one that has none."""
    folder = tmp_path_factory.mktemp("faulty") / "html"
    shutil.copytree(ROOT / "book" / "_static" / "mathjax", folder / "_static" / "mathjax")
    (folder / "dot.png").write_bytes(PIXEL)
    (folder.parent / "outside.png").write_bytes(PIXEL)
    (folder.parent / "outside.html").write_text("<p>Not of the book")
    for name, faults in FAULTS.items():
        (folder / f"{name}.html").write_text(page("".join(html for html, *_ in faults)))
    (folder / "sound.html").write_text(page(SOUND, MATHJAX))
    (folder / "index.html").write_text('<meta http-equiv="Refresh" content="0; url=sound.html" />')
    return by_page(CHECK["problems"](folder, tabs=2))


@pytest.mark.parametrize("name", list(FAULTS))
def test_each_fault_is_found_and_nothing_else(faulty: Found, name: str):
    found = list(faulty[name])
    for _, kind, word, views in FAULTS[name]:
        told = [one for one in found if one[0] == kind and word in one[1]]
        assert [set(seen) for _, _, seen in told] == [views], (kind, word)
        found.remove(told[0])
    assert found == []


def test_what_is_sound_is_not_reported(faulty: Found):
    assert faulty.keys() == FAULTS.keys()


def test_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch):
    assert CHECK["main"]([str(tmp_path)]) == 2
    assert "no page" in capsys.readouterr().err
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "theirs.html").write_text("{% macro %}")
    assert CHECK["main"]([str(tmp_path)]) == 2
    (tmp_path / "a.html").write_text(page("<button></button>"))
    one_view = [str(tmp_path), "--view", "phone dark"]
    assert CHECK["main"](one_view) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("a.html: axe button-name (critical): button: Buttons must have")
    assert said[1] == "axe button-name (critical): 1"
    (tmp_path / "a.html").write_text(page())
    assert CHECK["main"](one_view) == 0
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert CHECK["main"](one_view) == 3
    assert "no browser was found" in capsys.readouterr().err
