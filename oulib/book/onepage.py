"""An executed chapter as one HTML file that needs nothing else: to send, to print, to keep."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape, unescape
from pathlib import PurePosixPath
from typing import Any

from markdown_it import MarkdownIt
from nbformat import NotebookNode

from oulib.book.notebook import downloads

_STYLE = """\
:root { color-scheme: light dark; --ink: #1d2129; --soft: #5c6370; --line: #d6d9de; --page: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e6ea; --soft: #a3a9b4; --line: #434852; --page: #191b1f; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 46rem; background: var(--page);
  color: var(--ink); font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .4rem; }
h2 { font-size: 1.25rem; margin: 2.4rem 0 .6rem; border-bottom: 1px solid var(--line); }
a { color: inherit; }
figure { margin: 1.2rem 0; }
figure img { max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
figcaption { color: var(--soft); font-size: .88rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child { text-align: left; }
td { white-space: nowrap; }
td:last-child { white-space: normal; }
.source { color: var(--soft); margin-top: 0; }
@media print {
  :root { color-scheme: light; --ink: #000; --soft: #444; --line: #bbb; --page: #fff; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  h2, figcaption { break-after: avoid; }
  figure, tr { break-inside: avoid; }
  a[download] { display: none; }
}
"""
_LABEL = re.compile(r"^\([\w-]+\)=\n", re.MULTILINE)
_OF_THE_BOOK = re.compile(r'<a href="(?:#|(?!https?:|data:|mailto:))[^"]*">(.*?)</a>', re.DOTALL)


@dataclass(frozen=True)
class Page:
    """A page, and the files that it holds: pictures by their names, tables to hand on."""

    html: str
    files: dict[PurePosixPath, bytes]


def page(notebook: NotebookNode, *, source: str) -> Page:
    """The published form of an executed chapter without its code.

    Args:
        notebook: as :func:`oulib.book.notebook.execute` returns it.
        source: what the chapter is about, a file's name.
    """
    files: dict[PurePosixPath, bytes] = {}
    body = "\n".join(_cells(notebook, files))
    files |= {PurePosixPath(file): content for file, content in downloads(notebook)}
    title = re.search(r"<h1>(.*?)</h1>", body, re.DOTALL)
    name = unescape(re.sub("<[^>]+>", "", title[1])) if title else "Summary"
    head = f'<p class="source">{escape(source)}</p>'
    body = body.replace("</h1>", f"</h1>\n{head}", 1)
    html = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8"/>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>\n'
        f"<title>{escape(name)}: {escape(source)}</title>\n<style>\n{_STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )
    return Page(html, files)


def _cells(notebook: NotebookNode, files: dict[PurePosixPath, bytes]) -> Iterator[str]:
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield _markdown(cell.source)
        elif cell.cell_type == "code" and "remove-cell" not in cell.metadata.get("tags", []):
            for output in cell.get("outputs", []):
                yield _output(output, cell.metadata.get("mystnb", {}), files)


def _output(output: NotebookNode, about: Any, files: dict[PurePosixPath, bytes]) -> str:
    data = output.get("data", {})
    if "image/png" in data:
        figure = about.get("figure", {})
        name = figure.get("name", f"figure-{len(files) + 1}").removeprefix("fig-")
        files[PurePosixPath("figures", f"{name}.png")] = b64decode(data["image/png"])
        picture = "".join(data["image/png"].split())
        alt = escape(about.get("image", {}).get("alt", ""))
        caption = _markdown(figure["caption"]) if "caption" in figure else ""
        shown = output.get("metadata", {}).get("image/png", {})
        width = f' width="{shown["width"]:d}"' if "width" in shown else ""
        return (
            f'<figure><img alt="{alt}"{width} src="data:image/png;base64,{picture}"/>'
            f"<figcaption>{caption}</figcaption></figure>"
        )
    if "text/html" in data:
        # A wide table is scrolled on a narrow screen: with the keyboard, too.
        reach = (
            ' tabindex="0" role="group" aria-label="Table"' if "<table" in data["text/html"] else ""
        )
        return f'<div class="scroll"{reach}>{data["text/html"]}</div>'
    return _markdown(data["text/markdown"]) if "text/markdown" in data else ""


def _markdown(text: str) -> str:
    """Markdown as HTML; links to other pages of the book are what they say, and no links.

    HTML within it is text: what quotes the data has no other way in.
    """
    html = MarkdownIt("commonmark", {"html": False}).enable("table").render(_LABEL.sub("", text))
    return _OF_THE_BOOK.sub(r"\1", html).strip()
