"""From a panel file to a book: stage its source, execute the chapters, build the pages.

What a run leaves in its folder::

    DIR/html/       the book; html/index.html opens it
    DIR/source/     what it was built from: executed chapters, prose, the panel
    DIR/logs/       what the build said, and the traceback of a chapter that failed
    DIR/.oulib/     finished chapters and the lock; it marks the folder as ours

A chapter is kept in a file named by everything that can change it, and that file appears whole or
not at all; so a run that was stopped, however rudely, goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat
import yaml
from filelock import FileLock, Timeout
from nbformat import NotebookNode

from oulib import schedule, truth
from oulib.errors import UserError
from oulib.files import write_atomically
from oulib.folder import check_folder, make_folder
from oulib.notebook import (
    ChapterFailed,
    GluedVerdict,
    Kernels,
    did_not_finish,
    execute,
    plain,
    read_clean,
    verdicts,
)
from oulib.panel import Panel
from oulib.schedule import Progress
from oulib.source import source_root

_PACKAGE = Path(__file__).resolve().parent
_STATE = ".oulib"
_PANEL = Path("data", "panel.csv")
_RESULT_LIBRARIES = [
    *("arviz", "ipykernel", "matplotlib", "numpy", "nutpie", "pandas", "papermill", "pymc"),
    *("pytensor", "scipy", "seaborn", "xarray"),
]
_PAGE_LIBRARIES = [
    *("jupyter-book", "myst-nb", "myst-parser", "pydata-sphinx-theme", "sphinx"),
    *("sphinx-book-theme", "sphinx-design", "sphinx-external-toc", "sphinxcontrib-bibtex"),
]

# The build ends with the run that started it, even if that was killed.
_BUILD = """\
import os, threading
threading.Thread(target=lambda: (os.read(0, 1), os._exit(1)), daemon=True).start()
from jupyter_book.cli.main import main
main()"""


class BuildError(Exception):
    """The pages could not be built; the message says why, or where the details are."""


@dataclass(frozen=True)
class Failure:
    """A chapter that did not run to its end, and the file with its traceback."""

    chapter: str
    error: ChapterFailed
    log: Path

    def __str__(self) -> str:
        return f"{self.chapter} did not finish: {self.error} (the traceback is in {self.log})"


@dataclass(frozen=True)
class _Plan:
    """A chapter: where it is staged, what its author wrote, and where it is kept when executed."""

    name: str
    path: Path
    clean: NotebookNode
    finished: Path


@dataclass(frozen=True)
class Book:
    """A built book: its first page, the verdicts in it, and what went wrong on the way."""

    index: Path
    verdicts: tuple[GluedVerdict, ...]
    failures: tuple[Failure, ...]
    warnings: tuple[str, ...]


def run(
    panel_file: Path | None,
    out: Path,
    *,
    columns: Mapping[str, str] | None = None,
    covariates: Sequence[str] = (),
    settings: Mapping[str, float] | None = None,
    source: Path | None = None,
    jobs: int = 1,
    report: Callable[[str], None] = lambda line: None,
    progress: Callable[[Progress], None] = lambda progress: None,
) -> Book:
    """Execute the chapters on a panel and build the book in ``out``.

    Args:
        panel_file: the panel; the book's default panel if None.
        out: a new or empty folder, or one of an earlier run, which is brought up to date.
        columns: column mapping, as for :func:`oulib.panel.read_panel`.
        covariates: further columns of the file for the chapter on covariates.
        settings: those of the chapters' parameters (``draws``, ``tune``, ``chains``, ``seed``,
            and ``relevant`` and ``points`` of the findings) that shall differ from what the
            chapters say.
        source: folder with ``_toc.yml``; :func:`oulib.source.source_root` if None.
        jobs: how many chapters run at once, sharing the cores; what is computed is the same.
        report: is told what has been done, a line at a time.
        progress: is told about once a second what runs now and how long it may take.

    Raises:
        UserError: the panel or ``out`` cannot be used; nothing was written.
        BuildError: the pages could not be built.
    """
    source = source or source_root()
    out = Path(out).absolute()
    check_folder(out, lambda names: _STATE in names)
    panel = truth.load(panel_file or source / _PANEL, columns=columns, covariates=covariates)
    with _claimed(out):
        chapters = _stage(source, out / "source", panel)
        given = dict(settings or {}) | ({"covariates": list(covariates)} if covariates else {})
        found, failures = _execute(chapters, out, panel, given, jobs, report, progress)
        warnings = _build(out, report)
    index = out / "html" / "index.html"
    return Book(index, tuple(found), tuple(failures), tuple(warnings))


def pages(source: Path) -> list[Path]:
    """The files of the pages that ``_toc.yml`` lists, in its order."""

    def names(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            yield from (node[key] for key in ("root", "file") if key in node)
            node = list(node.values())
        if isinstance(node, list):
            for part in node:
                yield from names(part)

    found = []
    for name in names(yaml.safe_load((source / "_toc.yml").read_text(encoding="utf-8"))):
        candidates = [source / name, source / f"{name}.ipynb", source / f"{name}.md"]
        page = next(filter(Path.is_file, candidates), None)
        if page is None:
            raise BuildError(f"{source / '_toc.yml'} lists {name}, but there is no such page.")
        found.append(page)
    return found


@contextmanager
def _claimed(out: Path) -> Iterator[None]:
    """Hold ``out`` for this process alone, and mark it as ours.

    The operating system lets go of the lock when the process ends, whatever ended it.
    """
    state = out / _STATE
    make_folder(state)
    lock, holder = FileLock(state / "lock"), state / "process"
    try:
        lock.acquire(blocking=False)
    except Timeout:
        process = holder.read_text(encoding="utf-8") if holder.is_file() else "unknown"
        raise UserError(
            f"Another run (process {process}) is writing into {out}. "
            "Wait until it has ended, or choose another folder."
        ) from None
    try:
        write_atomically(holder, str(os.getpid()))
        for abandoned in state.glob("build-*"):
            shutil.rmtree(abandoned, ignore_errors=True)
        yield
    finally:
        lock.release()


def _stage(source: Path, staged: Path, panel: Panel) -> list[Path]:
    """Lay out a fresh book source; returns its chapters, clean, in the book's order."""
    listed = [page.relative_to(source) for page in pages(source)]
    shutil.rmtree(staged, ignore_errors=True)

    def not_ourselves(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if Path(folder, name).absolute() == staged.parent]

    shutil.copytree(source / "book", staged / "book", ignore=not_ourselves)
    for file in (Path("_config.yml"), Path("_toc.yml"), *listed):
        (staged / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / file, staged / file)
    truth.write(panel, staged / _PANEL)
    chapters = [staged / file for file in listed if file.suffix == ".ipynb"]
    for chapter in chapters:
        chapter.write_text(nbformat.writes(read_clean(chapter)), encoding="utf-8")
    return chapters


def _execute(
    chapters: list[Path],
    out: Path,
    panel: Panel,
    settings: Mapping[str, Any],
    jobs: int,
    report: Callable[[str], None],
    progress: Callable[[Progress], None],
) -> tuple[list[GluedVerdict], list[Failure]]:
    """Put each staged chapter's executed form, kept or new, in its place."""
    staged, keep = out / "source", out / _STATE / "chapters"
    common = _chapter_inputs(panel, settings)
    plans = {}
    for path in chapters:
        name = path.relative_to(staged).with_suffix("").as_posix()
        clean = read_clean(path)
        key = _digest(name, nbformat.writes(clean), *common)
        plans[name] = _Plan(name, path, clean, keep / f"{key}.ipynb")
        (out / "logs" / f"{path.stem}.txt").unlink(missing_ok=True)
    due = [name for name, plan in plans.items() if not plan.finished.is_file()]
    for name in plans:
        if name not in due:
            report(f"{name}: kept from the run before")
    kernels, seconds, failures = Kernels(), _Durations(out), {}

    def task(name: str) -> schedule.Task:
        plan = plans[name]
        panel_file = Path(os.path.relpath(staged / _PANEL, plan.path.parent)).as_posix()
        parameters = {"panel_file": panel_file, "columns": None, **settings}

        def work(cores: int, on_cell: Callable[[int], None]) -> NotebookNode:
            more = {"cores": cores, "kernels": kernels, "on_cell": on_cell}
            return execute(plan.clean, parameters, plan.path.parent, **more)

        return schedule.Task(name, len(plan.clean.cells), work)

    for done in schedule.run(
        [task(name) for name in schedule.longest_first(due, seconds.known)],
        jobs=jobs,
        stop=kernels.end,
        seconds=seconds.known,
        done_before=len(plans) - len(due),
        progress=progress,
    ):
        plan = plans[done.name]
        if done.error is None:
            write_atomically(plan.finished, nbformat.writes(done.result))
            report(f"{done.name}: executed in {done.seconds:.0f} s")
        elif isinstance(done.error, ChapterFailed):
            failures[done.name] = _fail(plan, done.error, out)
            report(f"{done.name}: failed after {done.seconds:.0f} s")
        else:
            raise done.error
        seconds.write(done.name, done.seconds)
    found = []
    for name, plan in plans.items():
        if name not in failures:
            shutil.copyfile(plan.finished, plan.path)
            found += verdicts(nbformat.read(plan.finished, as_version=4))
    for old in set(keep.glob("*.ipynb")) - {plan.finished for plan in plans.values()}:
        old.unlink()
    return found, [failures[name] for name in plans if name in failures]


def _fail(plan: _Plan, error: ChapterFailed, out: Path) -> Failure:
    """Leave the traceback in a log, and a note in the chapter's place."""
    log = write_atomically(out / "logs" / f"{plan.path.stem}.txt", error.traceback + "\n")
    page = did_not_finish(plan.clean, error, plan.path.parent)
    plan.path.write_text(nbformat.writes(page), encoding="utf-8")
    return Failure(plan.name, error, log)


class _Durations:
    """Seconds that each chapter took when it was last executed, kept from run to run."""

    def __init__(self, out: Path) -> None:
        self._file = out / _STATE / "seconds.json"
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
            self.known = {str(name): float(seconds) for name, seconds in found.items()}
        except (OSError, ValueError, AttributeError, TypeError):  # none yet, or damaged
            self.known = {}

    def write(self, name: str, seconds: float) -> None:
        """Remember what a chapter took."""
        self.known[name] = seconds
        write_atomically(self._file, json.dumps(self.known))


def _chapter_inputs(panel: Panel, settings: Mapping[str, Any]) -> list[str]:
    """Everything but its own text that a chapter's results depend on."""
    known = panel.truth.to_dict() if panel.truth is not None else None
    return [
        panel.fingerprint,
        json.dumps(known, sort_keys=True),
        json.dumps(dict(settings), sort_keys=True),
        _tree_digest(_PACKAGE, _PACKAGE.rglob("*.py")),
        _versions(_RESULT_LIBRARIES),
    ]


def _build(out: Path, report: Callable[[str], None]) -> list[str]:
    """Build the pages of the staged source, unless they are there; returns the build's warnings.

    The pages are built aside and put in place when they are whole.  They are built from nothing
    each time: a few seconds buy freedom from whatever an interrupted build left.
    """
    staged, html, stamp = out / "source", out / "html", out / _STATE / "pages"
    key = _digest(_tree_digest(staged, staged.rglob("*")), _versions(_PAGE_LIBRARIES))
    if stamp.is_file() and stamp.read_text() == key and (html / "index.html").is_file():
        report("pages: kept from the run before")
        return []
    start = time.perf_counter()
    with (
        tempfile.TemporaryDirectory(dir=out / _STATE, prefix="build-") as aside,
        _open_while_alive() as alive,
    ):
        options = ["--path-output", aside, "-W", "--keep-going", "--nitpick"]
        done = subprocess.run(
            [sys.executable, "-P", "-c", _BUILD, "build", str(staged), *options],
            check=False,
            stdin=alive,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            env=os.environ | {"PYTHONUTF8": "1", "NO_COLOR": "1"},
        )
        said = plain(done.stdout).replace(f"{staged}{os.sep}", "")
        log = write_atomically(out / "logs" / "pages.txt", said)
        built = Path(aside, "_build", "html")
        if not (built / "index.html").is_file():
            raise BuildError(f"The pages could not be built. What the build said is in {log}.")
        stamp.unlink(missing_ok=True)
        if html.exists():
            html.rename(Path(aside, "old"))
        built.rename(html)
    report(f"pages: built in {_seconds_since(start)}")
    if done.returncode == 0:
        write_atomically(stamp, key)
        return []
    return re.findall(r"^.*\b(?:WARNING|ERROR|CRITICAL)\b.*$", said, flags=re.MULTILINE) or [said]


@contextmanager
def _open_while_alive() -> Iterator[int]:
    """A file descriptor to read from that ends when this process does, whatever ends it."""
    reading, writing = os.pipe()
    try:
        yield reading
    finally:
        os.close(reading)
        os.close(writing)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1e".join(parts).encode()).hexdigest()[:32]


def _tree_digest(folder: Path, files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in sorted(files):
        if file.is_file():
            digest.update(file.relative_to(folder).as_posix().encode() + b"\x1e")
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _versions(libraries: Iterable[str]) -> str:
    found = {name: version(name) for name in libraries}
    return json.dumps({"python": platform.python_version(), **found})


def _seconds_since(start: float) -> str:
    return f"{time.perf_counter() - start:.0f} s"
