"""What two builds of the book say and show differently.

    python tools/compare_books.py build-before/html build/html [--ignore REGEX ...]

For a change that should leave every page as it was.  Lists, page by page, lines of text that were
added or removed and figures whose files differ; a line in which an expression of ``--ignore`` is
found counts as equal to any other such line.  Exits with 1 if anything differs.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import re
import sys
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

_SILENT = {"script", "style", "head", "nav", "footer"}
_WITHIN = {"a", "abbr", "b", "code", "em", "i", "kbd", "mark", "span", "strong", "sub", "sup"}


class _Page(HTMLParser):
    """The lines of a page as a reader sees them; a figure is a line with its file's digest."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file, self.lines, self._line = file, list[str](), ""
        self._silent: list[str] = []
        self.feed(file.read_text(encoding="utf-8"))
        self._end()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent.append(tag)
        if tag not in _WITHIN:
            self._end()
        if tag == "img" and not self._silent:
            given = dict(attrs)
            self.lines.append(f"[figure {self._digest(given.get('src') or '')}]")
            self.lines += [f"[alt] {given['alt']}"] if given.get("alt") else []

    def handle_endtag(self, tag: str) -> None:
        if self._silent and tag == self._silent[-1]:
            self._silent.pop()
        if tag not in _WITHIN:
            self._end()

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._line += data

    def _end(self) -> None:
        if text := " ".join(self._line.split()):
            self.lines.append(text)
        self._line = ""

    def _digest(self, source: str) -> str:
        file = self.file.parent / unquote(source)
        content = source.encode() if source.startswith("data:") else file.read_bytes()
        return hashlib.sha256(content).hexdigest()[:12]


def differences(before: Path, after: Path, ignore: Sequence[str] = ()) -> Iterator[str]:
    """Lines that tell what differs; none if the two say and show the same."""
    pages = [
        {file.relative_to(one): file for file in one.rglob("*.html")} for one in (before, after)
    ]
    for name in sorted(pages[0].keys() | pages[1].keys()):
        if name not in pages[0] or name not in pages[1]:
            yield f"{name}: only in {after if name in pages[1] else before}"
            continue
        lines = [
            ["(ignored)" if any(re.search(one, line) for one in ignore) else line for line in read]
            for read in (_Page(side[name]).lines for side in pages)
        ]
        for line in difflib.unified_diff(*lines, lineterm="", n=0):
            if line[:2] not in ("--", "++", "@@"):
                yield f"{name}: {line}"


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--ignore", nargs="*", default=[], metavar="REGEX")
    given = parser.parse_args()
    found = list(differences(given.before, given.after, given.ignore))
    pages = len(list(given.after.rglob("*.html")))
    sys.stdout.write("".join(f"{line}\n" for line in found))
    sys.stdout.write(f"{pages} pages, {len(found)} differences\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
