"""One chapter as a file: cleaned before it runs, executed, made fit to publish afterwards."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import signal
import subprocess
import sys
import sysconfig
import threading
from base64 import b64decode
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from html import unescape
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from tempfile import gettempdir
from traceback import format_exception
from typing import Any

import nbformat
from nbformat import NotebookNode, v4

from oulib.files import PACKAGE, folder_aside

_KERNELSPEC = {"name": "python3", "display_name": "Python 3", "language": "python"}
_KEPT_CELL_METADATA = ("tags", "mystnb")
_GATED = re.compile(r"%%(?:interpret|conclude)[ \t]+(?P<verdict>[^\n]+)")
_WIDGET = "application/vnd.jupyter.widget-view+json"
_GLUE_PREFIX = "application/papermill.record/"
_DOWNLOAD = re.compile(r'<a download="([^"]+)" href="data:[^;,"]*;base64,([^"]*)"')
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# Tried where a word begins only: from every place in it, a picture in a page would take minutes.
_CELL_FILE = re.compile(r"(?<![^\s\"'<>])[^\s\"'<>]*ipykernel_\d+[/\\]\d+\.py")
_PACKAGE_ROOT = PACKAGE.parent
_TO_FIGURE = re.compile(
    r"\{(?:num)?ref\}`(?:(?P<title>[^`<]+)<)?fig-[\w-]+>?`|\[(?P<text>[^\]]*)\]\(#fig-[\w-]+\)"
)


def plain_code(source: str) -> str:
    """A cell's code as plain Python: the verdict that it waits for is a line of it.

    Of the magics it knows those that chapters use (:mod:`oulib.report.interpret`).
    """
    gated = _GATED.match(source)
    return source if gated is None else gated["verdict"] + source[gated.end() :]


class ChapterFailed(Exception):
    """A chapter did not run to its end: in which cell (counted from 1), why, and the traceback."""

    def __init__(self, error: str, *, cell: int | None = None, traceback: str = "") -> None:
        super().__init__(error)
        self.error = plain(error)
        self.cell = cell
        self.traceback = plain(traceback or error)

    def __str__(self) -> str:
        where = f"cell {self.cell}: " if self.cell else ""
        return where + (self.error.strip().splitlines() or ["no message"])[0][:300]


@dataclass(frozen=True)
class GluedVerdict:
    """What a chapter left about a model's gate: whether it was sampled, and of which fit.

    ``fit`` is the key of the fit in the cache and ``panel`` the fingerprint of what it was fitted
    to; both are empty where there is none.

    A rung that was sampled and does not describe the panel is a lesson of the book and no failure;
    that no model may conclude anything is one, told under the name ``conclusions``.
    """

    model: str
    sampled: bool
    adequate: bool = False
    expected_to_fail: bool = False
    fit: str = ""
    panel: str = ""

    @property
    def withholds(self) -> bool:
        """Whether the gate failed where it should have passed."""
        return not (self.sampled or self.expected_to_fail)


class Kernels:
    """The kernels of the chapters that run, so that another thread can end them all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._processes: list[subprocess.Popen] = []
        self._ended = False

    def add(self, process: subprocess.Popen) -> None:
        """Count a kernel that has just been started; if all were ended meanwhile, end it, too."""
        with self._lock:
            self._processes.append(process)
            if self._ended:
                _kill(process)

    def end(self) -> None:
        """End all kernels and what they started, and those that are yet to come."""
        with self._lock:
            self._ended = True
            for process in self._processes:
                _kill(process)


def read_clean(path: Path) -> NotebookNode:
    """The notebook without outputs, execution counts, cell ids and what editors or papermill add.

    What is left is what its author wrote, so that opening a chapter in an editor does not look
    like a change of the chapter.
    """
    notebook = v4.upgrade(nbformat.read(path, as_version=4))
    notebook.metadata = nbformat.from_dict({"kernelspec": _KERNELSPEC})
    notebook.cells = [cell for cell in notebook.cells if not _injected(cell)]
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number + 1}"
        cell.metadata = _kept(cell.metadata)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def execute(
    notebook: NotebookNode,
    parameters: Mapping[str, Any],
    folder: Path,
    *,
    cores: int | None = None,
    kernels: Kernels | None = None,
    on_cell: Callable[[int], None] = lambda number: None,
) -> NotebookNode:
    """Run a clean ``notebook`` with papermill in ``folder``; returns it fit to publish.

    It may be called in several threads at once: the folder is the kernel's alone and not that of
    this process.

    Args:
        notebook: as :func:`read_clean` leaves it; not changed.
        parameters: values for its cell tagged ``parameters``.
        folder: the kernel's working directory.
        cores: how many cores the chapter should use, told to the kernel as ``OULIB_CORES``.
        kernels: where its kernel is counted, to be ended from another thread.
        on_cell: told the number of each code cell that begins, counted from 1 in the source.

    Raises:
        ChapterFailed: a cell raised, or the kernel died.
    """
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    # It warns of parameters that a chapter sets two to a line, which it does not parse.
    logging.getLogger("papermill").setLevel(logging.ERROR)
    env = {} if cores is None else {"OULIB_CORES": str(cores)}
    # What a reader's own settings do to figures and kernels must not reach a chapter.
    env |= {"MATPLOTLIBRC": _matplotlib_defaults(), "PYTHONSTARTUP": ""}
    with folder_aside(Path(gettempdir(), "oulib-ipython")) as own:
        env["IPYTHONDIR"] = str(own)
        try:
            executed = papermill.execute_notebook(
                notebook,
                None,
                parameters=dict(parameters),
                kernel_name="python3",
                progress_bar=False,
                start_timeout=180,
                kernel_manager_class=_own_kernel(env, kernels or Kernels()),
                iopub_timeout=120,
                # And not papermill's ``cwd``, which changes that of the whole process.
                resources={"metadata": {"path": str(folder)}},
                on_cell_start=lambda cell, cell_index: on_cell(
                    _number_in_source(notebook, cell_index)
                ),
            )
        except PapermillExecutionError as error:
            text = f"{error.ename}: {error.evalue}" if error.evalue else error.ename
            number = _number_in_source(notebook, error.cell_index)
            raise ChapterFailed(text, cell=number, traceback="\n".join(error.traceback)) from error
        except DeadKernelError as error:
            raise ChapterFailed(
                "The chapter's Python process died; often the machine ran out of memory."
            ) from error
        except Exception as error:  # such as an output that no notebook may hold
            text = f"{type(error).__name__}: {error}"
            raise ChapterFailed(text, traceback="".join(format_exception(error))) from error
        finally:
            _close_loop_of_thread()
    return publishable(executed, folder)


def publishable(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """``notebook`` without traces of the machine: no run times, no paths, no widgets.

    The cell that papermill injected is hidden from the page, but stays in the notebook that a
    reader can download.
    """
    language = {"name": "python", "pygments_lexer": "ipython3"}
    notebook.metadata = nbformat.from_dict({"kernelspec": _KERNELSPEC, "language_info": language})
    for cell in notebook.cells:
        cell.metadata = _kept(cell.metadata)
        if _injected(cell):
            cell.id = "injected-parameters"
            cell.metadata["tags"] = [*cell.metadata["tags"], "remove-cell"]
        for output in cell.get("outputs", []):
            _strip_machine(output, folder)
            # A page gives pictures the width they were drawn for; where that is more than there
            # is room for, a height beside it would distort them.
            output.get("metadata", {}).get("image/png", {}).pop("height", None)
    return notebook


def code_cells(notebook: NotebookNode) -> list[tuple[int, str]]:
    """What a notebook's outputs depend on: each code cell's number, from 1, and what it is.

    Captions and alternative texts belong to the prose, though they stand in a code cell's
    metadata; the tags may change how it is executed.
    """
    return [
        (number, json.dumps([cell.source, cell.metadata.get("tags", [])]))
        for number, cell in enumerate(notebook.cells, start=1)
        if cell.cell_type == "code"
    ]


def with_outputs(notebook: NotebookNode, executed: NotebookNode) -> NotebookNode:
    """A clean ``notebook`` with the outputs that its code cells left when they were ``executed``.

    Args:
        notebook: as :func:`read_clean` leaves it; not changed.
        executed: as :func:`execute` returns it, from the same code cells; its prose may be older.
    """
    page = deepcopy(notebook)
    page.metadata = deepcopy(executed.metadata)
    page.cells, done = [], deque(cell for cell in executed.cells if cell.cell_type == "code")
    ours = deque(notebook.cells)
    while ours or done:
        if done and _injected(done[0]):
            page.cells.append(deepcopy(done.popleft()))  # before the prose that follows its cell
            continue
        cell = deepcopy(ours.popleft())
        if cell.cell_type == "code":
            outcome = done.popleft()
            cell.outputs, cell.execution_count = deepcopy(outcome.outputs), outcome.execution_count
        page.cells.append(cell)
    return page


def did_not_finish(notebook: NotebookNode, failure: ChapterFailed, folder: Path) -> NotebookNode:
    """A page to stand in for a chapter that failed: its title, a note, the error as plain text.

    Nothing the chapter computed before it failed is shown: nobody has looked at it.  The error
    may quote the data, so it goes in as a stream output, which no markup can get out of.
    """
    where = f" in cell {failure.cell}" if failure.cell else ""
    note = (
        f"{_title(notebook)}\n\n"
        ":::{error}\n"
        f"This chapter did not finish: it stopped{where} with the error below. "
        "Its results are left out.\n"
        ":::"
    )
    text = failure.error.strip()
    text = text if len(text) <= 2000 else text[:2000] + " …"
    output = v4.new_output("stream", name="stdout", text=text + "\n")
    page = v4.new_notebook(
        cells=[
            v4.new_markdown_cell(note, id="note"),
            # An empty cell would be left out, and its output with it.
            v4.new_code_cell(
                "# the error", outputs=[output], metadata={"tags": ["remove-input"]}, id="error"
            ),
        ]
    )
    return publishable(page, folder)


def left_out(notebook: NotebookNode) -> NotebookNode:
    """The page of a chapter that was not asked for: its prose and its code, under a note."""
    page = deepcopy(notebook)
    note = (
        ":::{note}\nThis chapter was not executed in this run, so its results are missing: "
        "`oulib run --chapters` chose others.\n:::"
    )
    for cell in page.cells:  # what refers to a figure would refer to nothing
        if cell.cell_type == "markdown":
            cell.source = _TO_FIGURE.sub(lambda m: m["text"] or "the figure", cell.source)
    first = next(i for i, cell in enumerate(page.cells) if cell.cell_type == "markdown")
    page.cells.insert(first + 1, v4.new_markdown_cell(note, id="left-out"))
    return page


def verdicts(notebook: NotebookNode) -> list[GluedVerdict]:
    """The verdicts glued in an executed chapter, as ``verdict_<model>``."""
    return [
        GluedVerdict(
            model=name.removeprefix("verdict_"),
            sampled=bool(value["sampled"]),
            adequate=bool(value.get("adequate", False)),
            expected_to_fail=bool(value.get("expected_to_fail", False)),
            fit=str(value.get("fit", "")),
            panel=str(value.get("panel", "")),
        )
        for name, value in _glued(notebook)
        if name.startswith("verdict_")
    ]


def downloads(notebook: NotebookNode) -> Iterator[tuple[str, bytes]]:
    """The tables that an executed chapter offers to save: names of files and their content."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            html = output.get("data", {}).get("text/html", "")
            for file, content in _DOWNLOAD.findall(html):
                yield PurePosixPath(unescape(file)).name, b64decode(content)


def plain(text: str) -> str:
    """``text`` without colour codes and control characters: it may quote a stranger's data."""
    text = _ANSI.sub("", text)
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)


def _glued(notebook: NotebookNode) -> Iterator[tuple[str, Any]]:
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            name = output.get("metadata", {}).get("scrapbook", {}).get("name")
            data = output.get("data", {})
            for mime in (_GLUE_PREFIX + "application/json", "application/json"):
                if name and mime in data:
                    value = data[mime]  # a text where the kind of output allows no other
                    yield name, json.loads(value) if isinstance(value, str) else value
                    break


def _kept(metadata: Mapping[str, Any]) -> NotebookNode:
    return NotebookNode({key: metadata[key] for key in _KEPT_CELL_METADATA if key in metadata})


def _injected(cell: NotebookNode) -> bool:
    """Whether papermill put the cell there, to set parameters."""
    return "injected-parameters" in cell.metadata.get("tags", [])


def _title(notebook: NotebookNode) -> str:
    """The chapter's heading, with the label before it that other pages may refer to."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            before, mark, after = f"\n{cell.source}".partition("\n# ")
            if mark:
                return f"{before}{mark}{after.splitlines()[0]}".lstrip()
    return "# Unfinished chapter"


def _number_in_source(notebook: NotebookNode, index: int) -> int:
    """A cell's number, from 1, in the notebook as written; papermill counts the one it adds."""
    tagged = (i for i, c in enumerate(notebook.cells) if "parameters" in c.metadata.get("tags", []))
    injected = next(tagged, -1) + 1
    return index + (0 if index >= injected else 1)


def _strip_machine(output: NotebookNode, folder: Path) -> None:
    data = output.get("data", {})
    data.pop(_WIDGET, None)
    for mime in data:
        if "text/" in mime and isinstance(data[mime], str):
            data[mime] = _without_paths(data[mime], folder)
    if "text" in output:
        output.text = _without_paths(output.text, folder)


def _without_paths(text: str, folder: Path) -> str:
    """``text`` with an ellipsis for every folder that is only this machine's."""
    text = _CELL_FILE.sub("cell", text)
    places = {folder, *folder.parents[:2], _PACKAGE_ROOT, Path.home()}
    places |= {Path(sys.prefix), Path(sys.base_prefix)}
    for place in sorted(places, key=lambda path: len(str(path)), reverse=True):
        if len(place.parts) > 1:  # not the root of all
            text = re.sub(rf"(?<![\w.-]){re.escape(str(place))}(?=[/\\])", "…", text)
    return text


def _own_kernel(more_env: Mapping[str, str], kernels: Kernels) -> type:
    """A kernel manager whose only kernel is this interpreter, counted among ``kernels``.

    The machine may have a kernelspec called python3 that points to another Python: the user's own
    comes before the environment's in Jupyter's search path.
    """
    from ipykernel.kernelspec import get_kernel_dict
    from jupyter_client import AsyncKernelManager, LocalProvisioner
    from jupyter_client.kernelspec import KernelSpec

    # The kernel's own log goes to the terminal, and tells a reader nothing: a chapter's warnings
    # and errors come as outputs.
    spec = get_kernel_dict(extra_arguments=["--log-level=CRITICAL"])
    env = dict(more_env)
    if Path(sysconfig.get_path("purelib")) != _PACKAGE_ROOT:  # run from a checkout
        places = [str(_PACKAGE_ROOT), os.environ.get("PYTHONPATH", "")]
        env["PYTHONPATH"] = os.pathsep.join(filter(None, places))

    class ThisInterpreter(AsyncKernelManager):
        @property
        def kernel_spec(self) -> KernelSpec:
            return KernelSpec(**spec, env=env)

        # Jupyter's own is a coroutine, too, by an assignment that no type follows from.
        async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
            await super().start_kernel(**options)
            assert isinstance(self.provisioner, LocalProvisioner)
            assert self.provisioner.process is not None  # it was started just now
            kernels.add(self.provisioner.process)

    return ThisInterpreter


def _kill(process: subprocess.Popen) -> None:
    """End a kernel and its children: it leads a group of its own."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@cache
def _matplotlib_defaults() -> str:
    """The file of settings that matplotlib comes with."""
    package = find_spec("matplotlib")
    assert package is not None  # it is a dependency
    assert package.origin is not None
    return str(Path(package.origin).parent / "mpl-data" / "matplotlibrc")


def _close_loop_of_thread() -> None:
    """Close the event loop that the kernel's client made for this thread and leaves open."""
    if threading.current_thread() is not threading.main_thread():
        try:
            loop = asyncio.get_event_loop()
        except RuntimeError:  # it came to none
            return
        loop.close()
