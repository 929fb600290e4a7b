"""Fonts for names in any script, and what stands in figures for a character that no font has."""

from __future__ import annotations

import unicodedata
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from matplotlib import font_manager
from matplotlib.font_manager import FontProperties, fontManager
from matplotlib.ft2font import FT2Font

_PACKAGES = ("noto_cjk_sans_otc", "fontpkg_noto_sans_thai", "fontpkg_noto_sans_devanagari")
_BESIDE = ("DejaVu Sans", "Noto Sans CJK SC", "Noto Sans Thai", "Noto Sans Devanagari")
_ELSEWHERE = (  # on the reader's machine, for what those have not
    "Noto Sans Symbols2",
    "Noto Emoji",
    "Symbola",
    "Segoe UI Symbol",
    "Apple Symbols",
    "Nirmala UI",
    "Arial Unicode MS",
)
_SILENT = {0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF}  # they draw nothing
_VARIANTS = range(0xFE00, 0xFE10)  # which form of the character before it, colours for one


@cache
def families() -> tuple[str, ...]:
    """Families that figures fall back to, one after the other; they are made known to matplotlib.

    Those of the book's own font packages, and of a few that systems have.
    """
    for package in _PACKAGES:
        found = find_spec(package)
        for folder in (found.submodule_search_locations or ()) if found else ():
            for file in sorted(Path(folder).rglob("*.tt[cf]")):
                fontManager.addfont(file)
    known = {entry.name for entry in fontManager.ttflist}
    return tuple(name for name in (*_BESIDE, *_ELSEWHERE) if name in known)


@cache
def _drawn() -> frozenset[int]:
    """Characters that some family has."""
    codes: set[int] = set()
    for family in ("sans-serif", *families()):
        font = font_manager.findfont(FontProperties(family=[family]))
        codes |= FT2Font(font).get_charmap().keys()
    return frozenset(codes)


def drawable(text: str) -> str:
    """``text`` with what no font has in words, if it is a symbol (``(hospital)``), or as a box.

    Without it matplotlib would draw the box and warn, on the page, at each of them.
    """
    if text.isascii():
        return text
    kept = (char for char in text if ord(char) not in _VARIANTS)
    return "".join(char if ord(char) in _drawn() else _instead(char) for char in kept)


def _instead(char: str) -> str:
    if ord(char) in _SILENT:
        return ""
    name = unicodedata.name(char, "")
    return f"({name.lower()})" if name and unicodedata.category(char) == "So" else "□"


def width(text: str) -> int:
    """How wide ``text`` is, in letters; most characters of East Asian scripts are two wide."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )
