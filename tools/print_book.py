"""A built book as one PDF, to print and to keep.

    python tools/print_book.py build book.pdf

Takes the folder of a run, and prints its pages in the order of the table of contents with headless
Chromium: solutions unfolded, figures that move as pictures, links to other pages as plain words,
since they would lead to files of this machine.  Chapters are in the PDF's own outline.

Exits with 2 if the folder has no pages, and with 3 if there is nothing to print with.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from check_pages import ARGUMENTS, PATIENCE, SETTLED, UNFOLD, CannotLook, browser

from oulib.book.pipeline import pages
from oulib.files import write_atomically

# A link to another page of the book would be one to a file of the machine that printed it.
_TO_PAPER = """() => {
    for (const a of document.querySelectorAll("a[href]"))
        if (a.protocol === "file:" && !(a.getAttribute("href") ?? "").startsWith("#"))
            a.removeAttribute("href");
    for (const button of document.querySelectorAll("a[download]")) button.remove();
    return document.querySelector("h1")?.childNodes[0]?.textContent?.trim() ?? document.title;
}"""
_FOOTER = """<div style="width: 100%; font-size: 8px; text-align: center;">
<span class="title"></span> &middot; <span class="pageNumber"></span></div>"""
_SHEET = {
    "format": "A4",
    "print_background": True,
    "display_header_footer": True,
    "header_template": "<span></span>",
    "footer_template": _FOOTER,
    "margin": {"top": "16mm", "bottom": "18mm", "left": "16mm", "right": "16mm"},
}


async def printed(files: Sequence[Path]) -> list[tuple[str, bytes]]:
    """The title of each HTML page, and the page as a PDF.

    Raises:
        CannotLook: there is nothing to print with.
    """
    try:
        from playwright.async_api import async_playwright
    except ImportError as error:
        raise CannotLook(f"the package {error.name} is missing") from None
    found = []
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=browser(), args=ARGUMENTS)
        context = await chromium.new_context(color_scheme="light")
        context.set_default_timeout(PATIENCE)
        for file in files:
            tab = await context.new_page()
            await tab.goto(file.as_uri())
            await tab.emulate_media(media="print", color_scheme="light")
            await tab.evaluate(SETTLED)
            await tab.evaluate(UNFOLD)
            title = await tab.evaluate(_TO_PAPER)
            await tab.evaluate(SETTLED)
            found.append((title, await tab.pdf(**_SHEET)))
            await tab.close()
        await chromium.close()
    return found


def bound(parts: Sequence[tuple[str, bytes]]) -> bytes:
    """PDFs with their titles as one PDF, with an outline."""
    from pypdf import PdfReader, PdfWriter

    writer: Any = PdfWriter()
    for title, content in parts:
        writer.append(PdfReader(BytesIO(content)), outline_item=title, import_outline=False)
    whole = BytesIO()
    writer.write(whole)
    return whole.getvalue()


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the folder of a run")
    parser.add_argument("out", type=Path, help="the PDF to write")
    given = parser.parse_args(argv)
    source, html = given.folder / "source", given.folder / "html"
    listed = pages(source) if (source / "_toc.yml").is_file() else []
    files = [(html / page.relative_to(source)).with_suffix(".html") for page in listed]
    files = [file.resolve() for file in files if file.is_file()]
    if not files:
        print(f"{given.folder} holds no built book.", file=sys.stderr)
        return 2
    try:
        whole = bound(asyncio.run(printed(files)))
    except CannotLook as error:
        print(f"Nothing was printed: {error}.", file=sys.stderr)
        return 3
    write_atomically(given.out, lambda path: path.write_bytes(whole))
    print(given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
