"""What code is said to use, held against small packages and against what chapters call."""

import importlib
import inspect
import re
import sys
from pathlib import Path

import pytest

from oulib.book.dependencies import Package
from oulib.book.notebook import read_clean
from oulib.book.pipeline import pages
from oulib.files import source_root

ROOT = source_root()
CHAPTERS = [page for page in pages(ROOT) if page.suffix == ".ipynb"]
FILES = {
    "__init__": "from toy.core import Thing, build\n__all__ = ['Thing', 'build']\n",
    "core": (
        "import numpy as np\n"
        "LIMIT = 3\n\n"
        "class Thing:\n    def area(self):\n        return np.pi * _helper(LIMIT)\n\n"
        "def _helper(n):\n    return n + 1\n\n"
        "def build():\n    return Thing()\n\n"
        "def unused():\n    return 0\n"
    ),
    "plots/__init__": (
        "'''Docstring.'''\nfrom toy.plots import bars\nfrom toy.plots.lines import line\n"
    ),
    "plots/lines": (
        "from toy import words\n"
        "# A comment above.\n"
        "def line():\n    return words.say(1)\n\n"
        "def other():\n    return 2\n"
    ),
    "plots/bars": "def bar():\n    from toy.core import _helper\n    return _helper(1)\n",
    "words": "def say(x):\n    return str(x)\n\ndef shout(x):\n    return say(x)\n",
    "registry": (
        "KNOWN = {}\n\n"
        "def register(f):\n    KNOWN[f.__name__] = f\n    return f\n\n"
        "def names():\n    return sorted(KNOWN)\n"
    ),
    "plugins": "from toy.registry import register\n\n@register\ndef plugin():\n    return 1\n",
    "loud": "import os\nos.environ['TOY'] = '1'\n\ndef quiet():\n    return 1\n",
    "dynamic": "import importlib\n\ndef load(name):\n    return importlib.import_module(name)\n",
    "star": "from toy.words import *\n\ndef own():\n    return 1\n",
}


@pytest.fixture
def toy(tmp_path):
    folder = tmp_path / "toy"
    for name, text in FILES.items():
        file = folder / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


LINE = {"plots.lines.line", "words.say"}
CORE = {"core.build", "core.Thing", "core._helper", "core.LIMIT"}


@pytest.mark.parametrize(
    ("code", "used"),
    [
        # A name that a package hands on is followed to where it is defined.
        ("from toy import plots\nplots.line()", LINE),
        ("import toy.plots\ntoy.plots.line()", LINE),
        ("import toy.plots as p\np.lines.line()", LINE),
        ("from toy.plots import line as l\nl()", LINE),
        ("from toy.plots import lines\ndef f():\n    return lines.line", LINE),
        ("def f():\n    from toy.plots import lines\n    return [lines.line for _ in 'ab']", LINE),
        ("from toy import plots\nplots.bars.bar()", {"plots.bars.bar", "core._helper"}),
        ("import toy\ntoy.build()", CORE),
        ("from toy import Thing\nThing().area()", CORE - {"core.build"}),
        ("from toy.words import shout\nshout(1)", {"words.say", "words.shout"}),
        ("from toy.words import *\nshout(1)", {"words.say", "words.shout"}),
        ("from toy import star\nstar.shout(1)", {"words.say", "words.shout"}),
        # Importing alone uses nothing, unless the module does something.
        ("from toy import words, plots", set()),
        ("import toy.loud", {"loud.(on import)"}),
        ("from toy import plugins", {"plugins.(on import)", "registry.register", "registry.KNOWN"}),
        ("from toy import loud\nloud.quiet()", {"loud.(on import)", "loud.quiet"}),
        # A module that is handed on may be asked for anything.
        ("from toy import words\nvars(words)", {"words.say", "words.shout"}),
        (
            "from toy import plots\ngetattr(plots, 'li' + 'ne')",
            {*LINE, "plots.lines.other", "plots.bars.bar", "words.shout", "core._helper"},
        ),
        (
            "from toy import words\ndef f(words):\n    return words.lower",
            {"words.say", "words.shout"},
        ),
        # Elsewhere is elsewhere.
        ("import numpy as np\nnp.build()", set()),
    ],
)
def test_what_code_uses_is_followed_to_its_definition(toy, code, used):
    uses = Package(toy).used_by(code)
    assert uses.unclear == ()
    assert set(uses.definitions) == {f"toy.{name}" for name in used}


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("%matplotlib inline", "code cell 1 is not plain Python"),
        ("from toy import plots\nplots.nothing()", "toy.plots has no nothing"),
        ("import toy.nowhere", None),
        ("import toy.nowhere\ntoy.nowhere.f()", "toy has no nowhere"),
        ("from toy.nowhere import f\nf()", "there is no module toy.nowhere"),
        ("exec('1')", "exec() may use anything"),
        ("import importlib\nimportlib.import_module('toy.words')", "importlib may load anything"),
        ("from sys import modules\nmodules", "sys may load anything"),
        ("from toy import dynamic\ndynamic.load('toy.words')", "importlib may load anything"),
    ],
)
def test_what_is_unclear_uses_everything(toy, code, reason):
    uses = Package(toy).used_by(code)
    assert uses.unclear == ((reason,) if reason else ())
    assert (set(uses.definitions) == {f"toy/{name}.py" for name in FILES}) == bool(reason)


def test_libraries_are_those_of_the_code_that_is_used(toy):
    package = Package(toy)
    assert package.used_by("import toy\ntoy.build()").libraries == {"numpy"}
    assert package.used_by("import os\nfrom scipy import stats").libraries == {"scipy"}
    assert package.used_by("from toy import words\nwords.say(1)").libraries == set()


@pytest.mark.parametrize(
    ("file", "old", "new", "changes"),
    [
        ("plots/lines", "return 2", "return 3", False),
        ("plots/lines", "words.say(1)", "words.say(2)", True),
        ("plots/lines", "# A comment above.", "# Another comment.", False),
        ("plots/lines", "    return words", "    # Shown in a chapter.\n    return words", True),
        ("words", "return say(x)", "return say(x).upper()", False),
        ("words", "return str(x)", "return repr(x)", True),
        ("plots/__init__", "Docstring", "Other words", False),
        (
            "plots/__init__",
            "from toy.plots.lines import line",
            "from toy.words import shout as line",
            True,
        ),
        ("core", "LIMIT = 3", "LIMIT = 4", False),
        # Something that happens on import counts for all that import it.
        ("core", "LIMIT = 3", "LIMIT = 3\nprint(LIMIT)", True),
    ],
)
def test_only_a_change_of_what_is_used_counts(toy, file, old, new, changes):
    code = "from toy import plots\nplots.line()"
    before = Package(toy).used_by(code)
    path = toy / f"{file}.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert (Package(toy).used_by(code) != before) == changes


def cells(chapter: Path) -> list[str]:
    return [cell.source for cell in read_clean(chapter).cells if cell.cell_type == "code"]


@pytest.fixture(scope="module")
def package() -> Package:
    return Package(ROOT / "oulib")


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapters_use_what_python_finds_under_the_names_they_write(package, path):
    code = "\n".join(cells(path))
    uses = package.used_by(*cells(path))
    assert uses.unclear == ()
    found = 0
    names = r"[(\w,\s]*\bfigures,\s+(?:(?:forecast|forms),\s+)?sentences"
    own = re.findall(rf"from oulib\.chapters\.(\w+) import {names}", code)
    places = {"report": "oulib.report"} | {
        name: f"oulib.chapters.{chapter}.{name}"
        for chapter in own
        for name in ("figures", "sentences")
    }
    for name, attribute in set(re.findall(r"(?<![.\w])(\w+)\.(\w+)", code)):
        if name not in places:
            continue
        thing = getattr(importlib.import_module(places[name]), attribute)
        if inspect.isfunction(thing):
            found += 1
            assert f"{thing.__module__}.{thing.__qualname__}" in uses.definitions
    assert found > 3


def test_a_chapter_calls_only_what_it_is_said_to_use(package, monkeypatch, capsys):
    code = cells(next(path for path in CHAPTERS if path.stem == "01-panel"))
    uses = package.used_by(*code)
    called = set()

    def note(frame, event, _):
        if event == "call":
            called.add(frame.f_code)

    monkeypatch.chdir(ROOT / "notebooks")
    for name in ("chapters.panel", "panel.describe", "report.chapter"):
        importlib.import_module(f"oulib.{name}")  # what runs on import was not called
    sys.setprofile(note)
    try:
        names = {}
        for cell in code:
            exec(cell, names)
    finally:
        sys.setprofile(None)
    tops = set()
    for code in called:
        file, name = Path(code.co_filename), code.co_qualname.partition(".<")[0]
        if file.is_relative_to(ROOT / "oulib") and not name.startswith("<"):
            module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            tops.add(f"{module.removesuffix('.__init__')}.{name}")
    assert len(tops) > 40
    for name in tops:  # a method counts as its class
        assert {name, name.rpartition(".")[0]} & set(uses.definitions), name


def test_chapters_that_show_measurements_say_so():
    """Whatever reads a table asks for it where the pipeline sees it; nothing else does."""
    package, showing = Package(ROOT / "oulib"), set()
    for page in CHAPTERS:
        cells = [cell.source for cell in read_clean(page).cells if cell.cell_type == "code"]
        uses = package.used_by(*cells)
        shows = any("published(" in cell for cell in cells)
        assert shows == ("oulib.files.measured" in uses.definitions)
        showing |= {page.stem} if shows else set()
    assert {"02-baseline", "08-findings"} <= showing
    asked = [
        file.name
        for file in (ROOT / "oulib").rglob("*.py")
        if re.search(r"source_root\(\) / .data.", file.read_text(encoding="utf-8"))
    ]
    assert asked == ["files.py"]
