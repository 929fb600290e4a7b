"""What a reader's browser makes of a built book, page by page.

    python tools/check_pages.py build/html [--page REGEX] [--view NAME]

Opens every page of the folder from its file in headless Chromium, at the width of a desktop and of
a phone, in the light and in the dark, and lists all that is wrong at once: errors of scripts,
requests to outside, links to nowhere, pages that scroll sideways, pictures without alternative
text, formulas that were not typeset, and whatever axe-core has against a page.  Cells that can be
unfolded are looked at unfolded, too, and chapters as slides.

Exits with 0 if nothing is wrong, 1 if something is, 2 if there is no page to look at or the options
are mistaken, and 3 if there is nothing to look with: no Chromium, or a package is missing.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--no-sandbox",  # it is refused to root, and in most containers
    "--host-resolver-rules=MAP * ~NOTFOUND",  # what is found hangs on nobody's connection
]
PATIENCE = 180_000
"""Milliseconds for a page to load, and for its formulas; on a busy machine it takes minutes."""


@dataclass(frozen=True)
class View:
    """A way of looking at a page."""

    name: str
    width: int
    height: int
    theme: str


VIEWS = tuple(
    View(f"{device} {theme}", width, height, theme)
    for device, width, height in (("desktop", 1280, 900), ("phone", 375, 800))
    for theme in ("light", "dark")
)


@dataclass(frozen=True, order=True)
class Problem:
    """Something wrong with a page: of what kind, what it is, and in which views it was seen."""

    page: str
    kind: str
    what: str
    views: tuple[str, ...]

    def __str__(self) -> str:
        seen = "" if len(self.views) == len(VIEWS) else f" [{', '.join(self.views)}]"
        return f"{self.page}: {self.kind}: {self.what}{seen}"


class CannotLook(Exception):
    """There is no browser, or a package that drives it is missing; the message says which."""


def browser() -> str:
    """The system's Chromium.

    Raises:
        CannotLook: there is none.
    """
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise CannotLook(f"no browser was found: none of {', '.join(BROWSERS)} is on the PATH")
    return found


def problems(
    folder: Path,
    *,
    views: Sequence[View] = VIEWS,
    wanted: Callable[[str], bool] = lambda page: True,
    tabs: int | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> list[Problem]:
    """All that is wrong with the pages in ``folder``, sorted.

    Args:
        folder: a built book.
        views: how to look at each page.
        wanted: whether a page, by its path in the folder, is to be looked at; links may lead to
            the others all the same.
        tabs: how many pages are looked at at once; as many as there are cores if None.
        report: is told which page was looked at, and how.

    Raises:
        FileNotFoundError: no page is wanted, so that nothing was checked.
        CannotLook: there is nothing to look with.
    """
    folder = Path(folder).resolve()
    pages = [page for page in _pages(folder) if wanted(page)]
    if not pages:
        raise FileNotFoundError(f"{folder} holds no page (*.html) to look at.")
    looked = _Looked(folder)
    asyncio.run(looked.at(pages, views, tabs or os.cpu_count() or 1, report))
    return looked.problems()


def _pages(folder: Path) -> list[str]:
    """The pages in a folder; what the theme keeps beside them is for its own use."""
    inside = (path.relative_to(folder) for path in sorted(folder.rglob("*.html")))
    return [path.as_posix() for path in inside if not path.parts[0].startswith("_")]


SETTLED = """async () => {
    if (window.MathJax?.startup?.promise) await window.MathJax.startup.promise;
    await document.fonts.ready;
    // The theme looks for what scrolls a third of a second after the last change.
    await new Promise((resolve) => setTimeout(resolve, 400));
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
}"""
UNFOLD = """() => {
    const folded = document.querySelectorAll("details:not([open])");
    for (const details of folded) details.open = true;
    return folded.length;
}"""
_LINKS = """() => ({
    ids: [...document.querySelectorAll("[id], a[name]")].flatMap((e) => [e.id, e.name ?? ""]),
    links: [...document.querySelectorAll("a[href], area[href], link[href]")].map((e) =>
        ({raw: e.getAttribute("href"), href: e.href, saves: e.hasAttribute("download")})),
})"""
# The widest of the elements that no container of their own scrolls or cuts off.
_TOO_WIDE = """() => {
    const root = document.scrollingElement, width = root.clientWidth;
    if (root.scrollWidth <= width) return null;
    const contained = (e) => {
        for (let p = e.parentElement; p && p !== document.body; p = p.parentElement)
            if (getComputedStyle(p).overflowX !== "visible") return true;
        return false;
    };
    let widest = null, right = width;
    for (const e of document.body.querySelectorAll("*")) {
        const edge = e.getBoundingClientRect().right;
        if (edge > right && !contained(e)) [widest, right] = [e, edge];
    }
    return widest ? widest.cloneNode(false).outerHTML.slice(0, 120) : "the page";
}"""
_NO_ALT = """() =>
    [...document.querySelectorAll("img, area[href], input[type=image]")]
        .filter((e) => !(e.getAttribute("alt") ?? "").trim())
        .filter((e) => !["presentation", "none"].includes(e.getAttribute("role")))
        .map((e) => e.outerHTML.slice(0, 120))"""
_MATHS = r"""() => {
    const found = [], text = (e) => e.textContent.trim().slice(0, 80);
    for (const e of document.querySelectorAll(".math"))
        if (!e.querySelector("mjx-container")) found.push(`not typeset: ${text(e)}`);
    for (const e of document.querySelectorAll('[data-mml-node="merror"], mjx-merror'))
        found.push(`error: ${e.getAttribute("data-mjx-error") ?? text(e)}`);
    // What TeX does not know is shown in red and is no error to it.
    for (const e of document.querySelectorAll('[data-mml-node="mtext"][fill="red"]'))
        found.push(`unknown: ${text(e.closest("mjx-container"))}`);
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const inside = walk.currentNode.parentElement;
        if (/\\[([]|\$\$|\\begin\{/.test(walk.currentNode.data) &&
            !inside.closest("code, pre, script, style, textarea, .math, mjx-container"))
            found.push(`TeX in the text: ${text(walk.currentNode)}`);
    }
    return found;
}"""
# Shows a chapter as slides and goes through them by the keyboard; what is wrong with them.
_SLIDES = """async () => {
    const opener = document.querySelector(".slides-open");
    if (!opener) return null;
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    opener.click();
    for (let left = 100; left && !document.querySelector(".slide-now"); left--) await frame();
    const slides = [...document.querySelectorAll(".slide")], found = [];
    for (const slide of slides) {
        await frame();
        const body = slide.querySelector(".slide-body"), wrong = (what) =>
            found.push(`${body.ariaLabel} ${what}`);
        if (!slide.matches(".slide-now")) wrong("is not reached by the keyboard");
        if (body.scrollWidth > body.clientWidth + 1) wrong("scrolls sideways");
        const filled = body.textContent.trim() || body.querySelector("img, svg");
        if (!filled && !slide.querySelector("h1")) wrong("is empty");
        body.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight", bubbles: true}));
    }
    // One below the other, as on paper: none may hide behind another.
    document.querySelector(".slides").style.cssText = "position: static; display: block";
    for (const slide of slides) slide.style.display = "block";
    window.dispatchEvent(new Event("resize"));
    return slides.length ? found : ["there are none"];
}"""
# Without preloading, for which axe asks for style sheets in a way that is refused to a page opened
# from a file; only rules that are off by default want it.
_AXE = """async () => {
    const found = await axe.run({resultTypes: ["violations"], preload: false});
    return found.violations.flatMap((v) =>
        v.nodes.map((n) => [`${v.id} (${v.impact})`, n.target.flat().join(" "), v.help]));
}"""
_PHONE = 600  # pixels, up to which nobody shows slides
_REFRESH = re.compile(
    r"""<meta[^>]+http-equiv=["']?refresh\b[^>]+?url=([^"'>\s]+)""", re.IGNORECASE
)
_HOST = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}|localhost|[\d.]+", re.IGNORECASE
)

_MAILBOX = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass
class _Looked:
    """What was found so far; links are followed when all pages have said what is in them."""

    folder: Path
    # The names of views in which something is seen are the keys of a dict: once each, in order.
    found: dict[tuple[str, str, str], dict[str, None]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    ids: dict[str, set[str]] = field(default_factory=dict)
    links: dict[tuple[str, str, str, bool], dict[str, None]] = field(
        default_factory=lambda: defaultdict(dict)
    )

    def add(self, page: str, kind: str, what: str, views: Iterable[View]) -> None:
        """Note a problem; the folder's own place is of no interest to anybody."""
        what = " ".join(what.replace(f"{self.folder.as_uri()}/", "").split())
        self.found[page, kind, what].update(dict.fromkeys(view.name for view in views))

    def problems(self) -> list[Problem]:
        """All problems, those with links among them."""
        for (page, raw, href, saves), views in self.links.items():
            if why := self._broken(href, raw, saves):
                self.found[page, "broken link", f"{raw[:120]} ({why})"] = views
        return sorted(Problem(*key, tuple(views)) for key, views in self.found.items())

    async def at(
        self,
        pages: Iterable[str],
        views: Iterable[View],
        tabs: int,
        report: Callable[[str], None],
    ) -> None:
        """Look at the pages in all views."""
        try:
            from axe_playwright_python.base import AXE_SCRIPT
            from playwright.async_api import async_playwright
        except ImportError as error:
            raise CannotLook(f"the package {error.name} is missing") from None
        executable, free = browser(), asyncio.Semaphore(tabs)
        shapes: dict[tuple[int, int], list[View]] = defaultdict(list)
        for view in views:
            shapes[view.width, view.height].append(view)

        async def look(context: Any, page: str, seen: Sequence[View]) -> None:
            async with free:
                await self._look(context, page, seen, AXE_SCRIPT)
                report(f"{page}: {', '.join(view.name for view in seen)}")

        async with async_playwright() as playwright:
            chromium = await playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
            to_look_at = [page for page in pages if not self._leads_on(page)]
            for (width, height), seen in shapes.items():
                context = await chromium.new_context(
                    viewport={"width": width, "height": height},
                    reduced_motion="reduce",  # no colour is looked at on its way to another
                )
                context.set_default_timeout(PATIENCE)
                await asyncio.gather(*(look(context, page, seen) for page in to_look_at))
                await context.close()
            await chromium.close()

    def _leads_on(self, page: str) -> bool:
        """Whether a page is none, and only sends its reader to another at once."""
        file = self.folder / page
        target = _REFRESH.search(file.read_text(encoding="utf-8"))
        if target:
            key = page, target[1], urljoin(file.as_uri(), target[1]), False
            self.links[key].update(dict.fromkeys(view.name for view in VIEWS))
        return bool(target)

    async def _look(self, context: Any, page: str, views: Sequence[View], axe: str) -> None:
        """Look at a page in views of one size; its colours follow those that are asked for."""
        from playwright.async_api import Error

        outside: set[str] = set()
        seen = views  # what is found now is seen in these

        def note(kind: str, what: str) -> None:
            self.add(page, kind, what, seen)

        def asked(request: Any) -> None:
            if not self._inside(request.url):
                outside.add(request.url)
                note("request to outside", request.url[:200])

        def console(message: Any) -> None:
            where = message.location.get("url", "")
            if message.type == "error" and where not in outside:
                note("console error", f"{message.text} ({where})")

        tab = await context.new_page()
        tab.on("request", asked)
        tab.on("websocket", lambda socket: note("request to outside", socket.url))
        tab.on("console", console)
        tab.on("pageerror", lambda error: note("page error", str(error)))
        try:
            await tab.emulate_media(color_scheme=views[0].theme)
            await tab.goto((self.folder / page).as_uri())
            await tab.evaluate(SETTLED)
            if wide := await tab.evaluate(_TOO_WIDE):
                note("scrolls sideways", wide)
            if await tab.evaluate(UNFOLD):
                await tab.evaluate(SETTLED)
                if wide is None and (wide := await tab.evaluate(_TOO_WIDE)):
                    note("scrolls sideways", f"{wide}, unfolded")
            for kind, look in (("no alternative text", _NO_ALT), ("mathematics", _MATHS)):
                for what in await tab.evaluate(look):
                    note(kind, what)
            contents = await tab.evaluate(_LINKS)
            self.ids.setdefault(page, set()).update(contents["ids"])
            for link in contents["links"]:
                key = page, link["raw"], link["href"], link["saves"]
                self.links[key].update(dict.fromkeys(view.name for view in views))
            await tab.evaluate(axe)
            for view in views:
                seen = (view,)
                await tab.emulate_media(color_scheme=view.theme)
                await tab.evaluate(SETTLED)
                theme = await tab.evaluate("document.documentElement.dataset.theme")
                if theme not in (None, view.theme):
                    note("theme", f"{theme} where {view.theme} is asked for")
                for rule, where, what in await tab.evaluate(_AXE):
                    note(f"axe {rule}", f"{where}: {what}")
            seen = views
            if views[0].width > _PHONE and (wide := await tab.evaluate(_SLIDES)) is not None:
                for what in wide:
                    note("slide", what)
                for view in views:
                    seen = (view,)
                    await tab.emulate_media(color_scheme=view.theme)
                    await tab.evaluate(SETTLED)
                    for rule, where, what in await tab.evaluate(_AXE):
                        note(f"axe {rule}", f"slides: {where}: {what}")
        except Error as error:  # goes on with the other pages
            note("page error", f"not looked at to the end: {error.message.splitlines()[0]}")
        finally:
            await tab.close()

    def _inside(self, url: str) -> bool:
        """Whether an address needs nothing but the book."""
        parts = urlsplit(url)
        if parts.scheme == "file":
            return not parts.netloc and Path(unquote(parts.path)).is_relative_to(self.folder)
        return parts.scheme in ("about", "blob", "data")

    def _broken(self, href: str, raw: str, saves: bool) -> str:
        """Why a link leads nowhere, or nothing."""
        try:
            parts = urlsplit(href)
            host, _ = parts.hostname or "", parts.port
        except ValueError:
            return "not well-formed"
        if parts.scheme == "file":
            return self._nowhere(Path(unquote(parts.path)), unquote(parts.fragment))
        if parts.scheme in ("http", "https"):
            well = bool(_HOST.fullmatch(host)) and not re.search(r"\s", raw.strip())
        elif parts.scheme == "mailto":
            well = bool(_MAILBOX.fullmatch(unquote(parts.path)))
        else:
            well = parts.scheme == "data" and saves
        return "" if well else "not well-formed"

    def _nowhere(self, path: Path, anchor: str) -> str:
        if not path.is_relative_to(self.folder):
            return "leads out of the book"
        if not path.is_file():
            return "no such file"
        page = path.relative_to(self.folder).as_posix()
        if path.suffix == ".html" and page not in self.ids:  # a page that was not to be looked at
            text = path.read_text(encoding="utf-8")
            self.ids[page] = set(re.findall(r"""\s(?:id|name)=["']([^"']+)""", text))
        if anchor in ("", "top") or anchor in self.ids.get(page, ()):
            return ""
        return "no such place in the page"


def main(argv: Sequence[str] | None = None) -> int:
    """Print all that is wrong and how much of what kind; see the module for the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--page", default="", metavar="REGEX", help="only pages with such a path")
    parser.add_argument(
        "--view",
        action="append",
        choices=[view.name for view in VIEWS],
        help="only this view; repeatable",
    )
    parser.add_argument("--tabs", type=int, help="pages at once; one a core if not given")
    parser.add_argument("--progress", action="store_true", help="say which page is looked at")
    options = parser.parse_args(argv)
    try:
        found = problems(
            options.folder,
            views=[view for view in VIEWS if view.name in (options.view or view.name)],
            wanted=lambda page: bool(re.search(options.page, page)),
            tabs=options.tabs,
            report=partial(print, file=sys.stderr) if options.progress else lambda line: None,
        )
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    except CannotLook as error:
        print(f"The pages were not looked at in a browser: {error}.", file=sys.stderr)
        return 3
    kinds: dict[str, int] = defaultdict(int)
    for problem in found:
        kinds[problem.kind] += 1
        print(problem)
    if found:
        print("; ".join(f"{kind}: {count}" for kind, count in sorted(kinds.items())))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
