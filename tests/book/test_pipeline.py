"""Runs of a small book: the real configuration and style, tiny chapters, no model.

Importing oulib takes a kernel eight times as long as starting, and building pages takes five times
as long.  So only a chapter of `made` imports it, many tests look at two runs, and what a test
changes of them is a copy.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from base64 import b64decode
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import psutil
import pytest
from nbformat import v4

from oulib.book import pipeline, schedule
from oulib.book.notebook import (
    ChapterFailed,
    did_not_finish,
    execute,
    publishable,
    read_clean,
    verdicts,
)
from oulib.book.offline import external_requests
from oulib.errors import UserError
from oulib.panel import truth
from oulib.panel.simulate import simulate

ROOT = Path(__file__).resolve().parents[2]
PARAMETERS = "panel_file, columns = None, None\ndraws, tune, chains, seed = 10, 10, 2, 1"
SETTINGS = {"draws": 20}
PANEL_CHAPTER = """\
from oulib.panel import truth
panel = truth.load(panel_file, columns=columns)
print(len(panel.ous), panel.truth is not None, panel_file, draws, tune)"""
VERDICT = """\
import json
from IPython.display import display
display(
    {"application/papermill.record/application/json": json.dumps({"sampled": False})},
    raw=True,
    metadata={"scrapbook": {"name": "verdict_toy", "mime_prefix": "application/papermill.record/"}},
)"""
# A chapter that says that it has begun and goes on when it may: it can be stopped half-way.
GATED = """\
import time
from pathlib import Path
Path({flags!r}, "begun-{name}").touch()
while not Path({flags!r}, "go").exists():
    time.sleep(0.02)
print("went on")"""
HOSTILE = "</pre><script>alert(1)</script> ``` :::{raw} html $x$ {{ 1 }} [a](b) \x1b[31mred"


def chapter(title: str, *cells: str) -> nbformat.NotebookNode:
    parameters = v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    code = [v4.new_code_cell(cell) for cell in cells]
    return v4.new_notebook(cells=[v4.new_markdown_cell(f"# {title}"), parameters, *code])


def write_chapter(source: Path, name: str, notebook: nbformat.NotebookNode) -> None:
    (source / "notebooks").mkdir(exist_ok=True)
    nbformat.write(notebook, source / "notebooks" / f"{name}.ipynb")


def add_chapter(source: Path, name: str, notebook: nbformat.NotebookNode) -> None:
    write_chapter(source, name, notebook)
    with (source / "_toc.yml").open("a") as contents:
        contents.write(f"  - file: notebooks/{name}\n")


def make_source(source: Path) -> Path:
    """The project's own configuration and style, two tiny chapters, a simulated panel."""
    (source / "book").mkdir(parents=True)
    shutil.copy(ROOT / "_config.yml", source)
    shutil.copytree(ROOT / "book" / "_static", source / "book" / "_static")
    shutil.copy(ROOT / "book" / "references.bib", source / "book")
    (source / "book" / "preface.md").write_text("# Preface\n\nMathematics: $\\beta_g$.\n")
    (source / "_toc.yml").write_text(
        "format: jb-book\nroot: book/preface\nparts:\n- numbered: true\n  chapters:\n"
    )
    add_chapter(source, "01-panel", chapter("The panel", "print(panel_file, draws, tune)"))
    add_chapter(source, "02-toy", chapter("A toy model", VERDICT))
    small = simulate("baseline", n_ou=6, n_site=2, n_month=12, wave_every=3, seed=1)
    truth.write(small, source / "data" / "panel.csv")
    return source


@dataclass
class Run:
    """A run that has ended: its source and folder, the book, what it reported and its progress."""

    source: Path
    out: Path
    book: pipeline.Book
    log: list[str]
    progress: list[schedule.Progress]

    def copy(self, folder: Path) -> tuple[Path, Path]:
        """A source and a folder of its own, in which a run goes on from this one."""
        source, out = (folder / place.name for place in (self.source, self.out))
        return shutil.copytree(self.source, source), shutil.copytree(self.out, out)


def run(source: Path, out: Path, **options: object) -> Run:
    log, seen = [], []
    more = {"settings": SETTINGS, "report": log.append, "progress": seen.append} | options
    return Run(source, out, pipeline.run(None, out, source=source, **more), log, seen)


def explain(source: Path, out: Path, **options: object) -> list[str]:
    return pipeline.explain(None, out, source=source, **{"settings": SETTINGS, **options})


@pytest.fixture
def source(tmp_path):
    return make_source(tmp_path / "src")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A finished run in a folder with an awkward name."""
    folder = tmp_path_factory.mktemp("run")
    source = make_source(folder / "src")
    write_chapter(source, "01-panel", chapter("The panel", PANEL_CHAPTER))
    return run(source, folder / "a [b] {c} é")


@pytest.fixture(scope="module")
def troubled(made, tmp_path_factory):
    """A run after that one in which a chapter failed and a page refers to what is nowhere."""
    source, out = made.copy(tmp_path_factory.mktemp("troubled"))
    write_chapter(source, "01-panel", chapter("The panel", "1", f"raise ValueError({HOSTILE!r})"))
    (source / "book" / "preface.md").write_text("# Preface\n\nSee {ref}`nowhere`.\n")
    return run(source, out)


@pytest.fixture
def no_pages(monkeypatch):
    """Runs that end with executed chapters."""
    monkeypatch.setattr(pipeline, "_build", lambda *_: [])


def page(out: Path, name: str) -> str:
    return (out / "html" / "notebooks" / f"{name}.html").read_text(encoding="utf-8")


def test_a_run_ends_with_a_book(made):
    out, book, log = made.out, made.book, made.log
    assert book.index == out / "html" / "index.html"
    assert book.index.is_file()
    assert (book.failures, book.warnings) == ((), ())
    assert [line.partition(":")[0] for line in log] == [
        "notebooks/01-panel",
        "notebooks/02-toy",
        "pages",
    ]
    assert [line.endswith("(new)") for line in log] == [True, True, False]
    assert "6 True ../data/panel.csv 20 10" in page(out, "01-panel")
    assert "MathJax" in (out / "html" / "book" / "preface.html").read_text(encoding="utf-8")


def test_verdicts_are_read_from_the_chapters(made):
    (verdict,) = made.book.verdicts
    assert (verdict.model, verdict.sampled, verdict.withholds) == ("toy", False, True)


def test_the_pages_ask_for_nothing_outside(made):
    assert external_requests(made.out / "html") == []


def test_nothing_published_names_the_machine_or_the_injected_cell(made):
    out = made.out
    assert "# Parameters" not in page(out, "01-panel")
    for folder in (out / "html", out / "source"):
        for file in folder.rglob("*"):
            if file.suffix in {".html", ".ipynb", ".js", ".md", ".json", ".txt"}:
                text = file.read_text(encoding="utf-8", errors="replace")
                assert str(out.parent) not in text
                assert sys.prefix not in text


def test_a_second_run_keeps_everything(made):
    before = made.book.index.stat().st_mtime_ns
    again = run(made.source, made.out)
    assert again.book == made.book
    assert [line.partition(": ")[2] for line in again.log] == ["kept from the run before"] * 3
    assert made.book.index.stat().st_mtime_ns == before


@pytest.mark.usefixtures("no_pages")
def test_only_what_changed_runs_again(made, tmp_path):
    source, out = made.copy(tmp_path)
    toy = nbformat.read(source / "notebooks" / "02-toy.ipynb", as_version=4)
    toy.metadata["opened_in"] = "an editor"
    toy.cells[1].outputs = [v4.new_output("stream", text="old")]
    write_chapter(source, "02-toy", toy)
    assert all("kept" in line for line in run(source, out).log)

    toy.cells[-1].source += "\nprint(1)"
    write_chapter(source, "02-toy", toy)
    assert ["kept" in line for line in run(source, out).log] == [True, False]
    assert all("kept" not in line for line in explain(source, out, settings={"draws": 21}))


def staged(out: Path, name: str) -> nbformat.NotebookNode:
    return nbformat.read(out / "source" / "notebooks" / f"{name}.ipynb", as_version=4)


@pytest.mark.usefixtures("no_pages")
def test_prose_is_put_around_the_outputs_that_are_kept(made, tmp_path):
    source, out = made.copy(tmp_path)
    before = staged(out, "02-toy")
    changed = chapter("Another title", VERDICT)
    changed.cells[2].metadata["mystnb"] = {"image": {"alt": "In other words."}}
    changed.cells.insert(2, v4.new_markdown_cell("A sentence before the code."))
    changed.cells.append(v4.new_markdown_cell("And one after it."))
    write_chapter(source, "02-toy", changed)
    assert all("kept" in line for line in run(source, out).log)
    after = staged(out, "02-toy")
    nbformat.validate(after)
    assert [cell.source for cell in after.cells if cell.cell_type == "markdown"] == [
        "# Another title",
        "A sentence before the code.",
        "And one after it.",
    ]
    assert after.cells[4].metadata["mystnb"] == {"image": {"alt": "In other words."}}
    code, was = ([c for c in nb.cells if c.cell_type == "code"] for nb in (after, before))
    assert [(c.source, c.outputs, c.execution_count) for c in code] == [
        (c.source, c.outputs, c.execution_count) for c in was
    ]
    assert code[2].outputs
    # The parameters that were injected are still beside those of the chapter, and hidden.
    assert [cell.metadata.get("tags") for cell in after.cells[1:3]] == [
        ["parameters"],
        ["injected-parameters", "remove-cell"],
    ]
    # It is the page that an execution from nothing makes.
    write_chapter(source, "01-panel", chapter("The panel", "1"))
    run(source, tmp_path / "fresh")
    assert staged(tmp_path / "fresh", "02-toy") == after


def test_a_tag_is_part_of_the_code(made, tmp_path):
    source, out = made.copy(tmp_path)
    tagged = chapter("A toy model", VERDICT)
    tagged.cells[2].metadata["tags"] = ["raises-exception"]
    write_chapter(source, "02-toy", tagged)
    lines = explain(source, out)
    assert lines[1] == "notebooks/02-toy: to be executed (its code changed: cell 3)"


@pytest.fixture
def own_package(tmp_path, monkeypatch):
    """A copy of the package's text in which things can be changed; what runs is the package."""
    package = tmp_path / "copy" / "oulib"
    shutil.copytree(ROOT / "oulib", package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(pipeline, "PACKAGE", package)
    return package


@pytest.mark.usefixtures("no_pages")
def test_a_change_of_the_package_executes_the_chapters_that_use_it(made, tmp_path, own_package):
    source, out = made.copy(tmp_path)
    # What a chapter uses is read from its text, whether it comes to it or not.
    uses = "def later():\n    from oulib import report\n    report.count(3, 'x')"
    write_chapter(source, "02-toy", chapter("Toy", uses))
    add_chapter(source, "03-odd", chapter("Odd", "%pwd\n1"))
    run(source, out)

    def why(module: str, old: str, new: str) -> list[str]:
        file = own_package / module
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))
        lines = explain(source, out)
        file.write_text(text)
        return [line.partition(": ")[2] for line in lines[:3]]

    everything = "because code cell 2 is not plain Python)"
    kept = "kept from the run before"
    first, second, third = why("report/text.py", "def count(", "def count(\n    # now\n")
    assert (first, second) == (kept, "to be executed (oulib.report.text (count) changed)")
    assert third.startswith("to be executed (oulib/report/text.py changed; it depends on all")
    assert third.endswith(everything)
    first, second, third = why("panel/truth.py", "def load(", "def load(\n    # now\n")
    assert (first, second) == ("to be executed (oulib.panel.truth (load) changed)", kept)
    assert third.endswith(everything)
    # How a chapter is executed counts for all, and how this is told to the user for none.
    lines = why("book/notebook.py", "def publishable(", "def publishable(\n    # now\n")
    assert not any(line == kept for line in lines)
    first, second, _ = why("cli.py", "def main(", "def main(\n    # now\n")
    assert (first, second) == (kept, kept)


def test_explaining_says_what_a_run_would_do_and_does_nothing(made, tmp_path, monkeypatch):
    source, ended = made.copy(tmp_path)

    def explained(out: Path = ended, **options: object) -> list[str]:
        before = {file: file.stat().st_mtime_ns for file in sorted(tmp_path.rglob("*"))}
        lines = explain(source, out, **options)
        assert {file: file.stat().st_mtime_ns for file in sorted(tmp_path.rglob("*"))} == before
        names = [line.partition(": ")[0] for line in lines]
        assert names == ["notebooks/01-panel", "notebooks/02-toy", "pages"]
        return [line.partition(": ")[2] for line in lines]

    new, kept = "to be executed (new)", "kept from the run before"
    assert explained(tmp_path / "out") == [new, new, "to be built (chapters are to be executed)"]
    assert explained() == [kept] * 3
    assert explained(settings={})[0] == (
        "to be executed (setting `draws` changed from 20 to the chapter's own)"
    )
    (source / "book" / "preface.md").write_text("# Preface\n\nOther words.\n")
    assert explained() == [kept, kept, "to be built (their source changed)"]
    (ended / ".oulib" / "build-abandoned").mkdir()  # which is not taken for pages
    (ended / "html" / "index.html").unlink()
    assert explained() == [kept, kept, "to be built (new)"]
    monkeypatch.setattr(pipeline, "_version", lambda name: "99" if name == "pymc" else "1")
    assert "library versions changed: " in explained()[0]
    monkeypatch.undo()
    small = simulate("baseline", n_ou=6, n_site=2, n_month=12, wave_every=3, seed=2)
    truth.write(small, source / "data" / "panel.csv")
    assert explained()[:2] == ["to be executed (the panel changed)"] * 2


@pytest.mark.usefixtures("no_pages")
def test_the_longest_of_the_last_run_begin_first(made, tmp_path):
    assert made.progress[0].seconds_left is None
    source, out = made.copy(tmp_path)
    write_chapter(source, "01-panel", chapter("The panel", "1"))
    for file in (out / ".oulib" / "chapters").glob("*.json"):
        record = json.loads(file.read_text())
        record["seconds"] = {"notebooks/01-panel": 100.0, "notebooks/02-toy": 900.0}[
            record["inputs"]["name"]
        ]
        file.write_text(json.dumps(record))
    again = run(source, out, settings={"draws": 21})
    assert [line.partition(":")[0] for line in again.log] == [
        "notebooks/02-toy",
        "notebooks/01-panel",
    ]
    assert 900 < again.progress[0].seconds_left <= 1000


def test_a_failed_chapter_leaves_a_note_and_the_others(troubled):
    (failure,) = troubled.book.failures
    assert str(failure).startswith("notebooks/01-panel did not finish: cell 4: ValueError: </pre>")
    assert "\x1b" not in str(failure)
    assert "ValueError" in failure.log.read_text(encoding="utf-8")
    text = page(troubled.out, "01-panel")
    assert "This chapter did not finish: it stopped in cell 4" in text
    assert "alert(1)" in text
    assert "<script>alert(1)" not in text
    assert "A toy model" in page(troubled.out, "02-toy")
    assert [verdict.model for verdict in troubled.book.verdicts] == ["toy"]


@pytest.mark.usefixtures("no_pages")
def test_a_chapter_that_failed_is_executed_until_it_is_mended(troubled, tmp_path):
    source, out = troubled.copy(tmp_path)
    assert explain(source, out)[0] == "notebooks/01-panel: to be executed (failed last time)"
    # Its prose is as it is now, even though the note keeps only the title.
    failing = read_clean(source / "notebooks" / "01-panel.ipynb")
    failing.cells[0].source = "# Another title"
    write_chapter(source, "01-panel", failing)
    (failure,) = run(source, out).book.failures
    assert failure.log.is_file()
    assert staged(out, "01-panel").cells[0].source.startswith("# Another title")

    write_chapter(source, "01-panel", chapter("The panel", "print('mended')"))
    mended = run(source, out)
    assert mended.book.failures == ()
    assert not failure.log.exists()
    assert staged(out, "01-panel").cells[-1].outputs[0].text == "mended\n"
    # What is kept is said first.
    assert [line.partition(":")[0] for line in mended.log] == [
        "notebooks/02-toy",
        "notebooks/01-panel",
    ]
    assert ["kept" in line for line in mended.log] == [True, False]


def test_a_build_that_warned_is_done_and_told_again(troubled, tmp_path):
    (warning,) = troubled.book.warnings
    assert warning.startswith("book/preface.md:3: WARNING: undefined label: 'nowhere'")
    source, out = troubled.copy(tmp_path)
    abandoned = out / ".oulib" / "build-abandoned"  # by a run that was stopped
    abandoned.mkdir()
    again = run(source, out)
    assert [line.partition(":")[0] for line in again.log] == [
        "notebooks/02-toy",
        "notebooks/01-panel",
        "pages",
    ]
    assert again.log[-1].startswith("pages: built")
    assert again.book.index.is_file()
    assert again.book.warnings == (warning,)
    assert not abandoned.exists()


def test_a_page_that_is_listed_but_missing(source, tmp_path):
    (source / "notebooks" / "02-toy.ipynb").unlink()
    with pytest.raises(pipeline.BuildError, match="lists notebooks/02-toy"):
        pipeline.run(None, tmp_path / "out", source=source)


def test_chapters_come_from_the_table_of_contents(source):
    pages = [path.relative_to(source).as_posix() for path in pipeline.pages(source)]
    assert pages == ["book/preface.md", "notebooks/01-panel.ipynb", "notebooks/02-toy.ipynb"]


@pytest.mark.parametrize("what", ["foreign", "file", "below a file", "bad panel", "no panel"])
def test_what_cannot_be_used_is_refused_and_nothing_is_written(source, tmp_path, what):
    out, panel = tmp_path / "out", source / "data" / "panel.csv"
    if what == "foreign":
        out.mkdir()
        (out / "thesis.doc").write_text("years of work")
    elif what == "file":
        out.write_text("a file")
    elif what == "below a file":
        out = panel / "out"
    elif what == "bad panel":
        panel = tmp_path / "bad.csv"
        panel.write_text("ou,site\na,b\n")
    else:
        panel = tmp_path / "not-there.csv"
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError):
        pipeline.run(panel, out, source=source)
    assert sorted(tmp_path.rglob("*")) == before


def gated(flags: Path, name: str) -> nbformat.NotebookNode:
    return chapter("Toy", GATED.format(flags=str(flags), name=name))


def start(source: Path, out: Path, *options: str) -> subprocess.Popen:
    program = (
        "import sys; from pathlib import Path; from oulib import cli; "
        "from oulib.book import pipeline; "
        "pipeline.source_root = lambda: Path(sys.argv[1]); sys.exit(cli.main(sys.argv[2:]))"
    )
    command = [sys.executable, "-c", program, str(source), "run", "--out", str(out), *options]
    # A shell that runs the tests in the background has them ignore what Ctrl-C sends.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, preexec_fn=heed)


def wait_for(flag: Path, process: subprocess.Popen) -> None:
    while not flag.exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)


@pytest.mark.usefixtures("no_pages")
def test_a_run_that_was_stopped_goes_on_where_it_was(source, tmp_path):
    flags, out = tmp_path / "flags", tmp_path / "out"
    flags.mkdir()
    write_chapter(source, "02-toy", gated(flags, "a"))
    add_chapter(source, "03-toy", gated(flags, "b"))
    begun = [flags / "begun-a", flags / "begun-b"]
    for how in (signal.SIGKILL, signal.SIGINT, signal.SIGTERM):
        with start(source, out, "--jobs", "2") as process:
            # Both at once: neither can go on.
            for flag in begun:
                wait_for(flag, process)
            with pytest.raises(UserError, match=f"Another run \\(process {process.pid}\\)"):
                pipeline.run(None, out, source=source)
            kernels = psutil.Process(process.pid).children(recursive=True)
            assert len(kernels) >= 2
            process.send_signal(how)
            said = process.stderr.read()
        if how != signal.SIGKILL:
            assert process.returncode == 128 + how
            assert "Traceback" not in said
            assert "Interrupted" in said
        assert psutil.wait_procs(kernels, timeout=60)[1] == []
        # The pages that had begun are still the clean ones, without outputs.
        for name in ("02-toy", "03-toy"):
            assert not any(cell.get("outputs") for cell in staged(out, name).cells)
        kept, *others = explain(source, out, settings={})
        assert "kept" in kept
        assert not any("kept" in line for line in others)
        for flag in begun:
            flag.unlink()
    (flags / "go").touch()
    finished = run(source, out, settings={})
    assert ["kept" in line for line in finished.log] == [True, False, False]
    assert staged(out, "02-toy").cells[-1].outputs[0].text == "went on\n"
    assert finished.book.failures == ()


def test_whatever_happens_between_two_chapters_the_others_end(source, tmp_path, monkeypatch):
    flags = tmp_path / "flags"
    flags.mkdir()
    write_chapter(source, "01-panel", gated(flags, "a"))
    write_chapter(source, "02-toy", chapter("Toy", "1"))

    def full(*_):
        while not (flags / "begun-a").exists():
            time.sleep(0.02)
        raise OSError("no space left")

    monkeypatch.setattr("oulib.book.kept.Kept.put", full)
    # The error is held, and with it what it passed through: nothing ends by being forgotten.
    with pytest.raises(OSError, match="no space left") as held:
        pipeline.run(None, tmp_path / "out", source=source, jobs=2)
    assert psutil.wait_procs(psutil.Process().children(), timeout=60)[1] == []
    del held


def test_a_build_ends_with_the_run_that_started_it(source, tmp_path):
    (source / "_toc.yml").write_text("format: jb-book\nroot: book/preface\n")
    flag = tmp_path / "begun"
    waits = f"import time; open({str(flag)!r}, 'w').close(); time.sleep(600)\n"
    (source / "book" / "waits.py").write_text("def setup(app):\n    " + waits)
    config = "sphinx: {local_extensions: {waits: book}}\n"
    (source / "_config.yml").write_text(config)
    with start(source, tmp_path / "out") as process:
        wait_for(flag, process)
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    assert children
    assert psutil.wait_procs(children, timeout=60)[1] == []


@pytest.mark.usefixtures("no_pages")
def test_chapters_that_run_at_once_share_the_cores_and_say_the_same(source, tmp_path, monkeypatch):
    monkeypatch.setattr(schedule, "usable_cores", lambda: 5)
    cores = "import os\nprint(os.environ['OULIB_CORES'], os.getcwd()[-9:])"
    write_chapter(source, "02-toy", chapter("A toy model", cores, VERDICT))
    here = Path.cwd()
    one, two = (run(source, tmp_path / str(jobs), jobs=jobs) for jobs in (1, 2))
    assert Path.cwd() == here
    seen = one.progress + two.progress
    assert max(len(progress.running) for progress in one.progress) == 1
    assert max(len(progress.running) for progress in two.progress) == 2
    assert {progress.total for progress in seen} == {2}
    assert seen[-1].done == 1

    def said(ended: Run, name: str) -> list[str]:
        outputs = [o for cell in staged(ended.out, name).cells for o in cell.get("outputs", ())]
        return [output.text for output in outputs if output.get("text")]

    for ended in (one, two):
        assert [verdict.model for verdict in ended.book.verdicts] == ["toy"]
        assert said(ended, "01-panel") == ["../data/panel.csv 20 10\n"]
    assert said(one, "02-toy") == ["5 notebooks\n"]
    assert said(two, "02-toy") == ["2 notebooks\n"]


def test_the_kernel_is_this_interpreter(tmp_path, monkeypatch):
    spec = tmp_path / "kernels" / "python3" / "kernel.json"
    spec.parent.mkdir(parents=True)
    other = {"argv": ["/nowhere/python", "{connection_file}"], "display_name": "x"}
    spec.write_text(json.dumps(other))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    names = "repr((sys.executable, find_spec('oulib').origin))[::-1]"
    asks = chapter("C", "import sys\nfrom importlib.util import find_spec", names)
    done = execute(asks, {}, tmp_path)
    said = done.cells[-1].outputs[0].data["text/plain"].strip("\"'")[::-1]
    assert sys.executable in said
    assert str(ROOT / "oulib" / "__init__.py") in said


def test_a_dead_kernel_is_a_failed_chapter(tmp_path):
    dies = chapter("C", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(ChapterFailed, match="process died"):
        execute(dies, {}, tmp_path)


def test_outputs_are_made_fit_to_publish(tmp_path):
    widget = "application/vnd.jupyter.widget-view+json"
    picture = f"{Path.home()}/"  # letters of a picture that happen to spell a path
    data = {widget: {"model_id": "1"}, "text/html": f"<b>{tmp_path}/x</b>", "image/png": picture}
    cell = v4.new_code_cell("1", outputs=[v4.new_output("display_data", data)])
    warned = f"/tmp/ipykernel_12/345.py:1: UserWarning: {sys.prefix}/lib/x.py\n"
    cell.outputs.append(v4.new_output("stream", name="stderr", text=warned))
    cell.metadata = {"papermill": {"duration": 1}, "tags": ["injected-parameters"], "mystnb": {}}
    notebook = v4.new_notebook(cells=[cell], metadata={"widgets": {}, "papermill": {}})
    done = publishable(notebook, tmp_path)
    assert set(done.metadata) == {"kernelspec", "language_info"}
    assert done.cells[0].metadata == {"tags": ["injected-parameters", "remove-cell"], "mystnb": {}}
    shown, warning = done.cells[0].outputs
    assert shown.data == {"text/html": "<b>…/x</b>", "image/png": picture}
    assert warning.text == "cell:1: UserWarning: …/lib/x.py\n"
    nbformat.validate(done)


DRAWS = """\
import matplotlib.pyplot as plt
from oulib.report.style import use_style
use_style()
fig, ax = plt.subplots(figsize=(2, 1))"""


def test_figures_have_twice_the_dots_of_the_width_they_are_shown_in(tmp_path, monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)
    cells = execute(chapter("C", DRAWS), {}, tmp_path).cells
    (shown,) = [o for c in cells for o in c.get("outputs", []) if "image/png" in o.get("data", {})]
    width = shown.metadata["image/png"]["width"]
    assert "height" not in shown.metadata["image/png"]
    assert 200 < width < 260  # two inches, and what is cut or added around them
    drawn = plt.imread(BytesIO(b64decode(shown.data["image/png"])))
    assert drawn.shape[1] in (2 * width, 2 * width + 1)


def test_a_page_with_a_picture_in_it_is_published_as_it_is(tmp_path):
    """A picture is one long word, which must not be searched from each of its letters."""
    page = f'<img src="data:image/png;base64,{"iVBORw0KGgo" * 30_000}"/>'
    cell = v4.new_code_cell("1", outputs=[v4.new_output("display_data", {"text/html": page})])
    done = publishable(v4.new_notebook(cells=[cell]), tmp_path)
    assert done.cells[0].outputs[0].data == {"text/html": page}


def test_reading_clean_forgets_what_an_editor_added(tmp_path):
    written = chapter("C", "1")
    nbformat.write(written, tmp_path / "a.ipynb")
    written.cells[2].execution_count = 7
    written.cells[2].outputs = [v4.new_output("stream", text="old")]
    written.cells[2].metadata["collapsed"] = True
    written.cells[2].id = "another"
    written.metadata["kernelspec"] = {"name": "mine", "display_name": "Mine"}
    nbformat.write(written, tmp_path / "b.ipynb")
    assert read_clean(tmp_path / "a.ipynb") == read_clean(tmp_path / "b.ipynb")


def test_a_verdict_may_be_expected_to_fail():
    def glued(name: str, value: object) -> nbformat.NotebookNode:
        output = v4.new_output("display_data", {"application/json": value})
        output.metadata = {"scrapbook": {"name": name}}
        return v4.new_code_cell("", outputs=[output])

    notebook = v4.new_notebook(
        cells=[
            glued("verdict_a", {"sampled": True}),
            glued("verdict_b", {"sampled": False, "expected_to_fail": True}),
            glued("verdict_c", {"sampled": False}),
            glued("slope", {"sampled": False}),
        ]
    )
    found = {verdict.model: verdict.withholds for verdict in verdicts(notebook)}
    assert found == {"a": False, "b": False, "c": True}


def test_the_note_keeps_title_and_label_and_cuts_a_very_long_error(tmp_path):
    failed = chapter("C\n\nText, which is not kept.")
    failed.cells[0].source = f"(a-label)=\n{failed.cells[0].source}"
    note = did_not_finish(failed, ChapterFailed("E: " + "x" * 10**6), tmp_path)
    assert note.cells[0].source.startswith("(a-label)=\n# C\n\n:::{error}")
    assert len(note.cells[1].outputs[0].text) < 2100


def test_the_folder_is_ours_alone_while_a_run_lasts(tmp_path):
    with pipeline._claimed(tmp_path), pytest.raises(UserError, match=str(os.getpid())):
        pipeline._claimed(tmp_path).__enter__()
    with pipeline._claimed(tmp_path):
        pass


@pytest.mark.usefixtures("no_pages")
def test_some_chapters_alone(made, tmp_path):
    source, out = shutil.copytree(made.source, tmp_path / "src"), tmp_path / "some"
    panel = nbformat.read(source / "notebooks" / "01-panel.ipynb", 4)
    refers = "See {numref}`fig-one`, [](#fig-two) and [another](#fig-three)."
    panel.cells.insert(1, v4.new_markdown_cell(refers))
    write_chapter(source, "01-panel", panel)
    some = run(source, out, chapters=["toy"])
    assert [line.partition(" in ")[0] for line in some.log] == [
        "notebooks/01-panel: left out",
        "notebooks/02-toy: executed",
    ]
    assert "was not executed in this run" in staged(out, "01-panel").cells[1].source
    # No figure is there to refer to.
    assert staged(out, "01-panel").cells[2].source == "See the figure, the figure and another."
    assert not any(c.get("outputs") for c in staged(out, "01-panel").cells)
    assert some.progress[-1].total == 1
    assert explain(source, out, chapters=["2"])[0] == "notebooks/01-panel: left out"
    # What an earlier run has made is shown, whatever is asked for now.
    again = run(*made.copy(tmp_path / "whole"), chapters=["01-panel"])
    assert all("kept" in line for line in again.log)
    with pytest.raises(UserError, match="3, poem: the chapters are 1 panel, 2 toy"):
        run(source, tmp_path / "none", chapters=["3", "toy", "poem"])
    assert not (tmp_path / "none").exists()


SUMMARY = """\
from base64 import b64encode
from IPython.display import HTML, Markdown, display
from oulib.panel import truth
panel = truth.load(panel_file)
data = b64encode(b"a,b").decode()
display(Markdown("; ".join(panel.remarks)))
HTML(f'<a download="t.csv" href="data:text/csv;base64,{data}">Save</a>')"""


def test_a_panel_summed_up_on_one_page(source, tmp_path):
    write_chapter(source, "00-summary", chapter("Summary", SUMMARY, VERDICT))
    contents = (source / "_toc.yml").read_text()
    first = "  chapters:\n  - file: notebooks/00-summary\n"
    (source / "_toc.yml").write_text(contents.replace("  chapters:\n", first))
    (titled := tmp_path / "mine.csv").write_text(
        "Our <b>units</b>\n" + (source / "data" / "panel.csv").read_text()
    )
    out, said = tmp_path / "sum", []
    made = pipeline.summarise(titled, out, source=source, settings=SETTINGS, report=said.append)
    assert "left out: 'Our <b>units</b>'" in said[0]
    text = made.page.read_text(encoding="utf-8")
    assert made.page == out / "summary.html"
    assert "<title>Summary: mine.csv</title>" in text
    assert "<b>" not in text
    assert (out / "t.csv").read_bytes() == b"a,b"
    assert made.files == (out / "t.csv",)
    assert [verdict.model for verdict in made.verdicts] == ["toy"]
    assert sorted(p.name for p in out.iterdir()) == [".oulib", "summary.html", "t.csv"]
    again = pipeline.summarise(titled, out, source=source, settings=SETTINGS, report=said.append)
    assert (again, said[-1]) == (made, "notebooks/00-summary: kept from the run before")
    # Nothing of an earlier summary is left beside another, or where one failed.
    (out / "mine.txt").write_text("mine")
    write_chapter(source, "00-summary", chapter("Summary", "1"))
    other = pipeline.summarise(titled, out, source=source, settings=SETTINGS)
    assert other.files == ()
    assert sorted(p.name for p in out.iterdir()) == [".oulib", "mine.txt", "summary.html"]
    write_chapter(source, "00-summary", chapter("Summary", "1 / 0"))
    failed = pipeline.summarise(titled, out, source=source, settings=SETTINGS)
    assert "ZeroDivisionError" in str(failed.failures[0])
    assert not (out / "summary.html").exists()
    assert (out / "mine.txt").exists()
    with pytest.raises(UserError, match="did not make"):
        pipeline.summarise(titled, source / "book", source=source)


OWN_SETTINGS = """\
import matplotlib as mpl
from oulib.report.style import use_style
use_style()
print(mpl.rcParams["text.usetex"], mpl.rcParams["font.size"], "started" in globals())"""


@pytest.mark.usefixtures("no_pages")
def test_the_users_own_settings_reach_no_chapter(source, tmp_path, monkeypatch):
    (rc := tmp_path / "matplotlibrc").write_text("text.usetex: True\nfont.size: 30\n")
    startup = tmp_path / "ipython" / "profile_default" / "startup" / "00.py"
    startup.parent.mkdir(parents=True)
    startup.write_text("started = True\n")
    (own := tmp_path / "own.py").write_text("started = True\n")
    monkeypatch.setenv("MATPLOTLIBRC", str(rc))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONSTARTUP", str(own))
    write_chapter(source, "01-panel", chapter("The panel", OWN_SETTINGS))
    assert run(source, out := tmp_path / "out").book.failures == ()
    assert staged(out, "01-panel").cells[-1].outputs[0].text == "False 10.0 False\n"
