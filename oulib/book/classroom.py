"""What a class needs: chapters with gaps for students, panels to be marked, and the answers apart.

A chapter marks what students are not given: ``{dropdown} Solution`` in its prose, the explanations
below the answers of a question (``:class: quiz``), and code cells tagged ``solution``, from their
line ``# solution`` on.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
from nbformat import NotebookNode

from oulib.book.notebook import read_clean
from oulib.book.pipeline import Book, BuildError, pages
from oulib.files import check_folder, folder_aside, make_folder, source_root, write_atomically
from oulib.panel import Panel, truth
from oulib.panel.simulate import simulate
from oulib.sampling import packed

STUDENTS, ANSWERS = "students", "answers"
"""The folders that :func:`write` leaves: what is handed out, and what is not."""

FITS = "fits.zip"
"""What students may put into their cache, so that chapters open at once; see ``packed``."""

GAP = "# Your turn."
"""What stands in a student's notebook where the solution was."""

_MARK = "# solution"
_OPEN = re.compile(r"^(?P<fence>`{3,})\{dropdown\} (?P<title>.*)$")


@dataclass(frozen=True)
class Assessment:
    """A panel to be marked: its letter, how it is made, what is in it and what that asks for.

    ``given`` are arguments of :func:`oulib.panel.simulate.simulate`; the panel has nothing else.
    """

    letter: str
    holds: str
    asks: str
    given: dict[str, Any] = field(default_factory=dict)

    def panel(self) -> Panel:
        """The panel, with its truth."""
        return simulate(**(_SIZE | self.given))


_SIZE: dict[str, Any] = {
    "recipe": "baseline",
    "n_ou": 30,
    "n_site": 5,
    "n_month": 36,
    "wave_every": 3,
}
_ALONE = {"sigma_site": (1e-6, 1e-6)}
ASSESSMENTS = (
    Assessment(
        "a",
        "Nothing but what the baseline has, and a slope.",
        "A conclusion: the sign and the size of the average slope, in raw units, with its "
        "interval, and no ranking of units.",
        {"seed": 11},
    ),
    Assessment(
        "b",
        "The baseline without any slope.",
        "Restraint: no sign of the average slope is settled, which is said together with how large "
        "a slope the interval still allows, and not as proof that there is none.",
        {"seed": 12, "parameters": {"mu_beta": 0.0, "sigma_ou": (0.5, 0.02)}},
    ),
    Assessment(
        "c",
        "Outcomes with outliers (Student-t with 3 degrees of freedom), months that last.",
        "That the normal outcome is refused for a reason that is seen in the data, and what the "
        "heavier tails change.",
        {
            "seed": 13,
            "recipe": "upgraded",
            "parameters": _ALONE | {"nu": 3.0, "rho_x": 0.0},
        },
    ),
    Assessment(
        "d",
        "Units whose outcomes drift for months (autocorrelation 0.9), which nobody recorded.",
        "That slopes are not read off a model without a place for the drift, however well its "
        "chains agree; the check that finds it; the model that answers it.",
        {"seed": 14, "phi_u": 0.9, "sigma_u": 0.3},
    ),
    Assessment(
        "e",
        "Surveys that go unanswered where the score is low.",
        "That the data cannot tell this from harmless silence: what follows under either, side by "
        "side, and which reason from outside would decide.",
        {
            "seed": 15,
            "recipe": "upgraded",
            "parameters": _ALONE | {"nu": 1e6, "rho_0": 0.5, "rho_x": 2.0},
        },
    ),
)


def student(chapter: NotebookNode) -> NotebookNode:
    """The chapter without its solutions; nothing else differs.

    Args:
        chapter: a clean chapter; not changed.
    """
    page = deepcopy(chapter)
    for cell in page.cells:
        if cell.cell_type == "markdown":
            cell.source = "\n".join(_without_answers(cell.source.split("\n")))
        elif "solution" in cell.metadata.get("tags", []):
            cell.source = "\n".join([*given_lines(cell.source), GAP])
            shown = [tag for tag in cell.metadata["tags"] if not tag.startswith("hide-")]
            cell.metadata["tags"] = shown
    return page


def given_lines(source: str) -> list[str]:
    """The lines of a solution's cell that students are given, too."""
    lines = source.splitlines()
    return lines[: lines.index(_MARK)] if _MARK in lines else []


def _without_answers(lines: Sequence[str]) -> Iterator[str]:
    """Lines of Markdown without dropdowns; the title stays where it is an answer to choose."""
    closing = None
    for line in lines:
        opened = _OPEN.match(line)
        if closing is None and opened:
            closing = opened["fence"]
            if not opened["title"].startswith("Solution"):
                yield f"- {opened['title']}"
        elif closing is None:
            yield line
        elif line == closing:
            closing = None


def write(out: Path, fits: Callable[[Path], Book] | None = None) -> list[Path]:
    """Write what a class needs into ``out``; returns the files.

    ``out/students`` has the chapters with gaps and the panels to be marked; ``out/answers`` the
    chapters as they are, the truths of those panels, and what is in each.  With ``fits``, which
    runs the book of the default panel in a folder, students get what it used of the cache, too
    (:data:`FITS`).

    Raises:
        UserError: ``out`` holds something else, or cannot be written.
        BuildError: a chapter failed, so that its fits are not whole.
    """
    out = Path(out).absolute()
    check_folder(out, lambda names: names <= {STUDENTS, ANSWERS})
    used = None if fits is None else _used(fits)
    make_folder(out)
    source = source_root()
    for name, fill in ((STUDENTS, _for_students), (ANSWERS, _for_the_teacher)):
        with folder_aside(out / name) as aside:
            fill(source, aside)
            if (out / name).exists():
                shutil.rmtree(out / name)
            shutil.copytree(aside, out / name)
            (out / name).chmod(0o755)  # a folder aside is its maker's alone
    if used is not None:
        packed.pack(used, out / STUDENTS / FITS)
    return sorted(file for file in out.rglob("*") if file.is_file())


def _used(run: Callable[[Path], Book]) -> list[Path]:
    """The results that the book of the default panel takes from the cache."""
    start = time.time()
    with TemporaryDirectory(prefix="oulib-") as aside:
        book = run(Path(aside) / "book")
    if book.failures:
        raise BuildError("\n".join(map(str, book.failures)))
    return packed.used_since(start)


def _chapters(source: Path) -> Iterator[tuple[str, NotebookNode]]:
    for page in pages(source):
        if page.suffix == ".ipynb":
            yield page.name, read_clean(page)


def _for_students(source: Path, out: Path) -> None:
    for name, chapter in _chapters(source):
        write_atomically(out / "notebooks" / name, nbformat.writes(student(chapter)))
    for one in ASSESSMENTS:
        panel = one.panel().to_frame()
        write_atomically(out / "panels" / f"panel-{one.letter}.csv", panel.to_csv(index=False))


def _for_the_teacher(source: Path, out: Path) -> None:
    for name, chapter in _chapters(source):
        write_atomically(out / "notebooks" / name, nbformat.writes(chapter))
    for one in ASSESSMENTS:
        truth.write(one.panel(), out / "panels" / f"panel-{one.letter}.csv")
    write_atomically(out / "answers.md", answers())


def answers() -> str:
    """What is in each panel to be marked, and what a good report of it does, as Markdown."""
    lines = ["# Panels to be marked: the answers", ""]
    for one in ASSESSMENTS:
        panel = one.panel()
        assert panel.truth is not None  # as of any simulated panel
        beta, scale = panel.truth["beta"].to_numpy(), panel.scale
        move = scale.s_x * float(panel.truth["sigma_x"])
        average = 100 * (float((beta * scale.s_y / scale.s_x * move).mean()))
        lines += [
            f"## Panel {one.letter}",
            "",
            f"What is in it: {one.holds}",
            f"The average unit's slope is {beta.mean():.2f} on the standardised scale: about "
            f"{average:.1f}% of productivity for {move:.2g} points, a typical move of the score.",
            f"Of {beta.size} units, {int((beta > 0).sum())} have a positive slope.",
            "",
            f"What a good report does: {one.asks}",
            "",
        ]
    return "\n".join(lines)
