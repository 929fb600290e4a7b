"""What a reader carries before a chapter's first figure, and how long the chapter takes to read.

    python tools/load.py

A row for each chapter: words and numbered or displayed equations before its first figure, figures,
words in all, and minutes at 220 words a minute.  Words are those of the prose: without code, what
is said of a fit, questions and exercises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import nbformat

from oulib.book.pipeline import pages
from oulib.files import source_root

WORDS_A_MINUTE = 220
_EQUATION = re.compile(r"^(`{3,})\{math\}.*?^\1\s*$", re.MULTILINE | re.DOTALL)
_EXERCISES = re.compile(r"^## (?:Exercises|Check yourself)", re.MULTILINE)
_AFTER = re.compile(r"^## (?:References|Further reading)", re.MULTILINE)
_DISPLAYED = re.compile(r"\$\$.*?\$\$", re.DOTALL)
_MARKUP = re.compile(r"^(\([\w-]+\)=|`{3,}.*|:::.*|:[\w-]+:.*|#+ |\|[-| ]+\|)", re.MULTILINE)


@dataclass(frozen=True)
class Load:
    """Counts of a chapter; those called first are of what stands before its first figure."""

    first_words: int
    first_equations: int
    figures: int
    words: int

    @property
    def minutes(self) -> int:
        """To read it."""
        return round(self.words / WORDS_A_MINUTE)


def of_text(prose: str) -> tuple[int, int]:
    """Words and equations of Markdown; a formula within a line is a word."""
    equations = len(_EQUATION.findall(prose)) + len(_DISPLAYED.findall(prose))
    plain = _DISPLAYED.sub("", _EQUATION.sub("", prose))
    plain = re.sub(r"\$[^$\n]*\$", "x", _MARKUP.sub("", plain))
    return len(plain.split()), equations


def of_chapter(path: Path) -> Load:
    """The counts of a notebook."""
    first, whole, figures, over = [0, 0], [0, 0], 0, False
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type == "markdown":
            text = [] if over else [_EXERCISES.split(cell.source)[0]]
            over = over or len(_EXERCISES.split(cell.source)) > 1
            text += _AFTER.split(cell.source)[1:]
            found = of_text("".join(text))
            whole = [a + b for a, b in zip(whole, found, strict=True)]
            if not figures:
                first = list(whole)
        elif "figure" in cell.metadata.get("mystnb", {}):
            figures += 1
    return Load(*first, figures=figures, words=whole[0])


def main() -> None:
    print("| chapter | words before the first figure | equations | figures | words | minutes |")
    print("|---|---|---|---|---|---|")
    for page in pages(source_root()):
        if page.suffix == ".ipynb":
            one = of_chapter(page)
            print(
                f"| {page.stem} | {one.first_words} | {one.first_equations} | {one.figures} | "
                f"{one.words} | {one.minutes} |"
            )


if __name__ == "__main__":
    main()
