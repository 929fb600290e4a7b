"""Does a built book ask for anything outside itself?  ``python -m oulib.book.offline DIR``

Every page, style sheet, script and SVG in the folder is read for what a browser would load by
itself.  Links that a reader may follow are not loads, and are allowed.  What a script does when it
runs cannot be known by reading it; reported is every address in it that looks like something to
load: a script, style sheet, font or data file, anything on a content delivery network, and the
argument of a call that loads.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

_LOADED = {  # attributes whose address a browser loads, by tag; "" stands for every tag
    "": {"background", "data-jupyter-widgets-cdn", "poster"},
    "audio": {"src"},
    "base": {"href"},
    "embed": {"src"},
    "feimage": {"href", "xlink:href"},
    "frame": {"src"},
    "iframe": {"src"},
    "image": {"href", "xlink:href"},
    "img": {"src"},
    "input": {"src"},
    "object": {"data"},
    "script": {"src", "href", "xlink:href"},
    "source": {"src"},
    "track": {"src"},
    "use": {"href", "xlink:href"},
    "video": {"src"},
}
_LINKS_NOT_LOADED = {
    *("alternate", "author", "canonical", "help", "index", "license", "next", "prev", "search"),
}
_CSS_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_CSS_LOAD = re.compile(
    r"""(?:url\(\s*|@import\s+(?!url))(?:"([^"]*)"|'([^']*)'|([^"')\s;]+))""", re.IGNORECASE
)
_ADDRESS = re.compile(
    r"""(?:(?:https?|wss?):)?(?:\\?/){2}[\w.-]+\.[a-z]{2,}(?::\d+)?(?:[^\s"'`<>()\\]|\\/)*""",
    re.IGNORECASE,
)
_LOADABLE = re.compile(
    r"\.(?:m?js|css|woff2?|ttf|otf|eot|json|wasm|svg|png|jpe?g|gif)$", re.IGNORECASE
)
_NETWORKS = re.compile(
    r"(?:^|[.-])(?:cdn\w*|unpkg|jsdelivr|cloudflare|esm|skypack|gstatic)\b|googleapis"
)
_ASKING = re.compile(
    r"(?:\b(?:fetch|import|importScripts|Worker|EventSource|WebSocket|sendBeacon)\s*\(|"
    r"\.src\s*=|\bimport|\bfrom)\s*[\"'`]$"
)


@dataclass(frozen=True, order=True)
class Request:
    """Something outside the folder that a page would load: which file says so, and how."""

    file: str
    how: str
    address: str

    def __str__(self) -> str:
        return f"{self.file}: {self.how} {self.address}"


def external_requests(folder: Path) -> list[Request]:
    """Everything that the pages in ``folder`` would load from outside it, sorted.

    Raises:
        FileNotFoundError: there is no page in ``folder``, so that nothing was checked.
    """
    folder = Path(folder)
    readers = {".html": _in_html, ".svg": _in_html, ".css": _in_css, ".js": _in_js, ".mjs": _in_js}
    files = [file for file in sorted(folder.rglob("*")) if file.suffix.lower() in readers]
    if not any(file.suffix.lower() == ".html" for file in files):
        raise FileNotFoundError(f"{folder} holds no page (*.html).")
    found = set()
    for file in files:
        text = file.read_text(encoding="utf-8", errors="replace")
        for how, address in readers[file.suffix.lower()](text):
            found.add(Request(file.relative_to(folder).as_posix(), how, address))
    return sorted(found)


def main(argv: Sequence[str] | None = None) -> int:
    """Print what is loaded from outside; the exit status is 1 if there is anything, else 0."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    if len(arguments) != 1:
        print("usage: python -m oulib.book.offline DIR", file=sys.stderr)
        return 2
    try:
        requests = external_requests(Path(arguments[0]))
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    for request in requests:
        print(request)
    return 1 if requests else 0


def _outside(address: str) -> bool:
    """Whether an address leaves the folder: it names a host, with or without a scheme."""
    address = re.sub(r"[\t\n\r]", "", address).strip().replace("\\", "/")
    try:
        parts = urlsplit(address)
    except ValueError:  # such as a bad IPv6 host
        return True
    return bool(parts.netloc) and parts.scheme not in ("data", "file")


class _Page(HTMLParser):
    """Collects from a page, or an SVG, what a browser loads."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, str]] = []
        self.inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        loaded = _LOADED[""] | _LOADED.get(tag, set())
        if tag == "link" and not set(given.get("rel", "").lower().split()) <= _LINKS_NOT_LOADED:
            loaded = loaded | {"href"}
        self._add(tag, [value for name, value in given.items() if name in loaded])
        for name in ("srcset", "imagesrcset"):
            self._add(
                tag, [part.split()[0] for part in given.get(name, "").split(",") if part.split()]
            )
        if tag == "meta" and given.get("http-equiv", "").lower() == "refresh":
            self._add(tag, [given.get("content", "").partition("=")[2].strip(" '\"")])
        self.found += [
            (f"<{tag} style>", address) for _, address in _in_css(given.get("style", ""))
        ]
        for name, value in given.items():
            if name.startswith("on"):
                self.found += [(f"<{tag} {name}>", address) for _, address in _in_js(value)]
        if tag == "iframe":
            self.found += _in_html(given.get("srcdoc", ""))
        if tag in ("script", "style"):
            self.inside = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == self.inside:
            self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "script":
            self.found += _in_js(data)
        elif self.inside == "style":
            self.found += _in_css(data)

    def _add(self, tag: str, addresses: list[str]) -> None:
        self.found += [(f"<{tag}>", address) for address in addresses if _outside(address)]


def _in_html(text: str) -> list[tuple[str, str]]:
    page = _Page()
    page.feed(text)
    page.close()
    return page.found


def _in_css(text: str) -> Iterator[tuple[str, str]]:
    for match in _CSS_LOAD.finditer(_CSS_COMMENT.sub("", text)):
        address = next(filter(None, match.groups()), "")
        if _outside(address):
            yield "style", address


def _in_js(text: str) -> Iterator[tuple[str, str]]:
    for match in _ADDRESS.finditer(text):
        address = match[0].replace("\\", "")
        parts, before = urlsplit(address), text[max(match.start() - 40, 0) : match.start()]
        if _LOADABLE.search(parts.path) or _NETWORKS.search(parts.netloc) or _ASKING.search(before):
            yield "script", address


if __name__ == "__main__":
    sys.exit(main())
