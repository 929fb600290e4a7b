"""From a panel file to a book: stage its source, execute the chapters, build the pages.

What a run leaves in its folder::

    DIR/html/       the book; html/index.html opens it
    DIR/fits/       the named models' draws (netCDF) and tables of parameters (CSV)
    DIR/tables/     the tables that chapters offer to save
    DIR/results.json    where those are from: seeds, versions, verdicts, digests
    DIR/source/     what it was built from: executed chapters, prose, the panel
    DIR/logs/       what the build said, and the traceback of a chapter that failed
    DIR/.oulib/     executed chapters and the lock; it marks the folder as ours

A chapter is kept in a file named by everything that can change its outputs, and that file appears
whole or not at all; so a run that was stopped, however rudely, goes on where it was.  Prose cannot
change an output: it is put around those that are kept.
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
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path, PurePosixPath
from typing import Any

import nbformat
import yaml
from filelock import FileLock, Timeout
from nbformat import NotebookNode

from oulib.book import onepage, schedule
from oulib.book.dependencies import Package
from oulib.book.handed import RECORD, hand_over
from oulib.book.kept import Inputs, Kept, digest
from oulib.book.notebook import (
    ChapterFailed,
    GluedVerdict,
    Kernels,
    code_cells,
    did_not_finish,
    execute,
    left_out,
    plain,
    read_clean,
    verdicts,
    with_outputs,
)
from oulib.book.schedule import Progress
from oulib.errors import UserError
from oulib.files import (
    PACKAGE,
    check_folder,
    default_panel,
    make_folder,
    measured,
    source_root,
    write_atomically,
)
from oulib.model.spec import ROBUST
from oulib.panel import Panel, truth

_STATE = ".oulib"
KEPT = "kept from the run before"
_PANEL = Path("data", "panel.csv")
_SUMMARY = Path("notebooks", "00-summary.ipynb")
_MANY_ROWS = 2000
"""From so many rows on, the ladder's models take minutes."""
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
    """A chapter: where it is staged, what its author wrote, and why it has to be executed."""

    name: str
    path: Path
    clean: NotebookNode
    parameters: Mapping[str, Any]
    inputs: Inputs
    kept: Kept
    why: str

    def task(self, kernels: Kernels) -> schedule.Task:
        """Its execution."""

        def work(cores: int, on_cell: Callable[[int], None]) -> NotebookNode:
            return execute(
                self.clean,
                self.parameters,
                self.path.parent,
                cores=cores,
                kernels=kernels,
                on_cell=on_cell,
            )

        return schedule.Task(self.name, len(self.clean.cells), work)

    def show(self) -> None:
        """Put the page in its place: the prose of today around the outputs that are kept."""
        page = with_outputs(self.clean, _read(self.kept.file(self.inputs)))
        self.path.write_text(nbformat.writes(page), encoding="utf-8")

    def leave_out(self) -> None:
        """Put the page in its place without results."""
        self.path.write_text(nbformat.writes(left_out(self.clean)), encoding="utf-8")


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
    sheet: str | None = None,
    settings: Mapping[str, Any] | None = None,
    chapters: Sequence[str] | None = None,
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
        sheet: of a workbook, as for :func:`oulib.panel.read_panel`.
        settings: those of the chapters' parameters (``draws``, ``tune``, ``chains``, ``seed``,
            ``relevant`` and ``points`` of the findings, and ``mnar_reason``) that shall differ from
            what the
            chapters say.
        chapters: numbers or names of those to be executed, all if None; the others are shown as
            an earlier run left them, or without results.
        source: folder with ``_toc.yml``; :func:`oulib.files.source_root` if None.
        jobs: how many chapters run at once, sharing the cores; what is computed is the same.
        report: is told what has been done, a line at a time.
        progress: is told about once a second what runs now and how long it may take.

    Raises:
        UserError: the panel or ``out`` cannot be used; nothing was written.
        BuildError: the pages could not be built.
    """
    source, out, panel = _opened(panel_file, out, source, columns, covariates, sheet, report)
    given = _settings(settings, covariates)
    wanted = None if chapters is None else chosen(source, chapters)
    with _claimed(out):
        plans = _stage(source, out / "source", out, panel, given)
        failures = _execute(plans, out, jobs, report, progress, wanted)
        executed = {plan.name: _read(plan.path) for plan in plans}
        found = [verdict for notebook in executed.values() for verdict in verdicts(notebook)]
        about = {
            "file": Path(panel_file).name if panel_file else default_panel().name,
            "settings": given,
            "versions": _versions(_RESULT_LIBRARIES),
        }
        handed = hand_over(out, executed, panel, about)
        if len(handed) > 1:
            report(f"Fits and tables: {len(handed) - 1} files, listed in {out / RECORD}.")
        warnings = _build(out, report)
    index = out / "html" / "index.html"
    return Book(index, tuple(found), tuple(failures), tuple(warnings))


def _opened(
    panel_file: Path | None,
    out: Path,
    source: Path | None,
    columns: Mapping[str, str] | None,
    covariates: Sequence[str],
    sheet: str | None,
    report: Callable[[str], None] = lambda line: None,
) -> tuple[Path, Path, Panel]:
    """The book's source, the folder to write in and the panel; nothing is written yet.

    ``report`` is told how the panel was read, where one might think otherwise.
    """
    source = source or source_root()
    out = Path(out).absolute()
    check_folder(out, lambda names: _STATE in names)
    file = panel_file or source / _PANEL
    panel = truth.load(file, columns=columns, covariates=covariates, sheet=sheet)
    for remark in panel.remarks:
        report(remark)
    return source, out, panel


def _settings(given: Mapping[str, Any] | None, covariates: Sequence[str]) -> dict[str, Any]:
    """The chapters' parameters that differ from what they say."""
    return dict(given or {}) | ({"covariates": list(covariates)} if covariates else {})


@dataclass(frozen=True)
class Summary:
    """The summary of a panel: its page, the files beside it, the verdict, and what went wrong."""

    page: Path
    files: tuple[Path, ...]
    verdicts: tuple[GluedVerdict, ...]
    failures: tuple[Failure, ...]


def summarise(
    panel_file: Path | None,
    out: Path,
    *,
    columns: Mapping[str, str] | None = None,
    covariates: Sequence[str] = (),
    sheet: str | None = None,
    settings: Mapping[str, Any] | None = None,
    quick: bool = False,
    source: Path | None = None,
    report: Callable[[str], None] = lambda line: None,
    progress: Callable[[Progress], None] = lambda progress: None,
) -> Summary:
    """Execute the chapter that sums up a panel, alone, and write it as one HTML file in ``out``.

    Its figures and tables are written beside it.  On a panel of many rows the models that are asked
    first take longest, so there is a page of the last one first, which says so; if ``quick``, it is
    the only one.  Other arguments and errors are those of :func:`run`.
    """
    source, out, panel = _opened(panel_file, out, source, columns, covariates, sheet, report)
    given = _settings(settings, covariates)
    name = Path(panel_file).name if panel_file else "the book's own panel"
    first = given | {"models": [ROBUST.name]}
    rounds = [first] if quick else [given]
    if not quick and panel.rows.sizes["row"] >= _MANY_ROWS:
        rounds.insert(0, first)
    with _claimed(out):
        for place, values in enumerate(rounds, start=1):
            [plan] = _stage(source, out / _STATE / "source", out, panel, values, only=[_SUMMARY])
            failures = _execute([plan], out, 1, report, progress)
            if place == 1 or not failures:  # what an earlier run left is of another panel, perhaps
                _forget_summary(out)
            if failures:
                return Summary(plan.path, (), (), tuple(failures))
            made = _put_summary(_read(plan.path), out, name)
            if place < len(rounds):
                report(f"A first answer, of {ROBUST.name} alone, is in {made.page}.")
    return made


def _forget_summary(out: Path) -> None:
    """Remove the files of a summary that an earlier run has left in ``out``, and nothing else."""
    record = out / _STATE / "summary"
    if record.is_file():
        for file in json.loads(record.read_text(encoding="utf-8")):
            (out / file).unlink(missing_ok=True)
        with suppress(OSError):  # somebody else's files may be in it, or none ever were
            (out / "figures").rmdir()
        record.unlink()


def _put_summary(done: NotebookNode, out: Path, name: str) -> Summary:
    """Write an executed summary in ``out``."""
    made = onepage.page(done, source=name)
    content = {**made.files, PurePosixPath("summary.html"): made.html.encode()}
    # First of all: an interrupted run must know what to remove.
    write_atomically(out / _STATE / "summary", json.dumps([str(file) for file in content]))
    page, *files = reversed(
        [write_atomically(out / file, partial(_put, data)) for file, data in content.items()]
    )
    return Summary(page, tuple(reversed(files)), tuple(verdicts(done)), ())


def _put(content: bytes, path: Path) -> None:
    path.write_bytes(content)


def explain(
    panel_file: Path | None,
    out: Path,
    *,
    columns: Mapping[str, str] | None = None,
    covariates: Sequence[str] = (),
    sheet: str | None = None,
    settings: Mapping[str, Any] | None = None,
    chapters: Sequence[str] | None = None,
    source: Path | None = None,
) -> list[str]:
    """What :func:`run` would do with the same arguments, and why; nothing is written.

    Returns:
        A line for each chapter, in the book's order, and one for the pages.

    Raises:
        UserError: the panel or ``out`` cannot be used.
    """
    source, out, panel = _opened(panel_file, out, source, columns, covariates, sheet)
    given = _settings(settings, covariates)
    wanted = None if chapters is None else chosen(source, chapters)
    with tempfile.TemporaryDirectory() as aside:
        staged = Path(aside, "source")
        plans = _stage(source, staged, out, panel, given)
        due = [plan for plan in plans if plan.why and (wanted is None or plan.name in wanted)]

        def fate(plan: _Plan) -> str:
            if plan in due:
                return f"to be executed ({plan.why})"
            return "left out" if plan.why else KEPT

        lines = [*panel.remarks, *(f"{plan.name}: {fate(plan)}" for plan in plans)]
        if due:
            return [*lines, "pages: to be built (chapters are to be executed)"]
        for plan in plans:
            if plan.why:
                plan.leave_out()
            else:
                plan.show()
        why = _why_build(staged, out)
    return [*lines, f"pages: to be built ({why})" if why else f"pages: {KEPT}"]


@dataclass(frozen=True)
class Listed:
    """A chapter as the command line knows it: ``number`` and ``name``, its title, its question."""

    number: int
    name: str
    title: str
    question: str


def chapters(source: Path | None = None) -> list[Listed]:
    """The book's chapters, in its order: its notebooks that have a number."""
    found = []
    for path in _notebooks(source or source_root()):
        number, _, name = path.stem.partition("-")
        if not number.isdecimal():
            continue
        prose = "\n\n".join(c.source for c in _read(path).cells if c.cell_type == "markdown")
        title = re.search(r"^# (.*)$", prose, re.MULTILINE)
        asked = re.search(r"^## The question\n+((?:.+\n?)+)", prose, re.MULTILINE)
        after = re.search(r"^# .*\n+((?:.+\n?)+)", prose, re.MULTILINE)
        text = asked or after
        found.append(
            Listed(
                int(number),
                name,
                title[1] if title else name,
                " ".join(text[1].split()) if text else "",
            )
        )
    return found


def _notebooks(source: Path) -> list[Path]:
    return [path for path in pages(source) if path.suffix == ".ipynb"]


def chosen(source: Path, wanted: Sequence[str]) -> set[str]:
    """The names, as of plans, of the chapters with these numbers or names.

    Pages without a number, such as the first one, are known by their names.

    Raises:
        UserError: there is no such chapter.
    """
    listed = chapters(source)
    numbered = {f"{c.number:02}-{c.name}" for c in listed}
    others = [path.stem for path in _notebooks(source) if path.stem not in numbered]
    found, unknown = set(), []
    for one in wanted:
        word = one.strip().casefold()
        match = [
            f"notebooks/{c.number:02}-{c.name}"
            for c in listed
            if word in (str(c.number), f"{c.number:02}", c.name, f"{c.number:02}-{c.name}")
        ]
        match += [f"notebooks/{name}" for name in others if word == name.casefold()]
        found.update(match)
        unknown += [] if match else [one]
    if unknown:
        known = ", ".join([*(f"{c.number} {c.name}" for c in listed), *others])
        raise UserError(f"--chapters {', '.join(unknown)}: the chapters are {known}.")
    return found


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


def _stage(
    source: Path,
    staged: Path,
    out: Path,
    panel: Panel,
    settings: Mapping[str, Any],
    only: Sequence[Path] | None = None,
) -> list[_Plan]:
    """Lay out a fresh book source; returns its chapters, clean, in the book's order.

    ``only`` are the pages that are wanted; all by default.
    """
    listed = [page.relative_to(source) for page in pages(source)]
    listed = [page for page in listed if only is None or page in only]
    shutil.rmtree(staged, ignore_errors=True)

    def not_ourselves(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if Path(folder, name).absolute() == out]

    shutil.copytree(source / "book", staged / "book", ignore=not_ourselves)
    for file in (Path("_config.yml"), Path("_toc.yml"), *listed):
        (staged / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / file, staged / file)
    truth.write_copy(panel, staged / _PANEL)
    common = _Common(panel, settings, Kept(out / _STATE / "chapters"))
    return [common.plan(staged, file) for file in listed if file.suffix == ".ipynb"]


def _execute(
    plans: list[_Plan],
    out: Path,
    jobs: int,
    report: Callable[[str], None],
    progress: Callable[[Progress], None],
    wanted: Collection[str] | None = None,
) -> list[Failure]:
    """Put each staged chapter's executed form, kept or new, in its place.

    Chapters that are not ``wanted`` and not kept are put there without results.
    """
    by_name = {plan.name: plan for plan in plans}
    due = [plan.name for plan in plans if plan.why and (wanted is None or plan.name in wanted)]
    left = {plan.name for plan in plans if plan.why} - set(due)
    kernels, failures = Kernels(), {}
    seconds = plans[0].kept.seconds if plans else {}
    for plan in plans:
        (out / "logs" / f"{plan.path.stem}.txt").unlink(missing_ok=True)
        if plan.name not in due:
            report(f"{plan.name}: {'left out' if plan.name in left else KEPT}")
    running = schedule.run(
        [by_name[name].task(kernels) for name in schedule.longest_first(due, seconds)],
        jobs=jobs,
        stop=kernels.end,
        seconds=seconds,
        done_before=len(plans) - len(due) - len(left),
        progress=progress,
    )
    with closing(running):  # whatever happens between two chapters, the others end
        for done in running:
            plan = by_name[done.name]
            took = f"{done.seconds:.0f} s ({plan.why})"
            if done.error is None:
                plan.kept.put(plan.inputs, done.result, done.seconds)
                report(f"{done.name}: executed in {took}")
            elif isinstance(done.error, ChapterFailed):
                plan.kept.put_failure(plan.inputs, str(done.error), done.seconds)
                failures[done.name] = _fail(plan, done.error, out)
                report(f"{done.name}: failed after {took}")
            else:
                raise done.error
    for plan in plans:
        if plan.name in left:
            plan.leave_out()
        elif plan.name not in failures:
            plan.show()
    if plans:
        plans[0].kept.forget_all_but(plan.inputs for plan in plans)
    return [failures[plan.name] for plan in plans if plan.name in failures]


def _fail(plan: _Plan, error: ChapterFailed, out: Path) -> Failure:
    """Leave the traceback in a log, and a note in the chapter's place."""
    log = write_atomically(out / "logs" / f"{plan.path.stem}.txt", error.traceback + "\n")
    page = did_not_finish(plan.clean, error, plan.path.parent)
    plan.path.write_text(nbformat.writes(page), encoding="utf-8")
    return Failure(plan.name, error, log)


_SHOWS_TABLES = f"{measured.__module__}.{measured.__name__}"
"""What a chapter uses that shows a table of measurements."""


class _Common:
    """What all chapters of a run have in common."""

    def __init__(self, panel: Panel, settings: Mapping[str, Any], kept: Kept) -> None:
        known = panel.truth.to_dict() if panel.truth is not None else None
        self._panel = digest(
            panel.fingerprint,
            json.dumps(known, sort_keys=True),
            *panel.remarks,
        )
        own = default_panel()
        self._own_panel = _tree_digest(own.parent, [own, truth.truth_path(own)])
        others = {*own.parent.rglob("*.csv")} - {own}
        self._tables = _tree_digest(own.parent, sorted(others))
        self._settings, self._kept = settings, kept
        self._package = Package(PACKAGE)

    def plan(self, staged: Path, file: Path) -> _Plan:
        """What is to be done about the chapter ``file`` of the source in ``staged``."""
        path, name = staged / file, file.with_suffix("").as_posix()
        clean = read_clean(path)
        path.write_text(nbformat.writes(clean), encoding="utf-8")
        panel_file = Path(os.path.relpath(staged / _PANEL, path.parent)).as_posix()
        parameters = {"panel_file": panel_file, "columns": None, **self._settings}
        sources = [cell.source for cell in clean.cells if cell.cell_type == "code"]
        # How a chapter is executed and cleaned is part of what it says.
        uses = self._package.used_by(
            *sources, f"from {__package__}.notebook import execute\nexecute"
        )
        numbers, cells = zip(*code_cells(clean), strict=True) if sources else ((), ())
        inputs = Inputs(
            name=name,
            cells=[digest(cell) for cell in cells],
            panel=self._panel,
            own_panel=self._own_panel,
            parameters=json.loads(json.dumps(parameters)),
            versions=_versions({*_RESULT_LIBRARIES, *uses.libraries}),
            code=uses.definitions,
            tables=self._tables if _SHOWS_TABLES in uses.definitions else "",
        )
        why = self._kept.why_not(inputs, numbers)
        if why and uses.unclear:
            why += f"; it depends on all of {__package__}, because {uses.unclear[0]}"
        return _Plan(name, path, clean, parameters, inputs, self._kept, why)


def _why_build(staged: Path, out: Path) -> str:
    """Why the pages of a staged source have to be built, or nothing if they are there."""
    stamp = out / _STATE / "pages"
    if not (out / "html" / "index.html").is_file():
        return "new"
    if not stamp.is_file():
        return "the last build did not end without warnings"
    return "" if stamp.read_text() == _pages_key(staged) else "their source changed"


def _pages_key(staged: Path) -> str:
    versions = json.dumps(_versions(_PAGE_LIBRARIES), sort_keys=True)
    return digest(_tree_digest(staged, staged.rglob("*")), versions)


def _build(out: Path, report: Callable[[str], None]) -> list[str]:
    """Build the pages of the staged source, unless they are there; returns the build's warnings.

    The pages are built aside and put in place when they are whole.  They are built from nothing
    each time: some seconds buy freedom from whatever an interrupted build left, and titles and
    numbers that are true in every page that cites them.
    """
    staged, html, stamp = out / "source", out / "html", out / _STATE / "pages"
    if not _why_build(staged, out):
        report(f"pages: {KEPT}")
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
        write_atomically(stamp, _pages_key(staged))
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


def _tree_digest(folder: Path, files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in sorted(files):
        if file.is_file():
            digest.update(file.relative_to(folder).as_posix().encode() + b"\x1e")
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def _versions(libraries: Iterable[str]) -> dict[str, str]:
    """Versions of libraries, by the names of their distributions or of their modules."""
    found = {name: _version(name) for name in libraries}
    return {"python": platform.python_version(), **dict(sorted(found.items()))}


@cache
def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        owners = packages_distributions().get(name, [])
        return ", ".join(version(owner) for owner in owners) or "unknown"


def _seconds_since(start: float) -> str:
    return f"{time.perf_counter() - start:.0f} s"
